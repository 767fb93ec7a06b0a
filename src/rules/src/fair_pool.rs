//! A thread pool that rulebooks share in turns. No rulebook gets all threads, and no rulebook waits behind another
//! rulebook's queue.
//!
//! If too much work of a rulebook is queued, or the work would wait too long, [`Busy`] is returned. Abandoned work
//! is not started, and running work checks [`is_abandoned`] to stop early.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use uuid::Uuid;

/// The stack size of a thread, in bytes. Deep expressions and deep calls need much stack, especially in an unoptimized
/// build.
const STACK: usize = 16 * 1024 * 1024;

/// Why the threads cannot do the work now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// Too much work of this rulebook is already queued.
    #[error("too much work of this rulebook waits for the threads for {0}")]
    Queue(&'static str),
    /// Too much work is queued in total, the work was not done in time, or it failed.
    #[error("the threads for {0} are busy")]
    Threads(&'static str),
}

#[derive(Debug, Clone, Copy)]
pub struct PoolLimits {
    /// The purpose of the pool's threads in one word. The threads have this name too.
    pub name: &'static str,
    /// Number of threads, at least two.
    pub threads: usize,
    /// Maximum queue length of one rulebook.
    pub queue: usize,
    /// Maximum queue length of all rulebooks together.
    pub queues: usize,
    /// Maximum time for waiting and work together.
    pub patience: Duration,
    /// The nice value of the threads, 0 to 19.
    pub niceness: i32,
}

/// Returns the number of processors, and at least 2, because one rulebook never gets the last thread.
#[must_use]
pub fn processors() -> usize {
    thread::available_parallelism().map_or(2, usize::from).max(2)
}

type Work = Box<dyn FnOnce() + Send>;

/// A pool. The threads start with the first work, and end when the last handle is dropped.
#[derive(Clone)]
pub struct FairPool {
    shared: Arc<PoolQueue>,
    /// When the last handle is dropped, this value ends the threads. The threads own only `shared`.
    _open: Arc<CloseOnDrop>,
}

struct PoolQueue {
    limits: PoolLimits,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: HashMap<Uuid, VecDeque<Work>>,
    /// The order in which the waiting rulebooks get a thread. Each waiting rulebook is in the order once.
    turns: VecDeque<Uuid>,
    running: HashMap<Uuid, usize>,
    started: bool,
    closed: bool,
}

struct CloseOnDrop(Arc<PoolQueue>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_all();
    }
}

thread_local! {
    /// The flag that shows whether the work on this thread was abandoned.
    static ABANDONED: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// Whether the work on this thread was abandoned: the client disconnected, or got a response without waiting for the
/// work. Then nobody reads the result, so the work may stop at any point.
#[must_use]
pub fn is_abandoned() -> bool {
    ABANDONED.with_borrow(|flag| flag.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)))
}

/// Marks the work as abandoned when the future that waits for the work is dropped.
struct WaitGuard(Arc<AtomicBool>);

impl Drop for WaitGuard {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl FairPool {
    /// Creates a pool of at least two threads.
    #[must_use]
    pub fn new(limits: PoolLimits) -> Self {
        let shared = Arc::new(PoolQueue {
            limits: PoolLimits {
                threads: limits.threads.max(2),
                ..limits
            },
            queue: Mutex::default(),
            changed: Condvar::new(),
        });
        Self {
            _open: Arc::new(CloseOnDrop(Arc::clone(&shared))),
            shared,
        }
    }

    /// Runs work of a rulebook and waits for it. Dropping the future abandons the work.
    ///
    /// # Errors
    /// When the queue is full, or the work takes too long or fails.
    pub async fn run<T: Send + 'static>(
        &self,
        rulebook_id: Uuid,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (done, result) = oneshot::channel();
        let abandoned = Arc::new(AtomicBool::new(false));
        let _waiting = WaitGuard(Arc::clone(&abandoned));
        let work = move || {
            if abandoned.load(Ordering::Relaxed) {
                return;
            }
            ABANDONED.set(Some(abandoned));
            let _ = done.send(work());
        };
        self.shared.push(rulebook_id, Box::new(work))?;
        match tokio::time::timeout(self.shared.limits.patience, result).await {
            Ok(Ok(result)) => Ok(result),
            _ => Err(self.shared.busy()),
        }
    }
}

impl PoolQueue {
    const fn busy(&self) -> Busy {
        Busy::Threads(self.limits.name)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(self: &Arc<Self>, rulebook_id: Uuid, work: Work) -> Result<(), Busy> {
        let mut queue = self.lock();
        if !queue.started {
            queue.started = true;
            for _ in 0..self.limits.threads {
                let shared = Arc::clone(self);
                let thread = thread::Builder::new()
                    .name(self.limits.name.to_owned())
                    .stack_size(STACK);
                thread.spawn(move || shared.work()).map_err(|_| self.busy())?;
            }
        }
        if queue
            .waiting
            .get(&rulebook_id)
            .is_some_and(|own| own.len() >= self.limits.queue)
        {
            return Err(Busy::Queue(self.limits.name));
        }
        let altogether: usize = queue.waiting.values().map(VecDeque::len).sum();
        if altogether >= self.limits.queues {
            return Err(self.busy());
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

    /// The main loop of a thread.
    fn work(&self) {
        lower_priority(self.limits.niceness);
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return;
            }
            let Some((whose, work)) = queue.next(self.limits.threads - 1) else {
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(queue);
            // If the work panics, no result is sent, and the future that waits for the work gets an error.
            let _ = catch_unwind(AssertUnwindSafe(work));
            ABANDONED.set(None);
            queue = self.lock();
            queue.ended(whose);
            // If this rulebook had its maximum number of running threads, its next work may run now.
            self.changed.notify_one();
        }
    }
}

impl Queue {
    /// Removes the next work from the queue. The order of turns decides, and rulebooks with `most` running threads are
    /// skipped.
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

/// Lowers the priority of this thread relative to other threads of the process. On Linux each thread has its own
/// priority.
#[cfg(target_os = "linux")]
pub fn lower_priority(niceness: i32) {
    if niceness > 0 {
        // If the system refuses the change, the thread keeps the normal priority.
        let _ = rustix::process::setpriority_process(None, niceness);
    }
}

/// Lowers the priority of this thread; not supported on this system.
#[cfg(not(target_os = "linux"))]
pub fn lower_priority(_niceness: i32) {}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const QUEUE: usize = 16;

    fn two_threads() -> FairPool {
        FairPool::new(PoolLimits {
            name: "tests",
            threads: 2,
            queue: QUEUE,
            queues: 128,
            patience: Duration::from_secs(20),
            niceness: 0,
        })
    }

    #[tokio::test]
    async fn one_rulebook_never_has_the_last_thread() {
        let pool = two_threads();
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
        // Only one task of the greedy rulebook runs. Its other tasks wait, and another rulebook's work overtakes them.
        assert_eq!(pool.run(modest, || 7).await, Ok(7));
        drop(end);
        for one in held {
            assert!(one.await.unwrap().is_ok());
        }
    }

    #[tokio::test]
    async fn a_full_queue_turns_away_and_a_panic_harms_nobody() {
        let pool = two_threads();
        let whose = Uuid::from_u128(1);
        assert_eq!(
            pool.run(whose, || -> u8 { panic!("on purpose") }).await,
            Err(Busy::Threads("tests"))
        );
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
        assert_eq!(pool.run(whose, || 1).await, Err(Busy::Queue("tests")));
        drop(end);
        assert_eq!(pool.run(Uuid::from_u128(2), || 1).await, Ok(1));
    }

    #[tokio::test]
    async fn work_ends_when_nobody_waits_for_it_any_more() {
        let pool = two_threads();
        let whose = Uuid::from_u128(1);
        let (begin, begun) = mpsc::channel::<()>();
        let (end, ended) = mpsc::channel::<bool>();
        let going = pool.run(whose, move || {
            begin.send(()).unwrap();
            while !is_abandoned() {
                thread::yield_now();
            }
            end.send(is_abandoned()).unwrap();
        });
        let mut going = Box::pin(going);
        // The work starts, and then its client disconnects.
        assert!(futures_util::poll!(going.as_mut()).is_pending());
        begun.recv().unwrap();
        drop(going);
        assert!(ended.recv().unwrap());
        // Queued work that is abandoned never starts, and the next work is not affected.
        let waits = Box::pin(pool.run(whose, || panic!("begun")));
        drop(waits);
        assert_eq!(pool.run(whose, is_abandoned).await, Ok(false));
    }
}
