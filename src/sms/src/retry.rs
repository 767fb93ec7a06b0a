//! State transitions of an SMS message: computes the row to write after an attempt (pure).

use chrono::{DateTime, Utc};

use super::classify::SendOutcome;
use super::retry_policy::RetryPolicy;
use store::sms_messages::{ACCEPTED, AMBIGUOUS, DEAD, Model, QUEUED};

/// Why an SMS message was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// The provider refused the message for good.
    Refused,
    /// The maximum number of attempts is reached.
    TriedOften,
    /// The message is too old.
    Stale,
    /// The message may have been sent, and its priority does not allow a resend.
    Unknown,
    /// The provider accepted the message and could not deliver it.
    Undelivered,
    /// The recipient has opted out.
    Suppressed,
}

impl GivenUp {
    /// The reason stored with the SMS message if the provider gave none.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Refused => "Twilio refuses the SMS message",
            Self::TriedOften => "the maximum number of attempts is reached",
            Self::Stale => "too old to be of use",
            Self::Unknown => "it is unknown whether the SMS message was sent",
            Self::Undelivered => "Twilio could not deliver the SMS message",
            Self::Suppressed => "the recipient has opted out by replying STOP",
        }
    }
}

/// Computes the row after an attempt. `unsent` is the number of earlier attempts that never left the machine.
pub(super) fn after_attempt(
    mut row: Model,
    outcome: &SendOutcome,
    mut unsent: i64,
    retry_policy: &RetryPolicy,
    now: DateTime<Utc>,
    random: u64,
) -> (Model, Option<GivenUp>) {
    row.lease_until = None;
    row.updated_at = now;
    let again_at = match outcome {
        SendOutcome::Accepted { sid, status } => {
            accept(&mut row, sid, status.as_deref());
            return (row, None);
        }
        SendOutcome::Ambiguous => {
            row.state = AMBIGUOUS.into();
            row.next_attempt_at = now + retry_policy.ambiguous_wait;
            return (row, None);
        }
        SendOutcome::Permanent => {
            row.state = DEAD.into();
            return (row, Some(GivenUp::Refused));
        }
        // The breaker stops the account's messages. This message is due immediately when the breaker closes.
        SendOutcome::Credentials => now,
        SendOutcome::NotSent => {
            unsent += 1;
            now + retry_policy.wait(row.tries(), None, random)
        }
        SendOutcome::Retry { after } => now + retry_policy.wait(row.tries(), *after, random),
        SendOutcome::Capacity => now + retry_policy.wait(row.tries(), Some(retry_policy.capacity_wait), random),
    };
    requeue(row, unsent, again_at, retry_policy)
}

/// Queues the row again if it may have another attempt. Gives it up if it has reached the maximum number of attempts,
/// or would be too old. `unsent` is the number of the row's attempts that never left the machine.
pub(super) fn requeue(
    mut row: Model,
    unsent: i64,
    again_at: DateTime<Utc>,
    retry_policy: &RetryPolicy,
) -> (Model, Option<GivenUp>) {
    row.lease_until = None;
    let given_up = if row.tries() - unsent >= retry_policy.max_attempts {
        Some(GivenUp::TriedOften)
    } else if retry_policy.is_stale(row.since(), again_at) {
        Some(GivenUp::Stale)
    } else {
        None
    };
    if given_up.is_some() {
        row.state = DEAD.into();
    } else {
        row.state = QUEUED.into();
        row.next_attempt_at = again_at;
    }
    (row, given_up)
}

/// Sets the row to accepted.
pub(super) fn accept(row: &mut Model, sid: &str, status: Option<&str>) {
    row.state = ACCEPTED.into();
    row.lease_until = None;
    row.provider_id = Some(sid.to_owned());
    row.provider_status = status.map(str::to_owned);
    row.error = None;
    row.error_code = None;
}

/// Whether an SMS message may be sent again. `sends` is the number of times that it was sent, or may have been sent.
/// Only P1 and P2 are resent: for them a duplicate is better than a missing alert.
pub(super) fn may_resend(priority: &str, sends: u64, retry_policy: &RetryPolicy) -> bool {
    matches!(priority, "P1" | "P2") && sends <= retry_policy.resends
}
