//! Opens one pool with the settings of its use. A new SQLite file is readable only by its owner.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use sea_orm::sqlx::pool::PoolOptions;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, AssertSqlSafe, Connection as _, Sqlite};
use sea_orm::{ConnectOptions, Database as SeaOrm, DatabaseConnection};

use super::pool_use::Use;
use super::{ConnectError, place};
use crate::Database;
use crate::postgres_limits::{APPLICATION, PREPARED_STATEMENTS, PoolPlan, TimeLimits, plain, with_limits};

/// How long SQLite waits for the file lock of another process.
const BUSY: Duration = Duration::from_secs(5);
/// A connection that was idle for longer than this is tested before use.
const TRY_WHEN_IDLE: Duration = Duration::from_secs(10);

/// A connection to PostgreSQL that was idle for longer than this is closed. If connections are scarce, another pool may
/// need the slot.
const GIVEN_UP_WHEN_IDLE: Duration = Duration::from_mins(1);
const SQLITE_READERS: u32 = 4;

/// Closes a released connection that is still inside a transaction. SQLite ends a transaction by itself when the disk
/// is full, and after some other errors. sqlx 0.9.0 then fails to roll the transaction back, and treats every later
/// transaction on the connection as a nested transaction. Ringbook would acknowledge those later transactions, but they
/// would never be committed.
pub(super) fn only_whole(pool: PoolOptions<Sqlite>) -> PoolOptions<Sqlite> {
    pool.after_release(|connection, _| {
        Box::pin(async move {
            // The ping runs after anything that is still queued, such as the rollback of a dropped transaction.
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        })
    })
}

/// Creates the database file so that only its owner can read it. The file contains callers' data. SQLite gives its
/// other files the same permissions. An existing file keeps its permissions. An error is ignored here, because SQLite
/// reports it when it opens the file.
fn make_private(file: &Path) {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.open(file);
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Now,
    Used,
}

pub(super) async fn open_pool(
    database: &Database,
    usage: Use,
    when: When,
    plan: PoolPlan,
) -> Result<DatabaseConnection, ConnectError> {
    if let Some(folder) = database.file().and_then(|file| file.parent())
        && !folder.as_os_str().is_empty()
        && !folder.is_dir()
    {
        return Err(ConnectError::NoFolder(folder.to_owned()));
    }
    if usage != Use::Read
        && let Some(file) = database.file().filter(|file| *file != Path::new(":memory:"))
    {
        make_private(file);
    }
    let mut options = ConnectOptions::new(database.url());
    options
        .acquire_timeout(usage.acquire_timeout())
        .connect_lazy(when == When::Used)
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    match database {
        Database::Sqlite(_) => sqlite(&mut options, usage),
        Database::Postgres(_) => postgres(&mut options, usage, plan),
    }
    SeaOrm::connect(options).await.map_err(|source| ConnectError::Open {
        place: place(database),
        source,
    })
}

fn sqlite(options: &mut ConnectOptions, usage: Use) {
    options.max_connections(if usage == Use::Read { SQLITE_READERS } else { 1 });
    options.test_before_acquire(false).idle_timeout(None).max_lifetime(None);
    options.map_sqlx_sqlite_pool_opts(only_whole);
    options.map_sqlx_sqlite_opts(move |sqlite| {
        let sqlite = sqlite
            .create_if_missing(usage != Use::Read)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .foreign_keys(true);
        if usage == Use::Read {
            sqlite.pragma("query_only", "on")
        } else {
            sqlite
        }
    });
}

fn postgres(options: &mut ConnectOptions, usage: Use, plan: PoolPlan) {
    options
        .max_connections(usage.connections(plan))
        .test_before_acquire_if_idle_for(TRY_WHEN_IDLE)
        .idle_timeout(GIVEN_UP_WHEN_IDLE);
    options.set_application_name(APPLICATION);
    let at_startup = plan.limits == TimeLimits::AtStartup;
    let names_capacity = options.get_url().contains("statement-cache-capacity=");
    options.map_sqlx_postgres_opts(move |mut postgres| {
        if !names_capacity {
            postgres = postgres.statement_cache_capacity(PREPARED_STATEMENTS);
        }
        if at_startup {
            with_limits(postgres, usage)
        } else {
            plain(postgres)
        }
    });
    if usage == Use::Migrate && !at_startup {
        // Migrations begin their own transactions, so set their timeouts for the whole session.
        options.map_sqlx_postgres_pool_opts(|pool| {
            pool.after_connect(|connection, _| {
                Box::pin(async move {
                    let settings = Use::Migrate.session_settings();
                    for (name, value) in settings {
                        let set = format!("SET {name} = '{value}'");
                        sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut *connection).await?;
                    }
                    Ok(())
                })
            })
        });
    }
}
