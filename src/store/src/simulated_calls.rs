//! Deletes simulated calls. Each call and all rows that refer to it are deleted in one transaction.

use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr, Statement, Value as Bind};
use uuid::Uuid;

use super::calls::SIMULATED_PREFIX;
use super::sql::statement;

/// Calls per transaction.
const BATCH: usize = 50;

/// Tables in dependency order. Each table is listed with the column that contains the id of the call. Rows of
/// `sms_attempts` and `sms_status_callbacks` are deleted by cascade.
const TABLES: [(&str, &str); 9] = [
    ("sms_messages", "call_id"),
    ("escalations", "call_id"),
    ("decision_feedback", "call_id"),
    ("leads", "call_id"),
    ("tool_calls", "call_id"),
    ("decisions", "call_id"),
    ("webhook_events", "call_id"),
    ("call_transcripts", "call_id"),
    ("calls", "id"),
];

/// Deletes a batch of simulated calls of a rulebook. Returns how many calls were deleted, or 0 if no simulated call is
/// left.
///
/// # Errors
/// When the database fails.
pub async fn remove_some(tx: &DatabaseTransaction, rulebook_id: Uuid) -> Result<usize, DbErr> {
    // The query also reads events, because an event may be stored before its call.
    let sql = format!(
        "SELECT id FROM (SELECT id FROM calls WHERE rulebook_id = $1 AND id LIKE '{SIMULATED_PREFIX}%' \
         UNION SELECT call_id AS id FROM webhook_events WHERE rulebook_id = $1 AND call_id LIKE '{SIMULATED_PREFIX}%') f \
         LIMIT {BATCH}"
    );
    let rows = tx.query_all_raw(statement(tx, &sql, [rulebook_id.into()])).await?;
    let ids: Vec<String> = rows
        .iter()
        .map(|row| row.try_get_by_index(0))
        .collect::<Result<_, _>>()?;
    if ids.is_empty() {
        return Ok(0);
    }
    let places: Vec<String> = (2..ids.len() + 2).map(|place| format!("${place}")).collect();
    let places = places.join(", ");
    for (table, column) in TABLES {
        let sql = format!("DELETE FROM {table} WHERE rulebook_id = $1 AND {column} IN ({places})");
        let binds = std::iter::once(Bind::from(rulebook_id)).chain(ids.iter().map(|id| Bind::from(id.as_str())));
        let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, binds);
        tx.execute_raw(statement).await?;
    }
    Ok(ids.len())
}
