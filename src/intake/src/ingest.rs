//! The transaction of a message: everything that a message reads, decides and writes, all or nothing.
//!
//! The response is stored with the event and returned for every repeat. Nothing in here waits for the network. The
//! transaction reads the head revision, and published revisions never change. So no decision mixes two revisions, and
//! none uses an older revision after an edit was acknowledged.

use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::Value;

use super::answer;
use super::commit_race::{CommitRace, RecordedResponse};
use super::evaluate;
use super::evaluate::{DecisionRecord, EvaluationInput, MessageDecisions, Precomputed};
use super::message::{Disposition, IngestError, Intake, Message, MessageOutcome};
use super::message_write::{MessageWrite, is_erased};
use super::parse::event::{MessageType, Payload};
use super::record_report;
use super::record_report::Recording;
use super::save_tools;
use super::tools;
use rules::compile::Rulebook;
use rules::script::Skips;
use store::calls::is_simulated;
use store::dry_run;
use store::{fault_points, message_head};

/// How often a message with scripts is decided again because its rulebook changed meanwhile.
const MOST_TRIES: u32 = 3;

/// Records a message and returns the response.
pub async fn transact(intake: &Intake, message: &Arc<Message>) -> Result<MessageOutcome, IngestError> {
    attempt(intake, message, &CommitRace::default()).await
}

/// Same as [`transact`], but stops if the waiter timed out before the commit.
pub(super) async fn attempt(
    intake: &Intake,
    message: &Arc<Message>,
    attempt: &CommitRace,
) -> Result<MessageOutcome, IngestError> {
    let rulebook_id = message.access.rulebook_id;
    fault_points::reach(fault_points::Step::MessageLetIn)?;
    let mut ahead = work_out(intake, message, attempt).await;
    message.stored_body();
    let mut tries = 0;
    let (tx, head, rulebook) = loop {
        let tx = store::begin(&intake.db).await?;
        let head = message_head::read(&tx, rulebook_id, message.event.call_id()).await?;
        if head.auth_version != message.access.auth_version {
            tx.rollback().await?;
            return Err(IngestError::AccessChanged);
        }
        let rulebook = intake.current.at(rulebook_id, head.revision).await?;
        intake.current.saw(rulebook_id, &rulebook).await;
        ahead = ahead.filter(|ahead| ahead.revision == head.revision);
        if ahead.is_some() || !evaluate::runs_scripts(&rulebook, message) {
            break (tx, head, rulebook);
        }
        // Nothing decided yet, or another revision did: decide outside the transaction, and inside it only after
        // repeated edits.
        tries += 1;
        if tries < MOST_TRIES {
            tx.rollback().await?;
            ahead = Some(attempt.worked_out(evaluate::ahead(intake, message, &rulebook).await));
        } else {
            ahead = Some(attempt.worked_out(evaluate::ahead(intake, message, &rulebook).await));
            break (tx, head, rulebook);
        }
    };
    let found = match ahead {
        _ if is_erased(&head) => Arc::new(Precomputed {
            revision: head.revision,
            found: MessageDecisions::Answer(answer::neutral(message.event.kind).to_json()),
        }),
        Some(ahead) => ahead,
        // Decide without scripts, by the revision that the transaction read.
        None => attempt.worked_out(in_place(intake, message, &rulebook).work_out()),
    };
    let step = MessageWrite {
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
        texts: None,
    };
    let (taken, answer, texted) = step.run(&tx).await?;
    fault_points::reach(fault_points::Step::MessageBeforeCommit)?;
    let given = RecordedResponse {
        revision: head.revision,
        answer: answer.clone(),
        found: Arc::clone(&found),
    };
    if !attempt.commits(given) {
        // The fallback answered meanwhile, and the spool records the message later.
        tx.rollback().await?;
        return Err(IngestError::TooSlow);
    }
    tx.commit().await?;
    fault_points::reach(fault_points::Step::MessageAfterCommit)?;
    done(step, texted);
    Ok(MessageOutcome {
        answer,
        taken,
        revision: head.revision,
    })
}

/// The decision by scripts, made before the transaction begins. `None` if no script runs.
pub(super) async fn work_out(
    intake: &Intake,
    message: &Arc<Message>,
    attempt: &CommitRace,
) -> Option<Arc<Precomputed>> {
    let known = attempt.ahead();
    if known.is_some() {
        return known;
    }
    let rulebook = intake.current.last_seen(message.access.rulebook_id)?;
    if !evaluate::runs_scripts(&rulebook, message) {
        return None;
    }
    let ahead = evaluate::ahead(intake, message, &rulebook).await;
    Some(attempt.worked_out(ahead))
}

/// Same as [`work_out`], but also decides if no script runs.
pub(super) async fn work_out_now(intake: &Intake, message: &Arc<Message>, attempt: &CommitRace) {
    if work_out(intake, message, attempt).await.is_some() {
        return;
    }
    if let Some(rulebook) = intake.current.last_seen(message.access.rulebook_id) {
        attempt.worked_out(in_place(intake, message, &rulebook).work_out());
    }
}

/// Records a message with the fallback's decision and response; nothing is decided again. Does nothing if the message
/// was recorded meanwhile.
pub(super) async fn record(
    intake: &Intake,
    message: &Arc<Message>,
    given: &RecordedResponse,
) -> Result<Disposition, IngestError> {
    let rulebook_id = message.access.rulebook_id;
    message.stored_body();
    let tx = store::begin(&intake.db).await?;
    let head = message_head::read(&tx, rulebook_id, message.event.call_id()).await?;
    // Without a rulebook there is no decision, but Vapi got a response.
    let revision = if given.revision == 0 {
        head.revision
    } else {
        given.revision
    };
    let rulebook = intake.current.at(rulebook_id, revision).await?;
    let step = MessageWrite {
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
        texts: None,
    };
    let (taken, _, texted) = step.run(&tx).await?;
    tx.commit().await?;
    done(step, texted);
    Ok(taken)
}

/// The input of a decision made in place: without scripts.
pub(super) fn in_place<'a>(intake: &'a Intake, message: &'a Message, rulebook: &'a Rulebook) -> EvaluationInput<'a> {
    EvaluationInput {
        rulebook,
        message,
        clock: &intake.clock,
        skips: Skips::none(),
    }
}

/// Actions after a commit: counts, quarantines and the wake-up of the outbox. A dry run has none.
pub(super) fn done(step: MessageWrite<'_>, texted: bool) {
    if dry_run::is_on() {
        return;
    }
    let (intake, message) = (step.intake, step.message);
    let mut took = step.took.into_inner().unwrap_or_else(PoisonError::into_inner);
    if is_simulated(message.event.call_id()) {
        took.clear();
    }
    intake.hits.count(message.access.rulebook_id, message.received_at, took);
    for row in &step.quarantined.into_inner().unwrap_or_else(PoisonError::into_inner) {
        tracing::warn!(script = row.code, until = ?row.until, "a script failed repeatedly and is quarantined");
        intake.current.quarantines().add(row);
    }
    if texted {
        intake.outbox.wake();
    }
}

impl MessageWrite<'_> {
    pub(super) async fn run(&self, tx: &DatabaseTransaction) -> Result<(Disposition, Value, bool), IngestError> {
        let event = &self.message.event;
        match &event.payload {
            // The earlier response was erased with the caller.
            _ if is_erased(self.head) => {
                let neutral = answer::neutral(event.kind);
                let (taken, _, texted) = self.keep_only(tx, neutral.to_json()).await?;
                Ok((taken, neutral.to_json(), texted))
            }
            Payload::Report(report) => {
                let fresh;
                let decided: &DecisionRecord = if let MessageDecisions::Report(decided) = self.found {
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
                    return Ok((Disposition::Recorded, Value::Object(serde_json::Map::new()), texted));
                };
                let texted = amended.0 == Disposition::Amendment && recording.amended(tx).await?;
                Ok((amended.0, amended.1, texted))
            }
            Payload::ToolCalls(requests) => {
                let fresh;
                let ran: &[tools::ToolRun] = if let MessageDecisions::Tools(ran) = self.found {
                    ran
                } else {
                    let question = in_place(self.intake, self.message, self.rulebook);
                    fresh = requests
                        .iter()
                        .map(|request| tools::run(&question, request))
                        .collect::<Vec<_>>();
                    &fresh
                };
                save_tools::answered(self, tx, requests, ran).await
            }
            Payload::StatusUpdate { .. } | Payload::Transcript { .. } | Payload::CallDeleted => {
                let answer = answer::neutral(event.kind).to_json();
                let taken = self.keep(tx, &answer).await?;
                // These updates give the same result in any order, so a repeat does no harm.
                record_report::told(self, tx).await?;
                Ok(taken.map_or((Disposition::Recorded, answer, false), |(taken, answer)| {
                    (taken, answer, false)
                }))
            }
            _ => {
                let answer = self.given_answer().unwrap_or_else(|| self.found.answer(event));
                let kept = self.keep_only(tx, answer).await?;
                if event.kind == MessageType::AssistantRequest {
                    record_report::told(self, tx).await?;
                }
                Ok(kept)
            }
        }
    }

    async fn keep_only(&self, tx: &DatabaseTransaction, answer: Value) -> Result<(Disposition, Value, bool), DbErr> {
        let taken = self.keep(tx, &answer).await?;
        Ok(taken.map_or((Disposition::Recorded, answer, false), |(taken, answer)| {
            (taken, answer, false)
        }))
    }
}
