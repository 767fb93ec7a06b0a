//! Reads written and spoken numbers, in English and French: `12,5`, `1 200`, `3/4`, `forty-two`, `quatre-vingt-dix`,
//! `dix et demi`. It never guesses: anything that it cannot read stays a word.

use rust_decimal::Decimal;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// Maximum number of digits of a number.
const MAX_DIGITS: usize = 24;

/// A text in lower case without accents, with uniform quotes, dashes, spaces and fractions. Tokens borrow from it.
#[derive(Debug, Default)]
pub struct Plain(String);

/// A token of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token<'a> {
    /// A number in any notation.
    Number(Decimal),
    /// A word in lower case, without accents.
    Word(&'a str),
    /// Any other character but white space.
    Mark(char),
}

impl<'a> Token<'a> {
    /// The word, if the token is a word.
    #[must_use]
    pub const fn word(&self) -> Option<&'a str> {
        match self {
            Self::Word(word) => Some(word),
            _ => None,
        }
    }

    /// Whether the token is one of these words.
    #[must_use]
    pub fn is_one_of(&self, words: &[&str]) -> bool {
        self.word().is_some_and(|word| words.contains(&word))
    }
}

impl Plain {
    /// Normalizes a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut plain = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '\n' => plain.push('\n'),
                '\t' | '\u{b}' | '\u{c}' | '\r' => plain.push(' '),
                c if c.is_ascii() => plain.push(c.to_ascii_lowercase()),
                // Each part can be handled alone: only the order of accents depends on the context, and accents are
                // dropped.
                c => decompose_canonical(c, |part| push_plain(&mut plain, part)),
            }
        }
        Self(plain)
    }

    /// The tokens of the text. A line break is the mark `\n`.
    #[must_use]
    pub fn tokens(&self) -> Vec<Token<'_>> {
        said_numbers(&self.words())
    }

    /// The tokens as in [`Plain::tokens`], but with number words left as words, because names such as "Deux-Montagnes"
    /// contain number words.
    #[must_use]
    pub fn words(&self) -> Vec<Token<'_>> {
        written_numbers(&self.0)
    }
}

/// Adds a character that is not ASCII, without its accents.
fn push_plain(plain: &mut String, c: char) {
    match c {
        c if is_combining_mark(c) => {}
        '\u{2019}' | '\u{2018}' | '\u{2032}' | '\u{02BC}' | '\u{FF07}' => plain.push('\''),
        '\u{201C}' | '\u{201D}' | '\u{2033}' => plain.push('"'),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => plain.push('-'),
        '½' => plain.push_str(" 1/2"),
        '¼' => plain.push_str(" 1/4"),
        '¾' => plain.push_str(" 3/4"),
        '⅓' => plain.push_str(" 1/3"),
        '⅔' => plain.push_str(" 2/3"),
        '⅛' => plain.push_str(" 1/8"),
        '⅜' => plain.push_str(" 3/8"),
        '⅝' => plain.push_str(" 5/8"),
        '⅞' => plain.push_str(" 7/8"),
        '\u{2044}' => plain.push('/'),
        'œ' | 'Œ' => plain.push_str("oe"),
        c if c.is_whitespace() => plain.push(' '),
        c => plain.extend(c.to_lowercase()),
    }
}

/// Turns digits into numbers and separates words and punctuation.
fn written_numbers(text: &str) -> Vec<Token<'_>> {
    // A word has about four letters and a space.
    let mut tokens: Vec<Token<'_>> = Vec::with_capacity(text.len() / 4);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if c.is_ascii_digit() {
            let (number, length) = digits(rest);
            let before = tokens.last().and_then(|token| match token {
                Token::Number(whole) => Some(*whole),
                _ => None,
            });
            match (fraction(rest), number, before) {
                // "10 1/2" is one number; so is "3/4" alone.
                (Some((part, length)), _, Some(whole)) if part < Decimal::ONE && whole.fract().is_zero() => {
                    tokens.pop();
                    tokens.push(Token::Number(whole.saturating_add(part)));
                    length
                }
                (Some((part, length)), ..) => {
                    tokens.push(Token::Number(part));
                    length
                }
                (None, Some(number), _) => {
                    tokens.push(Token::Number(number));
                    length
                }
                (None, None, _) => {
                    tokens.push(Token::Word(&rest[..length]));
                    length
                }
            }
        } else if c.is_alphanumeric() {
            let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            tokens.push(Token::Word(&rest[..end]));
            end
        } else {
            if c != ' ' {
                tokens.push(Token::Mark(c));
            }
            c.len_utf8()
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    tokens
}

/// A fraction in digits, and its length in bytes: `3/4`. A text with a denominator above 64 is a date or an address, so
/// the result is `None`.
fn fraction(text: &str) -> Option<(Decimal, usize)> {
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

/// The number at the beginning of a text, and its length in bytes: `12`, `12.5`, `12,5`, `1 200`, `1,200.50`,
/// `1.200,50`.
fn digits(text: &str) -> (Option<Decimal>, usize) {
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
    // Groups of three digits after one to three digits, with the same separator throughout.
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

/// The part that a number word adds to a spoken number.
#[derive(Clone, Copy, PartialEq)]
enum Numeral {
    /// 0 to 19, and regional French tens such as `septante`.
    Unit(u32),
    /// 20 to 90.
    Ten(u32),
    Hundred,
    Thousand,
    Million,
    /// 12, 15, 20, … items.
    Lot(u32),
}

fn said(word: &str) -> Option<Numeral> {
    Some(match word {
        "zero" => Numeral::Unit(0),
        "one" | "un" | "une" => Numeral::Unit(1),
        "two" | "deux" => Numeral::Unit(2),
        "three" | "trois" => Numeral::Unit(3),
        "four" | "quatre" => Numeral::Unit(4),
        "five" | "cinq" => Numeral::Unit(5),
        "six" => Numeral::Unit(6),
        "seven" | "sept" => Numeral::Unit(7),
        "eight" | "huit" => Numeral::Unit(8),
        "nine" | "neuf" => Numeral::Unit(9),
        "ten" | "dix" => Numeral::Unit(10),
        "eleven" | "onze" => Numeral::Unit(11),
        "twelve" | "douze" => Numeral::Unit(12),
        "thirteen" | "treize" => Numeral::Unit(13),
        "fourteen" | "quatorze" => Numeral::Unit(14),
        "fifteen" | "quinze" => Numeral::Unit(15),
        "sixteen" | "seize" => Numeral::Unit(16),
        "seventeen" => Numeral::Unit(17),
        "eighteen" => Numeral::Unit(18),
        "nineteen" => Numeral::Unit(19),
        "twenty" | "vingt" | "vingts" => Numeral::Ten(20),
        "thirty" | "trente" => Numeral::Ten(30),
        "forty" | "fourty" | "quarante" => Numeral::Ten(40),
        "fifty" | "cinquante" => Numeral::Ten(50),
        "sixty" | "soixante" => Numeral::Ten(60),
        "seventy" | "septante" => Numeral::Ten(70),
        "eighty" | "huitante" | "octante" => Numeral::Ten(80),
        "ninety" | "nonante" => Numeral::Ten(90),
        "hundred" | "hundreds" | "cent" | "cents" => Numeral::Hundred,
        "thousand" | "thousands" | "mille" => Numeral::Thousand,
        "million" | "millions" => Numeral::Million,
        "dozen" | "douzaine" => Numeral::Lot(12),
        "dizaine" => Numeral::Lot(10),
        "quinzaine" => Numeral::Lot(15),
        "vingtaine" => Numeral::Lot(20),
        "trentaine" => Numeral::Lot(30),
        "quarantaine" => Numeral::Lot(40),
        "cinquantaine" => Numeral::Lot(50),
        "soixantaine" => Numeral::Lot(60),
        "centaine" => Numeral::Lot(100),
        _ => return None,
    })
}

/// Turns number words into numbers, alone or after digits ("12 and a half", "2 thousand").
pub fn said_numbers<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut done = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let (value, next) = match &tokens[at] {
            Token::Number(number) => (Some(*number), at + 1),
            Token::Word(_) => whole(tokens, at),
            Token::Mark(_) => (None, at + 1),
        };
        let Some(mut value) = value else {
            done.push(tokens[at]);
            at += 1;
            continue;
        };
        at = next;
        if let Some((factor, next)) = scale(tokens, at)
            && matches!(tokens[at - 1], Token::Number(_))
        {
            value = value.saturating_mul(factor);
            at = next;
        }
        if let Some((part, next)) = decimals(tokens, at).or_else(|| and_a_half(tokens, at))
            && value.fract().is_zero()
        {
            value = value.saturating_add(part);
            at = next;
        }
        done.push(Token::Number(value));
    }
    done
}

/// The factor of a scale word: "2 thousand", "3 million".
fn scale(tokens: &[Token<'_>], at: usize) -> Option<(Decimal, usize)> {
    let factor = match said(tokens.get(at)?.word()?)? {
        Numeral::Hundred => 100,
        Numeral::Thousand => 1_000,
        Numeral::Million => 1_000_000,
        Numeral::Unit(_) | Numeral::Ten(_) | Numeral::Lot(_) => return None,
    };
    Some((Decimal::from(factor), at + 1))
}

/// The decimals after a number: "… point five", "… virgule vingt-cinq".
fn decimals(tokens: &[Token<'_>], at: usize) -> Option<(Decimal, usize)> {
    tokens
        .get(at)
        .filter(|token| token.is_one_of(&["point", "virgule", "comma"]))?;
    let mut digits = String::new();
    let mut next = at + 1;
    while digits.len() < 6 && next < tokens.len() {
        let (value, after) = match &tokens[next] {
            Token::Number(number) if digits.is_empty() => (Some(*number), next + 1),
            Token::Word(_) => whole(tokens, next),
            _ => break,
        };
        let Some(value) = value.filter(|value| value.fract().is_zero() && *value < Decimal::ONE_HUNDRED) else {
            break;
        };
        digits.push_str(&value.normalize().to_string());
        next = after;
    }
    let part = format!("0.{digits}").parse().ok().filter(|_| !digits.is_empty())?;
    Some((part, next))
}

/// A fraction after a number: "… and a half", "… et demie", "… et quart".
fn and_a_half(tokens: &[Token<'_>], at: usize) -> Option<(Decimal, usize)> {
    tokens.get(at).filter(|token| token.is_one_of(&["and", "et"]))?;
    let article = tokens
        .get(at + 1)
        .is_some_and(|token| token.is_one_of(&["a", "un", "one"]));
    let at = at + 1 + usize::from(article);
    part_word(tokens.get(at)?).map(|part| (part, at + 1))
}

fn part_word(token: &Token<'_>) -> Option<Decimal> {
    Some(match token.word()? {
        "half" | "demi" | "demie" => Decimal::new(5, 1),
        "quarter" | "quart" => Decimal::new(25, 2),
        _ => return None,
    })
}

/// The number in words that begins at a token, and the index after it; `None` and the next index if there is no number.
fn whole(tokens: &[Token<'_>], from: usize) -> (Option<Decimal>, usize) {
    let none = (None, from + 1);
    let word = |at: usize| tokens.get(at).and_then(Token::word);
    // "half a dozen", "a hundred", "three quarters"; an article alone is not a number.
    let mut at = from;
    let mut half = false;
    match word(at) {
        Some("half" | "demi" | "demie") => {
            let dozen = at + 1 + usize::from(word(at + 1) == Some("a"));
            if word(dozen)
                .and_then(said)
                .is_some_and(|said| matches!(said, Numeral::Lot(_)))
            {
                (half, at) = (true, dozen);
            } else {
                return (Some(Decimal::new(5, 1)), at + 1);
            }
        }
        Some("a") => {
            let next = word(at + 1).unwrap_or_default();
            let counts = said(next).is_some_and(|said| !matches!(said, Numeral::Unit(_) | Numeral::Ten(_)));
            if counts {
                at += 1;
            } else if next == "half" || next == "quarter" {
                return (tokens.get(at + 1).and_then(part_word), at + 2);
            } else {
                return none;
            }
        }
        _ => {}
    }
    let (mut total, mut current, mut last) = (0_u64, 0_u64, None::<Numeral>);
    let mut end = at;
    while let Some(text) = word(at) {
        // "and" or "et" between the parts of one number: "cent et un", "one hundred and five".
        if (text == "and" || text == "et") && last.is_some() {
            let joins = word(at + 1).and_then(said).is_some_and(|next| match next {
                Numeral::Unit(unit) => {
                    current % 100 == 0 || (matches!(last, Some(Numeral::Ten(_))) && matches!(unit, 1 | 11))
                }
                Numeral::Ten(_) => current % 100 == 0 && current > 0,
                _ => false,
            });
            if !joins || matches!(last, Some(Numeral::Unit(_) | Numeral::Lot(_))) {
                break;
            }
            at += 1;
            continue;
        }
        let Some(next) = said(text) else { break };
        let tail = current % 100;
        match (next, last) {
            (Numeral::Unit(unit), Some(Numeral::Ten(ten))) if unit < 10 || ((ten == 60 || ten == 80) && unit < 20) => {
                current += u64::from(unit);
            }
            // "soixante-dix-sept", "quatre-vingt-dix-neuf"
            (Numeral::Unit(unit), Some(Numeral::Unit(10))) if matches!(text, "sept" | "huit" | "neuf") => {
                current += u64::from(unit);
            }
            (Numeral::Unit(unit), None | Some(Numeral::Hundred | Numeral::Thousand | Numeral::Million))
                if tail == 0 =>
            {
                current += u64::from(unit);
            }
            (Numeral::Ten(20), Some(Numeral::Unit(4))) if text.starts_with("vingt") && tail == 4 => current += 76,
            (Numeral::Ten(ten), None | Some(Numeral::Hundred | Numeral::Thousand | Numeral::Million)) if tail == 0 => {
                current += u64::from(ten);
            }
            (Numeral::Hundred, _) if current == 0 => current = 100,
            (Numeral::Hundred, Some(Numeral::Unit(_) | Numeral::Ten(_))) if current < 100 => current *= 100,
            (Numeral::Thousand, _) if total < 1_000 => {
                total += current.max(1) * 1_000;
                current = 0;
            }
            (Numeral::Million, _) if total == 0 => {
                total = current.max(1) * 1_000_000;
                current = 0;
            }
            (Numeral::Lot(lot), None | Some(Numeral::Unit(_))) if total == 0 => {
                current = current.max(1) * u64::from(lot);
            }
            _ => break,
        }
        last = Some(match (next, text) {
            (Numeral::Ten(20), _) if current % 100 == 80 => Numeral::Ten(80),
            (other, _) => other,
        });
        at += 1;
        // A hyphen joins number words: "quarante-deux".
        if tokens.get(at) == Some(&Token::Mark('-')) && word(at + 1).and_then(said).is_some() {
            at += 1;
        }
        end = at;
    }
    if last.is_none() {
        return none;
    }
    let mut value = Decimal::from(total + current);
    if half {
        value *= Decimal::new(5, 1);
    }
    match parts_of(value, word(end)) {
        Some(part) => (Some(part), end + 1),
        None => (Some(value), end),
    }
}

/// The value of a number of fractions: "three quarters", "trois quarts", "deux tiers".
fn parts_of(value: Decimal, word: Option<&str>) -> Option<Decimal> {
    let of = match word? {
        "quarters" | "quarts" => Decimal::from(4),
        "thirds" | "tiers" => Decimal::from(3),
        "halves" => Decimal::TWO,
        _ => return None,
    };
    let few = value > Decimal::ZERO && value < Decimal::TEN;
    if few { value.checked_div(of) } else { None }
}

/// The only number in a text. A text without a number, or with several different numbers, is an error.
///
/// # Errors
/// Why there is no number, in a few words.
pub fn number(text: &str) -> Result<Decimal, &'static str> {
    let plain = Plain::new(text);
    let tokens = plain.tokens();
    let mut found: Option<Decimal> = None;
    for (at, token) in tokens.iter().enumerate() {
        let Token::Number(number) = token else { continue };
        let minus = at > 0 && tokens[at - 1] == Token::Mark('-');
        // Between two words or numbers, the minus sign is a hyphen or marks a range.
        let sign = minus && (at == 1 || !matches!(tokens[at - 2], Token::Number(_) | Token::Word(_)));
        let number = if sign { -*number } else { *number };
        match found {
            Some(known) if known != number => return Err("there are several numbers in it"),
            _ => found = Some(number),
        }
    }
    found.ok_or("there is no number in it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        number(text).ok().map(|number| number.normalize().to_string())
    }

    #[test]
    fn numbers_are_read_in_digits() {
        for (text, wanted) in [
            ("12", "12"),
            ("12,5", "12.5"),
            ("12.50 m", "12.5"),
            ("environ 1 200 pieds", "1200"),
            ("1\u{202f}200", "1200"),
            ("1,200", "1200"),
            ("1,200.50", "1200.5"),
            ("1.200,50", "1200.5"),
            ("1.200", "1.2"),
            ("12 345 678", "12345678"),
            ("0,125", "0.125"),
            ("-3", "-3"),
            ("\u{2212}3", "-3"),
            ("12.", "12"),
            ("3/4", "0.75"),
            ("10 1/2", "10.5"),
            ("10½", "10.5"),
            ("12 (twelve)", "12"),
            ("2 thousand", "2000"),
        ] {
            assert_eq!(read(text).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn numbers_are_read_in_words_of_both_languages() {
        for (text, wanted) in [
            ("forty", "40"),
            ("forty-two", "42"),
            ("forty two feet", "42"),
            ("a hundred and five", "105"),
            ("one hundred and twenty-five", "125"),
            ("twelve hundred", "1200"),
            ("two thousand three hundred", "2300"),
            ("twelve and a half", "12.5"),
            ("12 and a half", "12.5"),
            ("three quarters", "0.75"),
            ("half a dozen", "6"),
            ("a dozen", "12"),
            ("twelve point five", "12.5"),
            ("quarante", "40"),
            ("quarante-deux", "42"),
            ("vingt et un", "21"),
            ("soixante-dix", "70"),
            ("soixante et onze", "71"),
            ("soixante-dix-sept", "77"),
            ("quatre-vingts", "80"),
            ("quatre-vingt-un", "81"),
            ("quatre-vingt-dix-neuf", "99"),
            ("dix-sept", "17"),
            ("cent", "100"),
            ("deux cent cinquante", "250"),
            ("deux cents", "200"),
            ("cent quatre-vingt", "180"),
            ("mille deux cents", "1200"),
            ("douze virgule cinq", "12.5"),
            ("douze et demi", "12.5"),
            ("trois quarts", "0.75"),
            ("une vingtaine", "20"),
            ("une centaine", "100"),
            ("septante-cinq", "75"),
            ("une douzaine de", "12"),
        ] {
            assert_eq!(read(text).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_single_number_is_none() {
        for text in [
            "",
            "a few",
            "plusieurs",
            "2 or 3",
            "entre dix et douze",
            "ten to twelve",
            "a",
            "10-12",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("999999999999999999999999999999"), None);
    }
}
