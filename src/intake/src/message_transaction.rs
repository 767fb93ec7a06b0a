//! Runs the transaction of a message. The transaction contains all reads and writes for the message, and commits all
//! writes or none.
//!
//! The response is stored with the event and returned for every repeat. Inside the transaction, Ringbook sends network
//! requests only to the database. The transaction reads the head revision, and published revisions never change. So no
//! decision mixes two revisions, and no decision uses an older revision after an edit was acknowledged.

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
use super::record_call;
use super::record_call::Recording;
use super::save_tools;
use super::tools;
use rules::compile::Rulebook;
use rules::script::Skips;
use store::calls::is_simulated;
use store::dry_run;
use store::{fault_points, message_head};

/// How often scripts may decide about one message again because its rulebook changed meanwhile.
const MAX_ATTEMPTS: u32 = 3;

/// Records a message and returns the response.
pub async fn record_alone(intake: &Intake, message: &Arc<Message>) -> Result<MessageOutcome, IngestError> {
    attempt(intake, message, &CommitRace::default()).await
}

/// Records a message like [`record_alone`]. Stops if the waiter timed out before the commit.
pub(super) async fn attempt(
    intake: &Intake,
    message: &Arc<Message>,
    attempt: &CommitRace,
) -> Result<MessageOutcome, IngestError> {
    let rulebook_id = message.access.rulebook_id;
    fault_points::reach(fault_points::Step::MessageLetIn)?;
    let mut precomputed = decide_all(intake, message, attempt).await;
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
        intake.current.set_head(rulebook_id, &rulebook).await;
        precomputed = precomputed.filter(|precomputed| precomputed.revision == head.revision);
        if precomputed.is_some() || !evaluate::runs_scripts(&rulebook, message) {
            break (tx, head, rulebook);
        }
        // There is no decision by this revision yet: decide outside the transaction, or inside it if the head keeps
        // changing.
        tries += 1;
        if tries < MAX_ATTEMPTS {
            tx.rollback().await?;
            precomputed = Some(attempt.set_precomputed(evaluate::precomputed(intake, message, &rulebook).await));
        } else {
            precomputed = Some(attempt.set_precomputed(evaluate::precomputed(intake, message, &rulebook).await));
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
        None => attempt.set_precomputed(in_place(intake, message, &rulebook).decide_all()),
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
    if !attempt.commits(recorded_response) {
        // The fallback answered meanwhile, and the drain of the spool records the message later.
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

/// Runs the scripts that decide about a message, before its transaction begins. `None` if no script runs.
pub(super) async fn decide_all(
    intake: &Intake,
    message: &Arc<Message>,
    attempt: &CommitRace,
) -> Option<Arc<Precomputed>> {
    let known = attempt.precomputed();
    if known.is_some() {
        return known;
    }
    let rulebook = intake.current.last_seen(message.access.rulebook_id)?;
    if !evaluate::runs_scripts(&rulebook, message) {
        return None;
    }
    let precomputed = evaluate::precomputed(intake, message, &rulebook).await;
    Some(attempt.set_precomputed(precomputed))
}

/// Decides about a message before its transaction begins, with or without scripts.
pub(super) async fn precompute_now(intake: &Intake, message: &Arc<Message>, attempt: &CommitRace) {
    if decide_all(intake, message, attempt).await.is_some() {
        return;
    }
    if let Some(rulebook) = intake.current.last_seen(message.access.rulebook_id) {
        attempt.set_precomputed(in_place(intake, message, &rulebook).decide_all());
    }
}

/// Records a message with the fallback's decision and response; nothing is decided again. Does nothing if the message
/// was recorded meanwhile.
pub(super) async fn record(
    intake: &Intake,
    message: &Arc<Message>,
    recorded_response: &RecordedResponse,
) -> Result<Disposition, IngestError> {
    let rulebook_id = message.access.rulebook_id;
    message.stored_body();
    let tx = store::begin(&intake.db).await?;
    let head = message_head::read(&tx, rulebook_id, message.event.call_id()).await?;
    // Revision 0 means that no rulebook was known. Vapi got a response without a decision.
    let revision = if recorded_response.revision == 0 {
        head.revision
    } else {
        recorded_response.revision
    };
    let rulebook = intake.current.at(rulebook_id, revision).await?;
    let step = MessageWrite {
        intake,
        message,
        rulebook: &rulebook,
        head: &head,
        decisions: &recorded_response.decisions.decisions,
        recorded_response: Some(recorded_response),
        late: message.is_late(&tx, intake.clock.now()).await?,
        event_id: intake.clock.new_id(),
        quarantined: Mutex::default(),
        rule_usage: Mutex::default(),
        deferred_sms: None,
    };
    let (disposition, _, has_sms) = step.run(&tx).await?;
    tx.commit().await?;
    done(step, has_sms);
    Ok(disposition)
}

/// The input of a decision that runs on the current thread, because it runs no scripts.
pub(super) fn in_place<'a>(intake: &'a Intake, message: &'a Message, rulebook: &'a Rulebook) -> EvaluationInput<'a> {
    EvaluationInput {
        rulebook,
        message,
        clock: &intake.clock,
        skips: Skips::none(),
    }
}

/// Actions after a commit: counts, quarantines and the wake-up of the outbox. A dry run has none.
pub(super) fn done(step: MessageWrite<'_>, has_sms: bool) {
    if dry_run::is_on() {
        return;
    }
    let (intake, message) = (step.intake, step.message);
    let mut rule_usage = step.rule_usage.into_inner().unwrap_or_else(PoisonError::into_inner);
    if is_simulated(message.event.call_id()) {
        rule_usage.clear();
    }
    intake
        .hits
        .count(message.access.rulebook_id, message.received_at, rule_usage);
    for row in &step.quarantined.into_inner().unwrap_or_else(PoisonError::into_inner) {
        tracing::warn!(script = row.code, until = ?row.until, "a script failed repeatedly and is quarantined");
        intake.current.quarantines().add(row);
    }
    if has_sms {
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
                let (disposition, _, has_sms) = self.store_event_only(tx, neutral.to_json()).await?;
                Ok((disposition, neutral.to_json(), has_sms))
            }
            Payload::Report(report) => {
                let fresh;
                let decided: &DecisionRecord = if let MessageDecisions::Report(decided) = self.decisions {
                    decided
                } else {
                    fresh = in_place(self.intake, self.message, self.rulebook).decide(None);
                    &fresh
                };
                let repeat = self.keep(tx, &Value::Object(serde_json::Map::new())).await?;
                let recording = Recording {
                    step: self,
                    report,
                    decided,
                };
                let Some(amended) = repeat else {
                    let has_sms = recording.first(tx).await?;
                    return Ok((Disposition::Recorded, Value::Object(serde_json::Map::new()), has_sms));
                };
                let has_sms = amended.0 == Disposition::Amendment && recording.amended(tx).await?;
                Ok((amended.0, amended.1, has_sms))
            }
            Payload::ToolCalls(requests) => {
                let fresh;
                let ran: &[tools::ToolRun] = if let MessageDecisions::Tools(ran) = self.decisions {
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
                let stored = self.store_event_only(tx, answer).await?;
                // These updates give the same result in any order, so a repeat does no harm.
                record_call::record_update(self, tx).await?;
                Ok(stored)
            }
            _ => {
                let answer = self.recorded_answer().unwrap_or_else(|| self.decisions.answer(event));
                let stored = self.store_event_only(tx, answer).await?;
                if event.kind == MessageType::AssistantRequest {
                    record_call::record_update(self, tx).await?;
                }
                Ok(stored)
            }
        }
    }

    async fn store_event_only(
        &self,
        tx: &DatabaseTransaction,
        answer: Value,
    ) -> Result<(Disposition, Value, bool), DbErr> {
        let repeat = self.keep(tx, &answer).await?;
        let (disposition, answer) = repeat.unwrap_or((Disposition::Recorded, answer));
        Ok((disposition, answer, false))
    }
}
