//! Parses and formats amounts and rates as people type them, in both languages.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::locale::decimal;
use crate::words::Words;

/// Maximum number of decimals of an amount of money; `RATE_DIGITS` is the maximum for rates.
const CENTS: u32 = 2;
const RATE_DIGITS: u32 = 6;
/// Maximum price.
const HIGHEST: i64 = 100_000_000;

/// A price or a rate. Only a range of prices has two different ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: Decimal,
    pub to: Decimal,
}

/// An error in the typed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Missing,
    Number,
    Cents,
    Digits,
    Negative,
    High,
    Crossed,
}

impl Fault {
    /// The key of the message that explains the error.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Missing => "prices-fault-missing",
            Self::Number => "prices-fault-number",
            Self::Cents => "prices-fault-cents",
            Self::Digits => "prices-fault-digits",
            Self::Negative => "prices-fault-negative",
            Self::High => "prices-fault-high",
            Self::Crossed => "prices-fault-crossed",
        }
    }
}

impl Span {
    /// A span with two equal ends.
    pub const fn one(number: Decimal) -> Self {
        Self {
            from: number,
            to: number,
        }
    }

    pub fn is_range(self) -> bool {
        self.from != self.to
    }
}

/// Parses a single number, such as `1,234.50`, `1 234,50 $` or `30 %`.
pub fn number(text: &str) -> Result<Decimal, Fault> {
    let unit = |c: char| c.is_whitespace() || matches!(c, '$' | '%' | '\'' | '’');
    let plain: String = text
        .replace("CAD", "")
        .replace('−', "-")
        .chars()
        .filter(|c| !unit(*c))
        .collect();
    if plain.is_empty() {
        return Err(Fault::Missing);
    }
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, ',' | '.' | '-' | '+');
    if !plain.chars().all(is_number) {
        return Err(Fault::Number);
    }
    let number: Decimal = unified(&plain).parse().map_err(|_| Fault::Number)?;
    if number.abs() > Decimal::from(HIGHEST) {
        return Err(Fault::High);
    }
    Ok(number)
}

/// Converts the text to a number with a decimal point and no other separators. A single comma before three digits is a
/// thousands separator.
fn unified(plain: &str) -> String {
    let (commas, points) = (plain.matches(',').count(), plain.matches('.').count());
    let decimals_after = |separator: char| plain.rsplit(separator).next().map_or(0, str::len);
    let mark = match (plain.rfind(','), plain.rfind('.')) {
        (Some(comma), Some(point)) => Some(comma.max(point)),
        (Some(comma), None) if commas == 1 && decimals_after(',') != 3 => Some(comma),
        (None, Some(point)) if points == 1 => Some(point),
        _ => None,
    };
    let kept = plain.char_indices().filter_map(|(at, c)| match c {
        _ if Some(at) == mark => Some('.'),
        ',' | '.' => None,
        c => Some(c),
    });
    kept.collect()
}

/// Parses the text of a field for money or a rate. Only the column `price` may have a range, such as `350-400`.
pub fn span(text: &str, column: &str) -> Result<Span, Fault> {
    let ends = if column == "price" { ends(text) } else { None };
    let (from, to) = match ends {
        Some((from, to)) => (number(from)?, number(to)?),
        None => {
            let one = number(text)?;
            (one, one)
        }
    };
    let is_rate = column == "rate";
    for one in [from, to] {
        let digits = one.normalize().scale();
        if is_rate && digits > RATE_DIGITS {
            return Err(Fault::Digits);
        }
        if !is_rate && digits > CENTS {
            return Err(Fault::Cents);
        }
        if column.starts_with("price") && one.is_sign_negative() && !one.is_zero() {
            return Err(Fault::Negative);
        }
    }
    if from > to {
        return Err(Fault::Crossed);
    }
    Ok(Span { from, to })
}

fn ends(text: &str) -> Option<(&str, &str)> {
    let split = ['–', '—'].into_iter().find_map(|dash| text.split_once(dash));
    let split = split
        .or_else(|| text.split_once(" à "))
        .or_else(|| text.split_once(" to "));
    // A hyphen at the beginning is a minus sign.
    let hyphen = || {
        text.rmatch_indices('-')
            .find(|(at, _)| *at > 0)
            .map(|(at, _)| text.split_at(at))
    };
    split.or_else(|| hyphen().and_then(|(from, to)| Some((from, to.strip_prefix('-')?))))
}

/// A number in the format of a field.
pub fn typed(words: Words, number: Decimal, is_money: bool) -> String {
    let text = if is_money && !number.fract().is_zero() {
        format!("{number:.2}")
    } else {
        number.normalize().to_string()
    };
    decimal(words, &text)
}

/// A span in the format of a field.
pub fn typed_span(words: Words, span: Span, is_money: bool) -> String {
    let (from, to) = (typed(words, span.from, is_money), typed(words, span.to, is_money));
    if span.is_range() {
        format!("{from}–{to}")
    } else {
        from
    }
}

/// Changes a number by `percent`, and rounds it to a multiple of `step`. `None` if the result overflows.
pub fn raised(number: Decimal, percent: Decimal, step: Decimal) -> Option<Decimal> {
    let factor = Decimal::ONE.checked_add(percent.checked_div(Decimal::ONE_HUNDRED)?)?;
    let steps = number.checked_mul(factor)?.checked_div(step)?;
    let steps = steps.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
    steps.checked_mul(step)
}

/// The change of a number in percent, with one decimal; `None` if `before` is zero.
pub fn change(before: Decimal, after: Decimal) -> Option<Decimal> {
    let part = after.checked_sub(before)?.checked_div(before)?;
    let percent = part.checked_mul(Decimal::ONE_HUNDRED)?;
    Some(percent.round_dp_with_strategy(1, RoundingStrategy::MidpointAwayFromZero))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language;

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn numbers_are_read_in_both_languages() {
        for (text, number_) in [
            ("350", "350"),
            ("$1,234.50", "1234.50"),
            ("1 234,50 $", "1234.50"),
            ("1\u{a0}234\u{202f}567,5", "1234567.5"),
            ("1,234", "1234"),
            ("1,5", "1.5"),
            ("1.234.567", "1234567"),
            ("30 %", "30"),
            ("−75", "-75"),
            ("CAD 20", "20"),
        ] {
            assert_eq!(number(text), Ok(dec(number_)), "{text}");
        }
        for (text, fault) in [
            ("", Fault::Missing),
            (" $", Fault::Missing),
            ("abc", Fault::Number),
            ("1-2", Fault::Number),
            ("--1", Fault::Number),
            ("1e5", Fault::Number),
            ("999999999999", Fault::High),
            ("99999999999999999999999999999999999999", Fault::Number),
        ] {
            assert_eq!(number(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn a_field_says_what_it_cannot_take() {
        let both = |from, to| {
            Ok(Span {
                from: dec(from),
                to: dec(to),
            })
        };
        assert_eq!(span("350-400", "price"), both("350", "400"));
        assert_eq!(span("350 à 400 $", "price"), both("350", "400"));
        assert_eq!(span("400–350", "price"), Err(Fault::Crossed));
        assert_eq!(span("-5", "price"), Err(Fault::Negative));
        assert_eq!(span("-5", "amount"), both("-5", "-5"));
        assert_eq!(span("350.125", "price_from"), Err(Fault::Cents));
        assert_eq!(span("9.975", "rate"), both("9.975", "9.975"));
        assert_eq!(span("0.1234567", "rate"), Err(Fault::Digits));
        assert_eq!(span("350-400", "amount"), Err(Fault::Number));
    }

    #[test]
    fn a_price_is_raised_and_rounded() {
        for (number, percent, step, raised_) in [
            ("350", "10", "1", "385"),
            ("349", "3", "5", "360"),
            ("100", "-2.5", "0.01", "97.50"),
            ("45", "10", "1", "50"),
        ] {
            assert_eq!(
                raised(dec(number), dec(percent), dec(step)),
                Some(dec(raised_)),
                "{number}"
            );
        }
        assert_eq!(change(dec("350"), dec("380")), Some(dec("8.6")));
        assert_eq!(change(dec("0"), dec("380")), None);
        let french = Words(Language::French);
        assert_eq!(typed(french, dec("52.50"), true), "52,50");
        assert_eq!(typed(french, dec("350.00"), true), "350");
        assert_eq!(
            typed_span(
                french,
                Span {
                    from: dec("1"),
                    to: dec("2")
                },
                true
            ),
            "1–2"
        );
    }
}
