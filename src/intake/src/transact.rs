//! THE transaction: what one message reads, decides and writes, all of it or nothing.
//!
//! In: a verified event. Out: the answer, which is stored with the event and given again to whoever sends the same
//! thing again. Nothing in here waits for the network. The head revision is read inside the transaction and published
//! revisions never change, so no decision mixes two revisions and none made after an edit's answer uses an older one.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr};
use serde_json::Value;
use tokio_util::bytes::Bytes;
use uuid::Uuid;

use super::access::Access;
use super::answer;
use super::attempt::{Attempt, Given};
use super::decided::{self, Ahead, Decided, Found, Question};
use super::event::{Event, Kind, Payload};
use super::hits::{RuleHits, Took};
use super::job::Job;
use super::late::{self, Origin};
use super::record::{self, Recording};
use super::texts;
use super::tools;
use base::clock::Clock;
use revisions::current::{Current, LoadError};
use rules::compile::Rulebook;
use rules::decision::Decision;
use rules::rows::Priority;
use rules::script::Skips;
use sms::Outbox;
use store::calls::is_simulated;
use store::fault_points::{self, Defect};
use store::intake::{self, Head, NewEvent, StoredEvent};
use store::notices;
use store::{restored, script_quarantines, trial};
use web::problem::database::is_transient;

/// How often a message with scripts is decided anew because its rulebook was changed meanwhile.
const MOST_TRIES: u32 = 3;

/// What every message needs.
#[derive(Clone)]
pub struct Intake {
    /// The primary database.
    pub db: DatabaseConnection,
    /// Compiled rulebooks.
    pub current: Current,
    /// Where texts wait.
    pub outbox: Outbox,
    /// The time.
    pub clock: Clock,
    /// How often each row takes part.
    pub hits: RuleHits,
}

/// A message to record.
pub struct Message {
    /// Who may have sent it.
    pub access: Arc<Access>,
    /// What it says.
    pub event: Event,
    /// As it came.
    pub body: Bytes,
    /// What finds a plain repeat: the configured message id, else the hash of the body.
    pub delivery_key: String,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// How it came.
    pub origin: Origin,
    /// The event that was set aside and whose place it takes.
    pub stands_for: Option<Uuid>,
}

impl Message {
    /// Whether it comes too late to text anyone. A report that was made of Vapi's list is as old as the end of its call,
    /// any other message as the moment when it first came.
    pub(super) async fn is_late(&self, tx: &DatabaseTransaction, now: DateTime<Utc>) -> Result<bool, DbErr> {
        let ended = match &self.event.payload {
            Payload::Report(report) if self.origin == Origin::Reconciled => report.ended_at.or(self.event.at),
            _ => None,
        };
        if self.origin == Origin::Live {
            return Ok(false);
        }
        let restored = restored::last(tx).await?;
        Ok(self.origin.is_late(ended.unwrap_or(self.received_at), restored, now))
    }
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What Vapi is told.
    pub answer: Value,
    /// How it was taken.
    pub taken: Taken,
    /// The revision that decided.
    pub revision: i64,
}

/// How a message was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// For the first time.
    Recorded,
    /// The same thing again.
    Duplicate,
    /// The same thing with another body.
    Amendment,
    /// Kept in the spool, because the database is away or too slow.
    Spooled,
    /// Answered, but not recorded: neither the database nor the spool took it.
    Unrecorded,
    /// It failed again and again, and is kept raw.
    Poisoned,
}

impl Taken {
    /// For logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Duplicate => "duplicate",
            Self::Amendment => "amendment",
            Self::Spooled => "spooled",
            Self::Unrecorded => "unrecorded",
            Self::Poisoned => "poisoned",
        }
    }
}

/// Why a message was not taken in; nothing of it remains.
#[derive(Debug, thiserror::Error)]
pub enum TransactError {
    /// The webhook's settings or secrets changed since the message was verified: verify again.
    #[error("the webhook settings changed")]
    AccessChanged,
    /// The caller was erased while the message was on its way: take it in anew, without them.
    #[error("the caller was erased meanwhile")]
    CallErased,
    /// The rulebook's head cannot be loaded.
    #[error(transparent)]
    Rulebook(#[from] LoadError),
    /// The database did not take it.
    #[error("the database did not take the message")]
    Database(#[from] DbErr),
    /// The database took longer than a message may wait; the work may still complete.
    #[error("the database took too long")]
    TooSlow,
    /// The task that did the work ended before it was done.
    #[error("the work was stopped: {0}")]
    Stopped(String),
}

impl TransactError {
    /// Whether the same message may be taken in later without anyone mending anything.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::AccessChanged | Self::CallErased | Self::TooSlow | Self::Rulebook(LoadError::Busy(_)) => true,
            Self::Rulebook(LoadError::Database(error)) => is_transient(error),
            Self::Database(error) => is_transient(error),
            Self::Rulebook(_) | Self::Stopped(_) => false,
        }
    }
}

/// Records a message and says what to answer.
pub async fn transact(intake: &Intake, message: &Arc<Message>) -> Result<Outcome, TransactError> {
    attempt(intake, message, &Attempt::default()).await
}

/// The same, unless whoever waits for the answer gave up before the commit.
pub(super) async fn attempt(
    intake: &Intake,
    message: &Arc<Message>,
    attempt: &Attempt,
) -> Result<Outcome, TransactError> {
    let rulebook_id = message.access.rulebook_id;
    fault_points::reach(fault_points::Step::MessageLetIn)?;
    let mut ahead = match intake.current.last_seen(rulebook_id) {
        Some(rulebook) if decided::runs_scripts(&rulebook, message) => {
            let ahead = decided::ahead(intake, message, &rulebook).await;
            Some(attempt.worked_out(ahead))
        }
        _ => None,
    };
    let mut tries = 0;
    let (tx, head, rulebook) = loop {
        let tx = store::begin(&intake.db).await?;
        let head = intake::head(&tx, rulebook_id, message.event.call_id()).await?;
        if head.auth_version != message.access.auth_version {
            tx.rollback().await?;
            return Err(TransactError::AccessChanged);
        }
        let last_seen = if fault_points::planted(Defect::StaleRulebook) {
            intake.current.last_seen(rulebook_id)
        } else {
            None
        };
        let rulebook = if let Some(last_seen) = last_seen {
            last_seen
        } else {
            let rulebook = intake.current.at(rulebook_id, head.revision).await?;
            intake.current.saw(rulebook_id, &rulebook).await;
            rulebook
        };
        ahead = ahead.filter(|ahead| ahead.revision == head.revision);
        if ahead.is_some() || !decided::runs_scripts(&rulebook, message) {
            break (tx, head, rulebook);
        }
        // Decided by another revision, or not yet: once more outside, and inside only when edits do not cease.
        tries += 1;
        if tries < MOST_TRIES {
            tx.rollback().await?;
            ahead = Some(attempt.worked_out(decided::ahead(intake, message, &rulebook).await));
        } else {
            ahead = Some(attempt.worked_out(decided::ahead(intake, message, &rulebook).await));
            break (tx, head, rulebook);
        }
    };
    let found = match ahead {
        _ if is_erased(&head) => Arc::new(Ahead {
            revision: head.revision,
            found: Found::Answer(answer::neutral(message.event.kind).to_json()),
        }),
        Some(ahead) => ahead,
        // Without scripts, and with what the transaction saw.
        None => attempt.worked_out(in_place(intake, message, &rulebook).work_out()),
    };
    let step = Step {
        intake,
        message,
        rulebook: &rulebook,
        head: &head,
        found: &found.found,
        given: None,
        late: message.is_late(&tx, intake.clock.now()).await?,
        event_id: message.stands_for.unwrap_or_else(|| intake.clock.new_id()),
        quarantined: Mutex::default(),
        took: Mutex::default(),
    };
    let (taken, answer, texted) = step.run(&tx).await?;
    fault_points::reach(fault_points::Step::MessageBeforeCommit)?;
    let given = Given {
        revision: head.revision,
        answer: answer.clone(),
        found: Arc::clone(&found),
    };
    if !attempt.commits(given) {
        // Another answer was given meanwhile, and waits in the spool to be recorded.
        tx.rollback().await?;
        return Err(TransactError::TooSlow);
    }
    if fault_points::planted(Defect::AcknowledgeBeforeCommit) {
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            tx.commit().await
        });
        return Ok(Outcome {
            answer,
            taken,
            revision: head.revision,
        });
    }
    tx.commit().await?;
    fault_points::reach(fault_points::Step::MessageAfterCommit)?;
    done(step, texted);
    Ok(Outcome {
        answer,
        taken,
        revision: head.revision,
    })
}

/// Records a message as it was answered and decided without the database; nothing is decided again. The same thing may
/// have been recorded meanwhile: then nothing is left to do.
pub(super) async fn record(intake: &Intake, message: &Arc<Message>, given: &Given) -> Result<Taken, TransactError> {
    let rulebook_id = message.access.rulebook_id;
    let tx = store::begin(&intake.db).await?;
    let head = intake::head(&tx, rulebook_id, message.event.call_id()).await?;
    // No rulebook was known at all: nothing was decided, but something was answered.
    let revision = if given.revision == 0 {
        head.revision
    } else {
        given.revision
    };
    let rulebook = intake.current.at(rulebook_id, revision).await?;
    let step = Step {
        intake,
        message,
        rulebook: &rulebook,
        head: &head,
        found: &given.found.found,
        given: Some(given),
        late: message.is_late(&tx, intake.clock.now()).await?,
        event_id: intake.clock.new_id(),
        quarantined: Mutex::default(),
        took: Mutex::default(),
    };
    let (taken, _, texted) = step.run(&tx).await?;
    tx.commit().await?;
    done(step, texted);
    Ok(taken)
}

fn is_erased(head: &Head) -> bool {
    head.call.as_ref().is_some_and(|call| call.erased)
}

/// What is decided here and now: no script takes part, or it was worked out ahead.
fn in_place<'a>(intake: &'a Intake, message: &'a Message, rulebook: &'a Rulebook) -> Question<'a> {
    Question {
        rulebook,
        message,
        clock: &intake.clock,
        skips: Skips::none(),
    }
}

/// What follows a commit; a trial has none.
fn done(step: Step<'_>, texted: bool) {
    if trial::is_on() {
        return;
    }
    let (intake, message) = (step.intake, step.message);
    let mut took = step.took.into_inner().unwrap_or_else(PoisonError::into_inner);
    if is_simulated(message.event.call_id()) {
        took.clear();
    }
    intake.hits.count(message.access.rulebook_id, message.received_at, took);
    for row in &step.quarantined.into_inner().unwrap_or_else(PoisonError::into_inner) {
        tracing::warn!(script = row.code, until = ?row.until, "a script failed again and again and is left out");
        intake.current.quarantines().add(row);
    }
    if texted {
        intake.outbox.wake();
    }
}

/// One message on its way through the transaction.
pub(super) struct Step<'a> {
    pub intake: &'a Intake,
    pub message: &'a Message,
    pub rulebook: &'a Rulebook,
    pub head: &'a Head,
    pub found: &'a Found,
    /// What was answered already, where the message comes out of the spool.
    pub given: Option<&'a Given>,
    pub event_id: Uuid,
    /// Whether it comes too late to text anyone.
    pub late: bool,
    /// Scripts that this message sent into quarantine.
    pub quarantined: Mutex<Vec<script_quarantines::Model>>,
    /// What took part in the decisions that are kept; counted when they are committed.
    took: Mutex<Vec<Took>>,
}

impl Step<'_> {
    /// The answer that was given already, where the message comes out of the spool.
    pub(super) fn given_answer(&self) -> Option<Value> {
        self.given.map(|given| given.answer.clone())
    }

    async fn run(&self, tx: &DatabaseTransaction) -> Result<(Taken, Value, bool), TransactError> {
        let event = &self.message.event;
        match &event.payload {
            // What was answered before the caller was erased is gone too.
            _ if is_erased(self.head) => {
                let neutral = answer::neutral(event.kind);
                let (taken, _, texted) = self.keep_only(tx, neutral.to_json()).await?;
                Ok((taken, neutral.to_json(), texted))
            }
            Payload::Report(report) => {
                let fresh;
                let decided: &Decided = if let Found::Report(decided) = self.found {
                    decided
                } else {
                    fresh = in_place(self.intake, self.message, self.rulebook).decide(None);
                    &fresh
                };
                let taken = self.keep(tx, &Value::Object(serde_json::Map::new())).await?;
                let recording = Recording {
                    step: self,
                    report,
                    decided,
                };
                let Some(amended) = taken else {
                    let texted = recording.first(tx).await?;
                    return Ok((Taken::Recorded, Value::Object(serde_json::Map::new()), texted));
                };
                let texted = amended.0 == Taken::Amendment && recording.amended(tx).await?;
                Ok((amended.0, amended.1, texted))
            }
            Payload::ToolCalls(requests) => {
                let fresh;
                let ran: &[tools::Ran] = if let Found::Tools(ran) = self.found {
                    ran
                } else {
                    let question = in_place(self.intake, self.message, self.rulebook);
                    fresh = requests
                        .iter()
                        .map(|request| tools::run(&question, request))
                        .collect::<Vec<_>>();
                    &fresh
                };
                tools::answered(self, tx, requests, ran).await
            }
            Payload::StatusUpdate { .. } | Payload::Transcript { .. } | Payload::CallDeleted => {
                let answer = answer::neutral(event.kind).to_json();
                let taken = self.keep(tx, &answer).await?;
                // These move the record to where any order of arrival would bring it, so a repeat does no harm.
                record::told(self, tx).await?;
                Ok(taken.map_or((Taken::Recorded, answer, false), |(taken, answer)| {
                    (taken, answer, false)
                }))
            }
            _ => {
                let answer = self.given_answer().unwrap_or_else(|| self.found.answer(event));
                let kept = self.keep_only(tx, answer).await?;
                if event.kind == Kind::AssistantRequest {
                    record::told(self, tx).await?;
                }
                Ok(kept)
            }
        }
    }

    async fn keep_only(&self, tx: &DatabaseTransaction, answer: Value) -> Result<(Taken, Value, bool), DbErr> {
        let taken = self.keep(tx, &answer).await?;
        Ok(taken.map_or((Taken::Recorded, answer, false), |(taken, answer)| {
            (taken, answer, false)
        }))
    }

    /// Keeps the event; `None` when it is new, else how it repeats and what was answered the first time.
    pub(super) async fn keep(&self, tx: &DatabaseTransaction, answer: &Value) -> Result<Option<(Taken, Value)>, DbErr> {
        let (event, message) = (&self.message.event, self.message);
        let key = event.event_key();
        let erased = is_erased(self.head);
        let new = NewEvent {
            rulebook_id: message.access.rulebook_id,
            id: self.event_id,
            business_key: &key,
            delivery_key: &message.delivery_key,
            kind: &event.type_name,
            call_id: event.call_id(),
            message_at: event.at,
            received_at: message.received_at,
            body: (!erased).then_some(message.body.as_ref()),
            body_hash: event.body_hash,
            answer,
            state: "recorded",
            amends: None,
            origin: message.origin.word(),
            set_aside: None,
        };
        if self.enter(tx, &new).await? {
            fault_points::reach(fault_points::Step::MessageEventInserted)?;
            return Ok(None);
        }
        if fault_points::planted(Defect::InsertTwiceOnConflict) {
            let business_key = &format!("{key}#{}", self.event_id);
            intake::insert_event(tx, &NewEvent { business_key, ..new }).await?;
            return Ok(None);
        }
        let stored = intake::stored_event(tx, message.access.rulebook_id, &key).await?;
        // What was made of Vapi's list has nothing to add to what Vapi itself has posted.
        if stored.body_hash == event.body_hash || message.origin == Origin::Reconciled {
            self.become_copy(tx, &new, &stored).await?;
            return Ok(Some((Taken::Duplicate, stored.answer)));
        }
        let amended_key = format!("{key}#{}", hex::encode(event.body_hash));
        let amendment = NewEvent {
            business_key: &amended_key,
            answer: &stored.answer,
            state: "amendment",
            amends: Some(stored.id),
            ..new
        };
        let first_time = self.enter(tx, &amendment).await?;
        if !first_time {
            self.become_copy(tx, &new, &stored).await?;
        }
        Ok(Some((
            if first_time { Taken::Amendment } else { Taken::Duplicate },
            stored.answer,
        )))
    }

    /// What was set aside had been taken in under its own key meanwhile: it is another copy of that.
    async fn become_copy(
        &self,
        tx: &DatabaseTransaction,
        new: &NewEvent<'_>,
        stored: &StoredEvent,
    ) -> Result<(), DbErr> {
        let Some(id) = self.message.stands_for else {
            return Ok(());
        };
        let copy = NewEvent {
            business_key: &format!("-/copy/{id}"),
            answer: &stored.answer,
            state: "amendment",
            amends: Some(stored.id),
            ..*new
        };
        intake::become_event(tx, &copy).await.map(drop)
    }

    /// Writes the event, or makes of the one that was set aside what it is; whether its key was free.
    async fn enter(&self, tx: &DatabaseTransaction, new: &NewEvent<'_>) -> Result<bool, DbErr> {
        if self.message.stands_for.is_some() {
            intake::become_event(tx, new).await
        } else {
            intake::insert_event(tx, new).await
        }
    }

    /// Notes the rows that took part in a decision which is kept.
    pub(super) fn counts(&self, decision: &Decision) {
        let mut took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        took.push(Took::part_in(decision));
    }

    /// Puts a decision's texts into the outbox; whether there are any.
    pub(super) async fn text(
        &self,
        tx: &DatabaseTransaction,
        decided: &Decided,
        job: &Job,
        template: Option<&str>,
    ) -> Result<bool, DbErr> {
        let Some(template) = template else { return Ok(false) };
        let texts = texts::about(self, tx, decided, job, template).await?;
        if self.late {
            // No text, and nothing that would lead to one: a P1 does not begin to go from contact to contact either.
            if !texts.is_empty() || decided.decision.priority == Priority::P1 {
                let notice = late::notice(self.message.access.rulebook_id, decided.decision.priority.name());
                notices::raise(tx, notice, self.intake.clock.now(), self.intake.clock.new_id()).await?;
            }
            return Ok(false);
        }
        if fault_points::planted(Defect::OutboxOutsideTheTransaction) {
            let any = !texts.is_empty();
            tokio::spawn(texts::apart(self.intake.db.clone(), texts));
            return Ok(any);
        }
        texts::send(self, tx, decided, template, texts).await
    }
}
