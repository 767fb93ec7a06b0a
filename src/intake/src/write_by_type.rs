//! Writes one message inside its transaction: the event, and the rows that depend on the message type.

use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::Value;

use super::answer;
use super::evaluate::{self, DecisionRecord, MessageDecisions};
use super::message::{Disposition, IngestError};
use super::message_write::{MessageWrite, is_erased};
use super::parse::event::{MessageType, Payload};
use super::record_call::{self, Recording};
use super::save_tools;
use super::tools;

impl MessageWrite<'_> {
    /// Writes the message. Returns how it was recorded, its response, and whether to wake the outbox worker.
    pub(super) async fn run(&self, tx: &DatabaseTransaction) -> Result<(Disposition, Value, bool), IngestError> {
        let event = &self.message.event;
        match &event.payload {
            // The earlier response was erased together with the caller's data.
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
                // These updates give the same result in any order, so a repeated update is harmless.
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
