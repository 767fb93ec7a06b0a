//! The way of messages to the database: how many may be on it, and whether it leads anywhere.
//!
//! In: messages that want in, and failures. Out: a connection pool and a permit, or none: then the message goes to the
//! spool. When something fails the database is asked for a sign of life; while it gives none, no message waits for it,
//! and it is asked again and again until it answers: first on the connections that there are, because where the database
//! allows no more they are the only way, then on new ones, because those that there are may be dead.

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
use store::server::{self, PoolPlan, Unreachable};

/// How many messages may be on their way to the database at once for each connection that the pool may open, with those
/// that nobody waits for any more. Most of a message's time is not spent on its connection.
const IN_FLIGHT_PER_CONNECTION: usize = 3;
/// The same on SQLite.
const IN_FLIGHT_ON_SQLITE: usize = 48;
/// How long fewer messages than that are let in at once after the database refused the pool another connection.
const CROWDED_FOR: Duration = Duration::from_secs(30);
/// How long a message waits to be one of them.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long the database may take for a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// How often it is asked for one while it is away.
const AGAIN: Duration = Duration::from_millis(250);
/// How long an idle connection may take to answer before it is closed, while the database is away.
const IDLE_ANSWER: Duration = Duration::from_millis(400);
/// How often idle connections of all pools are tried: one that was made to a primary that became a standby, or before a standby
/// was promoted, stays read-only, and nobody learns of it but by a write that fails.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// How long one may take to answer then.
const SWEEP_ANSWER: Duration = Duration::from_secs(2);
/// How often the log repeats why the database cannot be reached, while the reason stays the same.
const REMIND: Duration = Duration::from_mins(1);

/// What must succeed before the first message after a start without the database.
pub type Prepare = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// The way to the database. Cloning is cheap.
#[derive(Clone)]
pub struct Lane(Arc<Inner>);

struct Inner {
    database: Database,
    plan: PoolPlan,
    /// Pools for other work, whose idle connections are given up when messages can have none.
    others: Vec<DatabaseConnection>,
    way: RwLock<Way>,
    away: AtomicBool,
    /// The pool could not open a connection for a message.
    crowded: AtomicBool,
    suspected: Notify,
    back: Notify,
    /// What is still to be done once.
    prepare: Mutex<Option<Prepare>>,
}

#[derive(Clone)]
struct Way {
    db: DatabaseConnection,
    permits: Arc<Semaphore>,
    /// How many permits there are.
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

impl Lane {
    /// Over the pool for messages.
    #[must_use]
    pub fn new(database: Database, pools: &Connections) -> Self {
        Self::with(database, pools, None)
    }

    /// The same at a start without the database, which is away until it answers and `prepare` succeeds.
    #[must_use]
    pub fn away(database: Database, pools: &Connections, prepare: Prepare) -> Self {
        Self::with(database, pools, Some(prepare))
    }

    fn with(database: Database, pools: &Connections, prepare: Option<Prepare>) -> Self {
        let (db, plan) = (pools.messages.clone(), pools.plan);
        let most = most_in_flight(&database, plan);
        let lane = Self(Arc::new(Inner {
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

    /// The pool had no connection for a message and could not open one: where that is because the database allows no more,
    /// fewer messages are let in at once, so that none waits for a connection that never comes.
    pub fn crowded(&self) {
        self.0.crowded.store(true, Ordering::Release);
        self.suspect();
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
                let Err(error) = sign_of_life(self.db()).await else {
                    if crowded {
                        self.narrow().await;
                    }
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

    /// Closes idle connections of every pool that do not answer or cannot write.
    async fn sweep(&self) {
        server::close_dead(&self.db(), SWEEP_ANSWER).await;
        for other in &self.0.others {
            server::close_dead(other, SWEEP_ANSWER).await;
        }
    }

    /// Returns when the database answers.
    async fn wait(&self) {
        let mut told = Told::default();
        loop {
            tokio::time::sleep(AGAIN).await;
            let fresh = match self.reach().await {
                Ok(fresh) => fresh,
                Err(why) => {
                    told.tell(&why);
                    continue;
                }
            };
            let prepare = self.preparing().clone();
            if let Some(prepare) = prepare {
                if let Err(error) = prepare().await {
                    tracing::error!(error, "the database is there, but cannot be used yet");
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

    /// Whether the database can be used: by the pool that there is, else by a new one, which is returned. The connections
    /// that there are come first: where the database allows no more of them, no other could be had.
    async fn reach(&self) -> Result<Option<DatabaseConnection>, Unreachable> {
        server::close_dead(&self.db(), IDLE_ANSWER).await;
        let Err(error) = sign_of_life(self.db()).await else {
            return Ok(None);
        };
        if matches!(self.0.database, Database::Sqlite(_)) {
            return Err(Unreachable::Away(error));
        }
        if let Err(why) = server::is_reachable(&self.0.database, self.0.plan).await {
            if !matches!(why, Unreachable::Away(_)) {
                // The next attempt may have their places: messages come first.
                self.0.others.iter().for_each(server::give_back);
            }
            return Err(why);
        }
        let fresh = connect::another_for_messages(&self.0.database, self.0.plan).await;
        fresh.map_err(|error| Unreachable::Away(error.to_string()))
    }

    /// Messages take this pool from now on; what is on its way on the other ends there.
    fn change_to(&self, fresh: DatabaseConnection) {
        let most = most_in_flight(&self.0.database, self.0.plan);
        let fresh = Way::over(fresh, most);
        let before = std::mem::replace(&mut *self.writing(), fresh);
        // Each connection is closed as soon as nobody uses it: the new pool may need its place.
        tokio::spawn(async move {
            if let Err(error) = before.db.close().await {
                tracing::debug!(%error, "a pool for messages did not close");
            }
        });
    }

    /// Lets half as many messages in at once, where the database allows no more connections.
    async fn narrow(&self) {
        let reached = server::is_reachable(&self.0.database, self.0.plan).await;
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
            "the database allows no more connections: {most} messages at once for now; raise its limit, or lower \
             RINGBOOK_DATABASE_CONNECTIONS"
        );
    }

    /// Lets twice as many in, up to as many as planned.
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

/// What the log says of a database that cannot be reached: once, again when it changes, and again after a while.
#[derive(Default)]
struct Told(Option<(Unreachable, Instant)>);

impl Told {
    fn tell(&mut self, why: &Unreachable) {
        let known = |(said, at): &(Unreachable, Instant)| said == why && at.elapsed() < REMIND;
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
            Unreachable::Silent => tracing::warn!("the database accepts connections and does not answer"),
            Unreachable::Away(error) => tracing::warn!(error, "the database is still away"),
        }
    }
}

/// A transaction that does nothing: on SQLite it needs the one writer, on PostgreSQL a connection that answers and may write.
/// In a task of its own: one that nobody waits for any more must not leave a connection unusable.
async fn sign_of_life(db: DatabaseConnection) -> Result<(), String> {
    let asked = tokio::spawn(async move {
        let tx = store::begin(&db).await?;
        let read_only = is_read_only(&tx).await?;
        tx.rollback().await?;
        Ok::<_, DbErr>(read_only)
    });
    match tokio::time::timeout(SIGN_OF_LIFE, asked).await {
        Ok(Ok(Ok(false))) => Ok(()),
        Ok(Ok(Ok(true))) => Err("it is read-only".to_owned()),
        Ok(Ok(Err(error))) => Err(error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer within a second".to_owned()),
    }
}

/// Whether the server is a standby, or was told to take no writes.
async fn is_read_only(tx: &store::Transaction) -> Result<bool, DbErr> {
    let backend = tx.get_database_backend();
    if backend != DbBackend::Postgres {
        return Ok(false);
    }
    let asked = Statement::from_string(backend, "SHOW transaction_read_only");
    let row = tx.query_one_raw(asked).await?;
    row.map_or(Ok(false), |row| Ok(row.try_get_by_index::<String>(0)? == "on"))
}
