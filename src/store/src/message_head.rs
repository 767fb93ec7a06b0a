//! What a message begins from: the head revision and what is known of its call.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseTransaction, DbErr};
use uuid::Uuid;

use super::sql::statement;

/// What the transaction begins from: the head, and what is known of the call.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The revision that decides.
    pub revision: i64,
    /// The version of the webhook's settings and secrets.
    pub auth_version: i64,
    /// The call, if it is known.
    pub call: Option<KnownCall>,
}

/// What is known of a call before this message.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownCall {
    /// Whether its report has been recorded.
    pub reported: bool,
    /// Whether the caller's data was erased.
    pub erased: bool,
}

/// Reads the head and what is known of the call, and holds the call's row until the transaction ends: what one message
/// adds and what a deletion takes away must not pass each other unseen.
///
/// # Errors
/// When the database does not answer, or the rulebook is gone.
pub async fn read(tx: &DatabaseTransaction, rulebook_id: Uuid, call_id: Option<&str>) -> Result<Head, DbErr> {
    const SQLITE: &str = "SELECT r.head_revision, r.auth_version, c.id AS call_id, c.report_at, c.erased_at \
        FROM rulebooks r \
        LEFT JOIN calls c ON c.rulebook_id = r.id AND c.id = $2 \
        WHERE r.id = $1";
    // A lock waits for whoever holds the row and then reads it as it has become. SQLite has one writer at a time.
    const POSTGRES: &str = "WITH c AS (SELECT id, report_at, erased_at FROM calls \
        WHERE rulebook_id = $1 AND id = $2 FOR NO KEY UPDATE) \
        SELECT r.head_revision, r.auth_version, c.id AS call_id, c.report_at, c.erased_at \
        FROM rulebooks r LEFT JOIN c ON true \
        WHERE r.id = $1";
    let sql = if tx.get_database_backend() == DatabaseBackend::Postgres {
        POSTGRES
    } else {
        SQLITE
    };
    let row = tx
        .query_one_raw(statement(
            tx,
            sql,
            [rulebook_id.into(), call_id.map(ToOwned::to_owned).into()],
        ))
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("the rulebook".to_owned()))?;
    let call = match row.try_get::<Option<String>>("", "call_id")? {
        None => None,
        Some(_) => Some(KnownCall {
            reported: row.try_get::<Option<DateTime<Utc>>>("", "report_at")?.is_some(),
            erased: row.try_get::<Option<DateTime<Utc>>>("", "erased_at")?.is_some(),
        }),
    };
    Ok(Head {
        revision: row.try_get("", "head_revision")?,
        auth_version: row.try_get("", "auth_version")?,
        call,
    })
}
