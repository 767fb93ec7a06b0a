//! Erases what a call's data says of the caller.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr};
use uuid::Uuid;

use super::statement;
use crate::decisions::forgotten;

/// Erases what a call's data says of the caller. That there was a call, when, and its decision stay.
///
/// # Errors
/// When the database fails.
pub async fn erase_call(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call_id: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    // Lock the call's row first: every other writer about the call locks it, so the erasure sees all that they wrote.
    const DATED: [&str; 3] = [
        "INSERT INTO calls (rulebook_id, id, status, status_rank, first_seen_at, updated_at, erased_at) \
         VALUES ($1, $2, 'ended', 6, $3, $3, $3) \
         ON CONFLICT (rulebook_id, id) DO UPDATE SET summary = NULL, recording_url = NULL, customer_number = NULL, \
         customer_name = NULL, address = NULL, city = NULL, postal_code = NULL, analysis = NULL, updated_at = $3, \
         erased_at = $3",
        "UPDATE leads SET customer_name = NULL, customer_number = NULL, customer_email = NULL, address = NULL, \
         city = NULL, postal_code = NULL, problem = NULL, wanted_slot = NULL, erased_at = $3, updated_at = $3 \
         WHERE rulebook_id = $1 AND call_id = $2",
        "UPDATE sms_messages SET body = '', state = CASE WHEN state IN ('queued', 'ambiguous') THEN 'dead' ELSE state END, \
         error = CASE WHEN state IN ('queued', 'ambiguous') THEN 'the caller was erased' ELSE error END, updated_at = $3 \
         WHERE rulebook_id = $1 AND call_id = $2",
    ];
    let decisions = format!(
        "UPDATE decisions SET {} WHERE rulebook_id = $1 AND call_id = $2",
        forgotten(tx)
    );
    let plain: [&str; 6] = [
        "UPDATE webhook_events SET body = NULL, answer = '{}' WHERE rulebook_id = $1 AND call_id = $2",
        &decisions,
        "UPDATE tool_calls SET arguments = '{}', result = NULL, error = NULL WHERE rulebook_id = $1 AND call_id = $2",
        "UPDATE escalations SET next_at = NULL, comment = NULL WHERE rulebook_id = $1 AND call_id = $2",
        // Its comment is about the caller, and without facts no case can be made of it.
        "DELETE FROM decision_feedback WHERE rulebook_id = $1 AND call_id = $2",
        "DELETE FROM call_transcripts WHERE rulebook_id = $1 AND call_id = $2",
    ];
    for sql in DATED {
        tx.execute_raw(statement(tx, sql, [rulebook_id.into(), call_id.into(), now.into()]))
            .await?;
    }
    for sql in plain {
        tx.execute_raw(statement(tx, sql, [rulebook_id.into(), call_id.into()]))
            .await?;
    }
    Ok(())
}
