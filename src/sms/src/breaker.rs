//! Circuit breaker of a Twilio account (pure): decides from the results so far, and from the time, whether another send
//! may start.
//!
//! While the breaker is closed, all sends may start. While it is open, no send may start until a pause has passed.
//! While it is half open, a single send may start as a probe, and the probe's result closes or opens the breaker. The
//! state is only in memory, so an instance that restarts begins with a closed breaker.

use chrono::{DateTime, TimeDelta, Utc};

/// When the breaker opens, and for how long.
#[derive(Clone, Debug)]
pub struct BreakerPolicy {
    /// Number of consecutive provider failures that open the breaker.
    pub failures: u32,
    /// Pause after failures, before a probe may start.
    pub pause: TimeDelta,
    /// Pause after refused credentials, before a probe may start.
    pub credentials_pause: TimeDelta,
    /// How long to wait for the result of a probe before another probe may start.
    pub probe_limit: TimeDelta,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failures: 5,
            pause: TimeDelta::seconds(30),
            credentials_pause: TimeDelta::minutes(15),
            probe_limit: TimeDelta::minutes(1),
        }
    }
}

/// Whether a send may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// The breaker is closed: any number of sends may start.
    Allowed,
    /// The breaker is half open: one send may start, as a probe.
    OneProbe,
    /// The breaker is open or a probe is running: no send may start.
    Blocked,
}

/// What the result of a send says about the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The provider responded.
    Well,
    /// The provider failed or was unreachable.
    Failing,
    /// The provider refused the credentials.
    Refused,
}

/// The effect of a result on the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerChange {
    /// Nothing that needs a notice has changed.
    Unchanged,
    /// Sending has stopped.
    Stopped,
    /// Sending has resumed.
    Resumed,
}

/// The breaker of one account.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    failures: u32,
    shut_until: Option<DateTime<Utc>>,
    probing_since: Option<DateTime<Utc>>,
}

impl Breaker {
    /// Whether a send may start now.
    #[must_use]
    pub fn gate(&self, policy: &BreakerPolicy, now: DateTime<Utc>) -> Gate {
        let Some(shut_until) = self.shut_until else {
            return Gate::Allowed;
        };
        let probing = self.probing_since.is_some_and(|since| now - since < policy.probe_limit);
        if now < shut_until || probing {
            Gate::Blocked
        } else {
            Gate::OneProbe
        }
    }

    /// Records that the probe has started.
    pub fn probe(&mut self, now: DateTime<Utc>) {
        self.probing_since = Some(now);
    }

    /// Whether sending is stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.shut_until.is_some()
    }

    /// Records the result of a send.
    pub fn report(&mut self, policy: &BreakerPolicy, health: Health, now: DateTime<Utc>) -> BreakerChange {
        let was_stopped = self.is_stopped();
        self.probing_since = None;
        match health {
            Health::Well => {
                *self = Self::default();
                return if was_stopped {
                    BreakerChange::Resumed
                } else {
                    BreakerChange::Unchanged
                };
            }
            Health::Refused => self.shut_until = Some(now + policy.credentials_pause),
            Health::Failing => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= policy.failures || was_stopped {
                    // The result of a send that started before the stop must not shorten a longer pause.
                    self.shut_until = self.shut_until.max(Some(now + policy.pause));
                }
            }
        }
        if !was_stopped && self.is_stopped() {
            BreakerChange::Stopped
        } else {
            BreakerChange::Unchanged
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_after_a_good_probe() {
        let policy = BreakerPolicy::default();
        let mut now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            assert_eq!(breaker.report(&policy, Health::Failing, now), BreakerChange::Unchanged);
        }
        assert_eq!(breaker.report(&policy, Health::Well, now), BreakerChange::Unchanged);
        for _ in 0..4 {
            assert_eq!(breaker.report(&policy, Health::Failing, now), BreakerChange::Unchanged);
        }
        assert_eq!(breaker.gate(&policy, now), Gate::Allowed);
        assert_eq!(breaker.report(&policy, Health::Failing, now), BreakerChange::Stopped);
        assert_eq!(breaker.gate(&policy, now), Gate::Blocked);
        now += policy.pause;
        assert_eq!(breaker.gate(&policy, now), Gate::OneProbe);
        breaker.probe(now);
        assert_eq!(breaker.gate(&policy, now), Gate::Blocked);
        assert_eq!(breaker.report(&policy, Health::Failing, now), BreakerChange::Unchanged);
        assert_eq!(breaker.gate(&policy, now), Gate::Blocked);
        now += policy.pause;
        breaker.probe(now);
        assert_eq!(breaker.report(&policy, Health::Well, now), BreakerChange::Resumed);
        assert_eq!(breaker.gate(&policy, now), Gate::Allowed);
    }

    #[test]
    fn refused_credentials_stop_at_once_and_longer() {
        let policy = BreakerPolicy::default();
        let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut breaker = Breaker::default();
        assert_eq!(breaker.report(&policy, Health::Refused, now), BreakerChange::Stopped);
        assert_eq!(breaker.report(&policy, Health::Failing, now), BreakerChange::Unchanged);
        assert_eq!(breaker.gate(&policy, now + policy.pause), Gate::Blocked);
        assert_eq!(breaker.gate(&policy, now + policy.credentials_pause), Gate::OneProbe);
    }

    #[test]
    fn a_probe_that_never_reports_is_forgotten() {
        let policy = BreakerPolicy::default();
        let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut breaker = Breaker::default();
        breaker.report(&policy, Health::Refused, now);
        let later = now + policy.credentials_pause;
        breaker.probe(later);
        assert_eq!(breaker.gate(&policy, later), Gate::Blocked);
        assert_eq!(breaker.gate(&policy, later + policy.probe_limit), Gate::OneProbe);
    }
}
