//! Parses rules that name a day, for example the same date every year, a number of days from Easter, or the first
//! Monday of a month. In some years a rule may have no day; for example, 29 February exists only in leap years.

use chrono::{Datelike, Days, NaiveDate, Weekday};

use super::DAYS;
use crate::suggestion::did_you_mean;

/// The valid forms of a rule, for error messages.
pub const EXPECTED: &str = "expected a date such as \"2026-12-24\", a day of every year such as \"12-25\", \"easter\", \"easter-2\" or \
     \"easter+1\", \"first monday of september\" (or second, third, fourth, fifth, last), or \"monday before 05-25\" (or after, \
     on or before, on or after)";

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const ORDINALS: [&str; 6] = ["first", "second", "third", "fourth", "fifth", "last"];
/// Maximum distance from Easter in days. This distance includes all days from the Sunday before Lent to Corpus Christi.
const MOST_FROM_EASTER: i64 = 100;

/// A rule for a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayRule {
    /// A single date.
    Once(NaiveDate),
    /// The same month and day every year.
    Yearly(MonthDay),
    /// A number of days after Easter Sunday; negative is before.
    Easter(i64),
    /// A weekday of a month: its first (0) to fifth (4) occurrence, or the last occurrence (5).
    Nth(u8, Weekday, u32),
    /// The nearest day with this weekday before or after a date.
    Beside {
        /// The weekday.
        weekday: Weekday,
        /// True for a day before the date, false for a day after the date.
        before: bool,
        /// Whether the result may be the date itself.
        on: bool,
        /// The date.
        date: MonthDay,
    },
}

/// A month and a day in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthDay {
    month: u32,
    day: u32,
}

impl DayRule {
    /// Parses a rule.
    ///
    /// # Errors
    /// A sentence that describes the valid forms.
    pub fn read(text: &str) -> Result<Self, String> {
        let folded = text.trim().to_lowercase();
        let words: Vec<&str> = folded.split_whitespace().collect();
        match words.as_slice() {
            [word] if word.starts_with("easter") => easter_offset(&word["easter".len()..])
                .map(Self::Easter)
                .ok_or_else(|| format!("\"{text}\" is too far from Easter: {EXPECTED}")),
            ["easter", sign @ ("+" | "-"), days] => easter_offset(&format!("{sign}{days}"))
                .map(Self::Easter)
                .ok_or_else(|| format!("\"{text}\" is too far from Easter: {EXPECTED}")),
            [date] if date.len() == 10 => NaiveDate::parse_from_str(date, "%Y-%m-%d")
                .map(Self::Once)
                .map_err(|_| format!("\"{text}\" is not a date: {EXPECTED}")),
            [date] => MonthDay::read(date).map(Self::Yearly),
            [which, day, "of", month] => {
                let which = place(which, &ORDINALS)?;
                let month = place(month, &MONTHS)?;
                Ok(Self::Nth(which, weekday(day)?, u32::from(month) + 1))
            }
            [day, "on", "or", side @ ("before" | "after"), date] => Self::beside(day, side, true, date),
            [day, side @ ("before" | "after"), date] => Self::beside(day, side, false, date),
            _ => Err(format!("\"{text}\" is not a rule for a day: {EXPECTED}")),
        }
    }

    fn beside(day: &str, side: &str, on: bool, date: &str) -> Result<Self, String> {
        Ok(Self::Beside {
            weekday: weekday(day)?,
            before: side == "before",
            on,
            date: MonthDay::read(date)?,
        })
    }

    /// The day in a year; `None` if the year does not have this day, for example 29 February.
    #[must_use]
    pub fn day_in(&self, year: i32) -> Option<NaiveDate> {
        match *self {
            Self::Once(date) => (date.year() == year).then_some(date),
            Self::Yearly(date) => date.in_year(year),
            Self::Easter(days) => shifted(easter(year)?, days),
            Self::Nth(5, weekday, month) => {
                let next = if month == 12 {
                    NaiveDate::from_ymd_opt(year.checked_add(1)?, 1, 1)?
                } else {
                    NaiveDate::from_ymd_opt(year, month + 1, 1)?
                };
                let last = next.pred_opt()?;
                shifted(last, -days_between(weekday, last.weekday()))
            }
            Self::Nth(place, weekday, month) => NaiveDate::from_weekday_of_month_opt(year, month, weekday, place + 1),
            Self::Beside {
                weekday,
                before,
                on,
                date,
            } => {
                let date = date.in_year(year)?;
                if on && date.weekday() == weekday {
                    return Some(date);
                }
                let whole_week = |days: i64| if days == 0 { 7 } else { days };
                if before {
                    shifted(date, -whole_week(days_between(weekday, date.weekday())))
                } else {
                    shifted(date, whole_week(days_between(date.weekday(), weekday)))
                }
            }
        }
    }
}

impl MonthDay {
    fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is not a day of the year: {EXPECTED}");
        let (month, day) = text.split_once('-').ok_or_else(wrong)?;
        let two_digits = |part: &str| (part.len() == 2).then(|| part.parse::<u32>().ok()).flatten();
        let (month, day) = two_digits(month).zip(two_digits(day)).ok_or_else(wrong)?;
        let date = Self { month, day };
        // A leap year has every possible date.
        date.in_year(2000).map(|_| date).ok_or_else(wrong)
    }

    fn in_year(self, year: i32) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(year, self.month, self.day)
    }
}

fn easter_offset(text: &str) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let days: i64 = text.strip_prefix('+').unwrap_or(text).parse().ok()?;
    let signed = text.starts_with(['+', '-']);
    (signed && days.abs() <= MOST_FROM_EASTER).then_some(days)
}

fn weekday(name: &str) -> Result<Weekday, String> {
    let day = place(name, &DAYS)?;
    Weekday::try_from(day).map_err(|_| format!("`{name}` is not a day of the week"))
}

/// The index of a name in a list.
fn place(name: &str, names: &[&str]) -> Result<u8, String> {
    let found = (0u8..).zip(names).find(|(_, known)| **known == name);
    found.map(|(place, _)| place).ok_or_else(|| {
        let hint = did_you_mean(name, names.iter().copied());
        format!("`{name}` is none of {}{hint}", names.join(", "))
    })
}

/// Returns the number of days from one weekday forward to another weekday, from 0 to 6.
fn days_between(from: Weekday, to: Weekday) -> i64 {
    i64::from(to.days_since(from))
}

fn shifted(date: NaiveDate, days: i64) -> Option<NaiveDate> {
    let by = Days::new(days.unsigned_abs());
    if days < 0 {
        date.checked_sub_days(by)
    } else {
        date.checked_add_days(by)
    }
}

/// Easter Sunday of the western churches in a year; `None` before 1583. The algorithm works for every year of the
/// Gregorian calendar. Jean Meeus gives it in "Astronomical Algorithms" (1991), chapter 8, after Samuel Butcher (1876).
#[must_use]
#[expect(clippy::many_single_char_names, reason = "the letters of the book")]
pub fn easter(year: i32) -> Option<NaiveDate> {
    if year < 1583 {
        return None;
    }
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (b - (b + 8) / 25 + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let sum = h + l - 7 * m + 114;
    let (month, day) = (u32::try_from(sum / 31).ok()?, u32::try_from(sum % 31).ok()?);
    NaiveDate::from_ymd_opt(year, month, day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(rule: &str, year: i32) -> Option<String> {
        let rule = DayRule::read(rule).unwrap_or_else(|fault| panic!("{rule}: {fault}"));
        rule.day_in(year).map(|day| day.to_string())
    }

    /// The dates are published by the United States Census Bureau and the Church of England, or are the earliest and
    /// the latest possible dates.
    #[test]
    fn easter_falls_where_the_tables_say() {
        let known = [
            "1818-03-22",
            "1943-04-25",
            "1954-04-18",
            "1981-04-19",
            "1999-04-04",
            "2000-04-23",
            "2001-04-15",
            "2008-03-23",
            "2011-04-24",
            "2016-03-27",
            "2019-04-21",
            "2020-04-12",
            "2021-04-04",
            "2022-04-17",
            "2023-04-09",
            "2024-03-31",
            "2025-04-20",
            "2026-04-05",
            "2027-03-28",
            "2028-04-16",
            "2029-04-01",
            "2030-04-21",
            "2031-04-13",
            "2032-03-28",
            "2033-04-17",
            "2034-04-09",
            "2035-03-25",
            "2036-04-13",
            "2037-04-05",
            "2038-04-25",
            "2049-04-18",
            "2076-04-19",
            "2285-03-22",
        ];
        for date in known {
            let year = date[..4].parse().unwrap();
            assert_eq!(easter(year).unwrap().to_string(), date);
        }
        assert_eq!(easter(1582), None);
    }

    /// The dates are actual statutory holidays of Québec.
    #[test]
    fn movable_days_fall_where_they_fell() {
        for (rule, days) in [
            ("easter-2", ["2024-03-29", "2025-04-18", "2026-04-03", "2027-03-26"]),
            ("easter + 1", ["2024-04-01", "2025-04-21", "2026-04-06", "2027-03-29"]),
            (
                "monday before 05-25",
                ["2024-05-20", "2025-05-19", "2026-05-18", "2027-05-24"],
            ),
            (
                "First Monday of September",
                ["2024-09-02", "2025-09-01", "2026-09-07", "2027-09-06"],
            ),
            (
                "second monday of october",
                ["2024-10-14", "2025-10-13", "2026-10-12", "2027-10-11"],
            ),
            (
                "last monday of may",
                ["2024-05-27", "2025-05-26", "2026-05-25", "2027-05-31"],
            ),
            (
                "last thursday of december",
                ["2024-12-26", "2025-12-25", "2026-12-31", "2027-12-30"],
            ),
            (
                "monday on or before 05-25",
                ["2024-05-20", "2025-05-19", "2026-05-25", "2027-05-24"],
            ),
            (
                "sunday after 12-24",
                ["2024-12-29", "2025-12-28", "2026-12-27", "2027-12-26"],
            ),
            (
                "thursday on or after 12-25",
                ["2024-12-26", "2025-12-25", "2026-12-31", "2027-12-30"],
            ),
            (
                "thursday after 12-25",
                ["2024-12-26", "2026-01-01", "2026-12-31", "2027-12-30"],
            ),
            ("06-24", ["2024-06-24", "2025-06-24", "2026-06-24", "2027-06-24"]),
        ] {
            let found = (2024..2028).map(|year| day(rule, year).unwrap()).collect::<Vec<_>>();
            assert_eq!(found, days, "{rule}");
        }
        assert_eq!(day("02-29", 2026), None);
        assert_eq!(day("02-29", 2028), Some("2028-02-29".to_owned()));
        assert_eq!(day("fifth monday of may", 2026), None);
        assert_eq!(day("fifth friday of may", 2026), Some("2026-05-29".to_owned()));
        assert_eq!(day("2026-12-24", 2026), Some("2026-12-24".to_owned()));
        assert_eq!(day("2026-12-24", 2027), None);
    }

    #[test]
    fn what_is_no_rule_is_told_with_what_is_meant() {
        for (rule, told) in [
            ("frist monday of may", "did you mean `first`?"),
            ("first munday of may", "did you mean `monday`?"),
            ("first monday of setember", "did you mean `september`?"),
            ("monday bevore 05-25", "expected"),
            ("12-32", "expected"),
            ("02-30", "expected"),
            ("1-1", "expected"),
            ("2026-02-29", "expected"),
            ("easter-101", "too far"),
            ("easter2", "too far"),
            ("easter-x", "too far"),
            ("christmas", "expected"),
            ("", "expected"),
        ] {
            let fault = DayRule::read(rule).unwrap_err();
            assert!(fault.contains(told), "{rule}: {fault}");
        }
    }
}
