//! Somebody answers. In: a text from a phone. Out: who took which call, and what to answer them.
//!
//! The contact is found by the number, among the contacts at the head. A reply that names a text takes its call; any other
//! takes the newest P1 that the contact was told of and nobody has taken. Of two that reply at once one takes it, and the
//! other is told who did.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DatabaseTransaction, DbErr, EntityTrait as _};
use uuid::Uuid;

use super::reply::{self, Reply};
use crate::store::contacts::{self, Found};
use crate::store::escalations::{self, Model, Taker};
use crate::store::sms_messages;
use crate::telemetry::metrics;

/// For how long a P1 that nobody took can be taken by a reply without reference.
const OPEN_FOR: TimeDelta = TimeDelta::days(3);
/// For how long a reply is answered with who took it.
const REMEMBERED: TimeDelta = TimeDelta::days(1);
/// How many are looked at.
const MOST: u64 = 200;

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
}

/// Reads a reply and writes what it does. None when the number is no contact's, or when a contact writes something else
/// while there is nothing to take.
///
/// # Errors
/// When the database fails.
pub async fn by_reply(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    from_number: &str,
    body: &str,
    now: DateTime<Utc>,
) -> Result<Option<Acknowledged>, DbErr> {
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
                take(tx, &row, contact, now).await.map(Some)
            }
            Some(Named::Call(text)) => take_call(tx, &text, first, now).await.map(Some),
            None => Ok(Some(nothing(first))),
        };
    }
    let open = escalations::open(tx, rulebook_id, now - OPEN_FOR, MOST).await?;
    let open = open
        .into_iter()
        .find_map(|row| told(&row).map(|contact| (row, contact)));
    match (open, reply.takes) {
        (Some((row, contact)), true) => take(tx, &row, contact, now).await.map(Some),
        (Some((row, contact)), false) => Ok(Some(Acknowledged {
            outcome: Outcome::NotUnderstood,
            answer: in_language(
                &contact.language,
                "Répondez 1 si vous y allez. Sinon, l'appel passe au suivant.",
                "Reply 1 to take it. Otherwise the call goes to the next contact.",
            ),
            contact: contact.code,
            call_id: row.call_id,
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
    now: DateTime<Utc>,
) -> Result<Acknowledged, DbErr> {
    if escalations::take(tx, row, &taker(&contact), now).await? {
        metrics::acknowledged(now - row.started_at);
        return Ok(taken(contact, row.call_id.clone()));
    }
    // Read again: somebody was first.
    let by_now = escalations::Entity::find_by_id((row.rulebook_id, row.id))
        .one(tx)
        .await?;
    already(tx, by_now.as_ref().unwrap_or(row), contact, now).await
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
        how: "reply",
        comment: None,
    }
}

fn taken(contact: Found, call_id: Option<String>) -> Acknowledged {
    let answer = in_language(
        &contact.language,
        "C'est noté: l'appel est à vous.",
        "Noted: the call is yours.",
    );
    Acknowledged {
        outcome: Outcome::Taken,
        contact: contact.code,
        call_id,
        answer,
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
        in_language(
            &contact.language,
            "L'appel est déjà à vous.",
            "The call is yours already.",
        )
    } else {
        let found = contacts::with_code(tx, row.rulebook_id, by).await?;
        let name = found.map_or_else(|| by.to_owned(), |found| found.name);
        in_language(
            &contact.language,
            &format!("Déjà pris par {name}, il y a {minutes} min."),
            &format!("Taken already by {name}, {minutes} min ago."),
        )
    };
    Ok(Acknowledged {
        outcome: Outcome::TakenAlready,
        contact: contact.code,
        call_id: row.call_id.clone(),
        answer,
    })
}

fn nothing(contact: &Found) -> Acknowledged {
    Acknowledged {
        outcome: Outcome::NothingOpen,
        contact: contact.code.clone(),
        call_id: None,
        answer: in_language(
            &contact.language,
            "Rien à prendre en ce moment.",
            "There is nothing to take at present.",
        ),
    }
}

fn in_language(language: &str, french: &str, english: &str) -> String {
    if language == "fr" { french } else { english }.to_owned()
}
