//! Replays a single stored decision, or all stored decisions in a time range. [`RulebookCache`] compiles each revision
//! only once.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseConnection, QueryResult};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::HistoryError;
use authoring::backtest::stored_facts;
use revisions::cache::{LoadError, RulebookCache};
use rules::Rulebook;
use rules::replay::{Difference, ReplayResult};
use store::decisions::pages::{Columns, Span};

const PAGE: u64 = 200;
/// Maximum number of differing decisions that the result describes in detail.
const MAX_DIFFERENCES: usize = 20;

/// The result of replaying many decisions.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Replays {
    pub replayed: u64,
    /// Number of decisions for which the replay gave the same result, byte for byte.
    pub same: u64,
    /// Number of decisions that were skipped because their facts were erased.
    pub erased: u64,
    /// Number of decisions for which the replay gave another result.
    pub different: u64,
    /// Number of different revisions that made these decisions.
    pub revisions: usize,
    /// The newest differing decisions, at most twenty.
    pub differences: Vec<DifferingDecision>,
}

/// A decision for which the replay gave another result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DifferingDecision {
    pub decision_id: Uuid,
    pub revision: i64,
    /// Every differing position in the result.
    pub places: Vec<Difference>,
}

/// An error of a replay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The revision cannot be loaded.
    #[error("the revision that made the decision cannot be loaded")]
    Revision(#[from] LoadError),
    #[error(transparent)]
    History(#[from] HistoryError),
}

impl From<sea_orm::DbErr> for ReplayError {
    fn from(error: sea_orm::DbErr) -> Self {
        HistoryError::from(error).into()
    }
}

impl From<serde_json::Error> for ReplayError {
    fn from(error: serde_json::Error) -> Self {
        HistoryError::from(error).into()
    }
}

/// Replays one decision. Returns `None` if the facts of the decision were erased.
///
/// # Errors
/// When the revision of the decision cannot be loaded, or the stored decision is malformed.
pub async fn one(
    current: &RulebookCache,
    rulebook_id: Uuid,
    revision: i64,
    extracted: &str,
    at: DateTime<Utc>,
    stored: Value,
) -> Result<Option<ReplayResult>, ReplayError> {
    let Some(extracted) = stored_facts(extracted)? else {
        return Ok(None);
    };
    let rulebook = current.at_for_people(rulebook_id, revision).await?;
    // Scripts may be slow, so they do not run on the thread of the handler.
    let work = move || rulebook.replay(&extracted, at, &stored);
    let replayed = current
        .pools()
        .study(rulebook_id, work)
        .await
        .map_err(LoadError::from)?;
    Ok(Some(replayed?))
}

/// Replays every decision in a time range. Calls `on_progress` after each page with the number of decisions processed
/// so far.
///
/// # Errors
/// When a revision cannot be loaded, or the database fails.
pub async fn all(
    db: &DatabaseConnection,
    current: &RulebookCache,
    span: &Span,
    mut on_progress: impl FnMut(u64),
) -> Result<Replays, ReplayError> {
    let mut whole = Replays::default();
    let mut rulebooks: HashMap<i64, Arc<Rulebook>> = HashMap::new();
    let mut below = None;
    loop {
        let rows = span.page(db, Columns::Whole, below, PAGE).await?;
        let Some(last) = rows.last() else { break };
        below = Some(last.try_get("", "id")?);
        for row in &rows {
            let revision: i64 = row.try_get("", "revision")?;
            if let std::collections::hash_map::Entry::Vacant(place) = rulebooks.entry(revision) {
                place.insert(current.at(span.rulebook_id, revision).await?);
            }
        }
        let books = rulebooks.clone();
        let work = tokio::task::spawn_blocking(move || {
            rows.iter().map(|row| again(row, &books)).collect::<Result<Vec<_>, _>>()
        });
        let page = work.await.map_err(|error| HistoryError::Stopped(error.to_string()))??;
        for replayed in page {
            whole.count(replayed);
        }
        on_progress(whole.replayed + whole.erased);
    }
    whole.revisions = rulebooks.len();
    Ok(whole)
}

/// A decision's id, revision and replay. `None` if the facts of the decision were erased.
type Again = Option<(Uuid, i64, ReplayResult)>;

fn again(row: &QueryResult, rulebooks: &HashMap<i64, Arc<Rulebook>>) -> Result<Again, HistoryError> {
    let json: String = row.try_get("", "extracted")?;
    let revision: i64 = row.try_get("", "revision")?;
    let (Some(extracted), Some(rulebook)) = (stored_facts(&json)?, rulebooks.get(&revision)) else {
        return Ok(None);
    };
    let stored: String = row.try_get("", "result")?;
    let stored: Value = serde_json::from_str(&stored)?;
    let replayed = rulebook.replay(&extracted, row.try_get("", "decided_for")?, &stored)?;
    Ok(Some((row.try_get("", "id")?, revision, replayed)))
}

impl Replays {
    /// The result for a single decision.
    #[must_use]
    pub fn of(decision_id: Uuid, revision: i64, again: Option<ReplayResult>) -> Self {
        let mut replays = Self {
            revisions: 1,
            ..Self::default()
        };
        replays.count(again.map(|replayed| (decision_id, revision, replayed)));
        replays
    }

    fn count(&mut self, again: Again) {
        let Some((decision_id, revision, replayed)) = again else {
            self.erased += 1;
            return;
        };
        self.replayed += 1;
        if replayed.is_same() {
            self.same += 1;
            return;
        }
        self.different += 1;
        if self.differences.len() < MAX_DIFFERENCES {
            self.differences.push(DifferingDecision {
                decision_id,
                revision,
                places: replayed.differences,
            });
        }
    }
}
