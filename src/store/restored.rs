//! A database that was brought back must not send what was sent long ago.
//!
//! In: a database as it was some time ago. Out: the texts that it had not settled are given up, where a person finds them
//! and can send them again, what nobody took is not handed on, and a notice says so. The statements name the columns that every schema has had, because what
//! is brought back may be older than this program.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseTransaction, DbErr, Statement, Value};
use uuid::Uuid;

use crate::fault_points::{Defect, planted};

/// Why a text of a restored database is given up; also what a person searches for.
pub const REASON: &str = "restored from a backup: it may have been sent since, so it is not sent again by itself";
/// The notice's code.
pub const NOTICE: &str = "restored";

/// Which texts are not settled.
const UNSETTLED: &str = "state IN ('queued', 'sending', 'ambiguous')";
/// Where the outbox is: the database, and its table.
const HERE: &str = "(SELECT d.oid::text || '/' || 'sms_messages'::regclass::oid::text FROM pg_database d \
    WHERE d.datname = current_database())";

/// Gives up the texts that are not settled. `known` says how it is known that the database was brought back. Out: how many.
pub async fn give_up_unsent(
    tx: &DatabaseTransaction,
    now: DateTime<Utc>,
    known: &str,
    mut new_id: impl FnMut() -> Uuid,
) -> Result<i64, DbErr> {
    if planted(Defect::RestoredTextsGoOut) {
        return Ok(0);
    }
    let mut found = BTreeMap::<Uuid, Found>::new();
    for (rulebook_id, count) in counts(tx, &format!("sms_messages WHERE {UNSETTLED}")).await? {
        found.entry(rulebook_id).or_default().texts = count;
    }
    // A backup may be older than this table.
    if has_escalations(tx).await? {
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
    }
    execute(
        tx,
        "UPDATE sms_attempts SET finished_at = $1, outcome = 'ambiguous', detail = $2 WHERE finished_at IS NULL",
        vec![now.into(), "the backup was made while it was on its way".into()],
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
            found.insert(row.try_get("", "id")?, Found::default());
        }
    }
    for (rulebook_id, found) in found {
        raise(tx, rulebook_id, found, known, now, new_id()).await?;
    }
    Ok(total)
}

/// What was under way in a rulebook.
#[derive(Clone, Copy, Default)]
struct Found {
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

async fn has_escalations(tx: &DatabaseTransaction) -> Result<bool, DbErr> {
    let sql = match tx.get_database_backend() {
        DatabaseBackend::Postgres => "SELECT 1 AS there WHERE to_regclass('escalations') IS NOT NULL",
        _ => "SELECT 1 AS there FROM sqlite_master WHERE type = 'table' AND name = 'escalations'",
    };
    Ok(!query(tx, sql, vec![]).await?.is_empty())
}

async fn raise(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    found: Found,
    known: &str,
    now: DateTime<Utc>,
    id: Uuid,
) -> Result<(), DbErr> {
    const SQL: &str = "INSERT INTO notices (rulebook_id, id, code, severity, subject, text, what_to_do, count, first_at, last_at) \
        VALUES ($1, $2, $3, $4, 'database', $5, $6, 1, $7, $7) \
        ON CONFLICT (rulebook_id, code, subject) WHERE resolved_at IS NULL \
        DO UPDATE SET count = notices.count + 1, last_at = excluded.last_at";
    // What is told of texts is not taken back by a later look that finds none waiting.
    const AND_TOLD: &str = ", severity = excluded.severity, text = excluded.text, what_to_do = excluded.what_to_do";
    let Found { texts, escalations } = found;
    let something = texts > 0 || escalations > 0;
    let (severity, text, what_to_do) = if something {
        (
            "urgent",
            format!(
                "{known} {texts} texts that were not sent when it was made are given up, and {escalations} P1 that nobody had \
                 taken are not handed on, because that may have been done since."
            ),
            "List the texts of the state `dead` whose error says `restored`, and send again those that are still needed. Ask \
             who took the P1 calls of the leads that say that nobody did.",
        )
    } else {
        (
            "warning",
            format!("{known} No text was waiting in it."),
            "Calls and edits that came after the backup are not in it: ask Vapi for the calls, and look at the head revision.",
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

/// When the database was last brought back. What happened before that may have been texted of already.
pub async fn last(tx: &DatabaseTransaction) -> Result<Option<DateTime<Utc>>, DbErr> {
    let found = query(
        tx,
        "SELECT max(last_at) AS at FROM notices WHERE code = $1",
        vec![NOTICE.into()],
    )
    .await?;
    found.first().map_or(Ok(None), |row| row.try_get("", "at"))
}

/// How many texts were given up because the database was brought back, in the copy that a backup is or later.
pub async fn given_up<C: ConnectionTrait>(db: &C) -> Result<i64, DbErr> {
    let sql = "SELECT count(*) AS texts FROM sms_messages WHERE state = 'dead' AND error = $1";
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [REASON.into()]);
    let row = db.query_one_raw(statement).await?;
    row.map_or(Ok(0), |row| row.try_get("", "texts"))
}

/// Whether the outbox is still where it was: on PostgreSQL, where a dump that is brought back makes new tables. Remembers
/// the place at the first look. A copied SQLite file cannot be told from the file itself: what `ringbook backup` writes has
/// its unsent texts given up already.
pub async fn moved(tx: &DatabaseTransaction) -> Result<bool, DbErr> {
    if tx.get_database_backend() != DatabaseBackend::Postgres {
        return Ok(false);
    }
    // Who starts at the same time waits here for the row.
    let first = format!("INSERT INTO outbox_place (one, place) VALUES (1, {HERE}) ON CONFLICT (one) DO NOTHING");
    execute(tx, &first, vec![]).await?;
    let moved = format!("UPDATE outbox_place SET place = {HERE} WHERE place <> {HERE}");
    let statement = Statement::from_string(DatabaseBackend::Postgres, moved);
    Ok(tx.execute_raw(statement).await?.rows_affected() > 0)
}

/// Looks at the start whether the database was brought back without `ringbook restore`, and gives up its unsent texts if so.
pub async fn look_at_start(
    db: &DatabaseConnection,
    now: DateTime<Utc>,
    new_id: impl FnMut() -> Uuid,
) -> Result<(), DbErr> {
    let tx = super::begin(db).await?;
    if moved(&tx).await? {
        let known =
            "The tables are not those that the outbox was in: the database was brought back from a dump, or copied.";
        let texts = give_up_unsent(&tx, now, known, new_id).await?;
        tracing::warn!(texts, "{known} Texts that were not sent are given up: see the notices");
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
