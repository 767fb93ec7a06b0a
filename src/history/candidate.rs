//! The state of the rulebook that might be. In: the base, and edits or rows. Out: the candidate, compiled, or what is
//! wrong with it. Its cases are not run: a backtest is for finding out.

use std::sync::Arc;

use crate::rulebook::backtest::edited;
use crate::rulebook::change_set::Edit;
use crate::rulebook::publish::PublishError;
use crate::rulebook::rows::RowSet;
use crate::rulebook::{Rulebook, compile};

/// The base with edits.
///
/// # Errors
/// When an edit does not fit the base, or the result does not compile.
pub async fn of_edits(base: Arc<Rulebook>, edits: Vec<Edit>) -> Result<Arc<Rulebook>, PublishError> {
    let rows = edited(&base, &edits)?;
    of_rows(base, rows).await
}

/// These rows in place of the base's.
///
/// # Errors
/// When they do not compile.
pub async fn of_rows(base: Arc<Rulebook>, rows: RowSet) -> Result<Arc<Rulebook>, PublishError> {
    let work = move || compile(base.revision() + 1, &rows, Some(&base));
    let compiled = tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| sea_orm::DbErr::Custom(error.to_string()))?;
    compiled.map(Arc::new).map_err(PublishError::Faults)
}
