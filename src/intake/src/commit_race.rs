//! Ensures that a message gets exactly one response: the response of its transaction or, after a timeout, the response
//! of the fallback.
//!
//! After the timeout, a transaction does not begin its commit. A commit that already runs cannot be cancelled. In
//! that case the waiter (the task that answers Vapi) sends the transaction's response and spools the message. If the
//! commit succeeds, the drain finds the message already recorded.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::evaluate::Precomputed;

/// A response that Vapi received, and the decisions that led to the response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedResponse {
    /// The revision that made the decisions; 0 if no rulebook was known.
    pub revision: i64,
    /// The response body.
    pub answer: Value,
    /// The decisions that led to the response.
    #[serde(with = "shared")]
    pub decisions: Arc<Precomputed>,
}

/// Serializes an `Arc` like its content.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(value: &Arc<T>, to: S) -> Result<S::Ok, S::Error> {
        T::serialize(value, to)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Arc<T>, D::Error> {
        T::deserialize(from).map(Arc::new)
    }
}

/// Progress of one message, shared by its transaction and its waiter.
#[derive(Debug, Default)]
pub struct CommitRace(Mutex<Stage>);

#[derive(Debug, Default)]
enum Stage {
    /// There is no decision about the message yet.
    #[default]
    Begun,
    /// There is a decision about the message, and the commit has not begun.
    WorkedOut(Arc<Precomputed>),
    /// The commit runs or is done.
    Committing(Arc<RecordedResponse>),
    /// The waiter timed out: the transaction must not commit.
    GivenUp,
}

/// The progress of the transaction when the waiter times out. The fallback continues from this progress.
#[derive(Debug, Clone)]
pub enum Partial {
    /// There is no decision and no response yet.
    Nothing,
    /// The decision of the transaction, which will not commit.
    WorkedOut(Arc<Precomputed>),
    /// The response that the transaction commits or has committed: Vapi must get this response.
    Committing(Arc<RecordedResponse>),
}

impl CommitRace {
    /// Stores the decision.
    pub(super) fn set_precomputed(&self, precomputed: Precomputed) -> Arc<Precomputed> {
        let precomputed = Arc::new(precomputed);
        let mut stage = self.lock();
        if matches!(*stage, Stage::Begun | Stage::WorkedOut(_)) {
            *stage = Stage::WorkedOut(Arc::clone(&precomputed));
        }
        precomputed
    }

    /// The stored decision.
    pub(super) fn precomputed(&self) -> Option<Arc<Precomputed>> {
        match &*self.lock() {
            Stage::WorkedOut(precomputed) => Some(Arc::clone(precomputed)),
            Stage::Begun | Stage::Committing(_) | Stage::GivenUp => None,
        }
    }

    /// Whether the waiter timed out.
    pub(super) fn is_given_up(&self) -> bool {
        matches!(*self.lock(), Stage::GivenUp)
    }

    /// Whether the transaction may commit. If this returns true, the transaction must commit immediately.
    pub(super) fn commits(&self, recorded_response: RecordedResponse) -> bool {
        let mut stage = self.lock();
        if matches!(*stage, Stage::GivenUp) {
            return false;
        }
        *stage = Stage::Committing(Arc::new(recorded_response));
        true
    }

    /// Prevents the commit of the transaction if the commit has not begun, and returns the progress.
    pub(super) fn give_up(&self) -> Partial {
        let mut stage = self.lock();
        match std::mem::replace(&mut *stage, Stage::GivenUp) {
            Stage::Begun | Stage::GivenUp => Partial::Nothing,
            Stage::WorkedOut(precomputed) => Partial::WorkedOut(precomputed),
            Stage::Committing(recorded_response) => {
                *stage = Stage::Committing(Arc::clone(&recorded_response));
                Partial::Committing(recorded_response)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::evaluate::MessageDecisions;

    fn precomputed() -> Precomputed {
        Precomputed {
            revision: 3,
            decisions: MessageDecisions::Answer(json!({})),
        }
    }

    fn recorded_response() -> RecordedResponse {
        RecordedResponse {
            revision: 3,
            answer: json!({"one": 1}),
            decisions: Arc::new(precomputed()),
        }
    }

    #[test]
    fn a_transaction_that_was_given_up_on_does_not_commit() {
        let attempt = CommitRace::default();
        attempt.set_precomputed(precomputed());
        assert!(matches!(attempt.give_up(), Partial::WorkedOut(_)));
        assert!(!attempt.commits(recorded_response()));
        assert!(matches!(attempt.give_up(), Partial::Nothing));
    }

    #[test]
    fn a_commit_that_is_under_way_is_what_is_answered() {
        let attempt = CommitRace::default();
        attempt.set_precomputed(precomputed());
        assert!(attempt.commits(recorded_response()));
        for _ in 0..2 {
            let Partial::Committing(left) = attempt.give_up() else {
                panic!()
            };
            assert_eq!(left.answer, json!({"one": 1}));
        }
    }

    #[test]
    fn of_the_two_exactly_one_wins() {
        for _ in 0..1_000 {
            let attempt = CommitRace::default();
            let (committed, left) = std::thread::scope(|scope| {
                let transaction = scope.spawn(|| attempt.commits(recorded_response()));
                let left = attempt.give_up();
                (transaction.join().unwrap(), left)
            });
            assert_eq!(committed, matches!(left, Partial::Committing(_)));
        }
    }
}
