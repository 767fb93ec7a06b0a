//! Dead-letter handling. In: a message. Out: its result. A message that fails three times for a permanent reason is stored raw, a
//! notice is raised, and Vapi gets the response that leaves the call as it would be without Ringbook.
//!
//! A permanent reason is one that will not change: the database rejects what the message would write, or the work panics. A
//! database that is away, slow, full or locked is not a permanent reason: those errors are returned.

use std::sync::Arc;

use sea_orm::DatabaseTransaction;
use serde_json::Value;
use tracing::Instrument as _;

use super::answer::{self, Answer, ToolResult};
use super::attempt::{Attempt, Given};
use super::decided::{Ahead, Found};
use super::event::Payload;
use super::message::{Intake, Message, Outcome, Taken, TransactError};
use super::transact;
use base::telemetry;
use store::notices::{self, Notice, Severity};
use store::webhook_events::{self, NewEvent};
use store::{message_head, trial};

/// How often a message is tried before it is dead-lettered.
const TRIES: u32 = 3;

/// Code of the notice about a dead-lettered message.
pub const NOTICE: &str = "message_set_aside";

/// Records a message and returns the response, or dead-letters it.
pub async fn transact(intake: &Intake, message: &Arc<Message>) -> Result<Outcome, TransactError> {
    attempt(intake, message, &Arc::default()).await
}

/// Same as [`transact()`], but stops if the waiter timed out before the commit.
pub(super) async fn attempt(
    intake: &Intake,
    message: &Arc<Message>,
    attempt: &Arc<Attempt>,
) -> Result<Outcome, TransactError> {
    for tries in 1.. {
        let (with, asked, asking) = (intake.clone(), Arc::clone(message), Arc::clone(attempt));
        // A panic ends only this task.
        let task = trial::spawn(async move { transact::attempt(&with, &asked, &asking).await }.in_current_span());
        let failed = match task.await {
            Ok(Ok(outcome)) => return Ok(outcome),
            Ok(Err(error)) => error,
            Err(ended) => TransactError::Stopped(ended.to_string()),
        };
        if !is_its_own(&failed) {
            return Err(failed);
        }
        telemetry::log_cause("message_failed", &failed);
        if tries == TRIES {
            return poisoned(intake, message, &failed, attempt).await;
        }
    }
    Err(TransactError::TooSlow)
}

/// Whether the error is permanent.
fn is_its_own(error: &TransactError) -> bool {
    matches!(error, TransactError::Database(_) | TransactError::Stopped(_)) && !error.passes()
}

/// The reason, without any content of the message.
fn reason(error: &TransactError) -> &'static str {
    match error {
        TransactError::Stopped(_) => "the program failed on it",
        _ => "the database refused what it would write",
    }
}

/// Stores the raw message, once.
async fn poisoned(
    intake: &Intake,
    message: &Message,
    error: &TransactError,
    attempt: &Attempt,
) -> Result<Outcome, TransactError> {
    let answer = unable(message).to_json();
    let tx = store::begin(&intake.db).await?;
    let rulebook_id = message.access.rulebook_id;
    let head = message_head::read(&tx, rulebook_id, message.event.call_id()).await?;
    if head.auth_version != message.access.auth_version {
        return Err(TransactError::AccessChanged);
    }
    let erased = head.call.as_ref().is_some_and(|call| call.erased);
    if !erased && keep(intake, &tx, message, &answer, reason(error)).await? {
        let notice = Notice {
            rulebook_id,
            code: NOTICE,
            severity: Severity::Urgent,
            subject: format!("messages of type {}", message.event.kind.as_str()),
            text: format!(
                "A message of the type `{}` could not be taken in: {}. It is kept as it came.",
                message.event.kind.as_str(),
                reason(error)
            ),
            what_to_do: "List them with `GET /admin/v1/webhook-events?state=poisoned`; the log has the cause at `message_failed`. \
                When it is mended, `POST /admin/v1/webhook-events/ID/replay`, with the id from that list, takes one in."
                .to_owned(),
        };
        notices::raise(&tx, notice, intake.clock.now(), intake.clock.new_id()).await?;
    }
    let given = Given {
        revision: head.revision,
        answer: answer.clone(),
        found: Arc::new(Ahead {
            revision: head.revision,
            found: Found::Answer(answer.clone()),
        }),
    };
    if !attempt.commits(given) {
        tx.rollback().await?;
        return Err(TransactError::TooSlow);
    }
    tx.commit().await?;
    Ok(Outcome {
        answer,
        taken: Taken::Poisoned,
        revision: head.revision,
    })
}

/// Stores the event; false if it is stored already. A replayed event that fails again stays unchanged.
async fn keep(
    intake: &Intake,
    tx: &DatabaseTransaction,
    message: &Message,
    answer: &Value,
    why: &str,
) -> Result<bool, TransactError> {
    if message.stands_for.is_some() {
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

/// The response that leaves the call as it would be without Ringbook.
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
