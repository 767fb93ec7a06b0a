//! Somebody answers. In: a text from a phone. Out: who took which call, and what to answer them.
//!
//! The contact is found by the number, among the contacts at the head. A reply that names a message takes its call; any other
//! takes the one P1 that the contact was told of and nobody has taken; where there are several, it must name one. Of two that
//! reply at once one takes it, and the other is told who did.
//!
//! A sender's number can be forged, and Twilio's signature proves no more than what the carrier says. So the others who know
//! of a P1 or are on call are told who took it by a reply, and a reply `0` of any contact opens it again and hands it on.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DatabaseTransaction, DbErr, EntityTrait as _};
use uuid::Uuid;

use super::reply::{self, Reply};
use super::{NewSms, enqueue, reference_of};
use base::clock::Clock;
use base::telemetry::metrics;
use rules::rows::Priority;
use rules::sentences::{Part, sentence};
use store::contacts::{self, Found};
use store::escalations::{self, BY_REPLY, CONTESTED, Model, Taker};
use store::notices::{self, Notice, Severity};
use store::sms_messages;

/// For how long a P1 that nobody took can be taken by a reply without reference.
const OPEN_FOR: TimeDelta = TimeDelta::days(3);
/// For how long a reply is answered with who took it.
const REMEMBERED: TimeDelta = TimeDelta::days(1);
/// How many are looked at.
const MOST: u64 = 200;
/// How many open P1s an answer names.
const MAX_NAMED: usize = 3;

/// What a reply came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The call is theirs.
    Taken,
    /// Somebody was first, perhaps they themselves.
    TakenAlready,
    /// There is nothing to take.
    NothingOpen,
    /// There is something to take, and the reply is no clear yes.
    NotUnderstood,
    /// There are several to take, and the reply names none.
    NotNamed,
    /// What somebody took by a reply is open again.
    Reopened,
}

/// What became of a contact's reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// What it came to.
    pub outcome: Outcome,
    /// The contact's code.
    pub contact: String,
    /// The call that it is about.
    pub call_id: Option<String>,
    /// What to answer, in the contact's language.
    pub answer: String,
    /// Whether messages to others were queued.
    pub texts: bool,
}

/// Reads a reply, a number and what it wrote, and writes what it does. None when the number is no contact's, or when a contact
/// writes something else while there is nothing to take.
///
/// # Errors
/// When the database fails.
pub async fn by_reply(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    (from_number, body): (&str, &str),
    clock: &Clock,
) -> Result<Option<Acknowledged>, DbErr> {
    let now = clock.now();
    // No text in PostgreSQL holds a NUL, and it refuses a question with one.
    if from_number.contains('\0') {
        return Ok(None);
    }
    let people = contacts::with_phone(tx, rulebook_id, from_number).await?;
    let Some(first) = people.first() else { return Ok(None) };
    let reply = reply::read(body);
    let told = |row: &Model| {
        let steps = row.steps();
        let told = |found: &&Found| steps.iter().any(|step| step.contacts.contains(&found.code));
        people.iter().find(told).cloned()
    };
    if let (Reply { takes: true, .. }, Some(reference)) = (&reply, &reply.reference) {
        let named = named(tx, rulebook_id, reference, now).await?;
        return match named {
            Some(Named::Escalation(row)) => {
                let contact = told(&row).unwrap_or_else(|| first.clone());
                take(tx, &row, contact, from_number, clock).await.map(Some)
            }
            Some(Named::Call(text)) => take_call(tx, &text, first, now).await.map(Some),
            None => Ok(Some(nothing(first))),
        };
    }
    if reply.objects
        && let Some(reopened) = object(tx, rulebook_id, &reply, first, clock).await?
    {
        return Ok(Some(reopened));
    }
    let open = escalations::open(tx, rulebook_id, now - OPEN_FOR, MOST).await?;
    let open: Vec<(Model, Found)> = open
        .into_iter()
        .filter_map(|row| told(&row).map(|contact| (row, contact)))
        .collect();
    if let ([(_, contact), _, ..], true) = (open.as_slice(), reply.takes) {
        return not_named(tx, &open, contact, now).await.map(Some);
    }
    match (open.into_iter().next(), reply.takes) {
        (Some((row, contact)), true) => take(tx, &row, contact, from_number, clock).await.map(Some),
        (Some((row, contact)), false) => Ok(Some(Acknowledged {
            outcome: Outcome::NotUnderstood,
            answer: sentence(&contact.language, "reply-how", &[]),
            contact: contact.code,
            call_id: row.call_id,
            texts: false,
        })),
        (None, true) => {
            let taken = escalations::taken(tx, rulebook_id, now - REMEMBERED, MOST).await?;
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

/// What a reference names.
enum Named {
    /// A call that is handed on.
    Escalation(Box<Model>),
    /// A text about a call that is not.
    Call(Box<sms_messages::Model>),
}

async fn named(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    reference: &str,
    now: DateTime<Utc>,
) -> Result<Option<Named>, DbErr> {
    let Some(text) = sms_messages::with_reference(tx, rulebook_id, reference, now - OPEN_FOR).await? else {
        return Ok(None);
    };
    if let Some(call_id) = &text.call_id {
        let row = escalations::of_call(tx, rulebook_id, call_id).await?;
        return Ok(Some(match row {
            Some(row) => Named::Escalation(Box::new(row)),
            None => Named::Call(Box::new(text)),
        }));
    }
    let open = escalations::open(tx, rulebook_id, now - OPEN_FOR, MOST).await?;
    let same = |row: &Model| row.decision_id.is_some() && row.decision_id == text.decision_id;
    Ok(open.into_iter().find(same).map(|row| Named::Escalation(Box::new(row))))
}

async fn take(
    tx: &DatabaseTransaction,
    row: &Model,
    contact: Found,
    from_number: &str,
    clock: &Clock,
) -> Result<Acknowledged, DbErr> {
    let now = clock.now();
    if escalations::take(tx, row, &taker(&contact), now).await? {
        metrics::acknowledged(now - row.started_at);
        let texts = tell_others(tx, row, &contact, from_number, clock).await?;
        return Ok(Acknowledged {
            texts,
            ..taken(contact, row.call_id.clone())
        });
    }
    // Read again: somebody was first.
    let by_now = escalations::Entity::find_by_id((row.rulebook_id, row.id))
        .one(tx)
        .await?;
    already(tx, by_now.as_ref().unwrap_or(row), contact, now).await
}

/// Tells those who know of a P1 and those on call who took it, and how to object. Out: whether there is anybody to tell.
async fn tell_others(
    tx: &DatabaseTransaction,
    row: &Model,
    taker: &Found,
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
            &[("name", Part::Text(name)), ("reference", Part::Text(&reference))],
        );
        let text = NewSms {
            rulebook_id: row.rulebook_id,
            id,
            call_id: row.call_id.clone(),
            decision_id: row.decision_id,
            contact: other.contact.code,
            // Whoever takes it after an objection is told of anew.
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

/// Opens a P1 again that a reply took: the one that is named, else the last one. None where there is none.
async fn object(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    reply: &Reply,
    by: &Found,
    clock: &Clock,
) -> Result<Option<Acknowledged>, DbErr> {
    let now = clock.now();
    let row = match &reply.reference {
        Some(reference) => match named(tx, rulebook_id, reference, now).await? {
            Some(Named::Escalation(row)) => Some(*row),
            _ => None,
        },
        None => {
            let taken = escalations::taken(tx, rulebook_id, now - REMEMBERED, MOST).await?;
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
            "A reply from the number of contact {taker} took the P1 of call {call}, and contact {} objects. It goes to the next \
             contact.",
            by.code
        ),
        what_to_do:
            "Call both contacts: a sender's number can be forged. Make sure that somebody calls the customer back."
                .to_owned(),
    };
    notices::raise(tx, notice, now, clock.new_id()).await?;
    Ok(Some(Acknowledged {
        outcome: Outcome::Reopened,
        contact: by.code.clone(),
        call_id: row.call_id,
        answer: sentence(&by.language, "reply-reopened", &[]),
        texts: false,
    }))
}

/// Several are open: which one?
async fn not_named(
    tx: &DatabaseTransaction,
    open: &[(Model, Found)],
    contact: &Found,
    now: DateTime<Utc>,
) -> Result<Acknowledged, DbErr> {
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
    Ok(Acknowledged {
        outcome: Outcome::NotNamed,
        answer: sentence(
            &contact.language,
            "reply-several-open",
            &[("count", Part::Text(&count)), ("references", Part::Text(&named))],
        ),
        contact: contact.code.clone(),
        call_id: None,
        texts: false,
    })
}

/// Takes a call that is not being handed on.
async fn take_call(
    tx: &DatabaseTransaction,
    text: &sms_messages::Model,
    contact: &Found,
    now: DateTime<Utc>,
) -> Result<Acknowledged, DbErr> {
    let Some(call_id) = text.call_id.as_deref() else {
        return Ok(nothing(contact));
    };
    // The row takes the id of the text that was answered.
    let key = (text.rulebook_id, text.id);
    if escalations::take_call(tx, key, call_id, &taker(contact), now).await? {
        return Ok(taken(contact.clone(), Some(call_id.to_owned())));
    }
    match escalations::of_call(tx, text.rulebook_id, call_id).await? {
        Some(row) => already(tx, &row, contact.clone(), now).await,
        None => Ok(nothing(contact)),
    }
}

fn taker(contact: &Found) -> Taker {
    Taker {
        by: contact.code.clone(),
        how: BY_REPLY,
        comment: None,
    }
}

fn taken(contact: Found, call_id: Option<String>) -> Acknowledged {
    let answer = sentence(&contact.language, "reply-taken", &[]);
    Acknowledged {
        outcome: Outcome::Taken,
        contact: contact.code,
        call_id,
        answer,
        texts: false,
    }
}

async fn already(
    tx: &DatabaseTransaction,
    row: &Model,
    contact: Found,
    now: DateTime<Utc>,
) -> Result<Acknowledged, DbErr> {
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
                ("name", Part::Text(&name)),
                ("minutes", Part::Text(&minutes.to_string())),
            ],
        )
    };
    Ok(Acknowledged {
        outcome: Outcome::TakenAlready,
        contact: contact.code,
        call_id: row.call_id.clone(),
        answer,
        texts: false,
    })
}

fn nothing(contact: &Found) -> Acknowledged {
    Acknowledged {
        outcome: Outcome::NothingOpen,
        contact: contact.code.clone(),
        call_id: None,
        texts: false,
        answer: sentence(&contact.language, "reply-nothing-open", &[]),
    }
}
