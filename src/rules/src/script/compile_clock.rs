//! Limits the time that compiling uses. The parser checks the clock between tokens, so compiling ends in time for any
//! source. Only the CPU time of the thread counts, not wall-clock time. So a source that compiles on an idle machine
//! also compiles on a busy machine.

use std::cell::Cell;
use std::time::Duration;

use super::thread_time::thread_time;
use crate::fair_pool::is_abandoned;

/// Number of tokens between two checks of the clock, because each check is a system call.
const TOKENS: u32 = 64;

thread_local! {
    /// The CPU time of this thread at which the current compilation must end.
    static END: Cell<Option<Duration>> = const { Cell::new(None) };
    static TOKENS_SINCE_CHECK: Cell<u32> = const { Cell::new(0) };
    static IS_OVER: Cell<bool> = const { Cell::new(false) };
}

/// The result of a timed compilation.
pub(super) struct TimedResult<T> {
    pub done: T,
    /// The CPU time that the work used.
    pub took: Duration,
    /// Whether the work was stopped early, or ended after the time limit.
    pub is_over: bool,
}

/// Runs `work`. After the allowed time, [`token`] returns true, so that the parser stops.
pub(super) fn within<T>(allowed: Duration, work: impl FnOnce() -> T) -> TimedResult<T> {
    let before = thread_time();
    END.set(Some(before + allowed));
    TOKENS_SINCE_CHECK.set(0);
    IS_OVER.set(false);
    let done = work();
    END.set(None);
    let took = thread_time().saturating_sub(before);
    TimedResult {
        done,
        took,
        is_over: IS_OVER.get() || took > allowed,
    }
}

/// Whether the work on this thread must end; called for every token.
pub(super) fn token() -> bool {
    let Some(end) = END.get() else { return false };
    if IS_OVER.get() {
        return true;
    }
    let since = TOKENS_SINCE_CHECK.get() + 1;
    TOKENS_SINCE_CHECK.set(since % TOKENS);
    if since == TOKENS {
        IS_OVER.set(thread_time() > end || is_abandoned());
    }
    IS_OVER.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_ended_between_two_tokens() {
        let mut tokens = 0_u64;
        let timed = within(Duration::from_millis(5), || {
            while !token() {
                tokens += 1;
            }
        });
        assert!(timed.is_over && tokens > 0);
        assert!(timed.took < Duration::from_millis(50), "{:?}", timed.took);
        assert!(!token(), "nothing is being compiled any more");
        assert!(!within(Duration::from_secs(5), token).is_over);
    }
}
