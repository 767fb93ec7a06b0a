//! Table of Twilio's error codes: what each code means in a response and in a status callback, and the explanation for
//! people (pure).

/// The meaning of an error code in the response to a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The message was not processed: retry.
    NotProcessed,
    /// The message may have been processed.
    Ambiguous,
    /// The message was not processed: retry after a long delay.
    Capacity,
    /// The credentials are refused.
    Credentials,
    /// The message is refused for good.
    Permanent,
}

/// Whether to resend an SMS message that Twilio accepted and could not deliver, if its priority allows a resend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later {
    /// A resend may help.
    Perhaps,
    /// At most one resend: the cause is unknown.
    Once,
    /// No resend.
    Never,
}

/// One row of the table. `meaning` and `what_to_do` are texts for people. Twilio's own message is never stored, because
/// it can contain the phone number.
#[derive(Clone, Copy, Debug)]
pub struct CodeRule {
    pub code: i64,
    /// The code's meaning in a response.
    pub class: Class,
    /// The code's meaning in a status callback.
    pub later: Later,
    /// What happened.
    pub meaning: &'static str,
    /// What a person can do.
    pub what_to_do: &'static str,
}

const fn rule(code: i64, class: Class, later: Later, meaning: &'static str, what_to_do: &'static str) -> CodeRule {
    CodeRule {
        code,
        class,
        later,
        meaning,
        what_to_do,
    }
}

const FIX_NUMBER: &str = "Correct the contact's phone number, then resend the SMS message.";
const FIX_SENDER: &str = "Correct the sender in the Twilio settings, then resend the SMS message.";
const FIX_TEMPLATE: &str = "Correct the message template, then resend the SMS message.";
const FIX_CREDENTIALS: &str = "Correct the account SID and the auth token; sending starts again by itself.";
const FIX_REGION: &str = "Allow the region under Messaging, Geo permissions, at Twilio, then resend the SMS message.";
const VERIFY: &str = "Verify the number at Twilio or upgrade the account, then resend the SMS message.";
const ASK_START: &str = "Ask the contact to reply START to the sender, or choose another contact.";
const ASK_CAP: &str = "Ask Twilio for a higher daily cap; Ringbook retries by itself.";
const NOTHING: &str = "Nothing: Ringbook retries by itself.";
const REACH: &str = "Reach the contact another way if it still matters, then resend the SMS message.";
const ASK_TWILIO: &str = "Open the account's messages in Twilio's console: it shows the reason and what to do.";

/// Twilio's codes, one per line: the meaning in a response, the meaning in a status callback, what happened, and what
/// to do.
#[rustfmt::skip]
pub const CODES: &[CodeRule] = &[
    rule(20003, Class::Credentials,  Later::Never,   "Twilio refuses the account's credentials", FIX_CREDENTIALS),
    rule(20429, Class::NotProcessed, Later::Never,   "Twilio got too many requests from this account", NOTHING),
    rule(20500, Class::Ambiguous,    Later::Never,   "Twilio had an internal error", NOTHING),
    rule(21211, Class::Permanent,    Later::Never,   "the number is not a valid phone number", FIX_NUMBER),
    rule(21212, Class::Permanent,    Later::Never,   "the sender is not a valid phone number", FIX_SENDER),
    rule(21408, Class::Permanent,    Later::Never,   "the account may not send to this region", FIX_REGION),
    rule(21602, Class::Permanent,    Later::Never,   "the SMS message is empty", FIX_TEMPLATE),
    rule(21603, Class::Permanent,    Later::Never,   "no sender is set", FIX_SENDER),
    rule(21604, Class::Permanent,    Later::Never,   "no recipient is set", FIX_NUMBER),
    rule(21606, Class::Permanent,    Later::Never,   "the sender cannot send to this number", FIX_SENDER),
    rule(21608, Class::Permanent,    Later::Never,   "a trial account sends only to verified numbers", VERIFY),
    rule(OPTED_OUT, Class::Permanent, Later::Never,  "the recipient has opted out by replying STOP", ASK_START),
    rule(21611, Class::Capacity,     Later::Never,   "the sender's queue at Twilio is full", NOTHING),
    rule(21612, Class::Permanent,    Later::Never,   "there is no route from the sender to this number", FIX_SENDER),
    rule(21614, Class::Permanent,    Later::Never,   "the number cannot receive SMS messages", FIX_NUMBER),
    rule(21617, Class::Permanent,    Later::Never,   "the SMS message is longer than 1,600 characters", FIX_TEMPLATE),
    rule(30001, Class::Capacity,     Later::Perhaps, "the sender's queue at Twilio is full", NOTHING),
    rule(30002, Class::Permanent,    Later::Never,   "Twilio has suspended the account", ASK_TWILIO),
    rule(30003, Class::Permanent,    Later::Perhaps, "the phone is off or out of reach", REACH),
    rule(30004, Class::Permanent,    Later::Never,   "the recipient or the carrier blocks the SMS message", REACH),
    rule(30005, Class::Permanent,    Later::Never,   "the number is not in service", FIX_NUMBER),
    rule(30006, Class::Permanent,    Later::Never,   "the number is a landline or its carrier cannot be reached", FIX_NUMBER),
    rule(30007, Class::Permanent,    Later::Never,   "the carrier rejects the SMS message as spam", ASK_TWILIO),
    rule(30008, Class::Permanent,    Later::Once,    "the carrier did not deliver it and gave no reason", REACH),
    rule(30036, Class::Permanent,    Later::Perhaps, "the SMS message expired before it was delivered", REACH),
    rule(DAILY_CAP, Class::Capacity, Later::Never,   "the account's daily cap at Twilio is reached", ASK_CAP),
    rule(90007, Class::Permanent,    Later::Never,   "Twilio refuses one of the request's values", FIX_SENDER),
];

/// The recipient has opted out.
pub const OPTED_OUT: i64 = 21610;
/// The account's daily limit is reached.
pub const DAILY_CAP: i64 = 63038;

/// Returns the row of a code, if the code is in the table.
#[must_use]
pub fn code_rule(code: Option<i64>) -> Option<&'static CodeRule> {
    code.and_then(|code| CODES.iter().find(|rule| rule.code == code))
}

/// Whether to resend an SMS message that failed with this code. A code that is not in the table is not worth a resend,
/// because most codes that Twilio adds are about unregistered senders.
#[must_use]
pub fn worth_sending_again(code: Option<i64>) -> Later {
    code_rule(code).map_or(Later::Never, |rule| rule.later)
}
