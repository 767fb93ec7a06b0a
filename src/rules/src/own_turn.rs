//! One at a time of each rulebook, and a bounded number who wait.
//!
//! In: whose turn it is to be. Out: the turn, until it is dropped; or nothing where too many wait already, so that what one
//! rulebook's editors ask for never piles up. A rulebook waits for no other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// Turns by rulebook. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct OwnTurns {
    most: usize,
    known: Arc<Mutex<HashMap<Uuid, Weak<Semaphore>>>>,
}

impl OwnTurns {
    /// Of each rulebook one has the turn and `most` wait.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most,
            known: Arc::default(),
        }
    }

    /// The turn, when it comes; none where too many wait for it.
    pub async fn take(&self, rulebook_id: Uuid) -> Option<OwnedSemaphorePermit> {
        let own = self.line(rulebook_id)?;
        // It is never closed.
        own.acquire_owned().await.ok()
    }

    /// The line to stand in; whoever stands in it or has the turn holds a share of it.
    fn line(&self, rulebook_id: Uuid) -> Option<Arc<Semaphore>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = known.get(&rulebook_id).and_then(Weak::upgrade) {
            // One of these shares is this one, and one has the turn.
            return (Arc::strong_count(&own) <= self.most + 1).then_some(own);
        }
        known.retain(|_, own| own.strong_count() > 0);
        let own = Arc::new(Semaphore::new(1));
        known.insert(rulebook_id, Arc::downgrade(&own));
        Some(own)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn one_has_the_turn_two_wait_and_another_rulebook_is_free() {
        let turns = OwnTurns::new(2);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let turn = turns.take(one).await.unwrap();
        let (mut second, mut third) = (Box::pin(turns.take(one)), Box::pin(turns.take(one)));
        assert!(poll!(second.as_mut()).is_pending() && poll!(third.as_mut()).is_pending());
        assert!(turns.take(one).await.is_none());
        assert!(turns.take(other).await.is_some());
        drop(turn);
        let turn = second.await.unwrap();
        // A place is free again, and one that is given up as well.
        drop(third);
        let mut fourth = Box::pin(turns.take(one));
        assert!(poll!(fourth.as_mut()).is_pending());
        drop(turn);
        assert!(fourth.await.is_some());
    }
}
