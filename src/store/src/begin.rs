//! Begins and ends transactions.
//!
//! No other module opens a transaction. Begin a transaction in a separate task, never directly in the future of a
//! handler. When a client disconnects, that future is dropped. A dropped `begin` can leave a pooled PostgreSQL
//! connection unusable.

use std::ops::Deref;

use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait as _,
};

use super::connect;
use super::dry_run;

/// An open transaction. Dropping the transaction rolls it back.
pub struct Transaction {
    inner: DatabaseTransaction,
    /// Whether the transaction is part of a dry run. A transaction of a dry run never commits.
    trial: bool,
}

impl Transaction {
    /// Commits the transaction, or rolls it back in a dry run ([`dry_run`]).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn commit(self) -> Result<(), DbErr> {
        if self.trial {
            self.inner.rollback().await
        } else {
            self.inner.commit().await
        }
    }

    /// Rolls the transaction back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rollback(self) -> Result<(), DbErr> {
        self.inner.rollback().await
    }
}

impl Deref for Transaction {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

/// Begins a transaction. On SQLite the transaction is IMMEDIATE. A deferred transaction that reads before it writes
/// would fail if another transaction has written in between. On PostgreSQL a setting of the session
/// (`connect/pool_use.rs`) makes the transaction READ COMMITTED. Setting the isolation level here would cost every
/// message a round trip. Only some poolers make a separate statement necessary.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the only function that opens transactions"
)]
pub async fn begin(db: &DatabaseConnection) -> Result<Transaction, DbErr> {
    let sqlite = db.get_database_backend() == DbBackend::Sqlite;
    let options = TransactionOptions {
        sqlite_transaction_mode: sqlite.then_some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let inner = db.begin_with_options(options).await?;
    if let Some(limits) = connect::limits_of_transactions(db) {
        inner.execute_unprepared(&limits).await?;
    }
    let trial = dry_run::is_on();
    Ok(Transaction { inner, trial })
}
