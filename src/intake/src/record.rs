//! Records one verified message, and answers it within two seconds.
//!
//! [`Recorder::record`] limits the time: if the transaction fails or takes too long, the fallback answers.
//! [`record_alone`] tries the transaction again if the message itself may be the cause of an error, and dead-letters the
//! message after repeated failures. [`transaction`] contains all reads and writes for the message, and commits all writes or none.
//!
//! The response is stored with the event and returned for every repeat. Inside the transaction, Ringbook sends network
//! requests only to the database. The transaction reads the head revision, and published revisions never change. So no
//! decision mixes two revisions, and no decision uses an older revision after an edit was acknowledged.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sea_orm::{DatabaseConnection, DbErr};
use tokio::time::timeout_at;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::answer;
use super::commit_race::{CommitRace, Partial, RecordedResponse};
use super::dead_letter;
use super::evaluate::{self, MessageDecisions, Precomputed};
use super::group_commit::{Sharing, Turn};
use super::message::{IngestError, Intake, Message, MessageOutcome};
use super::message_write::{MessageWrite, done, is_erased};
use super::offline::fallback::Fallback;
use super::offline::gate::DatabaseGate;
use super::offline::spool::drain::Drain;
use super::offline::spool::{Keys, SpoolError};
use base::telemetry;
use revisions::cache::LoadError;
use store::dry_run;
use store::{fault_points, message_head};

/// How long a message may wait for the database before the fallback answers.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_millis(1_900);
/// How long a message may wait if its commit already runs.
const COMMIT_TIMEOUT: Duration = Duration::from_millis(2_100);
/// How long a message may wait for messages of the same call in the spool.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a message is tried before it is dead-lettered.
const TRIES: u32 = 3;
/// How often scripts may decide about one message again because its rulebook has changed.
const MAX_DECISIONS: u32 = 3;

/// Why a message was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// The webhook settings or secrets changed after the verification: verify again.
    #[error("the webhook settings changed")]
    AccessChanged,
    /// The caller was erased during the transaction: record the message again, without the caller's data.
    #[error("the caller was erased meanwhile")]
    CallErased,
    /// The database and the spool both failed.
    #[error("neither the database nor the spool stored the message")]
    Refused(#[from] SpoolError),
    /// The task that recorded the message ended early.
    #[error("the task that recorded the message ended early: {0}")]
    Stopped(String),
}

/// Records messages, with or without the database.
pub struct Recorder {
    /// The services that recording a message needs.
    pub intake: Intake,
    pub gate: DatabaseGate,
    /// Answers without the database.
    pub fallback: Fallback,
    /// Records the messages that the fallback answered.
    pub drain: Drain,
    /// Lets messages share transactions.
    pub sharing: Sharing,
    /// The running tasks. A shutdown waits for these tasks.
    pub tasks: TaskTracker,
}

impl Recorder {
    /// Records a message that arrived at `began`, and returns the response. The work runs in a separate task, so a client
    /// that disconnects does not interrupt it: an accepted message is always recorded.
    pub async fn record(
        self: &Arc<Self>,
        message: &Arc<Message>,
        began: Instant,
    ) -> Result<MessageOutcome, NotRecorded> {
        let (this, message) = (Arc::clone(self), Arc::clone(message));
        let work = async move {
            this.drain_call_first(&message, began).await;
            let Some((db, permit)) = this.gate.enter().await else {
                return this.without_database(&message).await;
            };
            let race = Arc::new(CommitRace::default());
            // The transaction has its own task too, because a timeout must not interrupt a commit.
            let mut task = {
                let (intake, message, race) = (this.over(db), Arc::clone(&message), Arc::clone(&race));
                let sharing = this.sharing.clone();
                let work = async move {
                    let _permit = permit;
                    match sharing.turn(&intake, &message, &race).await {
                        Turn::Shared(outcome) => outcome,
                        // Messages that arrive during this transaction share the next transaction, which begins when
                        // the turn ends.
                        Turn::Alone(_turn) => record_alone(&intake, &message, &race).await,
                    }
                };
                this.tasks.spawn(work.in_current_span())
            };
            let error = match timeout_at((began + RESPONSE_TIMEOUT).into(), &mut task).await {
                Ok(Ok(Ok(outcome))) => return Ok(outcome),
                Ok(Ok(Err(IngestError::AccessChanged))) => return Err(NotRecorded::AccessChanged),
                Ok(Ok(Err(IngestError::CallErased))) => return Err(NotRecorded::CallErased),
                Ok(Ok(Err(error))) => error,
                Ok(Err(stopped)) => IngestError::Stopped(stopped.to_string()),
                Err(_) => IngestError::TooSlow,
            };
            let left = race.give_up();
            // A running commit cannot be cancelled, and may finish in a moment.
            if matches!((&left, &error), (Partial::Committing(_), IngestError::TooSlow))
                && let Ok(Ok(Ok(outcome))) = timeout_at((began + COMMIT_TIMEOUT).into(), task).await
            {
                return Ok(outcome);
            }
            this.log_failure(&error);
            Ok(this.fallback.answer_and_spool(&this.intake, &message, left).await?)
        };
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

    /// Records the messages of the same call that wait in the spool, so that this message sees their data.
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

    /// Returns the services of the recorder, with the connection pool `db`.
    pub(super) fn over(&self, db: DatabaseConnection) -> Intake {
        Intake {
            db,
            ..self.intake.clone()
        }
    }

    /// Logs why the database did not record a message, and triggers a health check.
    pub(super) fn log_failure(&self, error: &IngestError) {
        if let IngestError::Rulebook(LoadError::Faults { revision, faults }) = error {
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

/// Records a message in its own transaction and returns the response, or dead-letters it after [`TRIES`] permanent
/// failures. Stops if the waiter timed out before the commit.
pub(super) async fn record_alone(
    intake: &Intake,
    message: &Arc<Message>,
    race: &Arc<CommitRace>,
) -> Result<MessageOutcome, IngestError> {
    for tries in 1.. {
        let (with, asked, asking) = (intake.clone(), Arc::clone(message), Arc::clone(race));
        // A panic ends only this task.
        let task = dry_run::spawn(async move { transaction(&with, &asked, &asking).await }.in_current_span());
        let failed = match task.await {
            Ok(Ok(outcome)) => return Ok(outcome),
            Ok(Err(error)) => error,
            Err(ended) => IngestError::Stopped(ended.to_string()),
        };
        if !dead_letter::is_permanent(&failed) {
            return Err(failed);
        }
        telemetry::log_cause("message_failed", &failed);
        if tries == TRIES {
            return dead_letter::store_raw(intake, message, &failed, race).await;
        }
    }
    Err(IngestError::TooSlow)
}

/// Runs the transaction of a message and returns the response. Stops if the waiter timed out before the commit.
pub(super) async fn transaction(
    intake: &Intake,
    message: &Arc<Message>,
    race: &CommitRace,
) -> Result<MessageOutcome, IngestError> {
    let rulebook_id = message.access.rulebook_id;
    fault_points::reach(fault_points::Step::MessageLetIn)?;
    let mut precomputed = evaluate::before_transaction(intake, message, race).await;
    message.stored_body();
    let mut tries = 0;
    let (tx, head, rulebook) = loop {
        let tx = store::begin(&intake.db).await?;
        let call_id = message.event.call_id();
        let heads = message_head::read_each(&tx, rulebook_id, call_id.as_slice()).await?;
        let head = heads.of(call_id);
        if head.auth_version != message.access.auth_version {
            tx.rollback().await?;
            return Err(IngestError::AccessChanged);
        }
        let rulebook = intake.current.at(rulebook_id, head.revision).await?;
        intake.current.set_head(rulebook_id, &rulebook).await;
        precomputed = precomputed.filter(|precomputed| precomputed.revision == head.revision);
        if precomputed.is_some() || !evaluate::runs_scripts(&rulebook, message) {
            break (tx, head, rulebook);
        }
        // There is no decision by this revision yet. Decide outside the transaction, or inside the transaction if the
        // head keeps changing.
        tries += 1;
        if tries < MAX_DECISIONS {
            tx.rollback().await?;
            precomputed = Some(race.set_precomputed(evaluate::precomputed(intake, message, &rulebook).await));
        } else {
            precomputed = Some(race.set_precomputed(evaluate::precomputed(intake, message, &rulebook).await));
            break (tx, head, rulebook);
        }
    };
    let decisions = match precomputed {
        _ if is_erased(&head) => Arc::new(Precomputed {
            revision: head.revision,
            decisions: MessageDecisions::Answer(answer::neutral(message.event.kind).to_json()),
        }),
        Some(precomputed) => precomputed,
        // Decide without scripts, by the revision that the transaction read.
        None => race.set_precomputed(evaluate::in_place(intake, message, &rulebook).decide_all()),
    };
    let step = MessageWrite {
        intake,
        message,
        rulebook: &rulebook,
        head: &head,
        decisions: &decisions.decisions,
        recorded_response: None,
        late: message.is_late(&tx, intake.clock.now()).await?,
        event_id: message.replaces.unwrap_or_else(|| intake.clock.new_id()),
        quarantined: Mutex::default(),
        rule_usage: Mutex::default(),
        deferred_sms: None,
    };
    let (disposition, answer, has_sms) = step.run(&tx).await?;
    fault_points::reach(fault_points::Step::MessageBeforeCommit)?;
    let recorded_response = RecordedResponse {
        revision: head.revision,
        answer: answer.clone(),
        decisions: Arc::clone(&decisions),
    };
    if !race.commits(recorded_response) {
        // The fallback has already answered, and the drain of the spool records the message later.
        tx.rollback().await?;
        return Err(IngestError::TooSlow);
    }
    tx.commit().await?;
    fault_points::reach(fault_points::Step::MessageAfterCommit)?;
    done(step, has_sms);
    Ok(MessageOutcome {
        answer,
        disposition,
        revision: head.revision,
    })
}
