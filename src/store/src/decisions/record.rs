//! Writes decisions.

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, DbErr, Value as Bind};
use uuid::Uuid;

use crate::insertion::Insertion;
use crate::sql::owned;

#[derive(Debug, Clone)]
pub struct NewDecision<'a> {
    pub rulebook_id: Uuid,
    pub id: Uuid,
    pub call_id: Option<&'a str>,
    /// The message that caused the decision.
    pub event_id: Uuid,
    /// `report`, or the kind of tool.
    pub purpose: &'a str,
    pub revision: i64,
    /// The time for which the decision was made.
    pub decided_for: DateTime<Utc>,
    /// The facts extracted from the message, as JSON.
    pub extracted: &'a str,
    /// The decision with derived facts and the trace, as JSON.
    pub result: &'a str,
    pub service: Option<&'a str>,
    pub priority: &'a str,
    /// The lowest price, in minor units.
    pub price_from: Option<i64>,
    /// The highest price, in minor units.
    pub price_to: Option<i64>,
    /// Whether a script or the database was unavailable for the decision.
    pub degraded: bool,
    pub duration_us: i64,
    pub created_at: DateTime<Utc>,
}

/// Inserts a decision.
///
/// # Errors
/// When the database fails.
pub async fn insert(tx: &DatabaseTransaction, decision: NewDecision<'_>) -> Result<(), DbErr> {
    insertion(std::iter::once(decision)).run(tx).await.map(drop)
}

/// Builds the insertion of decisions.
pub(crate) fn insertion<'a>(decisions: impl Iterator<Item = NewDecision<'a>>) -> Insertion {
    const INSERT: &str = "INSERT INTO decisions (rulebook_id, id, call_id, event_id, purpose, revision, decided_for, \
        extracted, result, service, priority, price_from, price_to, degraded, duration_us, created_at)";
    const JSON: &[usize] = &[7, 8];
    Insertion::of_values(INSERT, decisions.map(|decision| row(&decision)), "").with_json(JSON)
}

fn row(decision: &NewDecision<'_>) -> [Bind; 16] {
    [
        decision.rulebook_id.into(),
        decision.id.into(),
        owned(decision.call_id),
        decision.event_id.into(),
        decision.purpose.into(),
        decision.revision.into(),
        decision.decided_for.into(),
        decision.extracted.into(),
        decision.result.into(),
        owned(decision.service),
        decision.priority.into(),
        decision.price_from.into(),
        decision.price_to.into(),
        decision.degraded.into(),
        decision.duration_us.into(),
        decision.created_at.into(),
    ]
}
