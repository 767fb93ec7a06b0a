//! Resolves host names on dedicated threads.
//!
//! The system's resolver blocks the thread that calls it. On tokio's blocking threads, a lookup would wait behind other
//! work, and a name server that does not respond would block that work. For each host there is at most one lookup at a
//! time, and concurrent requests share its result. A lookup that hangs does not delay requests for other hosts.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::oneshot;

/// Maximum number of hosts resolved at the same time. Ringbook calls two or three hosts.
const MAX_LOOK_UPS: usize = 16;

/// All clients of the process share this resolver, because they resolve the same few hosts.
static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
    look_up: Arc::new(|host| Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())),
    asked: Arc::default(),
});

type LookUp = dyn Fn(&str) -> std::io::Result<Vec<IpAddr>> + Send + Sync;
type LookupResult = Result<Vec<IpAddr>, LookUpError>;

/// Why a lookup returned no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum LookUpError {
    #[error("{0}")]
    System(String),
    #[error("too many host names are being looked up")]
    Busy,
    #[error("the lookup ended without a result")]
    Lost,
}

/// The resolver. Cloning is cheap.
#[derive(Clone)]
pub(super) struct Names {
    look_up: Arc<LookUp>,
    /// Requests that wait for a lookup in progress, by host.
    asked: Arc<Mutex<HashMap<String, Vec<oneshot::Sender<LookupResult>>>>>,
}

impl Names {
    /// The resolver that all clients of the process share.
    pub(super) fn of_process() -> Self {
        NAMES.clone()
    }

    async fn of_host(&self, host: &str) -> LookupResult {
        let (told, answer) = oneshot::channel();
        let begins = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            if !asked.contains_key(host) && asked.len() >= MAX_LOOK_UPS {
                return Err(LookUpError::Busy);
            }
            let waiting = asked.entry(host.to_owned()).or_default();
            waiting.push(told);
            waiting.len() == 1
        };
        if begins {
            let (names, host) = (self.clone(), host.to_owned());
            let thread = thread::Builder::new().name("names".to_owned());
            let ended = LookupGuard { names, host };
            if thread.spawn(move || ended.look_up()).is_err() {
                return Err(LookUpError::Busy);
            }
        }
        answer.await.unwrap_or(Err(LookUpError::Lost))
    }
}

/// A lookup in progress. When the lookup ends, even by a panic, all waiting requests get a result. After the lookup,
/// the next request starts a new lookup.
struct LookupGuard {
    names: Names,
    host: String,
}

impl LookupGuard {
    fn look_up(self) {
        let found = (self.names.look_up)(&self.host).map_err(|error| LookUpError::System(error.to_string()));
        for waiting in self.waiting() {
            let _ = waiting.send(found.clone());
        }
    }

    fn waiting(&self) -> Vec<oneshot::Sender<LookupResult>> {
        let mut asked = self.names.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.remove(&self.host).unwrap_or_default()
    }
}

impl Drop for LookupGuard {
    fn drop(&mut self) {
        drop(self.waiting());
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let names = self.clone();
        Box::pin(async move {
            let found = names.of_host(name.as_str()).await?;
            // reqwest adds the port of the URL.
            let addresses = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    fn names(look_up: impl Fn(&str) -> std::io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Names {
        Names {
            look_up: Arc::new(look_up),
            asked: Arc::default(),
        }
    }

    #[tokio::test]
    async fn localhost_has_an_address_and_nothing_has_none() {
        let names = Names::of_process();
        assert!(
            names
                .of_host("localhost")
                .await
                .unwrap()
                .iter()
                .all(IpAddr::is_loopback)
        );
        assert!(matches!(names.of_host("").await, Err(LookUpError::System(_))));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_host_that_hangs_is_asked_for_once_and_holds_up_no_other() {
        let (end, ended) = mpsc::channel::<()>();
        let (count, ended) = (Arc::new(AtomicUsize::new(0)), Mutex::new(ended));
        let counted = Arc::clone(&count);
        let names = names(move |host| {
            if host == "hangs" {
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = ended.lock().unwrap().recv();
            }
            Ok(vec![IpAddr::from([127, 0, 0, 1])])
        });
        let hanging: Vec<_> = (0..100)
            .map(|_| {
                let names = names.clone();
                tokio::spawn(async move { names.of_host("hangs").await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(names.of_host("answers").await.is_ok());
        drop(end);
        for one in hanging {
            assert!(one.await.unwrap().is_ok());
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert!(names.asked.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_look_up_needs_none_of_the_threads_that_other_work_shares() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (end, ended) = mpsc::channel::<()>();
        runtime.spawn_blocking(move || ended.recv());
        let found = runtime.spawn(async { Names::of_process().of_host("localhost").await });
        assert!(found.await.unwrap().is_ok());
        drop(end);
        runtime.shutdown_background();
    }
}
