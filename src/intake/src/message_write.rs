//! Stores the event of one message, inside the message's transaction.

use std::sync::{Mutex, PoisonError};

use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::Value;
use uuid::Uuid;

use super::call_job::Job;
use super::commit_race::RecordedResponse;
use super::evaluate::MessageDecisions;
use super::message::{Disposition, Intake, Message};
use super::parse::event::{Event, MessageType, Payload};
use super::rule_usage::RuleUsage;
use super::sms_age::Origin;
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
    /// The rows that the stored decisions used. These rows are added to the rule hits after the commit.
    pub(super) rule_usage: Mutex<Vec<RuleUsage>>,
    /// Set if several messages share a transaction. The field then contains the job and the template of the SMS
    /// messages. These SMS messages are queued after all other writes.
    pub deferred_sms: Option<Mutex<Option<(Job, String)>>>,
}

impl MessageWrite<'_> {
    /// The response that Vapi already got, if the message comes from the spool.
    pub(super) fn recorded_answer(&self) -> Option<Value> {
        self.recorded_response
            .map(|recorded_response| recorded_response.answer.clone())
    }

    /// Stores the event. Returns `None` if the event is new. Otherwise returns the kind of repeat and the first
    /// response.
    pub(super) async fn keep(
        &self,
        tx: &DatabaseTransaction,
        answer: &Value,
    ) -> Result<Option<(Disposition, Value)>, DbErr> {
        let (event, message) = (&self.message.event, self.message);
        let key = event.event_key();
        let new = self.new_event(&key, answer);
        if self.insert_event(tx, &new).await? {
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
        let first_time = self.insert_event(tx, &amendment).await?;
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

    /// Builds the event's row with this business key.
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

    /// Marks the row of the dead-lettered event as a duplicate, because another copy of the event is already recorded.
    /// Does nothing if the message replaces no dead-lettered event.
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

    /// Inserts the event, or updates the dead-lettered event that the message replaces. Returns whether the key was
    /// free.
    async fn insert_event(&self, tx: &DatabaseTransaction, new: &NewEvent<'_>) -> Result<bool, DbErr> {
        if self.message.replaces.is_some() {
            webhook_events::become_event(tx, new).await
        } else {
            webhook_events::insert(tx, new).await
        }
    }

    /// Remembers the rows that a stored decision used, to count these rows after the commit.
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

/// Counts rule hits, caches new quarantines and wakes the outbox after a commit. Does nothing in a dry run.
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
