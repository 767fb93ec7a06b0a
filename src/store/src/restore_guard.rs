//! Prevents a restored database from sending old messages again.
//!
//! Unsent messages of a restored database become dead letters, which a person can resend. Escalations stop, and a
//! notice explains what happened. The statements use only columns that every schema since the first release has,
//! because a backup may be older than this program.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseTransaction, DbErr, Statement, Value};
use uuid::Uuid;

/// The error text of messages that Ringbook gives up after a restore. People can search for this text.
pub const REASON: &str = "restored from a backup: it may have been sent since, so it is not sent automatically";
pub const NOTICE: &str = "restored";

/// SQL condition that selects messages without a final state.
const UNSETTLED: &str = "state IN ('queued', 'sending', 'ambiguous')";
/// SQL expression for the identity of the outbox: the ids of the database and the table.
const HERE: &str = "(SELECT d.oid::text || '/' || 'sms_messages'::regclass::oid::text FROM pg_database d \
    WHERE d.datname = current_database())";

/// Gives up unsent messages, and returns how many it gave up. The notice begins with `known`, which explains how the
/// restore was detected.
pub async fn give_up_unsent(
    tx: &DatabaseTransaction,
    now: DateTime<Utc>,
    known: &str,
    mut new_id: impl FnMut() -> Uuid,
) -> Result<i64, DbErr> {
    let mut found = BTreeMap::<Uuid, UnfinishedWork>::new();
    for (rulebook_id, count) in counts(tx, &format!("sms_messages WHERE {UNSETTLED}")).await? {
        found.entry(rulebook_id).or_default().texts = count;
    }
    let going_on = "escalations WHERE next_at IS NOT NULL";
    for (rulebook_id, count) in counts(tx, going_on).await? {
        found.entry(rulebook_id).or_default().escalations = count;
    }
    execute(
        tx,
        "UPDATE escalations SET next_at = NULL WHERE next_at IS NOT NULL",
        vec![],
    )
    .await?;
    execute(
        tx,
        "UPDATE sms_attempts SET finished_at = $1, outcome = 'ambiguous', detail = $2 WHERE finished_at IS NULL",
        vec![
            now.into(),
            "the backup was made while the message was being sent".into(),
        ],
    )
    .await?;
    execute(
        tx,
        &format!(
            "UPDATE sms_messages SET state = 'dead', error = $1, lease_until = NULL, fence = fence + 1, updated_at = $2 \
             WHERE {UNSETTLED}"
        ),
        vec![REASON.into(), now.into()],
    )
    .await?;
    let total = found.values().map(|found| found.texts).sum();
    if found.is_empty() {
        let default = query(tx, "SELECT id FROM rulebooks WHERE code = 'default'", vec![]).await?;
        for row in default {
            found.insert(row.try_get("", "id")?, UnfinishedWork::default());
        }
    }
    for (rulebook_id, found) in found {
        raise(tx, rulebook_id, found, known, now, new_id()).await?;
    }
    Ok(total)
}

/// The numbers of a rulebook's unsent SMS messages and running escalations.
#[derive(Clone, Copy, Default)]
struct UnfinishedWork {
    texts: i64,
    escalations: i64,
}

async fn counts(tx: &DatabaseTransaction, of: &str) -> Result<Vec<(Uuid, i64)>, DbErr> {
    let sql = format!("SELECT rulebook_id, count(*) AS found FROM {of} GROUP BY rulebook_id");
    let rows = query(tx, &sql, vec![]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("", "rulebook_id")?, row.try_get("", "found")?)))
        .collect()
}

async fn raise(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    found: UnfinishedWork,
    known: &str,
    now: DateTime<Utc>,
    id: Uuid,
) -> Result<(), DbErr> {
    const SQL: &str = "INSERT INTO notices (rulebook_id, id, code, severity, subject, text, what_to_do, count, first_at, last_at) \
        VALUES ($1, $2, $3, $4, 'database', $5, $6, 1, $7, $7) \
        ON CONFLICT (rulebook_id, code, subject) WHERE resolved_at IS NULL \
        DO UPDATE SET count = notices.count + 1, last_at = excluded.last_at";
    // A later check that finds nothing must not replace an earlier notice about messages.
    const AND_TOLD: &str = ", severity = excluded.severity, text = excluded.text, what_to_do = excluded.what_to_do";
    let UnfinishedWork { texts, escalations } = found;
    let something = texts > 0 || escalations > 0;
    let (severity, text, what_to_do) = if something {
        (
            "urgent",
            format!(
                "{known} {texts} SMS messages that were unsent at the backup are given up, and {escalations} \
                 unacknowledged P1 calls do not escalate further, because somebody may have handled them since."
            ),
            "List the SMS messages in state `dead` whose error says `restored`, and resend those that are still needed. Ask \
             who handled the P1 calls of the leads that nobody acknowledged.",
        )
    } else {
        (
            "warning",
            format!("{known} The restored data contained no waiting SMS message."),
            "Calls and edits from after the backup are missing: fetch the calls from Vapi, and check the head revision.",
        )
    };
    let values: Vec<Value> = vec![
        rulebook_id.into(),
        id.into(),
        NOTICE.into(),
        severity.into(),
        text.into(),
        what_to_do.into(),
        now.into(),
    ];
    let sql = format!("{SQL}{}", if something { AND_TOLD } else { "" });
    execute(tx, &sql, values).await
}

/// Returns when the database was last restored. Somebody may have been notified of events before that time.
pub async fn last(tx: &DatabaseTransaction) -> Result<Option<DateTime<Utc>>, DbErr> {
    let found = query(
        tx,
        "SELECT max(last_at) AS at FROM notices WHERE code = $1",
        vec![NOTICE.into()],
    )
    .await?;
    found.first().map_or(Ok(None), |row| row.try_get("", "at"))
}

/// Number of messages that were given up because of a restore. `ringbook backup` gave them up in the copy, or a later
/// check gave them up.
pub async fn given_up<C: ConnectionTrait>(db: &C) -> Result<i64, DbErr> {
    let sql = "SELECT count(*) AS texts FROM sms_messages WHERE state = 'dead' AND error = $1";
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [REASON.into()]);
    let row = db.query_one_raw(statement).await?;
    row.map_or(Ok(0), |row| row.try_get("", "texts"))
}

/// Returns whether the outbox is a different table than at the last check. On PostgreSQL, restoring a dump creates new
/// tables. The first check stores the identity of the table. A copied SQLite file cannot be detected. For SQLite,
/// `ringbook backup` gives up the unsent messages in the copy instead.
pub async fn moved(tx: &DatabaseTransaction) -> Result<bool, DbErr> {
    if tx.get_database_backend() != DatabaseBackend::Postgres {
        return Ok(false);
    }
    // If two instances start at the same time, the second waits here for the row.
    let first = format!("INSERT INTO outbox_place (one, place) VALUES (1, {HERE}) ON CONFLICT (one) DO NOTHING");
    execute(tx, &first, vec![]).await?;
    let moved = format!("UPDATE outbox_place SET place = {HERE} WHERE place <> {HERE}");
    let statement = Statement::from_string(DatabaseBackend::Postgres, moved);
    Ok(tx.execute_raw(statement).await?.rows_affected() > 0)
}

/// Checks at startup whether the database was restored without `ringbook restore`. If so, gives up the unsent messages.
pub async fn check_at_start(
    db: &DatabaseConnection,
    now: DateTime<Utc>,
    new_id: impl FnMut() -> Uuid,
) -> Result<(), DbErr> {
    let tx = super::begin(db).await?;
    if moved(&tx).await? {
        let known = "The outbox's tables were replaced: the database was restored from a dump, or copied.";
        let texts = give_up_unsent(&tx, now, known, new_id).await?;
        tracing::warn!(texts, "{known} Unsent SMS messages are given up: see the notices");
    }
    tx.commit().await
}

async fn query(tx: &DatabaseTransaction, sql: &str, values: Vec<Value>) -> Result<Vec<sea_orm::QueryResult>, DbErr> {
    tx.query_all_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await
}

async fn execute(tx: &DatabaseTransaction, sql: &str, values: Vec<Value>) -> Result<(), DbErr> {
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    tx.execute_raw(statement).await.map(drop)
}
