//! Migrates the schema up or down, and refuses a schema that this program does not know.
//!
//! Several instances may start at the same time, so migrations run under a lock. For SQLite the lock is a file beside
//! the database. For PostgreSQL the lock is a transaction-level advisory lock, which is released even behind a
//! connection pooler.

use std::{
    collections::HashSet,
    fs::File,
    path::PathBuf,
    time::{Duration, Instant},
};

use migrations::{BEFORE_FIRST_RELEASE, Dialect, Migration};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, Statement};

use super::Database;
use super::begin::{Transaction, begin};
use super::connect::{self, ConnectError};
use base::clock::Clock;

/// The number of the advisory lock. It is arbitrary: "ringbook" in ASCII.
const ADVISORY_LOCK: i64 = 0x7269_6e67_626f_6f6b;
/// Poll interval while another instance holds the lock.
const LOCK_POLL: Duration = Duration::from_millis(200);
/// Interval between log lines while waiting for the lock.
const LOCK_REMIND: Duration = Duration::from_secs(30);

/// The table that lists the applied migrations. This table has the same name and columns as the table of
/// sea-orm-migration.
const TABLE: &str = "seaql_migrations";
const CREATE_TABLE: &str =
    r#"CREATE TABLE "seaql_migrations" ( "version" varchar NOT NULL PRIMARY KEY, "applied_at" bigint NOT NULL )"#;

/// Why the schema cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// The file beside the database cannot be locked.
    #[error("the file {} cannot be locked", path.display())]
    Lock {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the schema could not be changed")]
    Database(#[from] DbErr),
}

/// Why this program refuses to use a schema or to change it.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// A newer program applied migrations that this program does not know.
    #[error(
        "the database was migrated by a newer ringbook ({}), which this version does not know; run the newer \
         version, or revert its migrations with its `ringbook migrate down`", .0.join(", ")
    )]
    Newer(Vec<String>),
    /// The migrations that created the schema no longer exist.
    #[error(
        "the database has the schema of a ringbook from before the first release ({BEFORE_FIRST_RELEASE}), which this \
         version does not migrate; use a new database, or load a data-only dump of the old database into one that \
         `ringbook migrate up` has created"
    )]
    BeforeFirstRelease,
}

/// Applies missing migrations and returns their names.
pub async fn up(database: &Database) -> Result<Vec<String>, MigrateError> {
    let lock = Lock::take(database).await?;
    let db = connect::open_for_migration(database).await?;
    refuse_unknown(&db).await?;
    let pending = names_where(&db, false).await?;
    let result = if pending.is_empty() {
        Ok(())
    } else {
        apply_missing(&db).await
    };
    db.close().await?;
    lock.release().await?;
    result?;
    Ok(pending)
}

/// Reverts the last `steps` migrations and returns the names of the migrations that are still applied.
pub async fn down(database: &Database, steps: u32) -> Result<Vec<String>, MigrateError> {
    let lock = Lock::take(database).await?;
    let db = connect::open_for_migration(database).await?;
    refuse_unknown(&db).await?;
    let result = revert(&db, steps).await;
    let left = names_where(&db, true).await;
    db.close().await?;
    lock.release().await?;
    result?;
    Ok(left?)
}

/// Every migration, and whether it is applied. The function changes nothing.
pub async fn status(database: &Database) -> Result<Vec<(String, bool)>, MigrateError> {
    let db = connect::open_for_migration(database).await?;
    refuse_unknown(&db).await?;
    let applied: HashSet<_> = applied(&db).await?.into_iter().collect();
    db.close().await?;
    Ok(known()
        .into_iter()
        .map(|name| (name.clone(), applied.contains(&name)))
        .collect())
}

/// Applies missing migrations, each in a separate transaction. Unlike [`up`], this function takes no lock.
///
/// # Errors
/// When the database fails. The migrations before the failed migration stay applied.
pub async fn apply_missing(db: &DatabaseConnection) -> Result<(), DbErr> {
    if !connect::has_table(db, TABLE).await? {
        db.execute_unprepared(CREATE_TABLE).await?;
    }
    let applied = applied(db).await?;
    let missing = migrations::ALL.iter().filter(|migration| !is_in(&applied, migration));
    for migration in missing {
        let tx = begin_unlimited(db).await?;
        execute(&tx, migration.up(dialect(db))).await?;
        let now = Clock::system().now().timestamp();
        execute(
            &tx,
            [format!(
                "INSERT INTO {TABLE} (version, applied_at) VALUES ('{}', {now})",
                migration.name
            )],
        )
        .await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Reverts the last `steps` migrations, each in a separate transaction.
async fn revert(db: &DatabaseConnection, steps: u32) -> Result<(), DbErr> {
    let applied = applied(db).await?;
    let last = migrations::ALL
        .iter()
        .rev()
        .filter(|migration| is_in(&applied, migration));
    for migration in last.take(usize::try_from(steps).unwrap_or(usize::MAX)) {
        let tx = begin_unlimited(db).await?;
        execute(&tx, migration.down(dialect(db))).await?;
        execute(
            &tx,
            [format!("DELETE FROM {TABLE} WHERE version = '{}'", migration.name)],
        )
        .await?;
        tx.commit().await?;
    }
    Ok(())
}

fn is_in(applied: &[String], migration: &Migration) -> bool {
    applied.iter().any(|name| name == migration.name)
}

/// Executes each statement as a prepared statement. PostgreSQL refuses to prepare two statements as one, so a wrongly
/// split SQL file causes an error.
async fn execute(tx: &Transaction, statements: impl IntoIterator<Item = String>) -> Result<(), DbErr> {
    for statement in statements {
        let statement = Statement::from_string(tx.get_database_backend(), statement);
        tx.execute_raw(statement).await?;
    }
    Ok(())
}

/// Begins a transaction without timeouts.
async fn begin_unlimited(db: &DatabaseConnection) -> Result<Transaction, DbErr> {
    let tx = begin(db).await?;
    if db.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared(
            "SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true), \
             set_config('idle_in_transaction_session_timeout', '0', true)",
        )
        .await?;
    }
    Ok(tx)
}

fn dialect(db: &DatabaseConnection) -> Dialect {
    match db.get_database_backend() {
        DbBackend::Postgres => Dialect::Postgres,
        _ => Dialect::Sqlite,
    }
}

/// Returns why the server refuses to start with the schema of `db`, or `None` if the schema is suitable.
pub async fn unknown(db: &DatabaseConnection) -> Result<Option<Unknown>, DbErr> {
    let known = known();
    let mut names = applied(db).await?;
    names.retain(|name| !known.contains(name));
    Ok(if names.is_empty() {
        None
    } else if names.iter().any(|name| name == BEFORE_FIRST_RELEASE) {
        Some(Unknown::BeforeFirstRelease)
    } else {
        Some(Unknown::Newer(names))
    })
}

/// Returns the number of migrations that `db` lacks. The readiness check uses this number.
pub async fn missing(db: &DatabaseConnection) -> Result<usize, DbErr> {
    Ok(names_where(db, false).await?.len())
}

fn known() -> Vec<String> {
    migrations::ALL
        .iter()
        .map(|migration| migration.name.to_owned())
        .collect()
}

/// Names of the applied migrations. The function only reads, so it does not create the table of migrations.
async fn applied(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    if !connect::has_table(db, TABLE).await? {
        return Ok(Vec::new());
    }
    let list = Statement::from_string(
        db.get_database_backend(),
        format!("SELECT version FROM {TABLE} ORDER BY version"),
    );
    let rows = db.query_all_raw(list).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

async fn names_where(db: &DatabaseConnection, is_applied: bool) -> Result<Vec<String>, DbErr> {
    let applied = applied(db).await?;
    Ok(known()
        .into_iter()
        .filter(|name| applied.contains(name) == is_applied)
        .collect())
}

async fn refuse_unknown(db: &DatabaseConnection) -> Result<(), MigrateError> {
    match unknown(db).await? {
        None => Ok(()),
        Some(unknown) => Err(unknown.into()),
    }
}

/// The lock held while the schema changes. If the process dies, the operating system or the database server releases
/// the lock.
enum Lock {
    File(File),
    Advisory(Box<Transaction>, DatabaseConnection),
}

impl Lock {
    async fn take(database: &Database) -> Result<Self, MigrateError> {
        match database.file() {
            None => {
                let db = connect::open_for_migration(database).await?;
                let tx = begin_unlimited(&db).await?;
                lock_advisory(&tx).await?;
                Ok(Self::Advisory(Box::new(tx), db))
            }
            Some(file) => {
                if let Some(folder) = file.parent()
                    && !folder.as_os_str().is_empty()
                    && !folder.is_dir()
                {
                    return Err(ConnectError::NoFolder(folder.to_owned()).into());
                }
                let mut path = file.as_os_str().to_owned();
                path.push("-migrate.lock");
                lock_file(path.into()).await.map(Self::File)
            }
        }
    }

    async fn release(self) -> Result<(), DbErr> {
        match self {
            Self::File(file) => {
                drop(file);
                Ok(())
            }
            Self::Advisory(tx, db) => {
                tx.rollback().await?;
                db.close().await
            }
        }
    }
}

/// Waits for the lock, and holds it until the transaction ends.
async fn lock_advisory(tx: &Transaction) -> Result<(), DbErr> {
    let sql = format!("SELECT pg_try_advisory_xact_lock({ADVISORY_LOCK})");
    let mut told: Option<Instant> = None;
    loop {
        let asked = Statement::from_string(tx.get_database_backend(), sql.as_str());
        let row = tx.query_one_raw(asked).await?;
        if row.map_or(Ok(false), |row| row.try_get_by_index(0))? {
            return Ok(());
        }
        if told.is_none_or(|at| at.elapsed() > LOCK_REMIND) {
            tracing::warn!("another instance is migrating the database: waiting for it");
            told = Some(Instant::now());
        }
        tokio::time::sleep(LOCK_POLL).await;
    }
}

async fn lock_file(path: PathBuf) -> Result<File, MigrateError> {
    let place = path.clone();
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::options().create(true).append(true).open(path)?;
        file.lock()?;
        Ok(file)
    });
    let locked = locked.await.unwrap_or_else(|died| Err(std::io::Error::other(died)));
    locked.map_err(|source| MigrateError::Lock { path: place, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh() -> (tempfile::TempDir, Database) {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::parse(&format!("sqlite://{}/x.db", folder.path().display())).unwrap();
        (folder, database)
    }

    #[tokio::test]
    async fn up_down_and_up_again_leave_the_schema_whole() {
        let (_folder, database) = fresh();
        assert_eq!(up(&database).await.unwrap(), known());
        assert_eq!(up(&database).await.unwrap(), Vec::<String>::new());
        assert_eq!(down(&database, u32::MAX).await.unwrap(), Vec::<String>::new());
        assert_eq!(up(&database).await.unwrap(), known());
        assert!(status(&database).await.unwrap().iter().all(|(_, applied)| *applied));
    }

    #[tokio::test]
    async fn two_that_start_together_migrate_once() {
        let (_folder, database) = fresh();
        let (one, two) = tokio::join!(up(&database), up(&database));
        assert_eq!(one.unwrap().len() + two.unwrap().len(), known().len());
    }

    #[tokio::test]
    async fn a_schema_of_another_program_is_refused_in_a_sentence() {
        for (name, sentence) in [
            (
                "m9999_from_tomorrow",
                "migrated by a newer ringbook (m9999_from_tomorrow)",
            ),
            (BEFORE_FIRST_RELEASE, "from before the first release (m0001_begin)"),
        ] {
            let (_folder, database) = fresh();
            up(&database).await.unwrap();
            let db = connect::open_for_migration(&database).await.unwrap();
            db.execute_unprepared(&format!("INSERT INTO seaql_migrations VALUES ('{name}', 0)"))
                .await
                .unwrap();
            let error = up(&database).await.unwrap_err().to_string();
            assert!(error.contains(sentence), "{error}");
        }
    }
}
