//! How a transaction begins and ends.
//!
//! In: the connection for writing. Out: a transaction that waits for its turn instead of failing half-way. The only
//! opener of transactions: begin it in a task of its own, never directly in a handler's future, because a client that
//! hangs up cancels the future and a cancelled `begin` can leave a pooled PostgreSQL connection unusable.

use std::ops::Deref;

use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait as _,
};

use super::{connect, trial};

/// A transaction that was begun; dropped, it is rolled back.
pub struct Transaction {
    inner: DatabaseTransaction,
    /// Whether nothing of it may remain.
    trial: bool,
}

impl Transaction {
    /// Ends it so that everything remains; in a [`trial`], so that nothing does.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn commit(self) -> Result<(), DbErr> {
        if self.trial {
            self.inner.rollback().await
        } else {
            self.inner.commit().await
        }
    }

    /// Ends it so that nothing remains.
    ///
    /// # Errors
    /// When the database does not answer.
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

/// Begins a transaction: IMMEDIATE on SQLite (a deferred one that reads before it writes fails at once when another has
/// written in between). On PostgreSQL the connection itself says READ COMMITTED (`connect.rs`): said here, it would cost
/// every message a round trip, which only a pooler that keeps it from the server makes necessary.
#[expect(clippy::disallowed_methods, reason = "the one opener of transactions")]
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
    let trial = trial::is_on();
    Ok(Transaction { inner, trial })
}
