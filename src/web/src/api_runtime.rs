//! A separate tokio runtime for the admin API and its pages. Messages, callbacks, health checks and metrics use the
//! main runtime.
//!
//! A tokio runtime has one first-come, first-served queue. With a single runtime, a message would wait behind all API
//! requests that arrived before it, even behind rejected requests. So Ringbook has two runtimes, and requests on one
//! runtime never wait for requests on the other.

use std::io;
use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle};

static RUNTIME: LazyLock<io::Result<Runtime>> =
    LazyLock::new(|| Builder::new_multi_thread().thread_name("admin").enable_all().build());

/// Whether this is the path of a message, a callback, a health check or the metrics. A request with one of these paths
/// must never wait behind requests of people.
#[must_use]
pub fn is_urgent(path: &str) -> bool {
    ["/webhooks/", "/health/", "/metrics"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

/// Runs the work on the separate runtime. If the returned future is dropped, the work is aborted. If the separate
/// runtime could not be created, the work runs on the current runtime.
///
/// # Errors
/// When the work panicked.
pub async fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, JoinError> {
    let Ok(runtime) = &*RUNTIME else {
        return Ok(work.await);
    };
    let mut stopping = Stopping(runtime.spawn(work));
    (&mut stopping.0).await
}

/// The handle of a task. Dropping the handle aborts the task.
struct Stopping<T>(JoinHandle<T>);

impl<T> Drop for Stopping<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_is_done_elsewhere_and_ends_with_whoever_waits() {
        let here = std::thread::current().id();
        assert_ne!(run(async { std::thread::current().id() }).await.unwrap(), here);
        let (held, dropped) = oneshot::channel::<()>();
        let mut waiting = Box::pin(run(async move {
            std::future::pending::<()>().await;
            drop(held);
        }));
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        drop(waiting);
        assert!(
            dropped.await.is_err(),
            "the work continues after its future was dropped"
        );
    }

    #[test]
    fn messages_never_wait_behind_people() {
        for path in [
            "/webhooks/vapi",
            "/webhooks/twilio/inbound/x",
            "/health/ready",
            "/metrics",
        ] {
            assert!(is_urgent(path), "{path}");
        }
        for path in ["/admin/v1/rulebooks", "/docs", "/", "/webhook"] {
            assert!(!is_urgent(path), "{path}");
        }
    }
}
