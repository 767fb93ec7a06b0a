//! Reads telephone numbers as E.164: `+15145550100`. Numbers without a country code belong to the rulebook's region.

use phonenumber::Mode;
use phonenumber::country::Id;

use super::tokens::{Plain, Token};

/// Maximum length, in bytes, of a text with a telephone number.
const MAX_TEXT: usize = 200;

/// Reads the only telephone number in a text.
///
/// # Errors
/// Why the text is not a telephone number.
pub fn phone(text: &str, region: Option<Id>) -> Result<String, &'static str> {
    let text = text.trim();
    if text.len() > MAX_TEXT {
        return Err("it is too long for a telephone number");
    }
    let text = address(text);
    if !text.contains(|c: char| c.is_ascii_digit()) {
        return spoken(text, region);
    }
    let dialled = text.split(extension).next().unwrap_or(text);
    let written: String = dialled
        .chars()
        .filter(|c| !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'))
        .collect();
    // Letters other than "tel" and the like mean another kind of number or an account name.
    let foreign = |c: char| c.is_alphabetic();
    let around: String = written
        .chars()
        .filter(|c| foreign(*c))
        .flat_map(char::to_lowercase)
        .collect();
    if !matches!(
        around.as_str(),
        "" | "tel" | "phone" | "cell" | "mobile" | "number" | "numero" | "numéro" | "le" | "au"
    ) {
        return Err("it contains more than a telephone number");
    }
    let start = written
        .find(|c: char| c.is_ascii_digit() || c == '+' || c == '(')
        .unwrap_or(0);
    dialable(written.get(start..).unwrap_or_default(), region)
}

/// Returns the number in a URI, as in `sip:+15145550100@host` and `tel:+1-514-555-0100;ext=2`.
fn address(text: &str) -> &str {
    let scheme = text.split_once(':').filter(|(scheme, _)| {
        ["sip", "sips", "tel", "callto", "whatsapp"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
    });
    let rest = scheme.map_or(text, |(_, rest)| rest);
    let rest = rest.split(['@', ';']).next().unwrap_or(rest);
    rest.trim_start_matches('/')
}

/// Whether a character begins an extension, as in `x12` and `#12`.
fn extension(c: char) -> bool {
    matches!(c, 'x' | 'X' | '#' | ',')
}

fn dialable(text: &str, region: Option<Id>) -> Result<String, &'static str> {
    const NONE: &str = "no telephone number has these digits";
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let international = text.trim_start().starts_with('+');
    if let Some(number) = nanp(&digits, international, region) {
        return Ok(number);
    }
    // `011` and `00` are international prefixes. A country code without `+` is tried if the number does not belong to
    // the region.
    let tries = [
        (international || region.is_none()).then(|| format!("+{digits}")),
        (!international).then(|| digits.clone()).filter(|_| region.is_some()),
        (!international)
            .then(|| digits.strip_prefix("011").or_else(|| digits.strip_prefix("00")))
            .flatten()
            .map(|rest| format!("+{rest}")),
        (!international && digits.len() > 10).then(|| format!("+{digits}")),
    ];
    if !(7..=17).contains(&digits.len()) {
        return Err(NONE);
    }
    for text in tries.into_iter().flatten() {
        let known = if text.starts_with('+') { None } else { region };
        let parsed = phonenumber::parse(known, &text).ok();
        // `is_valid` searches tables of patterns, which is slow.
        let sound = parsed.filter(|number| is_possible_nanp(number) || phonenumber::is_valid(number));
        if let Some(number) = sound {
            return Ok(number.format().mode(Mode::E164).to_string());
        }
    }
    Err(NONE)
}

/// Reads a North American number. The country code may be missing if the region is Canada or the United States. The
/// digits alone determine the E.164 form, so the slow library is not needed. An area code may be newer than the
/// library's tables.
fn nanp(digits: &str, international: bool, region: Option<Id>) -> Option<String> {
    let at_home = matches!(region, Some(Id::CA | Id::US));
    let national = match digits.len() {
        11 if international || at_home => digits.strip_prefix('1')?,
        10 if at_home && !international => digits,
        _ => return None,
    };
    let begins_with = |at: usize| national.as_bytes().get(at).is_some_and(|digit| *digit >= b'2');
    (begins_with(0) && begins_with(3)).then(|| format!("+1{national}"))
}

/// Whether a number has the ten digits of a North American number. An area code may be newer than the library's tables.
fn is_possible_nanp(number: &phonenumber::PhoneNumber) -> bool {
    let national = number.national().value();
    let (area, exchange) = (national / 10_000_000, national / 10_000 % 1_000);
    number.code().value() == 1 && national < 10_000_000_000 && area >= 200 && exchange >= 200
}

/// Reads a number in words, by digits or in groups: "five one four, five five five, oh one hundred".
fn spoken(text: &str, region: Option<Id>) -> Result<String, &'static str> {
    let mut digits = String::new();
    for token in Plain::new(text).tokens() {
        match token {
            Token::Number(number) if number.fract().is_zero() && !number.is_sign_negative() => {
                digits.push_str(&number.normalize().to_string());
            }
            Token::Word("oh" | "o") => digits.push('0'),
            Token::Word("plus") if digits.is_empty() => digits.push('+'),
            Token::Mark(',' | '.' | '-' | '\n') => {}
            _ => return Err("it is not a phone number"),
        }
    }
    if digits.is_empty() {
        return Err("it is not a phone number");
    }
    dialable(&digits, region)
}

/// Returns the region for numbers without a country code: from the settings, else from the currency.
#[must_use]
pub fn region(own: Option<&str>, currency: &str) -> Option<Id> {
    let code = own.or(match currency {
        "CAD" => Some("CA"),
        "USD" => Some("US"),
        "GBP" => Some("GB"),
        "AUD" => Some("AU"),
        "NZD" => Some("NZ"),
        "CHF" => Some("CH"),
        "MXN" => Some("MX"),
        "SEK" => Some("SE"),
        "NOK" => Some("NO"),
        "DKK" => Some("DK"),
        "PLN" => Some("PL"),
        _ => None,
    })?;
    code.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        phone(text, region(None, "CAD")).ok()
    }

    #[test]
    fn every_way_to_write_a_number_becomes_e164() {
        for text in [
            "+15145550100",
            "15145550100",
            "5145550100",
            "(514) 555-0100",
            "514.555.0100",
            "514 555 0100",
            "1-514-555-0100",
            "+1 (514) 555-0100",
            "tel:+1-514-555-0100",
            "sip:+15145550100@sip.example.com",
            "sip:5145550100@10.0.0.1;user=phone",
            "514-555-0100 x12",
            "514-555-0100#12",
            "five one four five five five zero one zero zero",
            "cinq un quatre, cinq cinq cinq, zéro un zéro zéro",
        ] {
            assert_eq!(read(text).as_deref(), Some("+15145550100"), "{text}");
        }
        assert_eq!(read("+33 1 42 68 53 00").as_deref(), Some("+33142685300"));
        assert_eq!(read("011 33 1 42 68 53 00").as_deref(), Some("+33142685300"));
        assert_eq!(
            phone("01 42 68 53 00", "FR".parse().ok()).ok().as_deref(),
            Some("+33142685300")
        );
        assert_eq!(phone("+15145550100", None).ok().as_deref(), Some("+15145550100"));
    }

    #[test]
    fn a_north_american_number_is_what_the_library_makes_of_it() {
        let canada = region(None, "CAD");
        let nationals = (200..1_000).flat_map(|area| [199, 200, 555].map(|exchange| format!("{area}{exchange}0142")));
        for national in nationals {
            for (digits, international, known) in [
                (format!("1{national}"), true, None),
                (format!("1{national}"), false, canada),
                (national.clone(), false, canada),
            ] {
                let text = if international {
                    format!("+{digits}")
                } else {
                    digits.clone()
                };
                let number = phonenumber::parse(known, &text).ok().filter(is_possible_nanp);
                let wanted = number.map(|number| number.format().mode(Mode::E164).to_string());
                assert_eq!(nanp(&digits, international, known), wanted, "{text}");
            }
        }
        assert_eq!(nanp("5145550100", false, None), None);
        assert_eq!(nanp("5145550100", true, canada), None);
    }

    #[test]
    fn what_cannot_be_dialled_is_none() {
        for text in [
            "",
            "same number",
            "le même numéro",
            "555-0100",
            "123",
            "12345678901234567890",
            "unknown",
            "anonymous",
            "sip:alice@example.com",
            "call me maybe",
            "514 555 0100 or 438 555 0101",
            "J4K 2M6",
            "0000000000",
            "+",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
