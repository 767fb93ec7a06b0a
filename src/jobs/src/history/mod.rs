//! Backtests and replays of stored decisions.
//!
//! [`run`] reads stored calls in pages by id, and decides these calls again on separate threads. This keeps no long
//! transaction open and does not occupy the async runtime, so new calls are not delayed. [`queue`] runs backtests one
//! after another and stores their progress in the database. [`replay`] decides stored decisions again.

pub mod queue;
pub mod replay;
pub mod run;

use std::sync::Arc;

use sea_orm::DbErr;

use rules::Rulebook;
use rules::facts::ExtractedFacts;

/// A function that extracts the facts of a stored message again, once per rulebook, as the webhook does. It returns
/// `None` if the bytes are not a message. The server passes this function in, because this crate cannot parse messages.
pub type ReadBody = Arc<dyn Fn(&[&Rulebook], &[u8]) -> Option<Vec<ExtractedFacts>> + Send + Sync>;

/// An error while stored decisions are processed.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error("the stored decisions could not be read")]
    Database(#[from] DbErr),
    /// A stored decision is malformed.
    #[error("a stored decision cannot be parsed")]
    Malformed(#[from] serde_json::Error),
    /// A deciding thread panicked.
    #[error("a deciding thread panicked: {0}")]
    Stopped(String),
}
