//! One message on its way through the transaction: what it is about, and how its event is kept.

use std::sync::{Mutex, PoisonError};

use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::Value;
use uuid::Uuid;

use super::attempt::Given;
use super::decided::Found;
use super::hits::Took;
use super::job::Job;
use super::late::Origin;
use super::message::{Intake, Message, Taken};
use rules::compile::Rulebook;
use rules::decision::Decision;
use store::fault_points;
use store::message_head::Head;
use store::script_quarantines;
use store::webhook_events::{self, NewEvent, StoredEvent};

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
    pub(super) took: Mutex<Vec<Took>>,
    /// Where several messages share a transaction, the text that follows all their other writes: its job and template.
    pub texts: Option<Mutex<Option<(Job, String)>>>,
}

impl Step<'_> {
    /// The answer that was given already, where the message comes out of the spool.
    pub(super) fn given_answer(&self) -> Option<Value> {
        self.given.map(|given| given.answer.clone())
    }

    /// Keeps the event; `None` when it is new, else how it repeats and what was answered the first time.
    pub(super) async fn keep(&self, tx: &DatabaseTransaction, answer: &Value) -> Result<Option<(Taken, Value)>, DbErr> {
        let (event, message) = (&self.message.event, self.message);
        let key = event.event_key();
        let new = self.new_event(&key, answer);
        if self.enter(tx, &new).await? {
            fault_points::reach(fault_points::Step::MessageEventInserted)?;
            return Ok(None);
        }
        let stored = webhook_events::stored(tx, message.access.rulebook_id, &key).await?;
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

    /// The event as it is recorded when its key is new.
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
        }
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
        webhook_events::become_event(tx, &copy).await.map(drop)
    }

    /// Writes the event, or makes of the one that was set aside what it is; whether its key was free.
    async fn enter(&self, tx: &DatabaseTransaction, new: &NewEvent<'_>) -> Result<bool, DbErr> {
        if self.message.stands_for.is_some() {
            webhook_events::become_event(tx, new).await
        } else {
            webhook_events::insert(tx, new).await
        }
    }

    /// Notes the rows that took part in a decision which is kept.
    pub(super) fn counts(&self, decision: &Decision) {
        let mut took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        took.push(Took::part_in(decision));
    }
}

pub(super) fn is_erased(head: &Head) -> bool {
    head.call.as_ref().is_some_and(|call| call.erased)
}
