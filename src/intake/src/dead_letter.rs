//! Dead-letter handling: after three permanent failures, stores the raw message and raises a notice. Vapi gets a
//! response that leaves the call as it would be without Ringbook.
//!
//! A permanent failure repeats on every try: the database rejects what the message would write, or the work panics. If
//! the database is unavailable, slow, full or locked, the error is returned instead, and nothing is dead-lettered.

pub mod unparsed;

use std::sync::Arc;

use sea_orm::DatabaseTransaction;
use serde_json::Value;

use super::answer::{self, Answer, ToolResult};
use super::commit_race::{CommitRace, RecordedResponse};
use super::evaluate::{MessageDecisions, Precomputed};
use super::message::{Disposition, IngestError, Intake, Message, MessageOutcome};
use super::parse::event::Payload;
use store::message_head;
use store::notices::{self, Notice, Severity};
use store::webhook_events::{self, NewEvent};

/// Code of the notice about a dead-lettered message.
pub const NOTICE: &str = "message_set_aside";

/// Whether the message itself may be the cause of the error: the database rejects its data, or the work panics.
pub(super) fn is_permanent(error: &IngestError) -> bool {
    matches!(error, IngestError::Database(_) | IngestError::Stopped(_)) && !error.passes()
}

/// The reason, without any content of the message.
fn reason(error: &IngestError) -> &'static str {
    match error {
        IngestError::Stopped(_) => "processing it panicked",
        _ => "the database rejected its data",
    }
}

/// Stores the raw message if it is not stored yet, and raises a notice.
pub(super) async fn store_raw(
    intake: &Intake,
    message: &Message,
    error: &IngestError,
    race: &CommitRace,
) -> Result<MessageOutcome, IngestError> {
    let answer = unable(message).to_json();
    let tx = store::begin(&intake.db).await?;
    let rulebook_id = message.access.rulebook_id;
    let head = message_head::read(&tx, rulebook_id, message.event.call_id()).await?;
    if head.auth_version != message.access.auth_version {
        return Err(IngestError::AccessChanged);
    }
    let erased = head.call.as_ref().is_some_and(|call| call.erased);
    if !erased && keep(intake, &tx, message, &answer, reason(error)).await? {
        let notice = Notice {
            rulebook_id,
            code: NOTICE,
            severity: Severity::Urgent,
            subject: format!("messages of type {}", message.event.kind.as_str()),
            text: format!(
                "A message of the type `{}` could not be recorded: {}. Its raw body is stored.",
                message.event.kind.as_str(),
                reason(error)
            ),
            what_to_do: "List such messages with `GET /admin/v1/webhook-events?state=poisoned`; the log has the cause \
                under `message_failed`. Once the cause is fixed, replay each with `POST /admin/v1/webhook-events/ID/replay`."
                .to_owned(),
        };
        notices::raise(&tx, notice, intake.clock.now(), intake.clock.new_id()).await?;
    }
    let recorded_response = RecordedResponse {
        revision: head.revision,
        answer: answer.clone(),
        decisions: Arc::new(Precomputed {
            revision: head.revision,
            decisions: MessageDecisions::Answer(answer.clone()),
        }),
    };
    if !race.commits(recorded_response) {
        tx.rollback().await?;
        return Err(IngestError::TooSlow);
    }
    tx.commit().await?;
    Ok(MessageOutcome {
        answer,
        disposition: Disposition::Poisoned,
        revision: head.revision,
    })
}

/// Stores the event. Returns false if the event is already stored. A replayed event that fails again stays unchanged.
async fn keep(
    intake: &Intake,
    tx: &DatabaseTransaction,
    message: &Message,
    answer: &Value,
    why: &str,
) -> Result<bool, IngestError> {
    if message.replaces.is_some() {
        return Ok(false);
    }
    let hash = hex::encode(message.event.body_hash);
    let event = NewEvent {
        rulebook_id: message.access.rulebook_id,
        id: intake.clock.new_id(),
        business_key: &format!("-/poisoned/{hash}"),
        delivery_key: &message.delivery_key,
        kind: &message.event.type_name,
        call_id: message.event.call_id(),
        message_at: message.event.at,
        received_at: message.received_at,
        body: Some(message.stored_body()),
        body_hash: message.event.body_hash,
        answer,
        state: "poisoned",
        amends: None,
        origin: message.origin.word(),
        set_aside: Some(why),
        without_call: true,
    };
    Ok(webhook_events::insert(tx, &event).await?)
}

/// Builds a response that leaves the call as it would be without Ringbook.
fn unable(message: &Message) -> Answer {
    match &message.event.payload {
        Payload::ToolCalls(requests) => {
            let sorry = "This tool is out of order. Tell the caller that somebody will call back.";
            let failed = requests
                .iter()
                .map(|request| ToolResult::failed(&request.id, &request.name, sorry));
            Answer::of_tools(&message.event, failed.collect())
        }
        _ => answer::neutral(message.event.kind),
    }
}
