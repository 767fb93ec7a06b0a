//! Opens and closes single connections to PostgreSQL, with the options that the pools use too.

use std::time::{Duration, Instant};

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _};
use sea_orm::{DbErr, RuntimeErr};

use crate::Database;
use crate::connect::pool_use::Use;

/// Timeout for opening a connection, and for one query.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Number of prepared statements that a connection caches. Each combination of a statement and a number of rows needs
/// one prepared statement. Loads with 1 to 64 connections used 158 prepared statements in total. If the cache were too
/// small, a connection would leave prepared statements on the server until the connection ends.
pub const PREPARED_STATEMENTS: usize = 250;

/// Our `application_name` in PostgreSQL.
pub(crate) const APPLICATION: &str = "ringbook";

/// Returns the options without `extra_float_digits`, which PgBouncer rejects. Ringbook stores no floating-point number
/// and does not need this option.
pub(crate) fn plain(options: PgConnectOptions) -> PgConnectOptions {
    options
        .extra_float_digits(None)
        .application_name(APPLICATION)
        .disable_statement_logging()
}

/// Adds the timeouts of a use to the startup parameter `options`.
pub(crate) fn with_limits(options: PgConnectOptions, usage: Use) -> PgConnectOptions {
    plain(options).options(usage.session_settings())
}

pub(super) fn parse(database: &Database) -> Result<PgConnectOptions, DbErr> {
    let parsed = database.url().parse::<PgConnectOptions>();
    parsed.map_err(|error| DbErr::Conn(RuntimeErr::Internal(error.to_string())))
}

pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let connecting = PgConnection::connect_with(options);
    tokio::time::timeout(ANSWER_TIMEOUT, connecting)
        .await
        .map_err(|_| sqlx::Error::PoolTimedOut)?
}

/// Connects. Retries until the timeout while the server starts or allows no more connections.
pub(super) async fn connect_patiently(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let began = Instant::now();
    loop {
        let passes = match connect(options).await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        let is_passing = match &passes {
            sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
            sqlx::Error::Database(error) => error.is_transient_in_connect_phase(),
            _ => false,
        };
        if !is_passing || began.elapsed() > ANSWER_TIMEOUT {
            return Err(passes);
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
}

/// Closes a connection, or drops it if closing fails.
pub(super) async fn close(connection: PgConnection) {
    let closed = tokio::time::timeout(ANSWER_TIMEOUT, connection.close()).await;
    if !matches!(closed, Ok(Ok(()))) {
        tracing::debug!("a connection did not close");
    }
}

/// Whether a pooler rejected a startup parameter.
pub(super) fn refuses_a_startup_parameter(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.message().contains("startup parameter"))
}
