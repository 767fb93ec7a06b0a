//! Backtests and replays of stored decisions.
//!
//! [`run`] reads stored calls in pages by id and decides on its own threads. So neither a long transaction nor a busy
//! runtime delays calls. [`queue`] runs backtests one after another and stores their progress in the database.
//! [`replay`] decides stored decisions again.

pub mod queue;
pub mod replay;
pub mod run;

use std::sync::Arc;

use sea_orm::DbErr;

use rules::Rulebook;
use rules::facts::ExtractedFacts;

/// Extracts the facts of a stored message again with each of the rulebooks, as the webhook does. `None` if it is not
/// a message. It is passed in, because only the webhook can parse messages.
pub type ReadBody = Arc<dyn Fn(&[&Rulebook], &[u8]) -> Option<Vec<ExtractedFacts>> + Send + Sync>;

/// Why stored decisions could not be processed.
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
