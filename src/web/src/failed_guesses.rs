//! Counts wrong admin keys, by address and by key prefix.
//!
//! An address may send a burst of 20 wrong keys, and then one more every six seconds. All addresses together may send a
//! burst of 50 wrong keys with the same prefix. An address without earlier wrong keys may exceed this limit once.
//! Beyond these limits, the response to a wrong key is 429, which does not reveal that the key is wrong. A valid key is
//! never rejected because of wrong keys, so guesses do not lock out an office or a proxy at the same address. The
//! protection against guessing is the 256 random bits of a key.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::ClientAddress;
use super::leaky_bucket::LeakyBuckets;
use super::rate_limit::{RateLimiter, bucket_of};
use crate::problem::Problem;
use base::telemetry::metrics;

/// Interval after which one more wrong key is allowed.
const INTERVAL: TimeDelta = TimeDelta::seconds(6);
/// Burst of wrong keys from one address.
const OF_AN_ADDRESS: i32 = 20;
/// Burst of wrong keys with the same prefix, from all addresses together.
const OF_A_KEY: i32 = 50;

/// Counts wrong keys, and limits requests with valid keys.
pub struct Guesses {
    limiter: Arc<RateLimiter>,
    counts: Option<Mutex<Counts>>,
}

struct Counts {
    addresses: LeakyBuckets<IpAddr>,
    keys: LeakyBuckets<String>,
}

impl Guesses {
    /// Creates counters without any wrong key. If the limiter is disabled, nothing is limited.
    #[must_use]
    pub fn new(limiter: Arc<RateLimiter>) -> Self {
        let counts = || Counts {
            addresses: LeakyBuckets::new(OF_AN_ADDRESS, INTERVAL),
            keys: LeakyBuckets::new(OF_A_KEY, INTERVAL),
        };
        let counts = limiter.is_enabled().then(|| Mutex::new(counts()));
        Self { limiter, counts }
    }

    /// Counts a request with a valid key. The limit is per key and address, so other clients at the same address do not
    /// use it up.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub fn right(&self, address: ClientAddress, key_id: Uuid) -> Result<(), Problem> {
        self.limiter.admit(address, key_id)
    }

    /// Counts a wrong key with this prefix. Fails if the client must not learn that the key is wrong.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub fn wrong(&self, address: ClientAddress, prefix: &str, now: DateTime<Utc>) -> Result<(), Problem> {
        let Some(counts) = &self.counts else { return Ok(()) };
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        let address = bucket_of(address.0);
        let wait = match counts.addresses.wait(&address, now) {
            Some(wait) => Some(wait),
            None if counts.addresses.knows(&address, now) => counts.keys.wait(prefix, now),
            None => None,
        };
        if let Some(wait) = wait {
            metrics::rate_limited();
            let seconds = u32::try_from(wait.num_seconds()).unwrap_or(u32::MAX);
            return Err(Problem::guessing(seconds.saturating_add(1)));
        }
        counts.addresses.add(address, now);
        counts.keys.add(prefix.to_owned(), now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate_limit::Allowance;

    fn guesses(enabled: bool) -> Guesses {
        Guesses::new(Arc::new(RateLimiter::new(enabled, Allowance::default())))
    }

    fn from(address: &str) -> ClientAddress {
        ClientAddress(address.parse().unwrap())
    }

    fn noon() -> DateTime<Utc> {
        "2026-05-04T12:00:00Z".parse().unwrap()
    }

    /// Sends `tries` wrong keys, and returns how many were rejected as wrong before the limit.
    fn learned(guesses: &Guesses, address: &str, prefix: &str, tries: usize) -> usize {
        let one = |_: &usize| guesses.wrong(from(address), prefix, noon()).is_ok();
        (0..tries).filter(one).count()
    }

    #[test]
    fn an_address_runs_dry_and_recovers() {
        let guesses = guesses(true);
        assert_eq!(learned(&guesses, "203.0.113.1", "a", 100), 20);
        let problem = guesses.wrong(from("203.0.113.1"), "b", noon()).unwrap_err();
        assert_eq!(problem.code(), crate::problem::Code::RateLimited);
        guesses.wrong(from("203.0.113.2"), "a", noon()).unwrap();
        guesses.wrong(from("203.0.113.1"), "a", noon() + INTERVAL).unwrap();
        guesses.wrong(from("203.0.113.1"), "a", noon() + INTERVAL).unwrap_err();
    }

    #[test]
    fn of_a_key_that_many_guess_at_each_learns_once() {
        let guesses = guesses(true);
        for host in 0..200 {
            let told = learned(&guesses, &format!("2001:db8:0:{host:x}::1"), "a", 5);
            assert_eq!(told, if host < 10 { 5 } else { 1 }, "{host}");
        }
        guesses.wrong(from("198.51.100.7"), "a", noon()).unwrap();
        // An address that sent wrong keys may still learn that a key with another prefix is wrong.
        guesses.wrong(from("2001:db8:0:1::9"), "b", noon()).unwrap();
        guesses.wrong(from("2001:db8:0:1::9"), "a", noon()).unwrap_err();
    }

    #[test]
    fn switched_off_it_slows_nobody() {
        let guesses = guesses(false);
        assert_eq!(learned(&guesses, "203.0.113.1", "a", 1_000), 1_000);
    }
}
