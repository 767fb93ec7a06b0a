//! Whom to text about a decision, and when it goes. In: a decision and its facts. Out: texts in the outbox, one per contact
//! and template, and the begin of an escalation where it is a P1.
//!
//! Quiet hours hold a P3 or P4 until the morning; a rule's cool-down keeps it from texting the same contact again about the
//! same caller; the daily cap comes last. None of them keeps a P1 of another call from going.

use std::sync::PoisonError;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr};
use serde_json::json;

use super::decided::{Decided, Found};
use super::job::Job;
use super::late;
use super::record;
use super::step::Step;
use base::telemetry::metrics;
use rules::facts::{Fact, Facts};
use rules::rows::{Priority, PriorityRule, Row as _};
use sms::daily_cap::{self, Cap, DEFAULT_CAP, Queued};
use sms::escalate::{self, ESCALATE_AFTER_S, pause};
use sms::{Enqueued, NewSms};
use store::calls::is_simulated;
use store::escalations::{self, FIRST, Told};
use store::fault_points::{self, Defect};
use store::leads::{self, LeadPart};
use store::{notices, sms_messages};

/// The word for a text that a cool-down kept from being asked for.
const COOLED_DOWN: &str = "cooled_down";

impl Step<'_> {
    /// Puts a decision's texts into the outbox; whether there are any.
    pub(super) async fn text(
        &self,
        tx: &DatabaseTransaction,
        decided: &Decided,
        job: &Job,
        template: Option<&str>,
    ) -> Result<bool, DbErr> {
        let Some(template) = template else { return Ok(false) };
        if let Some(later) = &self.texts {
            *later.lock().unwrap_or_else(PoisonError::into_inner) = Some((job.clone(), template.to_owned()));
            return Ok(false);
        }
        self.put(tx, decided, job, template).await
    }

    /// The same for a text that had to wait for other messages of the transaction.
    pub(super) async fn text_now(&self, tx: &DatabaseTransaction) -> Result<bool, DbErr> {
        let waiting = self.texts.as_ref();
        let waiting = waiting.and_then(|later| later.lock().unwrap_or_else(PoisonError::into_inner).take());
        match (waiting, self.found) {
            (Some((job, template)), Found::Report(decided)) => self.put(tx, decided, &job, &template).await,
            _ => Ok(false),
        }
    }

    async fn put(&self, tx: &DatabaseTransaction, decided: &Decided, job: &Job, template: &str) -> Result<bool, DbErr> {
        let texts = about(self, tx, decided, job, template).await?;
        if self.late {
            // No text, and nothing that would lead to one: a P1 does not begin to go from contact to contact either.
            if !texts.is_empty() || decided.decision.priority == Priority::P1 {
                let notice = late::notice(self.message.access.rulebook_id, decided.decision.priority.name());
                notices::raise(tx, notice, self.intake.clock.now(), self.intake.clock.new_id()).await?;
            }
            return Ok(false);
        }
        if fault_points::planted(Defect::OutboxOutsideTheTransaction) {
            let any = !texts.is_empty();
            tokio::spawn(apart(self.intake.db.clone(), texts));
            return Ok(any);
        }
        send(self, tx, decided, template, texts).await
    }
}

/// The texts about a decision to those whom it names, when it names a template.
pub(super) async fn about(
    step: &Step<'_>,
    tx: &DatabaseTransaction,
    decided: &Decided,
    job: &Job,
    template: &str,
) -> Result<Vec<NewSms>, DbErr> {
    let (rulebook, message) = (step.rulebook, step.message);
    let rulebook_id = message.access.rulebook_id;
    let decision = &job.decision;
    let lead = match message.event.call_id() {
        Some(call_id) => leads::of_call(tx, rulebook_id, call_id).await?,
        None => None,
    };
    let known = known_of(lead.as_ref(), &record::who(&message.event, decided));
    let held_until = match decision.priority {
        Priority::P1 | Priority::P2 => None,
        Priority::P3 | Priority::P4 => rulebook.quiet_until(step.intake.clock.now()),
    };
    let contacts = decision.notify.iter().filter_map(|code| rulebook.contact(code));
    let texts = contacts
        .filter_map(|contact| {
            let id = step.intake.clock.new_id();
            let body = escalate::worded(
                rulebook,
                template,
                contact,
                (decision, &decided.extracted, &known),
                &sms::reference_of(id),
                step.intake.outbox.takes_replies(),
            )?;
            Some(NewSms {
                rulebook_id,
                id,
                call_id: message.event.call_id().map(ToOwned::to_owned),
                decision_id: Some(decided.id),
                contact: contact.code().to_owned(),
                template: template.to_owned(),
                priority: decision.priority.name().to_owned(),
                to_number: contact.phone.clone(),
                body,
                now: message.received_at,
                rule: decision.priority_rule.clone(),
                held_until,
                simulated: is_simulated(message.event.call_id()),
            })
        })
        .collect();
    Ok(texts)
}

/// What is known of the caller beside the decision's own facts: by the lead, else by the message.
fn known_of(lead: Option<&leads::Model>, who: &LeadPart<'_>) -> Facts {
    let mut known = lead.map(leads::Model::facts).unwrap_or_default();
    for (name, value) in who.named() {
        if let Some(value) = value {
            known
                .entry(name.to_owned())
                .or_insert_with(|| Fact::Text(value.to_owned()));
        }
    }
    known
}

/// Queues the texts that go, and begins the escalation of a P1. Out: whether the worker has something to do.
pub(super) async fn send(
    step: &Step<'_>,
    tx: &DatabaseTransaction,
    decided: &Decided,
    template: &str,
    texts: Vec<NewSms>,
) -> Result<bool, DbErr> {
    let (rulebook, message) = (step.rulebook, step.message);
    let (rulebook_id, call_id) = (message.access.rulebook_id, message.event.call_id());
    let now = step.intake.clock.now();
    if is_simulated(call_id) {
        // Recorded, so that one sees what would be said. They hold back nobody's text and begin no escalation.
        for text in texts {
            sms::enqueue(tx, text).await?;
        }
        return Ok(false);
    }
    let is_p1 = decided.decision.priority == Priority::P1;
    let rule = decided
        .decision
        .priority_rule
        .as_deref()
        .and_then(|code| rulebook.priority_rule(code));
    let told: Vec<String> = texts.iter().map(|text| text.contact.clone()).collect();
    let texts = without_cooling(step, tx, rule, is_p1, texts, now).await?;
    let any = !texts.is_empty();
    let mut queued = Vec::with_capacity(texts.len());
    for text in texts {
        let id = text.id;
        if sms::enqueue(tx, text).await? == Enqueued::Queued {
            queued.push(id);
        }
    }
    let own_cap = rulebook.settings().daily_sms_cap;
    // Without a cap of its own a rulebook's P1s are not counted: the count is a row that is held.
    if let Some(texts) = own_cap.or((!is_p1).then_some(DEFAULT_CAP)) {
        let cap = Cap {
            texts,
            day: rulebook.day(now),
        };
        let queued = Queued {
            rulebook_id,
            call_id,
            always_go: is_p1,
            ids: &queued,
        };
        daily_cap::hold(tx, &cap, &queued, now, &step.intake.clock).await?;
    }
    if is_p1 {
        let row = first_step(step, decided, template, rule, told, now);
        escalations::start(tx, row).await?;
    }
    Ok(any)
}

/// The texts without those to contacts whom the same rule has told of the same caller a moment ago; of a P1, of the same
/// call.
async fn without_cooling(
    step: &Step<'_>,
    tx: &DatabaseTransaction,
    rule: Option<&PriorityRule>,
    is_p1: bool,
    mut texts: Vec<NewSms>,
    now: DateTime<Utc>,
) -> Result<Vec<NewSms>, DbErr> {
    let cool_down = rule.and_then(|rule| Some((rule.code.as_str(), rule.cool_down_s.filter(|seconds| *seconds > 0)?)));
    let Some((rule, seconds)) = cool_down.filter(|_| !texts.is_empty()) else {
        return Ok(texts);
    };
    let message = step.message;
    let since = now - TimeDelta::try_seconds(seconds).unwrap_or_default();
    let call = message.event.call.as_ref();
    let caller = call.and_then(|call| call.customer_number.as_deref()).filter(|_| !is_p1);
    let rulebook_id = message.access.rulebook_id;
    let warm = sms_messages::told_by_rule(tx, rulebook_id, rule, since, message.event.call_id(), caller).await?;
    texts.retain(|text| {
        let goes = !warm.contains(&text.contact);
        if !goes {
            metrics::sms(COOLED_DOWN);
            tracing::info!(
                rule,
                contact = text.contact,
                "no text: this rule has just told the contact of this caller"
            );
        }
        goes
    });
    Ok(texts)
}

/// Where the escalation of a P1 begins; at once where there was nobody to tell.
fn first_step(
    step: &Step<'_>,
    decided: &Decided,
    template: &str,
    rule: Option<&PriorityRule>,
    told: Vec<String>,
    now: DateTime<Utc>,
) -> escalations::Model {
    let rule = rule.filter(|rule| rule.priority == Priority::P1);
    let after_s = rule
        .and_then(|rule| rule.escalate_after_s)
        .or(step.rulebook.settings().escalate_after_s)
        .unwrap_or(ESCALATE_AFTER_S);
    let wait = if told.is_empty() { 0 } else { after_s };
    let next_at = now.checked_add_signed(pause(wait));
    escalations::Model {
        rulebook_id: step.message.access.rulebook_id,
        id: step.intake.clock.new_id(),
        call_id: step.message.event.call_id().map(ToOwned::to_owned),
        decision_id: Some(decided.id),
        template: Some(template.to_owned()),
        after_s,
        step: FIRST,
        told: json!([Told {
            step: FIRST,
            at: now,
            contacts: told
        }]),
        started_at: now,
        next_at: next_at.filter(|_| after_s > 0),
        acknowledged_at: None,
        acknowledged_by: None,
        acknowledged_how: None,
        comment: None,
    }
}

/// What a planted defect does with a decision's texts: as soon as they can, in transactions of their own.
pub(super) async fn apart(db: DatabaseConnection, texts: Vec<NewSms>) -> Result<(), DbErr> {
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    for text in texts {
        let tx = store::begin(&db).await?;
        sms::enqueue(&tx, text).await?;
        tx.commit().await?;
    }
    Ok(())
}
