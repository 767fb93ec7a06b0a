//! Rate-limits log lines that unauthenticated clients can cause.
//!
//! A [`Sampler`] decides whether a line may be written, and counts the omitted lines. Do not use a sampler for requests
//! that were served, because the lines of such requests must not be omitted.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Allows a burst of lines, and then one line per interval.
#[derive(Debug)]
pub struct Sampler {
    burst: u32,
    interval: Duration,
    state: Mutex<SampleWindow>,
}

#[derive(Debug)]
struct SampleWindow {
    /// When the whole burst will be allowed again.
    until: Option<Instant>,
    left_out: u64,
}

impl Sampler {
    /// Allows a burst of `burst` lines, and then one line every `seconds` seconds.
    #[must_use]
    pub const fn new(burst: u32, seconds: u64) -> Self {
        Self::with_interval(burst, Duration::from_secs(seconds))
    }

    /// Allows a burst of `burst` lines, and then one line per `interval`.
    #[must_use]
    pub const fn with_interval(burst: u32, interval: Duration) -> Self {
        Self {
            burst,
            interval,
            state: Mutex::new(SampleWindow {
                until: None,
                left_out: 0,
            }),
        }
    }

    /// Returns `None` if this line must be omitted. If the line may be written, returns the number of lines omitted
    /// since the last written line.
    pub fn admit(&self) -> Option<u64> {
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let until = state.until.map_or(now, |until| until.max(now)) + self.interval;
        if until > now + self.interval * self.burst {
            state.left_out += 1;
            return None;
        }
        state.until = Some(until);
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_written_and_then_one_each_interval_with_the_number_left_out() {
        let sampler = Sampler::new(3, 10);
        let now = Instant::now();
        let at = |seconds: u64| sampler.admit_at(now + Duration::from_secs(seconds));
        assert_eq!(
            [at(0), at(0), at(0), at(0), at(9)],
            [Some(0), Some(0), Some(0), None, None]
        );
        assert_eq!([at(10), at(10), at(21)], [Some(2), None, Some(1)]);
        assert_eq!([at(100), at(100), at(100), at(100)], [Some(0), Some(0), Some(0), None]);
    }
}
