//! Erases a caller as a job. Each call is erased in its own transaction, together with the progress. So an interrupted
//! erasure loses no progress, and [`Erasures::resume`] continues the erasure on any instance.

use chrono::TimeDelta;
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use base::clock::Clock;
use base::telemetry;
use store::audit_log::{self, AuditKey, NewEntry};
use store::erasure_jobs::{self, Model};
use store::erasures;

/// Name of the lease of [`Erasures::resume`].
pub const LEASE: &str = "erasures";
/// Interval at which interrupted erasures are continued.
pub const RESUME_INTERVAL: std::time::Duration = std::time::Duration::from_secs(30);
/// An erasure without progress for this long counts as interrupted. If the interrupted task still runs, it stops when
/// another task takes over the erasure: see [`erasure_jobs::progress`].
const INTERRUPTED_AFTER: TimeDelta = TimeDelta::seconds(60);
/// How often an erasure is tried again if the database fails.
const MAX_RETRIES: u32 = 20;
/// Pause before an erasure is tried again.
const RETRY_INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);

/// Whom to erase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The calls of a phone number, by its digits from [`erasures::significant_digits`].
    Number(String),
    /// The call with this id. Ringbook may not have received this call yet.
    Call(String),
}

/// Runs erasures. Cloning is cheap.
#[derive(Clone)]
pub struct Erasures {
    db: DatabaseConnection,
    read: DatabaseConnection,
    clock: Clock,
    audit: AuditKey,
}

/// Why an erasure did not end. Another instance or a later run continues the erasure.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    #[error("the database failed")]
    Database(#[from] DbErr),
    #[error("another task has taken over the erasure")]
    TakenOver,
}

impl Erasures {
    /// `db` is the pool for writes, and `read` is the pool for reads. Both pools must connect to the primary database.
    #[must_use]
    pub fn new(db: DatabaseConnection, read: DatabaseConnection, clock: Clock, audit: AuditKey) -> Self {
        Self { db, read, clock, audit }
    }

    /// Stores an erasure together with its audit entry, whose `code` becomes the id of the erasure.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn request(
        &self,
        rulebook_id: Uuid,
        subject: Subject,
        entry: impl FnOnce(Uuid) -> NewEntry,
    ) -> Result<Model, DbErr> {
        let (id, now) = (self.clock.new_id(), self.clock.now());
        let entry = entry(id);
        let (digits, call_id) = match subject {
            Subject::Number(digits) => (Some(digits), None),
            Subject::Call(call_id) => (None, Some(call_id)),
        };
        let job = Model {
            rulebook_id,
            id,
            digits,
            call_id,
            calls: 0,
            messages: 0,
            author: entry.actor.clone(),
            runner: self.clock.new_id(),
            created_at: now,
            updated_at: now,
            finished_at: None,
        };
        let tx = store::begin(&self.db).await?;
        erasure_jobs::insert(&tx, job.clone()).await?;
        audit_log::append(&tx, &self.audit, entry).await?;
        tx.commit().await?;
        Ok(job)
    }

    /// Returns how many calls and how many messages an erasure of this subject would erase now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count(&self, rulebook_id: Uuid, subject: &Subject) -> Result<(i64, i64), DbErr> {
        let Subject::Number(digits) = subject else {
            return Ok((1, 0));
        };
        let calls = erasures::calls_of(&self.read, rulebook_id, digits).await?.len();
        let events = erasures::loose_events_of(&self.read, rulebook_id, digits).await?.len();
        let replies = erasures::replies_of(&self.read, rulebook_id, digits).await?.len();
        let count = |rows: usize| i64::try_from(rows).unwrap_or(i64::MAX);
        Ok((count(calls), count(events.saturating_add(replies))))
    }

    /// Erases all data of the subject, and returns the finished row.
    ///
    /// # Errors
    /// When the database fails, or another task has taken over.
    pub async fn run(&self, job: &Model) -> Result<Model, EraseError> {
        let rulebook_id = job.rulebook_id;
        if let Some(call_id) = &job.call_id {
            let tx = store::begin(&self.db).await?;
            erasures::erase_call(&tx, rulebook_id, call_id, self.clock.now()).await?;
            self.note(&tx, job, (1, 0)).await?;
            return self.finish(tx, job).await;
        }
        let digits = job.digits.as_deref().unwrap_or_default();
        for reply in erasures::replies_of(&self.read, rulebook_id, digits).await? {
            let tx = store::begin(&self.db).await?;
            erasures::erase_reply(&tx, rulebook_id, reply).await?;
            self.note(&tx, job, (0, 1)).await?;
            tx.commit().await?;
        }
        for call_id in erasures::calls_of(&self.read, rulebook_id, digits).await? {
            let tx = store::begin(&self.db).await?;
            erasures::erase_call(&tx, rulebook_id, &call_id, self.clock.now()).await?;
            self.note(&tx, job, (1, 0)).await?;
            tx.commit().await?;
        }
        for event in erasures::loose_events_of(&self.read, rulebook_id, digits).await? {
            let tx = store::begin(&self.db).await?;
            erasures::erase_event(&tx, rulebook_id, event).await?;
            self.note(&tx, job, (0, 1)).await?;
            tx.commit().await?;
        }
        let tx = store::begin(&self.db).await?;
        self.finish(tx, job).await
    }

    /// Same as [`Self::run`], but tries again if the database fails, for example because another transaction holds a lock
    /// for long.
    ///
    /// # Errors
    /// When the database fails repeatedly, or another task has taken over.
    pub async fn run_patiently(&self, job: &Model) -> Result<Model, EraseError> {
        for _ in 0..MAX_RETRIES {
            match self.run(job).await {
                Err(EraseError::Database(error)) => telemetry::log_cause("erasure", &error),
                ended => return ended,
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
        self.run(job).await
    }

    /// Continues the erasures whose instance has stopped.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resume(&self, stop: &CancellationToken) -> Result<(), EraseError> {
        let silent_since = self.clock.now() - INTERRUPTED_AFTER;
        for mut job in erasure_jobs::silent(&self.db, silent_since).await? {
            if stop.is_cancelled() {
                break;
            }
            let (runner, tx) = (self.clock.new_id(), store::begin(&self.db).await?);
            if !erasure_jobs::take_over(&tx, &job, runner, self.clock.now()).await? {
                tx.rollback().await?;
                continue;
            }
            tx.commit().await?;
            job.runner = runner;
            match self.run_patiently(&job).await {
                Ok(done) => tracing::info!(erasure = %done.id, calls = done.calls, "an interrupted erasure is done"),
                Err(EraseError::TakenOver) => {}
                Err(error) => telemetry::log_cause("erasure", &error),
            }
        }
        Ok(())
    }

    async fn note(&self, tx: &DatabaseTransaction, job: &Model, erased: (i64, i64)) -> Result<(), EraseError> {
        if erasure_jobs::progress(tx, job, erased, self.clock.now()).await? {
            Ok(())
        } else {
            Err(EraseError::TakenOver)
        }
    }

    async fn finish(&self, tx: store::Transaction, job: &Model) -> Result<Model, EraseError> {
        if !erasure_jobs::finish(&tx, job, self.clock.now()).await? {
            return Err(EraseError::TakenOver);
        }
        let done = erasure_jobs::find(&*tx, (job.rulebook_id, job.id)).await?;
        tx.commit().await?;
        done.ok_or(EraseError::TakenOver)
    }
}
