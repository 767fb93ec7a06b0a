//! Who guesses keys is slowed, and whoever has the right one is not kept out by it.
//!
//! In: the address of a request and the beginning of its key, before the key is looked at; afterwards, that it was wrong. Out:
//! leave to go on, or 429 with the time to wait. Only wrong keys count. An address may send 20 at once and one more every
//! six seconds; beyond that, nothing from it is looked at. Of one key, that is of one beginning, 50 may be wrong at once, from
//! anywhere; beyond that, nothing with this beginning is looked at from addresses that were wrong themselves. So a guess that
//! is spread over many addresses has one try from each, and the owner's address, which was never wrong, is always served.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::ClientAddress;
use super::rate_limit::bucket_of;
use crate::problem::Problem;
use crate::telemetry::metrics;

/// After so long one more may be wrong.
const EVERY: TimeDelta = TimeDelta::seconds(6);
/// How many may be wrong at once, of one address.
const OF_AN_ADDRESS: i32 = 20;
/// The same of one key.
const OF_A_KEY: i32 = 50;
/// How many addresses, and how many beginnings, are remembered.
const REMEMBERED: usize = 20_000;

/// Counts wrong keys.
pub struct Guesses(Option<Mutex<Counts>>);

struct Counts {
    addresses: Count<IpAddr>,
    keys: Count<String>,
}

impl Guesses {
    /// Nobody has guessed yet; where it is not `enabled`, nobody is slowed.
    #[must_use]
    pub fn new(enabled: bool) -> Self {
        let counts = || Counts {
            addresses: Count::new(OF_AN_ADDRESS),
            keys: Count::new(OF_A_KEY),
        };
        Self(enabled.then(|| Mutex::new(counts())))
    }

    /// Whether a key that begins like this may be looked at.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub fn admit(&self, address: ClientAddress, prefix: &str, now: DateTime<Utc>) -> Result<(), Problem> {
        let Some(counts) = &self.0 else { return Ok(()) };
        let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        let address = bucket_of(address.0);
        let wait = match counts.addresses.wait(&address, now) {
            Some(wait) => Some(wait),
            None if counts.addresses.knows(&address, now) => counts.keys.wait(prefix, now),
            None => None,
        };
        wait.map_or(Ok(()), |wait| {
            metrics::rate_limited();
            let seconds = u32::try_from(wait.num_seconds()).unwrap_or(u32::MAX);
            Err(Problem::guessing(seconds.saturating_add(1)))
        })
    }

    /// A key that begins like this was wrong.
    pub fn wrong(&self, address: ClientAddress, prefix: &str, now: DateTime<Utc>) {
        let Some(counts) = &self.0 else { return };
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.addresses.add(bucket_of(address.0), now);
        counts.keys.add(prefix.to_owned(), now);
    }
}

/// What was wrong lately, by whose it was: when all of it will be forgotten.
struct Count<K> {
    at_once: i32,
    until: HashMap<K, DateTime<Utc>>,
}

impl<K: Hash + Eq + Clone> Count<K> {
    fn new(at_once: i32) -> Self {
        Self {
            at_once,
            until: HashMap::new(),
        }
    }

    fn knows(&self, key: &K, now: DateTime<Utc>) -> bool {
        self.until.get(key).is_some_and(|until| *until > now)
    }

    /// How long until one more may be wrong; none is at once.
    fn wait<Q>(&self, key: &Q, now: DateTime<Utc>) -> Option<TimeDelta>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let wait = *self.until.get(key)? - now - EVERY * (self.at_once - 1);
        (wait > TimeDelta::zero()).then_some(wait)
    }

    fn add(&mut self, key: K, now: DateTime<Utc>) {
        if self.until.len() >= REMEMBERED && !self.until.contains_key(&key) {
            self.forget(now);
        }
        let most = now + EVERY * self.at_once;
        let until = self.until.entry(key).or_insert(now);
        *until = ((*until).max(now) + EVERY).min(most);
    }

    /// What is over, and where that is not enough, what was least.
    fn forget(&mut self, now: DateTime<Utc>) {
        self.until.retain(|_, until| *until > now);
        if self.until.len() < REMEMBERED {
            return;
        }
        let mut all: Vec<_> = self.until.values().copied().collect();
        let (_, middle, _) = all.select_nth_unstable(REMEMBERED / 2);
        let middle = *middle;
        let above = all.iter().filter(|until| **until > middle).count();
        let mut left = (REMEMBERED / 2).saturating_sub(above);
        self.until.retain(|_, until| {
            let one_of_the_middle = *until == middle && left > 0;
            left -= usize::from(one_of_the_middle);
            *until > middle || one_of_the_middle
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> ClientAddress {
        ClientAddress(address.parse().unwrap())
    }

    fn noon() -> DateTime<Utc> {
        "2026-05-04T12:00:00Z".parse().unwrap()
    }

    /// How many of `tries` are looked at, all of them wrong.
    fn looked_at(guesses: &Guesses, address: &str, prefix: &str, tries: usize) -> usize {
        let one = |_: &usize| {
            let admitted = guesses.admit(from(address), prefix, noon()).is_ok();
            if admitted {
                guesses.wrong(from(address), prefix, noon());
            }
            admitted
        };
        (0..tries).filter(one).count()
    }

    #[test]
    fn an_address_runs_dry_and_recovers() {
        let guesses = Guesses::new(true);
        assert_eq!(looked_at(&guesses, "203.0.113.1", "a", 100), 20);
        let problem = guesses.admit(from("203.0.113.1"), "b", noon()).unwrap_err();
        assert_eq!(problem.code(), crate::problem::Code::RateLimited);
        guesses.admit(from("203.0.113.2"), "a", noon()).unwrap();
        guesses.admit(from("203.0.113.1"), "a", noon() + EVERY).unwrap();
    }

    #[test]
    fn a_key_that_many_guess_at_is_looked_at_once_from_each_and_always_from_its_owner() {
        let guesses = Guesses::new(true);
        for host in 0..200 {
            let looked = looked_at(&guesses, &format!("2001:db8:0:{host:x}::1"), "a", 5);
            assert_eq!(looked, if host < 10 { 5 } else { 1 }, "{host}");
        }
        guesses.admit(from("198.51.100.7"), "a", noon()).unwrap();
        // Who was wrong is not kept from other keys.
        guesses.admit(from("2001:db8:0:1::9"), "b", noon()).unwrap();
        guesses.admit(from("2001:db8:0:1::9"), "a", noon()).unwrap_err();
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut count = Count::<usize>::new(20);
        for key in 0..3 * REMEMBERED {
            count.add(key, noon());
            count.add(0, noon());
        }
        assert!(count.until.len() <= REMEMBERED, "{}", count.until.len());
        assert!(count.wait(&0, noon()).is_some(), "whoever was wrong most is remembered");
        count.forget(noon() + EVERY * 30);
    }

    #[test]
    fn switched_off_it_slows_nobody() {
        let guesses = Guesses::new(false);
        assert_eq!(looked_at(&guesses, "203.0.113.1", "a", 1_000), 1_000);
    }
}
