//! How a transaction begins.
//!
//! In: the connection for writing. Out: a transaction that waits for its turn instead of failing half-way. The only
//! opener of transactions: begin it in a task of its own, never directly in a handler's future, because a client that
//! hangs up cancels the future and a cancelled `begin` can leave a pooled PostgreSQL connection unusable.

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait as _,
};

/// Begins a transaction: IMMEDIATE on SQLite (a deferred one that reads before it writes fails at once when another has
/// written in between). On PostgreSQL the connection itself says READ COMMITTED (`connect.rs`): said here, it would cost
/// every message a round trip.
#[expect(clippy::disallowed_methods, reason = "the one opener of transactions")]
pub async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let sqlite = db.get_database_backend() == DbBackend::Sqlite;
    let options = TransactionOptions {
        sqlite_transaction_mode: sqlite.then_some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    db.begin_with_options(options).await
}
