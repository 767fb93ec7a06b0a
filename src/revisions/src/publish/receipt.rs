//! A publish that is done once, however often it is asked for.
//!
//! In: whoever keeps what was answered. Out: leave to do it, first of all in the transaction of the effect, and what came of
//! it, in the same one: there is never the effect without its answer.

use std::error::Error;

use futures_util::future::BoxFuture;
use sea_orm::{DatabaseTransaction, DbErr};

use super::sets::StoredSet;

/// What came of a publish.
#[derive(Debug, Clone, Copy)]
pub enum Effect<'a> {
    /// The rulebook stands at this revision.
    Published(i64),
    /// It goes beyond the guard rails and waits as this change set.
    Waits(&'a StoredSet),
}

/// Why what came of a publish could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// There is no answer that could be stored.
    #[error("the answer cannot be kept")]
    Answer(#[source] Box<dyn Error + Send + Sync>),
    #[error(transparent)]
    Database(#[from] DbErr),
}

/// Keeps what came of a publish, for who asks again.
pub trait Receipt: Send + Sync {
    /// Takes leave to do it, before anything else in the transaction. False where it was done before.
    fn take<'a>(&'a self, tx: &'a DatabaseTransaction) -> BoxFuture<'a, Result<bool, DbErr>>;

    /// Keeps what came of it.
    fn settle<'a>(&'a self, tx: &'a DatabaseTransaction, effect: Effect<'a>)
    -> BoxFuture<'a, Result<(), ReceiptError>>;
}
