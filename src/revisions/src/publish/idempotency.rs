//! Makes a publish request idempotent.
//!
//! A publish transaction first claims the request, and also stores the result of the request. So an effect is never
//! stored without its response.

use std::error::Error;

use futures_util::future::BoxFuture;
use sea_orm::{DatabaseTransaction, DbErr};

use super::change_sets::StoredChangeSet;

/// The result of a publish request.
#[derive(Debug, Clone, Copy)]
pub enum Effect<'a> {
    /// The rulebook is at this revision.
    Published(i64),
    /// The change exceeds the guard rails, and waits as this change set.
    Waits(&'a StoredChangeSet),
}

/// Why the result of a publish request could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The response cannot be stored.
    #[error("the response could not be stored")]
    Answer(#[source] Box<dyn Error + Send + Sync>),
    #[error(transparent)]
    Database(#[from] DbErr),
}

/// Stores the result of a publish request for repeated requests.
pub trait Receipt: Send + Sync {
    /// Claims the request before anything else in the transaction. Returns false if the request was processed before.
    fn take<'a>(&'a self, tx: &'a DatabaseTransaction) -> BoxFuture<'a, Result<bool, DbErr>>;

    /// Stores the result.
    fn settle<'a>(&'a self, tx: &'a DatabaseTransaction, effect: Effect<'a>)
    -> BoxFuture<'a, Result<(), ReceiptError>>;
}
