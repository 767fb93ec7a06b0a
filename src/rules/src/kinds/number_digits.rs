//! Reads numbers in digits: `12,5`, `1 200`, `3/4`.

use rust_decimal::Decimal;

/// Maximum number of digits of a number.
const MAX_DIGITS: usize = 24;

/// Reads a fraction in digits, such as `3/4`, and returns its value and its length in bytes. A text with a denominator
/// above 64 is a date or an address, so the result is `None`.
pub(super) fn fraction(text: &str) -> Option<(Decimal, usize)> {
    let run = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let top = run(text);
    let rest = text.get(top..)?.strip_prefix('/')?;
    let bottom = run(rest);
    let end = top + 1 + bottom;
    let goes_on = text.get(end..)?.starts_with(['/', '.', ',']);
    if top > 3 || bottom > 2 || bottom == 0 || goes_on {
        return None;
    }
    let (above, below): (Decimal, Decimal) = (text[..top].parse().ok()?, rest[..bottom].parse().ok()?);
    let sound = below > Decimal::ONE && below <= Decimal::from(64);
    let part = if sound { above.checked_div(below) } else { None };
    Some((part?, end))
}

/// Reads the number at the beginning of a text, and returns its value and its length in bytes: `12`, `12.5`, `12,5`, `1
/// 200`, `1,200.50`, `1.200,50`.
pub(super) fn digits(text: &str) -> (Option<Decimal>, usize) {
    let bytes = text.as_bytes();
    let run = |from: usize| {
        bytes[from.min(bytes.len())..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let first = run(0);
    let mut number = text[..first].to_owned();
    let mut at = first;
    // After one to three digits, groups of three digits may follow. All separators must be the same.
    let separators: [&str; 5] = [" ", "\u{a0}", ",", ".", "'"];
    if first <= 3 && number != "0" {
        let grouped = |mark: &str, from: usize| {
            text.get(from..).is_some_and(|rest| rest.starts_with(mark)) && run(from + mark.len()) == 3
        };
        let mark = separators.into_iter().find(|mark| grouped(mark, at));
        let mark = mark.filter(|mark| match *mark {
            // "1.200" is 1.2 unless another group or a comma follows; "10'600" is feet.
            "." => {
                grouped(".", at + 4)
                    || (text.get(at + 4..).is_some_and(|rest| rest.starts_with(',')) && run(at + 5) > 0)
            }
            "'" => false,
            _ => true,
        });
        if let Some(mark) = mark {
            while grouped(mark, at) {
                let from = at + mark.len();
                number.push_str(&text[from..from + 3]);
                at = from + 3;
            }
        }
    }
    let decimals = text
        .get(at..)
        .filter(|rest| rest.starts_with(['.', ',']))
        .map_or(0, |_| run(at + 1));
    if decimals > 0 {
        number.push('.');
        number.push_str(&text[at + 1..at + 1 + decimals]);
        at += 1 + decimals;
    }
    let value = if number.len() <= MAX_DIGITS {
        number.parse().ok()
    } else {
        None
    };
    (value, at)
}
