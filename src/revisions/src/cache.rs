//! Caches compiled rulebooks in memory, by rulebook and revision.
//!
//! A published revision never changes, so no entry is ever stale or invalidated. A transaction that reads the head and
//! requests the head revision decides with exactly this revision. A missing entry is loaded only once, even if many
//! requests wait for the entry. A missing entry is never loaded through the pool that messages use.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::quarantine::Quarantines;
use base::cache::Cache;
use base::telemetry::{self, metrics};
use rules::compile::Rulebook;
use rules::fair_pool::Busy;
use rules::fault::Fault;
use rules::pools::Pools;
use rules::rows::RowSet;
use rules::size;
use store::replica::Replica;
use store::{revisions, rule_rows, rulebooks};

/// Memory limit in bytes for compiled revisions that are not a head. The cache of revisions that people only read has
/// the same limit.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// The two limits of the cache of revisions that do not compile: the maximum number of revisions, and how long a
/// revision stays in the cache. The time is short, because somebody may repair the tables.
const MOST_FAULTY: u64 = 1_000;
const FAULTY_FOR: Duration = Duration::from_secs(30);

/// A compiled rulebook at its head.
#[derive(Debug, Clone)]
pub struct LoadedRulebook {
    pub rulebook_id: Uuid,
    pub rulebook: Arc<Rulebook>,
}

/// A revision: either compiled, or only its rows.
#[derive(Debug, Clone)]
pub enum Base {
    /// The compiled revision.
    Compiled(Arc<Rulebook>),
    /// Only the rows, because they do not compile. An edit, an import or a rollback can repair the rows.
    Rows(Arc<RowSet>),
}

impl Base {
    /// The rows of the revision.
    #[must_use]
    pub fn rows(&self) -> &RowSet {
        match self {
            Self::Compiled(rulebook) => rulebook.rows(),
            Self::Rows(rows) => rows,
        }
    }

    /// The compiled revision. `None` if the revision does not compile.
    #[must_use]
    pub const fn compiled(&self) -> Option<&Arc<Rulebook>> {
        match self {
            Self::Compiled(rulebook) => Some(rulebook),
            Self::Rows(_) => None,
        }
    }
}

/// The rows of a rulebook at its head. The rows may or may not compile.
#[derive(Debug, Clone)]
pub struct HeadRows {
    pub rulebook_id: Uuid,
    pub revision: i64,
    pub base: Base,
}

impl HeadRows {
    /// The rows.
    #[must_use]
    pub fn rows(&self) -> &RowSet {
        self.base.rows()
    }
}

/// Why a revision cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// The revision does not exist.
    #[error("revision {0} does not exist")]
    Unknown(i64),
    /// The rows do not compile: an older program published them, or somebody edited the tables manually.
    #[error("revision {revision} does not compile: it has {} validation errors", faults.len())]
    Faults {
        revision: i64,
        /// All validation errors of the revision.
        faults: Vec<Fault>,
    },
    /// The database failed.
    #[error("the rules could not be read")]
    Database(#[source] Arc<DbErr>),
    /// The threads that compile are busy.
    #[error("the rules could not be compiled now")]
    Busy(#[from] Busy),
}

impl From<DbErr> for LoadError {
    fn from(error: DbErr) -> Self {
        Self::Database(Arc::new(error))
    }
}

/// The kind of request that waits for a rulebook.
#[derive(Debug, Clone, Copy)]
enum For {
    Messages,
    People,
}

/// Compiled rulebooks by revision.
#[derive(Clone)]
pub struct RulebookCache {
    replica: Replica,
    primary: DatabaseConnection,
    /// Revisions that are not known to be a head. The total size of the entries is limited, so that many edits, or many
    /// readers of old revisions, do not fill the memory.
    compiled: Cache<Rulebook, LoadError>,
    /// For each rulebook, the head that a message last saw or that this process published. An entry never expires,
    /// because otherwise a message would have to compile the head again. The next message will probably see the same
    /// head.
    heads: Arc<RwLock<HashMap<Uuid, Arc<Rulebook>>>>,
    /// Revisions that do not compile. A published revision never changes, so it need not be compiled again for each
    /// message.
    faulty: Cache<Vec<Fault>>,
    /// Older revisions that people read page by page. These revisions are not compiled, and do not displace compiled
    /// revisions.
    read_only: Cache<RowSet, LoadError>,
    pools: Pools,
    quarantines: Quarantines,
}

impl RulebookCache {
    /// Creates the cache. Reads for decisions use `primary`. Reads for people use `replica`, or `primary` if there is
    /// no replica, the replica fails, or the replica lacks the rows.
    #[must_use]
    pub fn new(replica: Replica, primary: DatabaseConnection) -> Self {
        Self {
            replica,
            primary,
            compiled: Cache::of_bytes(MOST_BYTES, Rulebook::weight),
            faulty: Cache::of_entries_for(MOST_FAULTY, FAULTY_FOR),
            read_only: Cache::of_bytes(MOST_BYTES, |rows| size::in_memory(rows, size::row_bytes(rows))),
            heads: Arc::default(),
            pools: Pools::default(),
            quarantines: Quarantines::default(),
        }
    }

    /// The threads on which rulebooks are compiled, analyzed and run.
    #[must_use]
    pub const fn pools(&self) -> &Pools {
        &self.pools
    }

    /// The quarantined scripts.
    #[must_use]
    pub const fn quarantines(&self) -> &Quarantines {
        &self.quarantines
    }

    /// Returns the compiled head that a message saw last. The head may have moved since. So use this rulebook only for
    /// work that is discarded if the transaction sees another head.
    #[must_use]
    pub fn last_seen(&self, rulebook_id: Uuid) -> Option<Arc<Rulebook>> {
        let heads = self.heads.read().unwrap_or_else(PoisonError::into_inner);
        heads.get(&rulebook_id).cloned()
    }

    /// Stores the head that a message saw or that was just published. The previous head moves to the cache of other
    /// revisions.
    pub async fn set_head(&self, rulebook_id: Uuid, rulebook: &Arc<Rulebook>) {
        let revision = rulebook.revision();
        if self
            .last_seen(rulebook_id)
            .is_some_and(|head| head.revision() >= revision)
        {
            return;
        }
        let before = {
            let mut heads = self.heads.write().unwrap_or_else(PoisonError::into_inner);
            match heads.get(&rulebook_id) {
                Some(head) if head.revision() >= revision => return,
                _ => heads.insert(rulebook_id, Arc::clone(rulebook)),
            }
        };
        // The head is stored separately, so remove it here. Otherwise its memory would count twice.
        self.compiled.remove(key(rulebook_id, revision)).await;
        if let Some(before) = before {
            self.compiled.insert(key(rulebook_id, before.revision()), before).await;
        }
    }

    /// Returns the compiled head of the rulebook with this code, or `None` if no rulebook has this code.
    ///
    /// # Errors
    /// When the rows of the head cannot be read or compiled.
    pub async fn head(&self, code: &str) -> Result<Option<LoadedRulebook>, LoadError> {
        let Some((rulebook_id, revision)) = head_in(self.primary.clone(), code).await? else {
            return Ok(None);
        };
        let rulebook = self.at(rulebook_id, revision).await?;
        Ok(Some(LoadedRulebook { rulebook_id, rulebook }))
    }

    /// Returns the rows at the head of the rulebook with this code, or `None` if no rulebook has this code.
    ///
    /// # Errors
    /// When the rows of the head cannot be read.
    pub async fn head_rows(&self, code: &str) -> Result<Option<HeadRows>, LoadError> {
        let Some((rulebook_id, revision)) = self.find(code).await? else {
            return Ok(None);
        };
        let base = self.base(rulebook_id, revision).await?;
        Ok(Some(HeadRows {
            rulebook_id,
            revision,
            base,
        }))
    }

    /// The id and the head of the rulebook with this code.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(&self, code: &str) -> Result<Option<(Uuid, i64)>, DbErr> {
        self.for_people(|db| head_in(db, code)).await
    }

    /// Does the same as [`RulebookCache::find`], but always reads from the primary.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_latest(&self, code: &str) -> Result<Option<(Uuid, i64)>, DbErr> {
        head_in(self.primary.clone(), code).await
    }

    /// Returns a compiled revision, or only the rows of the revision if they do not compile.
    ///
    /// # Errors
    /// When there is no such revision, or its rows cannot be read.
    pub async fn base(&self, rulebook_id: Uuid, revision: i64) -> Result<Base, LoadError> {
        match self.at(rulebook_id, revision).await {
            Ok(rulebook) => Ok(Base::Compiled(rulebook)),
            Err(LoadError::Faults { .. }) => {
                let rows = self.rows_that_decide(rulebook_id, revision).await?;
                Ok(Base::Rows(Arc::new(rows)))
            }
            Err(error) => Err(error),
        }
    }

    /// The compiled rulebook at a revision.
    ///
    /// # Errors
    /// When there is no such revision, or its rows cannot be read or compiled.
    pub async fn at(&self, rulebook_id: Uuid, revision: i64) -> Result<Arc<Rulebook>, LoadError> {
        match self.found(rulebook_id, revision, For::Messages).await {
            // A person's request was loading the same revision, and was rejected as busy. Load the revision again.
            Err(LoadError::Busy(_)) => self.found(rulebook_id, revision, For::Messages).await,
            found => found,
        }
    }

    /// Does the same as [`RulebookCache::at`] for requests of people. This function uses the queue for people instead
    /// of the queue for messages.
    ///
    /// # Errors
    /// The errors of [`RulebookCache::at`]. [`LoadError::Busy`] if too many requests for the rulebook are waiting.
    pub async fn at_for_people(&self, rulebook_id: Uuid, revision: i64) -> Result<Arc<Rulebook>, LoadError> {
        self.found(rulebook_id, revision, For::People).await
    }

    async fn found(&self, rulebook_id: Uuid, revision: i64, whom: For) -> Result<Arc<Rulebook>, LoadError> {
        let key = key(rulebook_id, revision);
        if let Some(hit) = self.known(rulebook_id, revision).await {
            metrics::cache(true);
            return Ok(hit);
        }
        metrics::cache(false);
        if let Some(faults) = self.faulty.get(key).await {
            let faults = faults.to_vec();
            return Err(LoadError::Faults { revision, faults });
        }
        let loaded = self
            .compiled
            .get_or_load(key, self.load(rulebook_id, revision, whom))
            .await;
        if let Err(error) = &loaded
            && let LoadError::Faults { faults, .. } = error.as_ref()
        {
            self.faulty.insert(key, Arc::new(faults.clone())).await;
        }
        loaded.map_err(|error| (*error).clone())
    }

    /// Returns the rows of a revision for people who read them. The rows need not compile, because an older program may
    /// have written them.
    ///
    /// # Errors
    /// When there is no such revision, or its rows cannot be read.
    pub async fn rows(&self, rulebook_id: Uuid, revision: i64) -> Result<Arc<RowSet>, LoadError> {
        if let Some(compiled) = self.known(rulebook_id, revision).await {
            return Ok(Arc::new(compiled.rows().clone()));
        }
        self.read_only
            .get_or_load(key(rulebook_id, revision), async {
                let rows = self.stored_rows(rulebook_id, revision).await?;
                rows.map(Arc::new).ok_or(LoadError::Unknown(revision))
            })
            .await
            .map_err(|error: Arc<LoadError>| (*error).clone())
    }

    /// Returns a compiled revision if it is in memory.
    async fn known(&self, rulebook_id: Uuid, revision: i64) -> Option<Arc<Rulebook>> {
        let head = self.last_seen(rulebook_id).filter(|head| head.revision() == revision);
        match head {
            Some(head) => Some(head),
            None => self.compiled.get(key(rulebook_id, revision)).await,
        }
    }

    /// Returns the approximate memory, in bytes, of compiled revisions that are not a head, and the limit of this
    /// memory.
    pub async fn weight(&self) -> (u64, u64) {
        (self.compiled.size().await, MOST_BYTES)
    }

    async fn load(&self, rulebook_id: Uuid, revision: i64, whom: For) -> Result<Arc<Rulebook>, LoadError> {
        let rows = self.rows_that_decide(rulebook_id, revision).await?;
        let compiled = match whom {
            For::Messages => self.pools.load_rows(rulebook_id, revision, rows).await?,
            For::People => self.pools.compile_rows(rulebook_id, revision, rows, None).await?,
        };
        compiled.map_err(|faults| LoadError::Faults { revision, faults })
    }

    /// Reads the rows from the primary, because a message waits for them. A replica may not respond, or may lag behind
    /// the head that the message saw.
    async fn rows_that_decide(&self, rulebook_id: Uuid, revision: i64) -> Result<RowSet, LoadError> {
        let rows = rows_in(self.primary.clone(), rulebook_id, revision).await?;
        rows.ok_or(LoadError::Unknown(revision))
    }

    async fn stored_rows(&self, rulebook_id: Uuid, revision: i64) -> Result<Option<RowSet>, DbErr> {
        self.for_people(|db| rows_in(db, rulebook_id, revision)).await
    }

    /// Returns the result from the replica. If the replica fails or has no result, returns the result from the primary.
    async fn for_people<T, F>(&self, ask: impl Fn(DatabaseConnection) -> F) -> Result<Option<T>, DbErr>
    where
        F: Future<Output = Result<Option<T>, DbErr>>,
    {
        if let Some(replica) = self.replica.usable() {
            match ask(replica.clone()).await {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "reading from the primary, because the replica failed"),
            }
        }
        ask(self.primary.clone()).await
    }
}

/// The key of a revision in the caches.
fn key(rulebook_id: Uuid, revision: i64) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(rulebook_id.as_bytes());
    key[16..].copy_from_slice(&revision.to_be_bytes());
    key
}

async fn head_in(db: DatabaseConnection, code: &str) -> Result<Option<(Uuid, i64)>, DbErr> {
    // PostgreSQL rejects a parameter that contains a NUL character, and no stored text contains this character.
    if code.contains('\0') {
        return Ok(None);
    }
    let found = rulebooks::Entity::find()
        .filter(rulebooks::Column::Code.eq(code))
        .one(&db)
        .await?;
    Ok(found.map(|found| {
        telemetry::rulebooks::note(found.id, &found.code);
        (found.id, found.head_revision)
    }))
}

async fn rows_in(db: DatabaseConnection, rulebook_id: Uuid, revision: i64) -> Result<Option<RowSet>, DbErr> {
    let exists = revisions::Entity::find_by_id((rulebook_id, revision))
        .select_only()
        .column(revisions::Column::Number)
        .into_tuple::<i64>()
        .one(&db)
        .await?;
    if exists.is_none() {
        return Ok(None);
    }
    // The rows of a revision never change, so several statements see the same rows without a transaction. Do not use a
    // transaction here, because a client that disconnects could cancel the start of the transaction.
    rule_rows::load(&db, rulebook_id, revision).await.map(Some)
}
