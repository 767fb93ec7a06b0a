//! Formats times, money and numbers as people in Canada write them, in French and English.

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;
use maud::{Markup, html};
use rust_decimal::Decimal;

use crate::words::{Language, Words};

/// A no-break space.
const NO_BREAK: char = '\u{a0}';

const ENGLISH_DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const FRENCH_DAYS: [&str; 7] = ["lun.", "mar.", "mer.", "jeu.", "ven.", "sam.", "dim."];
const ENGLISH_MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const FRENCH_MONTHS: [&str; 12] = [
    "janv.", "févr.", "mars", "avr.", "mai", "juin", "juill.", "août", "sept.", "oct.", "nov.", "déc.",
];

/// Formats times in the person's language and the time zone of the business, relative to the current time.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub words: Words,
    pub zone: Tz,
    pub now: DateTime<Utc>,
}

impl Times {
    /// An instant from the API. An instant of today is shown as a time of day. For other days, the date is shown too.
    pub fn at(&self, instant: Option<&str>) -> Markup {
        let Some(at) = instant.and_then(parsed) else {
            return html! {};
        };
        html! { time datetime=(at.to_rfc3339()) { (self.text(at)) } }
    }

    /// Formats an instant like [`Times::at`], but returns a string.
    pub fn text(&self, at: DateTime<Utc>) -> String {
        let (local, today) = (at.with_timezone(&self.zone), self.now.with_timezone(&self.zone));
        let clock = self.clock(local.hour(), local.minute());
        if local.date_naive() == today.date_naive() {
            return clock;
        }
        let name = |names: &[&'static str], at: u32| names.get(at as usize).copied().unwrap_or_default();
        let (weekday, month) = (local.weekday().num_days_from_monday(), local.month0());
        let year = if local.year() == today.year() {
            String::new()
        } else {
            format!(" {}", local.year())
        };
        match self.words.0 {
            Language::English => {
                let (day, month) = (name(&ENGLISH_DAYS, weekday), name(&ENGLISH_MONTHS, month));
                format!("{day}, {month}{NO_BREAK}{}{year}, {clock}", local.day())
            }
            Language::French => {
                let (day, month) = (name(&FRENCH_DAYS, weekday), name(&FRENCH_MONTHS, month));
                format!("{day} {}{NO_BREAK}{month}{year}, {clock}", local.day())
            }
        }
    }

    /// Only the time of day of an instant.
    pub fn clock_at(&self, instant: Option<&str>) -> Markup {
        let Some(at) = instant.and_then(parsed) else {
            return html! {};
        };
        let local = at.with_timezone(&self.zone);
        html! { time datetime=(at.to_rfc3339()) { (self.clock(local.hour(), local.minute())) } }
    }

    /// Today's date in the time zone of the business.
    pub fn today(&self) -> NaiveDate {
        self.now.with_timezone(&self.zone).date_naive()
    }

    fn clock(&self, hour: u32, minute: u32) -> String {
        match self.words.0 {
            Language::English => {
                let half = if hour < 12 { "a.m." } else { "p.m." };
                let twelve = if hour.is_multiple_of(12) { 12 } else { hour % 12 };
                format!("{twelve}:{minute:02}{NO_BREAK}{half}")
            }
            Language::French => format!("{hour}{NO_BREAK}h{NO_BREAK}{minute:02}"),
        }
    }

    /// How long ago an instant was. `None` if the instant was less than a minute ago.
    pub fn since(&self, instant: Option<&str>) -> Option<String> {
        let passed = self.now - instant.and_then(parsed)?;
        (passed >= TimeDelta::minutes(1)).then(|| span(self.words, passed))
    }

    /// The time until an instant. `None` if the instant has passed.
    pub fn until(&self, instant: Option<&str>) -> Option<String> {
        let left = instant.and_then(parsed)? - self.now;
        (left > TimeDelta::zero()).then(|| span(self.words, left))
    }
}

fn parsed(text: &str) -> Option<DateTime<Utc>> {
    text.parse().ok()
}

/// A duration in its two largest units.
fn span(words: Words, span: TimeDelta) -> String {
    let minutes = span.num_minutes().max(0);
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let day = match words.0 {
        Language::English => 'd',
        Language::French => 'j',
    };
    match (days, hours, minutes) {
        (0, 0, minutes) => format!("{minutes}{NO_BREAK}min"),
        (0, hours, minutes) => format!("{hours}{NO_BREAK}h{NO_BREAK}{minutes:02}"),
        (1..=2, 1.., _) => format!("{days}{NO_BREAK}{day}{NO_BREAK}{hours}{NO_BREAK}h"),
        (days, ..) => format!("{days}{NO_BREAK}{day}"),
    }
}

/// Formats a duration in milliseconds as minutes and seconds, such as `1:05`.
pub fn length(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// Formats an amount from the API with its currency. Cents are shown only if they are not zero.
pub fn money(words: Words, amount: &str, currency: &str) -> String {
    amount
        .parse()
        .map_or_else(|_| amount.to_owned(), |amount| sum(words, amount, currency))
}

/// Formats a number in the same way as [`money`].
pub fn sum(words: Words, amount: Decimal, currency: &str) -> String {
    let amount = amount.round_dp(2);
    let digits = if amount.fract().is_zero() {
        format!("{:.0}", amount.abs())
    } else {
        format!("{:.2}", amount.abs())
    };
    let (whole, cents) = digits.split_once('.').unwrap_or((&digits, ""));
    let sign = if amount.is_sign_negative() && !amount.is_zero() {
        "−"
    } else {
        ""
    };
    let is_dollar = matches!(currency, "CAD" | "USD");
    match words.0 {
        Language::English => {
            let point = if cents.is_empty() { "" } else { "." };
            let number = format!("{}{point}{cents}", grouped(whole, ','));
            if is_dollar {
                format!("{sign}${number}")
            } else {
                format!("{sign}{number}{NO_BREAK}{currency}")
            }
        }
        Language::French => {
            let point = if cents.is_empty() { "" } else { "," };
            let unit = if is_dollar { "$" } else { currency };
            format!("{sign}{}{point}{cents}{NO_BREAK}{unit}", grouped(whole, NO_BREAK))
        }
    }
}

/// A range of two amounts; one amount if both are equal.
pub fn range(words: Words, from: &str, to: &str, currency: &str) -> String {
    let (low, high) = (money(words, from, currency), money(words, to, currency));
    if low == high {
        return low;
    }
    match words.0 {
        Language::English => format!("{low}–{high}"),
        Language::French => format!("{low} à {high}"),
    }
}

/// Digits grouped by thousands.
fn grouped(digits: &str, separator: char) -> String {
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(separator);
        }
        text.push(digit);
    }
    text
}

/// A whole number.
pub fn count(words: Words, count: i64) -> String {
    let separator = match words.0 {
        Language::English => ',',
        Language::French => NO_BREAK,
    };
    let sign = if count < 0 { "−" } else { "" };
    format!("{sign}{}", grouped(&count.unsigned_abs().to_string(), separator))
}

/// A rate in percent.
pub fn percent(words: Words, rate: &str) -> String {
    let rate = decimal(words, rate);
    match words.0 {
        Language::English => format!("{rate}%"),
        Language::French => format!("{rate}{NO_BREAK}%"),
    }
}

/// A decimal number with the decimal mark of the language.
pub fn decimal(words: Words, number: &str) -> String {
    match words.0 {
        Language::English => number.to_owned(),
        Language::French => number.replace('.', ","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: Words = Words(Language::English);
    const FRENCH: Words = Words(Language::French);

    #[test]
    fn money_is_written_as_in_canada() {
        for (amount, english, french) in [
            ("350.00", "$350", "350\u{a0}$"),
            ("52.17", "$52.17", "52,17\u{a0}$"),
            ("1234567.5", "$1,234,567.50", "1\u{a0}234\u{a0}567,50\u{a0}$"),
            ("-75", "−$75", "−75\u{a0}$"),
            ("0.00", "$0", "0\u{a0}$"),
        ] {
            assert_eq!(money(ENGLISH, amount, "CAD"), english);
            assert_eq!(money(FRENCH, amount, "CAD"), french);
        }
        assert_eq!(money(ENGLISH, "5.00", "EUR"), "5\u{a0}EUR");
        assert_eq!(range(ENGLISH, "350.00", "400.00", "CAD"), "$350–$400");
        assert_eq!(range(FRENCH, "350.00", "350.00", "CAD"), "350\u{a0}$");
        assert_eq!(money(ENGLISH, "what", "CAD"), "what");
    }

    #[test]
    fn times_are_those_of_the_business() {
        let now: DateTime<Utc> = "2026-11-24T20:00:00Z".parse().unwrap();
        let times = |words| Times {
            words,
            zone: Tz::America__Toronto,
            now,
        };
        let today = "2026-11-24T15:01:00Z".parse().unwrap();
        let before = "2026-11-23T04:30:00Z".parse().unwrap();
        let last_year = "2025-11-23T17:00:00Z".parse().unwrap();
        assert_eq!(times(ENGLISH).text(today), "10:01\u{a0}a.m.");
        assert_eq!(times(FRENCH).text(today), "10\u{a0}h\u{a0}01");
        assert_eq!(times(ENGLISH).text(before), "Sun, Nov\u{a0}22, 11:30\u{a0}p.m.");
        assert_eq!(times(FRENCH).text(before), "dim. 22\u{a0}nov., 23\u{a0}h\u{a0}30");
        assert_eq!(times(ENGLISH).text(last_year), "Sun, Nov\u{a0}23 2025, 12:00\u{a0}p.m.");
    }

    #[test]
    fn a_span_has_its_two_largest_units() {
        for (minutes, text) in [
            (-5, "0 min"),
            (59, "59 min"),
            (61, "1 h 01"),
            (1500, "1 d 1 h"),
            (14400, "10 d"),
        ] {
            let shown = span(ENGLISH, TimeDelta::minutes(minutes)).replace(NO_BREAK, " ");
            assert_eq!(shown, text);
        }
        assert_eq!(span(FRENCH, TimeDelta::minutes(1500)).replace(NO_BREAK, " "), "1 j 1 h");
    }
}
