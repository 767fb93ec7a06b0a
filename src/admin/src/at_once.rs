//! How many requests of one key are on their way at once.
//!
//! In: the text of a key, before anything is asked of the database. Out: a place until the request is answered or its
//! client has gone, or 429. A program that sends everything at once cannot fill what all keys share: the pools of
//! connections and of threads.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, PoisonError};

use web::problem::{Code, Problem};

/// More than a person's browser or a careful program ever has open.
const MAX_AT_ONCE: usize = 64;

/// Requests on their way, by key. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub struct AtOnce(Arc<OnTheirWay>);

#[derive(Debug, Default)]
struct OnTheirWay {
    /// What keys are counted by: no text of a key is kept, and nobody can choose two that count as one.
    hasher: RandomState,
    counts: Mutex<HashMap<u64, usize>>,
}

/// A request on its way, until it is dropped.
#[derive(Debug)]
pub struct Place {
    all: AtOnce,
    key: u64,
}

impl AtOnce {
    /// A place for a request with this key.
    ///
    /// # Errors
    /// 429 when the key has too many already.
    pub fn enter(&self, key: &str) -> Result<Place, Problem> {
        let key = self.0.hasher.hash_one(key);
        let mut counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_default();
        if *count >= MAX_AT_ONCE {
            let detail = format!(
                "This key has {MAX_AT_ONCE} requests on their way already: wait for an answer before sending the next."
            );
            return Err(Problem::new(Code::RateLimited, detail).with_retry_after(1));
        }
        *count += 1;
        Ok(Place { all: self.clone(), key })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.all.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_so_many_places_and_takes_none_of_another() {
        let all = AtOnce::default();
        let mut places: Vec<Place> = (0..MAX_AT_ONCE).map(|_| all.enter("one").unwrap()).collect();
        let refused = all.enter("one").unwrap_err();
        assert_eq!(refused.code(), Code::RateLimited);
        assert!(all.enter("another").is_ok());
        places.pop();
        assert!(all.enter("one").is_ok());
        drop(places);
        assert!(all.0.counts.lock().unwrap().is_empty());
    }
}
