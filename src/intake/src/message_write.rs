//! Writes one message inside its transaction: its event, and what depends on the message type.

use std::sync::{Mutex, PoisonError};

use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::Value;
use uuid::Uuid;

use super::answer;
use super::call_job::Job;
use super::commit_race::RecordedResponse;
use super::evaluate::{self, DecisionRecord, MessageDecisions};
use super::message::{Disposition, IngestError, Intake, Message};
use super::parse::event::{Event, MessageType, Payload};
use super::record_call::{self, Recording};
use super::rule_usage::RuleUsage;
use super::save_tools;
use super::sms_age::Origin;
use super::tools;
use rules::compile::Rulebook;
use rules::decision::Decision;
use store::calls::is_simulated;
use store::dry_run;
use store::fault_points;
use store::message_head::Head;
use store::script_quarantines;
use store::webhook_events::{self, NewEvent, StoredEvent};

/// The data for writing one message in its transaction.
pub(super) struct MessageWrite<'a> {
    pub intake: &'a Intake,
    pub message: &'a Message,
    pub rulebook: &'a Rulebook,
    pub head: &'a Head,
    pub decisions: &'a MessageDecisions,
    /// The response that Vapi already got, if the message comes from the spool.
    pub recorded_response: Option<&'a RecordedResponse>,
    pub event_id: Uuid,
    /// Whether the message is too old for SMS messages.
    pub late: bool,
    /// Scripts that this message quarantined.
    pub quarantined: Mutex<Vec<script_quarantines::Model>>,
    /// The rows that took part in stored decisions. They are added to the rule hits after the commit.
    pub(super) rule_usage: Mutex<Vec<RuleUsage>>,
    /// Set if several messages share a transaction. It then contains the job and the template of the SMS messages,
    /// which are queued after all other writes.
    pub deferred_sms: Option<Mutex<Option<(Job, String)>>>,
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
                    fresh = evaluate::in_place(self.intake, self.message, self.rulebook).decide(None);
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
                    let question = evaluate::in_place(self.intake, self.message, self.rulebook);
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

    /// The response that Vapi already got, if the message comes from the spool.
    pub(super) fn recorded_answer(&self) -> Option<Value> {
        self.recorded_response
            .map(|recorded_response| recorded_response.answer.clone())
    }

    /// Stores the event. Returns `None` if the event is new, else the kind of repeat and the first response.
    pub(super) async fn keep(
        &self,
        tx: &DatabaseTransaction,
        answer: &Value,
    ) -> Result<Option<(Disposition, Value)>, DbErr> {
        let (event, message) = (&self.message.event, self.message);
        let key = event.event_key();
        let new = self.new_event(&key, answer);
        if self.enter(tx, &new).await? {
            fault_points::reach(fault_points::Step::MessageEventInserted)?;
            return Ok(None);
        }
        let stored = webhook_events::stored(tx, message.access.rulebook_id, &key).await?;
        // A report built from Vapi's list of calls adds nothing to the stored report.
        if stored.body_hash == event.body_hash || message.origin == Origin::Reconciled {
            self.become_copy(tx, &new, &stored).await?;
            return Ok(Some((Disposition::Duplicate, stored.answer)));
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
            if first_time {
                Disposition::Amendment
            } else {
                Disposition::Duplicate
            },
            stored.answer,
        )))
    }

    /// The event's row with this business key.
    pub(super) fn new_event<'b>(&'b self, key: &'b str, answer: &'b Value) -> NewEvent<'b> {
        let (event, message) = (&self.message.event, self.message);
        let erased = is_erased(self.head);
        NewEvent {
            rulebook_id: message.access.rulebook_id,
            id: self.event_id,
            business_key: key,
            delivery_key: &message.delivery_key,
            kind: &event.type_name,
            call_id: event.call_id(),
            message_at: event.at,
            received_at: message.received_at,
            body: (!erased).then(|| message.stored_body()),
            body_hash: event.body_hash,
            answer,
            state: "recorded",
            amends: None,
            origin: message.origin.word(),
            set_aside: None,
            without_call: event.call_id().is_none() || (self.head.call.is_none() && !records_call(event)),
        }
    }

    /// If the message replaces a dead-lettered event, that event was processed meanwhile under its own key. Marks the
    /// dead-lettered row as a duplicate.
    async fn become_copy(
        &self,
        tx: &DatabaseTransaction,
        new: &NewEvent<'_>,
        stored: &StoredEvent,
    ) -> Result<(), DbErr> {
        let Some(id) = self.message.replaces else {
            return Ok(());
        };
        let copy = NewEvent {
            business_key: &format!("-/copy/{id}"),
            answer: &stored.answer,
            state: "amendment",
            amends: Some(stored.id),
            ..*new
        };
        webhook_events::become_event(tx, &copy).await.map(drop)
    }

    /// Inserts the event, or updates the dead-lettered event that it replaces. Returns whether the key was free.
    async fn enter(&self, tx: &DatabaseTransaction, new: &NewEvent<'_>) -> Result<bool, DbErr> {
        if self.message.replaces.is_some() {
            webhook_events::become_event(tx, new).await
        } else {
            webhook_events::insert(tx, new).await
        }
    }

    /// Remembers which rows took part in a stored decision, to count them after the commit.
    pub(super) fn counts(&self, decision: &Decision) {
        let mut rule_usage = self.rule_usage.lock().unwrap_or_else(PoisonError::into_inner);
        rule_usage.push(RuleUsage::part_in(decision));
    }
}

/// Whether a message writes its call's row.
fn records_call(event: &Event) -> bool {
    matches!(
        event.payload,
        Payload::Report(_)
            | Payload::StatusUpdate { .. }
            | Payload::ToolCalls(_)
            | Payload::Transcript { .. }
            | Payload::CallDeleted
    ) || event.kind == MessageType::AssistantRequest
}

pub(super) fn is_erased(head: &Head) -> bool {
    head.call.as_ref().is_some_and(|call| call.erased)
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
