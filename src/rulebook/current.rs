//! (rulebook, revision) to the compiled rulebook, kept in memory.
//!
//! A published revision never changes, so an entry is never stale and nothing has to be invalidated: whoever reads the
//! head inside its own transaction and asks for that revision decides with exactly that state. A miss is loaded once,
//! however many wait for it, and never through the pool that messages use.

use std::sync::Arc;

use moka::future::Cache;
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::compile::{self, Rulebook};
use super::fault::Fault;
use super::quarantine::Quarantines;
use super::rows::RowSet;
use super::script::pool::ScriptPool;
use crate::store::{revisions, rulebooks, rules};
use crate::telemetry::metrics;

/// How many compiled rulebooks stay in memory, weighed in rows.
const MOST_ROWS: u64 = 200_000;
/// Of how many rulebooks the head is remembered.
const MOST_HEADS: u64 = 10_000;

/// How many rows of revisions that are only read stay in memory.
const MOST_READ_ROWS: u64 = 50_000;

/// A rulebook at its head.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Which rulebook.
    pub rulebook_id: Uuid,
    /// Compiled.
    pub rulebook: Arc<Rulebook>,
}

/// A revision as far as it can be had.
#[derive(Debug, Clone)]
pub enum Base {
    /// Compiled.
    Compiled(Arc<Rulebook>),
    /// Only its rows: they do not compile, which an edit, an import or a roll back can mend.
    Rows(Arc<RowSet>),
}

impl Base {
    /// Its rows.
    #[must_use]
    pub fn rows(&self) -> &RowSet {
        match self {
            Self::Compiled(rulebook) => rulebook.rows(),
            Self::Rows(rows) => rows,
        }
    }

    /// Compiled, where it compiles.
    #[must_use]
    pub const fn compiled(&self) -> Option<&Arc<Rulebook>> {
        match self {
            Self::Compiled(rulebook) => Some(rulebook),
            Self::Rows(_) => None,
        }
    }
}

/// The rows of a rulebook at its head, whether they compile or not.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Which rulebook.
    pub rulebook_id: Uuid,
    /// The head.
    pub revision: i64,
    /// What stands there.
    pub base: Base,
}

impl Standing {
    /// The rows.
    #[must_use]
    pub fn rows(&self) -> &RowSet {
        self.base.rows()
    }
}

/// Why a revision cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// There is no such revision.
    #[error("revision {0} does not exist")]
    Unknown(i64),
    /// Its rows do not compile: an older program published them, or somebody wrote to the tables by hand.
    #[error("revision {revision} does not compile: {} faults", faults.len())]
    Faults {
        /// The revision.
        revision: i64,
        /// Everything wrong with it.
        faults: Vec<Fault>,
    },
    /// The database did not answer.
    #[error("the rules could not be read")]
    Database(#[source] Arc<DbErr>),
}

impl From<DbErr> for LoadError {
    fn from(error: DbErr) -> Self {
        Self::Database(Arc::new(error))
    }
}

/// Compiled rulebooks by revision.
#[derive(Clone)]
pub struct Current {
    replica: Option<DatabaseConnection>,
    primary: DatabaseConnection,
    compiled: Cache<(Uuid, i64), Arc<Rulebook>>,
    /// Older revisions as people look at them page by page: not compiled, and not in the way of those that decide.
    read_only: Cache<(Uuid, i64), Arc<RowSet>>,
    /// The head that a message last saw: a guess at what the next one will see.
    heads: Cache<Uuid, i64>,
    pool: ScriptPool,
    quarantines: Quarantines,
}

impl Current {
    /// Over the replica that people read from, where there is one, and what reads from the primary: for what decides, and
    /// for what the replica has not received or does not answer.
    #[must_use]
    pub fn new(replica: Option<DatabaseConnection>, primary: DatabaseConnection) -> Self {
        let compiled = Cache::builder()
            .max_capacity(MOST_ROWS)
            .weigher(|_, rulebook: &Arc<Rulebook>| u32::try_from(rulebook.row_count()).unwrap_or(u32::MAX).max(1))
            .build();
        let read_only = Cache::builder()
            .max_capacity(MOST_READ_ROWS)
            .weigher(|_, rows: &Arc<RowSet>| u32::try_from(rows.count()).unwrap_or(u32::MAX).max(1))
            .build();
        Self {
            replica,
            primary,
            compiled,
            read_only,
            heads: Cache::new(MOST_HEADS),
            pool: ScriptPool::default(),
            quarantines: Quarantines::default(),
        }
    }

    /// The threads on which messages run scripts.
    #[must_use]
    pub const fn pool(&self) -> &ScriptPool {
        &self.pool
    }

    /// The scripts to leave out.
    #[must_use]
    pub const fn quarantines(&self) -> &Quarantines {
        &self.quarantines
    }

    /// The rulebook at the head that a message saw last, which may have moved since: for work that is thrown away when
    /// the transaction sees another.
    pub async fn guess(&self, rulebook_id: Uuid) -> Option<Arc<Rulebook>> {
        let revision = self.heads.get(&rulebook_id).await?;
        self.at(rulebook_id, revision).await.ok()
    }

    /// The rulebook at the head that a message saw last, as far as it is in memory.
    pub async fn last_seen(&self, rulebook_id: Uuid) -> Option<Arc<Rulebook>> {
        let revision = self.heads.get(&rulebook_id).await?;
        self.compiled.get(&(rulebook_id, revision)).await
    }

    /// Notes the head that a message saw.
    pub async fn saw(&self, rulebook_id: Uuid, revision: i64) {
        if self.heads.get(&rulebook_id).await != Some(revision) {
            self.heads.insert(rulebook_id, revision).await;
        }
    }

    /// The rulebook of this code at its head; `None` when there is none.
    ///
    /// # Errors
    /// When its rows cannot be read or compiled.
    pub async fn head(&self, code: &str) -> Result<Option<Loaded>, LoadError> {
        let Some((rulebook_id, revision)) = head_in(self.primary.clone(), code).await? else {
            return Ok(None);
        };
        let rulebook = self.at(rulebook_id, revision).await?;
        Ok(Some(Loaded { rulebook_id, rulebook }))
    }

    /// The rows of the rulebook of this code at its head; `None` when there is none.
    ///
    /// # Errors
    /// When its rows cannot be read.
    pub async fn standing(&self, code: &str) -> Result<Option<Standing>, LoadError> {
        let Some((rulebook_id, revision)) = self.find(code).await? else {
            return Ok(None);
        };
        let base = self.base(rulebook_id, revision).await?;
        Ok(Some(Standing {
            rulebook_id,
            revision,
            base,
        }))
    }

    /// The id and the head of the rulebook of this code.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find(&self, code: &str) -> Result<Option<(Uuid, i64)>, DbErr> {
        self.for_people(|db| head_in(db, code)).await
    }

    /// A revision, or only its rows where they do not compile.
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

    /// The rulebook at a revision.
    ///
    /// # Errors
    /// When there is no such revision, or its rows cannot be read or compiled.
    pub async fn at(&self, rulebook_id: Uuid, revision: i64) -> Result<Arc<Rulebook>, LoadError> {
        let key = (rulebook_id, revision);
        if let Some(hit) = self.compiled.get(&key).await {
            metrics::cache(true);
            return Ok(hit);
        }
        metrics::cache(false);
        self.compiled
            .try_get_with(key, self.load(rulebook_id, revision))
            .await
            .map_err(|error| (*error).clone())
    }

    /// The rows of a revision, to be read: they need not compile, as those of an older program may not.
    ///
    /// # Errors
    /// When there is no such revision, or its rows cannot be read.
    pub async fn rows(&self, rulebook_id: Uuid, revision: i64) -> Result<Arc<RowSet>, LoadError> {
        let key = (rulebook_id, revision);
        if let Some(compiled) = self.compiled.get(&key).await {
            return Ok(Arc::new(compiled.rows().clone()));
        }
        self.read_only
            .try_get_with(key, async {
                let rows = self.stored_rows(rulebook_id, revision).await?;
                rows.map(Arc::new).ok_or(LoadError::Unknown(revision))
            })
            .await
            .map_err(|error: Arc<LoadError>| (*error).clone())
    }

    /// Keeps what was just published, so that the next message need not load it.
    pub async fn keep(&self, rulebook_id: Uuid, rulebook: Arc<Rulebook>) {
        self.compiled.insert((rulebook_id, rulebook.revision()), rulebook).await;
    }

    /// How many compiled rulebooks are kept.
    #[must_use]
    pub fn kept(&self) -> u64 {
        self.compiled.entry_count()
    }

    async fn load(&self, rulebook_id: Uuid, revision: i64) -> Result<Arc<Rulebook>, LoadError> {
        let rows = self.rows_that_decide(rulebook_id, revision).await?;
        let compiled = tokio::task::spawn_blocking(move || compile::compile(revision, &rows, None))
            .await
            .map_err(|error| LoadError::from(DbErr::Custom(error.to_string())))?;
        compiled
            .map(Arc::new)
            .map_err(|faults| LoadError::Faults { revision, faults })
    }

    /// From the primary: a message waits for it, and a replica may lag behind the head that the message saw, or hang.
    async fn rows_that_decide(&self, rulebook_id: Uuid, revision: i64) -> Result<RowSet, LoadError> {
        let rows = rows_in(self.primary.clone(), rulebook_id, revision).await?;
        rows.ok_or(LoadError::Unknown(revision))
    }

    async fn stored_rows(&self, rulebook_id: Uuid, revision: i64) -> Result<Option<RowSet>, DbErr> {
        self.for_people(|db| rows_in(db, rulebook_id, revision)).await
    }

    /// What the replica finds, else what the primary does.
    async fn for_people<T, F>(&self, ask: impl Fn(DatabaseConnection) -> F) -> Result<Option<T>, DbErr>
    where
        F: Future<Output = Result<Option<T>, DbErr>>,
    {
        if let Some(replica) = &self.replica {
            match ask(replica.clone()).await {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "the primary is asked in place of the replica"),
            }
        }
        ask(self.primary.clone()).await
    }
}

async fn head_in(db: DatabaseConnection, code: &str) -> Result<Option<(Uuid, i64)>, DbErr> {
    // No text in PostgreSQL holds a NUL, and it refuses a question with one.
    if code.contains('\0') {
        return Ok(None);
    }
    let found = rulebooks::Entity::find()
        .filter(rulebooks::Column::Code.eq(code))
        .one(&db)
        .await?;
    Ok(found.map(|found| (found.id, found.head_revision)))
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
    // Rows of a revision never change once it is there, so several statements see one state without a transaction,
    // whose beginning a client that hangs up could cut short.
    rules::load(&db, rulebook_id, revision).await.map(Some)
}
