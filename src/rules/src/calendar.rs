//! The opening calendar of a business: opening hours, evening, weekend, holidays and special days in the rulebook's
//! time zone. All validation errors of a row are reported. The calendar of an invalid row is never used.
//!
//! All times are local wall-clock times. If a clock change skips an hour, the hour never occurs. If a clock change
//! repeats an hour, the hour occurs twice. Hours through midnight belong to the day on which they begin. Hours that
//! begin on the day before a holiday continue into the holiday. Hours that begin on the holiday itself do not apply. A
//! special day always has its own hours. A holiday that is also a special day may be open, but is still a holiday.

mod day_rule;
mod days;
mod holidays;
mod hours;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Weekday};

use self::day_rule::DayRule;
pub use self::days::{Day, begin_of};
use self::holidays::{Holidays, Rule};
pub use self::hours::minutes;
use self::hours::{Hours, Span};
use super::fault::Fault;
use super::rows::{self, Resource};

/// The names of the weekdays in rows, Monday first.
pub const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Maximum number of holiday rules, and maximum number of special days: one for each day of a year.
const MAX_ENTRIES: usize = 366;

/// A compiled calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    open: [Hours; 7],
    evening: Span,
    weekend: [bool; 7],
    holidays: Holidays,
    /// The special days with a fixed date, then the special days with a rule, in the order of the row.
    special: Vec<Special>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Special {
    on: DayRule,
    name: String,
    hours: Hours,
}

impl Calendar {
    /// Compiles a row and adds its validation errors to `faults`.
    pub fn new(row: &rows::Calendar, faults: &mut Vec<Fault>) -> Self {
        let mut report = |column: String, problem: &'static str, text: String| {
            faults.push(Fault {
                resource: Resource::Calendars,
                code: row.code.clone(),
                column,
                line: None,
                position: None,
                problem,
                text,
            });
        };
        let mut open: [Hours; 7] = Default::default();
        for (day, spans) in &row.open {
            let column = format!("open/{day}");
            match day_number(day) {
                Some(place) => open[place] = Hours::read(spans, |text| report(column.clone(), "bad_hours", text)),
                None => report(column, "bad_hours", no_day(day)),
            }
        }
        let mut time = |column: &str, text: &str| {
            minutes(text).unwrap_or_else(|| {
                report(
                    column.to_owned(),
                    "bad_hours",
                    format!("\"{text}\" is not like \"18:00\""),
                );
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
                None => report("weekend".to_owned(), "bad_hours", no_day(day)),
            }
        }
        for (column, count) in [
            ("holiday_rules", row.holiday_rules.len()),
            ("special_days", row.special_days.len()),
        ] {
            if count > MAX_ENTRIES {
                report(
                    column.to_owned(),
                    "too_many",
                    format!("at most {MAX_ENTRIES} are possible"),
                );
            }
        }
        let rules = rules(row, &mut report);
        let special = special(row, &mut report);
        let by_date: BTreeMap<NaiveDate, String> =
            row.holidays.iter().map(|day| (day.date, day.name.clone())).collect();
        Self {
            open,
            evening,
            weekend,
            holidays: Holidays::new(by_date, rules, weekend),
            special,
        }
    }

    /// Whether a local time is in the evening.
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

    /// Whether a date is on the weekend.
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

    /// The name of the holiday, or `None` on other days.
    #[must_use]
    pub fn holiday(&self, date: NaiveDate) -> Option<&str> {
        self.holidays.on(date)
    }

    /// The name of the special day, or `None` on other days.
    #[must_use]
    pub fn special(&self, date: NaiveDate) -> Option<&str> {
        self.special_on(date).map(|special| special.name.as_str())
    }

    /// Whether the business is open at a local time.
    #[must_use]
    pub fn open(&self, local: NaiveDateTime) -> bool {
        let (date, now) = (local.date(), minute(local));
        let before = date.pred_opt().and_then(|before| self.hours(before));
        self.hours(date).is_some_and(|hours| hours.on_the_day(now))
            || before.is_some_and(|hours| hours.on_the_next(now))
    }

    /// Every local time at which the business opens or closes, from the day before `from` to the day `until`.
    pub(super) fn turns(&self, from: NaiveDate, until: NaiveDate) -> Vec<NaiveDateTime> {
        let first = from.pred_opt().unwrap_or(from);
        let days = first.iter_days().take_while(|day| *day <= until);
        let of_day = |day: NaiveDate| {
            let begin = day.and_time(NaiveTime::MIN);
            let ends = self.hours(day).into_iter().flat_map(Hours::ends);
            ends.filter_map(move |minutes| begin.checked_add_signed(TimeDelta::minutes(i64::from(minutes))))
        };
        days.flat_map(of_day).collect()
    }

    /// The opening hours that begin on a day; `None` if there are none.
    fn hours(&self, date: NaiveDate) -> Option<&Hours> {
        let hours = match self.special_on(date) {
            Some(special) => &special.hours,
            None if self.holiday(date).is_some() => return None,
            None => &self.open[number(date.weekday())],
        };
        (!hours.is_empty()).then_some(hours)
    }

    fn special_on(&self, date: NaiveDate) -> Option<&Special> {
        // The day of a rule may fall in the year before or after the year for which the rule is calculated.
        let year = date.year();
        let years = [year, year.saturating_sub(1), year.saturating_add(1)];
        let is_it = |special: &&Special| years.iter().any(|year| special.on.day_in(*year) == Some(date));
        self.special.iter().find(is_it)
    }

    /// The opening hours that begin on a day, as strings such as `08:00-17:00`; empty if closed.
    #[must_use]
    pub fn hours_text(&self, date: NaiveDate) -> Vec<String> {
        self.hours(date).map(Hours::texts).unwrap_or_default()
    }

    /// The date that is `days` days after `date`. With `working`, only days with opening hours count.
    #[must_use]
    pub fn days_later(&self, date: NaiveDate, days: u64, working: bool) -> NaiveDate {
        if !working {
            return date.checked_add_days(Days::new(days)).unwrap_or(date);
        }
        let (mut day, mut left) = (date, days);
        // Stops the loop for a calendar that is never open. For all other calendars, one year per requested day is
        // enough.
        for _ in 0..days.saturating_mul(366) {
            if left == 0 {
                break;
            }
            day = day.succ_opt().unwrap_or(day);
            if self.hours(day).is_some() {
                left -= 1;
            }
        }
        day
    }
}

/// Receives a validation error: its column, its code and a sentence.
type Report<'a> = dyn FnMut(String, &'static str, String) + 'a;

fn rules(row: &rows::Calendar, report: &mut Report<'_>) -> Vec<Rule> {
    let mut rules = Vec::with_capacity(row.holiday_rules.len());
    for (place, rule) in row.holiday_rules.iter().take(MAX_ENTRIES).enumerate() {
        match DayRule::read(&rule.on) {
            Ok(on) => rules.push(Rule {
                on,
                name: rule.name.clone(),
                if_weekend: rule.if_weekend,
            }),
            Err(text) => report(format!("holiday_rules/{place}/on"), "bad_day", text),
        }
    }
    rules
}

fn special(row: &rows::Calendar, report: &mut Report<'_>) -> Vec<Special> {
    let mut days: Vec<Special> = Vec::with_capacity(row.special_days.len());
    for (place, day) in row.special_days.iter().take(MAX_ENTRIES).enumerate() {
        let column = format!("special_days/{place}/open");
        let hours = Hours::read(&day.open, |text| report(column.clone(), "bad_hours", text));
        let column = format!("special_days/{place}/on");
        match DayRule::read(&day.on) {
            Ok(on) if days.iter().any(|known| known.on == on) => {
                let text = format!("\"{}\" occurs twice: a day has one set of hours", day.on);
                report(column, "duplicate", text);
            }
            Ok(on) => days.push(Special {
                on,
                name: day.name.clone(),
                hours,
            }),
            Err(text) => report(column, "bad_day", text),
        }
    }
    days.sort_by_key(|day| !matches!(day.on, DayRule::Once(_)));
    days
}

fn minute(local: NaiveDateTime) -> u32 {
    local.hour() * 60 + local.minute()
}

fn number(day: Weekday) -> usize {
    // The index of a weekday is at most 6.
    day.num_days_from_monday() as usize
}

fn day_number(day: &str) -> Option<usize> {
    DAYS.iter().position(|known| *known == day)
}

fn no_day(day: &str) -> String {
    let hint = super::suggestion::did_you_mean(day, DAYS.into_iter());
    format!("`{day}` is not a day: use monday to sunday{hint}")
}
