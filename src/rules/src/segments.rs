//! Counts the billed parts of an SMS message.
//!
//! A message with only characters of the GSM 03.38 alphabet may have 160 units in one part, or 153 in each of several
//! parts. One other character switches the whole message to UCS-2. It may then have 70 UTF-16 units in one part, or 67
//! in each of several parts. A character of two units is never split across two parts.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The encoding in which a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The seven-bit GSM alphabet.
    Gsm7,
    /// Two-byte UTF-16 units.
    Ucs2,
}

/// The size of an SMS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// The encoding that the whole message needs.
    pub encoding: Encoding,
    /// Length in septets for GSM, or in UTF-16 units for UCS-2.
    pub units: usize,
    /// Number of parts; each part is billed as one message. An empty message has no parts.
    pub count: usize,
}

const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const EXTENDED: &str = "^{}\\[~]|€\u{c}";

/// Counts the parts of a message.
#[must_use]
pub fn segments(body: &str) -> Segments {
    let gsm: Option<Vec<usize>> = body.chars().map(gsm_cost).collect();
    if let Some(costs) = gsm {
        return pack(Encoding::Gsm7, &costs, 160, 153);
    }
    let costs: Vec<usize> = body.chars().map(char::len_utf16).collect();
    pack(Encoding::Ucs2, &costs, 70, 67)
}

/// The characters that force UCS-2, in order and without duplicates, for a warning to the template's author.
#[must_use]
pub fn outside_gsm7(body: &str) -> Vec<char> {
    let mut outside = Vec::new();
    for letter in body.chars().filter(|letter| gsm_cost(*letter).is_none()) {
        if !outside.contains(&letter) {
            outside.push(letter);
        }
    }
    outside
}

/// Returns the nearest spelling in the GSM alphabet, for the template's author; `None` if there is none.
#[must_use]
pub fn cheaper(letter: char) -> Option<String> {
    let known = match letter {
        '\u{2018}' | '\u{2019}' | '\u{02BC}' | '\u{2032}' => "'",
        '\u{201C}' | '\u{201D}' | '\u{201E}' | '\u{2033}' | '«' | '»' => "\"",
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '•' | '·' => "-",
        '…' => "...",
        'œ' => "oe",
        'Œ' => "OE",
        '×' => "x",
        '°' => " deg",
        '©' => "(c)",
        c if c.is_whitespace() => " ",
        _ => {
            let plain: String = std::iter::once(letter)
                .nfd()
                .filter(|c| !is_combining_mark(*c))
                .collect();
            let is_cheaper = !plain.is_empty() && plain.chars().all(|c| gsm_cost(c).is_some());
            return is_cheaper.then_some(plain);
        }
    };
    Some(known.to_owned())
}

/// Replaces each character outside the GSM alphabet with its nearest spelling. A character without a GSM spelling does
/// not change.
#[must_use]
pub fn respelt(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match cheaper(letter).filter(|_| gsm_cost(letter).is_none()) {
            Some(spelling) => plain.push_str(&spelling),
            None => plain.push(letter),
        }
    }
    plain
}

/// Returns the message to send: unchanged, or in the nearest spelling if this spelling needs fewer parts. For example,
/// a message with "Fenetre" may fit in one part and readers understand it. With "Fenêtre" it would need two or three
/// parts.
#[must_use]
pub fn cheapest(text: String) -> String {
    let now = segments(&text);
    if now.encoding == Encoding::Gsm7 || now.count < 2 {
        return text;
    }
    let plain = respelt(&text);
    if segments(&plain).count < now.count {
        plain
    } else {
        text
    }
}

fn gsm_cost(letter: char) -> Option<usize> {
    if BASIC.contains(letter) {
        Some(1)
    } else if EXTENDED.contains(letter) {
        Some(2)
    } else {
        None
    }
}

fn pack(encoding: Encoding, costs: &[usize], alone: usize, each: usize) -> Segments {
    let units = costs.iter().sum();
    let count = if units == 0 {
        0
    } else if units <= alone {
        1
    } else {
        let (mut parts, mut used) = (1, 0);
        for cost in costs {
            if used + cost > each {
                parts += 1;
                used = 0;
            }
            used += cost;
        }
        parts
    };
    Segments { encoding, units, count }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> (Encoding, usize, usize) {
        let found = segments(body);
        (found.encoding, found.units, found.count)
    }

    #[test]
    fn a_plain_text_has_160_units_then_153_a_part() {
        assert_eq!(of(""), (Encoding::Gsm7, 0, 0));
        assert_eq!(of(&"a".repeat(160)), (Encoding::Gsm7, 160, 1));
        assert_eq!(of(&"a".repeat(161)), (Encoding::Gsm7, 161, 2));
        assert_eq!(of(&"a".repeat(306)), (Encoding::Gsm7, 306, 2));
        assert_eq!(of(&"a".repeat(307)), (Encoding::Gsm7, 307, 3));
    }

    #[test]
    fn one_letter_outside_the_alphabet_turns_the_whole_text() {
        for letter in "éèàùìòÇÉ".chars() {
            assert_eq!(segments(&letter.to_string()).encoding, Encoding::Gsm7, "{letter}");
        }
        for letter in "êëîïôûçâœÀÈ«»’".chars() {
            assert_eq!(segments(&letter.to_string()).encoding, Encoding::Ucs2, "{letter}");
        }
        assert_eq!(of(&format!("{}ê", "a".repeat(69))), (Encoding::Ucs2, 70, 1));
        assert_eq!(of(&format!("{}ê", "a".repeat(70))), (Encoding::Ucs2, 71, 2));
        assert_eq!(outside_gsm7("forêt, bêche, ça"), vec!['ê', 'ç']);
    }

    #[test]
    fn what_is_cheaper_is_in_the_alphabet() {
        for (letter, spelling) in [
            ('ê', "e"),
            ('ç', "c"),
            ('À', "A"),
            ('È', "E"),
            ('œ', "oe"),
            ('’', "'"),
            ('«', "\""),
            ('–', "-"),
            ('\u{a0}', " "),
            ('…', "..."),
            ('û', "u"),
            ('Ï', "I"),
        ] {
            assert_eq!(cheaper(letter).as_deref(), Some(spelling), "{letter}");
            assert_eq!(outside_gsm7(spelling), Vec::<char>::new());
            assert_eq!(outside_gsm7(&letter.to_string()), vec![letter]);
        }
        assert_eq!(cheaper('😀'), None);
        assert_eq!(cheaper('水'), None);
    }

    #[test]
    fn a_text_is_respelt_where_that_saves_a_part() {
        let long = format!("{} fenêtre… «ça»", "a".repeat(70));
        assert_eq!(cheapest(long), format!("{} fenetre... \"ca\"", "a".repeat(70)));
        // An accent costs nothing extra if the message fits in one part, or if another character forces UCS-2 anyway.
        for kept in ["fenêtre".to_owned(), format!("{} 😀 fenêtre", "a".repeat(80))] {
            assert_eq!(cheapest(kept.clone()), kept);
        }
    }

    #[test]
    fn what_costs_two_is_counted_twice_and_never_split() {
        assert_eq!(of(&"€".repeat(80)), (Encoding::Gsm7, 160, 1));
        // 76 characters of two septets fit in a part of 153 septets; one septet stays empty.
        assert_eq!(of(&"€".repeat(153)), (Encoding::Gsm7, 306, 3));
        assert_eq!(of(&"😀".repeat(35)), (Encoding::Ucs2, 70, 1));
        assert_eq!(of(&"😀".repeat(67)), (Encoding::Ucs2, 134, 3));
    }
}
