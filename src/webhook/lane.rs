//! The way of messages to the database: how many may be on it, and whether it leads anywhere.
//!
//! In: messages that want in, and failures. Out: a connection pool and a permit, or none: then the message goes to the
//! spool. When something fails the database is asked for a sign of life; while it gives none, no message waits for it,
//! and it is asked again and again until it answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sea_orm::DatabaseConnection;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::settings::Database;
use crate::store::{self, connect};
use crate::telemetry::metrics;

/// How many messages may be on their way to the database at once, with those that nobody waits for any more.
const MOST_IN_FLIGHT: usize = 48;
/// How long a message waits to be one of them.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long the database may take for a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// How often it is asked for one while it is away.
const AGAIN: Duration = Duration::from_millis(250);

/// What must succeed before the first message after a start without the database.
pub type Prepare = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// The way to the database. Cloning is cheap.
#[derive(Clone)]
pub struct Lane(Arc<Inner>);

struct Inner {
    database: Database,
    way: RwLock<Way>,
    away: AtomicBool,
    suspected: Notify,
    back: Notify,
    /// What is still to be done once.
    prepare: Mutex<Option<Prepare>>,
}

#[derive(Clone)]
struct Way {
    db: DatabaseConnection,
    permits: Arc<Semaphore>,
}

impl Way {
    fn over(db: DatabaseConnection) -> Self {
        Self {
            db,
            permits: Arc::new(Semaphore::new(MOST_IN_FLIGHT)),
        }
    }
}

impl Lane {
    /// Over the pool for messages.
    #[must_use]
    pub fn new(database: Database, db: DatabaseConnection) -> Self {
        Self::with(database, db, None)
    }

    /// The same at a start without the database, which is away until it answers and `prepare` succeeds.
    #[must_use]
    pub fn away(database: Database, db: DatabaseConnection, prepare: Prepare) -> Self {
        Self::with(database, db, Some(prepare))
    }

    fn with(database: Database, db: DatabaseConnection, prepare: Option<Prepare>) -> Self {
        let lane = Self(Arc::new(Inner {
            database,
            way: RwLock::new(Way::over(db)),
            away: AtomicBool::new(prepare.is_some()),
            suspected: Notify::new(),
            back: Notify::new(),
            prepare: Mutex::new(prepare),
        }));
        if lane.is_away() {
            lane.0.suspected.notify_one();
        }
        lane
    }

    /// Whether the database is known to be away.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.0.away.load(Ordering::Acquire)
    }

    /// The pool, for work that is no message.
    #[must_use]
    pub fn db(&self) -> DatabaseConnection {
        self.way().db
    }

    /// A pool and a permit, to be held for as long as the work goes on; none when the database is away or too many
    /// messages hang.
    pub async fn enter(&self) -> Option<(DatabaseConnection, OwnedSemaphorePermit)> {
        if self.is_away() {
            return None;
        }
        let way = self.way();
        if let Ok(Ok(permit)) = tokio::time::timeout(PATIENCE, way.permits.acquire_owned()).await {
            return Some((way.db, permit));
        }
        self.suspect();
        None
    }

    /// Something failed: the database is asked for a sign of life.
    pub fn suspect(&self) {
        self.0.suspected.notify_one();
    }

    /// Resolves when the database came back.
    pub async fn came_back(&self) {
        self.0.back.notified().await;
    }

    /// Asks the database for a sign of life now; whether it gave one.
    pub async fn is_alive(&self) -> bool {
        if self.is_away() {
            return false;
        }
        let alive = sign_of_life(self.db()).await.is_ok();
        if !alive {
            self.suspect();
        }
        alive
    }

    /// Watches over the way until told to stop.
    pub async fn watch(&self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.0.suspected.notified()).await.is_some() {
            if !self.is_away() {
                let Err(error) = sign_of_life(self.db()).await else {
                    continue;
                };
                self.0.away.store(true, Ordering::Release);
                tracing::error!(%error, "the database gives no sign of life: messages go to the spool");
            }
            metrics::database_away(true);
            if stop.run_until_cancelled(self.wait()).await.is_none() {
                return;
            }
            self.0.away.store(false, Ordering::Release);
            metrics::database_away(false);
            tracing::warn!("the database is back");
            self.0.back.notify_one();
        }
    }

    /// Returns when the database answers.
    async fn wait(&self) {
        loop {
            tokio::time::sleep(AGAIN).await;
            // New connections: those that stand may be dead without knowing it.
            let fresh = match connect::another_for_messages(&self.0.database).await {
                Ok(fresh) => fresh,
                Err(error) => {
                    tracing::debug!(%error, "no pool for messages");
                    continue;
                }
            };
            let db = fresh.clone().unwrap_or_else(|| self.db());
            if let Err(error) = sign_of_life(db).await {
                tracing::debug!(%error, "the database is still away");
                continue;
            }
            let prepare = self.preparing().clone();
            if let Some(prepare) = prepare {
                if let Err(error) = prepare().await {
                    tracing::error!(error, "the database is there, but cannot be used yet");
                    continue;
                }
                *self.preparing() = None;
            }
            if let Some(fresh) = fresh {
                *self.0.way.write().unwrap_or_else(PoisonError::into_inner) = Way::over(fresh);
            }
            return;
        }
    }

    fn preparing(&self) -> MutexGuard<'_, Option<Prepare>> {
        self.0.prepare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn way(&self) -> Way {
        self.0.way.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A transaction that does nothing: on SQLite it needs the one writer, on PostgreSQL a connection that answers. In a task
/// of its own: one that nobody waits for any more must not leave a connection unusable.
async fn sign_of_life(db: DatabaseConnection) -> Result<(), String> {
    let asked = tokio::spawn(async move { store::begin(&db).await?.rollback().await });
    match tokio::time::timeout(SIGN_OF_LIFE, asked).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(error))) => Err(error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer within a second".to_owned()),
    }
}
