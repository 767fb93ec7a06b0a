//! What comes too late to text anyone. In: how a message came, when it happened, the time. Out: yes or no.
//!
//! The one rule: a message that did not come straight from Vapi texts nobody when it is older than half an hour, or than a
//! database that was brought back from a backup (what is missing there may have been texted of before); its lead is marked
//! and a person is told. Any other that waited (in the spool, or because Vapi's report got lost) is as urgent as it was.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use store::notices::{Notice, Severity};

/// What is older texts nobody.
const TOO_OLD: TimeDelta = TimeDelta::minutes(30);

/// How a message came to be taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Vapi posted it and waits for the answer.
    #[default]
    Live,
    /// It waited in the spool.
    Drained,
    /// It was made of a call in Vapi's list.
    Reconciled,
    /// It was stored, and is taken in again.
    Replayed,
}

impl Origin {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Live, Self::Drained, Self::Reconciled, Self::Replayed];

    /// The word in the table.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Drained => "drained",
            Self::Reconciled => "reconciled",
            Self::Replayed => "replayed",
        }
    }

    /// Whether what happened at an instant comes too late, by now, to text anyone. `restored` is when the database was last
    /// brought back.
    #[must_use]
    pub fn is_late(self, happened: DateTime<Utc>, restored: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        self != Self::Live && (now - happened > TOO_OLD || restored.is_some_and(|restored| happened <= restored))
    }
}

/// Nobody is texted of what is old; somebody should know that there is something to call back about.
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
        text: format!("A call of priority {priority} was heard of more than half an hour late: nobody was texted."),
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
