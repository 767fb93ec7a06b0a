//! Applies the SMS replies of contacts: a reply acknowledges or reopens a call, and the contact gets a response.
//!
//! The contact is looked up by number, among the contacts of the head revision. A reply with a reference acknowledges
//! the call of that message. A reply without a reference acknowledges the open P1 about which the contact was notified.
//! If there are several such P1s, the contact must name one of them by its reference. If two contacts reply at the same
//! time, one of them acknowledges the call, and the other contact learns who acknowledged it.
//!
//! A sender's number can be forged, and Twilio's signature only proves which number the carrier reported. So after an
//! acknowledgement by reply, the other contacts who know of the P1 or are on call learn who acknowledged it. The reply
//! `0` from any contact reopens the P1 and continues its escalation.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DatabaseTransaction, DbErr, EntityTrait as _};
use uuid::Uuid;

use super::reply::{self, Reply};
use super::{NewSms, enqueue, reference_of};
use base::clock::Clock;
use base::telemetry::metrics;
use rules::rows::Priority;
use rules::sentences::{SentenceValue, sentence};
use store::contacts::{self, SmsContact};
use store::escalations::{self, BY_REPLY, CONTESTED, Model, Taker};
use store::notices::{self, Notice, Severity};
use store::sms_messages;

/// For this long after its start, a P1 can be acknowledged by a reply.
const OPEN_FOR: TimeDelta = TimeDelta::days(3);
/// For this long after an acknowledgement, a later reply still gets the name of the contact who acknowledged.
const REMEMBERED: TimeDelta = TimeDelta::days(1);
/// Maximum number of escalations to read.
const MAX_ESCALATIONS: u64 = 200;
/// Maximum number of open P1s that a response lists.
const MAX_NAMED: usize = 3;

/// The outcome of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyOutcome {
    /// The contact acknowledged the call.
    Taken,
    /// The call was acknowledged before, perhaps by the same contact.
    TakenAlready,
    /// There is no call to acknowledge.
    NothingOpen,
    /// There is a call to acknowledge, but the reply is not a clear yes.
    NotUnderstood,
    /// There are several calls to acknowledge, and the reply has no reference.
    NotNamed,
    /// An acknowledgement by reply was revoked; the call is open again.
    Reopened,
}

/// The result of a contact's reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyResult {
    pub outcome: ReplyOutcome,
    pub contact: String,
    /// The call that the reply is about.
    pub call_id: Option<String>,
    /// The response to the contact, in the contact's language.
    pub answer: String,
    /// Whether SMS messages to other contacts were queued.
    pub texts: bool,
}

/// Applies a reply from `from_number` with the text `body`. Returns `None` if the number does not belong to a contact.
/// Also returns `None` if there is no call to acknowledge and the reply does not acknowledge one.
///
/// # Errors
/// If the database fails.
pub async fn by_reply(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    (from_number, body): (&str, &str),
    clock: &Clock,
) -> Result<Option<ReplyResult>, DbErr> {
    let now = clock.now();
    // PostgreSQL rejects a string with a NUL.
    if from_number.contains('\0') {
        return Ok(None);
    }
    let people = contacts::with_phone(tx, rulebook_id, from_number).await?;
    let Some(first) = people.first() else { return Ok(None) };
    let reply = reply::read(body);
    let told = |row: &Model| {
        let steps = row.steps();
        let told = |found: &&SmsContact| steps.iter().any(|step| step.contacts.contains(&found.code));
        people.iter().find(told).cloned()
    };
    if let (Reply { takes: true, .. }, Some(reference)) = (&reply, &reply.reference) {
        let named = named(tx, rulebook_id, reference, now).await?;
        return match named {
            Some(ReferenceTarget::Escalation(row)) => {
                let contact = told(&row).unwrap_or_else(|| first.clone());
                take(tx, &row, contact, from_number, clock).await.map(Some)
            }
            Some(ReferenceTarget::Call(text)) => take_call(tx, &text, first, now).await.map(Some),
            None => Ok(Some(nothing(first))),
        };
    }
    if reply.objects
        && let Some(reopened) = object(tx, rulebook_id, &reply, first, clock).await?
    {
        return Ok(Some(reopened));
    }
    let open = escalations::open(tx, rulebook_id, now - OPEN_FOR, MAX_ESCALATIONS).await?;
    let open: Vec<(Model, SmsContact)> = open
        .into_iter()
        .filter_map(|row| told(&row).map(|contact| (row, contact)))
        .collect();
    if let ([(_, contact), _, ..], true) = (open.as_slice(), reply.takes) {
        return not_named(tx, &open, contact, now).await.map(Some);
    }
    match (open.into_iter().next(), reply.takes) {
        (Some((row, contact)), true) => take(tx, &row, contact, from_number, clock).await.map(Some),
        (Some((row, contact)), false) => Ok(Some(ReplyResult {
            outcome: ReplyOutcome::NotUnderstood,
            answer: sentence(&contact.language, "reply-how", &[]),
            contact: contact.code,
            call_id: row.call_id,
            texts: false,
        })),
        (None, true) => {
            let taken = escalations::taken(tx, rulebook_id, now - REMEMBERED, MAX_ESCALATIONS).await?;
            match taken
                .into_iter()
                .find_map(|row| told(&row).map(|contact| (row, contact)))
            {
                Some((row, contact)) => already(tx, &row, contact, now).await.map(Some),
                None => Ok(Some(nothing(first))),
            }
        }
        (None, false) => Ok(None),
    }
}

/// The row that a reference names.
enum ReferenceTarget {
    /// A call with an escalation.
    Escalation(Box<Model>),
    /// An SMS message about a call without an escalation.
    Call(Box<sms_messages::Model>),
}

async fn named(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    reference: &str,
    now: DateTime<Utc>,
) -> Result<Option<ReferenceTarget>, DbErr> {
    let Some(text) = sms_messages::with_reference(tx, rulebook_id, reference, now - OPEN_FOR).await? else {
        return Ok(None);
    };
    if let Some(call_id) = &text.call_id {
        let row = escalations::of_call(tx, rulebook_id, call_id).await?;
        return Ok(Some(match row {
            Some(row) => ReferenceTarget::Escalation(Box::new(row)),
            None => ReferenceTarget::Call(Box::new(text)),
        }));
    }
    let open = escalations::open(tx, rulebook_id, now - OPEN_FOR, MAX_ESCALATIONS).await?;
    let same = |row: &Model| row.decision_id.is_some() && row.decision_id == text.decision_id;
    Ok(open
        .into_iter()
        .find(same)
        .map(|row| ReferenceTarget::Escalation(Box::new(row))))
}

async fn take(
    tx: &DatabaseTransaction,
    row: &Model,
    contact: SmsContact,
    from_number: &str,
    clock: &Clock,
) -> Result<ReplyResult, DbErr> {
    let now = clock.now();
    if escalations::take(tx, row, &taker(&contact), now).await? {
        metrics::acknowledged(now - row.started_at);
        let texts = notify_others(tx, row, &contact, from_number, clock).await?;
        return Ok(ReplyResult {
            texts,
            ..taken(contact, row.call_id.clone())
        });
    }
    // Another contact acknowledged first, so read the row again.
    let by_now = escalations::Entity::find_by_id((row.rulebook_id, row.id))
        .one(tx)
        .await?;
    already(tx, by_now.as_ref().unwrap_or(row), contact, now).await
}

/// Sends an SMS message to the contacts who know of a P1 and to the contacts on call. The message says who acknowledged
/// the P1 and how to object. Returns whether a message was queued.
async fn notify_others(
    tx: &DatabaseTransaction,
    row: &Model,
    taker: &SmsContact,
    from_number: &str,
    clock: &Clock,
) -> Result<bool, DbErr> {
    let now = clock.now();
    let told: Vec<String> = row.steps().into_iter().flat_map(|step| step.contacts).collect();
    let mut phones = vec![from_number.to_owned()];
    for other in contacts::all(tx, row.rulebook_id).await? {
        let knows = other.on_call || told.contains(&other.contact.code);
        if !knows || other.contact.code == taker.code || phones.contains(&other.phone) {
            continue;
        }
        let id = clock.new_id();
        let (name, reference) = (&taker.name, reference_of(id));
        let body = sentence(
            &other.contact.language,
            "others-taken",
            &[
                ("name", SentenceValue::Text(name)),
                ("reference", SentenceValue::Text(&reference)),
            ],
        );
        let text = NewSms {
            rulebook_id: row.rulebook_id,
            id,
            call_id: row.call_id.clone(),
            decision_id: row.decision_id,
            contact: other.contact.code,
            // The template's name is part of the dedupe key. The name contains the time, so that the message is sent
            // again if the P1 is acknowledged again after an objection.
            template: format!("p1_taken_{}", now.timestamp()),
            priority: Priority::P2.name().to_owned(),
            to_number: other.phone.clone(),
            body,
            now,
            rule: None,
            held_until: None,
            simulated: false,
        };
        enqueue(tx, text).await?;
        phones.push(other.phone);
    }
    Ok(phones.len() > 1)
}

/// Reopens a P1 that a reply acknowledged. A reference in the reply selects the P1; without a reference, it is the last
/// P1 that a reply acknowledged. `None` if there is no such P1.
async fn object(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    reply: &Reply,
    by: &SmsContact,
    clock: &Clock,
) -> Result<Option<ReplyResult>, DbErr> {
    let now = clock.now();
    let row = match &reply.reference {
        Some(reference) => match named(tx, rulebook_id, reference, now).await? {
            Some(ReferenceTarget::Escalation(row)) => Some(*row),
            _ => None,
        },
        None => {
            let taken = escalations::taken(tx, rulebook_id, now - REMEMBERED, MAX_ESCALATIONS).await?;
            let by_reply = |row: &Model| row.acknowledged_how.as_deref() == Some(BY_REPLY);
            taken.into_iter().find(by_reply)
        }
    };
    let Some(row) = row else { return Ok(None) };
    let taker = row.acknowledged_by.clone().unwrap_or_default();
    if !escalations::reopen(tx, &row, now).await? {
        return Ok(None);
    }
    let call = row.call_id.as_deref().unwrap_or("without an id");
    let notice = Notice {
        rulebook_id,
        code: CONTESTED,
        severity: Severity::Urgent,
        subject: row.subject(),
        text: format!(
            "A reply from the number of contact {taker} acknowledged the P1 of call {call}, and contact {} objects. \
             The P1 goes to the next contact.",
            by.code
        ),
        what_to_do:
            "Call both contacts: a sender's number can be forged. Make sure that somebody calls the customer back."
                .to_owned(),
    };
    notices::raise(tx, notice, now, clock.new_id()).await?;
    Ok(Some(ReplyResult {
        outcome: ReplyOutcome::Reopened,
        contact: by.code.clone(),
        call_id: row.call_id,
        answer: sentence(&by.language, "reply-reopened", &[]),
        texts: false,
    }))
}

/// Asks which of several open P1s the reply means.
async fn not_named(
    tx: &DatabaseTransaction,
    open: &[(Model, SmsContact)],
    contact: &SmsContact,
    now: DateTime<Utc>,
) -> Result<ReplyResult, DbErr> {
    let mut named = Vec::new();
    for (row, contact) in open.iter().take(MAX_NAMED) {
        let minutes = (now - row.started_at).num_minutes();
        let Some(call_id) = row.call_id.as_deref() else {
            continue;
        };
        if let Some(reference) = sms_messages::reference_to(tx, (row.rulebook_id, call_id), &contact.code).await? {
            named.push(format!("1 {reference} ({minutes} min)"));
        }
    }
    let (count, named) = (open.len().to_string(), named.join(", "));
    Ok(ReplyResult {
        outcome: ReplyOutcome::NotNamed,
        answer: sentence(
            &contact.language,
            "reply-several-open",
            &[
                ("count", SentenceValue::Text(&count)),
                ("references", SentenceValue::Text(&named)),
            ],
        ),
        contact: contact.code.clone(),
        call_id: None,
        texts: false,
    })
}

/// Acknowledges a call that has no escalation.
async fn take_call(
    tx: &DatabaseTransaction,
    text: &sms_messages::Model,
    contact: &SmsContact,
    now: DateTime<Utc>,
) -> Result<ReplyResult, DbErr> {
    let Some(call_id) = text.call_id.as_deref() else {
        return Ok(nothing(contact));
    };
    // The new row has the id of the SMS message to which the contact replied.
    let key = (text.rulebook_id, text.id);
    if escalations::take_call(tx, key, call_id, &taker(contact), now).await? {
        return Ok(taken(contact.clone(), Some(call_id.to_owned())));
    }
    match escalations::of_call(tx, text.rulebook_id, call_id).await? {
        Some(row) => already(tx, &row, contact.clone(), now).await,
        None => Ok(nothing(contact)),
    }
}

fn taker(contact: &SmsContact) -> Taker {
    Taker {
        by: contact.code.clone(),
        how: BY_REPLY,
        comment: None,
    }
}

fn taken(contact: SmsContact, call_id: Option<String>) -> ReplyResult {
    let answer = sentence(&contact.language, "reply-taken", &[]);
    ReplyResult {
        outcome: ReplyOutcome::Taken,
        contact: contact.code,
        call_id,
        answer,
        texts: false,
    }
}

async fn already(
    tx: &DatabaseTransaction,
    row: &Model,
    contact: SmsContact,
    now: DateTime<Utc>,
) -> Result<ReplyResult, DbErr> {
    let by = row.acknowledged_by.as_deref().unwrap_or_default();
    let minutes = row.acknowledged_at.map_or(0, |at| (now - at).num_minutes());
    let answer = if by == contact.code {
        sentence(&contact.language, "reply-taken-by-you", &[])
    } else {
        let found = contacts::with_code(tx, row.rulebook_id, by).await?;
        let name = found.map_or_else(|| by.to_owned(), |found| found.name);
        sentence(
            &contact.language,
            "reply-taken-by-other",
            &[
                ("name", SentenceValue::Text(&name)),
                ("minutes", SentenceValue::Text(&minutes.to_string())),
            ],
        )
    };
    Ok(ReplyResult {
        outcome: ReplyOutcome::TakenAlready,
        contact: contact.code,
        call_id: row.call_id.clone(),
        answer,
        texts: false,
    })
}

fn nothing(contact: &SmsContact) -> ReplyResult {
    ReplyResult {
        outcome: ReplyOutcome::NothingOpen,
        contact: contact.code.clone(),
        call_id: None,
        texts: false,
        answer: sentence(&contact.language, "reply-nothing-open", &[]),
    }
}
