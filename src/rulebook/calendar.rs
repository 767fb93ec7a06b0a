//! When a business is open: opening hours, evening, weekend and holidays in the rulebook's time zone.
//!
//! Comes in: a calendar row. Goes out: a [`Calendar`] that answers for a local time, or every fault of the row.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, Timelike, Weekday};

use super::fault::Fault;
use super::rows::{self, Resource};

/// The days as rows name them, Monday first.
pub const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Minutes since midnight, from and until (not included).
type Span = (u32, u32);

/// A compiled calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    open: [Vec<Span>; 7],
    evening: Span,
    weekend: [bool; 7],
    holidays: BTreeMap<NaiveDate, String>,
}

impl Calendar {
    /// Compiles a row; faults are added to `faults`.
    pub fn new(row: &rows::Calendar, faults: &mut Vec<Fault>) -> Self {
        let mut report = |column: String, text: String| {
            faults.push(Fault {
                resource: Resource::Calendars,
                code: row.code.clone(),
                column,
                line: None,
                position: None,
                problem: "bad_hours",
                text,
            });
        };
        let mut open: [Vec<Span>; 7] = Default::default();
        for (day, spans) in &row.open {
            let column = format!("open/{day}");
            let Some(place) = day_number(day) else {
                report(column, format!("`{day}` is no day: use monday to sunday"));
                continue;
            };
            for span in spans {
                match span
                    .split_once('-')
                    .map(|(from, until)| (minutes(from), minutes(until)))
                {
                    Some((Some(from), Some(until))) if from < until => open[place].push((from, until)),
                    _ => report(column.clone(), format!("\"{span}\" is not like \"08:00-17:00\"")),
                }
            }
            open[place].sort_unstable();
            if open[place].windows(2).any(|pair| pair[0].1 > pair[1].0) {
                report(column, "these hours overlap".to_owned());
            }
        }
        let mut time = |column: &str, text: &str| {
            minutes(text).unwrap_or_else(|| {
                report(column.to_owned(), format!("\"{text}\" is not like \"18:00\""));
                0
            })
        };
        let evening = (
            time("evening_from", &row.evening_from),
            time("evening_until", &row.evening_until),
        );
        let mut weekend = [false; 7];
        for day in &row.weekend {
            match day_number(day) {
                Some(place) => weekend[place] = true,
                None => report("weekend".to_owned(), format!("`{day}` is no day: use monday to sunday")),
            }
        }
        Self {
            open,
            evening,
            weekend,
            holidays: row.holidays.iter().map(|day| (day.date, day.name.clone())).collect(),
        }
    }

    /// Whether it is evening.
    #[must_use]
    pub fn evening(&self, local: NaiveDateTime) -> bool {
        let (from, until) = self.evening;
        let now = minute(local);
        if from <= until {
            (from..until).contains(&now)
        } else {
            now >= from || now < until
        }
    }

    /// Whether it is the weekend.
    #[must_use]
    pub fn weekend(&self, date: NaiveDate) -> bool {
        self.weekend[number(date.weekday())]
    }

    /// The days of the weekend, by name.
    #[must_use]
    pub fn weekend_days(&self) -> Vec<&'static str> {
        let days = DAYS.iter().zip(self.weekend);
        days.filter(|(_, free)| *free).map(|(day, _)| *day).collect()
    }

    /// The holiday's name, on a holiday.
    #[must_use]
    pub fn holiday(&self, date: NaiveDate) -> Option<&str> {
        self.holidays.get(&date).map(String::as_str)
    }

    /// Whether we are open.
    #[must_use]
    pub fn open(&self, local: NaiveDateTime) -> bool {
        let now = minute(local);
        self.hours(local.date())
            .iter()
            .any(|(from, until)| (*from..*until).contains(&now))
    }

    /// The opening hours of a day, none on a holiday.
    fn hours(&self, date: NaiveDate) -> &[Span] {
        if self.holidays.contains_key(&date) {
            return &[];
        }
        &self.open[number(date.weekday())]
    }

    /// The opening hours of a day as text, as `08:00-17:00`; none when closed.
    #[must_use]
    pub fn hours_text(&self, date: NaiveDate) -> Vec<String> {
        let clock = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let spans = self.hours(date).iter();
        spans
            .map(|(from, until)| format!("{}-{}", clock(*from), clock(*until)))
            .collect()
    }

    /// The day that is a number of days later, counting only days on which we are open when `working`.
    #[must_use]
    pub fn days_later(&self, date: NaiveDate, days: u64, working: bool) -> NaiveDate {
        if !working {
            return date.checked_add_days(Days::new(days)).unwrap_or(date);
        }
        let (mut day, mut left) = (date, days);
        // A calendar that is never open would count for ever: a year per wanted day is enough for all others.
        for _ in 0..days.saturating_mul(366) {
            if left == 0 {
                break;
            }
            day = day.succ_opt().unwrap_or(day);
            if !self.hours(day).is_empty() {
                left -= 1;
            }
        }
        day
    }
}

fn minute(local: NaiveDateTime) -> u32 {
    local.hour() * 60 + local.minute()
}

fn number(day: Weekday) -> usize {
    // At most 6.
    day.num_days_from_monday() as usize
}

fn day_number(day: &str) -> Option<usize> {
    DAYS.iter().position(|known| *known == day)
}

/// `08:30` as minutes since midnight; `24:00` is the end of the day.
fn minutes(text: &str) -> Option<u32> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let two_digits = |part: &str| (part.len() == 2).then(|| part.parse::<u32>().ok()).flatten();
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= 24 * 60).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn hours_that_are_none_are_reported() {
        for text in ["8:00", "25:00", "08:60", "0800", "aa:bb", "24:01", ""] {
            assert_eq!(minutes(text), None, "{text}");
        }
        assert_eq!(minutes("24:00"), Some(1440));
    }
}
