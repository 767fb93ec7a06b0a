//! The processor time of a thread, which other work on the machine does not lengthen.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How long the present thread has worked.
pub(super) fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
