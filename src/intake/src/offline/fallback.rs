//! Answers and spools a message if the database is unavailable or too slow.
//!
//! The fallback decides by the cached rulebook. It stores the message and the response in the spool before it responds.
//! If the spool fails too, the fallback refuses a message without a waiting caller, so that Vapi sends the message
//! again. If a caller waits, the fallback answers even then, because the caller must never hear an error. Such a
//! message is not recorded, and a notice shows the number of unrecorded messages. The response promises nothing that
//! requires a record, such as an SMS message to a contact.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::snapshot::Snapshots;
use super::spool::{Entry, EntryHeader, Keys, Spool, SpoolError};
use crate::answer;
use crate::commit_race::{Partial, RecordedResponse};
use crate::evaluate;
use crate::evaluate::{EvaluationInput, MessageDecisions, Precomputed};
use crate::message::{Disposition, Intake, Message, MessageOutcome};
use crate::parse::event::{MessageType, Payload};
use crate::tools;
use rules::compile::Rulebook;
use rules::script::Skips;

/// Maximum time for scripts if the wait for the database has used up the time budget.
const SCRIPTS: Duration = Duration::from_millis(150);

/// Answers messages without the database.
#[derive(Clone)]
pub struct Fallback {
    /// The spool for messages.
    pub spool: Spool,
    /// The cached rulebooks.
    pub snapshots: Snapshots,
}

impl Fallback {
    /// Answers a message and spools it.
    ///
    /// # Errors
    /// If the spool fails and no caller waits for the response.
    pub async fn answer_and_spool(
        &self,
        intake: &Intake,
        message: &Arc<Message>,
        left: Partial,
    ) -> Result<MessageOutcome, SpoolError> {
        let keys = Keys::of(message.access.rulebook_id, &message.event);
        let committing = matches!(left, Partial::Committing(_));
        let before = if committing { None } else { self.before(keys).await };
        // If the response may be committed or is already in the spool, Vapi must get that response, even if this
        // message cannot be stored.
        let stands = committing || before.is_some();
        let recorded_response = self.recorded_response(intake, message, before, left).await;
        let mut answer = recorded_response.as_ref().map_or_else(
            || answer::neutral(message.event.kind).to_json(),
            |recorded_response| recorded_response.answer.clone(),
        );
        let revision = recorded_response
            .as_ref()
            .map_or(0, |recorded_response| recorded_response.revision);
        let entry = Entry {
            id: intake.clock.new_id(),
            rulebook_id: message.access.rulebook_id,
            about: EntryHeader {
                code: message.access.code.clone(),
                delivery_key: message.delivery_key.clone(),
                received_at: message.received_at,
                recorded_response,
            },
            body: message.body.clone(),
        };
        let disposition = match self.spool.keep(&entry, keys).await {
            Ok(()) => Disposition::Spooled,
            Err(error) if !waits_for_an_answer(message.event.kind) => return Err(error),
            Err(error) => {
                tracing::error!(%error, kind = message.event.kind.as_str(), "a message was answered, but not recorded");
                let recorded_response = entry.about.recorded_response.as_ref().filter(|_| !stands);
                if let Some(honest) = recorded_response.and_then(|recorded_response| {
                    recorded_response
                        .decisions
                        .decisions
                        .response_without_storage(&message.event)
                }) {
                    answer = honest;
                }
                Disposition::Unrecorded
            }
        };
        Ok(MessageOutcome {
            answer,
            disposition,
            revision,
        })
    }

    /// Returns the spool entry of an earlier copy of this message, if there is one.
    async fn before(&self, keys: Keys) -> Option<Entry> {
        self.spool.under(keys).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the spool could not be searched for an earlier copy of the message");
            None
        })
    }

    /// Builds the response. Returns `None` for a report if no rulebook is known.
    async fn recorded_response(
        &self,
        intake: &Intake,
        message: &Arc<Message>,
        before: Option<Entry>,
        left: Partial,
    ) -> Option<RecordedResponse> {
        let precomputed = match left {
            // The transaction may have committed, so Vapi must get the transaction's response.
            Partial::Committing(recorded_response) => return Some(RecordedResponse::clone(&recorded_response)),
            Partial::WorkedOut(precomputed) => Some(precomputed),
            Partial::Nothing => None,
        };
        let before = before.and_then(|entry| entry.about.recorded_response);
        let precomputed = match (precomputed, &before) {
            (Some(precomputed), _) => precomputed,
            (None, Some(before)) => Arc::clone(&before.decisions),
            (None, None) => match self.snapshots.rulebook(&message.access) {
                Some(rulebook) => Arc::new(decide_offline(intake, message, &rulebook).await),
                None => Arc::new(default_decisions(message)?),
            },
        };
        let answer = before.map_or_else(
            || precomputed.decisions.answer(&message.event),
            |before| before.answer.clone(),
        );
        Some(RecordedResponse {
            revision: precomputed.revision,
            answer,
            decisions: precomputed,
        })
    }
}

/// Decides by the cached rulebook. If the scripts of the rulebook take too long, decides without them.
async fn decide_offline(intake: &Intake, message: &Arc<Message>, rulebook: &Arc<Rulebook>) -> Precomputed {
    let in_place = |skips| {
        let question = EvaluationInput {
            rulebook,
            message,
            clock: &intake.clock,
            skips,
        };
        question.decide_all()
    };
    if !evaluate::runs_scripts(rulebook, message) {
        return in_place(Skips::none());
    }
    match tokio::time::timeout(SCRIPTS, evaluate::precomputed(intake, message, rulebook)).await {
        Ok(precomputed) => precomputed,
        Err(_) => in_place(Skips::all("left out: the database had used up the time budget")),
    }
}

/// Builds the decisions for a message if no rulebook is known: a tool responds that somebody will call back. Returns
/// `None` for a report, which is decided when it is recorded.
fn default_decisions(message: &Message) -> Option<Precomputed> {
    let decisions = match &message.event.payload {
        Payload::Report(_) => return None,
        Payload::ToolCalls(requests) => {
            MessageDecisions::Tools(requests.iter().map(|_| tools::ToolRun::out_of_order()).collect())
        }
        _ => MessageDecisions::Answer(answer::neutral(message.event.kind).to_json()),
    };
    Some(Precomputed { revision: 0, decisions })
}

/// Whether the caller would notice a missing answer.
#[must_use]
pub fn waits_for_an_answer(kind: MessageType) -> bool {
    answer::neutral(kind).to_json() != Value::Object(serde_json::Map::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_asked_answers() {
        let waiting: Vec<_> = MessageType::ALL
            .iter()
            .filter(|kind| waits_for_an_answer(**kind))
            .map(|kind| kind.as_str())
            .collect();
        assert_eq!(
            waiting,
            [
                "assistant-request",
                "call.endpointing.request",
                "campaign.predial",
                "handoff-destination-request",
                "knowledge-base-request",
                "tool-calls",
                "transfer-destination-request",
                "voice-request",
            ]
        );
    }
}
