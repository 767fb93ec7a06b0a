//! Which of two answers a message gets: the transaction's, or the one that was given because it took too long.
//!
//! In: what the transaction worked out and is about to commit, and that whoever waits for it gave up. Out: exactly one of
//! them wins. A transaction that was given up on does not commit; a commit that is under way when the time is up cannot
//! be called back, so its answer is the one that is given, and what it was to record is spooled: if it did commit, the
//! drain finds the same message there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decided::Ahead;

/// What was answered, and what it was decided from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Given {
    /// The revision that decided; 0 when none was known.
    pub revision: i64,
    /// The answer.
    pub answer: Value,
    /// What was worked out.
    #[serde(with = "shared")]
    pub found: Arc<Ahead>,
}

/// What is shared is written as what it is.
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

/// One message on its way, as seen by the transaction and by whoever waits for it.
#[derive(Debug, Default)]
pub struct Attempt(Mutex<Stage>);

#[derive(Debug, Default)]
enum Stage {
    /// Nothing is decided yet.
    #[default]
    Begun,
    /// Worked out, not committed.
    WorkedOut(Arc<Ahead>),
    /// The commit is under way, or done.
    Committing(Arc<Given>),
    /// Whoever waited gave up: no commit any more.
    GivenUp,
}

/// What there is to go on with, when the transaction did not make it in time.
#[derive(Debug, Clone)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// What it had worked out; it will not commit.
    WorkedOut(Arc<Ahead>),
    /// What it is committing, or has committed: this must be answered.
    Committing(Arc<Given>),
}

impl Attempt {
    /// Notes what was worked out.
    pub(super) fn worked_out(&self, ahead: Ahead) -> Arc<Ahead> {
        let ahead = Arc::new(ahead);
        let mut stage = self.lock();
        if matches!(*stage, Stage::Begun | Stage::WorkedOut(_)) {
            *stage = Stage::WorkedOut(Arc::clone(&ahead));
        }
        ahead
    }

    /// What was worked out before.
    pub(super) fn ahead(&self) -> Option<Arc<Ahead>> {
        match &*self.lock() {
            Stage::WorkedOut(ahead) => Some(Arc::clone(ahead)),
            Stage::Begun | Stage::Committing(_) | Stage::GivenUp => None,
        }
    }

    /// Whether whoever waited gave up.
    pub(super) fn is_given_up(&self) -> bool {
        matches!(*self.lock(), Stage::GivenUp)
    }

    /// Whether the transaction may commit, which it then does at once.
    pub(super) fn commits(&self, given: Given) -> bool {
        let mut stage = self.lock();
        if matches!(*stage, Stage::GivenUp) {
            return false;
        }
        *stage = Stage::Committing(Arc::new(given));
        true
    }

    /// Gives up on the transaction, unless its commit is under way.
    pub(super) fn give_up(&self) -> Left {
        let mut stage = self.lock();
        match std::mem::replace(&mut *stage, Stage::GivenUp) {
            Stage::Begun | Stage::GivenUp => Left::Nothing,
            Stage::WorkedOut(ahead) => Left::WorkedOut(ahead),
            Stage::Committing(given) => {
                *stage = Stage::Committing(Arc::clone(&given));
                Left::Committing(given)
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
    use crate::decided::Found;

    fn ahead() -> Ahead {
        Ahead {
            revision: 3,
            found: Found::Answer(json!({})),
        }
    }

    fn given() -> Given {
        Given {
            revision: 3,
            answer: json!({"one": 1}),
            found: Arc::new(ahead()),
        }
    }

    #[test]
    fn a_transaction_that_was_given_up_on_does_not_commit() {
        let attempt = Attempt::default();
        attempt.worked_out(ahead());
        assert!(matches!(attempt.give_up(), Left::WorkedOut(_)));
        assert!(!attempt.commits(given()));
        assert!(matches!(attempt.give_up(), Left::Nothing));
    }

    #[test]
    fn a_commit_that_is_under_way_is_what_is_answered() {
        let attempt = Attempt::default();
        attempt.worked_out(ahead());
        assert!(attempt.commits(given()));
        for _ in 0..2 {
            let Left::Committing(left) = attempt.give_up() else {
                panic!()
            };
            assert_eq!(left.answer, json!({"one": 1}));
        }
    }

    #[test]
    fn of_the_two_exactly_one_wins() {
        for _ in 0..1_000 {
            let attempt = Attempt::default();
            let (committed, left) = std::thread::scope(|scope| {
                let transaction = scope.spawn(|| attempt.commits(given()));
                let left = attempt.give_up();
                (transaction.join().unwrap(), left)
            });
            assert_eq!(committed, matches!(left, Left::Committing(_)));
        }
    }
}
