//! Transcripts of calls, one row per turn: live turns, later replaced by the report's.

use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseBackend, DatabaseTransaction, Value as Bind};

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

/// Replaces the call's turns by the report's, a JSON array of `{seq, role, text, offset_ms}` numbered from 0. The
/// caller has locked the call's row. Existing turns are overwritten rather than deleted and inserted, so that
/// PostgreSQL needs one statement.
///
/// # Errors
/// When the database fails.
pub async fn replace(tx: &DatabaseTransaction, rulebook_id: Uuid, call_id: &str, turns: Json) -> Result<(), DbErr> {
    const POSTGRES: &str = "WITH gone AS (DELETE FROM call_transcripts WHERE rulebook_id = $1 AND call_id = $2 \
        AND (origin = 'live' OR seq >= jsonb_array_length($3))) \
        INSERT INTO call_transcripts (rulebook_id, call_id, origin, seq, role, text, offset_ms) \
        SELECT $1, $2, 'report', t.seq, t.role, t.text, t.offset_ms \
        FROM jsonb_to_recordset($3) AS t (seq bigint, role text, text text, offset_ms bigint) \
        ON CONFLICT (rulebook_id, call_id, origin, seq) DO UPDATE SET role = excluded.role, text = excluded.text, \
        offset_ms = excluded.offset_ms";
    const DELETE: &str = "DELETE FROM call_transcripts WHERE rulebook_id = $1 AND call_id = $2";
    const SQLITE: &str = "INSERT INTO call_transcripts (rulebook_id, call_id, origin, seq, role, text, offset_ms) \
        SELECT $1, $2, 'report', t.value ->> 'seq', t.value ->> 'role', t.value ->> 'text', t.value ->> 'offset_ms' \
        FROM json_each($3) AS t";
    let sql = if tx.get_database_backend() == DatabaseBackend::Postgres {
        POSTGRES
    } else {
        tx.execute_raw(statement(tx, DELETE, [rulebook_id.into(), call_id.into()]))
            .await?;
        SQLITE
    };
    tx.execute_raw(statement(tx, sql, [rulebook_id.into(), call_id.into(), turns.into()]))
        .await?;
    Ok(())
}

/// Inserts a live turn, once, unless the report's turns are stored. The caller has locked the call's row.
///
/// # Errors
/// When the database fails.
pub async fn add_live(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call_id: &str,
    seq: i64,
    role: &str,
    text: &str,
    offset_ms: Option<i64>,
) -> Result<(), DbErr> {
    const SQL: &str = "INSERT INTO call_transcripts (rulebook_id, call_id, origin, seq, role, text, offset_ms) \
        SELECT c.rulebook_id, c.id, 'live', $3, $4, $5, $6 FROM calls c \
        WHERE c.rulebook_id = $1 AND c.id = $2 AND c.report_at IS NULL AND c.erased_at IS NULL \
        ON CONFLICT (rulebook_id, call_id, origin, seq) DO NOTHING";
    let values: [Bind; 6] = [
        rulebook_id.into(),
        call_id.into(),
        seq.into(),
        role.into(),
        text.into(),
        offset_ms.into(),
    ];
    tx.execute_raw(statement(tx, SQL, values)).await?;
    Ok(())
}
