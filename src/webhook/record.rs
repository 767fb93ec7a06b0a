//! What a message leaves in the tables: the call, what was said in it, its lead.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::DatabaseTransaction;
use serde_json::{Value, json};
use uuid::Uuid;

use super::decided::Decided;
use super::event::{CallPart, Event, Payload, Report, status_rank};
use super::facts;
use super::transact::{Step, TransactError};
use crate::store::intake::{self, CallTouch, LeadPart, ReportedCall};

/// A report, and the decision about it.
pub(super) struct Recording<'a, 'b> {
    pub step: &'a Step<'b>,
    pub report: &'a Report,
    pub decided: &'a Decided,
}

impl Recording<'_, '_> {
    /// The first report of a call: call, turns, decision, lead.
    pub(super) async fn first(&self, tx: &DatabaseTransaction) -> Result<(), TransactError> {
        let step = self.step;
        let (rulebook_id, now) = (step.message.access.rulebook_id, step.message.received_at);
        let Some(call_id) = step.message.event.call_id() else {
            // Without a call there is nothing to hang turns and a lead on; the decision and the texts still count.
            self.decided.save(step, tx, "report").await?;
            return Ok(());
        };
        // The first report stands, unless there is nobody left to record it for.
        if !self.record_call(tx, call_id).await? {
            return Err(TransactError::CallErased);
        }
        self.decided.save(step, tx, "report").await?;
        let decision = &self.decided.decision;
        let quote = step.head.call.as_ref().and_then(|call| call.quote.as_ref());
        let price = decision.price.as_ref();
        let (price_from, price_to) = match quote {
            Some(quote) => (quote.price_from, quote.price_to),
            None => (
                price.map(|price| price.from.minor()),
                price.map(|price| price.to.minor()),
            ),
        };
        let lead = LeadPart {
            service: decision.service.as_deref(),
            area: decision.area.as_deref(),
            currency: price_from.map(|_| step.rulebook.settings().currency.as_str()),
            price_from,
            price_to,
            quote_revision: Some(quote.map_or(decision.revision, |quote| quote.revision)),
            priority: Some(decision.priority.name()),
            sla_seconds: Some(decision.sla_seconds),
            due_at: now.checked_add_signed(TimeDelta::try_seconds(decision.sla_seconds).unwrap_or_default()),
            decision_id: Some(self.decided.id),
            quote_decision_id: Some(quote.map_or(self.decided.id, |quote| quote.decision_id)),
            late: step.late,
            ..self.who()
        };
        intake::upsert_lead(tx, rulebook_id, step.intake.clock.new_id(), call_id, &lead, now).await?;
        Ok(())
    }

    /// Another body under the same key: the record follows the later one; decision and texts stay with the first.
    pub(super) async fn amended(&self, tx: &DatabaseTransaction) -> Result<(), TransactError> {
        let step = self.step;
        let Some(call_id) = step.message.event.call_id() else {
            return Ok(());
        };
        let (rulebook_id, now) = (step.message.access.rulebook_id, step.message.received_at);
        if self.record_call(tx, call_id).await? {
            let id = step.intake.clock.new_id();
            intake::upsert_lead(tx, rulebook_id, id, call_id, &self.who(), now).await?;
        } else {
            intake::fill_lead(tx, rulebook_id, call_id, &self.who(), now).await?;
        }
        Ok(())
    }

    /// The call and its turns; whether this report is the one that stands.
    async fn record_call(&self, tx: &DatabaseTransaction, call_id: &str) -> Result<bool, TransactError> {
        let step = self.step;
        let (event, report) = (&step.message.event, self.report);
        let rulebook_id = step.message.access.rulebook_id;
        let fact = |name| facts::text(&self.decided.extracted, name);
        let part = event.call.clone().unwrap_or_default();
        let reported = ReportedCall {
            touch: CallTouch {
                status: "ended",
                status_rank: i64::from(status_rank("ended")),
                started_at: report.started_at.or(part.started_at),
                ended_at: report.ended_at.or(part.ended_at),
                ended_reason: report.ended_reason.as_deref(),
                customer_name: part.customer_name.as_deref().or_else(|| fact("customer_name")),
                ..touch(&part, call_id)
            },
            duration_ms: report.duration_ms,
            summary: report.summary.as_deref(),
            recording_url: report.recording_url.as_deref(),
            cost_micros: report.cost_micros,
            address: fact("address"),
            city: fact("city"),
            postal_code: fact("postal_code"),
            service: self.decided.decision.service.as_deref(),
            language: Some(&self.decided.decision.language),
            analysis: report.analysis.as_ref(),
            // A report that does not say when it was made gives way to any that does.
            report_at: event.at.unwrap_or(DateTime::<Utc>::UNIX_EPOCH),
            report_hash: event.body_hash,
        };
        let stands = intake::record_report(tx, rulebook_id, &reported, step.message.received_at).await?;
        if stands {
            let turns = report.turns.iter().enumerate().map(
                |(seq, turn)| json!({"seq": seq, "role": turn.role, "text": turn.text, "offset_ms": turn.offset_ms}),
            );
            let turns: Value = turns.collect();
            intake::replace_turns(tx, rulebook_id, call_id, turns).await?;
        } else {
            // What only the earlier report says is kept, as it would be had it come first.
            known(tx, rulebook_id, &reported.touch, step.message.received_at).await?;
        }
        Ok(stands)
    }

    fn who(&self) -> LeadPart<'_> {
        who(&self.step.message.event, self.decided)
    }
}

/// Who called, from where, about what.
pub(super) fn who<'a>(event: &'a Event, decided: &'a Decided) -> LeadPart<'a> {
    let fact = |name| facts::text(&decided.extracted, name);
    let call = event.call.as_ref();
    LeadPart {
        customer_name: fact("customer_name").or_else(|| call.and_then(|call| call.customer_name.as_deref())),
        customer_number: fact("customer_phone").or_else(|| call.and_then(|call| call.customer_number.as_deref())),
        customer_email: fact("customer_email"),
        address: fact("address"),
        city: fact("city"),
        postal_code: fact("postal_code"),
        problem: fact("problem"),
        ..LeadPart::default()
    }
}

/// What status updates, transcripts, assistant requests and deletions leave.
pub(super) async fn told(step: &Step<'_>, tx: &DatabaseTransaction) -> Result<(), TransactError> {
    let event = &step.message.event;
    let Some(call_id) = event.call_id() else { return Ok(()) };
    let (rulebook_id, now) = (step.message.access.rulebook_id, step.message.received_at);
    let part = event.call.clone().unwrap_or_default();
    match &event.payload {
        Payload::CallDeleted => intake::erase_call(tx, rulebook_id, call_id, now).await?,
        Payload::StatusUpdate { status, ended_reason } => {
            let ended = status == "ended";
            let touch = CallTouch {
                status,
                status_rank: i64::from(status_rank(status)),
                ended_at: if ended { part.ended_at.or(event.at) } else { None },
                ended_reason: ended_reason.as_deref(),
                ..touch(&part, call_id)
            };
            known(tx, rulebook_id, &touch, now).await?;
        }
        Payload::Transcript { role, text, is_final } => {
            known(tx, rulebook_id, &touch(&part, call_id), now).await?;
            let Some(at) = event.at.filter(|_| *is_final && !text.is_empty()) else {
                return Ok(());
            };
            let offset_ms = part
                .started_at
                .or(part.created_at)
                .map(|start| (at - start).num_milliseconds().max(0));
            // Two may be made in one millisecond; the role tells the caller's from the assistant's.
            let seq = at.timestamp_millis() * 2 + i64::from(role == "user");
            intake::add_live_turn(tx, rulebook_id, call_id, seq, role, text, offset_ms).await?;
        }
        _ => known(tx, rulebook_id, &touch(&part, call_id), now).await?,
    }
    Ok(())
}

/// Makes the call known and holds its row. What was read at the beginning may have been overtaken: when the caller was
/// erased in the meantime, the message is taken in anew, knowing it.
pub(super) async fn known(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    touch: &CallTouch<'_>,
    now: DateTime<Utc>,
) -> Result<(), TransactError> {
    if intake::touch_call(tx, rulebook_id, touch, now).await? {
        Ok(())
    } else {
        Err(TransactError::CallErased)
    }
}

/// What any message says of its call.
pub(super) fn touch<'a>(part: &'a CallPart, call_id: &'a str) -> CallTouch<'a> {
    let status = part.status.as_deref().unwrap_or_default();
    CallTouch {
        id: call_id,
        status,
        status_rank: i64::from(status_rank(status)),
        started_at: part.started_at,
        ended_at: None,
        ended_reason: None,
        customer_number: part.customer_number.as_deref(),
        customer_name: part.customer_name.as_deref(),
        phone_number: part.phone_number.as_deref(),
        assistant_id: part.assistant_id.as_deref(),
    }
}
