//! What was quoted and booked in a call.

use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr};
use serde_json::Value;
use uuid::Uuid;

use super::statement;

/// A quote or a booking of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct SpokenDecision {
    /// The decision.
    pub id: Uuid,
    /// `quote` or `booking`.
    pub purpose: String,
    /// The facts that the message gave.
    pub extracted: Value,
    /// The decision with what was derived and the trace.
    pub result: Value,
}

/// The last quotes and bookings of a call, the newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn spoken_decisions(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call_id: &str,
) -> Result<Vec<SpokenDecision>, DbErr> {
    const SQL: &str = "SELECT id, purpose, extracted, result FROM decisions \
        WHERE rulebook_id = $1 AND call_id = $2 AND purpose IN ('quote', 'booking') \
        ORDER BY created_at DESC, id DESC LIMIT 20";
    let rows = tx
        .query_all_raw(statement(tx, SQL, [rulebook_id.into(), call_id.into()]))
        .await?;
    rows.iter()
        .map(|row| {
            Ok(SpokenDecision {
                id: row.try_get("", "id")?,
                purpose: row.try_get("", "purpose")?,
                extracted: row.try_get("", "extracted")?,
                result: row.try_get("", "result")?,
            })
        })
        .collect()
}
