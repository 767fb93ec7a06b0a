//! Tests calendars on difficult days.

use chrono::{DateTime, Offset, TimeDelta, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::derive;

fn calendar() -> Calendar {
    let row: rows::Calendar = toml::from_str(
        r#"
        code = "main"
        evening_from = "18:00"
        evening_until = "22:00"
        weekend = ["saturday", "sunday"]
        open = { monday = ["08:00-12:00", "13:00-17:00"], tuesday = ["08:00-17:00"] }
        holidays = [{ date = "2026-12-28", name = "closed" }]
        "#,
    )
    .unwrap();
    let mut faults = Vec::new();
    let calendar = Calendar::new(&row, &mut faults);
    assert_eq!(faults, []);
    calendar
}

fn local(text: &str) -> NaiveDateTime {
    text.parse().unwrap()
}

#[test]
fn the_evening_begins_and_ends_on_the_minute() {
    let calendar = calendar();
    let evenings = [
        "2026-11-23T17:59:59",
        "2026-11-23T18:00:00",
        "2026-11-23T21:59:59",
        "2026-11-23T22:00:00",
    ]
    .map(|at| calendar.evening(local(at)));
    assert_eq!(evenings, [false, true, true, false]);
}

#[test]
fn a_holiday_is_closed_all_day() {
    let calendar = calendar();
    assert!(calendar.open(local("2026-12-21T09:00:00")));
    assert!(!calendar.open(local("2026-12-21T12:30:00")));
    assert!(!calendar.open(local("2026-12-28T09:00:00")));
    assert_eq!(calendar.holiday("2026-12-28".parse().unwrap()), Some("closed"));
}

#[test]
fn working_days_skip_days_on_which_we_are_closed() {
    let calendar = calendar();
    let friday = "2026-12-25".parse().unwrap();
    // Monday the 28th is a holiday, so the next open days are the 29th and the 4th.
    assert_eq!(calendar.days_later(friday, 2, true), "2027-01-04".parse().unwrap());
    assert_eq!(calendar.days_later(friday, 2, false), "2026-12-27".parse().unwrap());
}

/// Builds a calendar with these fields and an evening from 18:00 to 22:00.
fn with(fields: &str) -> Result<Calendar, Vec<Fault>> {
    let row: rows::Calendar = toml::from_str(&format!(
        "code = \"main\"\nevening_from = \"18:00\"\nevening_until = \"22:00\"\n{fields}"
    ))
    .unwrap();
    let mut faults = Vec::new();
    let calendar = Calendar::new(&row, &mut faults);
    if faults.is_empty() { Ok(calendar) } else { Err(faults) }
}

#[test]
fn a_night_belongs_to_the_day_on_which_it_begins() {
    // 24 December 2026 is a Thursday, and the 25th is a holiday.
    let calendar = with(
        r#"
        weekend = ["saturday", "sunday"]
        open = { thursday = ["22:00-06:00"], friday = ["22:00-06:00"] }
        holiday_rules = [{ on = "12-25", name = "Noël" }]
        "#,
    )
    .unwrap();
    let open = [
        "2026-12-24T05:00:00",
        "2026-12-24T21:59:59",
        "2026-12-24T22:00:00",
        // The hours of the 24th continue into the holiday.
        "2026-12-25T05:59:59",
        "2026-12-25T06:00:00",
        // The hours of the holiday itself do not begin.
        "2026-12-25T22:00:00",
        "2026-12-26T03:00:00",
    ]
    .map(|at| calendar.open(local(at)));
    assert_eq!(open, [false, false, true, true, false, false, false]);
    assert!(
        calendar.open(local("2026-12-19T03:00:00")),
        "Friday's night goes on into Saturday"
    );
    assert_eq!(calendar.hours_text("2026-12-24".parse().unwrap()), ["22:00-06:00"]);
    assert_eq!(calendar.hours_text("2026-12-25".parse().unwrap()), Vec::<String>::new());
}

#[test]
fn a_special_day_has_hours_of_its_own() {
    let calendar = with(
        r#"
        weekend = ["saturday", "sunday"]
        open = { thursday = ["08:00-17:00"], friday = ["08:00-17:00"] }
        holidays = [{ date = "2026-12-25", name = "Noël" }]
        special_days = [
            { on = "12-24", name = "Veille", open = ["08:00-12:00"] },
            { on = "2027-12-24", name = "Inventory" },
            { on = "2026-12-25", name = "Emergencies only", open = ["10:00-12:00"] },
            { on = "2026-12-27", name = "Sunday sale", open = ["10:00-12:00"] },
        ]
        "#,
    )
    .unwrap();
    let hours = |date: &str| calendar.hours_text(date.parse().unwrap());
    assert_eq!(hours("2026-12-17"), ["08:00-17:00"]);
    assert_eq!(hours("2026-12-24"), ["08:00-12:00"]);
    assert_eq!(
        hours("2027-12-24"),
        Vec::<String>::new(),
        "a date takes precedence over a rule"
    );
    assert_eq!(hours("2026-12-25"), ["10:00-12:00"]);
    assert_eq!(
        calendar.holiday("2026-12-25".parse().unwrap()),
        Some("Noël"),
        "open for a while, and still a holiday"
    );
    assert_eq!(hours("2026-12-27"), ["10:00-12:00"]);
    assert!(calendar.open(local("2026-12-27T11:00:00")) && calendar.weekend("2026-12-27".parse().unwrap()));
    assert_eq!(calendar.special("2026-12-24".parse().unwrap()), Some("Veille"));
}

#[test]
fn a_fault_names_the_row_the_place_and_what_is_expected() {
    let faults = with(
        r#"
        weekend = ["saterday"]
        open = { monday = ["08:00-17:00", "16:00-18:00"] }
        holiday_rules = [{ on = "12-25", name = "Noël" }, { on = "frist monday of may", name = "x" }]
        special_days = [
            { on = "12-24", name = "x", open = ["8-12"] },
            { on = "12-24", name = "y" },
            { on = "easter -2", name = "z" },
        ]
        "#,
    )
    .unwrap_err();
    let told: Vec<String> = faults.iter().map(|f| format!("{} {}", f.column, f.problem)).collect();
    assert_eq!(
        told,
        [
            "open/monday bad_hours",
            "weekend bad_hours",
            "holiday_rules/1/on bad_day",
            "special_days/0/open bad_hours",
            "special_days/1/on duplicate",
            "special_days/2/on bad_day",
        ]
    );
    assert!(
        faults[1].text.ends_with("did you mean `saturday`?"),
        "{}",
        faults[1].text
    );
    assert!(faults[2].text.ends_with("did you mean `first`?"), "{}", faults[2].text);
}

fn zone(name: &str) -> Tz {
    name.parse().unwrap()
}

/// Returns whether the business is open, and whether it is evening, at an instant in a zone.
fn facts(calendar: &Calendar, zone: Tz, at: &str) -> (bool, bool) {
    let local = derive::local(at.parse().unwrap(), zone);
    (calendar.open(local), calendar.evening(local))
}

#[test]
fn the_clock_on_the_wall_decides_when_it_is_changed() {
    let calendar = with(
        r#"
        weekend = []
        open = { sunday = ["01:00-02:30", "03:00-04:00"] }
        "#,
    )
    .unwrap();
    let montreal = zone("America/Toronto");
    // 8 March 2026: the clock goes from 02:00 to 03:00. The half hour from 02:00 never occurs.
    let spring = ["06:59:59", "07:00:00", "07:59:59", "08:00:00"];
    let spring = spring.map(|at| facts(&calendar, montreal, &format!("2026-03-08T{at}Z")).0);
    assert_eq!(spring, [true, true, true, false]);
    // 1 November 2026: the clock goes from 02:00 back to 01:00. Both hours from 01:00 are open.
    let autumn = [
        "04:59:59", "05:00:00", "05:59:59", "06:00:00", "07:29:59", "07:30:00", "08:00:00",
    ];
    let autumn = autumn.map(|at| facts(&calendar, montreal, &format!("2026-11-01T{at}Z")).0);
    assert_eq!(autumn, [false, true, true, true, true, false, true]);
    // Zones with an offset of a quarter of an hour, and zones of the southern hemisphere, where the clock goes forward
    // in October.
    assert!(facts(&calendar, zone("Asia/Kathmandu"), "2026-06-06T19:15:00Z").0);
    assert!(!facts(&calendar, zone("Asia/Kathmandu"), "2026-06-06T19:14:59Z").0);
    assert!(facts(&calendar, zone("Pacific/Chatham"), "2026-04-04T11:15:00Z").0);
    let sydney = zone("Australia/Sydney");
    assert_eq!(facts(&calendar, sydney, "2026-10-03T15:59:59Z"), (true, false));
    assert_eq!(facts(&calendar, sydney, "2026-12-06T07:00:00Z"), (false, true));
    let changes = |zone: Tz, from: &str, until: &str| -> Vec<(String, i32)> {
        let days = calendar.days(from.parse().unwrap(), until.parse().unwrap(), zone);
        days.iter()
            .filter_map(|day| Some((day.date.to_string(), day.clock_change?)))
            .collect()
    };
    let pair = |date: &str, minutes| (date.to_owned(), minutes);
    assert_eq!(
        changes(montreal, "2026-01-01", "2026-12-31"),
        [pair("2026-03-08", 60), pair("2026-11-01", -60)]
    );
    assert_eq!(
        changes(sydney, "2026-01-01", "2026-12-31"),
        [pair("2026-04-05", -60), pair("2026-10-04", 60)]
    );
    assert_eq!(
        changes(zone("Australia/Lord_Howe"), "2026-01-01", "2026-12-31"),
        [pair("2026-04-05", -30), pair("2026-10-04", 30)]
    );
    // Samoa skipped 30 December 2011.
    assert_eq!(changes(zone("Pacific/Apia"), "2011-12-27", "2012-01-02").len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// For random instants of two centuries in random zones, the facts must match the calendar row at the local time.
    /// The test also checks instants around the next clock change.
    #[test]
    fn facts_follow_the_clock_on_the_wall(
        place in 0usize..chrono_tz::TZ_VARIANTS.len(),
        at in -2_208_988_800i64..4_102_444_800,
        from in 0u32..1440,
        length in 1u32..1440,
    ) {
        let zone = chrono_tz::TZ_VARIANTS[place];
        let until = (from + length) % 1440;
        prop_assume!(from != until);
        let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
        let span = format!("{}-{}", clock(from), clock(until));
        let open: BTreeMap<String, Vec<String>> = DAYS.iter().map(|day| ((*day).to_owned(), vec![span.clone()])).collect();
        let row = rows::Calendar {
            code: "main".to_owned(),
            open,
            evening_from: clock(from),
            evening_until: clock(until),
            weekend: Vec::new(),
            holidays: Vec::new(),
            holiday_rules: Vec::new(),
            special_days: Vec::new(),
        };
        let mut faults = Vec::new();
        let calendar = Calendar::new(&row, &mut faults);
        prop_assert!(faults.is_empty(), "{:?}", faults);
        // The instant itself, and instants around the next clock change in this zone.
        let start = DateTime::from_timestamp(at, 0).unwrap();
        let offset = |at: DateTime<Utc>| at.with_timezone(&zone).offset().fix().local_minus_utc();
        let change = (1..400).map(|day| start + TimeDelta::days(day)).find(|later| offset(*later) != offset(start));
        let around = change.into_iter().flat_map(|change| (-30..30).map(move |step| change + TimeDelta::minutes(step * 49)));
        for at in std::iter::once(start).chain(around) {
            let local = derive::local(at, zone);
            let now = local.hour() * 60 + local.minute();
            let within = if from < until { (from..until).contains(&now) } else { now >= from || now < until };
            prop_assert_eq!(calendar.open(local), within, "{} {}", zone, at);
            prop_assert_eq!(calendar.evening(local), within, "{} {}", zone, at);
            let shown = calendar.days(local.date(), local.date(), zone);
            prop_assert_eq!(&shown[0].open.join(""), &span.replace("-00:00", "-24:00"));
        }
    }

    /// A holiday by rule is closed all day in every year; the day before it is not affected.
    #[test]
    fn a_holiday_by_rule_is_closed_in_every_year(year in 1900i32..2200, rule in 0usize..5) {
        let rule = ["easter-2", "easter+1", "first monday of september", "monday before 05-25", "07-01"][rule];
        let calendar = with(&format!(
            "weekend = []\nholiday_rules = [{{ on = \"{rule}\", name = \"x\" }}]\n[open]\n{}",
            DAYS.map(|day| format!("{day} = [\"08:00-17:00\"]")).join("\n")
        )).unwrap();
        let day = DayRule::read(rule).unwrap().day_in(year).unwrap();
        prop_assert!(!calendar.open(day.and_hms_opt(12, 0, 0).unwrap()));
        prop_assert_eq!(calendar.holiday(day), Some("x"));
        let before = day.pred_opt().unwrap();
        prop_assert!(calendar.open(before.and_hms_opt(12, 0, 0).unwrap()));
        prop_assert_eq!(calendar.days_later(before, 1, true), day.succ_opt().unwrap());
    }
}
