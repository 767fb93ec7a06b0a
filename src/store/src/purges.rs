//! Purges expired data in batches. A batch is a range of event ids, which increase with time.
//!
//! All data about a call belongs to its events, so the events of a batch determine which transcripts are purged. A
//! purge never deletes the key of an event that had an effect. Otherwise a repeat of the message would have its effect
//! again.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Value as Bind};
use uuid::Uuid;

use super::decisions::pages::least_id;
use super::decisions::{ERASED, forgotten};
use super::sql::statement;

/// Name of the lease that an instance holds while it purges.
pub const LEASE: &str = "purge";

/// The kind of data to purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Transcripts, and the facts extracted from them.
    Transcripts,
    /// Raw message bodies.
    Bodies,
    /// The events themselves.
    Events,
    /// Raw bodies of messages that have no effect.
    InterimBodies,
}

impl What {
    /// All kinds of data, in the order in which they are purged.
    pub const ALL: [Self; 4] = [Self::Transcripts, Self::Bodies, Self::Events, Self::InterimBodies];

    /// The name in the table and in metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Transcripts => "transcripts",
            Self::Bodies => "bodies",
            Self::Events => "events",
            Self::InterimBodies => "interim_bodies",
        }
    }
}

/// A batch: the events between two ids, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgeBatch {
    pub rulebook_id: Uuid,
    /// The first id of the batch.
    pub first: Uuid,
    /// The last id of the batch.
    pub last: Uuid,
}

/// Returns the time up to which this kind of data has been purged in a rulebook.
///
/// # Errors
/// When the database fails.
pub async fn purged_to(
    db: &impl ConnectionTrait,
    rulebook_id: Uuid,
    what: What,
) -> Result<Option<DateTime<Utc>>, DbErr> {
    const SQL: &str = "SELECT purged_to FROM purges WHERE rulebook_id = $1 AND what = $2";
    let row = db
        .query_one_raw(statement(db, SQL, [rulebook_id.into(), what.word().into()]))
        .await?;
    row.map(|row| row.try_get("", "purged_to")).transpose()
}

/// Stores the time up to which this kind of data has been purged, and adds to the number of purged rows. If the stored
/// time is no longer `before`, the function does nothing. In this case, an old event was stored in the meantime, which
/// moved the time back.
///
/// # Errors
/// When the database fails.
pub async fn note(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    what: What,
    before: Option<DateTime<Utc>>,
    to: DateTime<Utc>,
    rows: u64,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    const SQL: &str = "INSERT INTO purges (rulebook_id, what, purged_to, rows, updated_at) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (rulebook_id, what) DO UPDATE SET purged_to = excluded.purged_to, rows = purges.rows + excluded.rows, \
        updated_at = excluded.updated_at WHERE purges.purged_to = $6";
    let values = [
        rulebook_id.into(),
        what.word().into(),
        to.into(),
        i64::try_from(rows).unwrap_or(i64::MAX).into(),
        now.into(),
        before.unwrap_or_default().into(),
    ];
    tx.execute_raw(statement(tx, SQL, values)).await?;
    Ok(())
}

/// Returns the next batch of a rulebook's events. Their ids are after `from`, and they were created before `until`.
/// Returns `None` if no such event is left.
///
/// # Errors
/// When the database fails.
pub async fn next_piece(
    db: &impl ConnectionTrait,
    rulebook_id: Uuid,
    from: Uuid,
    until: DateTime<Utc>,
    size: i64,
) -> Result<Option<PurgeBatch>, DbErr> {
    const SQL: &str =
        "SELECT id FROM webhook_events WHERE rulebook_id = $1 AND id > $2 AND id < $3 ORDER BY id LIMIT $4";
    let values = [rulebook_id.into(), from.into(), least_id(until).into(), size.into()];
    let rows = db.query_all_raw(statement(db, SQL, values)).await?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(None);
    };
    Ok(Some(PurgeBatch {
        rulebook_id,
        first: first.try_get("", "id")?,
        last: last.try_get("", "id")?,
    }))
}

/// Purges one kind of data from a batch. If a call was updated since `cutoff`, its transcript is kept until the last
/// event of the call has expired. Returns how many rows were changed or deleted.
///
/// # Errors
/// When the database fails.
pub async fn purge(
    tx: &DatabaseTransaction,
    piece: PurgeBatch,
    what: What,
    cutoff: DateTime<Utc>,
) -> Result<u64, DbErr> {
    match what {
        What::Transcripts => transcripts(tx, piece, cutoff).await,
        What::Bodies => bodies(tx, piece).await,
        What::Events => events(tx, piece).await,
        What::InterimBodies => interim_bodies(tx, piece).await,
    }
}

async fn transcripts(tx: &DatabaseTransaction, piece: PurgeBatch, cutoff: DateTime<Utc>) -> Result<u64, DbErr> {
    const CALLS: &str = "(SELECT e.call_id FROM webhook_events e \
        JOIN calls c ON c.rulebook_id = e.rulebook_id AND c.id = e.call_id \
        WHERE e.rulebook_id = $1 AND e.id >= $2 AND e.id <= $3 AND c.updated_at < $4)";
    let forgotten = forgotten(tx);
    let sql = [
        format!("DELETE FROM call_transcripts WHERE rulebook_id = $1 AND call_id IN {CALLS}"),
        format!("DELETE FROM decision_feedback WHERE rulebook_id = $1 AND call_id IN {CALLS}"),
        format!(
            "UPDATE calls SET summary = NULL, recording_url = NULL, analysis = NULL WHERE rulebook_id = $1 AND id IN {CALLS} \
             AND (summary IS NOT NULL OR recording_url IS NOT NULL OR analysis IS NOT NULL)"
        ),
        format!(
            "UPDATE decisions SET {forgotten} WHERE rulebook_id = $1 AND call_id IN {CALLS} AND extracted <> {ERASED}"
        ),
        format!(
            "UPDATE tool_calls SET arguments = '{{}}', result = NULL, error = NULL WHERE rulebook_id = $1 \
             AND coalesce(call_id, '') IN {CALLS} AND (result IS NOT NULL OR error IS NOT NULL)"
        ),
    ];
    let mut rows = 0;
    for sql in sql {
        let values: [Bind; 4] = [
            piece.rulebook_id.into(),
            piece.first.into(),
            piece.last.into(),
            cutoff.into(),
        ];
        rows += tx.execute_raw(statement(tx, &sql, values)).await?.rows_affected();
    }
    // This statement is for decisions about messages without a call.
    let sql = format!(
        "UPDATE decisions SET {forgotten} WHERE call_id IS NULL AND rulebook_id = $1 AND event_id >= $2 \
         AND event_id <= $3 AND extracted <> {ERASED}"
    );
    rows += of_piece(tx, piece, &sql).await?;
    Ok(rows)
}

async fn bodies(tx: &DatabaseTransaction, piece: PurgeBatch) -> Result<u64, DbErr> {
    const SQL: &str =
        "UPDATE webhook_events SET body = NULL WHERE rulebook_id = $1 AND id >= $2 AND id <= $3 AND body IS NOT NULL";
    of_piece(tx, piece, SQL).await
}

/// Purges the bodies of messages that contain the whole conversation and that Vapi sends several times per call.
/// Ringbook takes no data from these messages and makes no decisions about them.
async fn interim_bodies(tx: &DatabaseTransaction, piece: PurgeBatch) -> Result<u64, DbErr> {
    const SQL: &str = "UPDATE webhook_events SET body = NULL WHERE rulebook_id = $1 AND id >= $2 AND id <= $3 \
        AND type IN ('speech-update', 'conversation-update') AND state = 'recorded' AND body IS NOT NULL";
    of_piece(tx, piece, SQL).await
}

async fn events(tx: &DatabaseTransaction, piece: PurgeBatch) -> Result<u64, DbErr> {
    const GONE: &str = "DELETE FROM webhook_events WHERE rulebook_id = $1 AND id >= $2 AND id <= $3 \
        AND NOT EXISTS (SELECT 1 FROM decisions d \
            WHERE d.event_id = webhook_events.id AND d.rulebook_id = webhook_events.rulebook_id) \
        AND NOT EXISTS (SELECT 1 FROM tool_calls t \
            WHERE t.event_id = webhook_events.id AND t.rulebook_id = webhook_events.rulebook_id)";
    const EMPTIED: &str = "UPDATE webhook_events SET body = NULL, answer = '{}' \
        WHERE rulebook_id = $1 AND id >= $2 AND id <= $3 AND (body IS NOT NULL OR answer <> '{}')";
    Ok(of_piece(tx, piece, GONE).await? + of_piece(tx, piece, EMPTIED).await?)
}

async fn of_piece(tx: &DatabaseTransaction, piece: PurgeBatch, sql: &str) -> Result<u64, DbErr> {
    let values: [Bind; 3] = [piece.rulebook_id.into(), piece.first.into(), piece.last.into()];
    Ok(tx.execute_raw(statement(tx, sql, values)).await?.rows_affected())
}
