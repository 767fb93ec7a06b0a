//! Transcripts of calls, one row per turn. When the report of a call arrives, its turns replace the live turns.

use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseBackend, DatabaseTransaction, Value as Bind};
use serde_json::json;

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

/// The turns of a call's report.
#[derive(Debug)]
pub struct Turns<'a> {
    pub call_id: &'a str,
    /// Each turn is `{call_id, seq, role, text, offset_ms}`, numbered from 0.
    pub turns: Vec<Json>,
    /// Whether the call may already have turns.
    pub may_have: bool,
}

/// Replaces the turns of each call by the turns of its report. The caller has locked the rows of the calls. Existing
/// turns are overwritten instead of deleted and inserted, so that PostgreSQL needs only one statement.
///
/// # Errors
/// When the database fails.
pub async fn replace(tx: &DatabaseTransaction, rulebook_id: Uuid, calls: Vec<Turns<'_>>) -> Result<(), DbErr> {
    const POSTGRES: &str = "INSERT INTO call_transcripts (rulebook_id, call_id, origin, seq, role, text, offset_ms) \
        SELECT $1, t.call_id, 'report', t.seq, t.role, t.text, t.offset_ms \
        FROM jsonb_to_recordset($2) AS t (call_id text, seq bigint, role text, text text, offset_ms bigint) \
        ON CONFLICT (rulebook_id, call_id, origin, seq) DO UPDATE SET role = excluded.role, text = excluded.text, \
        offset_ms = excluded.offset_ms";
    const GONE: &str = "WITH gone AS (DELETE FROM call_transcripts AS t \
        USING jsonb_to_recordset($3) AS k (call_id text, turns bigint) \
        WHERE t.rulebook_id = $1 AND t.call_id = ANY(ARRAY(SELECT k ->> 'call_id' FROM jsonb_array_elements($3) AS k)) \
        AND t.call_id = k.call_id AND (t.origin = 'live' OR t.seq >= k.turns)) ";
    const DELETE: &str = "DELETE FROM call_transcripts WHERE rulebook_id = $1 \
        AND call_id IN (SELECT value ->> 'call_id' FROM json_each($2))";
    const SQLITE: &str = "INSERT INTO call_transcripts (rulebook_id, call_id, origin, seq, role, text, offset_ms) \
        SELECT $1, t.value ->> 'call_id', 'report', t.value ->> 'seq', t.value ->> 'role', t.value ->> 'text', \
        t.value ->> 'offset_ms' FROM json_each($2) AS t";
    let known = calls.iter().filter(|call| call.may_have);
    let known: Vec<Json> = known
        .map(|call| json!({"call_id": call.call_id, "turns": call.turns.len()}))
        .collect();
    let turns: Vec<Json> = calls.into_iter().flat_map(|call| call.turns).collect();
    let is_postgres = tx.get_database_backend() == DatabaseBackend::Postgres;
    let insert = match (is_postgres, known.is_empty()) {
        (true, true) => statement(tx, POSTGRES, [rulebook_id.into(), Json::Array(turns).into()]),
        (true, false) => {
            let sql = format!("{GONE}{POSTGRES}");
            statement(
                tx,
                &sql,
                [rulebook_id.into(), Json::Array(turns).into(), Json::Array(known).into()],
            )
        }
        (false, true) => statement(tx, SQLITE, [rulebook_id.into(), Json::Array(turns).into()]),
        (false, false) => {
            let delete: [Bind; 2] = [rulebook_id.into(), Json::Array(known).into()];
            tx.execute_raw(statement(tx, DELETE, delete)).await?;
            statement(tx, SQLITE, [rulebook_id.into(), Json::Array(turns).into()])
        }
    };
    tx.execute_raw(insert).await?;
    Ok(())
}

/// A turn heard during a call.
#[derive(Debug)]
pub struct LiveTurn<'a> {
    pub call_id: &'a str,
    pub seq: i64,
    pub role: &'a str,
    pub text: &'a str,
    pub offset_ms: Option<i64>,
}

/// Inserts each live turn once, unless the report of its call is stored. The caller has locked the rows of the calls.
///
/// # Errors
/// When the database fails.
pub async fn add_live(tx: &DatabaseTransaction, rulebook_id: Uuid, turns: &[LiveTurn<'_>]) -> Result<(), DbErr> {
    const POSTGRES: &str = "jsonb_to_recordset($2) AS t (call_id text, seq bigint, role text, text text, offset_ms bigint) \
        CROSS JOIN LATERAL (SELECT rulebook_id, id, report_at, erased_at FROM calls WHERE rulebook_id = $1 AND id = t.call_id LIMIT 1) AS c";
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
    let turns: Json = turns
        .iter()
        .map(|turn| {
            let LiveTurn {
                call_id,
                seq,
                role,
                text,
                offset_ms,
            } = turn;
            json!({"call_id": call_id, "seq": seq, "role": role, "text": text, "offset_ms": offset_ms})
        })
        .collect();
    tx.execute_raw(statement(tx, &sql, [rulebook_id.into(), turns.into()]))
        .await?;
    Ok(())
}
