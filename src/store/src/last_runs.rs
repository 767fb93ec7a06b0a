//! The times at which periodic work, the backup and the reconciliation last succeeded. They succeeded on any instance,
//! or through a command.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr};

use super::sql::statement;

/// Name of the backup, which only a command runs.
pub const BACKUP: &str = "backup";
/// Name of the reconciliation, which fetches calls without a report from Vapi.
pub const RECONCILER: &str = "reconciler";

/// Records that `name` succeeded. An older time never replaces a newer time.
pub async fn note(db: &impl ConnectionTrait, name: &str, at: DateTime<Utc>) -> Result<(), DbErr> {
    const SQL: &str = "INSERT INTO last_runs (name, succeeded_at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET \
        succeeded_at = excluded.succeeded_at WHERE last_runs.succeeded_at < excluded.succeeded_at";
    db.execute_raw(statement(db, SQL, [name.into(), at.into()])).await?;
    Ok(())
}

/// The last success of each job.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<(String, DateTime<Utc>)>, DbErr> {
    const SQL: &str = "SELECT name, succeeded_at FROM last_runs ORDER BY name";
    let rows = db.query_all_raw(statement(db, SQL, [])).await?;
    let read = |row: &sea_orm::QueryResult| Ok((row.try_get("", "name")?, row.try_get("", "succeeded_at")?));
    rows.iter().map(read).collect()
}
