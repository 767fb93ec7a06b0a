//! Backtests as background jobs.
//!
//! An instance runs one backtest at a time and queues all others, because calls have priority. A running backtest
//! updates its row twice a second. Each update also shows whether somebody cancelled the backtest. If the updates stop,
//! the instance has died, and the backtest counts as interrupted.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, Set};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::run::{self, Plan, Progress};
use super::{HistoryError, ReadBody};
use authoring::backtest::{Backtest, BacktestResult};
use base::clock::Clock;
use base::telemetry::{chain, scrub};
use rules::one_at_a_time::TurnQueue;
use store::backtests;
use store::decisions::pages::Span;
use store::dry_run;

/// Number of backtests that run at the same time on this instance.
const AT_A_TIME: usize = 1;
/// Maximum number of queued or running backtests of one rulebook.
const MOST_WAITING: u64 = 20;
/// Interval between updates of the row of a queued or running backtest.
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(500);
/// If the row of an unfinished backtest was not updated for this long, the instance of the backtest counts as dead.
const HEARTBEAT_TIMEOUT: TimeDelta = TimeDelta::seconds(15);

/// A requested backtest.
pub struct BacktestRequest {
    pub test: Backtest,
    /// The request as JSON, for the response.
    pub wanted: Value,
    /// The rulebook and the time range of the calls.
    pub span: Span,
    /// Maximum number of decisions. The backtest uses the newest decisions.
    pub limit: Option<u64>,
    /// Whether to include prices quoted by tools.
    pub tool_quotes: bool,
    pub author: String,
}

/// An error while a backtest is queued or cancelled.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The rulebook has the maximum number of unfinished backtests.
    #[error("{MOST_WAITING} backtests of this rulebook are already queued or running")]
    TooMany,
    #[error("the backtest could not be stored")]
    Database(#[from] DbErr),
    /// The task that stored the backtest panicked.
    #[error("the task that stored the backtest ended early: {0}")]
    Stopped(String),
}

#[derive(Clone)]
pub struct Backtests {
    db: DatabaseConnection,
    read: DatabaseConnection,
    clock: Clock,
    read_body: ReadBody,
    turns: Turns,
    tasks: TaskTracker,
    stop: CancellationToken,
}

type Key = (Uuid, Uuid);

/// The execution order of backtests. A backtest first waits for the earlier backtests of its rulebook, and then joins
/// the common queue. So many backtests of one rulebook do not delay other rulebooks.
#[derive(Clone)]
struct Turns {
    own: TurnQueue,
    all: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            // This queue has no limit, because `ask` limits the number of queued backtests of all instances.
            own: TurnQueue::new(usize::MAX - 1),
            all: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }
}

impl Turns {
    /// Waits until the backtest may run. Dropping the permits lets the next backtest run.
    async fn take(&self, rulebook_id: Uuid) -> [Option<OwnedSemaphorePermit>; 2] {
        let own = self.own.take(rulebook_id).await;
        // The semaphore is never closed.
        [own, Arc::clone(&self.all).acquire_owned().await.ok()]
    }
}

impl Backtests {
    /// `read` is the pool for reading the calls. `tasks` tracks the running backtests, which end soon after `stop` is
    /// cancelled.
    #[must_use]
    pub fn new(
        db: DatabaseConnection,
        read: DatabaseConnection,
        clock: Clock,
        read_body: ReadBody,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            db,
            read,
            clock,
            read_body,
            turns: Turns::default(),
            tasks,
            stop,
        }
    }

    /// The token that is cancelled when this instance stops.
    #[must_use]
    pub const fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Queues a backtest.
    ///
    /// # Errors
    /// When the rulebook has too many unfinished backtests, or the database fails.
    pub async fn ask(&self, asked: BacktestRequest) -> Result<backtests::Model, AskError> {
        let now = self.clock.now();
        let row = backtests::Model {
            rulebook_id: asked.span.rulebook_id,
            id: self.clock.new_id(),
            state: backtests::QUEUED.to_owned(),
            base_revision: asked.test.both().0.revision(),
            wanted: asked.wanted,
            percent: 0,
            looked_at: 0,
            result: None,
            error: None,
            author: asked.author,
            created_at: now,
            started_at: None,
            finished_at: None,
            updated_at: now,
        };
        let plan = Plan {
            test: asked.test,
            span: asked.span,
            limit: asked.limit,
            tool_quotes: asked.tool_quotes,
            read_body: Arc::clone(&self.read_body),
        };
        let (jobs, kept) = (self.clone(), row.clone());
        let keeping = dry_run::spawn(async move {
            let tx = store::begin(&jobs.db).await?;
            backtests::interrupt(&tx, now - HEARTBEAT_TIMEOUT, now).await?;
            if backtests::unfinished(&*tx, kept.rulebook_id).await? >= MOST_WAITING {
                return Err(AskError::TooMany);
            }
            backtests::insert(&tx, kept).await?;
            tx.commit().await?;
            Ok(())
        });
        keeping.await.map_err(|error| AskError::Stopped(error.to_string()))??;
        if !dry_run::is_on() {
            let (jobs, key) = (self.clone(), (row.rulebook_id, row.id));
            self.tasks.spawn(async move { jobs.carry_out(key, plan).await });
        }
        Ok(row)
    }

    /// Cancels a queued or running backtest on any instance, and returns its row. A finished backtest is not changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel(&self, key: Key) -> Result<Option<backtests::Model>, AskError> {
        let jobs = self.clone();
        let cancelling = dry_run::spawn(async move {
            let tx = store::begin(&jobs.db).await?;
            backtests::update(&tx, key, jobs.over(backtests::CANCELLED, None, None)).await?;
            let now = backtests::find(&*tx, key).await?;
            tx.commit().await?;
            Ok::<_, AskError>(now)
        });
        cancelling.await.map_err(|error| AskError::Stopped(error.to_string()))?
    }

    /// Marks the unfinished backtests of stopped instances as interrupted, and returns their number. Call this function
    /// at startup.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mend(&self) -> Result<u64, DbErr> {
        let now = self.clock.now();
        // Only one server uses a SQLite file. On PostgreSQL another instance may be running these backtests.
        let silent_since = match self.db.get_database_backend() {
            DbBackend::Sqlite => now,
            _ => now - HEARTBEAT_TIMEOUT,
        };
        let tx = store::begin(&self.db).await?;
        let interrupted = backtests::interrupt(&tx, silent_since, now).await?;
        tx.commit().await?;
        Ok(interrupted)
    }

    async fn carry_out(&self, key: Key, plan: Plan) {
        let mut beat = tokio::time::interval(HEARTBEAT_INTERVAL);
        let mut turn = pin!(self.turns.take(key.0));
        let _permit = loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    self.ended(key, backtests::INTERRUPTED, None, None).await;
                    return;
                }
                permit = &mut turn => break permit,
                _ = beat.tick() => if !self.alive(key, backtests::ActiveModel::default()).await { return },
            }
        };
        let started = backtests::ActiveModel {
            state: Set(backtests::RUNNING.to_owned()),
            started_at: Set(Some(self.clock.now())),
            ..Default::default()
        };
        if !self.alive(key, started).await {
            return;
        }
        let (progress, mut seen) = watch::channel(Progress::default());
        let stop = self.stop.child_token();
        let mut running = pin!(run::run(&self.read, plan, &progress, &stop));
        let outcome = loop {
            tokio::select! {
                outcome = &mut running => break outcome,
                _ = beat.tick() => {
                    let change = told(&seen.borrow_and_update());
                    if !self.alive(key, change).await {
                        stop.cancel();
                    }
                }
            }
        };
        match outcome {
            Ok(result) if self.stop.is_cancelled() => {
                self.ended(key, backtests::INTERRUPTED, Some(&result), None).await;
            }
            Ok(result) => self.ended(key, backtests::DONE, Some(&result), None).await,
            Err(error) => {
                tracing::error!(backtest = %key.1, cause = scrub(&chain(&error)), "backtest {} failed", key.1);
                self.ended(key, backtests::FAILED, None, Some(sentence(&error))).await;
            }
        }
    }

    /// Stores the change and the current time, as a heartbeat. Returns false if the backtest was cancelled.
    async fn alive(&self, key: Key, change: backtests::ActiveModel) -> bool {
        let change = backtests::ActiveModel {
            updated_at: Set(self.clock.now()),
            ..change
        };
        match self.write(key, change).await {
            Ok(goes_on) => goes_on,
            Err(error) => {
                // The next write tries again. If the database stays unavailable, reading the calls fails as well.
                tracing::warn!(backtest = %key.1, %error, "the progress of backtest {} could not be written", key.1);
                true
            }
        }
    }

    async fn ended(&self, key: Key, state: &str, result: Option<&BacktestResult>, error: Option<&str>) {
        if let Err(error) = self.end(key, state, result, error).await {
            tracing::warn!(backtest = %key.1, %error, "the state `{state}` of backtest {} could not be written", key.1);
        }
    }

    async fn end(
        &self,
        key: Key,
        state: &str,
        result: Option<&BacktestResult>,
        error: Option<&str>,
    ) -> Result<bool, DbErr> {
        self.write(key, self.over(state, result, error)).await
    }

    /// Builds the final update of a backtest.
    fn over(&self, state: &str, result: Option<&BacktestResult>, error: Option<&str>) -> backtests::ActiveModel {
        let now = self.clock.now();
        let mut change = backtests::ActiveModel {
            state: Set(state.to_owned()),
            error: Set(error.map(ToOwned::to_owned)),
            finished_at: Set(Some(now)),
            updated_at: Set(now),
            ..Default::default()
        };
        if let Some(result) = result {
            change.looked_at = Set(looked_at(result));
            change.result = Set(serde_json::to_value(result).ok());
        }
        if state == backtests::DONE {
            change.percent = Set(100);
        }
        change
    }

    async fn write(&self, key: Key, change: backtests::ActiveModel) -> Result<bool, DbErr> {
        let tx = store::begin(&self.db).await?;
        let goes_on = backtests::update(&tx, key, change).await?;
        tx.commit().await?;
        Ok(goes_on)
    }
}

/// Returns the state for clients. If an instance has died, its unfinished backtests count as interrupted.
#[must_use]
pub fn state(row: &backtests::Model, now: DateTime<Utc>) -> &str {
    let unfinished = [backtests::QUEUED, backtests::RUNNING].contains(&row.state.as_str());
    if unfinished && now - row.updated_at > HEARTBEAT_TIMEOUT {
        backtests::INTERRUPTED
    } else {
        &row.state
    }
}

fn told(progress: &Progress) -> backtests::ActiveModel {
    if progress.result.calls == 0 {
        return backtests::ActiveModel::default();
    }
    backtests::ActiveModel {
        percent: Set(i64::from(progress.percent)),
        looked_at: Set(looked_at(&progress.result)),
        result: Set(serde_json::to_value(&progress.result).ok()),
        ..Default::default()
    }
}

fn looked_at(result: &BacktestResult) -> i64 {
    i64::try_from(result.calls + result.erased + result.unreadable).unwrap_or(i64::MAX)
}

/// Returns the error text for clients, without the cause. The cause is in the log.
fn sentence(error: &HistoryError) -> &'static str {
    match error {
        HistoryError::Database(_) => "The database did not respond; try again.",
        HistoryError::Malformed(_) => "A stored decision cannot be parsed; see the log.",
        HistoryError::Stopped(_) => "The work was stopped; try again.",
    }
}
