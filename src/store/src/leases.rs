//! Leases: who does a piece of background work, and until when.
//!
//! In: a name, a holder and the time. Out: a fencing number that only rises. A row is never deleted, or its number would
//! begin anew. The clocks of the instances may differ: then two may believe for a moment that they hold a lease, but only
//! the greatest number stands, and that is asked in the transaction that writes.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr};
use uuid::Uuid;

use super::sql::statement;

/// A lease that was taken: whoever writes under it asks first whether it [`stands`](Lease::stands).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What work it is for.
    pub name: &'static str,
    /// Its fencing number.
    pub fence: i64,
}

impl Lease {
    /// Whether nobody has taken the lease since, and nobody will before this transaction ends.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stands(&self, tx: &DatabaseTransaction) -> Result<bool, DbErr> {
        const SQLITE: &str = "SELECT fence FROM leases WHERE name = $1 AND fence = $2";
        // Whoever would take it waits for this transaction. SQLite has one writer anyway.
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

/// Whether a lease could be taken now: asked first, so that whoever waits for one never takes SQLite's write lock.
///
/// # Errors
/// When the database does not answer.
pub async fn is_free(db: &impl ConnectionTrait, name: &str, now: DateTime<Utc>) -> Result<bool, DbErr> {
    const SQL: &str = "SELECT name FROM leases WHERE name = $1 AND until > $2";
    let held = db.query_one_raw(statement(db, SQL, [name.into(), now.into()])).await?;
    Ok(held.is_none())
}

/// Takes a lease that is free until an instant. Out: its fencing number; none when somebody holds it.
///
/// # Errors
/// When the database does not take it.
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

/// Ends the rest that a holder keeps a lease for, so that whoever polls next does the work at once. One that works goes on: its
/// fencing number stays, and it renews.
///
/// # Errors
/// When the database does not take it.
pub async fn end_rest(tx: &DatabaseTransaction, name: &str, now: DateTime<Utc>) -> Result<(), DbErr> {
    const SQL: &str = "UPDATE leases SET until = $2 WHERE name = $1 AND until > $2";
    tx.execute_raw(statement(tx, SQL, [name.into(), now.into()])).await?;
    Ok(())
}

/// Moves the end of a lease, while it stands. Out: whether it does.
///
/// # Errors
/// When the database does not take it.
pub async fn hold_until(tx: &DatabaseTransaction, lease: &Lease, until: DateTime<Utc>) -> Result<bool, DbErr> {
    const SQL: &str = "UPDATE leases SET until = $3 WHERE name = $1 AND fence = $2";
    let values = [lease.name.into(), lease.fence.into(), until.into()];
    Ok(tx.execute_raw(statement(tx, SQL, values)).await?.rows_affected() == 1)
}
