//! SQLite backups with `VACUUM INTO`, in one read transaction.
//!
//! Unsent SMS messages become dead letters in the backup. So they are not sent again even if somebody restores the file
//! by hand. A restore works on a copy of the backup, and renames this copy to the target at the very end.

use std::path::Path;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseConnection, DbErr, Statement};

use super::files::{self, BackupFormat};
use super::{BackupError, BackupResult, Progress, RestoreResult};
use base::clock::Clock;
use base::secret::Secret;
use store::Database;
use store::restore_guard;
use store::{begin, connect, migrate};

/// The interval of progress reports.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// Copies the database in `file` to `to`, which must not exist.
pub async fn back_up(
    file: &Path,
    to: &Path,
    clock: &Clock,
    progress: Progress<'_>,
) -> Result<BackupResult, BackupError> {
    if files::size(file) == 0 {
        return Err(BackupError::NoDatabase(file.to_owned()));
    }
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    // An incomplete file never gets the name of a backup.
    let part = files::beside(to, ".part");
    files::discard(&part);
    let copied = async {
        vacuum(file, &part, progress).await?;
        let unsent_sms = settled(
            &part,
            "The database was copied by `ringbook backup`, and this is the copy.",
            clock,
        )
        .await?;
        files::rename(&part, to)?;
        files::keep(to)?;
        Ok(BackupResult {
            file: to.to_owned(),
            bytes: files::size(to),
            unsent_sms,
        })
    }
    .await;
    if copied.is_err() {
        files::discard(&part);
    }
    copied
}

/// Restores the backup `from` to `file`. With `force`, the previous file is kept under another name.
pub async fn restore(
    from: &Path,
    file: &Path,
    force: bool,
    clock: &Clock,
    progress: Progress<'_>,
) -> Result<RestoreResult, BackupError> {
    if files::kind(from)? != BackupFormat::Sqlite {
        return Err(BackupError::OtherKind {
            path: from.to_owned(),
            expected: "a SQLite",
        });
    }
    let shown = file.display().to_string();
    if files::size(file) > 0 && !force {
        return Err(BackupError::NotEmpty(shown));
    }
    let part = files::beside(file, ".restoring");
    files::discard(&part);
    let restored = async {
        copy(from, &part, progress).await?;
        settled(&part, "The database was restored from a backup.", clock).await?;
        // Most of these SMS messages already became dead letters when the backup was created.
        let given_up = waiting(&part).await?;
        let aside = files::beside(
            file,
            &format!(".before-restore-{}", clock.now().format("%Y%m%dT%H%M%S%3fZ")),
        );
        let previous_content = previous_content(file, &aside).await?;
        files::rename(&part, file)?;
        files::keep(file)?;
        Ok(RestoreResult {
            previous_content: previous_content.then(|| aside.display().to_string()),
            given_up,
        })
    }
    .await;
    if restored.is_err() {
        files::discard(&part);
    }
    restored
}

/// Writes the current database into a new file.
async fn vacuum(file: &Path, part: &Path, progress: Progress<'_>) -> Result<(), BackupError> {
    let db = open(file).await?;
    // SQLite treats an empty file as a new database, and does not change the file's permissions.
    drop(files::make(part)?);
    let all = number(
        &db,
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    )
    .await?;
    let into = Statement::from_sql_and_values(DatabaseBackend::Sqlite, "VACUUM INTO $1", [text(part).into()]);
    let mut work = std::pin::pin!(db.execute_raw(into));
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            () = tokio::time::sleep(PROGRESS_INTERVAL) => progress(files::size(part), u64::try_from(all).ok()),
        }
    };
    db.clone().close().await?;
    done?;
    Ok(())
}

/// Copies a backup into the temporary file `part`.
async fn copy(from: &Path, part: &Path, progress: Progress<'_>) -> Result<(), BackupError> {
    let mut target = files::make(part)?;
    let (source, all) = (from.to_owned(), files::size(from));
    let mut work = tokio::task::spawn_blocking(move || std::io::copy(&mut std::fs::File::open(source)?, &mut target));
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            () = tokio::time::sleep(PROGRESS_INTERVAL) => progress(files::size(part), Some(all)),
        }
    };
    let done = done.unwrap_or_else(|died| Err(std::io::Error::other(died)));
    done.map(drop).map_err(files::failed(from))
}

/// Verifies a copy, turns its unsent SMS messages into dead letters and merges its write-ahead log. Returns the number
/// of new dead letters.
async fn settled(part: &Path, known: &str, clock: &Clock) -> Result<i64, BackupError> {
    let db = open(part).await?;
    let done = async {
        let fault = words(
            &db,
            "SELECT group_concat(integrity_check, '; ') FROM pragma_integrity_check",
        )
        .await;
        let fault = fault.unwrap_or_else(|error| error.to_string());
        if fault != "ok" {
            return Err(BackupError::Damaged {
                path: part.to_owned(),
                fault,
            });
        }
        let ours = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('rulebooks', 'sms_messages')";
        if number(&db, ours).await? != 2 {
            return Err(BackupError::NotOurs(part.to_owned()));
        }
        // Reject a schema that this program does not know.
        migrate::status(&address(part)).await?;
        let tx = begin(&db).await?;
        let given_up = restore_guard::give_up_unsent(&tx, clock.now(), known, || clock.new_id()).await?;
        tx.commit().await?;
        Ok(given_up)
    }
    .await;
    db.close().await?;
    let done = done?;
    // A backup is one file, without a write-ahead log next to it.
    let db = open(part).await?;
    let single = db.execute_unprepared("PRAGMA journal_mode = DELETE").await;
    db.close().await?;
    single?;
    Ok(done)
}

/// Returns the number of SMS messages that are dead letters because of the backup or the restore.
async fn waiting(part: &Path) -> Result<i64, BackupError> {
    let db = open(part).await?;
    let waiting = restore_guard::given_up(&db).await;
    let single = db.execute_unprepared("PRAGMA journal_mode = DELETE").await;
    db.close().await?;
    single?;
    Ok(waiting?)
}

/// Renames the database at `file` to `aside`. Returns whether the database existed. Fails while a server uses the
/// database.
async fn previous_content(file: &Path, aside: &Path) -> Result<bool, BackupError> {
    let there = files::size(file) > 0;
    // Do not check a corrupt database: a restore must replace it, and no server uses it.
    if there && files::kind(file)? == BackupFormat::Sqlite {
        let db = open(file).await?;
        // SQLite leaves the WAL mode only if no other connection uses the file. After the change of the mode, all data
        // is in this one file.
        let alone = words(&db, "PRAGMA journal_mode = DELETE").await;
        db.close().await?;
        if !alone.is_ok_and(|mode| mode == "delete") {
            return Err(BackupError::InUse(file.display().to_string()));
        }
    }
    if there {
        files::rename(file, aside)?;
    }
    // SQLite would apply a leftover log of the old file to the restored file, because both files have the same name.
    for ending in ["-wal", "-journal"] {
        let companion = files::beside(file, ending);
        if companion.exists() {
            files::rename(&companion, &files::beside(aside, ending))?;
        }
    }
    Ok(there)
}

async fn open(file: &Path) -> Result<DatabaseConnection, BackupError> {
    Ok(connect::open_for_migration(&address(file)).await?)
}

fn address(file: &Path) -> Database {
    Database::Sqlite(Secret::new(format!("sqlite://{}", file.display())))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

async fn number(db: &DatabaseConnection, sql: &str) -> Result<i64, DbErr> {
    let row = db
        .query_one_raw(Statement::from_string(DatabaseBackend::Sqlite, sql))
        .await?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0))
}

async fn words(db: &DatabaseConnection, sql: &str) -> Result<String, DbErr> {
    let row = db
        .query_one_raw(Statement::from_string(DatabaseBackend::Sqlite, sql))
        .await?;
    row.map_or(Ok(String::new()), |row| row.try_get_by_index(0))
}
