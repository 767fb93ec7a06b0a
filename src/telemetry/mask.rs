//! Phone numbers made unreadable.
//!
//! In: a number, or a text that may hold one. Out: the same with the middle digits hidden, still good for
//! telling two callers of one log apart.

/// `+15145550101` becomes `+1514***0101`; what is too short to mask is hidden whole.
#[must_use]
pub fn mask_phone(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    if digits.len() < 9 {
        return "***".to_owned();
    }
    let plus = if number.trim_start().starts_with('+') { "+" } else { "" };
    // As many leading digits as leave at least three hidden before the last four.
    let head: String = digits.iter().take(4.min(digits.len() - 7)).collect();
    let tail: String = digits.iter().skip(digits.len() - 4).collect();
    format!("{plus}{head}***{tail}")
}

/// The text with everything that looks like a phone number masked: nine digits or more, with the separators
/// that people write between them.
#[must_use]
pub fn scrub(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars() {
        let starts = c.is_ascii_digit() || c == '+';
        let continues = !run.is_empty() && matches!(c, ' ' | '-' | '.' | '(' | ')');
        if starts || continues {
            run.push(c);
        } else {
            flush(&mut run, &mut out);
            out.push(c);
        }
    }
    flush(&mut run, &mut out);
    out
}

/// Writes a run of digits and separators out, masked when it may be a number to call.
fn flush(run: &mut String, out: &mut String) {
    let number = run.trim_end_matches(|c: char| !c.is_ascii_digit());
    if number.chars().filter(char::is_ascii_digit).count() >= 9 {
        out.push_str(&mask_phone(number));
        out.push_str(&run[number.len()..]);
    } else {
        out.push_str(run);
    }
    run.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_number_is_hidden() {
        assert_eq!(mask_phone("+15145550101"), "+1514***0101");
        assert_eq!(mask_phone("514 555-0101"), "514***0101");
        assert_eq!(mask_phone("911"), "***");
        assert_eq!(mask_phone("numéro"), "***");
    }

    #[test]
    fn numbers_inside_a_text_are_masked_and_the_rest_stays() {
        assert_eq!(
            scrub("sent to +1 (514) 555-0101, code 21211."),
            "sent to +1514***0101, code 21211."
        );
        assert_eq!(scrub("invalid input \"5145550101\""), "invalid input \"514***0101\"");
        assert_eq!(scrub("line 12, column 7"), "line 12, column 7");
    }
}
