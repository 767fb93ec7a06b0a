//! The inbox: a message under its business key, and what was answered.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr, Value as Bind};
use serde_json::Value;
use uuid::Uuid;

use super::statement;

/// A message for the inbox.
#[derive(Debug, Clone)]
pub struct NewEvent<'a> {
    /// The rulebook.
    pub rulebook_id: Uuid,
    /// Its id.
    pub id: Uuid,
    /// What makes it the same thing again.
    pub business_key: &'a str,
    /// What makes it a plain repeat.
    pub delivery_key: &'a str,
    /// The type as written.
    pub kind: &'a str,
    /// The call.
    pub call_id: Option<&'a str>,
    /// When Vapi made it.
    pub message_at: Option<DateTime<Utc>>,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// As it came; none once the caller is erased.
    pub body: Option<&'a [u8]>,
    /// SHA-256 of the body.
    pub body_hash: [u8; 32],
    /// What was answered.
    pub answer: &'a Value,
    /// `recorded`, `amendment` or `unreadable`.
    pub state: &'static str,
    /// The event that it amends.
    pub amends: Option<Uuid>,
}

/// Keeps a message under its business key; false when that key is there already.
///
/// # Errors
/// When the database does not take it.
pub async fn insert_event(tx: &DatabaseTransaction, event: &NewEvent<'_>) -> Result<bool, DbErr> {
    const SQL: &str = "INSERT INTO webhook_events (rulebook_id, id, business_key, delivery_key, type, call_id, \
        message_at, received_at, body, body_hash, answer, state, amends) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
        ON CONFLICT (rulebook_id, business_key) DO NOTHING";
    let values: [Bind; 13] = [
        event.rulebook_id.into(),
        event.id.into(),
        event.business_key.into(),
        event.delivery_key.into(),
        event.kind.into(),
        event.call_id.map(ToOwned::to_owned).into(),
        event.message_at.into(),
        event.received_at.into(),
        event.body.map(<[u8]>::to_vec).into(),
        event.body_hash.to_vec().into(),
        event.answer.clone().into(),
        event.state.into(),
        event.amends.into(),
    ];
    Ok(tx.execute_raw(statement(tx, SQL, values)).await?.rows_affected() == 1)
}

/// What is stored under a business key.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Its id.
    pub id: Uuid,
    /// SHA-256 of its body.
    pub body_hash: Vec<u8>,
    /// What was answered.
    pub answer: Value,
}

/// The event under a business key.
///
/// # Errors
/// When the database does not answer, or there is none.
pub async fn stored_event(tx: &DatabaseTransaction, rulebook_id: Uuid, key: &str) -> Result<StoredEvent, DbErr> {
    const SQL: &str = "SELECT id, body_hash, answer FROM webhook_events WHERE rulebook_id = $1 AND business_key = $2";
    let row = tx
        .query_one_raw(statement(tx, SQL, [rulebook_id.into(), key.into()]))
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("the stored event".to_owned()))?;
    Ok(StoredEvent {
        id: row.try_get("", "id")?,
        body_hash: row.try_get("", "body_hash")?,
        answer: row.try_get("", "answer")?,
    })
}

/// Notes when an event came out of the spool.
///
/// # Errors
/// When the database does not take it.
pub async fn mark_drained(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    const SQL: &str = "UPDATE webhook_events SET drained_at = $3 WHERE rulebook_id = $1 AND id = $2";
    tx.execute_raw(statement(tx, SQL, [rulebook_id.into(), id.into(), now.into()]))
        .await?;
    Ok(())
}
