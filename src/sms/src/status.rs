//! Applies Twilio's statuses to an SMS message, and computes the row to write (pure).
//!
//! Statuses arrive in any order, duplicated, before the response to our own POST, or about a message that a later
//! message has replaced. So statuses have ranks: a status is ignored if its rank is not higher than the known rank.
//! Nothing follows a final status.

use chrono::{DateTime, Utc};

use super::error_codes::{Later, code_rule, worth_sending_again};
use super::retry::{GivenUp, accept, may_resend, requeue};
use super::retry_policy::RetryPolicy;
use store::sms_messages::{ACCEPTED, AMBIGUOUS, DEAD, DELIVERED, Model, QUEUED, SENDING, SIMULATED};

/// The meaning of a Twilio status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusMeaning {
    /// Accepted, not final.
    OnItsWay,
    /// Delivered.
    Arrived,
    /// Not delivered, final.
    Failed,
}

/// Twilio's statuses, one per line: name, rank, meaning.
#[rustfmt::skip]
pub const STATUSES: &[(&str, u8, StatusMeaning)] = &[
    ("scheduled",   1, StatusMeaning::OnItsWay),
    ("accepted",    1, StatusMeaning::OnItsWay),
    ("queued",      2, StatusMeaning::OnItsWay),
    ("sending",     3, StatusMeaning::OnItsWay),
    ("sent",        4, StatusMeaning::OnItsWay),
    ("delivered",   END, StatusMeaning::Arrived),
    ("read",        END, StatusMeaning::Arrived),
    ("undelivered", END, StatusMeaning::Failed),
    ("failed",      END, StatusMeaning::Failed),
    ("canceled",    END, StatusMeaning::Failed),
];

/// The rank of a final status.
pub const END: u8 = 5;

/// A status as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub sid: String,
    /// Twilio's name of the status.
    pub status: String,
    /// The error code of a failure.
    pub error_code: Option<i64>,
}

/// The known data about an SMS message besides its row.
#[derive(Clone, Copy, Debug, Default)]
pub struct KnownStatuses {
    /// The highest known status rank of the Twilio message in the report; 0 if no status is known.
    pub rank: u8,
    /// How often the provider accepted the SMS message, or may have accepted it, in the current series of attempts.
    pub sends: u64,
    /// How many earlier sends of this SMS message failed after Twilio accepted them.
    pub failures: u64,
    /// How many attempts of the current series never left the machine.
    pub unsent: i64,
}

/// The effect of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatusEffect {
    /// No effect: the status is older than the known status, or is about a replaced message.
    NoStep,
    /// The SMS message was updated.
    Step,
    /// The SMS message is sent again.
    Again,
    /// The SMS message is given up.
    GivenUp(GivenUp),
}

/// Rank and meaning of a status; `None` if the name is unknown.
#[must_use]
pub fn of_word(word: &str) -> Option<(u8, StatusMeaning)> {
    STATUSES
        .iter()
        .find(|(known, ..)| *known == word)
        .map(|(_, rank, kind)| (*rank, *kind))
}

/// Rank of a status; 0 if the name is unknown.
#[must_use]
pub fn rank_of(word: &str) -> u8 {
    of_word(word).map_or(0, |(rank, _)| rank)
}

/// Computes the row after a status.
pub(super) fn after_report(
    mut row: Model,
    report: &Report,
    known: KnownStatuses,
    retry_policy: &RetryPolicy,
    now: DateTime<Utc>,
    random: u64,
) -> (Model, StatusEffect) {
    let Some((rank, kind)) = of_word(&report.status) else {
        return (row, StatusEffect::NoStep);
    };
    let same = row.provider_id.as_deref() == Some(report.sid.as_str());
    let known_rank = match &row.provider_status {
        Some(status) if same => known.rank.max(rank_of(status)),
        _ => known.rank,
    };
    let over = row.state == DELIVERED || row.state == SIMULATED;
    // The status is about a replaced message, of which only the delivery matters.
    let replaced = row.provider_id.is_some() && !same;
    if over || rank <= known_rank || (replaced && kind != StatusMeaning::Arrived) {
        return (row, StatusEffect::NoStep);
    }
    row.updated_at = now;
    match kind {
        StatusMeaning::Arrived => {
            accept(&mut row, &report.sid, Some(&report.status));
            row.state = DELIVERED.into();
            (row, StatusEffect::Step)
        }
        // This also revives an SMS message that was given up because it was unknown whether Twilio had it.
        StatusMeaning::OnItsWay => {
            accept(&mut row, &report.sid, Some(&report.status));
            (row, StatusEffect::Step)
        }
        StatusMeaning::Failed => failed(row, report, known, retry_policy, now, random),
    }
}

/// Computes the row of an undelivered SMS message. The message is queued again if its priority and the reason allow a
/// resend, and given up otherwise.
fn failed(
    mut row: Model,
    report: &Report,
    known: KnownStatuses,
    retry_policy: &RetryPolicy,
    now: DateTime<Utc>,
    random: u64,
) -> (Model, StatusEffect) {
    let was_dead = row.state == DEAD;
    row.lease_until = None;
    row.provider_id = Some(report.sid.clone());
    row.provider_status = Some(report.status.clone());
    row.error_code = report.error_code;
    row.error = Some(
        code_rule(report.error_code)
            .map_or("Twilio could not deliver the SMS message", |rule| rule.meaning)
            .into(),
    );
    if was_dead {
        return (row, StatusEffect::Step);
    }
    debug_assert!([QUEUED, SENDING, AMBIGUOUS, ACCEPTED].contains(&row.state.as_str()));
    let worth = match worth_sending_again(report.error_code) {
        Later::Perhaps => true,
        Later::Once => known.failures == 0,
        Later::Never => false,
    };
    if !worth || !may_resend(&row.priority, known.sends, retry_policy) {
        row.state = DEAD.into();
        return (row, StatusEffect::GivenUp(GivenUp::Undelivered));
    }
    // Further statuses of this send no longer matter, because the next send counts.
    row.provider_id = None;
    row.provider_status = None;
    let again_at = now + retry_policy.wait(row.tries(), Some(retry_policy.undelivered_wait), random);
    let (row, given_up) = requeue(row, known.unsent, again_at, retry_policy);
    (row, given_up.map_or(StatusEffect::Again, StatusEffect::GivenUp))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at() -> DateTime<Utc> {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn row(state: &str, sid: Option<&str>, priority: &str) -> Model {
        Model {
            rulebook_id: uuid::Uuid::nil(),
            id: uuid::Uuid::nil(),
            dedupe_key: String::new(),
            call_id: None,
            decision_id: None,
            contact: "on_call".into(),
            template: "alert".into(),
            priority: priority.into(),
            to_number: String::new(),
            body: String::new(),
            reference: String::new(),
            state: state.into(),
            attempts: 1,
            next_attempt_at: at(),
            lease_until: Some(at()),
            fence: 1,
            provider_id: sid.map(ToOwned::to_owned),
            provider_status: sid.map(|_| "queued".to_owned()),
            error_code: None,
            error: None,
            created_at: at(),
            updated_at: at(),
            series_from: 0,
            resent_at: None,
            rule: None,
            held_until: None,
        }
    }

    fn report(sid: &str, status: &str, error_code: Option<i64>) -> Report {
        Report {
            sid: sid.into(),
            status: status.into(),
            error_code,
        }
    }

    fn known(rank: u8, sends: u64, failures: u64) -> KnownStatuses {
        KnownStatuses {
            rank,
            sends,
            failures,
            unsent: 0,
        }
    }

    fn step(before: Model, said: &Report, known: KnownStatuses) -> (Model, StatusEffect) {
        after_report(before, said, known, &RetryPolicy::default(), at(), u64::MAX)
    }

    #[test]
    fn a_status_goes_forward_only_and_an_end_is_an_end() {
        let words: Vec<&str> = STATUSES.iter().map(|(word, ..)| *word).collect();
        for first in &words {
            for second in &words {
                let (one, _) = step(
                    row(ACCEPTED, Some("SM1"), "P3"),
                    &report("SM1", first, None),
                    known(0, 1, 0),
                );
                let before = one.clone();
                let (two, turnout) = step(one, &report("SM1", second, None), known(rank_of(first), 1, 0));
                let forward = rank_of(second) > rank_of(first) && rank_of(second) > rank_of("queued");
                assert_eq!(turnout != StatusEffect::NoStep, forward, "{first}, then {second}");
                if !forward {
                    assert_eq!(two, before, "{first}, then {second}");
                }
            }
        }
        let (same, turnout) = step(
            row(ACCEPTED, Some("SM1"), "P1"),
            &report("SM1", "pondering", None),
            known(0, 1, 0),
        );
        assert_eq!(
            (turnout, same),
            (StatusEffect::NoStep, row(ACCEPTED, Some("SM1"), "P1"))
        );
    }

    #[test]
    fn a_status_settles_what_nobody_knew() {
        for state in [SENDING, AMBIGUOUS, QUEUED, DEAD] {
            let (after, turnout) = step(row(state, None, "P3"), &report("SM1", "sent", None), known(0, 1, 0));
            assert_eq!(
                (after.state.as_str(), turnout),
                (ACCEPTED, StatusEffect::Step),
                "{state}"
            );
            assert_eq!((after.provider_id.as_deref(), after.lease_until), (Some("SM1"), None));
            let (after, _) = step(
                row(state, None, "P3"),
                &report("SM1", "delivered", None),
                known(0, 1, 0),
            );
            assert_eq!(after.state, DELIVERED, "{state}");
        }
    }

    #[test]
    fn a_message_that_was_replaced_matters_only_when_it_arrives() {
        let two = || row(ACCEPTED, Some("SM2"), "P1");
        for status in ["sent", "undelivered", "failed"] {
            let (after, turnout) = step(two(), &report("SM1", status, Some(30003)), known(0, 2, 0));
            assert_eq!((after, turnout), (two(), StatusEffect::NoStep), "{status}");
        }
        let (after, _) = step(two(), &report("SM1", "delivered", None), known(4, 2, 0));
        assert_eq!(
            (after.state.as_str(), after.provider_id.as_deref()),
            (DELIVERED, Some("SM1"))
        );
    }

    #[test]
    fn what_was_not_delivered_is_sent_again_where_reason_and_priority_allow_it() {
        let fate = |priority: &str, code: Option<i64>, sends, failures| {
            let said = report("SM1", "undelivered", code);
            let (after, turnout) = step(row(ACCEPTED, Some("SM1"), priority), &said, known(4, sends, failures));
            (after.state, turnout)
        };
        let again = (QUEUED.to_owned(), StatusEffect::Again);
        let dead = (DEAD.to_owned(), StatusEffect::GivenUp(GivenUp::Undelivered));
        for code in [30001, 30003, 30036] {
            assert_eq!(fate("P1", Some(code), 1, 0), again, "{code}");
            assert_eq!(fate("P2", Some(code), 2, 1), again, "{code}");
            assert_eq!(fate("P1", Some(code), 3, 2), dead, "{code}: three sends are enough");
            assert_eq!(fate("P3", Some(code), 1, 0), dead, "{code}");
        }
        for code in [30002, 30004, 30005, 30006, 30007, 30034, 99999] {
            assert_eq!(fate("P1", Some(code), 1, 0), dead, "{code}");
        }
        assert_eq!(fate("P1", Some(30008), 1, 0), again);
        assert_eq!(fate("P1", Some(30008), 2, 1), dead);
        assert_eq!(fate("P1", None, 1, 0), dead);
        let (after, _) = step(
            row(ACCEPTED, Some("SM1"), "P1"),
            &report("SM1", "undelivered", Some(30003)),
            known(0, 1, 0),
        );
        assert_eq!(after.provider_id, None);
        assert_eq!(
            after.next_attempt_at,
            at() + RetryPolicy::default().undelivered_wait.max(TimeDelta::seconds(2))
        );
        let mut old = row(ACCEPTED, Some("SM1"), "P1");
        old.created_at = at() - TimeDelta::hours(6);
        let (after, turnout) = step(old, &report("SM1", "undelivered", Some(30036)), known(0, 1, 0));
        assert_eq!(
            (after.state.as_str(), turnout),
            (DEAD, StatusEffect::GivenUp(GivenUp::Stale))
        );
    }
}
