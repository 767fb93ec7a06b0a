use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::on_call::tests::{book, book_with, contact, told};
use crate::rows::{Row as _, ShiftOverride};
use crate::{compile, sample};

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn stands_in(code: &str, contact: &str, instead_of: &str, from: &str, until: &str) -> Value {
    json!({"code": code, "contact": contact, "instead_of": instead_of, "from": from, "until": until})
}

fn two_who_alternate() -> Vec<Value> {
    vec![
        contact("mario", 1, &json!({"rotation_week": 1, "rotation_of": 2})),
        contact("sarah", 2, &json!({"rotation_week": 2, "rotation_of": 2})),
    ]
}

/// Each shift as `contact from until source`, in Montréal local time.
fn shown(book: &Rulebook, from: &str, until: &str) -> Vec<String> {
    let local = |at| derive::local(at, book.zone).format("%m-%dT%H:%M");
    let roster = book.roster(instant(from), instant(until));
    let shifts = roster.shifts.iter().map(|shift| {
        let by = shift.override_code.as_deref().unwrap_or(shift.source.name());
        format!(
            "{} {} {} {by}",
            shift.contact,
            local(shift.starts_at),
            local(shift.ends_at)
        )
    });
    let gaps = roster
        .gaps
        .iter()
        .map(|gap| format!("- {} {}", local(gap.starts_at), local(gap.ends_at)));
    shifts.chain(gaps).collect()
}

#[test]
fn an_override_puts_one_on_shift_and_takes_the_other_off_in_summer_and_in_winter() {
    let overrides = vec![
        stands_in("winter", "sarah", "mario", "2026-01-06T17:00", "2026-01-07T08:00"),
        stands_in("summer", "mario", "sarah", "2026-07-14T17:00", "2026-07-15T08:00"),
    ];
    let book = book_with(two_who_alternate(), overrides);
    for (at, who) in [
        // Montréal is five hours behind UTC in winter, and four in summer.
        ("2026-01-06T21:59:59Z", "mario"),
        ("2026-01-06T22:00:00Z", "sarah"),
        ("2026-01-07T12:59:59Z", "sarah"),
        ("2026-01-07T13:00:00Z", "mario"),
        ("2026-07-14T20:59:59Z", "sarah"),
        ("2026-07-14T21:00:00Z", "mario"),
        ("2026-07-15T11:59:59Z", "mario"),
        ("2026-07-15T12:00:00Z", "sarah"),
    ] {
        assert_eq!(told(&book, at), [who], "{at}");
    }
    let decision = book.decide(
        &crate::facts::ExtractedFacts::default(),
        instant("2026-01-06T22:00:00Z"),
    );
    let steps = decision.trace.iter().filter(|step| step.resource == "contacts");
    let steps: Vec<_> = steps.map(|step| (step.code.as_str(), step.did.as_str())).collect();
    let expected = [
        ("mario", "not on call: override winter"),
        ("sarah", "on call: override winter"),
    ];
    assert_eq!(steps, expected);
}

#[test]
fn who_stands_in_takes_the_place_of_whom_a_rule_names() {
    let people = || {
        let mut people = two_who_alternate();
        people.push(contact("amina", 3, &json!({"on_call": false})));
        people
    };
    let stand_in = stands_in("day_off", "amina", "mario", "2026-01-06T00:00", "2026-01-07T00:00");
    let book = book_with(people(), vec![stand_in]);
    let at = instant("2026-01-06T15:00:00Z");
    let named = |codes: &[&str]| {
        let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        book.recipients_on_shift(Some(&codes), at).0
    };
    // The first check uses the contacts with `on_call`, and the second check uses a rule that names only Mario.
    assert_eq!(book.recipients_on_shift(None, at).0, ["amina"]);
    assert_eq!(named(&["mario"]), ["amina"]);
    assert_eq!(named(&["sarah"]), ["sarah"], "nobody is on shift");
    // An override without `instead_of` adds its contact to the contacts on call, but not to the contacts that a rule
    // names.
    let joins = json!({"code": "help", "contact": "amina", "from": "2026-01-06T00:00", "until": "2026-01-07T00:00"});
    let book = book_with(people(), vec![joins]);
    assert_eq!(book.recipients_on_shift(None, at).0, ["mario", "amina"]);
    assert_eq!(book.recipients_on_shift(Some(&["mario".to_owned()]), at).0, ["mario"]);
}

#[test]
fn of_two_overrides_the_shorter_decides_and_stand_ins_follow_each_other() {
    let mut people = two_who_alternate();
    people.push(contact("amina", 3, &json!({"on_call": false})));
    let overrides = vec![
        stands_in("week", "sarah", "mario", "2026-01-05T08:00", "2026-01-12T08:00"),
        stands_in("day", "amina", "sarah", "2026-01-07T00:00", "2026-01-08T00:00"),
        stands_in("to_and", "mario", "sarah", "2026-02-03T00:00", "2026-02-04T00:00"),
        stands_in("fro", "sarah", "mario", "2026-02-03T00:00", "2026-02-04T00:00"),
    ];
    let book = book_with(people, overrides);
    assert_eq!(told(&book, "2026-01-06T15:00:00Z"), ["sarah"]);
    assert_eq!(told(&book, "2026-01-07T15:00:00Z"), ["amina"]);
    assert_eq!(told(&book, "2026-01-08T15:00:00Z"), ["sarah"]);
    // Two overrides that contradict each other leave both contacts on shift.
    assert_eq!(told(&book, "2026-02-03T15:00:00Z"), ["mario", "sarah"]);
    assert_eq!(
        shown(&book, "2026-01-05T13:00:00Z", "2026-01-12T13:00:00Z"),
        [
            "sarah 01-05T08:00 01-07T00:00 week",
            "amina 01-07T00:00 01-08T00:00 day",
            "sarah 01-08T00:00 01-12T08:00 week",
        ]
    );
}

#[test]
fn shifts_follow_calendars_and_weeks_through_changes_of_the_clock() {
    let book = book(vec![
        contact("owl", 1, &json!({"on_call_calendar": "nights"})),
        contact("lark", 2, &json!({"on_call_calendar": "main"})),
    ]);
    // The clock goes back in the night to Sunday, 1 November: that night has one hour more.
    assert_eq!(
        shown(&book, "2026-10-30T16:00:00Z", "2026-11-02T17:00:00Z"),
        [
            "lark 10-30T12:00 10-30T17:00 calendar",
            "owl 10-30T18:00 10-31T08:00 calendar",
            "owl 10-31T18:00 11-01T08:00 calendar",
            "owl 11-01T18:00 11-02T08:00 calendar",
            "lark 11-02T08:00 11-02T12:00 calendar",
            "- 10-30T17:00 10-30T18:00",
            "- 10-31T08:00 10-31T18:00",
            "- 11-01T08:00 11-01T18:00",
        ]
    );
    let night = &book
        .roster(instant("2026-10-31T20:00:00Z"), instant("2026-11-01T20:00:00Z"))
        .shifts[0];
    assert_eq!((night.ends_at - night.starts_at).num_hours(), 15);
    assert_eq!(
        book.roster(instant("2026-11-01T20:00:00Z"), instant("2026-11-01T20:00:00Z")),
        Roster::default()
    );
}

#[test]
fn an_override_in_the_hour_that_is_repeated_lasts_through_both() {
    let people = vec![
        contact("mario", 1, &json!({})),
        contact("sarah", 2, &json!({"on_call": false})),
    ];
    let overrides = vec![
        stands_in("back", "sarah", "mario", "2026-11-01T01:30", "2026-11-01T02:00"),
        stands_in("forward", "sarah", "mario", "2026-03-08T02:30", "2026-03-08T04:00"),
    ];
    let book = book_with(people, overrides);
    let roster = book.roster(instant("2026-11-01T04:00:00Z"), instant("2026-11-01T10:00:00Z"));
    let sarah: Vec<_> = roster.shifts.iter().filter(|shift| shift.contact == "sarah").collect();
    let spans: Vec<_> = sarah.iter().map(|shift| (shift.starts_at, shift.ends_at)).collect();
    // Sarah is on shift from 01:30 to 02:00. Then the clock goes back to 01:00, and 01:30 occurs again.
    let expected = [
        ("2026-11-01T05:30:00Z", "2026-11-01T06:00:00Z"),
        ("2026-11-01T06:30:00Z", "2026-11-01T07:00:00Z"),
    ];
    assert_eq!(spans, expected.map(|(from, until)| (instant(from), instant(until))));
    // 02:30 is skipped: the shift begins when the clock goes from 02:00 to 03:00.
    assert_eq!(
        shown(&book, "2026-03-08T05:00:00Z", "2026-03-08T10:00:00Z"),
        [
            "mario 03-08T00:00 03-08T03:00 always",
            "sarah 03-08T03:00 03-08T04:00 forward",
            "mario 03-08T04:00 03-08T06:00 always",
        ]
    );
}

#[test]
fn who_is_on_now_is_on_until_they_pause_and_others_are_next() {
    let overrides = vec![stands_in(
        "more",
        "mario",
        "sarah",
        "2026-01-12T08:00",
        "2026-01-13T08:00",
    )];
    let book = book_with(two_who_alternate(), overrides);
    let now = instant("2026-01-10T15:00:00Z");
    let roster = book.roster(instant("2026-01-05T13:00:00Z"), instant("2026-03-01T13:00:00Z"));
    let (on, next) = now_and_next(&roster, now);
    let on: Vec<_> = on.iter().map(|one| (one.shift.contact.as_str(), one.ends_at)).collect();
    assert_eq!(on, [("mario", instant("2026-01-13T13:00:00Z"))]);
    let next: Vec<_> = next
        .iter()
        .map(|shift| (shift.contact.as_str(), shift.starts_at))
        .collect();
    assert_eq!(next, [("sarah", instant("2026-01-13T13:00:00Z"))]);
}

#[test]
fn an_override_that_makes_no_sense_is_refused_with_its_place() {
    let faults = |row: Value| {
        let mut rows = sample::rows();
        let row: ShiftOverride = serde_json::from_value(row).unwrap();
        let stored = crate::rows::StoredRow { version: 1, row };
        rows.shift_overrides
            .insert(stored.row.code().to_owned(), std::sync::Arc::new(stored));
        let faults = compile(1, &rows, None).map(|_| ()).unwrap_err();
        let faults = faults
            .into_iter()
            .map(|fault| format!("{} {}", fault.column, fault.problem));
        faults.collect::<Vec<_>>()
    };
    for (row, expected) in [
        (
            json!({"code": "x", "contact": "nobody", "instead_of": "on_cal", "from": "2026-12-24T17:00", "until": "2026-12-25T08:00"}),
            vec!["contact unknown_reference", "instead_of unknown_reference"],
        ),
        (
            stands_in("x", "second", "second", "2026-12-24T17:00", "2026-12-25T08:00"),
            vec!["instead_of same_contact"],
        ),
        (
            stands_in("x", "second", "on_call", "2026-12-24T17:00", "2026-12-24T17:00"),
            vec!["until empty_span"],
        ),
        (
            stands_in("x", "second", "on_call", "2026-12-24T17:00", "2027-12-25T17:01"),
            vec!["until too_long"],
        ),
        (
            stands_in("x", "second", "on_call", "2026-12-24", "2026-12-25T8:00"),
            vec!["from bad_time", "until bad_time"],
        ),
    ] {
        assert_eq!(faults(row.clone()), expected, "{row}");
    }
}

fn plans() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!({}),
        json!({"on_call": false}),
        json!({"on_call_calendar": "nights"}),
        json!({"on_call_calendar": "main"}),
        json!({"rotation_week": 1, "rotation_of": 2}),
        json!({"rotation_week": 2, "rotation_of": 3}),
        json!({"rotation_week": 2, "rotation_of": 2, "on_call_calendar": "nights"}),
        json!({"on_call": false, "on_call_calendar": "nights"}),
    ])
}

const PEOPLE: [&str; 4] = ["a", "b", "c", "d"];
/// The day before each clock change, and a day in summer.
const DAYS: [&str; 3] = ["2026-03-07", "2026-10-31", "2026-07-08"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// At any instant, the recipients of a decision are the contacts in the roster.
    #[test]
    fn the_roster_says_what_decisions_do(
        people in prop::collection::vec(plans(), 1..=4),
        overrides in prop::collection::vec((0..4usize, prop::option::of(0..4usize), 0..40u32, 1..30u32), 0..5),
        day in prop::sample::select(DAYS.to_vec()),
        minutes in prop::collection::vec(0..2_880i64, 20),
    ) {
        let count = people.len();
        let people = people.iter().enumerate().map(|(place, plan)| contact(PEOPLE[place], 1, plan)).collect();
        let midnight = day.parse::<NaiveDate>().unwrap().and_hms_opt(0, 0, 0).unwrap();
        let time = |hours: u32| (midnight + chrono::TimeDelta::minutes(i64::from(hours) * 75)).format("%Y-%m-%dT%H:%M").to_string();
        let overrides = overrides.iter().enumerate().filter_map(|(place, (who, whom, from, lasts))| {
            let (who, whom) = (who % count, whom.map(|whom| whom % count));
            let mut row = json!({"code": format!("o{place}"), "contact": PEOPLE[who], "from": time(*from), "until": time(from + lasts)});
            if let Some(whom) = whom {
                row["instead_of"] = PEOPLE[whom].into();
            }
            (whom != Some(who)).then_some(row)
        });
        let book = book_with(people, overrides.collect());
        let from = book.begin_of_day(day.parse().unwrap()).unwrap();
        let until = from + chrono::TimeDelta::days(2);
        let roster = book.roster(from, until);
        for minute in minutes {
            let at = from + chrono::TimeDelta::minutes(minute) + chrono::TimeDelta::seconds(30);
            let is_on = |code: &str| roster.shifts.iter().any(|shift| shift.contact == code && shift.starts_at <= at && at < shift.ends_at);
            let is_gap = roster.gaps.iter().any(|gap| gap.starts_at <= at && at < gap.ends_at);
            if !book.on_call.is_empty() {
                prop_assert_eq!(is_gap, !book.is_anybody_on_shift(at), "{}", at);
            }
            let (told, _) = book.recipients_on_shift(None, at);
            if !is_gap && !book.on_call.is_empty() {
                for code in &told {
                    prop_assert!(is_on(code), "{} at {}", code, at);
                }
            }
            for code in &book.on_call {
                let contact = &book.rows().contacts[code].row;
                prop_assert_eq!(is_on(code), book.is_on_shift(contact, at), "{} at {}", code, at);
            }
        }
        for shift in &roster.shifts {
            prop_assert!(shift.starts_at < shift.ends_at);
        }
    }
}
