//! Reads numbers in words, in English and French: `forty-two`, `quatre-vingt-dix`, `dix et demi`.

use rust_decimal::Decimal;

use super::tokens::Token;

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
pub(super) fn said_numbers<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
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

/// Returns the factor of a scale word: "2 thousand", "3 million".
fn scale(tokens: &[Token<'_>], at: usize) -> Option<(Decimal, usize)> {
    let factor = match said(tokens.get(at)?.word()?)? {
        Numeral::Hundred => 100,
        Numeral::Thousand => 1_000,
        Numeral::Million => 1_000_000,
        Numeral::Unit(_) | Numeral::Ten(_) | Numeral::Lot(_) => return None,
    };
    Some((Decimal::from(factor), at + 1))
}

/// Reads the decimals after a number: "… point five", "… virgule vingt-cinq".
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

/// Reads the fraction after a number: "… and a half", "… et demie", "… et quart".
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

/// Reads the number in words that begins at a token. Returns the number and the index after the number. If there is no
/// number, returns `None` and the next index.
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

/// Returns the value of several equal fractions: "three quarters", "trois quarts", "deux tiers".
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
