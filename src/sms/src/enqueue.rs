//! Queues SMS messages inside the transaction of the decision, once per call, contact and template.

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, DbErr};
use uuid::Uuid;

use super::daily_cap;
use base::telemetry::metrics;
use rules::segments::cheapest;
use store::sms_messages::{self, Model, QUEUED, SIMULATED};

/// Maximum length of a body at Twilio, in characters.
pub const BODY_LIMIT: usize = 1_600;

/// An SMS message to queue. It has no `Debug`, because it contains a phone number and a body.
#[derive(Clone)]
pub struct NewSms {
    pub rulebook_id: Uuid,
    /// A new id.
    pub id: Uuid,
    /// The call that the message is about. A message without a call is never a duplicate.
    pub call_id: Option<String>,
    /// The decision that requested the message.
    pub decision_id: Option<Uuid>,
    /// Code of the contact.
    pub contact: String,
    /// Code of the template.
    pub template: String,
    pub priority: String,
    /// The recipient's number.
    pub to_number: String,
    /// The text. If the body does not contain the reference, the reference is appended.
    pub body: String,
    /// The creation time. The message is due at this time, unless quiet hours delay it until `held_until`.
    pub now: DateTime<Utc>,
    pub rule: Option<String>,
    /// The end of the quiet hours that delay the message; `None` if no quiet hours apply.
    pub held_until: Option<DateTime<Utc>>,
    /// Whether the message is about a simulated call. Such a message is recorded and never sent.
    pub simulated: bool,
}

/// The result of queueing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnqueueResult {
    /// The message is queued. Wake the worker after the commit.
    Queued,
    /// A less urgent message with the same key was waiting. It is due now, with the new body.
    Promoted,
    /// The contact already has an SMS message with this template for the call.
    AlreadyThere,
}

/// Queues an SMS message inside the transaction `tx`.
pub async fn enqueue(tx: &DatabaseTransaction, message: NewSms) -> Result<EnqueueResult, DbErr> {
    let became = enqueue_each(tx, vec![message]).await?;
    Ok(became
        .first()
        .map_or(EnqueueResult::AlreadyThere, |(_, became)| *became))
}

/// Queues SMS messages inside the transaction `tx`. Returns the id and the result of each SMS message, in the given
/// order.
pub async fn enqueue_each(
    tx: &DatabaseTransaction,
    messages: Vec<NewSms>,
) -> Result<Vec<(Uuid, EnqueueResult)>, DbErr> {
    let rows: Vec<Model> = messages.into_iter().map(row).collect();
    let inserted = sms_messages::insert_each_once(tx, rows.clone()).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let became = if inserted.contains(&row.id) {
            metrics::sms(if row.state == SIMULATED { SIMULATED } else { QUEUED });
            EnqueueResult::Queued
        // A call can request the same template twice. A message that quiet hours delay must not block the message about
        // an emergency.
        } else if row.held_until.is_none() && sms_messages::promote_queued(tx, &row, daily_cap::REASON).await? {
            EnqueueResult::Promoted
        } else {
            EnqueueResult::AlreadyThere
        };
        all.push((row.id, became));
    }
    Ok(all)
}

fn row(message: NewSms) -> Model {
    let reference = reference_of(message.id);
    let state = if message.simulated { SIMULATED } else { QUEUED };
    Model {
        dedupe_key: dedupe_key(&message),
        body: as_sent(&message.body, &reference),
        rulebook_id: message.rulebook_id,
        id: message.id,
        call_id: message.call_id,
        decision_id: message.decision_id,
        contact: message.contact,
        template: message.template,
        priority: message.priority,
        to_number: message.to_number,
        reference,
        state: state.to_owned(),
        attempts: 0,
        next_attempt_at: message.held_until.unwrap_or(message.now),
        lease_until: None,
        fence: 0,
        provider_id: None,
        provider_status: None,
        error_code: None,
        error: None,
        created_at: message.now,
        updated_at: message.now,
        series_from: 0,
        resent_at: None,
        rule: message.rule,
        held_until: message.held_until,
    }
}

/// The reference of an SMS message: `RB-` and six unambiguous characters from the random end of the id. A contact
/// quotes the reference in a reply, and the worker uses the reference to find the message at the provider.
#[must_use]
pub fn reference_of(id: Uuid) -> String {
    const LETTERS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let mut bits = id.as_u128();
    let mut reference = String::from("RB-");
    for _ in 0..6 {
        reference.push(char::from(LETTERS[(bits & 31) as usize]));
        bits >>= 5;
    }
    reference
}

/// Returns the body to send. This body contains the reference. If another spelling needs fewer segments ("Fenetre" for
/// "Fenêtre"), the body uses that spelling.
#[must_use]
pub fn as_sent(body: &str, reference: &str) -> String {
    cheapest(body_with(body, reference))
}

/// Returns the key that allows one SMS message per call, contact and template. The key contains the length of each
/// component, so that it is unambiguous.
fn dedupe_key(message: &NewSms) -> String {
    let NewSms {
        call_id,
        contact,
        template,
        id,
        ..
    } = message;
    match call_id {
        Some(call) => format!("call:{}:{call}:{}:{contact}:{template}", call.len(), contact.len()),
        None => format!("sms:{id}"),
    }
}

/// Returns the body with the reference, cut to the maximum length.
fn body_with(body: &str, reference: &str) -> String {
    let cut = |limit: usize| match body.char_indices().nth(limit) {
        Some((end, _)) => &body[..end],
        None => body,
    };
    let whole = cut(BODY_LIMIT);
    if whole.contains(reference) {
        return whole.to_owned();
    }
    let room = BODY_LIMIT - reference.len() - 1;
    format!("{} {reference}", cut(room).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_cut_between_characters_and_keeps_its_reference() {
        let body = body_with(&"é".repeat(2_000), "RB-234567");
        assert_eq!(body.chars().count(), BODY_LIMIT);
        assert!(body.ends_with("é RB-234567"));
        assert_eq!(body_with("Flood RB-234567 now", "RB-234567"), "Flood RB-234567 now");
        assert_eq!(body_with("Flood", "RB-234567"), "Flood RB-234567");
        let late = format!("{}RB-234567", "a".repeat(1_600));
        assert!(body_with(&late, "RB-234567").ends_with("a RB-234567"));
    }

    #[test]
    fn references_are_short_and_differ() {
        let clock = base::clock::Clock::system();
        let made: std::collections::HashSet<String> = (0..200).map(|_| reference_of(clock.new_id())).collect();
        assert!(made.len() >= 199, "{}", made.len());
        assert!(
            made.iter()
                .all(|reference| reference.len() == 9 && reference.starts_with("RB-"))
        );
    }
}
