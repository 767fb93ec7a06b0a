//! Exponential backoff with jitter: the delay before the next attempt (pure; the random number is an argument).

use chrono::{DateTime, TimeDelta, Utc};

use store::fault_points::or_shorter;

/// The retry policy of SMS messages.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// Maximum delay after the first attempt; it doubles with each further attempt.
    pub base: TimeDelta,
    /// Maximum delay of the exponential backoff.
    pub cap: TimeDelta,
    /// Maximum delay that the provider may ask for.
    pub longest_asked: TimeDelta,
    /// Delay if a sender's queue is full, or its daily allowance is used up.
    pub capacity_wait: TimeDelta,
    /// Minimum delay before an undelivered SMS message is sent again.
    pub undelivered_wait: TimeDelta,
    /// Delay between an ambiguous outcome and the search in the provider's list.
    pub ambiguous_wait: TimeDelta,
    /// How long the list may be unreadable after an ambiguous outcome; then the SMS message counts as not found.
    pub ambiguous_limit: TimeDelta,
    /// How often an SMS message may be sent again after an ambiguous or undelivered send. Only some priorities allow a
    /// resend.
    pub resends: u64,
    /// Maximum number of attempts. Attempts that never left the machine do not count. So while Twilio is unreachable,
    /// an SMS message is limited only by its age.
    pub max_attempts: i64,
    /// Maximum age of an SMS message, because a stale alert is worse than a notice. The provider gets the same limit.
    pub max_age: TimeDelta,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            base: TimeDelta::seconds(2),
            cap: TimeDelta::minutes(5),
            longest_asked: TimeDelta::minutes(15),
            capacity_wait: TimeDelta::minutes(15),
            undelivered_wait: TimeDelta::minutes(2),
            ambiguous_wait: or_shorter(TimeDelta::seconds(20)),
            ambiguous_limit: or_shorter(TimeDelta::minutes(3)),
            resends: 2,
            max_attempts: 20,
            max_age: TimeDelta::hours(6),
        }
    }
}

impl RetryPolicy {
    /// Returns the delay after attempt number `attempt` (from 1): a random time up to the exponential bound ("full
    /// jitter"). So SMS messages that failed together are not retried together. The delay is never less than the
    /// provider asked for, up to `longest_asked`.
    #[must_use]
    pub fn wait(&self, attempt: i64, asked: Option<TimeDelta>, random: u64) -> TimeDelta {
        let doublings = u32::try_from(attempt.saturating_sub(1).clamp(0, 30)).unwrap_or(30);
        let bound = self
            .base
            .num_milliseconds()
            .saturating_mul(1_i64 << doublings)
            .clamp(0, self.cap.num_milliseconds());
        let drawn = ((i128::from(bound) + 1) * i128::from(random)) >> 64;
        let drawn = TimeDelta::milliseconds(i64::try_from(drawn).unwrap_or(bound));
        asked.map_or(drawn, |asked| drawn.max(asked.min(self.longest_asked)))
    }

    /// Whether an SMS message created at `since` is too old to be sent at `at`.
    #[must_use]
    pub fn is_stale(&self, since: DateTime<Utc>, at: DateTime<Utc>) -> bool {
        at - since >= self.max_age
    }

    /// The validity period for the provider, in seconds: 1 to 36,000.
    #[must_use]
    pub fn validity_seconds(&self, since: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
        (self.max_age - (now - since)).num_seconds().clamp(1, 36_000)
    }
}

/// Parses a `Retry-After` header: seconds, or an HTTP date. `None` if the header is neither.
#[must_use]
pub fn retry_after(header: &str, now: DateTime<Utc>) -> Option<TimeDelta> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u32>() {
        return Some(TimeDelta::seconds(i64::from(seconds)));
    }
    let at = DateTime::parse_from_rfc2822(header).ok()?.with_timezone(&Utc);
    Some((at - now).max(TimeDelta::zero()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_are_drawn_from_nothing_upwards() {
        let retry_policy = RetryPolicy::default();
        let most: Vec<i64> = (1..=10)
            .map(|attempt| retry_policy.wait(attempt, None, u64::MAX).num_seconds())
            .collect();
        assert_eq!(most, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(retry_policy.wait(5, None, 0), TimeDelta::zero());
        assert_eq!(retry_policy.wait(5, None, u64::MAX / 2).num_seconds(), 16);
        assert_eq!(retry_policy.wait(i64::MAX, None, u64::MAX), retry_policy.cap);
        assert_eq!(retry_policy.wait(-3, None, u64::MAX), retry_policy.base);
    }

    #[test]
    fn what_the_provider_asks_is_honoured_within_bounds() {
        let retry_policy = RetryPolicy::default();
        assert_eq!(
            retry_policy.wait(1, Some(TimeDelta::seconds(30)), u64::MAX),
            TimeDelta::seconds(30)
        );
        assert_eq!(
            retry_policy.wait(8, Some(TimeDelta::seconds(1)), u64::MAX),
            TimeDelta::seconds(256)
        );
        assert_eq!(
            retry_policy.wait(1, Some(TimeDelta::days(9)), 0),
            retry_policy.longest_asked
        );
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        assert_eq!(retry_after(" 7 ", now), Some(TimeDelta::seconds(7)));
        assert_eq!(
            retry_after("Sun, 22 Nov 2026 12:01:30 GMT", now),
            Some(TimeDelta::seconds(90))
        );
        assert_eq!(
            retry_after("Sun, 22 Nov 2026 11:00:00 GMT", now),
            Some(TimeDelta::zero())
        );
        assert_eq!(retry_after("-5", now), None);
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn the_provider_is_told_how_long_the_text_is_worth_delivering() {
        let retry_policy = RetryPolicy::default();
        let made: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        assert_eq!(retry_policy.validity_seconds(made, made), 21_600);
        assert_eq!(retry_policy.validity_seconds(made, made + TimeDelta::hours(9)), 1);
        assert!(retry_policy.is_stale(made, made + TimeDelta::hours(6)));
        assert!(!retry_policy.is_stale(made, made + TimeDelta::hours(5)));
    }
}
