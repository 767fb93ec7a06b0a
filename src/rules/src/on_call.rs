//! Chooses the recipients by shift, and explains the choice in the trace.
//!
//! A contact's schedule is a calendar (its open hours are the on-call hours), a week of a rotation, or both. With both,
//! the contact is on shift only when both apply. A contact without a schedule is always on call. A shift override takes
//! precedence over every schedule. If nobody is on shift, all candidates are notified: one recipient too many is better
//! than none.
//!
//! All times are local wall-clock times, as in [`calendar`](super::calendar): a handover at 08:00 is at 08:00 in summer
//! and in winter. An hour that a clock change repeats occurs twice in the schedule.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::calendar::Calendar;
use super::compile::Rulebook;
use super::decision::Step;
use super::derive;
use super::rows::{Contact, Resource, RowSet, Settings};
use super::shift_overrides::{Covering, expanded, verdict};
use super::wall_clock;

const WEEK_SECONDS: i64 = 7 * 24 * 60 * 60;
/// Maximum length of a rotation, in weeks.
pub const LONGEST_ROTATION: i64 = 52;

/// The schedules of contacts, by the contact's code.
#[derive(Debug, Clone, Default)]
pub struct Plans(BTreeMap<String, Plan>);

#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub calendar: Option<(String, Arc<Calendar>)>,
    pub turn: Option<RotationWeek>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct RotationWeek {
    week: i64,
    of: i64,
    /// The local time at which week 1 began.
    pub from: NaiveDateTime,
}

impl Plan {
    /// Whether the schedule puts its contact on shift.
    pub fn is_on_shift(&self, local: NaiveDateTime) -> bool {
        let open = self.calendar.as_ref().is_none_or(|(_, calendar)| calendar.open(local));
        let is_week = |turn: RotationWeek| turn.week == week(turn.from, local, turn.of);
        open && self.turn.is_none_or(is_week)
    }
}

impl Plans {
    /// Builds the schedules from rows without validation errors.
    pub(super) fn new(rows: &RowSet, settings: &Settings, calendars: &BTreeMap<&str, Calendar>) -> Self {
        let from = settings.rotation_from.as_deref().and_then(wall_clock::parse);
        let mut shared: BTreeMap<&str, Arc<Calendar>> = BTreeMap::new();
        let mut plans = BTreeMap::new();
        for contact in rows.contacts.values().map(|stored| &stored.row) {
            let calendar = contact.on_call_calendar.as_deref().and_then(|code| {
                let calendar = match shared.get(code) {
                    Some(calendar) => Arc::clone(calendar),
                    None => Arc::new(calendars.get(code)?.clone()),
                };
                let (name, _) = calendars.get_key_value(code)?;
                shared.insert(name, Arc::clone(&calendar));
                Some((code.to_owned(), calendar))
            });
            let turn = contact.rotation_week.zip(contact.rotation_of).zip(from);
            let turn = turn.map(|((week, of), from)| RotationWeek { week, of, from });
            if calendar.is_some() || turn.is_some() {
                plans.insert(contact.code.clone(), Plan { calendar, turn });
            }
        }
        Self(plans)
    }

    /// Returns the schedule of a contact, if there is one.
    pub(super) fn of(&self, code: &str) -> Option<&Plan> {
        self.0.get(code)
    }

    /// Returns the codes of the contacts that have a schedule.
    pub(super) fn codes(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The schedule of a contact in words.
    fn words(&self, code: &str) -> String {
        let Some(plan) = self.0.get(code) else {
            return String::new();
        };
        let calendar = plan.calendar.as_ref().map(|(code, _)| format!("calendar {code}"));
        let turn = plan.turn.map(|turn| format!("week {} of {}", turn.week, turn.of));
        calendar.into_iter().chain(turn).collect::<Vec<_>>().join(", ")
    }
}

/// Returns the number of the rotation week at a local time, from 1. Before the beginning of the rotation, weeks are
/// counted backwards.
fn week(from: NaiveDateTime, local: NaiveDateTime, of: i64) -> i64 {
    let weeks = (local - from).num_seconds().div_euclid(WEEK_SECONDS);
    weeks.rem_euclid(of.max(1)) + 1
}

impl Rulebook {
    /// Whether a contact is on shift. An override that covers the instant takes precedence over the schedule. A contact
    /// without a schedule and without an override is always on shift.
    #[must_use]
    pub fn is_on_shift(&self, contact: &Contact, at: DateTime<Utc>) -> bool {
        let local = derive::local(at, self.zone);
        self.is_on(&contact.code, local, &self.overrides.at(local))
    }

    fn is_on(&self, code: &str, local: NaiveDateTime, covering: &Covering<'_>) -> bool {
        let planned = || self.plans.of(code).is_none_or(|plan| plan.is_on_shift(local));
        verdict(covering, code).map_or_else(planned, |(is_on, _)| is_on)
    }

    /// Whether a contact has a schedule.
    #[must_use]
    pub fn has_plan(&self, contact: &Contact) -> bool {
        self.plans.of(&contact.code).is_some()
    }

    /// Whether anybody is on shift: a contact with `on_call`, a stand-in, or a contact whom an override adds.
    #[must_use]
    pub fn is_anybody_on_shift(&self, at: DateTime<Utc>) -> bool {
        let local = derive::local(at, self.zone);
        let covering = self.overrides.at(local);
        let codes = expanded(&covering, &self.on_call, true);
        codes.iter().any(|code| self.is_on(code, local, &covering))
    }

    /// Chooses from the contacts that a rule names, or from the contacts with `on_call` if no rule names a contact.
    /// Returns the contacts on shift in the same order, each followed by their stand-ins. If nobody is on shift,
    /// returns all candidates. Each contact with a schedule or an override adds a step to the trace.
    pub(super) fn recipients_on_shift(&self, named: Option<&[String]>, at: DateTime<Utc>) -> (Vec<String>, Vec<Step>) {
        let local = derive::local(at, self.zone);
        let covering = self.overrides.at(local);
        let listed = named.unwrap_or(&self.on_call);
        let codes = expanded(&covering, listed, named.is_none());
        let is_planned = |code: &&String| self.plans.of(code).is_some() || verdict(&covering, code).is_some();
        if !codes.iter().any(|code| is_planned(&code)) {
            return (codes, Vec::new());
        }
        let words = |code: &str| {
            let by_override = verdict(&covering, code).map(|(_, by)| format!("override {}", by.code));
            by_override.unwrap_or_else(|| self.plans.words(code))
        };
        let step = |code: &String, did: String| Step::plain(Resource::Contacts, code, did);
        let is_on_shift = |code: &&String| self.is_on(code, local, &covering);
        let up: Vec<String> = codes.iter().filter(is_on_shift).cloned().collect();
        if up.is_empty() {
            let did = |code| format!("notified although nobody is on shift: {}", words(code));
            let steps = listed.iter().map(|code| step(code, did(code)));
            return (listed.to_vec(), steps.collect());
        }
        let steps = codes.iter().filter(is_planned).map(|code| {
            let how = if up.contains(code) { "on call" } else { "not on call" };
            step(code, format!("{how}: {}", words(code)))
        });
        let steps = steps.collect();
        (up, steps)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::facts::ExtractedFacts;
    use crate::rows::Row;
    use crate::{compile, sample};

    pub(crate) fn contact(code: &str, rank: i64, plan: &Value) -> Value {
        let mut row = json!({"code": code, "name": code, "phone": "+15145550101", "language": "fr", "rank": rank, "on_call": true});
        for (name, value) in plan.as_object().unwrap() {
            row[name] = value.clone();
        }
        row
    }

    fn put<R: Row>(rows: &mut RowSet, row: Value) {
        let row: R = serde_json::from_value(row).unwrap();
        let stored = crate::rows::StoredRow { version: 1, row };
        R::table_mut(rows).insert(stored.row.code().to_owned(), Arc::new(stored));
    }

    pub(crate) fn book(contacts: Vec<Value>) -> Rulebook {
        book_with(contacts, Vec::new())
    }

    /// Compiles the sample with these contacts and overrides; rotation weeks begin on Mondays at 08:00.
    pub(crate) fn book_with(contacts: Vec<Value>, overrides: Vec<Value>) -> Rulebook {
        let mut rows = sample::rows();
        rows.contacts.clear();
        rows.cases.clear();
        rows.assistant_rules.clear();
        for service in rows.services.values_mut() {
            Arc::make_mut(service).row.notify.clear();
        }
        let mut settings = serde_json::to_value(&rows.settings["settings"].row).unwrap();
        settings["rotation_from"] = json!("2026-01-05T08:00");
        put::<Settings>(&mut rows, settings);
        let always = [
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "saturday",
            "sunday",
        ];
        let nights: serde_json::Map<String, Value> = always
            .iter()
            .map(|day| ((*day).to_owned(), json!(["18:00-08:00"])))
            .collect();
        let nights =
            json!({"code": "nights", "open": nights, "evening_from": "18:00", "evening_until": "22:00", "weekend": []});
        put::<crate::rows::Calendar>(&mut rows, nights);
        for row in contacts {
            put::<Contact>(&mut rows, row);
        }
        for row in overrides {
            put::<crate::rows::ShiftOverride>(&mut rows, row);
        }
        compile(1, &rows, None).unwrap_or_else(|faults| panic!("{faults:#?}"))
    }

    pub(crate) fn told(book: &Rulebook, at: &str) -> Vec<String> {
        book.decide(&ExtractedFacts::default(), at.parse().unwrap()).notify
    }

    #[test]
    fn two_people_take_turns_by_the_week() {
        let book = book(vec![
            contact("mario", 1, &json!({"rotation_week": 1, "rotation_of": 2})),
            contact("sarah", 2, &json!({"rotation_week": 2, "rotation_of": 2})),
        ]);
        // Montréal is five hours behind UTC in winter: the handover is at 13:00 UTC.
        assert_eq!(told(&book, "2026-01-12T12:59:59Z"), ["mario"]);
        assert_eq!(told(&book, "2026-01-12T13:00:00Z"), ["sarah"]);
        assert_eq!(told(&book, "2026-01-19T13:00:00Z"), ["mario"]);
        // Weeks before the first week are counted backwards.
        assert_eq!(told(&book, "2026-01-05T12:59:59Z"), ["sarah"]);
        // In summer, the handover is at the same local time, and the weeks continue.
        assert_eq!(told(&book, "2026-07-13T11:59:59Z"), ["mario"]);
        assert_eq!(told(&book, "2026-07-13T12:00:00Z"), ["sarah"]);
    }

    #[test]
    fn the_weeks_in_which_clocks_change_are_handed_over_at_the_same_time_by_the_wall() {
        let book = book(
            (1..=5)
                .map(|week| {
                    let plan = json!({"rotation_week": week, "rotation_of": 5});
                    contact(&format!("p{week}"), week, &plan)
                })
                .collect(),
        );
        // The clocks of Montréal go forward on 8 March and back on 1 November 2026.
        for (before, after, one, other) in [
            ("2026-03-09T11:59:59Z", "2026-03-09T12:00:00Z", "p4", "p5"),
            ("2026-11-02T12:59:59Z", "2026-11-02T13:00:00Z", "p3", "p4"),
        ] {
            assert_eq!(
                (told(&book, before), told(&book, after)),
                (vec![one.to_owned()], vec![other.to_owned()])
            );
        }
    }

    #[test]
    fn a_calendar_says_when_somebody_is_on_call_and_whoever_has_none_always_is() {
        let book = book(vec![
            contact("owl", 1, &json!({"on_call_calendar": "nights"})),
            contact("lark", 2, &json!({"on_call_calendar": "main"})),
        ]);
        assert_eq!(told(&book, "2026-11-24T15:00:00Z"), ["lark"]);
        assert_eq!(told(&book, "2026-11-25T03:00:00Z"), ["owl"]);
        // Nobody is on shift in this hour, so both are notified.
        assert_eq!(told(&book, "2026-11-24T22:30:00Z"), ["owl", "lark"]);
        // In these nights, a clock change repeats or skips an hour.
        for at in [
            "2026-11-01T05:30:00Z",
            "2026-11-01T06:30:00Z",
            "2026-03-08T06:59:00Z",
            "2026-03-08T07:00:00Z",
        ] {
            assert_eq!(told(&book, at), ["owl"], "{at}");
        }
    }

    #[test]
    fn week_and_calendar_together_must_both_hold_and_the_trace_says_so() {
        let book = book(vec![
            contact(
                "both",
                1,
                &json!({"on_call_calendar": "nights", "rotation_week": 1, "rotation_of": 2}),
            ),
            contact("always", 2, &json!({})),
        ]);
        assert_eq!(told(&book, "2026-01-06T03:00:00Z"), ["both", "always"]);
        assert_eq!(told(&book, "2026-01-13T03:00:00Z"), ["always"]);
        assert_eq!(told(&book, "2026-01-06T15:00:00Z"), ["always"]);
        let decision = book.decide(&ExtractedFacts::default(), "2026-01-06T15:00:00Z".parse().unwrap());
        let steps: Vec<_> = decision
            .trace
            .iter()
            .filter(|step| step.resource == "contacts")
            .collect();
        assert_eq!(steps.len(), 1);
        assert_eq!(
            (steps[0].code.as_str(), steps[0].did.as_str()),
            ("both", "not on call: calendar nights, week 1 of 2")
        );
    }
}
