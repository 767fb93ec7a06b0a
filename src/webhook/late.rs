//! What comes too late to text anyone. In: how a message came, when it happened, the time. Out: yes or no.
//!
//! The one rule: a message that did not come straight from Vapi and is older than half an hour texts nobody; its lead is
//! marked and a person is told. A message that waited shorter than that (in the spool, or because Vapi's report got lost)
//! is as urgent as it was, and texts.

use chrono::{DateTime, TimeDelta, Utc};

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

    /// Whether what happened at an instant comes too late, by now, to text anyone.
    #[must_use]
    pub fn is_late(self, happened: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        self != Self::Live && now - happened > TOO_OLD
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
            assert!(!origin.is_late(now - TimeDelta::minutes(30), now), "{origin:?}");
            assert_eq!(
                origin.is_late(now - TimeDelta::minutes(30) - TimeDelta::microseconds(1), now),
                detour,
                "{origin:?}"
            );
            assert!(!origin.is_late(now + TimeDelta::days(1), now), "{origin:?}");
        }
    }
}
