//! Leases: which instance runs each background job, and until when.
//!
//! A row is never deleted, because its fencing token must never decrease. The clocks of instances may differ, so two
//! instances may briefly believe that they hold the same lease. Only the greatest token is valid, and every writing
//! transaction checks its token.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr};
use uuid::Uuid;

use super::sql::statement;

/// A lease of this process. Every transaction that writes under the lease must first check that the lease is still
/// valid ([`stands`](Lease::stands)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The name of the job.
    pub name: &'static str,
    /// The fencing token.
    pub fence: i64,
}

impl Lease {
    /// Whether the lease is still valid. If so, no other instance can acquire it before this transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stands(&self, tx: &DatabaseTransaction) -> Result<bool, DbErr> {
        const SQLITE: &str = "SELECT fence FROM leases WHERE name = $1 AND fence = $2";
        // Because of `FOR SHARE`, another instance that wants the lease waits for this transaction. SQLite needs no
        // lock, because it has only one writer.
        const POSTGRES: &str = "SELECT fence FROM leases WHERE name = $1 AND fence = $2 FOR SHARE";
        let sql = if tx.get_database_backend() == DatabaseBackend::Postgres {
            POSTGRES
        } else {
            SQLITE
        };
        let found = tx.query_one_raw(statement(tx, sql, [self.name.into(), self.fence.into()]));
        Ok(found.await?.is_some())
    }
}

/// Whether a lease could be acquired now. Call this function first, so that an instance that waits for a lease never
/// blocks SQLite's other writers.
///
/// # Errors
/// When the database fails.
pub async fn is_free(db: &impl ConnectionTrait, name: &str, now: DateTime<Utc>) -> Result<bool, DbErr> {
    const SQL: &str = "SELECT name FROM leases WHERE name = $1 AND until > $2";
    let held = db.query_one_raw(statement(db, SQL, [name.into(), now.into()])).await?;
    Ok(held.is_none())
}

/// Acquires a lease until `until`, if the lease is free. Returns the fencing token, or `None` if another holder has the
/// lease.
///
/// # Errors
/// When the database fails.
pub async fn take(
    tx: &DatabaseTransaction,
    name: &str,
    holder: Uuid,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Option<i64>, DbErr> {
    const SQL: &str = "INSERT INTO leases (name, fence, holder, taken_at, until) VALUES ($1, 1, $2, $3, $4) \
        ON CONFLICT (name) DO UPDATE SET fence = leases.fence + 1, holder = excluded.holder, \
        taken_at = excluded.taken_at, until = excluded.until WHERE leases.until <= excluded.taken_at RETURNING fence";
    let values = [name.into(), holder.into(), now.into(), until.into()];
    let row = tx.query_one_raw(statement(tx, SQL, values)).await?;
    row.map(|row| row.try_get("", "fence")).transpose()
}

/// Ends a lease now, so that the next instance that polls does the job immediately. Call this function while the holder
/// only waits for its next run. A holder that is working continues, because its fencing token is unchanged and the
/// holder renews the lease.
///
/// # Errors
/// When the database fails.
pub async fn end_rest(tx: &DatabaseTransaction, name: &str, now: DateTime<Utc>) -> Result<(), DbErr> {
    const SQL: &str = "UPDATE leases SET until = $2 WHERE name = $1 AND until > $2";
    tx.execute_raw(statement(tx, SQL, [name.into(), now.into()])).await?;
    Ok(())
}

/// Sets the end of a lease to `until`, if the lease is still valid. Returns whether the lease was valid.
///
/// # Errors
/// When the database fails.
pub async fn hold_until(tx: &DatabaseTransaction, lease: &Lease, until: DateTime<Utc>) -> Result<bool, DbErr> {
    const SQL: &str = "UPDATE leases SET until = $3 WHERE name = $1 AND fence = $2";
    let values = [lease.name.into(), lease.fence.into(), until.into()];
    Ok(tx.execute_raw(statement(tx, SQL, values)).await?.rows_affected() == 1)
}
