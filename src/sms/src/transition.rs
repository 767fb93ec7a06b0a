//! What a text becomes. In: its row as claimed, the outcome, the time and a random number. Out: the row as it is to be
//! written (pure).

use chrono::{DateTime, Utc};

use super::backoff::Patience;
use super::classify::Outcome;
use store::sms_messages::{ACCEPTED, AMBIGUOUS, DEAD, Model, QUEUED, SIMULATED};

/// Why a text was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// The provider will never take it like this.
    Refused,
    /// It was tried as often as is allowed.
    TriedOften,
    /// It was too old to be of use.
    Stale,
    /// It may have been sent, and its priority does not allow another.
    Unknown,
    /// The provider took it and could not deliver it.
    Undelivered,
    /// Its recipient does not want texts.
    Suppressed,
}

impl GivenUp {
    /// What is kept with the text where the provider gave no reason.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Refused => "Twilio refuses the text",
            Self::TriedOften => "tried as often as is allowed",
            Self::Stale => "too old to be of use",
            Self::Unknown => "it is not known whether the text was sent",
            Self::Undelivered => "Twilio could not deliver the text",
            Self::Suppressed => "the recipient has opted out by replying STOP",
        }
    }
}

/// The row after an attempt; `unsent` earlier ones never left the machine.
pub(super) fn after_attempt(
    mut row: Model,
    outcome: &Outcome,
    mut unsent: i64,
    patience: &Patience,
    now: DateTime<Utc>,
    random: u64,
) -> (Model, Option<GivenUp>) {
    row.lease_until = None;
    row.updated_at = now;
    let again_at = match outcome {
        Outcome::Accepted { sid, status } => {
            accept(&mut row, sid, status.as_deref());
            return (row, None);
        }
        Outcome::Simulated => {
            row.state = SIMULATED.into();
            return (row, None);
        }
        Outcome::Ambiguous => {
            row.state = AMBIGUOUS.into();
            row.next_attempt_at = now + patience.ambiguous_wait;
            return (row, None);
        }
        Outcome::Permanent => {
            row.state = DEAD.into();
            return (row, Some(GivenUp::Refused));
        }
        // The breaker holds the account's texts back; this one is first when it lets go.
        Outcome::Credentials => now,
        Outcome::NotSent => {
            unsent += 1;
            now + patience.wait(row.tries(), None, random)
        }
        Outcome::Retry { after } => now + patience.wait(row.tries(), *after, random),
        Outcome::Capacity => now + patience.wait(row.tries(), Some(patience.capacity_wait), random),
    };
    requeue(row, unsent, again_at, patience)
}

/// The row queued again, unless it was tried often enough or would be too old. Of its tries, `unsent` never left the
/// machine.
pub(super) fn requeue(
    mut row: Model,
    unsent: i64,
    again_at: DateTime<Utc>,
    patience: &Patience,
) -> (Model, Option<GivenUp>) {
    row.lease_until = None;
    let given_up = if row.tries() - unsent >= patience.max_attempts {
        Some(GivenUp::TriedOften)
    } else if patience.is_stale(row.since(), again_at) {
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

/// The provider has it.
pub(super) fn accept(row: &mut Model, sid: &str, status: Option<&str>) {
    row.state = ACCEPTED.into();
    row.lease_until = None;
    row.provider_id = Some(sid.to_owned());
    row.provider_status = status.map(str::to_owned);
    row.error = None;
    row.error_code = None;
}

/// Whether a text that was sent `sends` times, as far as anyone knows, is sent again rather than given to a person: an
/// alert that comes twice is better than one that never comes, and nothing else is.
pub(super) fn may_resend(priority: &str, sends: u64, patience: &Patience) -> bool {
    matches!(priority, "P1" | "P2") && sends <= patience.resends
}
