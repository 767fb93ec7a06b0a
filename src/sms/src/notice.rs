//! The notices about SMS messages (pure). A notice contains neither a phone number nor the body of a message.

use uuid::Uuid;

use super::error_codes::code_rule;
use super::retry::GivenUp;
use store::notices::{self, Notice, Severity};
use store::rulebooks::DEFAULT;
use store::sms_messages::Model;

/// The provider fails or is unreachable, so an account's SMS messages wait.
pub(super) const PROVIDER_DOWN: &str = "sms_provider_down";
/// The provider refuses an account's credentials, so the SMS messages of the account wait.
pub(super) const CREDENTIALS: &str = "sms_credentials_refused";
/// The account's daily limit is reached, so its SMS messages wait.
pub(super) const CAPPED: &str = "sms_account_capped";
/// The account lacks a secret, so its SMS messages wait.
pub(super) const INCOMPLETE: &str = "sms_account_incomplete";
/// There is no account, so the SMS messages wait.
pub(super) const NO_ACCOUNT: &str = "sms_no_account";
/// Notices that a worker raises when a rulebook's SMS messages must wait. An open notice proves that a worker handles
/// the rulebook, so the readiness check does not count its waiting messages.
pub const HELD_BACK: [&str; 5] = [PROVIDER_DOWN, CREDENTIALS, CAPPED, INCOMPLETE, NO_ACCOUNT];
/// Subject of the notices in [`HELD_BACK`].
pub(super) const PROVIDER: &str = "twilio";

/// The severity of a notice about an SMS message.
fn severity_of(row: &Model) -> Severity {
    if matches!(row.priority.as_str(), "P1" | "P2") {
        Severity::Urgent
    } else {
        Severity::Warning
    }
}

/// Advice about a contact who has opted out.
const OPTED_OUT_ADVICE: &str = "Ask the contact to reply START to the sender, or put another contact in their place. An admin \
    can lift the opt-out under /admin/v1/sms-suppressions; then resend the SMS message.";

/// Builds the notice that a contact has opted out. `row` is the last SMS message to the contact.
pub(super) fn opted_out(row: &Model) -> Notice {
    Notice {
        rulebook_id: row.rulebook_id,
        code: notices::OPTED_OUT,
        severity: severity_of(row),
        subject: notices::of_contact(&row.contact),
        text: format!(
            "Contact {} replied STOP and gets no more SMS messages. The last message to them was a {}.",
            row.contact, row.priority
        ),
        what_to_do: OPTED_OUT_ADVICE.to_owned(),
    }
}

/// Builds the notice that STOP came from the number of a contact. The contact may not have sent STOP, because a
/// sender's number can be forged. `row` is the last SMS message to the contact, if there is one.
pub(super) fn contact_opted_out(rulebook_id: Uuid, contact: &str, row: Option<&Model>) -> Notice {
    let last = row.map_or_else(String::new, |row| {
        format!(" The last message to them was a {}.", row.priority)
    });
    Notice {
        rulebook_id,
        code: notices::OPTED_OUT,
        severity: Severity::Urgent,
        subject: notices::of_contact(contact),
        text: format!(
            "STOP came from the number of contact {contact}, who gets no more SMS messages: emergencies go to \
             the next contact.{last}"
        ),
        what_to_do: format!("Ask them whether they sent it: a sender's number can be forged. {OPTED_OUT_ADVICE}"),
    }
}

/// Builds the notice that the account's daily limit is reached.
pub(super) fn capped(rulebook_id: Uuid) -> Notice {
    Notice {
        rulebook_id,
        code: CAPPED,
        severity: Severity::Urgent,
        subject: PROVIDER.to_owned(),
        text: "This rulebook's account at Twilio has reached its daily limit. Its SMS messages wait.".to_owned(),
        what_to_do:
            "Reach the on-call contacts another way today, and ask Twilio for a higher daily cap. Sending starts again \
                     by itself."
                .to_owned(),
    }
}

/// Builds the notice that an account lacks the secrets named in `missing`.
pub(super) fn incomplete(rulebook_id: Uuid, code: &str, missing: &str) -> Notice {
    Notice {
        rulebook_id,
        code: INCOMPLETE,
        severity: Severity::Urgent,
        subject: PROVIDER.to_owned(),
        text: format!(
            "Rulebook `{code}` has some secrets of an account at Twilio, but no {missing}. Its SMS messages wait."
        ),
        what_to_do: format!(
            "Store the missing secret: `POST /admin/v1/rulebooks/{code}/secrets`. Sending starts again by itself."
        ),
    }
}

/// Builds the notice that a rulebook has no account, although it does not simulate.
pub(super) fn no_account(rulebook_id: Uuid, code: &str) -> Notice {
    let (where_to, or_else) = (
        "Set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_FROM on an instance that runs the worker `outbox`",
        format!("`PUT /admin/v1/rulebooks/{code}/sms-delivery` with `simulated` records messages without sending them"),
    );
    let what_to_do = if code == DEFAULT {
        format!("{where_to}, or store the account as secrets of the rulebook. {or_else}.")
    } else {
        format!(
            "Store the account: `POST /admin/v1/rulebooks/{code}/secrets` with `twilio_account_sid`, `twilio_auth_token` and \
             `twilio_from`. Sending starts again by itself. {or_else}."
        )
    };
    Notice {
        rulebook_id,
        code: NO_ACCOUNT,
        severity: Severity::Urgent,
        subject: PROVIDER.to_owned(),
        text: format!(
            "Rulebook `{code}` takes calls and has no account at Twilio: nobody gets SMS messages. They wait for \
             an account, for six hours at most."
        ),
        what_to_do,
    }
}

/// Builds the notice that an SMS message was given up.
pub(super) fn given_up(row: &Model, why: GivenUp) -> Notice {
    let (code, fate) = match why {
        GivenUp::Refused => ("sms_refused", "was not sent"),
        GivenUp::TriedOften | GivenUp::Stale => ("sms_given_up", "was not sent"),
        GivenUp::Unknown => ("sms_unknown", "may not have been sent"),
        GivenUp::Undelivered => ("sms_undelivered", "did not arrive"),
        GivenUp::Suppressed => ("sms_suppressed", "was not sent"),
    };
    let (reason, advice) = match (why, code_rule(row.error_code)) {
        (GivenUp::Refused | GivenUp::Undelivered, Some(rule)) => (rule.meaning, rule.what_to_do),
        (GivenUp::Refused | GivenUp::Undelivered, None) => (
            why.reason(),
            "Look up the error code in Twilio's documentation, correct the cause, then resend the message.",
        ),
        (GivenUp::Unknown, _) => (
            why.reason(),
            "Ask the contact, or search Twilio's log for the reference; resend the message if it is not there.",
        ),
        (GivenUp::Suppressed, _) => (why.reason(), OPTED_OUT_ADVICE),
        (GivenUp::TriedOften | GivenUp::Stale, _) => (
            why.reason(),
            "Reach the contact another way if it still matters; resend the message once Twilio responds.",
        ),
    };
    let number = row
        .error_code
        .map(|code| format!(", Twilio's code {code}"))
        .unwrap_or_default();
    Notice {
        rulebook_id: row.rulebook_id,
        code,
        severity: severity_of(row),
        subject: notices::of_contact(&row.contact),
        text: format!(
            "The {} SMS message {} to contact {} {fate}: {reason}{number}.",
            row.priority, row.reference, row.contact
        ),
        what_to_do: advice.to_owned(),
    }
}

/// Builds the notice that the circuit breaker of an account has stopped the account's SMS messages.
pub(super) fn stopped(rulebook_id: Uuid, refused: bool) -> Notice {
    let (code, text, what_to_do) = if refused {
        (
            CREDENTIALS,
            "Twilio refuses the credentials of this rulebook's account. Its SMS messages wait.",
            "Correct the account SID and the auth token. Sending starts again by itself.",
        )
    } else {
        (
            PROVIDER_DOWN,
            "Twilio fails or cannot be reached. This rulebook's SMS messages wait.",
            "Reach the on-call contacts another way meanwhile, and check status.twilio.com and this machine's network. \
             Sending starts again by itself.",
        )
    };
    Notice {
        rulebook_id,
        code,
        severity: Severity::Urgent,
        subject: PROVIDER.to_owned(),
        text: text.to_owned(),
        what_to_do: what_to_do.to_owned(),
    }
}
