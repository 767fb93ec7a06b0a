//! What people text to us. In: a text, proven to be from Twilio, and whose it is. Out: the text kept, once; a number that
//! wants no more texts suppressed, one that wants them again let go; anything else is read as a contact's answer to a P1.

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, DbErr};
use uuid::Uuid;

use super::acknowledge::{Acknowledged, by_reply};
use super::settle::tell;
use super::{Outbox, OutboxError, Shared, notice};
use base::telemetry::rulebooks::named;
use rules::words::fold;
use store::sms_suppressions::{self, REPLY};
use store::{begin, contacts, escalations, inbound_sms_messages, notices, sms_messages};

/// The longest body that is kept, in characters.
const BODY_LIMIT: usize = 1_600;

/// The words that end SMS messages, folded and without spaces. Twilio knows the English ones and stops sending by itself.
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
/// The words that let them begin again.
const START: [&str; 2] = ["start", "unstop"];
/// Words that let them begin again where they have ended; from any other number they are an answer.
const YES: [&str; 2] = ["yes", "oui"];

/// A text as it came. It has no `Debug`: it holds a phone number and what its owner wrote.
#[derive(Clone)]
pub struct InboundText {
    /// Twilio's id of it.
    pub sid: String,
    /// Who wrote it.
    pub from_number: String,
    /// To which of our numbers.
    pub to_number: String,
    /// What they wrote.
    pub body: String,
    /// What Twilio took it for, where the account has its opt-out words set: `STOP`, `START` or `HELP`.
    pub opt_out_type: Option<String>,
}

/// What a text means by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// No more texts to this number.
    Stop,
    /// Texts to this number again.
    Start,
}

impl Meaning {
    /// The word in the table.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Start => "start",
        }
    }

    /// What a text means: the whole text is one of the words, whatever its case, its accents, the spaces in it and the marks
    /// around it. `is_stopped` is whether its number wants no more texts.
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

/// What became of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Whether it came for the first time.
    pub is_new: bool,
    /// What is to be answered, where there is something to say.
    pub answer: Option<String>,
}

impl Outbox {
    /// Takes a text in. To be run in a task of its own.
    pub async fn hear(&self, rulebook_id: Uuid, text: &InboundText) -> Result<Heard, OutboxError> {
        let shared = self.shared();
        let tx = begin(&shared.db).await?;
        let number = &text.from_number;
        let is_stopped = !number.contains('\0') && sms_suppressions::is_current(&tx, rulebook_id, number).await?;
        let (now, meaning) = (shared.now(), Meaning::of(text, is_stopped));
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
            return Ok(Heard::default());
        }
        let mut answered = None;
        match meaning {
            Some(Meaning::Stop) => stop(shared, &tx, rulebook_id, &text.from_number, now).await?,
            Some(Meaning::Start) => start(&tx, rulebook_id, &text.from_number, now).await?,
            None => answered = by_reply(&tx, rulebook_id, (&text.from_number, &text.body), &shared.clock).await?,
        }
        tx.commit().await?;
        tracing::info!(inbound_sms = %id, rulebook = %named(rulebook_id), meaning = meaning.map(Meaning::word), "a text came in");
        if answered.as_ref().is_some_and(|answered| answered.texts) {
            self.wake();
        }
        if let Some(Acknowledged {
            outcome,
            contact,
            call_id,
            ..
        }) = &answered
        {
            tracing::info!(rulebook = %named(rulebook_id), contact, call = call_id, ?outcome, "a contact answered");
        }
        Ok(Heard {
            is_new: true,
            answer: answered.map(|answered| answered.answer),
        })
    }
}

async fn stop(
    shared: &Shared,
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    number: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let id = shared.clock.new_id();
    let new = sms_suppressions::add(tx, rulebook_id, number, REPLY, now, id).await?;
    // Whose number it is, the texts that went to it tell.
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
        tell(shared, tx, notice, now).await?;
        // What is queued for them is written off when it is due; what was sent and nobody took need not wait for them.
        escalations::pass_on(tx, rulebook_id, &contact.code, now).await?;
    }
    if let Some(last) = last.filter(|last| people.iter().all(|contact| contact.code != last.contact)) {
        tell(shared, tx, notice::opted_out(&last), now).await?;
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
                    Meaning::of(&text(body, None), is_stopped),
                    Some(Meaning::Stop),
                    "{body}"
                );
            }
        }
        for body in ["START", "unstop", "Start."] {
            assert_eq!(Meaning::of(&text(body, None), false), Some(Meaning::Start), "{body}");
        }
        for body in ["", "1", "stop the water", "Don't stop", "OK", "Oui, j'arrive", "out"] {
            assert_eq!(Meaning::of(&text(body, None), true), None, "{body}");
        }
        for body in ["YES", "oui!", "Yes"] {
            assert_eq!(Meaning::of(&text(body, None), true), Some(Meaning::Start), "{body}");
            assert_eq!(
                Meaning::of(&text(body, None), false),
                None,
                "a contact takes a call: {body}"
            );
        }
        assert_eq!(Meaning::of(&text("ne plus", Some("STOP")), false), Some(Meaning::Stop));
        assert_eq!(Meaning::of(&text("help", Some("HELP")), true), None);
    }
}
