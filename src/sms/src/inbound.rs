//! Records each inbound SMS message once. STOP suppresses the sender's number, and START lifts the suppression. Any
//! other message is read as a contact's reply about a P1.

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, DbErr};
use uuid::Uuid;

use super::acknowledge::{ReplyResult, by_reply};
use super::record_result::raise_notice;
use super::{Outbox, OutboxError, OutboxState, notice};
use base::telemetry::rulebooks::named;
use rules::words::fold;
use store::sms_suppressions::{self, REPLY};
use store::{begin, contacts, escalations, inbound_sms_messages, notices, sms_messages};

/// Maximum length of a stored body, in characters.
const BODY_LIMIT: usize = 1_600;

/// Opt-out words, folded and without spaces. Twilio recognizes the English words and also stops sending.
const STOP: [&str; 12] = [
    "stop",
    "stopall",
    "unsubscribe",
    "cancel",
    "end",
    "quit",
    "revoke",
    "optout",
    "arret",
    "arrets",
    "arreter",
    "desabonner",
];
/// Opt-in words.
const START: [&str; 2] = ["start", "unstop"];
/// Words that are an opt-in only if the number has opted out. From any other number, these words are a reply.
const YES: [&str; 2] = ["yes", "oui"];

/// An inbound SMS message. It has no `Debug`, because it contains a phone number and a body.
#[derive(Clone)]
pub struct InboundText {
    pub sid: String,
    /// The sender's number.
    pub from_number: String,
    /// The phone number of the business.
    pub to_number: String,
    /// The body.
    pub body: String,
    /// Twilio's classification, if the account has opt-out words configured: `STOP`, `START` or `HELP`.
    pub opt_out_type: Option<String>,
}

/// What an SMS message means for the opt-out of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptOutMeaning {
    /// Opt out: this number gets no more SMS messages.
    Stop,
    /// Opt in: this number gets SMS messages again.
    Start,
}

impl OptOutMeaning {
    /// The name in the database.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Start => "start",
        }
    }

    /// Returns the meaning if the whole body is one of the words. Case, accents, spaces and surrounding punctuation do
    /// not matter. `is_stopped` says whether the number has opted out.
    #[must_use]
    pub fn of(text: &InboundText, is_stopped: bool) -> Option<Self> {
        let body: String = text.body.chars().take(BODY_LIMIT).collect();
        let folded = fold(text.opt_out_type.as_deref().unwrap_or(&body));
        let word = folded.trim_matches(|c: char| !c.is_alphanumeric()).replace(' ', "");
        let word = word.as_str();
        if STOP.contains(&word) {
            Some(Self::Stop)
        } else if START.contains(&word) || (is_stopped && YES.contains(&word)) {
            Some(Self::Start)
        } else {
            None
        }
    }
}

/// The result of [`Outbox::record_inbound`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InboundResult {
    /// Whether the message was received for the first time.
    pub is_new: bool,
    /// The response to the sender, if there is one.
    pub answer: Option<String>,
}

impl Outbox {
    /// Records an inbound SMS message. Run this function in a separate task, because cancelling it would interrupt a
    /// transaction.
    pub async fn record_inbound(&self, rulebook_id: Uuid, text: &InboundText) -> Result<InboundResult, OutboxError> {
        let shared = self.shared();
        let tx = begin(&shared.db).await?;
        let number = &text.from_number;
        let is_stopped = !number.contains('\0') && sms_suppressions::is_current(&tx, rulebook_id, number).await?;
        let (now, meaning) = (shared.now(), OptOutMeaning::of(text, is_stopped));
        let row = inbound_sms_messages::Model {
            rulebook_id,
            id: shared.clock.new_id(),
            provider_id: text.sid.clone(),
            from_number: text.from_number.clone(),
            to_number: text.to_number.clone(),
            body: text.body.chars().filter(|c| *c != '\0').take(BODY_LIMIT).collect(),
            meaning: meaning.map(|meaning| meaning.word().to_owned()),
            received_at: now,
        };
        let id = row.id;
        if !inbound_sms_messages::keep(&tx, row).await? {
            return Ok(InboundResult::default());
        }
        let mut answered = None;
        match meaning {
            Some(OptOutMeaning::Stop) => stop(shared, &tx, rulebook_id, &text.from_number, now).await?,
            Some(OptOutMeaning::Start) => start(&tx, rulebook_id, &text.from_number, now).await?,
            None => answered = by_reply(&tx, rulebook_id, (&text.from_number, &text.body), &shared.clock).await?,
        }
        tx.commit().await?;
        tracing::info!(
            inbound_sms = %id,
            rulebook = %named(rulebook_id),
            meaning = meaning.map(OptOutMeaning::word),
            "received an SMS message"
        );
        if answered.as_ref().is_some_and(|answered| answered.texts) {
            self.wake();
        }
        if let Some(ReplyResult {
            outcome,
            contact,
            call_id,
            ..
        }) = &answered
        {
            tracing::info!(rulebook = %named(rulebook_id), contact, call = call_id, ?outcome, "a contact replied");
        }
        Ok(InboundResult {
            is_new: true,
            answer: answered.map(|answered| answered.answer),
        })
    }
}

async fn stop(
    shared: &OutboxState,
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    number: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let id = shared.clock.new_id();
    let new = sms_suppressions::add(tx, rulebook_id, number, REPLY, now, id).await?;
    // The last SMS message to the number shows which contact has the number.
    let last = sms_messages::newest_to(tx, rulebook_id, number).await?;
    if !new {
        return Ok(());
    }
    let people = if number.contains('\0') {
        Vec::new()
    } else {
        contacts::with_phone(tx, rulebook_id, number).await?
    };
    for contact in &people {
        let notice = notice::contact_opted_out(rulebook_id, &contact.code, last.as_ref());
        raise_notice(shared, tx, notice, now).await?;
        // Queued SMS messages to the contact are given up when they are due. An escalation that waits only for this
        // contact continues now.
        escalations::skip_contact(tx, rulebook_id, &contact.code, now).await?;
    }
    if let Some(last) = last.filter(|last| people.iter().all(|contact| contact.code != last.contact)) {
        raise_notice(shared, tx, notice::opted_out(&last), now).await?;
    }
    Ok(())
}

async fn start(tx: &DatabaseTransaction, rulebook_id: Uuid, number: &str, now: DateTime<Utc>) -> Result<(), DbErr> {
    let lifted = sms_suppressions::lift_number(tx, rulebook_id, number, "reply", now).await?;
    if !lifted {
        return Ok(());
    }
    let last = sms_messages::newest_to(tx, rulebook_id, number).await?;
    let people = contacts::with_phone(tx, rulebook_id, number).await?;
    let codes = last.map(|last| last.contact).into_iter();
    for code in codes.chain(people.into_iter().map(|contact| contact.code)) {
        let subject = notices::of_contact(&code);
        notices::resolve(tx, rulebook_id, notices::OPTED_OUT, &subject, now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &str, opt_out_type: Option<&str>) -> InboundText {
        InboundText {
            sid: "SM1".into(),
            from_number: "+15145550111".into(),
            to_number: "+15145550100".into(),
            body: body.into(),
            opt_out_type: opt_out_type.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn only_the_whole_text_is_a_word() {
        for body in [
            "STOP",
            " stop. ",
            "Arrêt",
            "arret",
            "Unsubscribe!",
            "STOPALL",
            "end",
            "Quit",
            "cancel",
            "REVOKE",
            "OptOut",
            "OPT OUT",
            "opt-out",
            "STOP ALL",
            "ARRÊTER",
            "arre\u{302}ter",
            "Arre\u{302}t.",
            "ARRETER",
        ] {
            for is_stopped in [false, true] {
                assert_eq!(
                    OptOutMeaning::of(&text(body, None), is_stopped),
                    Some(OptOutMeaning::Stop),
                    "{body}"
                );
            }
        }
        for body in ["START", "unstop", "Start."] {
            assert_eq!(
                OptOutMeaning::of(&text(body, None), false),
                Some(OptOutMeaning::Start),
                "{body}"
            );
        }
        for body in ["", "1", "stop the water", "Don't stop", "OK", "Oui, j'arrive", "out"] {
            assert_eq!(OptOutMeaning::of(&text(body, None), true), None, "{body}");
        }
        for body in ["YES", "oui!", "Yes"] {
            assert_eq!(
                OptOutMeaning::of(&text(body, None), true),
                Some(OptOutMeaning::Start),
                "{body}"
            );
            assert_eq!(
                OptOutMeaning::of(&text(body, None), false),
                None,
                "a contact takes a call: {body}"
            );
        }
        assert_eq!(
            OptOutMeaning::of(&text("ne plus", Some("STOP")), false),
            Some(OptOutMeaning::Stop)
        );
        assert_eq!(OptOutMeaning::of(&text("help", Some("HELP")), true), None);
    }
}
