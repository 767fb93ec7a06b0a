//! Records tool calls and their effects: decisions, the booking in a lead, a pinned quote, SMS messages.

use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::Value;

use super::answer::{Answer, ToolResult};
use super::call_job::Job;
use super::message::{Disposition, IngestError};
use super::message_write::MessageWrite;
use super::parse::event::ToolRequest;
use super::parse::facts;
use super::record_call;
use super::save_decision::script_failed;
use super::tools::{ToolRun, alert_template};
use rules::rows::ToolKind;
use store::calls;
use store::leads::{self, LeadPart};
use store::tool_calls::{self, NewToolCall};

/// Records each tool call once and returns all results. A tool call that was recorded before gets its earlier result.
pub(super) async fn answered(
    step: &MessageWrite<'_>,
    tx: &DatabaseTransaction,
    requests: &[ToolRequest],
    ran: &[ToolRun],
) -> Result<(Disposition, Value, bool), IngestError> {
    let message = step.message;
    let (rulebook_id, call_id) = (message.access.rulebook_id, message.event.call_id());
    if let Some(call_id) = call_id {
        let part = message.event.call.clone().unwrap_or_default();
        record_call::known(
            tx,
            rulebook_id,
            &record_call::touch(&part, call_id),
            message.received_at,
        )
        .await?;
    }
    let mut results = Vec::with_capacity(requests.len());
    let mut new = Vec::new();
    for (request, ran) in requests.iter().zip(ran) {
        let key = message.event.tool_call_key(request);
        let stored = tool_calls::stored_result(tx, rulebook_id, &key).await?;
        let result = match stored {
            Some(result) => ToolResult {
                tool_call_id: request.id.clone(),
                name: request.name.clone(),
                result,
            },
            None => {
                let result = ran.told(request);
                new.push((request, ran, result.clone(), key));
                result
            }
        };
        results.push(result);
    }
    let answer = step
        .recorded_answer()
        .unwrap_or_else(|| Answer::of_tools(&message.event, results).to_json());
    if let Some((taken, answer)) = step.keep(tx, &answer).await? {
        return Ok((taken, answer, false));
    }
    let mut has_sms = false;
    for (request, ran, result, key) in &new {
        has_sms |= save(step, tx, (request, key), ran, result).await?;
    }
    Ok((Disposition::Recorded, answer, has_sms))
}

async fn save(
    step: &MessageWrite<'_>,
    tx: &DatabaseTransaction,
    (request, key): (&ToolRequest, &str),
    ran: &ToolRun,
    result: &ToolResult,
) -> Result<bool, DbErr> {
    let message = step.message;
    let (rulebook_id, call_id, now) = (message.access.rulebook_id, message.event.call_id(), message.received_at);
    let row = NewToolCall {
        rulebook_id,
        id: step.intake.clock.new_id(),
        tool_call_id: &request.id,
        key,
        call_id,
        event_id: step.event_id,
        name: &request.name,
        arguments: &request.arguments,
        result: result.result.as_deref().map_err(String::as_str),
        duration_us: ran.duration_us,
        decision_id: ran.decided.as_ref().map(|decided| decided.id),
        created_at: now,
    };
    // Another message with the same tool call may have been recorded first.
    if !tool_calls::insert(tx, &row).await? {
        return Ok(false);
    }
    let (Some(decided), Some(tool)) = (&ran.decided, &ran.tool) else {
        return Ok(false);
    };
    decided.save(step, tx, purpose(tool.runs)).await?;
    if let Some(script) = &ran.ran {
        step.intake.current.quarantines().ran(rulebook_id, script);
    }
    if let Some(faulted) = &ran.faulted {
        script_failed(step, tx, faulted).await?;
    }
    if let Some(call_id) = call_id {
        if tool.runs == ToolKind::Quote && decided.decision.price.is_some() {
            calls::pin_quote(tx, rulebook_id, call_id, decided.id).await?;
        }
        if tool.runs == ToolKind::Booking {
            let id = step.intake.clock.new_id();
            let wanted_slot = facts::text(&decided.extracted, "wanted_slot");
            let job = Job::of(step, tx, decided).await?;
            let lead = LeadPart {
                wanted_slot,
                decision_id: Some(decided.id),
                ..record_call::with_job(&record_call::who(&message.event, decided), &job)
            };
            leads::upsert(tx, rulebook_id, id, call_id, &lead, now).await?;
        }
    }
    if tool.runs == ToolKind::SmsAlert {
        let job = Job::of(step, tx, decided).await?;
        return step.text(tx, decided, &job, alert_template(tool, decided)).await;
    }
    Ok(false)
}

fn purpose(kind: ToolKind) -> &'static str {
    match kind {
        ToolKind::Quote => "quote",
        ToolKind::Priority => "priority",
        ToolKind::ServiceCheck => "service_check",
        ToolKind::Scheduling => "scheduling",
        ToolKind::SmsAlert => "sms_alert",
        ToolKind::Booking => "booking",
        ToolKind::Script => "script",
    }
}
