//! Records one verified message, and answers it within two seconds.
//!
//! If the transaction fails or takes too long, the fallback answers. The work runs in a separate task, so a client that
//! disconnects does not interrupt it: an accepted message is always recorded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sea_orm::DbErr;
use tokio::time::timeout_at;
use tokio_util::bytes::Bytes;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::auth::access::Access;
use super::commit_race::{CommitRace, Partial};
use super::dead_letter::unparsed;
use super::group_commit::Sharing;
use super::message::{IngestError, Intake, Message, MessageOutcome};
use super::offline::fallback::Fallback;
use super::offline::gate::DatabaseGate;
use super::offline::spool::drain::Drain;
use super::offline::spool::{Entry, EntryHeader, Keys, SpoolError};
use super::sms_age::Origin;
use base::telemetry;

/// How long a message may wait for the database before the fallback answers.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(1_900);
/// How long a message may wait if its commit already runs.
const COMMIT_TIMEOUT: Duration = Duration::from_millis(2_100);
/// How long a message may wait for messages of the same call in the spool.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a message was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// The webhook settings or secrets changed after the verification: verify again.
    #[error("the webhook settings changed")]
    AccessChanged,
    /// The caller was erased meanwhile: record the message again, without the caller's data.
    #[error("the caller was erased meanwhile")]
    CallErased,
    /// The database and the spool both failed.
    #[error("neither the database nor the spool stored the message")]
    Refused(#[from] SpoolError),
    /// The task that did the work ended early.
    #[error("the task that recorded the message ended early: {0}")]
    Stopped(String),
}

/// Records messages, with or without the database.
pub struct Deadline {
    /// The services that recording a message needs.
    pub intake: Intake,
    pub gate: DatabaseGate,
    /// Answers without the database.
    pub fallback: Fallback,
    /// Records the messages that the fallback answered.
    pub drain: Drain,
    /// Lets messages share transactions.
    pub sharing: Sharing,
    /// Running work; a shutdown waits for it.
    pub tasks: TaskTracker,
}

impl Deadline {
    /// Records a message that arrived at `began`.
    pub async fn message(
        self: &Arc<Self>,
        message: &Arc<Message>,
        began: Instant,
    ) -> Result<MessageOutcome, NotRecorded> {
        let (this, message) = (Arc::clone(self), Arc::clone(message));
        let work = async move { this.record_or_fall_back(&message, began).await };
        let task = self.tasks.spawn(work.in_current_span());
        task.await
            .unwrap_or_else(|stopped| Err(NotRecorded::Stopped(stopped.to_string())))
    }

    /// Answers a message with the fallback.
    pub async fn without_database(&self, message: &Arc<Message>) -> Result<MessageOutcome, NotRecorded> {
        Ok(self
            .fallback
            .answer_and_spool(&self.intake, message, Partial::Nothing)
            .await?)
    }

    async fn record_or_fall_back(&self, message: &Arc<Message>, began: Instant) -> Result<MessageOutcome, NotRecorded> {
        self.drain_call_first(message, began).await;
        let Some((db, permit)) = self.gate.enter().await else {
            return self.without_database(message).await;
        };
        let attempt = Arc::new(CommitRace::default());
        let mut task = {
            let (intake, message, attempt) = (self.over(db), Arc::clone(message), Arc::clone(&attempt));
            let sharing = self.sharing.clone();
            let work = async move {
                let _permit = permit;
                sharing.attempt(intake, &message, &attempt).await
            };
            self.tasks.spawn(work.in_current_span())
        };
        let error = match timeout_at((began + RESPONSE_TIMEOUT).into(), &mut task).await {
            Ok(Ok(Ok(outcome))) => return Ok(outcome),
            Ok(Ok(Err(IngestError::AccessChanged))) => return Err(NotRecorded::AccessChanged),
            Ok(Ok(Err(IngestError::CallErased))) => return Err(NotRecorded::CallErased),
            Ok(Ok(Err(error))) => error,
            Ok(Err(stopped)) => IngestError::Stopped(stopped.to_string()),
            Err(_) => IngestError::TooSlow,
        };
        let left = attempt.give_up();
        // A running commit cannot be cancelled, and may finish in a moment.
        if matches!((&left, &error), (Partial::Committing(_), IngestError::TooSlow))
            && let Ok(Ok(Ok(outcome))) = timeout_at((began + COMMIT_TIMEOUT).into(), task).await
        {
            return Ok(outcome);
        }
        self.log_failure(&error);
        Ok(self.fallback.answer_and_spool(&self.intake, message, left).await?)
    }

    /// Stores the raw body of an authentic message that cannot be parsed.
    pub async fn unreadable(
        &self,
        access: &Arc<Access>,
        body: &Bytes,
        received_at: DateTime<Utc>,
        began: Instant,
    ) -> Result<(), NotRecorded> {
        if let Some((db, permit)) = self.gate.enter().await {
            let (intake, access, body) = (self.over(db), Arc::clone(access), body.clone());
            let work = async move {
                let _permit = permit;
                unparsed::keep(intake, access, body, received_at, Origin::Live).await
            };
            let task = self.tasks.spawn(work.in_current_span());
            match timeout_at((began + RESPONSE_TIMEOUT).into(), task).await {
                Ok(Ok(Ok(()))) => return Ok(()),
                Ok(Ok(Err(IngestError::AccessChanged))) => return Err(NotRecorded::AccessChanged),
                Ok(Ok(Err(error))) => self.log_failure(&error),
                Ok(Err(stopped)) => self.log_failure(&IngestError::Stopped(stopped.to_string())),
                Err(_) => self.log_failure(&IngestError::TooSlow),
            }
        }
        let entry = Entry {
            id: self.intake.clock.new_id(),
            rulebook_id: access.rulebook_id,
            about: EntryHeader {
                code: access.code.clone(),
                delivery_key: String::new(),
                received_at,
                recorded_response: None,
            },
            body: body.clone(),
        };
        let keys = Keys::of_unreadable(entry.rulebook_id, body);
        Ok(self.fallback.spool.keep(&entry, keys).await?)
    }

    /// Records waiting messages of the same call first, so that this message sees their data.
    async fn drain_call_first(&self, message: &Message, began: Instant) {
        if self.fallback.spool.state().waiting == 0 || self.gate.is_away() {
            return;
        }
        let family = Keys::of(message.access.rulebook_id, &message.event).family;
        if !self.fallback.spool.has(family) {
            return;
        }
        let drain = self.drain.clone();
        let work = self.tasks.spawn(async move { drain.drain_call_first(family).await });
        // A waiting message that is not recorded in time is recorded later.
        let _ = timeout_at((began + DRAIN_TIMEOUT).into(), work).await;
    }

    fn over(&self, db: sea_orm::DatabaseConnection) -> Intake {
        Intake {
            db,
            ..self.intake.clone()
        }
    }

    /// Logs why the database did not record a message, and triggers a health check.
    fn log_failure(&self, error: &IngestError) {
        if let IngestError::Rulebook(revisions::cache::LoadError::Faults { revision, faults }) = error {
            tracing::error!(revision, faults = faults.len(), "the head revision does not compile");
        }
        telemetry::log_cause("message_not_recorded", error);
        if matches!(error, IngestError::Database(DbErr::ConnectionAcquire(_))) {
            self.gate.crowded();
        } else {
            self.gate.suspect();
        }
    }
}
