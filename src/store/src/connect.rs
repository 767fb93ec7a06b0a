//! Opens the database: a pool for messages, a pool for writes and a pool for reads.
//!
//! On SQLite, a single connection writes, and the other connections are read-only. An acknowledged commit is on disk
//! (WAL, synchronous FULL). On PostgreSQL, statements, locks and idle transactions have timeouts.
//! [`super::postgres_limits`] finds out where these timeouts can be set. No pool logs statements, because their values
//! are callers' data.
//!
//! `pool_use` has the settings of each pool, and `open_pool` opens a pool with them.

mod open_pool;
pub(super) mod pool_use;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database as SeaOrm, DatabaseConnection, DbBackend, DbErr, Statement,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};

use self::open_pool::{When, only_whole, open_pool};
pub(super) use self::pool_use::limits_of_transactions;
use self::pool_use::{ACQUIRE, Use};
use super::Database;
use super::postgres_limits;
use super::postgres_limits::{DEFAULT_CONNECTIONS, PoolPlan, ServerError, Survey};
use super::replica::Replica;

/// Why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The folder of the database file does not exist.
    #[error("the folder {} for the database does not exist; create it or change DATABASE_URL", .0.display())]
    NoFolder(PathBuf),
    /// No server was ever started on this database.
    #[error(
        "there is no Ringbook database at {0} (DATABASE_URL), and this command does not create one: run the command in \
         the server's folder, or set DATABASE_URL to the server's value; `ringbook` creates a new database"
    )]
    Missing(String),
    /// The file cannot be opened, or the server rejects the connection.
    #[error("the database {place} cannot be opened (DATABASE_URL)")]
    Open {
        /// The location of the database, without its password.
        place: String,
        /// The cause.
        #[source]
        source: DbErr,
    },
    /// The pooler in front of the server cannot be used.
    #[error("the database {place} cannot be used (DATABASE_URL): {why}")]
    Pooler {
        /// The location of the database, without its password.
        place: String,
        /// The reason, and what to do.
        why: ServerError,
    },
}

impl ConnectError {
    fn of(database: &Database, error: ServerError) -> Self {
        let place = place(database);
        match error {
            ServerError::Database(source) => Self::Open { place, source },
            why @ ServerError::LosesPreparedStatements => Self::Pooler { place, why },
        }
    }
}

/// The pools.
#[derive(Clone, Debug)]
pub struct Connections {
    /// The pool for messages. Its statement timeouts are shorter than the time that a message may wait. On SQLite,
    /// which has a single writer, this is the same pool as `write`.
    pub messages: DatabaseConnection,
    /// The pool for edits and background work.
    pub write: DatabaseConnection,
    /// The pool for reads that must see every commit. This pool never connects to the replica.
    pub read: DatabaseConnection,
    /// The replica, if there is one. The replica may lag or become unavailable.
    pub replica: Replica,
    /// How the pools were opened.
    pub plan: PoolPlan,
}

impl Connections {
    /// Returns the pool for reads by people: the replica's pool if the replica can be used, else `read`.
    #[must_use]
    pub fn for_people(&self) -> DatabaseConnection {
        self.replica.usable().unwrap_or(&self.read).clone()
    }
}

/// Opens the pools. A SQLite file is created if it does not exist.
pub async fn open(database: &Database, replica: Option<&Database>) -> Result<Connections, ConnectError> {
    open_with(database, replica, DEFAULT_CONNECTIONS).await
}

/// Opens the pools, with at most `connections` connections to a PostgreSQL server. Connections to the replica are not
/// counted.
pub async fn open_with(
    database: &Database,
    replica: Option<&Database>,
    connections: u32,
) -> Result<Connections, ConnectError> {
    let plan = match database {
        Database::Sqlite(_) => PoolPlan::unsurveyed(connections),
        Database::Postgres(_) => {
            let planned = survey(database).await?.plan(database, connections).await;
            planned.map_err(|error| ConnectError::of(database, error))?
        }
    };
    open_pools(database, replica, When::Now, plan).await
}

/// Creates the same pools as [`open_with`], but the pools connect only on first use. The server uses this function to
/// start while the database is unavailable.
pub async fn open_later(
    database: &Database,
    replica: Option<&Database>,
    connections: u32,
) -> Result<Connections, ConnectError> {
    open_pools(database, replica, When::Used, PoolPlan::unsurveyed(connections)).await
}

/// Opens another pool for messages, which connects on first use. Returns `None` on SQLite, which has a single writer.
pub async fn another_for_messages(
    database: &Database,
    plan: PoolPlan,
) -> Result<Option<DatabaseConnection>, ConnectError> {
    match database {
        Database::Sqlite(_) => Ok(None),
        Database::Postgres(_) => open_pool(database, Use::Messages, When::Used, plan).await.map(Some),
    }
}

async fn open_pools(
    database: &Database,
    replica: Option<&Database>,
    when: When,
    plan: PoolPlan,
) -> Result<Connections, ConnectError> {
    // Open the writer first, because it creates the file that the readers open.
    let write = open_pool(database, Use::Write, when, plan).await?;
    let (read, replica) = match (database, replica) {
        (Database::Postgres(_), Some(replica)) => {
            // This pool connects on first use, so that the server can start without the replica.
            let replica = open_pool(replica, Use::Read, When::Used, plan).await?;
            (write.clone(), Some(replica))
        }
        // Without a replica, and always on SQLite, reads get their own pool. On SQLite, readers see every commit, and
        // leave the single writer free for writes.
        (_, other) => (open_pool(other.unwrap_or(database), Use::Read, when, plan).await?, None),
    };
    let messages = match database {
        Database::Sqlite(_) => write.clone(),
        // This pool connects on first use: the first message opens its first connection.
        Database::Postgres(_) => open_pool(database, Use::Messages, When::Used, plan).await?,
    };
    Ok(Connections {
        messages,
        write,
        read,
        replica: Replica::of(replica),
        plan,
    })
}

/// Opens the spool file with one connection and at most `most_pages` pages. An acknowledged commit is on disk.
pub async fn open_spool(file: &Path, most_pages: u64) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(format!("sqlite://{}", file.display()));
    options
        .max_connections(1)
        .acquire_timeout(ACQUIRE)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    options.map_sqlx_sqlite_pool_opts(only_whole);
    options.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::ZERO)
            .pragma("max_page_count", most_pages.to_string())
            // Overwrite deleted entries, because they contain callers' data in encrypted form.
            .pragma("secure_delete", "on")
    });
    SeaOrm::connect(options).await
}

/// Opens a single connection without a statement timeout, for migrations.
pub async fn open_for_migration(database: &Database) -> Result<DatabaseConnection, ConnectError> {
    let plan = match database {
        Database::Sqlite(_) => PoolPlan::unsurveyed(DEFAULT_CONNECTIONS),
        Database::Postgres(_) => survey(database).await?.single(),
    };
    open_pool(database, Use::Migrate, When::Now, plan).await
}

async fn survey(database: &Database) -> Result<Survey, ConnectError> {
    postgres_limits::survey(database)
        .await
        .map_err(|error| ConnectError::of(database, error))
}

/// Opens a read-only pool, and never creates a database. If no server ever ran on the database, the error names the
/// database.
pub async fn open_existing(database: &Database) -> Result<DatabaseConnection, ConnectError> {
    let missing = || ConnectError::Missing(place(database));
    if let Some(file) = database.file()
        && file.metadata().map_or(0, |found| found.len()) == 0
    {
        let place = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        return Err(ConnectError::Missing(place.display().to_string()));
    }
    let plan = match database {
        Database::Sqlite(_) => PoolPlan::unsurveyed(DEFAULT_CONNECTIONS),
        Database::Postgres(_) => survey(database).await?.single(),
    };
    let db = open_pool(database, Use::Read, When::Now, plan).await?;
    match has_table(&db, "rulebooks").await {
        Ok(true) => Ok(db),
        Ok(false) => {
            let _ = db.close().await;
            Err(missing())
        }
        Err(source) => Err(ConnectError::Open {
            place: place(database),
            source,
        }),
    }
}

/// Whether the current schema has this table.
pub(super) async fn has_table(db: &DatabaseConnection, table: &str) -> Result<bool, DbErr> {
    let backend = db.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => {
            "SELECT count(*) FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND table_name = $1"
        }
        _ => "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1",
    };
    let asked = Statement::from_sql_and_values(backend, sql, [table.into()]);
    let row = db.query_one_raw(asked).await?;
    let count: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    Ok(count > 0)
}

/// Returns the location of the database, without user and password.
fn place(database: &Database) -> String {
    match database {
        Database::Sqlite(_) => database
            .file()
            .map_or_else(|| "in memory".into(), |file| file.display().to_string()),
        Database::Postgres(url) => {
            let host = url.expose().rsplit('@').next().unwrap_or_default();
            let host = host.split("://").last().unwrap_or(host);
            host.split('?').next().unwrap_or(host).to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectionTrait as _, Statement};

    use super::*;
    use crate::begin;

    async fn pragma(db: &DatabaseConnection, name: &str) -> i64 {
        let statement = Statement::from_string(db.get_database_backend(), format!("PRAGMA {name}"));
        let row = db.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index::<i64>(0).unwrap()
    }

    fn file(folder: &tempfile::TempDir) -> Database {
        Database::parse(&format!("sqlite://{}/x.db", folder.path().display())).unwrap()
    }

    #[tokio::test]
    async fn sqlite_is_durable_checks_its_keys_and_its_readers_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let db = open(&file(&folder), None).await.unwrap();
        assert_eq!(
            (
                pragma(&db.write, "synchronous").await,
                pragma(&db.write, "foreign_keys").await
            ),
            (2, 1)
        );
        db.write.execute_unprepared("CREATE TABLE t (x)").await.unwrap();
        db.read
            .execute_unprepared("INSERT INTO t VALUES (1)")
            .await
            .unwrap_err();
    }

    #[tokio::test]
    async fn what_is_committed_after_a_transaction_that_sqlite_ended_by_itself_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let db = open(&file(&folder), None).await.unwrap();
        db.write.execute_unprepared("CREATE TABLE t (x UNIQUE)").await.unwrap();
        db.write.execute_unprepared("INSERT INTO t VALUES (1)").await.unwrap();
        for number in 2..5 {
            let tx = begin(&db.write).await.unwrap();
            // This behaves like a full disk: the statement fails, and SQLite rolls back the whole transaction.
            tx.execute_unprepared("INSERT OR ROLLBACK INTO t VALUES (1)")
                .await
                .unwrap_err();
            drop(tx);
            begin(&db.write).await.unwrap().rollback().await.unwrap();
            let tx = begin(&db.write).await.unwrap();
            tx.execute_unprepared(&format!("INSERT INTO t VALUES ({number})"))
                .await
                .unwrap();
            tx.commit().await.unwrap();
            let statement = Statement::from_string(db.read.get_database_backend(), "SELECT count(*) FROM t");
            let row = db.read.query_one_raw(statement).await.unwrap().unwrap();
            assert_eq!(row.try_get_by_index::<i64>(0).unwrap(), number);
        }
    }

    #[tokio::test]
    async fn transactions_that_read_before_they_write_wait_for_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (
            open(&file(&folder), None).await.unwrap().write,
            open(&file(&folder), None).await.unwrap().write,
        );
        one.execute_unprepared("CREATE TABLE t (x)").await.unwrap();
        let count = |db: DatabaseConnection| async move {
            for _ in 0..20 {
                let tx = begin(&db).await.unwrap();
                tx.execute_unprepared("INSERT INTO t SELECT count(*) FROM t")
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
            }
        };
        tokio::join!(count(one.clone()), count(two));
        let statement = Statement::from_string(one.get_database_backend(), "SELECT count(DISTINCT x) FROM t");
        let row = one.query_one_raw(statement).await.unwrap().unwrap();
        assert_eq!(row.try_get_by_index::<i64>(0).unwrap(), 40);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_callers_said_is_for_the_owner_of_the_file_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new.db");
        let database = Database::parse(&format!("sqlite://{}", file.display())).unwrap();
        let opened = open(&database, None).await.unwrap();
        opened
            .write
            .execute_unprepared("CREATE TABLE t (x integer)")
            .await
            .unwrap();
        let modes = std::fs::read_dir(folder.path()).unwrap().map(|entry| {
            let entry = entry.unwrap();
            (
                entry.file_name(),
                entry.metadata().unwrap().permissions().mode() & 0o777,
            )
        });
        let modes: Vec<_> = modes.collect();
        assert!(
            modes.len() > 1 && modes.iter().all(|(_, mode)| *mode == 0o600),
            "{modes:?}"
        );
    }

    #[tokio::test]
    async fn a_missing_folder_is_named_and_a_password_is_not() {
        let error = open(&Database::parse("sqlite:///no/such/folder/x.db").unwrap(), None)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("/no/such/folder"), "{error}");
        let url = Database::parse("postgres://me:hunter2@127.0.0.1:1/x?sslmode=disable").unwrap();
        let error = open(&url, None).await.unwrap_err();
        assert!(
            error.to_string().contains("127.0.0.1:1/x") && !error.to_string().contains("hunter2"),
            "{error}"
        );
    }
}
