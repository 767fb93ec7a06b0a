//! PostgreSQL backups with `pg_dump` and `pg_restore`, in one snapshot.
//!
//! A restore keeps the previous content in a schema with another name, and puts it back if the restore fails.

use std::path::Path;

use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseConnection, DbErr, Statement};

use super::files::{self, BackupFormat};
use super::programs::Call;
use super::{BackupError, BackupResult, Progress, RestoreResult};
use base::clock::Clock;
use store::Database;
use store::restore_guard;
use store::{begin, connect, migrate};

/// Options of `pg_dump` and `pg_restore`: only the tables, without owners and privileges.
const PLAIN: [&str; 3] = ["--no-owner", "--no-privileges", "--schema=public"];

/// Where to find the programs, and how to report progress.
#[derive(Clone, Copy)]
pub struct How<'a> {
    pub path: &'a str,
    pub progress: Progress<'a>,
}

/// Copies the database to `to`, which must not exist.
pub async fn back_up(database: &Database, to: &Path, how: How<'_>) -> Result<BackupResult, BackupError> {
    let db = connect::open_for_migration(database).await?;
    let waiting = "SELECT count(*) FROM sms_messages WHERE state IN ('queued', 'sending', 'ambiguous')";
    let waiting = number(&db, waiting).await;
    db.close().await?;
    let unsent_sms = waiting?;
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let part = files::beside(to, ".part");
    files::discard(&part);
    drop(files::make(&part)?);
    let dump = Call::new("pg_dump", database.url(), &PLAIN)
        .with("--format=custom")
        .with(format!("--file={}", part.display()));
    let copied = async {
        // A dump is compressed, so its size is unknown in advance.
        dump.run(how.path, || (how.progress)(files::size(&part), None)).await?;
        readable(&part, how).await?;
        files::rename(&part, to)?;
        files::keep(to)
    }
    .await;
    if let Err(error) = copied {
        files::discard(&part);
        return Err(error);
    }
    Ok(BackupResult {
        file: to.to_owned(),
        bytes: files::size(to),
        unsent_sms,
    })
}

/// Restores the backup `from`. With `force`, the previous content is kept under another name.
pub async fn restore(
    from: &Path,
    database: &Database,
    force: bool,
    clock: &Clock,
    how: How<'_>,
) -> Result<RestoreResult, BackupError> {
    if files::kind(from)? != BackupFormat::Postgres {
        return Err(BackupError::OtherKind {
            path: from.to_owned(),
            expected: "a PostgreSQL",
        });
    }
    readable(from, how).await?;
    let db = connect::open_for_migration(database).await?;
    let restored = onto(&db, from, database, force, clock, how).await;
    db.close().await?;
    restored
}

async fn onto(
    db: &DatabaseConnection,
    from: &Path,
    database: &Database,
    force: bool,
    clock: &Clock,
    how: How<'_>,
) -> Result<RestoreResult, BackupError> {
    let name = words(db, "SELECT current_database()::text").await?;
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
        AND application_name = 'ringbook'";
    if number(db, others).await? > 0 {
        return Err(BackupError::InUse(name));
    }
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    let there = number(db, tables).await? > 0;
    if there && !force {
        return Err(BackupError::NotEmpty(name));
    }
    let aside = format!("before_restore_{}", clock.now().format("%Y%m%dt%H%M%S%3f"));
    if there {
        let put = format!("ALTER SCHEMA public RENAME TO {aside}");
        together(db, &[&put, NEW_SCHEMA, OPEN_SCHEMA]).await?;
    }
    let filled = fill(db, from, database, clock, how).await;
    if filled.is_err() {
        // Restore the previous state after any failure.
        const DROP: &str = "DROP SCHEMA public CASCADE";
        if there {
            let back = format!("ALTER SCHEMA {aside} RENAME TO public");
            together(db, &[DROP, &back]).await?;
        } else {
            together(db, &[DROP, NEW_SCHEMA, OPEN_SCHEMA]).await?;
        }
    }
    Ok(RestoreResult {
        previous_content: there.then(|| format!("schema {aside} of database {name}")),
        given_up: filled?,
    })
}

async fn fill(
    db: &DatabaseConnection,
    from: &Path,
    database: &Database,
    clock: &Clock,
    how: How<'_>,
) -> Result<i64, BackupError> {
    let call = Call::new("pg_restore", database.url(), &PLAIN)
        .with("--exit-on-error")
        .with("--single-transaction")
        .with(from.display().to_string());
    call.run(how.path, || (how.progress)(0, None)).await?;
    if number(
        db,
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename IN ('rulebooks', 'sms_messages')",
    )
    .await?
        != 2
    {
        return Err(BackupError::NotOurs(from.to_owned()));
    }
    // Reject a schema that this program does not know.
    migrate::status(database).await?;
    let tx = begin(db).await?;
    let known = "The database was restored from a backup.";
    let given_up = restore_guard::give_up_unsent(&tx, clock.now(), known, || clock.new_id()).await?;
    // The next start must not detect the restore again.
    restore_guard::moved(&tx).await?;
    tx.commit().await?;
    // A dump contains no statistics for the query planner. Without statistics, PostgreSQL would sort all decisions to
    // read one page of them.
    db.execute_unprepared("ANALYZE").await?;
    Ok(given_up)
}

const NEW_SCHEMA: &str = "CREATE SCHEMA public";
const OPEN_SCHEMA: &str = "GRANT USAGE ON SCHEMA public TO PUBLIC";

/// Executes statements in one transaction.
async fn together(db: &DatabaseConnection, statements: &[&str]) -> Result<(), DbErr> {
    let tx = begin(db).await?;
    for statement in statements {
        tx.execute_unprepared(statement).await?;
    }
    tx.commit().await
}

/// Checks that a dump's table of contents can be read.
async fn readable(file: &Path, how: How<'_>) -> Result<(), BackupError> {
    let list = Call::without_database("pg_restore", &["--list"]).with(file.display().to_string());
    list.run(how.path, || {}).await.map_err(|error| match error {
        BackupError::Program { said, .. } => BackupError::Damaged {
            path: file.to_owned(),
            fault: said,
        },
        other => other,
    })
}

async fn number<C: sea_orm::ConnectionTrait>(db: &C, sql: &str) -> Result<i64, DbErr> {
    let row = db
        .query_one_raw(Statement::from_string(DatabaseBackend::Postgres, sql))
        .await?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0))
}

async fn words(db: &DatabaseConnection, sql: &str) -> Result<String, DbErr> {
    let row = db
        .query_one_raw(Statement::from_string(DatabaseBackend::Postgres, sql))
        .await?;
    row.map_or(Ok(String::new()), |row| row.try_get_by_index(0))
}
