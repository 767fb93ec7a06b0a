//! Writes a message's data about the call: the call, its turns and its lead.

use std::cmp::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DatabaseTransaction, DbErr};
use uuid::Uuid;

use super::call_job::Job;
use super::evaluate::DecisionRecord;
use super::message::IngestError;
use super::message_write::MessageWrite;
use super::parse::event::{CallPart, Event, Payload, Report, status_rank};
use super::parse::facts;
use store::call_transcripts::{Turn, Turns};
use store::calls::{self, CallTouch, ReportedCall};
use store::leads::{self, LeadPart, NewLead};
use store::reports::{self, NewReport};
use store::{call_transcripts, erasures};

/// A report, and the decision about it.
pub(super) struct Recording<'a, 'b> {
    pub step: &'a MessageWrite<'b>,
    pub report: &'a Report,
    pub decided: &'a DecisionRecord,
}

impl Recording<'_, '_> {
    /// Records the first report of a call: call, turns, decision, lead, SMS messages. Returns whether SMS messages were
    /// queued.
    pub(super) async fn first(&self, tx: &DatabaseTransaction) -> Result<bool, IngestError> {
        let step = self.step;
        let Some(call_id) = step.message.event.call_id() else {
            // Turns and a lead need a call. The decision and the SMS messages are recorded without a call.
            self.decided.save(step, tx, "report").await?;
            let job = Job::of(step, tx, self.decided).await?;
            return Ok(self.text(tx, &job).await?);
        };
        let job = Job::of(step, tx, self.decided).await?;
        let rows = vec![self.rows(call_id, &job)?];
        // The first report of a call is always the current report. `None` means that the caller was erased.
        let recorded = reports::record(tx, step.message.access.rulebook_id, rows).await?;
        recorded.ok_or(IngestError::CallErased)?;
        self.decided.recorded(step, tx).await?;
        Ok(self.text(tx, &job).await?)
    }

    /// The rows of the first report of a call.
    pub(super) fn rows<'c>(&'c self, call_id: &'c str, job: &'c Job) -> Result<NewReport<'c>, DbErr> {
        let (step, now) = (self.step, self.step.message.received_at);
        Ok(NewReport {
            call: self.reported_call(call_id),
            now,
            turns: self.turns(call_id),
            decision: self.decided.new_row(step, "report")?,
            lead: NewLead {
                id: step.intake.clock.new_id(),
                call_id,
                part: self.lead(&self.who(), job),
                now,
            },
        })
    }

    /// Records an amendment: a report with the same key as the first report and another body. The call and its turns
    /// are written from the later report. A new decision is stored only if this report is more urgent or has a service
    /// that the lead lacks. So no priority stays too low, and no SMS message is omitted.
    pub(super) async fn amended(&self, tx: &DatabaseTransaction) -> Result<bool, IngestError> {
        let step = self.step;
        let Some(call_id) = step.message.event.call_id() else {
            return Ok(false);
        };
        let (rulebook_id, now) = (step.message.access.rulebook_id, step.message.received_at);
        let stands = self.record_call(tx, call_id).await?;
        if stands {
            let id = step.intake.clock.new_id();
            leads::upsert(tx, rulebook_id, id, call_id, &self.who(), now).await?;
        } else {
            leads::fill(tx, rulebook_id, call_id, &self.who(), now).await?;
        }
        let Some(lead) = leads::of_call(tx, rulebook_id, call_id).await? else {
            return Ok(false);
        };
        let decision = &self.decided.decision;
        // The names sort like the priorities: "P1" is less than "P2".
        let urgency = lead
            .priority
            .as_deref()
            .map(|known| decision.priority.name().cmp(known));
        let is_more_urgent = urgency.is_none_or(Ordering::is_lt);
        let brings_service = lead.service.is_none() && decision.service.is_some();
        if lead.erased_at.is_some() || !(is_more_urgent || brings_service) {
            return Ok(false);
        }
        let who = if stands { self.who() } else { LeadPart::default() };
        self.decide(tx, call_id, &who, urgency.is_none_or(Ordering::is_le))
            .await
    }

    /// Stores the decision, creates or completes the lead, and queues the SMS messages. If the report is less urgent
    /// than an earlier report, the priority stays and no SMS message is queued. `who` is the caller data for the lead.
    async fn decide(
        &self,
        tx: &DatabaseTransaction,
        call_id: &str,
        who: &LeadPart<'_>,
        is_urgent: bool,
    ) -> Result<bool, IngestError> {
        let step = self.step;
        let (rulebook_id, now) = (step.message.access.rulebook_id, step.message.received_at);
        self.decided.save(step, tx, "report").await?;
        let job = Job::of(step, tx, self.decided).await?;
        let lead = if is_urgent {
            self.lead(who, &job)
        } else {
            LeadPart {
                late: step.late,
                ..with_job(who, &job)
            }
        };
        leads::upsert(tx, rulebook_id, step.intake.clock.new_id(), call_id, &lead, now).await?;
        if is_urgent {
            Ok(self.text(tx, &job).await?)
        } else {
            Ok(false)
        }
    }

    /// Builds the lead of a report, with the priority from the decision.
    pub(super) fn lead<'c>(&'c self, who: &LeadPart<'c>, job: &'c Job) -> LeadPart<'c> {
        let decision = &self.decided.decision;
        let sla = TimeDelta::try_seconds(decision.sla_seconds).unwrap_or_default();
        LeadPart {
            priority: Some(decision.priority.name()),
            sla_seconds: Some(decision.sla_seconds),
            due_at: self.step.message.received_at.checked_add_signed(sla),
            decision_id: Some(self.decided.id),
            late: self.step.late,
            ..with_job(who, job)
        }
    }

    async fn text(&self, tx: &DatabaseTransaction, job: &Job) -> Result<bool, DbErr> {
        let template = self.decided.decision.template.as_deref();
        self.step.text(tx, self.decided, job, template).await
    }

    /// Writes the call and its turns. Returns whether this report is the current report.
    async fn record_call(&self, tx: &DatabaseTransaction, call_id: &str) -> Result<bool, IngestError> {
        let step = self.step;
        let rulebook_id = step.message.access.rulebook_id;
        let reported = self.reported_call(call_id);
        let stands = calls::record_report(tx, rulebook_id, &reported, step.message.received_at).await?;
        if stands {
            call_transcripts::replace(tx, rulebook_id, self.turns(call_id)).await?;
        } else {
            // A later report is recorded already. Record only the call data of this report, as if it had arrived first.
            known(tx, rulebook_id, &reported.touch, step.message.received_at).await?;
        }
        Ok(stands)
    }

    /// The report's data about the call.
    pub(super) fn reported_call<'c>(&'c self, call_id: &'c str) -> ReportedCall<'c> {
        let (event, report) = (&self.step.message.event, self.report);
        let fact = |name| facts::text(&self.decided.extracted, name);
        let part = event.call.as_ref();
        let touched = part.map_or_else(
            || CallTouch {
                id: call_id,
                ..CallTouch::default()
            },
            |part| touch(part, call_id),
        );
        ReportedCall {
            touch: CallTouch {
                status: "ended",
                status_rank: i64::from(status_rank("ended")),
                started_at: report.started_at.or(touched.started_at),
                ended_at: report.ended_at.or(part.and_then(|part| part.ended_at)),
                ended_reason: report.ended_reason.as_deref(),
                customer_name: touched.customer_name.or_else(|| fact("customer_name")),
                ..touched
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
            // A report with a timestamp replaces any report without a timestamp.
            report_at: event.at.unwrap_or(DateTime::<Utc>::UNIX_EPOCH),
            report_hash: event.body_hash,
        }
    }

    /// The turns in the report.
    pub(super) fn turns<'c>(&'c self, call_id: &'c str) -> Turns<'c> {
        let turns = (0..).zip(&self.report.turns).map(|(seq, turn)| Turn {
            call_id,
            seq,
            role: &turn.role,
            text: &turn.text,
            offset_ms: turn.offset_ms,
        });
        Turns {
            call_id,
            turns: turns.collect(),
            may_have: self.step.head.call.is_some(),
        }
    }

    pub(super) fn who(&self) -> LeadPart<'_> {
        who(&self.step.message.event, self.decided)
    }
}

/// Sets the job's service, area and price in a lead.
pub(super) fn with_job<'a>(lead: &LeadPart<'a>, job: &'a Job) -> LeadPart<'a> {
    let price = job.price();
    LeadPart {
        service: job.decision.service.as_deref(),
        area: job.decision.area.as_deref(),
        is_priced: true,
        currency: price.map(|price| price.currency.as_str()),
        price_from: price.map(|price| price.from.minor()),
        price_to: price.map(|price| price.to.minor()),
        quote_revision: Some(job.quote_revision),
        quote_decision_id: Some(job.quote_decision_id),
        ..lead.clone()
    }
}

/// Returns the caller's contact data, address and problem, for the lead.
pub(super) fn who<'a>(event: &'a Event, decided: &'a DecisionRecord) -> LeadPart<'a> {
    let fact = |name| facts::text(&decided.extracted, name);
    let call = event.call.as_ref();
    LeadPart {
        customer_name: fact("customer_name").or_else(|| call.and_then(|call| call.customer_name.as_deref())),
        customer_number: fact("customer_phone")
            .or_else(|| fact("caller"))
            .or_else(|| call.and_then(|call| call.customer_number.as_deref())),
        customer_email: fact("customer_email"),
        address: fact("address"),
        city: fact("city"),
        postal_code: fact("postal_code"),
        problem: fact("problem"),
        ..LeadPart::default()
    }
}

/// Records status updates, transcripts, assistant requests and deletions.
pub(super) async fn record_update(step: &MessageWrite<'_>, tx: &DatabaseTransaction) -> Result<(), IngestError> {
    let event = &step.message.event;
    let Some(call_id) = event.call_id() else { return Ok(()) };
    let (rulebook_id, now) = (step.message.access.rulebook_id, step.message.received_at);
    let part = event.call.clone().unwrap_or_default();
    match &event.payload {
        Payload::CallDeleted => erasures::erase_call(tx, rulebook_id, call_id, now).await?,
        _ => {
            known(tx, rulebook_id, &call_update(event, &part, call_id), now).await?;
            let turn = live_turn(event, &part, call_id);
            call_transcripts::add_live(tx, rulebook_id, turn.as_slice()).await?;
        }
    }
    Ok(())
}

/// The call data in a message other than a report.
pub(super) fn call_update<'a>(event: &'a Event, part: &'a CallPart, call_id: &'a str) -> CallTouch<'a> {
    let touched = touch(part, call_id);
    let Payload::StatusUpdate { status, ended_reason } = &event.payload else {
        return touched;
    };
    let ended = status == "ended";
    CallTouch {
        status,
        status_rank: i64::from(status_rank(status)),
        ended_at: if ended { part.ended_at.or(event.at) } else { None },
        ended_reason: ended_reason.as_deref(),
        ..touched
    }
}

/// The turn in a transcript message.
pub(super) fn live_turn<'a>(event: &'a Event, part: &CallPart, call_id: &'a str) -> Option<Turn<'a>> {
    let Payload::Transcript { role, text, is_final } = &event.payload else {
        return None;
    };
    let at = event.at.filter(|_| *is_final && !text.is_empty())?;
    let start = part.started_at.or(part.created_at);
    Some(Turn {
        call_id,
        // A turn of the caller and a turn of the assistant may have the same millisecond, so the role distinguishes
        // them.
        seq: at.timestamp_millis() * 2 + i64::from(role == "user"),
        role,
        text,
        offset_ms: start.map(|start| (at - start).num_milliseconds().max(0)),
    })
}

/// Creates or updates the call's row and locks it. Fails with [`IngestError::CallErased`] if the caller was erased
/// after the transaction read the call. The message is then recorded again without the caller's data.
pub(super) async fn known(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    touch: &CallTouch<'_>,
    now: DateTime<Utc>,
) -> Result<(), IngestError> {
    if calls::touch(tx, rulebook_id, touch, now).await? {
        Ok(())
    } else {
        Err(IngestError::CallErased)
    }
}

/// The call data that any message has.
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
