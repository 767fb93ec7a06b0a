//! Runs compilations on separate threads, with enough stack for deep expressions, and only a few at the same time.
//!
//! A thread cannot be stopped, so its input is limited by [`super::MAX_SOURCE`], the depth of expressions, and the
//! number of scripts. Somebody who publishes hostile sources all day occupies at most [`AT_ONCE`] threads.

use std::sync::{Condvar, Mutex, PoisonError};

/// Stack size for parsing deep expressions.
const STACK: usize = 16 * 1024 * 1024;
/// Maximum number of compilations at the same time.
pub const AT_ONCE: usize = 2;

static BUSY: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// Occupies one compilation slot until the value is dropped.
struct CompileSlot;

impl CompileSlot {
    fn take() -> Self {
        let busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        let mut busy = ENDED
            .wait_while(busy, |busy| *busy >= AT_ONCE)
            .unwrap_or_else(PoisonError::into_inner);
        *busy += 1;
        Self
    }
}

impl Drop for CompileSlot {
    fn drop(&mut self) {
        *BUSY.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ENDED.notify_one();
    }
}

/// Runs `work` on a new thread and waits for the result. Never call this function on an asynchronous thread.
///
/// # Errors
/// When no thread could be started, or the work was interrupted.
pub fn isolated<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, &'static str> {
    let _place = CompileSlot::take();
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("compile".to_owned()).stack_size(STACK);
        match thread.spawn_scoped(scope, work) {
            Ok(thread) => thread.join().map_err(|_| "compiling was interrupted"),
            Err(_) => Err("no thread could be started to compile on"),
        }
    })
}
