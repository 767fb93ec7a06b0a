//! Tests whether the database responds and can be written to, and closes idle connections: those that
//! do not respond, or all of them to make room.

use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, Row as _};
use sea_orm::{DatabaseConnection, DbBackend};
use tokio::task::JoinSet;

use super::single_connection::{ANSWER_TIMEOUT, close, connect, parse, plain, with_limits};
use super::{PoolPlan, TimeLimits};
use crate::Database;
use crate::connect::pool_use::Use;

/// Opens a connection with the settings for messages, and checks that the connection can write. If the check fails,
/// returns the reason.
pub async fn is_reachable(database: &Database, plan: PoolPlan) -> Result<(), Unreachable> {
    let options = parse(database).map_err(|error| Unreachable::Away(error.to_string()))?;
    let options = match plan.limits {
        TimeLimits::AtStartup => with_limits(options, Use::Messages),
        TimeLimits::PerTransaction => plain(options),
    };
    let mut connection = connect(&options).await.map_err(|error| Unreachable::of(&error))?;
    let writable = tokio::time::timeout(ANSWER_TIMEOUT, is_writable(&mut connection)).await;
    close(connection).await;
    match writable {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(Unreachable::Away("it is read-only".to_owned())),
        Ok(Err(error)) => Err(Unreachable::of(&error)),
        Err(_) => Err(Unreachable::Silent),
    }
}

/// Why a new connection cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// The server, the database, the role or the pooler allows no more connections.
    TooMany(String),
    /// The server accepts connections but does not respond. For example, the network loses packets, or a pooler waits
    /// for a free session.
    Silent,
    Away(String),
}

impl Unreachable {
    fn of(error: &sqlx::Error) -> Self {
        let text = error.to_string();
        match error {
            sqlx::Error::Database(database) if database.code().as_deref() == Some("53300") => Self::TooMany(text),
            // The error about PgBouncer's own limit has no error code.
            sqlx::Error::Database(database) if database.message().contains("no more connections allowed") => {
                Self::TooMany(text)
            }
            sqlx::Error::PoolTimedOut => Self::Silent,
            _ => Self::Away(text),
        }
    }
}

/// Closes the idle connections of a pool, so that another pool can use their slots.
pub fn give_back(db: &DatabaseConnection) {
    if db.get_database_backend() != DbBackend::Postgres {
        return;
    }
    let pool = db.get_postgres_connection_pool();
    for _ in 0..pool.num_idle() {
        let Some(connection) = pool.try_acquire() else { break };
        tokio::spawn(close(connection.detach()));
    }
}

/// Closes the idle connections of a pool that do not respond or are read-only, so that the pool replaces them. Other
/// connections stay open, because the database may not allow new connections.
pub async fn close_dead(db: &DatabaseConnection, patience: Duration) {
    if db.get_database_backend() != DbBackend::Postgres {
        return;
    }
    let pool = db.get_postgres_connection_pool();
    let mut asked = JoinSet::new();
    for _ in 0..pool.num_idle() {
        let Some(mut connection) = pool.try_acquire() else {
            break;
        };
        asked.spawn(async move {
            let answer = tokio::time::timeout(patience, is_writable(&mut connection)).await;
            if !matches!(answer, Ok(Ok(true))) {
                // If this connection were returned to the pool, the pool would wait for the same connection again.
                drop(connection.detach());
            }
        });
    }
    asked.join_all().await;
}

async fn is_writable(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let row = sqlx::raw_sql("SHOW transaction_read_only")
        .fetch_one(connection)
        .await?;
    Ok(row.try_get::<String, _>(0)? == "off")
}
