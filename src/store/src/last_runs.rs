//! The time at which each job last succeeded. Jobs are the periodic work of an instance, the backup and the
//! reconciliation. All instances and commands share these times.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr};

use super::sql::statement;

/// Job name of the backup, which only a command runs.
pub const BACKUP: &str = "backup";
/// Job name of the reconciliation, which fetches from Vapi the calls that have no report.
pub const RECONCILER: &str = "reconciler";

/// Records that the job `name` succeeded at `at`. An older time never replaces a newer time.
pub async fn note(db: &impl ConnectionTrait, name: &str, at: DateTime<Utc>) -> Result<(), DbErr> {
    const SQL: &str = "INSERT INTO last_runs (name, succeeded_at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET \
        succeeded_at = excluded.succeeded_at WHERE last_runs.succeeded_at < excluded.succeeded_at";
    db.execute_raw(statement(db, SQL, [name.into(), at.into()])).await?;
    Ok(())
}

/// Returns the time of each job's last success.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<(String, DateTime<Utc>)>, DbErr> {
    const SQL: &str = "SELECT name, succeeded_at FROM last_runs ORDER BY name";
    let rows = db.query_all_raw(statement(db, SQL, [])).await?;
    let read = |row: &sea_orm::QueryResult| Ok((row.try_get("", "name")?, row.try_get("", "succeeded_at")?));
    rows.iter().map(read).collect()
}
