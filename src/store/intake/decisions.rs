//! The decision.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr, Value as Bind};
use serde_json::Value;
use uuid::Uuid;

use super::{owned, statement};

/// A decision to keep.
#[derive(Debug, Clone)]
pub struct NewDecision<'a> {
    /// The rulebook.
    pub rulebook_id: Uuid,
    /// Its id.
    pub id: Uuid,
    /// The call.
    pub call_id: Option<&'a str>,
    /// The message that asked for it.
    pub event_id: Uuid,
    /// `report`, or the kind of tool.
    pub purpose: &'a str,
    /// The revision that decided.
    pub revision: i64,
    /// The instant that it is about.
    pub decided_for: DateTime<Utc>,
    /// The facts that the message gave.
    pub extracted: Value,
    /// The decision with what was derived and the trace.
    pub result: Value,
    /// The service.
    pub service: Option<&'a str>,
    /// The priority.
    pub priority: &'a str,
    /// Lowest price in minor units.
    pub price_from: Option<i64>,
    /// Highest price in minor units.
    pub price_to: Option<i64>,
    /// Whether something was left out.
    pub degraded: bool,
    /// How long it took.
    pub duration_us: i64,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Keeps a decision.
///
/// # Errors
/// When the database does not take it.
pub async fn insert_decision(tx: &DatabaseTransaction, decision: NewDecision<'_>) -> Result<(), DbErr> {
    const SQL: &str = "INSERT INTO decisions (rulebook_id, id, call_id, event_id, purpose, revision, decided_for, \
        extracted, result, service, priority, price_from, price_to, degraded, duration_us, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    let values: [Bind; 16] = [
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
    ];
    tx.execute_raw(statement(tx, SQL, values)).await?;
    Ok(())
}
