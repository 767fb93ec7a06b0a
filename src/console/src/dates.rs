//! Formats days and months as people in Canada write them, in French and English.

use chrono::{Datelike as _, NaiveDate};

use crate::words::{Language, Words};

const ENGLISH_DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const FRENCH_DAYS: [&str; 7] = ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"];
const SHORT_ENGLISH_DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const SHORT_FRENCH_DAYS: [&str; 7] = ["Lun.", "Mar.", "Mer.", "Jeu.", "Ven.", "Sam.", "Dim."];
const ENGLISH_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const FRENCH_MONTHS: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];

/// The names of the weekdays, starting with Monday.
pub fn weekday_names(words: Words) -> &'static [&'static str; 7] {
    match words.0 {
        Language::English => &ENGLISH_DAYS,
        Language::French => &FRENCH_DAYS,
    }
}

/// The name of a day's weekday.
pub fn weekday_name(words: Words, date: NaiveDate) -> &'static str {
    name(weekday_names(words), date.weekday().num_days_from_monday())
}

/// The name of a day's month.
pub fn month_name(words: Words, date: NaiveDate) -> &'static str {
    let names = match words.0 {
        Language::English => &ENGLISH_MONTHS,
        Language::French => &FRENCH_MONTHS,
    };
    name(names, date.month0())
}

/// The number of a day in its month. In French, the first day is `1er`.
pub fn number(words: Words, date: NaiveDate) -> String {
    match (words.0, date.day()) {
        (Language::French, 1) => "1er".to_owned(),
        (_, day) => day.to_string(),
    }
}

/// A day with its weekday, as a title.
pub fn day(words: Words, date: NaiveDate) -> String {
    let (weekday, month, number) = (weekday_name(words, date), month_name(words, date), number(words, date));
    match words.0 {
        Language::English => format!("{weekday}, {month}\u{a0}{number}, {}", date.year()),
        Language::French => capital(&format!("{weekday} {number}\u{a0}{month} {}", date.year())),
    }
}

/// A day with its weekday, without the month.
pub fn short_day(words: Words, date: NaiveDate) -> String {
    let weekday = date.weekday().num_days_from_monday();
    match words.0 {
        Language::English => format!("{}\u{a0}{}", name(&SHORT_ENGLISH_DAYS, weekday), date.day()),
        Language::French => format!("{}\u{a0}{}", name(&SHORT_FRENCH_DAYS, weekday), date.day()),
    }
}

/// A month with its year, as a title.
pub fn month(words: Words, date: NaiveDate) -> String {
    capital(&format!("{} {}", month_name(words, date), date.year()))
}

fn name(names: &[&'static str], at: u32) -> &'static str {
    names.get(at as usize).copied().unwrap_or_default()
}

/// The string with a capital first letter.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_are_titles() {
        let date: NaiveDate = "2026-08-01".parse().unwrap();
        assert_eq!(day(Words(Language::English), date), "Saturday, August\u{a0}1, 2026");
        assert_eq!(day(Words(Language::French), date), "Samedi 1er\u{a0}août 2026");
        assert_eq!(month(Words(Language::English), date), "August 2026");
        assert_eq!(month(Words(Language::French), date), "Août 2026");
    }
}
