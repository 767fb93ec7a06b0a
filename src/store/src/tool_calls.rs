//! Tool calls of the assistant, each stored once.

use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, Value as Bind};

use crate::sql::{owned, statement};

/// A row of `tool_calls`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tool_calls")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub tool_call_id: String,
    #[sea_orm(column_type = "Text")]
    pub call_id: Option<String>,
    pub event_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub arguments: Json,
    #[sea_orm(column_type = "Text")]
    pub result: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub error: Option<String>,
    pub ok: bool,
    pub duration_us: i64,
    pub decision_id: Option<Uuid>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The data of a tool call to store.
#[derive(Debug, Clone)]
pub struct NewToolCall<'a> {
    pub rulebook_id: Uuid,
    pub id: Uuid,
    /// Vapi's id of the tool call. It is empty if Vapi sent no id.
    pub tool_call_id: &'a str,
    /// The dedupe key. A repeat of the tool call has the same key.
    pub key: &'a str,
    pub call_id: Option<&'a str>,
    /// The message that requested the tool call.
    pub event_id: Uuid,
    pub name: &'a str,
    pub arguments: &'a Json,
    /// The result, or the error.
    pub result: Result<&'a str, &'a str>,
    /// The duration in microseconds.
    pub duration_us: i64,
    /// The decision that the result is based on.
    pub decision_id: Option<Uuid>,
    pub created_at: DateTimeUtc,
}

/// Stores a tool call. Returns false if the tool call is stored already.
///
/// # Errors
/// When the database fails.
pub async fn insert(tx: &DatabaseTransaction, tool: &NewToolCall<'_>) -> Result<bool, DbErr> {
    const SQL: &str = "INSERT INTO tool_calls (rulebook_id, id, tool_call_id, call_id, event_id, name, arguments, result, \
        error, ok, duration_us, decision_id, created_at, dedupe_key) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
        ON CONFLICT (rulebook_id, dedupe_key) DO NOTHING";
    let values: [Bind; 14] = [
        tool.rulebook_id.into(),
        tool.id.into(),
        tool.tool_call_id.into(),
        owned(tool.call_id),
        tool.event_id.into(),
        tool.name.into(),
        tool.arguments.clone().into(),
        owned(tool.result.ok()),
        owned(tool.result.err()),
        tool.result.is_ok().into(),
        tool.duration_us.into(),
        tool.decision_id.into(),
        tool.created_at.into(),
        tool.key.into(),
    ];
    Ok(tx.execute_raw(statement(tx, SQL, values)).await?.rows_affected() == 1)
}

/// Returns the stored result of a tool call. Returns `None` if no result is stored.
///
/// # Errors
/// When the database fails.
pub async fn stored_result(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    key: &str,
) -> Result<Option<Result<String, String>>, DbErr> {
    const SQL: &str = "SELECT result, error FROM tool_calls WHERE rulebook_id = $1 AND dedupe_key = $2";
    let values: [Bind; 2] = [rulebook_id.into(), key.into()];
    let Some(row) = tx.query_one_raw(statement(tx, SQL, values)).await? else {
        return Ok(None);
    };
    let result: Option<String> = row.try_get("", "result")?;
    let error: Option<String> = row.try_get("", "error")?;
    Ok(Some(result.ok_or_else(|| error.unwrap_or_default())))
}
