//! Transcripts of calls, one row per turn. When the report of a call arrives, the turns of the report replace the live
//! turns.

use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseBackend, DatabaseTransaction};
use serde::Serialize;
use serde_json::json;

use crate::insertion::Insertion;
use crate::sql::statement;

/// A row of `call_transcripts`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "call_transcripts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub call_id: String,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub origin: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    #[sea_orm(column_type = "Text")]
    pub role: String,
    #[sea_orm(column_type = "Text")]
    pub text: String,
    pub offset_ms: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A turn of a call.
#[derive(Debug, Serialize)]
pub struct Turn<'a> {
    pub call_id: &'a str,
    pub seq: i64,
    pub role: &'a str,
    pub text: &'a str,
    /// Time since the start of the call, in milliseconds.
    pub offset_ms: Option<i64>,
}

/// The turns of a call's report.
#[derive(Debug)]
pub struct Turns<'a> {
    pub call_id: &'a str,
    /// The turns, numbered from 0.
    pub turns: Vec<Turn<'a>>,
    /// Whether the call may already have turns.
    pub may_have: bool,
}

/// Replaces the turns of a call with the turns of its report. `tx` must have locked the row of the call.
///
/// # Errors
/// When the database fails.
pub async fn replace(tx: &DatabaseTransaction, rulebook_id: Uuid, turns: Turns<'_>) -> Result<(), DbErr> {
    let turns = [turns];
    clear(tx, rulebook_id, &turns).await?;
    insertion(tx, rulebook_id, turns)?.run(tx).await.map(drop)
}

/// Removes the turns that [`insertion`] does not overwrite. `tx` must have locked the rows of the calls.
pub(crate) async fn clear(tx: &DatabaseTransaction, rulebook_id: Uuid, calls: &[Turns<'_>]) -> Result<(), DbErr> {
    const POSTGRES: &str = "DELETE FROM call_transcripts AS t \
        USING jsonb_to_recordset($2) AS k (call_id text, turns bigint) \
        WHERE t.rulebook_id = $1 AND t.call_id = ANY(ARRAY(SELECT k ->> 'call_id' FROM jsonb_array_elements($2) AS k)) \
        AND t.call_id = k.call_id AND (t.origin = 'live' OR t.seq >= k.turns)";
    const SQLITE: &str = "DELETE FROM call_transcripts WHERE rulebook_id = $1 \
        AND call_id IN (SELECT value ->> 'call_id' FROM json_each($2))";
    let known = calls.iter().filter(|call| call.may_have);
    let known: Vec<Json> = known
        .map(|call| json!({"call_id": call.call_id, "turns": call.turns.len()}))
        .collect();
    if known.is_empty() {
        return Ok(());
    }
    let sql = match tx.get_database_backend() {
        DatabaseBackend::Postgres => POSTGRES,
        _ => SQLITE,
    };
    let known = statement(tx, sql, [rulebook_id.into(), Json::Array(known).into()]);
    tx.execute_raw(known).await.map(drop)
}

/// Builds the insertion of the turns of reports. On PostgreSQL the new turns overwrite stored turns, because
/// overwriting costs less than deleting and inserting.
pub(crate) fn insertion<'a>(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    calls: impl IntoIterator<Item = Turns<'a>>,
) -> Result<Insertion, DbErr> {
    const INSERT: &str = "INSERT INTO call_transcripts (rulebook_id, call_id, origin, seq, role, text, offset_ms)";
    const POSTGRES: &str = "t.call_id, 'report', t.seq, t.role, t.text, t.offset_ms \
        FROM jsonb_to_recordset($document::text::jsonb) AS t (call_id text, seq bigint, role text, text text, \
        offset_ms bigint)";
    const THEN: &str = "ON CONFLICT (rulebook_id, call_id, origin, seq) DO UPDATE SET role = excluded.role, \
        text = excluded.text, offset_ms = excluded.offset_ms";
    const SQLITE: &str = "t.value ->> 'call_id', 'report', t.value ->> 'seq', t.value ->> 'role', t.value ->> 'text', \
        t.value ->> 'offset_ms' FROM json_each($document) AS t";
    let (select, then) = match tx.get_database_backend() {
        DatabaseBackend::Postgres => (POSTGRES, THEN),
        _ => (SQLITE, ""),
    };
    let turns: Vec<Turn<'_>> = calls.into_iter().flat_map(|call| call.turns).collect();
    let turns = serde_json::to_string(&turns).map_err(|error| DbErr::Json(error.to_string()))?;
    Ok(Insertion::of_document(
        INSERT,
        select,
        [rulebook_id.into(), turns.into()],
        then,
    ))
}

/// Inserts each live turn once. Skips a turn if the report of its call is already stored, or if its caller was erased.
/// `tx` must have locked the rows of the calls.
///
/// # Errors
/// When the database fails.
pub async fn add_live(tx: &DatabaseTransaction, rulebook_id: Uuid, turns: &[Turn<'_>]) -> Result<(), DbErr> {
    const POSTGRES: &str = "jsonb_to_recordset($2::text::jsonb) AS t (call_id text, seq bigint, role text, text text, \
        offset_ms bigint) CROSS JOIN LATERAL (SELECT rulebook_id, id, report_at, erased_at FROM calls WHERE rulebook_id = $1 AND id = t.call_id LIMIT 1) AS c";
    const SQLITE: &str = "(SELECT value ->> 'call_id' AS call_id, value ->> 'seq' AS seq, value ->> 'role' AS role, \
        value ->> 'text' AS text, value ->> 'offset_ms' AS offset_ms FROM json_each($2)) AS t \
        JOIN calls c ON c.rulebook_id = $1 AND c.id = t.call_id";
    if turns.is_empty() {
        return Ok(());
    }
    let from = if tx.get_database_backend() == DatabaseBackend::Postgres {
        POSTGRES
    } else {
        SQLITE
    };
    let sql = format!(
        "INSERT INTO call_transcripts (rulebook_id, call_id, origin, seq, role, text, offset_ms) \
        SELECT c.rulebook_id, c.id, 'live', t.seq, t.role, t.text, t.offset_ms \
        FROM {from} \
        WHERE c.report_at IS NULL AND c.erased_at IS NULL \
        ON CONFLICT (rulebook_id, call_id, origin, seq) DO NOTHING"
    );
    let turns = serde_json::to_string(turns).map_err(|error| DbErr::Json(error.to_string()))?;
    tx.execute_raw(statement(tx, &sql, [rulebook_id.into(), turns.into()]))
        .await?;
    Ok(())
}
