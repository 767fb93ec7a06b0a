//! Reads lengths in metres: `12 m`, `40 feet`, `quarante pieds`, `10'6"`, `3/4"`, `1 m 50`. The module never guesses,
//! because prices depend on lengths. An unknown unit or two different lengths give no result.

use rust_decimal::Decimal;

use super::speech::Speech;
use super::tokens::{Plain, Token};

/// A length that was found in a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Length {
    /// The length in metres.
    pub metres: Decimal,
    /// The number as written or said.
    pub number: Decimal,
    /// Whether the unit is metres, or missing.
    pub in_metres: bool,
}

/// Words that may be around a bare number without changing its meaning.
const AROUND: &[&str] = &[
    "about",
    "around",
    "approximately",
    "approx",
    "roughly",
    "maybe",
    "probably",
    "at",
    "least",
    "total",
    "in",
    "long",
    "length",
    "or",
    "so",
    "environ",
    "peu",
    "pres",
    "a",
    "peut",
    "etre",
    "autour",
    "de",
    "au",
    "moins",
    "en",
    "tout",
    "longueur",
    "longs",
    "linear",
    "lineal",
    "lineaire",
    "lineaires",
    "estimated",
    "estime",
];
/// Words that may be between a number and its unit.
const BETWEEN: &[&str] = &["linear", "lineal", "running", "good", "bons", "or", "so"];
/// A number whose unit is followed by one of these words is not a length.
const NOT_LENGTHS: &[&str] = &[
    "square", "sq", "cubic", "carre", "carres", "carree", "carrees", "cube", "cubes", "cubique", "cubiques",
];
/// Words for depth, width, thickness and distance, which are not the length of the job.
const OTHER_MEASURES: &[&str] = &[
    "deep",
    "depth",
    "wide",
    "width",
    "high",
    "height",
    "tall",
    "thick",
    "thickness",
    "diameter",
    "away",
    "below",
    "above",
    "under",
    "underground",
    "profond",
    "profonde",
    "profonds",
    "profondeur",
    "large",
    "largeur",
    "haut",
    "hauteur",
    "epais",
    "epaisseur",
    "diametre",
    "water",
    "eau",
    "snow",
    "neige",
    "sous",
];
/// A length after one of these words is not the intended length.
const DENIALS: &[&str] = &["not", "pas", "instead", "lieu", "rather", "plutot"];
/// After one of these words, a number without a unit corrects the previous length.
const CORRECTIONS: &[&str] = &[
    "no", "non", "sorry", "actually", "rather", "mean", "make", "fait", "plutot", "pardon", "dire",
];

/// Reads the length in a field; a number without a unit is in metres.
///
/// # Errors
/// Why the text is not a length.
pub fn in_field(text: &str) -> Result<Length, &'static str> {
    let plain = Plain::new(text);
    let tokens = plain.tokens();
    let mut found: Option<Length> = None;
    let mut at = 0;
    let mut last_end = None;
    while at < tokens.len() {
        let Some(measure) = measure(&tokens, at) else {
            at += 1;
            continue;
        };
        let (length, end) = measure?;
        let negative = at > 0 && tokens[at - 1] == Token::Mark('-') && last_end != Some(at - 1);
        if negative || length.metres <= Decimal::ZERO {
            return Err("a length must be more than zero");
        }
        match found {
            Some(known) if !alike(known.metres, length.metres) => return Err("there are several lengths in it"),
            Some(_) => {}
            None => found = Some(length),
        }
        at = end;
        last_end = Some(end);
    }
    found.ok_or("there is no length in it")
}

/// Whether two values are one length in two units, as in "40 feet (12.2 m)".
fn alike(one: Decimal, other: Decimal) -> bool {
    let apart = one.saturating_sub(other).abs();
    apart.saturating_mul(Decimal::from(50)) <= one.abs()
}

/// Reads the length at a token, and also returns the index after the length. `None` if there is no number; an error if
/// the unit is unknown.
fn measure(tokens: &[Token<'_>], at: usize) -> Option<Result<(Length, usize), &'static str>> {
    let (number, next) = number_at(tokens, at)?;
    if let Some(found) = with_unit(tokens, number, next) {
        return Some(found);
    }
    // After a number without a unit, only the end of the text, punctuation or filler words may follow.
    let sound = match tokens.get(next) {
        None => true,
        Some(Token::Mark(mark)) => !matches!(mark, '%' | '$' | '/' | '°' | '#' | ':'),
        Some(word @ Token::Word(_)) => word.is_one_of(AROUND),
        Some(Token::Number(_)) => false,
    };
    let money = at > 0 && matches!(tokens[at - 1], Token::Mark('$' | '#' | '/' | ':'));
    if !sound || money {
        return Some(Err("its unit is not understood"));
    }
    let length = Length {
        metres: number,
        number,
        in_metres: true,
    };
    Some(Ok((length, next)))
}

/// Reads the number at a token, and also returns the index after it; "a metre" and "half a metre" contain a number too.
fn number_at(tokens: &[Token<'_>], at: usize) -> Option<(Decimal, usize)> {
    match tokens.get(at)? {
        Token::Number(number) => {
            let half = *number < Decimal::ONE && tokens.get(at + 1).is_some_and(|token| token.is_one_of(&["a", "of"]));
            let unit_next = |at: usize| tokens.get(at).and_then(Token::word).and_then(unit).is_some();
            let mut next = at + 1;
            // Examples: "half a metre", "three quarters of a metre", "une vingtaine de pieds", "trois quarts d'un
            // mètre".
            if half {
                while next < at + 3 && tokens.get(next).is_some_and(|token| token.is_one_of(&["a", "of"])) {
                    next += 1;
                }
            } else if tokens.get(next).is_some_and(|token| token.is_one_of(&["de"])) && unit_next(next + 1) {
                next += 1;
            }
            Some((*number, next))
        }
        Token::Word("a") => {
            let next = tokens.get(at + 1)?.word()?;
            let is_unit = unit(next).is_some() && next.len() > 3;
            is_unit.then_some((Decimal::ONE, at + 1))
        }
        _ => None,
    }
}

/// Reads the unit after a number and, optionally, smaller units, as in `10'6"` and `1 m 50`.
fn with_unit(tokens: &[Token<'_>], number: Decimal, at: usize) -> Option<Result<(Length, usize), &'static str>> {
    let mut at = at;
    while tokens.get(at).is_some_and(|token| token.is_one_of(BETWEEN)) {
        at += 1;
    }
    if tokens.get(at) == Some(&Token::Mark('-')) {
        // A hyphen may precede the unit: "a 40-foot drain".
        at += 1;
    }
    let other = |at: usize| tokens.get(at).is_some_and(|token| token.is_one_of(NOT_LENGTHS));
    if other(at) {
        return Some(Err("it is an area or a volume, not a length"));
    }
    let (factor, mut end) = match tokens.get(at)? {
        Token::Word(word) => (unit(word)?, at + 1),
        Token::Mark('\'') if tokens.get(at + 1) == Some(&Token::Mark('\'')) => (INCH, at + 2),
        Token::Mark('\'') => (FOOT, at + 1),
        Token::Mark('"') => (INCH, at + 1),
        _ => return None,
    };
    if other(end) || matches!(tokens.get(end), Some(Token::Mark('²' | '³' | '^'))) {
        return Some(Err("it is an area or a volume, not a length"));
    }
    let Some(mut metres) = number.checked_mul(factor) else {
        return Some(Err("it is too long"));
    };
    if let Some((more, next)) = rest(tokens, factor, end) {
        metres = metres.saturating_add(more);
        end = next;
    }
    let length = Length {
        metres,
        number,
        in_metres: factor == Decimal::ONE,
    };
    Some(Ok((length, end)))
}

/// Reads the smaller units after a unit: inches after feet, centimetres after metres, or "and a half".
fn rest(tokens: &[Token<'_>], factor: Decimal, at: usize) -> Option<(Decimal, usize)> {
    let joined = tokens.get(at).is_some_and(|token| token.is_one_of(&["and", "et"]));
    let from = at + usize::from(joined);
    let article = usize::from(joined && tokens.get(from).is_some_and(|token| token.is_one_of(&["a"])));
    if joined
        && tokens
            .get(from + article)
            .is_some_and(|token| token.is_one_of(&["demi", "demie", "half"]))
    {
        return Some((factor.checked_mul(Decimal::new(5, 1))?, from + article + 1));
    }
    let Token::Number(number) = tokens.get(from)? else {
        return None;
    };
    if joined && *number == Decimal::new(5, 1) {
        return Some((factor.checked_mul(*number)?, from + 1));
    }
    let smaller = if factor == FOOT {
        INCH
    } else if factor == Decimal::ONE {
        Decimal::new(1, 2)
    } else {
        return None;
    };
    let most = if factor == FOOT {
        Decimal::from(12)
    } else {
        Decimal::ONE_HUNDRED
    };
    if *number >= most {
        return None;
    }
    let next = from + 1;
    let written = |factor: Decimal| match tokens.get(next) {
        Some(Token::Word(word)) => unit(word) == Some(factor),
        Some(Token::Mark('"')) => factor == INCH,
        _ => false,
    };
    let doubled = tokens.get(next) == Some(&Token::Mark('\'')) && tokens.get(next + 1) == Some(&Token::Mark('\''));
    if written(smaller) || (doubled && smaller == INCH) {
        return Some((number.checked_mul(smaller)?, next + 1 + usize::from(doubled)));
    }
    // "10'6", "1 m 50": the second number has no unit, and no word or number follows.
    let alone = !joined
        && !matches!(
            tokens.get(next),
            Some(Token::Word(_) | Token::Number(_) | Token::Mark('\''))
        );
    let close = factor == FOOT && tokens.get(at.checked_sub(1)?) == Some(&Token::Mark('\''));
    let two_digits = factor == Decimal::ONE && *number >= Decimal::TEN && number.fract().is_zero();
    if alone && (close || two_digits) {
        Some((number.checked_mul(smaller)?, next))
    } else {
        None
    }
}

const INCH: Decimal = Decimal::from_parts(254, 0, 0, false, 4);
const FOOT: Decimal = Decimal::from_parts(3048, 0, 0, false, 4);

/// Returns the length of a unit in metres.
fn unit(word: &str) -> Option<Decimal> {
    Some(match word {
        "m" | "metre" | "metres" | "meter" | "meters" | "mt" | "mts" | "mtr" | "mtrs" => Decimal::ONE,
        "dm" | "decimetre" | "decimetres" | "decimeter" | "decimeters" => Decimal::new(1, 1),
        "cm" | "centimetre" | "centimetres" | "centimeter" | "centimeters" => Decimal::new(1, 2),
        "mm" | "millimetre" | "millimetres" | "millimeter" | "millimeters" => Decimal::new(1, 3),
        "km" | "kilometre" | "kilometres" | "kilometer" | "kilometers" => Decimal::ONE_THOUSAND,
        "ft" | "foot" | "feet" | "feets" | "pied" | "pieds" | "pi" => FOOT,
        "in" | "inch" | "inches" | "pouce" | "pouces" | "po" => INCH,
        "yd" | "yds" | "yard" | "yards" | "verge" | "verges" => Decimal::new(9144, 4),
        _ => return None,
    })
}

/// Finds the last length that the caller named with a unit. Denied lengths, depths, widths and distances do not count.
/// A range or an area gives no length.
#[must_use]
pub fn in_speech(said: &Speech<'_>) -> Option<Length> {
    let tokens = said.tokens();
    let mut last: Option<Length> = None;
    // If a correction has a number without a unit, this unit applies.
    let mut factor = Decimal::ONE;
    let mut at = 0;
    while at < tokens.len() {
        let Some((number, next)) = number_at(tokens, at) else {
            at += 1;
            continue;
        };
        match with_unit(tokens, number, next) {
            Some(Ok((length, end))) => {
                if counts(tokens, at, end, &length) {
                    factor = length
                        .metres
                        .checked_div(length.number)
                        .filter(|_| !length.number.is_zero())
                        .unwrap_or(factor);
                    last = if is_range(tokens, at, end) { None } else { Some(length) };
                }
                at = end;
            }
            Some(Err(_)) => at = next,
            None => {
                if last.is_some() && corrects(tokens, at, next) {
                    last = number.checked_mul(factor).map(|metres| Length {
                        metres,
                        number,
                        in_metres: factor == Decimal::ONE,
                    });
                }
                at = next;
            }
        }
    }
    last.filter(|length| length.metres >= Decimal::new(5, 1))
}

/// Whether a length may be the length of the job. The length must be at least half a metre, because pipe diameters are
/// smaller. It must not be denied, and must not be a depth, a width or the like.
fn counts(tokens: &[Token<'_>], at: usize, end: usize, length: &Length) -> bool {
    let before = at.checked_sub(1).and_then(|at| tokens.get(at));
    let before_of = at.checked_sub(2).and_then(|at| tokens.get(at));
    let denied = before.is_some_and(|token| token.is_one_of(&["not", "pas"]))
        || (before.is_some_and(|token| token.is_one_of(&["of", "de", "than", "que"]))
            && before_of.is_some_and(|token| token.is_one_of(DENIALS)));
    // Skips filler words before another measure: "5 feet deep", "5 pieds de profond", "2 pieds d'eau", "4 feet in
    // diameter".
    let mut next = end;
    while next < end + 3
        && tokens
            .get(next)
            .is_some_and(|token| token.is_one_of(&["in", "of", "de", "d", "par", "the"]) || *token == Token::Mark('\''))
    {
        next += 1;
    }
    let other = tokens.get(next).is_some_and(|token| token.is_one_of(OTHER_MEASURES));
    length.metres >= Decimal::new(5, 1) && !denied && !other
}

/// Whether a length belongs to a range or an area: "10 to 12 metres", "entre 10 et 12 mètres", "3 m x 4 m".
fn is_range(tokens: &[Token<'_>], at: usize, end: usize) -> bool {
    let joins = |token: &Token<'_>| {
        token.is_one_of(&["to", "or", "ou", "a", "by", "par", "x", "sur"])
            || matches!(token, Token::Mark('-' | '×' | '/'))
    };
    let both = |token: &Token<'_>| token.is_one_of(&["and", "et"]);
    let between = |at: usize| {
        tokens[at.saturating_sub(5)..at]
            .iter()
            .any(|token| token.is_one_of(&["between", "entre"]))
    };
    let is_number = |at: Option<usize>| at.is_some_and(|at| matches!(tokens.get(at), Some(Token::Number(_))));
    let is_measure = |at: Option<usize>| {
        at.and_then(|at| tokens.get(at))
            .is_some_and(|token| token.word().and_then(unit).is_some())
    };
    let before = at
        .checked_sub(1)
        .filter(|at| joins(&tokens[*at]) || (both(&tokens[*at]) && between(*at)));
    let left = before.and_then(|at| at.checked_sub(1));
    let opens = before.is_some() && (is_number(left) || is_measure(left));
    let closes = tokens.get(end).is_some_and(joins) && is_number(Some(end + 1));
    opens || closes
}

/// Whether a number corrects the length before it: "… no, 12", "… je veux dire 12", "make that 15".
fn corrects(tokens: &[Token<'_>], at: usize, next: usize) -> bool {
    let from = at.saturating_sub(3);
    let cue = tokens[from..at].iter().any(|token| token.is_one_of(CORRECTIONS));
    let apart = matches!(
        tokens.get(next),
        None | Some(Token::Mark('.' | ',' | '!' | '?' | ';' | '\n'))
    );
    cue && apart
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str) -> Option<String> {
        in_field(text).ok().map(|found| found.metres.normalize().to_string())
    }

    fn speech(text: &str) -> Option<String> {
        in_speech(&Speech::of(text, &Plain::new(text))).map(|found| found.metres.normalize().to_string())
    }

    #[test]
    fn every_way_to_write_a_length_becomes_metres() {
        for (text, wanted) in [
            ("12", "12"),
            ("12 m", "12"),
            ("12m", "12"),
            ("12,5", "12.5"),
            ("1 200", "1200"),
            ("about 12 metres", "12"),
            ("environ 12 mètres linéaires", "12"),
            ("12 linear metres", "12"),
            ("40 feet", "12.192"),
            ("40ft", "12.192"),
            ("40-foot", "12.192"),
            ("40 pi.", "12.192"),
            ("forty feet", "12.192"),
            ("quarante pieds", "12.192"),
            ("une vingtaine de pieds", "6.096"),
            ("10'", "3.048"),
            ("10’6”", "3.2004"),
            ("10'6\"", "3.2004"),
            ("10' 6", "3.2004"),
            ("10 ft 6 in", "3.2004"),
            ("10 pieds et 6 pouces", "3.2004"),
            ("10 1/2 feet", "3.2004"),
            ("120 in", "3.048"),
            ("120\"", "3.048"),
            ("3/4 m", "0.75"),
            ("3/4", "0.75"),
            ("250 cm", "2.5"),
            ("1 m 50", "1.5"),
            ("1 m 50 cm", "1.5"),
            ("2 mètres et demi", "2.5"),
            ("two and a half metres", "2.5"),
            ("half a metre", "0.5"),
            ("un mètre", "1"),
            ("a metre", "1"),
            ("10 yards", "9.144"),
            ("40 feet (12.2 m)", "12.192"),
        ] {
            assert_eq!(field(text).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_one_length_is_none() {
        for text in [
            "",
            "long",
            "40 cubits",
            "12 toises",
            "3 drains",
            "10 to 12",
            "10-12 m",
            "10 or 12 metres",
            "4 x 6 m",
            "-3 m",
            "-3",
            "0",
            "40 square feet",
            "40 pieds carrés",
            "40 m²",
            "40 m2",
            "$40",
            "40 %",
            "2026-11-24",
        ] {
            assert_eq!(field(text), None, "{text}");
        }
    }

    #[test]
    fn the_last_length_that_a_caller_names_counts() {
        for (text, wanted) in [
            ("I need forty feet of French drain.", Some("12.192")),
            ("J'ai besoin de 15 mètres de drain français", Some("15")),
            ("It is 10 metres. Sorry, actually it's 15 metres.", Some("15")),
            ("10 metres.\nno, 12.", Some("12")),
            ("40 pieds, non, 50", Some("15.24")),
            ("15 metres, not 10 metres", Some("15")),
            ("15 mètres au lieu de 10 mètres", Some("15")),
            ("It's 12 metres, the pipe is 4 inches", Some("12")),
            ("12 metres long and 5 feet deep", Some("12")),
            ("There is 2 feet of water in my basement", None),
            ("il y a 2 pieds d'eau", None),
            ("between 10 and 12 metres", None),
            ("10 à 12 mètres", None),
            ("I have 3 drains and 2 sinks", None),
            ("une maison de 900 pieds carrés", None),
            ("I live at 40 main street", None),
            ("a metre of pipe", Some("1")),
        ] {
            assert_eq!(speech(text).as_deref(), wanted, "{text}");
        }
    }
}
