//! The threads on which messages run their scripts, so that a slow script holds no thread that others need.
//!
//! In: work that decides, and whose it is. Out: what it came to, or [`Busy`] when it would have to wait for too long. The
//! threads are few, give way to all others of the process where the system can, and have room for deep calls. No
//! rulebook gets all of them, and none waits behind another's queue: they take turns.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use uuid::Uuid;

/// How much of one rulebook waits at most.
const QUEUE: usize = 16;
/// How much waits at most altogether.
const QUEUES: usize = 128;
/// How long a message waits for its turn and its scripts together.
const PATIENCE: Duration = Duration::from_millis(500);
/// Deep calls of deep expressions need room, most of all in a program that is not optimized.
const STACK: usize = 16 * 1024 * 1024;
/// How far the threads stand back behind others, of 0 to 19.
const NICENESS: i32 = 10;

/// The scripts cannot run now: decide without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the threads for scripts are busy")]
pub struct Busy;

type Work = Box<dyn FnOnce() + Send>;

/// A pool; its threads start with the first work and end when the last handle is dropped.
#[derive(Clone)]
pub struct ScriptPool {
    shared: Arc<Shared>,
    /// Dropped with the last handle: the threads hold `shared` only.
    _open: Arc<Open>,
}

struct Shared {
    threads: usize,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: HashMap<Uuid, VecDeque<Work>>,
    /// Whose turn it is; each rulebook that waits stands in it once.
    turns: VecDeque<Uuid>,
    running: HashMap<Uuid, usize>,
    started: bool,
    closed: bool,
}

struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_all();
    }
}

impl Default for ScriptPool {
    /// As many threads as there are processors, and at least two: one rulebook never gets the last.
    fn default() -> Self {
        Self::new(thread::available_parallelism().map_or(2, usize::from).max(2))
    }
}

impl ScriptPool {
    /// A pool of at least two threads.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            threads: threads.max(2),
            queue: Mutex::default(),
            changed: Condvar::new(),
        });
        Self {
            _open: Arc::new(Open(Arc::clone(&shared))),
            shared,
        }
    }

    /// Does work of a rulebook and waits for it.
    ///
    /// # Errors
    /// When its queue is full, it took too long, or it failed.
    pub async fn run<T: Send + 'static>(
        &self,
        rulebook_id: Uuid,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (done, result) = oneshot::channel();
        let work = move || {
            // Nobody waits for it any more.
            if !done.is_closed() {
                let _ = done.send(work());
            }
        };
        self.shared.push(rulebook_id, Box::new(work))?;
        match tokio::time::timeout(PATIENCE, result).await {
            Ok(Ok(result)) => Ok(result),
            _ => Err(Busy),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(self: &Arc<Self>, rulebook_id: Uuid, work: Work) -> Result<(), Busy> {
        let mut queue = self.lock();
        if !queue.started {
            queue.started = true;
            for _ in 0..self.threads {
                let shared = Arc::clone(self);
                let thread = thread::Builder::new().name("script".to_owned()).stack_size(STACK);
                thread.spawn(move || shared.work()).map_err(|_| Busy)?;
            }
        }
        let altogether: usize = queue.waiting.values().map(VecDeque::len).sum();
        if altogether >= QUEUES || queue.waiting.get(&rulebook_id).is_some_and(|own| own.len() >= QUEUE) {
            return Err(Busy);
        }
        let own = queue.waiting.entry(rulebook_id).or_default();
        own.push_back(work);
        if own.len() == 1 {
            queue.turns.push_back(rulebook_id);
        }
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    /// A thread's life.
    fn work(&self) {
        stand_back();
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return;
            }
            let Some((whose, work)) = queue.next(self.threads - 1) else {
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(queue);
            // What panics is not sent, and whoever waits for it goes on without.
            let _ = catch_unwind(AssertUnwindSafe(work));
            queue = self.lock();
            queue.ended(whose);
            // What could not run because its rulebook had enough threads may run now.
            self.changed.notify_one();
        }
    }
}

impl Queue {
    /// The next work of the first whose turn it is and who has fewer than `most` threads.
    fn next(&mut self, most: usize) -> Option<(Uuid, Work)> {
        let running = |whose: &Uuid| self.running.get(whose).copied().unwrap_or_default();
        let place = self.turns.iter().position(|whose| running(whose) < most)?;
        let whose = self.turns.remove(place)?;
        let own = self.waiting.get_mut(&whose)?;
        let work = own.pop_front();
        if own.is_empty() {
            self.waiting.remove(&whose);
        } else {
            self.turns.push_back(whose);
        }
        *self.running.entry(whose).or_default() += 1;
        work.map(|work| (whose, work))
    }

    fn ended(&mut self, whose: Uuid) {
        if let Some(running) = self.running.get_mut(&whose) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(&whose);
            }
        }
    }
}

/// Lets every other thread of the process go first. On Linux the priority is a thread's own.
#[cfg(target_os = "linux")]
fn stand_back() {
    // Where it is not allowed, scripts compete like everything else.
    let _ = rustix::process::setpriority_process(None, NICENESS);
}

#[cfg(not(target_os = "linux"))]
fn stand_back() {}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn one_rulebook_never_has_the_last_thread() {
        let pool = ScriptPool::new(2);
        let (greedy, modest) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (end, ended) = mpsc::channel::<()>();
        let ended = Arc::new(Mutex::new(ended));
        let hold = || {
            let ended = Arc::clone(&ended);
            move || ended.lock().unwrap().recv().is_err()
        };
        let mut held = Vec::new();
        for _ in 0..QUEUE {
            let (pool, hold) = (pool.clone(), hold());
            held.push(tokio::spawn(async move { pool.run(greedy, hold).await }));
        }
        // One of them runs, the others wait, and a neighbour goes past them.
        assert_eq!(pool.run(modest, || 7).await, Ok(7));
        drop(end);
        for one in held {
            assert!(one.await.unwrap().is_ok());
        }
    }

    #[tokio::test]
    async fn a_full_queue_turns_away_and_a_panic_harms_nobody() {
        let pool = ScriptPool::new(2);
        let whose = Uuid::from_u128(1);
        assert_eq!(pool.run(whose, || -> u8 { panic!("on purpose") }).await, Err(Busy));
        assert_eq!(pool.run(whose, || 1).await, Ok(1));
        let (begin, begun) = mpsc::channel::<()>();
        let (end, ended) = mpsc::channel::<()>();
        let hold = move || {
            begin.send(()).unwrap();
            assert!(ended.recv().is_err());
        };
        pool.shared.push(whose, Box::new(hold)).unwrap();
        begun.recv().unwrap();
        for _ in 0..QUEUE {
            pool.shared.push(whose, Box::new(|| ())).unwrap();
        }
        assert_eq!(pool.run(whose, || 1).await, Err(Busy));
        drop(end);
        assert_eq!(pool.run(Uuid::from_u128(2), || 1).await, Ok(1));
    }
}
