//! Provides the time and new identifiers. Times are truncated to microseconds, the precision of both databases.
//! Identifiers are time-ordered UUIDs (version 7).
//!
//! Only this file may read the system time. All other time-dependent code gets a [`Clock`] or a time as an argument, so
//! that a test can choose the time.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use uuid::{ContextV7, Timestamp, Uuid};

/// The source of the time. Cloning is cheap, and clones of a fixed clock share their time.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
    /// Ensures that ids from the same millisecond increase.
    sequence: Arc<Mutex<ContextV7>>,
}

#[derive(Clone, Debug)]
enum Source {
    System,
    Fixed(Arc<Mutex<DateTime<Utc>>>),
}

impl Clock {
    #[must_use]
    pub fn system() -> Self {
        Self::from_source(Source::System)
    }

    /// A clock that stays at `at` until a test moves it.
    #[must_use]
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self::from_source(Source::Fixed(Arc::new(Mutex::new(at))))
    }

    fn from_source(source: Source) -> Self {
        Self {
            source,
            sequence: Arc::new(Mutex::new(ContextV7::new())),
        }
    }

    /// The current time, truncated to microseconds.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the only function that reads the system time")]
    pub fn now(&self) -> DateTime<Utc> {
        let now = match &self.source {
            Source::System => Utc::now(),
            Source::Fixed(at) => *at.lock().unwrap_or_else(PoisonError::into_inner),
        };
        to_micros(now)
    }

    /// A new identifier, which sorts after all identifiers that this clock and its clones have created.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        let now = self.now();
        // Only a fixed clock can be before 1970. The ids of a clock before 1970 contain the time 1970-01-01.
        let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
        let sequence = self.sequence.lock().unwrap_or_else(PoisonError::into_inner);
        Uuid::new_v7(Timestamp::from_unix(&*sequence, seconds, now.timestamp_subsec_nanos()))
    }

    /// Moves a fixed clock by `by`. Does nothing to the system clock.
    pub fn step(&self, by: TimeDelta) {
        if let Source::Fixed(at) = &self.source {
            let mut at = at.lock().unwrap_or_else(PoisonError::into_inner);
            *at += by;
        }
    }

    /// Sets a fixed clock to `to`. Does nothing to the system clock.
    pub fn set(&self, to: DateTime<Utc>) {
        if let Source::Fixed(at) = &self.source {
            *at.lock().unwrap_or_else(PoisonError::into_inner) = to;
        }
    }
}

/// Truncates a time to microseconds, the precision of both databases. A leap second becomes the next second.
#[must_use]
pub fn to_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    let at = DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at);
    at.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leap_second_is_the_next_one() {
        let at = "2026-11-27T15:00:60Z".parse().unwrap();
        assert_eq!(to_micros(at).to_rfc3339(), "2026-11-27T15:01:00+00:00");
    }

    #[test]
    fn instants_carry_no_nanoseconds() {
        let at = DateTime::from_timestamp_nanos(1_700_000_000_123_456_789);
        assert_eq!(Clock::fixed(at).now().timestamp_subsec_nanos(), 123_456_000);
        assert_eq!(Clock::system().now().timestamp_subsec_nanos() % 1000, 0);
    }

    #[test]
    fn a_fixed_clock_moves_only_when_told_and_its_clones_with_it() {
        let start = DateTime::from_timestamp_nanos(1_700_000_000_000_000_000);
        let clock = Clock::fixed(start);
        let clone = clock.clone();
        assert_eq!(clone.now(), start);
        clock.step(TimeDelta::seconds(5));
        assert_eq!(clone.now(), start + TimeDelta::seconds(5));
    }

    #[test]
    fn ids_rise_within_one_instant() {
        let clock = Clock::fixed(DateTime::from_timestamp_nanos(1_700_000_000_000_000_000));
        let ids: Vec<_> = (0..1000).map(|_| clock.new_id()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert_eq!(ids[0].get_version_num(), 7);
    }
}
