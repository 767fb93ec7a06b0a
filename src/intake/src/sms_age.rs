//! Decides by origin and age which messages from Vapi are too old to cause SMS messages.
//!
//! A message that did not come directly from Vapi sends no SMS messages if it is older than half an hour. It also sends
//! no SMS messages if it is older than the last restore from a backup, because Ringbook may have sent the SMS messages
//! before the restore. In both cases the lead is marked as late and a notice is raised. A newer message from the spool,
//! or a newer message that replaces a lost report, is as urgent as a live message.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use store::notices::{Notice, Severity};

/// Maximum age of a message that may send SMS messages.
const TOO_OLD: TimeDelta = TimeDelta::minutes(30);

/// The origin of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Posted by Vapi, which waits for the response.
    #[default]
    Live,
    /// From the spool.
    Drained,
    /// Built from a call in Vapi's list.
    Reconciled,
    /// A stored event, recorded again.
    Replayed,
}

impl Origin {
    /// All origins.
    pub const ALL: [Self; 4] = [Self::Live, Self::Drained, Self::Reconciled, Self::Replayed];

    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Drained => "drained",
            Self::Reconciled => "reconciled",
            Self::Replayed => "replayed",
        }
    }

    /// Whether an event at the instant `happened` is too old for SMS messages now. `restored` is the time of the last
    /// restore from a backup.
    #[must_use]
    pub fn is_late(self, happened: DateTime<Utc>, restored: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        self != Self::Live && (now - happened > TOO_OLD || restored.is_some_and(|restored| happened <= restored))
    }
}

/// The notice about a late call: no SMS message is sent, so somebody should check whether to call back.
pub(super) fn notice(rulebook_id: Uuid, priority: &str) -> Notice {
    Notice {
        rulebook_id,
        code: "late_call",
        severity: if priority == "P1" {
            Severity::Urgent
        } else {
            Severity::Warning
        },
        subject: format!("late calls of priority {priority}"),
        text: format!("A call of priority {priority} arrived more than half an hour late: nobody got an SMS message."),
        what_to_do: "Look at the leads with `late=true`, the newest first, and call back.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_took_a_detour_and_is_old_is_late() {
        let now: DateTime<Utc> = "2026-11-24T15:00:00Z".parse().unwrap();
        for origin in Origin::ALL {
            let detour = origin != Origin::Live;
            let late = |happened, restored| origin.is_late(happened, restored, now);
            let edge = now - TimeDelta::minutes(30);
            assert!(!late(edge, None), "{origin:?}");
            assert_eq!(late(edge - TimeDelta::microseconds(1), None), detour, "{origin:?}");
            assert!(!late(now + TimeDelta::days(1), None), "{origin:?}");
            let minutes = |count| now - TimeDelta::minutes(count);
            assert_eq!(late(minutes(5), Some(minutes(4))), detour, "{origin:?}");
            assert!(!late(minutes(5), Some(minutes(6))), "{origin:?}");
        }
    }
}
