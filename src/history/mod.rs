//! What was decided before, looked at again: backtests and replays over stored decisions.
//!
//! In: a span of time and compiled rulebooks. Out: what a candidate would change, or which decisions do not come out the
//! same. [`run`] streams stored calls in pages by their ids and decides on threads of its own, so that neither a long
//! transaction nor a busy runtime stands in the way of calls; [`jobs`] runs backtests one after the other and keeps how
//! far they are in the database, so that every instance can tell; [`replay`] makes stored decisions again.

pub mod jobs;
pub mod replay;
pub mod run;

use std::sync::Arc;

use sea_orm::DbErr;

use crate::rulebook::Rulebook;
use crate::rulebook::facts::Extracted;

/// Reads the facts of a stored message again through each of the rulebooks, exactly as the webhook does; `None` when it
/// is no message. Handed in, because only the webhook knows messages.
pub type ReadBody = Arc<dyn Fn(&[&Rulebook], &[u8]) -> Option<Vec<Extracted>> + Send + Sync>;

/// Why stored decisions could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The database did not answer.
    #[error("the stored decisions could not be read")]
    Database(#[from] DbErr),
    /// A stored decision is not what decisions are stored as.
    #[error("a stored decision cannot be read")]
    Malformed(#[from] serde_json::Error),
    /// A thread that decided ended before it was done.
    #[error("the work was stopped: {0}")]
    Stopped(String),
}
