//! Queues the SMS messages about a decision, one per contact and template, and starts the escalation of a P1.
//!
//! Quiet hours delay the SMS messages about a P3 or P4 until the morning. A rule's cool-down prevents repeated SMS
//! messages to the same contact about the same caller. The daily cap is applied last. A cool-down stops the SMS
//! messages about a P1 only if an SMS message about the same call was sent.

use std::sync::PoisonError;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::json;

use super::call_job::Job;
use super::evaluate::{DecisionRecord, MessageDecisions};
use super::message_write::MessageWrite;
use super::record_call;
use super::sms_age;
use base::telemetry::metrics;
use rules::facts::{Fact, Facts};
use rules::rows::{Priority, PriorityRule, Row as _};
use sms::daily_cap::{self, Cap, DEFAULT_CAP, QueuedInTransaction, QueuedSms};
use sms::escalate::{self, ESCALATE_AFTER_S, pause};
use sms::{EnqueueResult, NewSms};
use store::calls::is_simulated;
use store::escalations::{self, FIRST, NotifiedStep};
use store::leads::{self, LeadPart};
use store::{notices, sms_messages};

/// Metric label of an SMS message that a cool-down prevented.
const COOLED_DOWN: &str = "cooled_down";

impl MessageWrite<'_> {
    /// Queues the SMS messages of a decision. Returns whether SMS messages were queued.
    pub(super) async fn text(
        &self,
        tx: &DatabaseTransaction,
        decided: &DecisionRecord,
        job: &Job,
        template: Option<&str>,
    ) -> Result<bool, DbErr> {
        let Some(template) = template else { return Ok(false) };
        if let Some(later) = &self.deferred_sms {
            *later.lock().unwrap_or_else(PoisonError::into_inner) = Some((job.clone(), template.to_owned()));
            return Ok(false);
        }
        self.put(tx, decided, job, template).await
    }

    /// Queues the SMS messages that a shared transaction deferred. All other writes of the transaction are done.
    pub(super) async fn text_now(&self, tx: &DatabaseTransaction) -> Result<bool, DbErr> {
        let waiting = self.deferred_sms.as_ref();
        let waiting = waiting.and_then(|later| later.lock().unwrap_or_else(PoisonError::into_inner).take());
        match (waiting, self.decisions) {
            (Some((job, template)), MessageDecisions::Report(decided)) => self.put(tx, decided, &job, &template).await,
            _ => Ok(false),
        }
    }

    async fn put(
        &self,
        tx: &DatabaseTransaction,
        decided: &DecisionRecord,
        job: &Job,
        template: &str,
    ) -> Result<bool, DbErr> {
        let lead = match self.message.event.call_id() {
            Some(call_id) => leads::of_call(tx, self.message.access.rulebook_id, call_id).await?,
            None => None,
        };
        let texts = about(self, lead.as_ref(), decided, job, template);
        if self.late {
            // Send no SMS message. Also start no escalation of a P1, because the escalation would send SMS messages
            // later.
            if !texts.is_empty() || decided.decision.priority == Priority::P1 {
                let notice = sms_age::notice(self.message.access.rulebook_id, decided.decision.priority.name());
                notices::raise(tx, notice, self.intake.clock.now(), self.intake.clock.new_id()).await?;
            }
            return Ok(false);
        }
        let outgoing = Outgoing {
            step: self,
            decided,
            template,
            texts,
        };
        send(tx, outgoing).await
    }
}

/// Builds the SMS messages about a decision: one for each contact in `notify` of the decision.
pub(super) fn about(
    step: &MessageWrite<'_>,
    lead: Option<&leads::Model>,
    decided: &DecisionRecord,
    job: &Job,
    template: &str,
) -> Vec<NewSms> {
    let (rulebook, message) = (step.rulebook, step.message);
    let rulebook_id = message.access.rulebook_id;
    let decision = &job.decision;
    let known = known_of(lead, &record_call::who(&message.event, decided));
    let held_until = match decision.priority {
        Priority::P1 | Priority::P2 => None,
        Priority::P3 | Priority::P4 => rulebook.quiet_until(step.intake.clock.now()),
    };
    let contacts = decision.notify.iter().filter_map(|code| rulebook.contact(code));
    contacts
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
        .collect()
}

/// Returns the facts about the caller that the decision does not contain. The values of the lead take precedence over
/// the values of the message.
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

/// SMS messages about a decision, before they are queued.
pub(super) struct Outgoing<'a> {
    pub step: &'a MessageWrite<'a>,
    pub decided: &'a DecisionRecord,
    pub template: &'a str,
    pub texts: Vec<NewSms>,
}

impl<'a> Outgoing<'a> {
    fn is_p1(&self) -> bool {
        self.decided.decision.priority == Priority::P1
    }

    /// The priority rule that requested the SMS messages.
    fn rule(&self) -> Option<&'a PriorityRule> {
        let code = self.decided.decision.priority_rule.as_deref()?;
        self.step.rulebook.priority_rule(code)
    }

    fn cools_down(&self) -> bool {
        self.rule().is_some_and(|rule| rule.cool_down_s.is_some())
    }

    fn contacts(&self) -> Vec<String> {
        self.texts.iter().map(|text| text.contact.clone()).collect()
    }
}

/// Queues the SMS messages about decisions of one rulebook. Returns for each decision whether to wake the outbox
/// worker.
pub(super) async fn send_each(tx: &DatabaseTransaction, all: Vec<Outgoing<'_>>) -> Result<Vec<bool>, DbErr> {
    let mut any = vec![false; all.len()];
    let (mut places, mut together, mut notified) = (Vec::new(), Vec::new(), Vec::new());
    for (place, one) in all.into_iter().enumerate() {
        if is_simulated(one.step.message.event.call_id()) || one.cools_down() {
            // Handle this decision separately, because its SMS messages may start the cool-down for the next decision.
            any[place] = send(tx, one).await?;
        } else {
            places.push(place);
            notified.push(one.contacts());
            together.push(one);
        }
    }
    for (place, queued) in places.into_iter().zip(queue(tx, together, notified).await?) {
        any[place] = queued;
    }
    Ok(any)
}

/// Queues the SMS messages that are not in cool-down, and starts the escalation of a P1. Returns whether to wake the
/// outbox worker.
async fn send(tx: &DatabaseTransaction, mut one: Outgoing<'_>) -> Result<bool, DbErr> {
    if is_simulated(one.step.message.event.call_id()) {
        // Record the SMS messages to show what would be sent. Simulated SMS messages neither affect cool-downs nor
        // start an escalation.
        sms::enqueue_each(tx, one.texts).await?;
        return Ok(false);
    }
    let notified = one.contacts();
    one.texts = without_cooling(tx, &one).await?;
    let any = queue(tx, vec![one], vec![notified]).await?;
    Ok(any.contains(&true))
}

/// Queues SMS messages, applies the daily cap, and starts the escalation of each P1. `notified` contains the contacts
/// for each element of `all`.
async fn queue(
    tx: &DatabaseTransaction,
    all: Vec<Outgoing<'_>>,
    notified: Vec<Vec<String>>,
) -> Result<Vec<bool>, DbErr> {
    let Some(step) = all.first().map(|one| one.step) else {
        return Ok(Vec::new());
    };
    let (clock, now) = (&step.intake.clock, step.intake.clock.now());
    let own_cap = step.rulebook.settings().daily_sms_cap;
    let (mut texts, mut owners, mut any, mut escalated) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (one, notified) in all.into_iter().zip(notified) {
        any.push(!one.texts.is_empty());
        if one.is_p1() {
            escalated.push(first_step(&one, notified, now));
        }
        owners.extend(
            one.texts
                .iter()
                .map(|_| (one.step.message.event.call_id(), one.is_p1())),
        );
        texts.extend(one.texts);
    }
    let became = sms::enqueue_each(tx, texts).await?;
    let queued = became.into_iter().zip(owners);
    // If the rulebook sets no daily cap, do not count a P1, because counting locks a row.
    let counted =
        queued.filter(|((_, became), (_, is_p1))| *became == EnqueueResult::Queued && (own_cap.is_some() || !is_p1));
    let counted: Vec<QueuedSms<'_>> = counted
        .map(|((id, _), (call_id, is_p1))| QueuedSms {
            id,
            call_id,
            always_goes: is_p1,
        })
        .collect();
    let cap = Cap {
        texts: own_cap.unwrap_or(DEFAULT_CAP),
        day: step.rulebook.day(now),
    };
    let queued = QueuedInTransaction {
        rulebook_id: step.message.access.rulebook_id,
        texts: &counted,
    };
    daily_cap::hold(tx, &cap, &queued, now, clock).await?;
    escalations::start(tx, escalated).await?;
    Ok(any)
}

/// Returns the SMS messages that are not in cool-down. An SMS message is in cool-down if the same rule recently
/// notified the contact about the same caller or, for a P1, about the same call.
async fn without_cooling(tx: &DatabaseTransaction, one: &Outgoing<'_>) -> Result<Vec<NewSms>, DbErr> {
    let mut texts = one.texts.clone();
    let cool_down = one
        .rule()
        .and_then(|rule| Some((rule.code.as_str(), rule.cool_down_s.filter(|seconds| *seconds > 0)?)));
    let Some((rule, seconds)) = cool_down.filter(|_| !texts.is_empty()) else {
        return Ok(texts);
    };
    let message = one.step.message;
    let since = one.step.intake.clock.now() - TimeDelta::try_seconds(seconds).unwrap_or_default();
    let call = message.event.call.as_ref();
    let caller = call
        .and_then(|call| call.customer_number.as_deref())
        .filter(|_| !one.is_p1());
    let rulebook_id = message.access.rulebook_id;
    let warm = sms_messages::notified_by_rule(tx, rulebook_id, rule, since, message.event.call_id(), caller).await?;
    texts.retain(|text| {
        let goes = !warm.contains(&text.contact);
        if !goes {
            metrics::sms(COOLED_DOWN);
            tracing::info!(
                rule,
                contact = text.contact,
                "no SMS message: this rule notified the contact about this caller recently"
            );
        }
        goes
    });
    Ok(texts)
}

/// Builds the first step of the escalation of a P1. If there was no contact to notify, the next step is due
/// immediately.
fn first_step(one: &Outgoing<'_>, notified: Vec<String>, now: DateTime<Utc>) -> escalations::Model {
    let step = one.step;
    let rule = one.rule().filter(|rule| rule.priority == Priority::P1);
    let after_s = rule
        .and_then(|rule| rule.escalate_after_s)
        .or(step.rulebook.settings().escalate_after_s)
        .unwrap_or(ESCALATE_AFTER_S);
    let wait = if notified.is_empty() { 0 } else { after_s };
    let next_at = now.checked_add_signed(pause(wait));
    escalations::Model {
        rulebook_id: step.message.access.rulebook_id,
        id: step.intake.clock.new_id(),
        call_id: step.message.event.call_id().map(ToOwned::to_owned),
        decision_id: Some(one.decided.id),
        template: Some(one.template.to_owned()),
        after_s,
        step: FIRST,
        told: json!([NotifiedStep {
            step: FIRST,
            at: now,
            contacts: notified
        }]),
        started_at: now,
        next_at: next_at.filter(|_| after_s > 0),
        acknowledged_at: None,
        acknowledged_by: None,
        acknowledged_how: None,
        comment: None,
    }
}
