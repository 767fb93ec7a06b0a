//! Limits how many messages use the database at the same time, and watches whether the database is available.
//!
//! [`DatabaseGate::enter`] gives a message a connection pool and a permit. A message without a permit goes to the
//! spool. A failure triggers a health check. While the check fails, no message waits for the database, and the check
//! repeats. The check tries existing connections first, because the database may allow no more connections. Then the
//! check tries new connections, because the existing connections may be dead.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, Statement};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use base::telemetry::metrics;
use store::Database;
use store::connect::{self, Connections};
use store::postgres_limits;
use store::postgres_limits::{PoolPlan, Unreachable};

/// Number of messages that may use the database at the same time, for each connection that the pool may open. The
/// number includes messages whose waiter timed out. Several messages share a connection, because each message holds a
/// connection for only a small part of its time.
const IN_FLIGHT_PER_CONNECTION: usize = 3;
/// Number of messages that may use an SQLite database at the same time.
const IN_FLIGHT_ON_SQLITE: usize = 48;
/// How long the limit on messages stays lowered after the database refused a new connection.
const CROWDED_FOR: Duration = Duration::from_secs(30);
/// How long a message waits for a permit.
const PERMIT_TIMEOUT: Duration = Duration::from_millis(500);
/// Timeout of the health check.
const HEALTH_CHECK_TIMEOUT: Duration = Duration::from_secs(1);
/// Interval between health checks while the database is unavailable.
const HEALTH_CHECK_INTERVAL: Duration = Duration::from_millis(250);
/// How long an idle connection may take to respond while the database is unavailable. A slower connection is closed.
const IDLE_ANSWER: Duration = Duration::from_millis(400);
/// Interval between checks of idle connections in all pools. A connection to a former primary, or to a standby that was
/// promoted later, stays read-only. Without this check, only a failing write would reveal such a connection.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// How long an idle connection may take to respond in the check of all pools.
const SWEEP_ANSWER: Duration = Duration::from_secs(2);
/// Minimum interval between two log lines with the same reason for an outage.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// The setup after a start without the database. It must succeed before the first message uses the database.
pub type Prepare = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// The gate to the database. Cloning is cheap.
#[derive(Clone)]
pub struct DatabaseGate(Arc<Inner>);

struct Inner {
    database: Database,
    plan: PoolPlan,
    /// The pools for other work. These pools close idle connections if messages cannot get a connection.
    others: Vec<DatabaseConnection>,
    way: RwLock<Way>,
    away: AtomicBool,
    /// Whether the pool failed to open a connection for a message.
    crowded: AtomicBool,
    suspected: Notify,
    back: Notify,
    /// The setup to run; `None` after it succeeded or if none is needed.
    prepare: Mutex<Option<Prepare>>,
}

#[derive(Clone)]
struct Way {
    db: DatabaseConnection,
    permits: Arc<Semaphore>,
    most: usize,
}

impl Way {
    fn over(db: DatabaseConnection, most: usize) -> Self {
        Self {
            db,
            permits: Arc::new(Semaphore::new(most)),
            most,
        }
    }
}

impl DatabaseGate {
    /// Creates a gate to the connection pool for messages.
    #[must_use]
    pub fn new(database: Database, pools: &Connections) -> Self {
        Self::with(database, pools, None)
    }

    /// Creates a gate for a start without the database. The database counts as unavailable until it responds and
    /// `prepare` succeeds.
    #[must_use]
    pub fn away(database: Database, pools: &Connections, prepare: Prepare) -> Self {
        Self::with(database, pools, Some(prepare))
    }

    fn with(database: Database, pools: &Connections, prepare: Option<Prepare>) -> Self {
        let (db, plan) = (pools.messages.clone(), pools.plan);
        let most = most_in_flight(&database, plan);
        let gate = Self(Arc::new(Inner {
            database,
            plan,
            others: vec![pools.write.clone(), pools.read.clone()],
            way: RwLock::new(Way::over(db, most)),
            away: AtomicBool::new(prepare.is_some()),
            crowded: AtomicBool::new(false),
            suspected: Notify::new(),
            back: Notify::new(),
            prepare: Mutex::new(prepare),
        }));
        if gate.is_away() {
            gate.0.suspected.notify_one();
        }
        gate
    }

    /// Whether the database is known to be unavailable.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.0.away.load(Ordering::Acquire)
    }

    /// Returns the current pool, for work that needs no permit.
    #[must_use]
    pub fn db(&self) -> DatabaseConnection {
        self.way().db
    }

    /// Returns a pool and a permit for one message. The caller must keep the permit until its work is done. Returns
    /// `None` if the database is unavailable or no permit becomes free in time.
    pub async fn enter(&self) -> Option<(DatabaseConnection, OwnedSemaphorePermit)> {
        if self.is_away() {
            return None;
        }
        let way = self.way();
        if let Ok(Ok(permit)) = tokio::time::timeout(PERMIT_TIMEOUT, way.permits.acquire_owned()).await {
            return Some((way.db, permit));
        }
        self.suspect();
        None
    }

    /// Reports a failure, which triggers a health check.
    pub fn suspect(&self) {
        self.0.suspected.notify_one();
    }

    /// Reports that the pool had no free connection for a message and could not open a new connection. If the database
    /// allows no more connections, fewer messages get a permit. So no message waits for a connection that never becomes
    /// free.
    pub fn crowded(&self) {
        self.0.crowded.store(true, Ordering::Release);
        self.suspect();
    }

    /// Resolves when the database is back.
    pub async fn came_back(&self) {
        self.0.back.notified().await;
    }

    /// Runs the health check now and returns its result.
    pub async fn is_alive(&self) -> bool {
        if self.is_away() {
            return false;
        }
        let alive = health_check(self.db()).await.is_ok();
        if !alive {
            self.suspect();
        }
        alive
    }

    /// Watches the database until cancelled.
    pub async fn watch(&self, stop: CancellationToken) {
        let mut calm_since = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.suspected.notified() => calm_since = Instant::now(),
                () = tokio::time::sleep(SWEEP_INTERVAL) => {
                    if calm_since.elapsed() >= CROWDED_FOR {
                        self.widen();
                        calm_since = Instant::now();
                    }
                    self.sweep().await;
                    continue;
                }
            }
            let crowded = self.0.crowded.swap(false, Ordering::AcqRel);
            if !self.is_away() {
                let Err(error) = health_check(self.db()).await else {
                    if crowded {
                        self.narrow().await;
                    }
                    continue;
                };
                self.0.away.store(true, Ordering::Release);
                tracing::error!(%error, "the database does not respond: messages go to the spool");
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

    /// Closes the idle connections of every pool that do not respond or cannot write.
    async fn sweep(&self) {
        postgres_limits::close_dead(&self.db(), SWEEP_ANSWER).await;
        for other in &self.0.others {
            postgres_limits::close_dead(other, SWEEP_ANSWER).await;
        }
    }

    /// Waits until the database can be used again.
    async fn wait(&self) {
        let mut outage_log = OutageLog::default();
        loop {
            tokio::time::sleep(HEALTH_CHECK_INTERVAL).await;
            let fresh = match self.reach().await {
                Ok(fresh) => fresh,
                Err(why) => {
                    outage_log.log(&why);
                    continue;
                }
            };
            let prepare = self.preparing().clone();
            if let Some(prepare) = prepare {
                if let Err(error) = prepare().await {
                    tracing::error!(error, "the database responds, but cannot be used yet");
                    continue;
                }
                *self.preparing() = None;
            }
            if let Some(fresh) = fresh {
                self.change_to(fresh);
            }
            return;
        }
    }

    /// Checks whether the database can be used. First tries the existing pool, because the database may allow no more
    /// connections. Then tries a new pool, and returns the new pool if it works.
    async fn reach(&self) -> Result<Option<DatabaseConnection>, Unreachable> {
        postgres_limits::close_dead(&self.db(), IDLE_ANSWER).await;
        let Err(error) = health_check(self.db()).await else {
            return Ok(None);
        };
        if matches!(self.0.database, Database::Sqlite(_)) {
            return Err(Unreachable::Away(error));
        }
        if let Err(why) = postgres_limits::is_reachable(&self.0.database, self.0.plan).await {
            if !matches!(why, Unreachable::Away(_)) {
                // Free the connections of the other pools for the next attempt: messages have priority.
                self.0.others.iter().for_each(postgres_limits::give_back);
            }
            return Err(why);
        }
        let fresh = connect::another_for_messages(&self.0.database, self.0.plan).await;
        fresh.map_err(|error| Unreachable::Away(error.to_string()))
    }

    /// Switches messages to the pool `fresh`. Messages that already use the previous pool finish on the previous pool.
    fn change_to(&self, fresh: DatabaseConnection) {
        let most = most_in_flight(&self.0.database, self.0.plan);
        let fresh = Way::over(fresh, most);
        let before = std::mem::replace(&mut *self.writing(), fresh);
        // Close each old connection as soon as it is idle, because the new pool may need its slot.
        tokio::spawn(async move {
            if let Err(error) = before.db.close().await {
                tracing::debug!(%error, "a pool for messages did not close");
            }
        });
    }

    /// Halves the limit on messages if the database allows no more connections.
    async fn narrow(&self) {
        let reached = postgres_limits::is_reachable(&self.0.database, self.0.plan).await;
        let Err(Unreachable::TooMany(error)) = reached else {
            return;
        };
        let mut way = self.writing();
        let most = (way.most / 2).max(1);
        let db = way.db.clone();
        *way = Way::over(db, most);
        drop(way);
        tracing::warn!(
            error,
            most,
            "the database allows no more connections: for now, at most {most} messages use it at the same time; \
             raise its limit, or lower RINGBOOK_DATABASE_CONNECTIONS"
        );
    }

    /// Doubles the lowered limit on messages, up to [`most_in_flight`].
    fn widen(&self) {
        let all = most_in_flight(&self.0.database, self.0.plan);
        let mut way = self.writing();
        if way.most < all {
            let (db, most) = (way.db.clone(), (way.most * 2).min(all));
            *way = Way::over(db, most);
        }
    }

    fn preparing(&self) -> MutexGuard<'_, Option<Prepare>> {
        self.0.prepare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn way(&self) -> Way {
        self.0.way.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn writing(&self) -> RwLockWriteGuard<'_, Way> {
        self.0.way.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn most_in_flight(database: &Database, plan: PoolPlan) -> usize {
    match database {
        Database::Sqlite(_) => IN_FLIGHT_ON_SQLITE,
        Database::Postgres(_) => usize::try_from(plan.sizes.messages).unwrap_or(usize::MAX) * IN_FLIGHT_PER_CONNECTION,
    }
}

/// Logs why the database cannot be reached: immediately, after each change of the reason, and after each
/// [`LOG_INTERVAL`].
#[derive(Default)]
struct OutageLog(Option<(Unreachable, Instant)>);

impl OutageLog {
    fn log(&mut self, why: &Unreachable) {
        let known = |(said, at): &(Unreachable, Instant)| said == why && at.elapsed() < LOG_INTERVAL;
        if self.0.as_ref().is_some_and(known) {
            return;
        }
        self.0 = Some((why.clone(), Instant::now()));
        match why {
            Unreachable::TooMany(error) => tracing::warn!(
                error,
                "the database allows no more connections: messages wait in the spool; raise its limit, or lower \
                 RINGBOOK_DATABASE_CONNECTIONS"
            ),
            Unreachable::Silent => tracing::warn!("the database accepts connections, but does not respond"),
            Unreachable::Away(error) => tracing::warn!(error, "the database is still unavailable"),
        }
    }
}

/// Runs an empty transaction as a health check. On SQLite the check needs the single writer. On PostgreSQL it needs a
/// connection that responds and may write. The check runs in a separate task, because a cancelled check must not leave
/// a connection unusable.
async fn health_check(db: DatabaseConnection) -> Result<(), String> {
    let asked = tokio::spawn(async move {
        let tx = store::begin(&db).await?;
        let read_only = is_read_only(&tx).await?;
        tx.rollback().await?;
        Ok::<_, DbErr>(read_only)
    });
    match tokio::time::timeout(HEALTH_CHECK_TIMEOUT, asked).await {
        Ok(Ok(Ok(false))) => Ok(()),
        Ok(Ok(Ok(true))) => Err("it is read-only".to_owned()),
        Ok(Ok(Err(error))) => Err(error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no response within a second".to_owned()),
    }
}

/// Whether the database server is a standby or is set to read-only.
async fn is_read_only(tx: &store::Transaction) -> Result<bool, DbErr> {
    let backend = tx.get_database_backend();
    if backend != DbBackend::Postgres {
        return Ok(false);
    }
    let asked = Statement::from_string(backend, "SHOW transaction_read_only");
    let row = tx.query_one_raw(asked).await?;
    row.map_or(Ok(false), |row| Ok(row.try_get_by_index::<String>(0)? == "on"))
}
