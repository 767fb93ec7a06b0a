//! The SQLite file of the spool. It contains messages that wait for the database, and snapshots of rulebooks.
//!
//! Entries are encrypted: without the key, only the time, the urgency and the grouping of a message are readable. Only
//! the owner can read the file. Only one process uses the file at a time, because the process locks a file beside it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement, Value as Bind};
use uuid::Uuid;

use super::{begin, connect};

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS entries (
  id blob NOT NULL PRIMARY KEY,
  rulebook_id blob NOT NULL,
  -- hashes of the business key, of the body and of the call
  key blob NOT NULL, body_hash blob NOT NULL, family blob NOT NULL,
  -- 1 to 4 is the priority, 5 means no priority
  rank integer NOT NULL,
  received_at text NOT NULL,
  sealed blob NOT NULL,
  tries integer NOT NULL DEFAULT 0, aside integer NOT NULL DEFAULT 0,
  UNIQUE (key, body_hash)
);
CREATE INDEX IF NOT EXISTS entries_family ON entries (family, rank);
CREATE TABLE IF NOT EXISTS snapshots (rulebook_id blob NOT NULL PRIMARY KEY, code text NOT NULL, sealed blob NOT NULL);
-- A new start tries again to record dead-lettered entries.
UPDATE entries SET tries = 0, aside = 0 WHERE tries > 0;";

const PAGE: u64 = 4096;

#[derive(Debug, thiserror::Error)]
pub enum SpoolFileError {
    /// The folder or a file in it cannot be created or opened.
    #[error("the spool {} cannot be used (RINGBOOK_SPOOL_DIR)", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the spool cannot be opened or read")]
    Database(#[from] DbErr),
}

/// A waiting message.
#[derive(Debug, Clone)]
pub struct WaitingMessage {
    /// Ids are time-ordered.
    pub id: Uuid,
    /// The id of the rulebook. The encryption is bound to this id.
    pub rulebook_id: Uuid,
    /// The hash of the business key.
    pub key: [u8; 32],
    pub body_hash: [u8; 32],
    /// The hash of the group. Messages of the same call form a group, and must be recorded in order.
    pub family: [u8; 32],
    /// The priority, 1 to 4, or 5 for no priority.
    pub rank: i64,
    pub received_at: DateTime<Utc>,
    /// The rest of the message, encrypted.
    pub sealed: Vec<u8>,
}

/// The position of an entry in the recording order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolPosition {
    pub id: Uuid,
    /// The group of the entry.
    pub family: [u8; 32],
}

/// An encrypted entry.
#[derive(Debug, Clone)]
pub struct SealedEntry {
    pub id: Uuid,
    pub rulebook_id: Uuid,
    pub sealed: Vec<u8>,
}

/// The number, size and age of the entries in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// Waiting entries.
    pub waiting: u64,
    /// Dead-lettered entries, which could not be recorded.
    pub aside: u64,
    /// The size of all entries in bytes.
    pub bytes: u64,
    /// When the oldest waiting entry was received.
    pub oldest: Option<DateTime<Utc>>,
}

/// An open file, locked by this process.
#[derive(Debug)]
pub struct SpoolFile {
    db: DatabaseConnection,
    path: PathBuf,
    _lock: File,
}

impl SpoolFile {
    /// Opens or creates the file with this number. `None` if another process has locked the file.
    ///
    /// # Errors
    /// When the file cannot be created or opened.
    pub async fn open(folder: &Path, number: u32, most_bytes: u64) -> Result<Option<Self>, SpoolFileError> {
        let path = folder.join(format!("spool-{number}.db"));
        let failed = |source| SpoolFileError::File {
            path: path.clone(),
            source,
        };
        make_folder(folder).map_err(failed)?;
        let lock = private(&path.with_extension("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // SQLite gives its other files the permissions of this file.
        private(&path).map_err(failed)?;
        // The file may be larger than the limit for entries, to leave room for index pages and snapshots.
        let most_pages = (most_bytes / PAGE) * 5 / 4 + 16_384;
        let db = connect::open_spool(&path, most_pages).await?;
        db.execute_unprepared(SCHEMA).await?;
        Ok(Some(Self { db, path, _lock: lock }))
    }

    /// Whether the file with this number exists.
    #[must_use]
    pub fn exists(folder: &Path, number: u32) -> bool {
        folder.join(format!("spool-{number}.db")).exists()
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Stores all entries or none. An entry whose key and body are stored already is skipped. Returns for each entry
    /// whether it is new.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn keep(&self, entries: &[WaitingMessage]) -> Result<Vec<bool>, DbErr> {
        const SQL: &str = "INSERT INTO entries (id, rulebook_id, key, body_hash, family, rank, received_at, sealed) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (key, body_hash) DO NOTHING";
        let tx = begin(&self.db).await?;
        let mut new = Vec::with_capacity(entries.len());
        for entry in entries {
            let values: [Bind; 8] = [
                entry.id.into(),
                entry.rulebook_id.into(),
                entry.key.to_vec().into(),
                entry.body_hash.to_vec().into(),
                entry.family.to_vec().into(),
                entry.rank.into(),
                entry.received_at.into(),
                entry.sealed.clone().into(),
            ];
            let done = tx.execute_raw(statement(SQL, values)).await?;
            new.push(done.rows_affected() == 1);
        }
        tx.commit().await?;
        Ok(new)
    }

    /// The first entry with this key.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn under(&self, key: [u8; 32]) -> Result<Option<SealedEntry>, DbErr> {
        const SQL: &str = "SELECT id, rulebook_id, sealed FROM entries WHERE key = $1 ORDER BY id LIMIT 1";
        let row = self.db.query_one_raw(statement(SQL, [key.to_vec().into()])).await?;
        row.as_ref().map(sealed).transpose()
    }

    /// Returns waiting entries in the order in which they must be recorded. Calls are ordered by the priority of their
    /// most urgent message. The messages of each call are in the order of receipt. `of` restricts the result to one
    /// call. Calls with an entry in `later` are skipped.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn order(&self, of: Option<[u8; 32]>, later: &[Uuid], most: u32) -> Result<Vec<SpoolPosition>, DbErr> {
        const SQL: &str = "SELECT e.id, e.family FROM entries e \
            JOIN (SELECT family, min(rank) AS rank FROM entries WHERE aside = 0 GROUP BY family) f ON f.family = e.family \
            WHERE e.aside = 0 AND ($1 IS NULL OR e.family = $1) AND e.family NOT IN \
            (SELECT family FROM entries WHERE id IN (SELECT unhex(value) FROM json_each($3))) ORDER BY f.rank, e.id LIMIT $2";
        let of: Bind = of.map(|family| family.to_vec()).into();
        let later: Vec<String> = later.iter().map(|id| format!("{:X}", id.simple())).collect();
        let later = serde_json::Value::from(later).to_string();
        let rows = self
            .db
            .query_all_raw(statement(SQL, [of, most.into(), later.into()]))
            .await?;
        let place = |row: &QueryResult| {
            Ok(SpoolPosition {
                id: row.try_get("", "id")?,
                family: hash(row, "family")?,
            })
        };
        rows.iter().map(place).collect()
    }

    pub async fn get(&self, id: Uuid) -> Result<Option<SealedEntry>, DbErr> {
        const SQL: &str = "SELECT id, rulebook_id, sealed FROM entries WHERE id = $1";
        let row = self.db.query_one_raw(statement(SQL, [id.into()])).await?;
        row.as_ref().map(sealed).transpose()
    }

    /// Deletes an entry that was recorded. Returns whether the entry existed.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn remove(&self, id: Uuid) -> Result<bool, DbErr> {
        let done = statement("DELETE FROM entries WHERE id = $1", [id.into()]);
        Ok(self.db.execute_raw(done).await?.rows_affected() == 1)
    }

    /// Counts a failed attempt to record an entry, and dead-letters the entry after `most` attempts. Returns whether
    /// the entry is dead-lettered now.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn failed(&self, id: Uuid, most: i64) -> Result<bool, DbErr> {
        const SQL: &str =
            "UPDATE entries SET tries = tries + 1, aside = (tries + 1 >= $2) WHERE id = $1 RETURNING aside";
        let row = self.db.query_one_raw(statement(SQL, [id.into(), most.into()])).await?;
        row.map_or(Ok(false), |row| row.try_get_by_index::<i64>(0).map(|aside| aside != 0))
    }

    pub async fn content(&self) -> Result<Content, DbErr> {
        const SQL: &str = "SELECT count(*) FILTER (WHERE aside = 0) AS waiting, count(*) FILTER (WHERE aside = 1) AS aside, \
            coalesce(sum(length(sealed)), 0) AS bytes, min(received_at) FILTER (WHERE aside = 0) AS oldest FROM entries";
        let row = self.db.query_one_raw(statement(SQL, [])).await?;
        let Some(row) = row else { return Ok(Content::default()) };
        let number = |name| Ok::<_, DbErr>(u64::try_from(row.try_get::<i64>("", name)?).unwrap_or_default());
        Ok(Content {
            waiting: number("waiting")?,
            aside: number("aside")?,
            bytes: number("bytes")?,
            oldest: row.try_get("", "oldest")?,
        })
    }

    /// Returns the group of every waiting entry.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn families(&self) -> Result<Vec<[u8; 32]>, DbErr> {
        let rows = statement("SELECT family FROM entries WHERE aside = 0", []);
        let rows = self.db.query_all_raw(rows).await?;
        rows.iter().map(|row| hash(row, "family")).collect()
    }

    /// Replaces the snapshot of a rulebook.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn keep_snapshot(&self, rulebook_id: Uuid, code: &str, sealed: Vec<u8>) -> Result<(), DbErr> {
        const SQL: &str = "INSERT INTO snapshots (rulebook_id, code, sealed) VALUES ($1, $2, $3) \
            ON CONFLICT (rulebook_id) DO UPDATE SET code = excluded.code, sealed = excluded.sealed";
        let values: [Bind; 3] = [rulebook_id.into(), code.into(), sealed.into()];
        self.db.execute_raw(statement(SQL, values)).await?;
        Ok(())
    }

    /// Deletes the snapshot of a rulebook.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn drop_snapshot(&self, rulebook_id: Uuid) -> Result<(), DbErr> {
        const SQL: &str = "DELETE FROM snapshots WHERE rulebook_id = $1";
        self.db.execute_raw(statement(SQL, [rulebook_id.into()])).await?;
        Ok(())
    }

    /// Returns the encrypted snapshot of each rulebook, with the rulebook's id.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn snapshots(&self) -> Result<Vec<(Uuid, Vec<u8>)>, DbErr> {
        let rows = self
            .db
            .query_all_raw(statement("SELECT rulebook_id, sealed FROM snapshots", []))
            .await?;
        let snapshot = |row: &QueryResult| Ok((row.try_get("", "rulebook_id")?, row.try_get("", "sealed")?));
        rows.iter().map(snapshot).collect()
    }

    /// Closes the file, so that nothing remains in SQLite's journal.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn close(&self) -> Result<(), DbErr> {
        self.db.close_by_ref().await
    }
}

fn statement<const N: usize>(sql: &str, values: [Bind; N]) -> Statement {
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
}

fn sealed(row: &QueryResult) -> Result<SealedEntry, DbErr> {
    Ok(SealedEntry {
        id: row.try_get("", "id")?,
        rulebook_id: row.try_get("", "rulebook_id")?,
        sealed: row.try_get("", "sealed")?,
    })
}

fn hash(row: &QueryResult, column: &str) -> Result<[u8; 32], DbErr> {
    let bytes: Vec<u8> = row.try_get("", column)?;
    bytes
        .try_into()
        .map_err(|_| DbErr::Type(format!("{column} in the spool is not a hash")))
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens or creates a file that only its owner can read.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u128, family: u8, rank: i64) -> WaitingMessage {
        WaitingMessage {
            id: Uuid::from_u128(number),
            rulebook_id: Uuid::nil(),
            key: [u8::try_from(number).unwrap(); 32],
            body_hash: [0; 32],
            family: [family; 32],
            rank,
            received_at: DateTime::<Utc>::UNIX_EPOCH,
            sealed: vec![7; 100],
        }
    }

    async fn open(folder: &Path) -> SpoolFile {
        SpoolFile::open(folder, 1, 1 << 20).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn urgent_calls_come_first_and_a_call_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let file = open(folder.path()).await;
        let all = [
            entry(1, 1, 5),
            entry(2, 2, 5),
            entry(3, 3, 3),
            entry(4, 2, 1),
            entry(5, 1, 5),
        ];
        assert_eq!(file.keep(&all).await.unwrap(), [true; 5]);
        assert_eq!(file.keep(&all[..1]).await.unwrap(), [false]);
        let order = async |of, later: &[Uuid]| {
            let places = file.order(of, later, 10).await.unwrap();
            places.iter().map(|place| place.id.as_u128()).collect::<Vec<_>>()
        };
        assert_eq!(order(None, &[]).await, [2, 4, 3, 1, 5]);
        assert_eq!(order(Some([1; 32]), &[]).await, [1, 5]);
        // A call whose first entry is retried later does not block other calls.
        assert_eq!(order(None, &[Uuid::from_u128(2)]).await, [3, 1, 5]);
        assert_eq!(order(None, &[Uuid::from_u128(2), Uuid::from_u128(1)]).await, [3]);
        assert!(!file.failed(Uuid::from_u128(2), 2).await.unwrap());
        assert!(file.failed(Uuid::from_u128(2), 2).await.unwrap());
        assert!(file.remove(Uuid::from_u128(4)).await.unwrap() && !file.remove(Uuid::from_u128(4)).await.unwrap());
        assert_eq!(order(None, &[]).await, [3, 1, 5]);
        let content = file.content().await.unwrap();
        assert_eq!((content.waiting, content.aside, content.bytes), (3, 1, 400));
        assert_eq!(content.oldest, Some(DateTime::<Utc>::UNIX_EPOCH));
        file.close().await.unwrap();
        drop(file);
        // The next run retries dead-lettered entries.
        assert_eq!(open(folder.path()).await.content().await.unwrap().aside, 0);
    }

    #[tokio::test]
    async fn the_file_is_for_its_owner_and_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("spool");
        let file = open(&inner).await;
        file.keep(&[entry(1, 1, 1)]).await.unwrap();
        assert!(SpoolFile::open(&inner, 1, 1 << 20).await.unwrap().is_none());
        assert!(SpoolFile::open(&inner, 2, 1 << 20).await.unwrap().is_some());
        #[cfg(unix)]
        for name in std::fs::read_dir(&inner).unwrap() {
            use std::os::unix::fs::PermissionsExt as _;
            let name = name.unwrap();
            assert_eq!(name.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{name:?}");
        }
    }
}
