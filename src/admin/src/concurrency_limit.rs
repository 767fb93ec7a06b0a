//! Limits the concurrent requests of each API key before any database query. Without this limit, one client could
//! exhaust the connection and thread pools that all keys share.
//!
//! A request occupies a [`RequestSlot`] until the response is sent or the client disconnects.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, PoisonError};

use web::problem::{Code, Problem};

/// Maximum concurrent requests of one key; browsers and well-behaved programs stay below it.
const MAX_AT_ONCE: usize = 64;

/// Counts the requests in progress by key. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub struct ConcurrencyLimit(Arc<InFlight>);

#[derive(Debug, Default)]
struct InFlight {
    /// Keys are counted by a randomly seeded hash: no key is stored, and nobody can construct two keys that collide.
    hasher: RandomState,
    counts: Mutex<HashMap<u64, usize>>,
}

/// The slot that a request occupies. The request counts as in progress until the slot is dropped.
#[derive(Debug)]
pub struct RequestSlot {
    all: ConcurrencyLimit,
    key: u64,
}

impl ConcurrencyLimit {
    /// Reserves a slot for a request with this key.
    ///
    /// # Errors
    /// 429 if the key has too many requests in progress.
    pub fn enter(&self, key: &str) -> Result<RequestSlot, Problem> {
        let key = self.0.hasher.hash_one(key);
        let mut counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_default();
        if *count >= MAX_AT_ONCE {
            let detail = format!(
                "This key has {MAX_AT_ONCE} requests in progress: wait for a response before you send the next request."
            );
            return Err(Problem::new(Code::RateLimited, detail).with_retry_after(1));
        }
        *count += 1;
        Ok(RequestSlot { all: self.clone(), key })
    }
}

impl Drop for RequestSlot {
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
        let all = ConcurrencyLimit::default();
        let mut places: Vec<RequestSlot> = (0..MAX_AT_ONCE).map(|_| all.enter("one").unwrap()).collect();
        let refused = all.enter("one").unwrap_err();
        assert_eq!(refused.code(), Code::RateLimited);
        assert!(all.enter("another").is_ok());
        places.pop();
        assert!(all.enter("one").is_ok());
        drop(places);
        assert!(all.0.counts.lock().unwrap().is_empty());
    }
}
