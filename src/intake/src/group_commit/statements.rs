//! Writes messages that share a transaction. The same statements write all messages of one rulebook.
//!
//! This module handles only new messages, and a report only if its call has no earlier report. Duplicates, amendments
//! and other cases go through [`MessageWrite::run`] in the same transaction.

use std::collections::HashMap;

use sea_orm::DatabaseTransaction;
use serde_json::{Map, Value};

use crate::answer;
use crate::call_job::Job;
use crate::evaluate::MessageDecisions;
use crate::message::IngestError;
use crate::message_write::MessageWrite;
use crate::parse::event::{CallPart, Payload};
use crate::queue_sms;
use crate::queue_sms::Outgoing;
use crate::record_call;
use crate::record_call::Recording;
use store::leads;
use store::{call_transcripts, calls, decisions, fault_points, reports, webhook_events};

/// A message that this module wrote.
pub(crate) struct WrittenMessage<'a> {
    pub answer: Value,
    /// The SMS messages that this message causes. These SMS messages are queued last, because queueing locks rows that
    /// many calls share.
    deferred_sms: Option<Outgoing<'a>>,
}

struct CallReport<'a> {
    place: usize,
    call_id: &'a str,
    recording: Recording<'a, 'a>,
}

/// Writes the messages that this module handles. The result of each remaining message is `None`.
///
/// # Errors
/// If the database fails, or a caller was erased after the transaction read the call.
pub(crate) async fn write<'a>(
    tx: &DatabaseTransaction,
    steps: &'a [MessageWrite<'a>],
) -> Result<Vec<Option<WrittenMessage<'a>>>, IngestError> {
    let asked: Vec<(usize, &MessageWrite<'_>, String, Value)> = steps
        .iter()
        .enumerate()
        .filter_map(|(place, step)| Some((place, step, step.message.event.event_key(), response_to(step)?)))
        .collect();
    let events: Vec<_> = asked
        .iter()
        .map(|(_, step, key, answer)| step.new_event(key, answer))
        .collect();
    let new = webhook_events::insert_each(tx, &events).await?;
    fault_points::reach(fault_points::Step::MessageEventInserted)?;
    let mut written: Vec<Option<WrittenMessage<'a>>> = steps.iter().map(|_| None).collect();
    for (place, step, _, answer) in asked {
        if new.contains(&step.event_id) {
            written[place] = Some(WrittenMessage {
                answer,
                deferred_sms: None,
            });
        }
    }
    let is_new = |place: &usize| written[*place].is_some();
    let new: Vec<usize> = (0..steps.len()).filter(is_new).collect();
    update_calls(tx, steps, &new).await?;
    let reported: Vec<CallReport<'a>> = new
        .iter()
        .filter_map(|place| reported(*place, &steps[*place]))
        .collect();
    for (place, deferred_sms) in report(tx, &reported).await? {
        if let Some(written) = &mut written[place] {
            written.deferred_sms = Some(deferred_sms);
        }
    }
    Ok(written)
}

/// Queues the SMS messages that the written messages cause. All written messages belong to one rulebook. Returns for
/// each written message whether to wake the outbox worker.
///
/// # Errors
/// If the database fails.
pub(crate) async fn queue_sms(
    tx: &DatabaseTransaction,
    written: Vec<Option<WrittenMessage<'_>>>,
) -> Result<Vec<bool>, IngestError> {
    let mut queued = vec![false; written.len()];
    let waiting = written.into_iter().enumerate();
    let waiting = waiting.filter_map(|(place, written)| Some((place, written?.deferred_sms?)));
    let (places, outgoing): (Vec<usize>, Vec<Outgoing<'_>>) = waiting.unzip();
    for (place, any) in places.into_iter().zip(queue_sms::send_each(tx, outgoing).await?) {
        queued[place] = any;
    }
    Ok(queued)
}

/// Returns the response to a new message, or `None` for a message that this module does not handle.
fn response_to(step: &MessageWrite<'_>) -> Option<Value> {
    let event = &step.message.event;
    match &event.payload {
        Payload::Report(_) => {
            let follows_none = step.head.call.as_ref().is_none_or(|call| !call.reported);
            (event.call_id().is_some() && follows_none).then(|| Value::Object(Map::new()))
        }
        Payload::StatusUpdate { .. } | Payload::Transcript { .. } => Some(answer::neutral(event.kind).to_json()),
        Payload::Other => Some(step.decisions.answer(event)),
        _ => None,
    }
}

/// Writes call data from status updates and transcripts.
async fn update_calls(tx: &DatabaseTransaction, steps: &[MessageWrite<'_>], new: &[usize]) -> Result<(), IngestError> {
    let nothing = CallPart::default();
    let mut touched = Vec::new();
    let mut turns = Vec::new();
    for step in new.iter().map(|place| &steps[*place]) {
        let event = &step.message.event;
        let updates = matches!(event.payload, Payload::StatusUpdate { .. } | Payload::Transcript { .. });
        let Some(call_id) = event.call_id().filter(|_| updates) else {
            continue;
        };
        let part = event.call.as_ref().unwrap_or(&nothing);
        touched.push((record_call::call_update(event, part, call_id), step.message.received_at));
        turns.extend(record_call::live_turn(event, part, call_id));
    }
    let Some(rulebook_id) = steps.first().map(|step| step.message.access.rulebook_id) else {
        return Ok(());
    };
    let calls: Vec<_> = touched.iter().map(|(touch, now)| (touch, *now)).collect();
    if calls::touch_each(tx, rulebook_id, &calls).await? < calls.len() {
        return Err(IngestError::CallErased);
    }
    call_transcripts::add_live(tx, rulebook_id, &turns).await?;
    Ok(())
}

fn reported<'a>(place: usize, step: &'a MessageWrite<'a>) -> Option<CallReport<'a>> {
    let (Payload::Report(report), MessageDecisions::Report(decided)) = (&step.message.event.payload, step.decisions)
    else {
        return None;
    };
    let recording = Recording { step, report, decided };
    Some(CallReport {
        place,
        call_id: step.message.event.call_id()?,
        recording,
    })
}

/// Writes the calls, turns, decisions and leads of reports. Returns the SMS messages to queue.
async fn report<'a>(
    tx: &DatabaseTransaction,
    reports: &[CallReport<'a>],
) -> Result<Vec<(usize, Outgoing<'a>)>, IngestError> {
    let Some(first) = reports.first() else {
        return Ok(Vec::new());
    };
    let rulebook_id = first.recording.step.message.access.rulebook_id;
    let known: Vec<&str> = reports
        .iter()
        .filter(|one| one.recording.step.head.call.is_some())
        .map(|one| one.call_id)
        .collect();
    let mut spoken = decisions::spoken(tx, rulebook_id, &known).await?;
    let jobs: Vec<Job> = reports
        .iter()
        .map(|one| {
            let spoken = spoken.remove(one.call_id).unwrap_or_default();
            one.recording.decided.counts(one.recording.step);
            Job::among(one.recording.step, one.recording.decided, spoken)
        })
        .collect();
    let rows: Result<Vec<_>, _> = reports
        .iter()
        .zip(&jobs)
        .map(|(one, job)| one.recording.rows(one.call_id, job))
        .collect();
    let leads = reports::record(tx, rulebook_id, rows?).await?;
    let leads = leads.ok_or(IngestError::CallErased)?;
    let leads: HashMap<&str, &leads::Model> = leads.iter().map(|lead| (lead.call_id.as_str(), lead)).collect();
    let deferred_sms = reports.iter().zip(&jobs).filter_map(|(one, job)| {
        let outgoing = one.deferred_sms(leads.get(one.call_id).copied(), job)?;
        Some((one.place, outgoing))
    });
    Ok(deferred_sms.collect())
}

impl<'a> CallReport<'a> {
    fn deferred_sms(&self, lead: Option<&leads::Model>, job: &Job) -> Option<Outgoing<'a>> {
        let Recording { step, decided, .. } = self.recording;
        let template = decided.decision.template.as_deref()?;
        Some(Outgoing {
            step,
            decided,
            template,
            texts: queue_sms::about(step, lead, decided, job, template),
        })
    }
}
