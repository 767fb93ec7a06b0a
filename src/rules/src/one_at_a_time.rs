//! Limits each rulebook to one running task and a bounded number of waiting tasks, so that requests never pile up. The
//! tasks of a rulebook never wait for another rulebook's tasks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// For each rulebook, a semaphore with one permit. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct TurnQueue {
    most: usize,
    known: Arc<Mutex<HashMap<Uuid, Weak<Semaphore>>>>,
}

impl TurnQueue {
    /// Creates queues that allow each rulebook one running task and at most `most` waiting tasks.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most,
            known: Arc::default(),
        }
    }

    /// Waits for the rulebook's permit; `None` if too many tasks already wait.
    pub async fn take(&self, rulebook_id: Uuid) -> Option<OwnedSemaphorePermit> {
        let own = self.line(rulebook_id)?;
        // The semaphore is never closed.
        own.acquire_owned().await.ok()
    }

    /// Returns the queue of a rulebook; `None` if too many tasks already wait. Every waiting task and the running task
    /// have a reference to the queue.
    fn line(&self, rulebook_id: Uuid) -> Option<Arc<Semaphore>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = known.get(&rulebook_id).and_then(Weak::upgrade) {
            // One of these references is `own`, and another belongs to the running task.
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
        let turns = TurnQueue::new(2);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let turn = turns.take(one).await.unwrap();
        let (mut second, mut third) = (Box::pin(turns.take(one)), Box::pin(turns.take(one)));
        assert!(poll!(second.as_mut()).is_pending() && poll!(third.as_mut()).is_pending());
        assert!(turns.take(one).await.is_none());
        assert!(turns.take(other).await.is_some());
        drop(turn);
        let turn = second.await.unwrap();
        // A task frees its position in the queue when it ends or stops waiting.
        drop(third);
        let mut fourth = Box::pin(turns.take(one));
        assert!(poll!(fourth.as_mut()).is_pending());
        drop(turn);
        assert!(fourth.await.is_some());
    }
}
