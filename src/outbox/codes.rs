//! Twilio's error codes as one table. In: a code. Out: what it stands for, and what a person is told (pure).

/// What one of Twilio's codes stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Not processed: try again.
    NotProcessed,
    /// Perhaps processed.
    Ambiguous,
    /// Not processed, and not soon.
    Capacity,
    /// The credentials are refused.
    Credentials,
    /// Never.
    Permanent,
}

/// A line of the table of codes: for people, what it means and what to do. Twilio's own sentence is never kept: it can
/// hold the number.
#[derive(Clone, Copy, Debug)]
pub struct CodeRule {
    /// Twilio's code.
    pub code: i64,
    /// What it stands for.
    pub class: Class,
    /// What happened.
    pub meaning: &'static str,
    /// What a person can do.
    pub what_to_do: &'static str,
}

const fn rule(code: i64, class: Class, meaning: &'static str, what_to_do: &'static str) -> CodeRule {
    CodeRule {
        code,
        class,
        meaning,
        what_to_do,
    }
}

const FIX_NUMBER: &str = "Correct the contact's phone number, then send the text again.";
const FIX_SENDER: &str = "Correct the sender in the Twilio settings, then send the text again.";
const FIX_TEMPLATE: &str = "Correct the message template, then send the text again.";
const FIX_CREDENTIALS: &str = "Correct the account SID and the auth token; sending starts again by itself.";
const FIX_REGION: &str = "Allow the region under Messaging, Geo permissions, at Twilio, then send the text again.";
const VERIFY: &str = "Verify the number at Twilio or upgrade the account, then send the text again.";
const ASK_START: &str = "Ask the contact to reply START to the sender, or choose another contact.";
const ASK_CAP: &str = "Ask Twilio for a higher daily cap; the text is tried again by itself.";
const NOTHING: &str = "Nothing: the text is tried again by itself.";

/// Twilio's codes, one a line.
#[rustfmt::skip]
pub const CODES: &[CodeRule] = &[
    rule(20003, Class::Credentials,  "Twilio refuses the account's credentials", FIX_CREDENTIALS),
    rule(20429, Class::NotProcessed, "Twilio has too many requests from this account", NOTHING),
    rule(20500, Class::Ambiguous,    "Twilio failed inside", NOTHING),
    rule(21211, Class::Permanent,    "the number is not a valid phone number", FIX_NUMBER),
    rule(21212, Class::Permanent,    "the sender is not a valid phone number", FIX_SENDER),
    rule(21408, Class::Permanent,    "the account may not text to this region", FIX_REGION),
    rule(21602, Class::Permanent,    "the text is empty", FIX_TEMPLATE),
    rule(21603, Class::Permanent,    "no sender is set", FIX_SENDER),
    rule(21604, Class::Permanent,    "no recipient is set", FIX_NUMBER),
    rule(21606, Class::Permanent,    "the sender cannot text to this number", FIX_SENDER),
    rule(21608, Class::Permanent,    "a trial account texts only to verified numbers", VERIFY),
    rule(21610, Class::Permanent,    "the recipient has opted out by replying STOP", ASK_START),
    rule(21611, Class::Capacity,     "the sender's queue at Twilio is full", NOTHING),
    rule(21612, Class::Permanent,    "there is no route from the sender to this number", FIX_SENDER),
    rule(21614, Class::Permanent,    "the number cannot receive texts", FIX_NUMBER),
    rule(21617, Class::Permanent,    "the text is longer than 1,600 characters", FIX_TEMPLATE),
    rule(30001, Class::Capacity,     "the messaging service's queue at Twilio is full", NOTHING),
    rule(63038, Class::Capacity,     "the account's daily cap at Twilio is reached", ASK_CAP),
    rule(90007, Class::Permanent,    "Twilio refuses one of the request's values", FIX_SENDER),
];

/// The line for one of Twilio's codes.
#[must_use]
pub fn code_rule(code: Option<i64>) -> Option<&'static CodeRule> {
    code.and_then(|code| CODES.iter().find(|rule| rule.code == code))
}
