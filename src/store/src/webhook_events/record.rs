//! Writes the inbox: each message is stored under its business key, with its response.

use std::collections::HashSet;
use std::slice;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr, Value as Bind};
use serde_json::Value;
use uuid::Uuid;

#[cfg(doc)]
use crate::compressed_body;
use crate::insertion::insert_rows;
use crate::sql::statement;

#[derive(Debug, Clone)]
pub struct NewEvent<'a> {
    pub rulebook_id: Uuid,
    pub id: Uuid,
    /// Identifies the event. Every repeat of the message has the same key.
    pub business_key: &'a str,
    /// Identifies a delivery. Exact repeats of the message have the same key.
    pub delivery_key: &'a str,
    /// The message type as received.
    pub kind: &'a str,
    pub call_id: Option<&'a str>,
    /// The time of the message, according to Vapi.
    pub message_at: Option<DateTime<Utc>>,
    pub received_at: DateTime<Utc>,
    /// The raw body, encoded by [`compressed_body::pack`]. `None` if the caller is erased.
    pub body: Option<&'a [u8]>,
    pub body_hash: [u8; 32],
    /// The response to the message.
    pub answer: &'a Value,
    /// `recorded`, `amendment`, `unreadable` or `poisoned`.
    pub state: &'static str,
    /// The event that this event amends.
    pub amends: Option<Uuid>,
    /// `live`, `drained`, `reconciled` or `replayed`.
    pub origin: &'static str,
    /// Why the event was dead-lettered.
    pub set_aside: Option<&'a str>,
    /// Whether `calls` may contain no row for this event's call.
    pub without_call: bool,
}

/// Inserts a message under its business key. Returns false if an event with that key exists.
///
/// # Errors
/// When the database fails.
pub async fn insert(tx: &DatabaseTransaction, event: &NewEvent<'_>) -> Result<bool, DbErr> {
    Ok(!insert_each(tx, slice::from_ref(event)).await?.is_empty())
}

/// Inserts messages under their business keys. Returns the ids of the inserted messages.
///
/// # Errors
/// When the database fails.
pub async fn insert_each(tx: &DatabaseTransaction, events: &[NewEvent<'_>]) -> Result<HashSet<Uuid>, DbErr> {
    const INSERT: &str = "INSERT INTO webhook_events (rulebook_id, id, business_key, delivery_key, type, call_id, \
        message_at, received_at, body, body_hash, answer, state, amends, origin, set_aside, without_call)";
    const THEN: &str = "ON CONFLICT (rulebook_id, business_key) DO NOTHING RETURNING id";
    let rows = events.iter().map(row).collect();
    let inserted = insert_rows(tx, INSERT, rows, THEN).await?;
    inserted.iter().map(|row| row.try_get("", "id")).collect()
}

fn row(event: &NewEvent<'_>) -> [Bind; 16] {
    [
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
        event.origin.into(),
        event.set_aside.map(ToOwned::to_owned).into(),
        event.without_call.into(),
    ]
}

/// The stored event of a business key.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    pub id: Uuid,
    pub body_hash: Vec<u8>,
    /// The response to the message.
    pub answer: Value,
}

/// Reads the event of a business key.
///
/// # Errors
/// When the database fails, or there is no such event.
pub async fn stored(tx: &DatabaseTransaction, rulebook_id: Uuid, key: &str) -> Result<StoredEvent, DbErr> {
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

/// Overwrites a dead-lettered event with `event`, including its key and response. Returns false if an event with that
/// key exists, or if another request has already overwritten the dead-lettered event.
///
/// # Errors
/// When the database fails.
pub async fn become_event(tx: &DatabaseTransaction, event: &NewEvent<'_>) -> Result<bool, DbErr> {
    const TAKEN: &str = "SELECT id FROM webhook_events WHERE rulebook_id = $1 AND business_key = $2";
    const SQL: &str = "UPDATE webhook_events SET business_key = $3, delivery_key = $4, type = $5, call_id = $6, \
        message_at = $7, body = $8, answer = $9, state = $10, amends = $11, origin = $12, set_aside = NULL \
        WHERE rulebook_id = $1 AND id = $2 AND state IN ('unreadable', 'poisoned')";
    // The event keeps its time of receipt, so a purge may have processed it already. Move the purge position back, so
    // that the new content is purged too.
    const STEP_BACK: &str = "UPDATE purges SET purged_to = $2 WHERE rulebook_id = $1 AND purged_to > $2";
    let key: [Bind; 2] = [event.rulebook_id.into(), event.business_key.into()];
    if tx.query_one_raw(statement(tx, TAKEN, key)).await?.is_some() {
        return Ok(false);
    }
    let values: [Bind; 12] = [
        event.rulebook_id.into(),
        event.id.into(),
        event.business_key.into(),
        event.delivery_key.into(),
        event.kind.into(),
        event.call_id.map(ToOwned::to_owned).into(),
        event.message_at.into(),
        event.body.map(<[u8]>::to_vec).into(),
        event.answer.clone().into(),
        event.state.into(),
        event.amends.into(),
        event.origin.into(),
    ];
    if tx.execute_raw(statement(tx, SQL, values)).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let since: [Bind; 2] = [event.rulebook_id.into(), event.received_at.into()];
    tx.execute_raw(statement(tx, STEP_BACK, since)).await?;
    Ok(true)
}
