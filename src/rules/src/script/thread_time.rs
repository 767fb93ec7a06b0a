//! Measures the CPU time of a thread, which other work on the machine does not increase.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The CPU time of the current thread.
pub(super) fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
