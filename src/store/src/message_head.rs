//! Reads the data that a transaction needs before it processes a message: the head revision and the known state of the
//! call.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseTransaction, DbErr};
use serde_json::json;
use uuid::Uuid;

use super::sql::statement;

/// The data that a transaction needs before it processes a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The head revision, whose rules decide the call.
    pub revision: i64,
    /// The version of the webhook's settings and secrets.
    pub auth_version: i64,
    /// The state of the call. `None` if the message has no call, or if the call is not stored yet.
    pub call: Option<KnownCall>,
}

/// The state of a call before this message.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownCall {
    /// Whether the report of the call has been recorded.
    pub reported: bool,
    /// Whether the caller's data was erased.
    pub erased: bool,
}

/// The data that a transaction needs before it processes several messages. All these messages belong to one rulebook.
#[derive(Debug, Clone, PartialEq)]
pub struct Heads {
    revision: i64,
    auth_version: i64,
    calls: HashMap<String, KnownCall>,
}

impl Heads {
    /// Returns the data for a message about this call.
    #[must_use]
    pub fn of(&self, call_id: Option<&str>) -> Head {
        Head {
            revision: self.revision,
            auth_version: self.auth_version,
            call: call_id.and_then(|id| self.calls.get(id)).cloned(),
        }
    }
}

/// Reads the head and the known state of the call, and locks the row of the call until the transaction ends. The lock
/// makes sure that a message and an erasure of the same call see each other's writes.
///
/// # Errors
/// When the database fails, or the rulebook does not exist.
pub async fn read(tx: &DatabaseTransaction, rulebook_id: Uuid, call_id: Option<&str>) -> Result<Head, DbErr> {
    let calls: Vec<&str> = call_id.into_iter().collect();
    Ok(read_each(tx, rulebook_id, &calls).await?.of(call_id))
}

/// Does the same as [`read`] for messages of several calls. Locks the rows of all these calls.
///
/// # Errors
/// The same errors as [`read`].
pub async fn read_each(tx: &DatabaseTransaction, rulebook_id: Uuid, call_ids: &[&str]) -> Result<Heads, DbErr> {
    const SQLITE: &str = "SELECT r.head_revision, r.auth_version, c.id AS call_id, c.report_at, c.erased_at \
        FROM rulebooks r \
        LEFT JOIN calls c ON c.rulebook_id = r.id AND c.id IN (SELECT value FROM json_each($2)) \
        WHERE r.id = $1";
    // `FOR NO KEY UPDATE` waits for the transaction that has locked the row, and then reads the updated row. All
    // transactions lock rows in the order of `call_ids`, which is byte order, to avoid deadlocks. SQLite needs no lock,
    // because it has only one writer. `LATERAL` forces one index lookup per call. Without `LATERAL`, the planner would
    // read all calls of the rulebook while the statistics say that the table is empty.
    const POSTGRES: &str = "WITH c AS (SELECT l.* FROM jsonb_array_elements_text($2) AS asked (id) \
        CROSS JOIN LATERAL (SELECT id, report_at, erased_at FROM calls \
        WHERE rulebook_id = $1 AND id = asked.id FOR NO KEY UPDATE) AS l) \
        SELECT r.head_revision, r.auth_version, c.id AS call_id, c.report_at, c.erased_at \
        FROM rulebooks r LEFT JOIN c ON true \
        WHERE r.id = $1";
    let sql = if tx.get_database_backend() == DatabaseBackend::Postgres {
        POSTGRES
    } else {
        SQLITE
    };
    let asked = statement(tx, sql, [rulebook_id.into(), json!(call_ids).into()]);
    let rows = tx.query_all_raw(asked).await?;
    let first = rows
        .first()
        .ok_or_else(|| DbErr::RecordNotFound("the rulebook".to_owned()))?;
    let mut heads = Heads {
        revision: first.try_get("", "head_revision")?,
        auth_version: first.try_get("", "auth_version")?,
        calls: HashMap::new(),
    };
    for row in &rows {
        let Some(id) = row.try_get::<Option<String>>("", "call_id")? else {
            continue;
        };
        let call = KnownCall {
            reported: row.try_get::<Option<DateTime<Utc>>>("", "report_at")?.is_some(),
            erased: row.try_get::<Option<DateTime<Utc>>>("", "erased_at")?.is_some(),
        };
        heads.calls.insert(id, call);
    }
    Ok(heads)
}
