//! Formats months, days and hours of the calendar as people in Canada write them.

use chrono::{Datelike as _, Days, Months, NaiveDate, NaiveDateTime, Timelike as _};

use crate::dates::{month_name, number, weekday_name, weekday_names};
use crate::words::{Language, Words};

const NO_BREAK: char = '\u{a0}';
/// The format of local wall-clock times in forms and rules.
const WALL: &str = "%Y-%m-%dT%H:%M";
/// The years that the calendar shows.
const YEARS: std::ops::RangeInclusive<i32> = 2000..=2199;

/// A month of the calendar, by its first day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month(NaiveDate);

impl Month {
    /// Parses a string like `2026-12`.
    pub fn read(text: &str) -> Option<Self> {
        let first = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok()?;
        (text.len() == 7 && YEARS.contains(&first.year())).then_some(Self(first))
    }

    pub fn of(date: NaiveDate) -> Self {
        Self(date.with_day(1).unwrap_or(date))
    }

    pub fn first(self) -> NaiveDate {
        self.0
    }

    pub fn last(self) -> NaiveDate {
        let next = self.0.checked_add_months(Months::new(1));
        next.and_then(|next| next.pred_opt()).unwrap_or(self.0)
    }

    /// The next month if `after` is true, otherwise the previous month. If the calendar does not show the year of that
    /// month, the result is `self`.
    pub fn beside(self, after: bool) -> Self {
        let month = Months::new(1);
        let beside = if after {
            self.0.checked_add_months(month)
        } else {
            self.0.checked_sub_months(month)
        };
        let beside = beside.filter(|first| YEARS.contains(&first.year()));
        beside.map_or(self, Self)
    }

    pub fn text(self) -> String {
        self.0.format("%Y-%m").to_string()
    }

    /// The weeks of the month, each starting on Sunday. Days of other months are `None`.
    pub fn weeks(self) -> Vec<[Option<NaiveDate>; 7]> {
        let mut weeks = Vec::new();
        let mut week = [None; 7];
        for day in self.0.iter_days().take_while(|day| *day <= self.last()) {
            let place = day.weekday().num_days_from_sunday() as usize;
            if place == 0 && day != self.0 {
                weeks.push(std::mem::take(&mut week));
            }
            week[place] = Some(day);
        }
        weeks.push(week);
        weeks
    }

    pub fn name(self, words: Words) -> String {
        format!("{} {}", month_name(words, self.0), self.0.year())
    }
}

/// The names of the weekdays, starting with Sunday.
pub fn weekdays(words: Words) -> [&'static str; 7] {
    let mut names = *weekday_names(words);
    names.rotate_right(1);
    names
}

/// A day with its weekday, without the year: "Thursday, December 24".
pub fn day(words: Words, date: NaiveDate) -> String {
    let (weekday, month, number) = (weekday_name(words, date), month_name(words, date), number(words, date));
    match words.0 {
        Language::English => format!("{weekday}, {month}{NO_BREAK}{number}"),
        Language::French => format!("{weekday} {number}{NO_BREAK}{month}"),
    }
}

/// A time of day, without minutes if they are zero: "5 p.m.", "17 h 30".
pub fn clock(words: Words, at: NaiveDateTime) -> String {
    let (hour, minute) = (at.hour(), at.minute());
    match words.0 {
        Language::English => {
            let half = if hour < 12 { "a.m." } else { "p.m." };
            let twelve = if hour.is_multiple_of(12) { 12 } else { hour % 12 };
            let minutes = if minute == 0 {
                String::new()
            } else {
                format!(":{minute:02}")
            };
            format!("{twelve}{minutes}{NO_BREAK}{half}")
        }
        Language::French if minute == 0 => format!("{hour}{NO_BREAK}h"),
        Language::French => format!("{hour}{NO_BREAK}h{NO_BREAK}{minute:02}"),
    }
}

/// A day and a time of day.
pub fn moment(words: Words, at: NaiveDateTime) -> String {
    format!("{}, {}", day(words, at.date()), clock(words, at))
}

/// A time span with its beginning and end. Whole days are shown without hours.
pub fn span(words: Words, from: NaiveDateTime, until: NaiveDateTime) -> String {
    if is_midnight(from) && is_midnight(until) {
        let last = until.date().pred_opt().unwrap_or(until.date());
        if last == from.date() {
            return day(words, last);
        }
        return format!("{} – {}", day(words, from.date()), day(words, last));
    }
    if from.date() == until.date() {
        return format!("{}, {}", day(words, from.date()), hours(words, from, until));
    }
    format!("{} – {}", moment(words, from), moment(words, until))
}

/// The hours of a span: "5 p.m.–8 a.m.".
pub fn hours(words: Words, from: NaiveDateTime, until: NaiveDateTime) -> String {
    let (from, until) = (clock(words, from), clock(words, until));
    match words.0 {
        Language::English => format!("{from}–{until}"),
        Language::French => format!("{from}{NO_BREAK}–{NO_BREAK}{until}"),
    }
}

pub fn is_midnight(at: NaiveDateTime) -> bool {
    at.num_seconds_from_midnight() == 0
}

pub fn next_day(date: NaiveDate) -> NaiveDate {
    date.checked_add_days(Days::new(1)).unwrap_or(date)
}

/// Formats a time for forms and rules, as `2026-12-24T17:00`.
pub fn wall(at: NaiveDateTime) -> String {
    at.format(WALL).to_string()
}

/// Parses a time in the format of [`wall`].
pub fn from_wall(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, WALL).ok()
}

pub fn from_day(text: &str) -> Option<NaiveDate> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    YEARS.contains(&date.year()).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_its_days_in_weeks_from_sunday_on() {
        let month = Month::read("2026-11").unwrap();
        let weeks = month.weeks();
        assert_eq!(
            (weeks.len(), weeks[0][0], weeks[4][1]),
            (5, Some(month.first()), Some(month.last()))
        );
        assert_eq!(weeks[4][2], None);
        assert_eq!(month.beside(true).text(), "2026-12");
        assert_eq!(Month::read("2027-01").unwrap().beside(false).text(), "2026-12");
        for text in ["", "2026", "2026-13", "2026-1", "1999-12", "2026-12-01", "+026-12"] {
            assert_eq!(Month::read(text), None, "{text}");
        }
        let last = Month::read("2199-12").unwrap();
        assert_eq!(last.beside(true), last);
    }

    #[test]
    fn days_and_hours_are_written_as_in_canada() {
        let at = |text| from_wall(text).unwrap();
        let plain = |text: String| text.replace(NO_BREAK, " ");
        let (from, until) = (at("2026-12-24T17:00"), at("2026-12-25T08:30"));
        let english = Words(Language::English);
        let french = Words(Language::French);
        assert_eq!(
            plain(span(english, from, until)),
            "Thursday, December 24, 5 p.m. – Friday, December 25, 8:30 a.m."
        );
        assert_eq!(
            plain(span(french, from, until)),
            "jeudi 24 décembre, 17 h – vendredi 25 décembre, 8 h 30"
        );
        let (from, until) = (at("2027-01-01T00:00"), at("2027-01-02T00:00"));
        assert_eq!(plain(span(french, from, until)), "vendredi 1er janvier");
        assert_eq!(plain(hours(english, from, at("2027-01-01T12:00"))), "12 a.m.–12 p.m.");
    }
}
