//! The spool: stores messages on disk while the database is unavailable.
//!
//! Ringbook encrypts each message with its response, and stores both on this machine's disk before Vapi gets the
//! response. The size of the spool is limited, and a message waits for the disk no longer than [`WRITE_TIMEOUT`].
//! [`entry`] defines the entries of the spool, and [`drain`] records the entries in the database. If the disk is lost,
//! the messages on it are lost.

pub mod drain;
pub mod entry;
mod record_entry;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::DbErr;
use tokio::sync::{Notify, mpsc, oneshot};

pub use self::entry::{Entry, EntryHeader, Keys};
use base::keys::{KeyError, SecretKey};
use base::telemetry::metrics;
use store::spool::{SealedEntry, SpoolFile, SpoolFileError, WaitingMessage};

/// Timeout for storing a message. A working disk needs milliseconds, and a late response is better than none.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(3);
/// Timeout for the search for an earlier copy of the message.
const LOOKUP_TIMEOUT: Duration = Duration::from_millis(300);
/// Maximum number of instances that share a folder.
const MOST_FILES: u32 = 64;
/// Maximum number of messages that wait for the disk.
const QUEUE: usize = 512;
/// Maximum number of messages in one write.
const TOGETHER: usize = 64;

/// Why a message cannot be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The spool is off or full.
    #[error("the spool is full, or switched off")]
    Full,
    /// The disk took too long.
    #[error("the spool took too long")]
    TooSlow,
    /// The file cannot be written or read.
    #[error("the spool could not be written or read")]
    File(#[from] DbErr),
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] SpoolFileError),
    /// The entry cannot be encrypted, or was encrypted under another key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The entry cannot be parsed by this version of the program.
    #[error("an entry of the spool cannot be parsed")]
    NotUnderstood(#[from] serde_json::Error),
    /// The entry is truncated.
    #[error("an entry of the spool is truncated")]
    Torn,
    /// Too many instances use the folder.
    #[error("{MOST_FILES} other instances use this folder already")]
    Crowded,
}

/// The spool of this instance. Cloning is cheap.
#[derive(Clone)]
pub struct Spool(Option<Arc<Inner>>);

struct Inner {
    file: SpoolFile,
    key: SecretKey,
    most_bytes: u64,
    queue: mpsc::Sender<PendingInsert>,
    state: Mutex<SpoolContents>,
    news: Notify,
}

/// The contents of the spool.
#[derive(Debug, Clone, Default)]
pub struct SpoolContents {
    /// Messages that wait to be recorded.
    pub waiting: u64,
    /// Dead-lettered messages.
    pub aside: u64,
    /// Total size of all messages.
    pub bytes: u64,
    /// When the oldest waiting message was received.
    pub oldest: Option<DateTime<Utc>>,
    /// Number of messages that the spool could not store since the start of the process.
    pub refused: u64,
    families: HashMap<[u8; 32], u32>,
}

struct PendingInsert {
    entry: WaitingMessage,
    done: oneshot::Sender<Result<(), DbErr>>,
}

impl Spool {
    /// Creates a spool that is off and stores nothing.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    /// Opens the folder's first file that no other instance uses.
    ///
    /// # Errors
    /// If no file can be created or opened.
    pub async fn open(folder: &Path, most_bytes: u64, key: SecretKey) -> Result<Self, SpoolError> {
        for number in 1..=MOST_FILES {
            if let Some(file) = SpoolFile::open(folder, number, most_bytes).await? {
                return Self::over(file, most_bytes, key).await.map(|inner| Self(Some(inner)));
            }
        }
        Err(SpoolError::Crowded)
    }

    async fn over(file: SpoolFile, most_bytes: u64, key: SecretKey) -> Result<Arc<Inner>, SpoolError> {
        let (queue, puts) = mpsc::channel(QUEUE);
        let inner = Arc::new(Inner {
            file,
            key,
            most_bytes,
            queue,
            state: Mutex::default(),
            news: Notify::new(),
        });
        inner.recount().await?;
        for family in inner.file.families().await? {
            *inner.lock().families.entry(family).or_default() += 1;
        }
        tokio::spawn(write(Arc::downgrade(&inner), puts));
        Ok(inner)
    }

    /// Stores a message. If the method returns `Ok`, the message is on the disk.
    ///
    /// # Errors
    /// If the spool is full, or the disk fails or takes too long.
    pub async fn keep(&self, entry: &Entry, keys: Keys) -> Result<(), SpoolError> {
        let kept = self.try_keep(entry, keys).await;
        metrics::spooled(kept.is_ok());
        if let (Err(_), Some(inner)) = (&kept, &self.0) {
            inner.lock().refused += 1;
        }
        kept
    }

    async fn try_keep(&self, entry: &Entry, keys: Keys) -> Result<(), SpoolError> {
        let inner = self.0.as_ref().ok_or(SpoolError::Full)?;
        let entry = entry.seal(&inner.key, keys)?;
        if inner.lock().bytes + entry.sealed.len() as u64 > inner.most_bytes {
            return Err(SpoolError::Full);
        }
        let (done, kept) = oneshot::channel();
        let put = async {
            inner
                .queue
                .send(PendingInsert { entry, done })
                .await
                .map_err(|_| SpoolError::Full)?;
            kept.await.map_err(|_| SpoolError::TooSlow)?.map_err(SpoolError::from)
        };
        tokio::time::timeout(WRITE_TIMEOUT, put)
            .await
            .map_err(|_| SpoolError::TooSlow)?
    }

    /// Returns the first waiting message with the business key in `keys`.
    ///
    /// # Errors
    /// If the spool cannot be read.
    pub async fn under(&self, keys: Keys) -> Result<Option<Entry>, SpoolError> {
        let Some(inner) = &self.0 else { return Ok(None) };
        if !self.has(keys.family) {
            return Ok(None);
        }
        let found = tokio::time::timeout(LOOKUP_TIMEOUT, inner.file.under(keys.key)).await;
        let found = found.map_err(|_| SpoolError::TooSlow)??;
        found.map(|sealed| inner.open(&sealed)).transpose()
    }

    /// Whether a message of this call waits in the spool.
    #[must_use]
    pub fn has(&self, family: [u8; 32]) -> bool {
        let waits = |inner: &Arc<Inner>| inner.lock().families.contains_key(&family);
        self.0.as_ref().is_some_and(waits)
    }

    /// The contents of the spool.
    #[must_use]
    pub fn state(&self) -> SpoolContents {
        let state = |inner: &Arc<Inner>| {
            let state = inner.lock();
            SpoolContents {
                families: HashMap::new(),
                waiting: state.waiting,
                aside: state.aside,
                bytes: state.bytes,
                oldest: state.oldest,
                refused: state.refused,
            }
        };
        self.0.as_ref().map(state).unwrap_or_default()
    }

    /// Whether the spool is on and has room.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|inner| inner.lock().bytes < inner.most_bytes)
    }

    /// The decrypted snapshots of an earlier run.
    ///
    /// # Errors
    /// If the snapshots cannot be read.
    pub async fn snapshots(&self) -> Result<Vec<Vec<u8>>, SpoolError> {
        let Some(inner) = &self.0 else { return Ok(Vec::new()) };
        let sealed = inner.file.snapshots().await?;
        let opened = sealed.iter().map(|(id, sealed)| inner.key.open(*id, *id, sealed));
        Ok(opened.collect::<Result<_, _>>()?)
    }

    /// Stores the snapshot of a rulebook, for a start without the database.
    ///
    /// # Errors
    /// If the disk fails.
    pub async fn keep_snapshot(&self, rulebook_id: uuid::Uuid, code: &str, clear: &[u8]) -> Result<(), SpoolError> {
        let Some(inner) = &self.0 else { return Ok(()) };
        let sealed = inner.key.seal(rulebook_id, rulebook_id, clear)?;
        Ok(inner.file.keep_snapshot(rulebook_id, code, sealed).await?)
    }

    /// Deletes the snapshot of a rulebook.
    ///
    /// # Errors
    /// If the disk fails.
    pub async fn drop_snapshot(&self, rulebook_id: uuid::Uuid) -> Result<(), SpoolError> {
        let Some(inner) = &self.0 else { return Ok(()) };
        Ok(inner.file.drop_snapshot(rulebook_id).await?)
    }

    /// Closes the file.
    pub async fn close(&self) {
        if let Some(inner) = &self.0
            && let Err(error) = inner.file.close().await
        {
            tracing::warn!(%error, "the spool did not close");
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, SpoolContents> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, sealed: &SealedEntry) -> Result<Entry, SpoolError> {
        Entry::open(&self.key, sealed)
    }

    fn kept(&self, entry: &WaitingMessage) {
        let mut state = self.lock();
        state.waiting += 1;
        state.bytes += entry.sealed.len() as u64;
        state.oldest = state.oldest.or(Some(entry.received_at));
        *state.families.entry(entry.family).or_default() += 1;
        drop(state);
        self.news.notify_one();
    }

    /// Updates the counts after an entry was recorded or dead-lettered.
    fn left(&self, family: [u8; 32]) {
        let mut state = self.lock();
        if let Some(count) = state.families.get_mut(&family) {
            *count -= 1;
            if *count == 0 {
                state.families.remove(&family);
            }
        }
        state.waiting = state.waiting.saturating_sub(1);
    }

    async fn recount(&self) -> Result<(), DbErr> {
        let content = self.file.content().await?;
        let mut state = self.lock();
        state.waiting = content.waiting;
        state.aside = content.aside;
        state.bytes = content.bytes;
        state.oldest = content.oldest;
        Ok(())
    }
}

/// Writes queued messages in batches, one transaction each, until the spool is dropped.
async fn write(inner: std::sync::Weak<Inner>, mut puts: mpsc::Receiver<PendingInsert>) {
    let mut batch = Vec::with_capacity(TOGETHER);
    while puts.recv_many(&mut batch, TOGETHER).await > 0 {
        let Some(inner) = inner.upgrade() else { return };
        let entries: Vec<WaitingMessage> = batch.iter().map(|put| put.entry.clone()).collect();
        let together = inner.file.keep(&entries).await;
        if let Err(error) = &together {
            tracing::error!(%error, messages = entries.len(), "the spool could not store messages: check the disk");
        }
        let single = together.is_err() && batch.len() > 1;
        for (at, put) in batch.drain(..).enumerate() {
            // A message that is too large for the remaining room must not make the other messages fail.
            let kept = match &together {
                Ok(new) => Ok(new.get(at).copied().unwrap_or_default()),
                Err(_) if single => inner.file.keep(&entries[at..=at]).await.map(|new| new == [true]),
                Err(error) => Err(error.clone()),
            };
            if matches!(kept, Ok(true)) {
                inner.kept(&put.entry);
            }
            // The waiter may have timed out.
            let _ = put.done.send(kept.map(drop));
        }
    }
}
