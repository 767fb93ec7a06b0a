//! Leaky buckets, one per key, in bounded memory.
//!
//! A bucket allows a burst, and then one event per interval. At most [`MAX_KEYS`] keys are stored.

use std::collections::HashMap;
use std::hash::Hash;

use chrono::{DateTime, TimeDelta, Utc};

/// Maximum number of stored keys.
const MAX_KEYS: usize = 20_000;

/// Leaky buckets, one for each key. A bucket is stored as the time at which it will be empty.
#[derive(Debug)]
pub struct LeakyBuckets<K> {
    at_once: i32,
    interval: TimeDelta,
    until: HashMap<K, DateTime<Utc>>,
}

impl<K: Hash + Eq + Clone> LeakyBuckets<K> {
    /// Creates empty buckets. Each bucket has room for `at_once` drops, and loses one drop per `interval`.
    #[must_use]
    pub fn new(at_once: i32, interval: TimeDelta) -> Self {
        Self {
            at_once,
            interval,
            until: HashMap::new(),
        }
    }

    /// Whether the bucket of `key` contains a drop at `now`.
    pub fn knows(&self, key: &K, now: DateTime<Utc>) -> bool {
        self.until.get(key).is_some_and(|until| *until > now)
    }

    /// Returns the time until the bucket has room for one more drop. `None` if the bucket has room now.
    pub fn wait<Q>(&self, key: &Q, now: DateTime<Utc>) -> Option<TimeDelta>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let wait = *self.until.get(key)? - now - self.interval * (self.at_once - 1);
        (wait > TimeDelta::zero()).then_some(wait)
    }

    /// Adds a drop. A full bucket stays full.
    pub fn add(&mut self, key: K, now: DateTime<Utc>) {
        if self.until.len() >= MAX_KEYS && !self.until.contains_key(&key) {
            self.forget(now);
        }
        let most = now + self.interval * self.at_once;
        let until = self.until.entry(key).or_insert(now);
        *until = ((*until).max(now) + self.interval).min(most);
    }

    /// Removes the empty buckets. If still too many keys are stored, also removes the emptier half of the buckets.
    fn forget(&mut self, now: DateTime<Utc>) {
        self.until.retain(|_, until| *until > now);
        if self.until.len() < MAX_KEYS {
            return;
        }
        let mut all: Vec<_> = self.until.values().copied().collect();
        let (_, middle, _) = all.select_nth_unstable(MAX_KEYS / 2);
        let middle = *middle;
        let above = all.iter().filter(|until| **until > middle).count();
        let mut left = (MAX_KEYS / 2).saturating_sub(above);
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

    fn noon() -> DateTime<Utc> {
        "2026-05-04T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn so_many_fit_at_once_and_then_one_each_interval() {
        let mut buckets = LeakyBuckets::new(3, TimeDelta::seconds(2));
        for _ in 0..3 {
            assert_eq!(buckets.wait("a", noon()), None);
            buckets.add("a", noon());
        }
        assert_eq!(buckets.wait("a", noon()), Some(TimeDelta::seconds(2)));
        assert_eq!(buckets.wait("b", noon()), None);
        assert_eq!(buckets.wait("a", noon() + TimeDelta::seconds(2)), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut count = LeakyBuckets::<usize>::new(20, TimeDelta::seconds(6));
        for key in 0..3 * MAX_KEYS {
            count.add(key, noon());
            count.add(0, noon());
        }
        assert!(count.until.len() <= MAX_KEYS, "{}", count.until.len());
        assert!(
            count.wait(&0, noon()).is_some(),
            "the bucket with the most drops is still stored"
        );
        count.forget(noon() + TimeDelta::minutes(3));
    }
}
