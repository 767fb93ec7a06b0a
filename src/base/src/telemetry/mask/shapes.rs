//! Recognizes runs of digits that are not phone numbers: prices, dates, times, percentages, street addresses, ids.
//!
//! Each recognizer gets the whole text and the position of the first digit, and returns the position after the shape. A
//! shape is valid only if no further separator and digit follow it. So `06.12` is a price, but `06.12.34.56.78` is a
//! phone number.

/// A recognized part of a run of digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunPart {
    pub start: usize,
    pub end: usize,
    certainty: Certainty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Certainty {
    /// The part cannot belong to a phone number.
    Certain,
    /// The part may belong to a phone number, because two digits follow a point or a colon.
    Ambiguous,
}

impl RunPart {
    pub fn is_ambiguous(&self) -> bool {
        self.certainty == Certainty::Ambiguous
    }
}

const CURRENCY_SIGNS: [char; 5] = ['$', '€', '£', '¥', '¢'];
const CURRENCY_WORDS: [&str; 9] = ["cad", "usd", "eur", "gbp", "chf", "dollar", "dollars", "euro", "euros"];
const THOUSANDS: [char; 8] = [' ', '\u{a0}', '\u{202f}', '\u{2009}', ',', '.', '\'', '\u{2019}'];
const DASHES: [char; 6] = ['-', '\u{2010}', '\u{2011}', '\u{2013}', '\u{2014}', '\u{2212}'];
/// Separators between the groups of a phone number.
const GROUP_SEPARATORS: [char; 9] = [' ', '\u{a0}', '-', '\u{2011}', '\u{2013}', '.', ',', '/', '_'];
/// Words that may follow a street number, but never a phone number.
const STREET_WORDS: [&str; 15] = [
    "rue",
    "avenue",
    "ave",
    "boulevard",
    "boul",
    "blvd",
    "chemin",
    "route",
    "rang",
    "street",
    "road",
    "lane",
    "crescent",
    "highway",
    "montée",
];
/// Words that may follow a street number or a local phone number.
const OTHER_STREET_WORDS: [&str; 16] = [
    "st", "rd", "av", "dr", "drive", "ct", "court", "place", "pl", "square", "terrace", "saint", "sainte", "ste",
    "côte", "way",
];
const ORDINALS: [&str; 9] = ["e", "er", "re", "ère", "ième", "st", "nd", "rd", "th"];

/// The shapes in the run from `start` to `end`, in order.
pub(super) fn all(chars: &[char], start: usize, end: usize) -> Vec<RunPart> {
    let mut found = Vec::new();
    let mut at = start;
    while at < end {
        if !chars[at].is_numeric() {
            at += 1;
            continue;
        }
        let shape = shape(chars, at).filter(|shape| shape.end <= end);
        if let Some(shape) = shape {
            at = shape.end;
            found.push(shape);
        } else {
            while at < end && chars[at].is_numeric() {
                at += 1;
            }
        }
    }
    let tail = found.last().map_or(start, |shape: &RunPart| shape.end);
    let first = (tail..end).find(|at| chars[*at].is_numeric());
    if let Some(first) = first.filter(|first| is_address(chars, *first, end)) {
        found.push(RunPart {
            start: first,
            end,
            certainty: Certainty::Certain,
        });
    }
    found
}

fn shape(chars: &[char], start: usize) -> Option<RunPart> {
    let certain = |end: usize| (end, Certainty::Certain);
    let (end, certainty) = (date(chars, start).map(certain))
        .or_else(|| masked(chars, start).map(certain))
        .or_else(|| percentage(chars, start).map(certain))
        .or_else(|| time(chars, start).map(|end| (end, Certainty::Ambiguous)))
        .or_else(|| price(chars, start))?;
    Some(RunPart { start, end, certainty })
}

/// The end of the identifier that begins at `start`. An identifier is a whole word: a UUID, a long hexadecimal id such
/// as Twilio's, or the reference of an SMS message. `None` if no identifier begins at `start`.
pub(super) fn identifier(chars: &[char], start: usize) -> Option<usize> {
    if start > 0 && chars[start - 1].is_alphanumeric() || !chars[start].is_ascii_alphanumeric() {
        return None;
    }
    let whole = |end: usize| !chars.get(end).is_some_and(|c| c.is_alphanumeric());
    let part = |from: usize, length: usize| chars.get(from..from + length);
    let is_hex = |part: &[char]| part.iter().all(char::is_ascii_hexdigit);
    if let Some(uuid) = part(start, 36)
        && whole(start + 36)
        && uuid.iter().enumerate().all(|(at, c)| {
            if [8, 13, 18, 23].contains(&at) {
                *c == '-'
            } else {
                c.is_ascii_hexdigit()
            }
        })
        && (uuid.iter().any(char::is_ascii_alphabetic) || has_version(uuid))
    {
        return Some(start + 36);
    }
    if let Some(reference) = part(start, 9)
        && whole(start + 9)
        && reference.starts_with(&['R', 'B', '-'])
        && reference[3..]
            .iter()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    {
        return Some(start + 9);
    }
    // A UUID without dashes, a Twilio id, or a digest.
    for (prefix, length, most_digits) in [(0, 32, 9), (2, 32, 9), (0, 40, 40), (0, 64, 64)] {
        if let Some(id) = part(start + prefix, length)
            && whole(start + prefix + length)
            && part(start, prefix).is_some_and(|prefix| prefix.iter().all(char::is_ascii_uppercase))
            && is_hex(id)
            && id.iter().any(char::is_ascii_alphabetic)
            && id
                .split(char::is_ascii_alphabetic)
                .all(|digits| digits.len() <= most_digits)
        {
            return Some(start + prefix + length);
        }
    }
    None
}

/// Whether the version and the variant of a UUID are valid. The function checks a UUID without letters.
fn has_version(uuid: &[char]) -> bool {
    matches!(uuid.get(14), Some('1'..='8')) && matches!(uuid.get(19), Some('8' | '9'))
}

/// The end of the ASCII digits that begin at `from`. `None` if the count of these digits is not in `wanted`.
fn digits(chars: &[char], from: usize, wanted: std::ops::RangeInclusive<usize>) -> Option<usize> {
    let count = chars
        .get(from..)?
        .iter()
        .take(wanted.end() + 1)
        .take_while(|c| c.is_ascii_digit())
        .count();
    let ends = !chars.get(from + count).is_some_and(|c| c.is_numeric());
    (wanted.contains(&count) && ends).then_some(from + count)
}

fn value(chars: &[char], from: usize, to: usize) -> u32 {
    chars[from..to]
        .iter()
        .filter_map(|c| c.to_digit(10))
        .fold(0, |sum, digit| sum * 10 + digit)
}

/// Whether a shape can begin at `start`. A shape cannot begin directly after a digit, nor after a digit and one of
/// `separators`.
fn begins(chars: &[char], start: usize, separators: &[char]) -> bool {
    let before = |back: usize| start.checked_sub(back).and_then(|at| chars.get(at));
    let is_digit = |back: usize| before(back).is_some_and(|c| c.is_numeric());
    let goes_on = before(1).is_some_and(|c| separators.contains(c)) && is_digit(2);
    !is_digit(1) && !goes_on
}

/// Whether a shape can end at `end`. A shape cannot end directly before a digit, nor before one of `separators` and a
/// digit.
fn ends(chars: &[char], end: usize, separators: &[char]) -> bool {
    let is_digit = |at: usize| chars.get(at).is_some_and(|c| c.is_numeric());
    let goes_on = chars.get(end).is_some_and(|c| separators.contains(c)) && is_digit(end + 1);
    !is_digit(end) && !goes_on
}

/// Matches `2026-11-24`, `24/11/2026` or `11.24.2026`.
fn date(chars: &[char], start: usize) -> Option<usize> {
    let first = digits(chars, start, 1..=4)?;
    let separator = *chars.get(first).filter(|c| ['-', '/', '.'].contains(c))?;
    let second = digits(chars, first + 1, 1..=2)?;
    if chars.get(second) != Some(&separator) {
        return None;
    }
    let third = digits(chars, second + 1, 1..=4)?;
    let (a, b, c) = (
        value(chars, start, first),
        value(chars, first + 1, second),
        value(chars, second + 1, third),
    );
    let is_day = |month: u32, day: u32| (1..=12).contains(&month) && (1..=31).contains(&day);
    let is_year = |year: u32| (1900..2200).contains(&year);
    let lengths = (first - start, third - second - 1);
    let fits = match lengths {
        (4, 1 | 2) => is_year(a) && is_day(b, c),
        (1 | 2, 4) => is_year(c) && (is_day(a, b) || is_day(b, a)),
        _ => false,
    };
    (fits && begins(chars, start, &[separator]) && ends(chars, third, &[separator])).then_some(third)
}

/// Matches `8:00`, `15:02:00` or `15:02:00.123456`.
fn time(chars: &[char], start: usize) -> Option<usize> {
    let is = |at: usize, c: char| chars.get(at) == Some(&c);
    let hours = digits(chars, start, 1..=2).filter(|end| is(*end, ':'))?;
    let minutes = digits(chars, hours + 1, 2..=2)?;
    let mut end = minutes;
    if let Some(seconds) = digits(chars, minutes + 1, 2..=2).filter(|_| is(minutes, ':')) {
        end = seconds;
        if let Some(fraction) = digits(chars, seconds + 1, 1..=9).filter(|_| is(seconds, '.') || is(seconds, ',')) {
            end = fraction;
        }
    }
    let fits = value(chars, start, hours) <= 24 && value(chars, hours + 1, minutes) <= 59;
    (fits && begins(chars, start, &[':']) && ends(chars, end, &[':', '.'])).then_some(end)
}

/// Matches a phone number that is already masked: `1514***0101`.
fn masked(chars: &[char], start: usize) -> Option<usize> {
    let digits_end = |from: usize| from + chars.iter().skip(from).take_while(|c| c.is_numeric()).count();
    let head = digits_end(start);
    if head - start > 4 || chars.get(head..head + 3)? != ['*', '*', '*'] {
        return None;
    }
    let tail = digits_end(head + 3);
    let follows = start > 0 && (chars[start - 1] == '*' || chars[start - 1].is_numeric());
    (tail == head + 7 && !follows && chars.get(tail) != Some(&'*')).then_some(tail)
}

/// Matches `15 %` or `9.975%`.
fn percentage(chars: &[char], start: usize) -> Option<usize> {
    let whole = digits(chars, start, 1..=3)?;
    let point = chars.get(whole).is_some_and(|c| ['.', ','].contains(c));
    let end = digits(chars, whole + 1, 1..=6).filter(|_| point).unwrap_or(whole);
    let sign = after_space(chars, end);
    (chars.get(sign) == Some(&'%') && begins(chars, start, &GROUP_SEPARATORS)).then_some(end)
}

fn after_space(chars: &[char], at: usize) -> usize {
    let is_space = chars.get(at).is_some_and(|c| c.is_whitespace());
    at + usize::from(is_space)
}

/// An amount of money: a whole number or a number with two decimals, perhaps with thousands separators.
struct Amount {
    end: usize,
    /// Number of digits before the decimal point.
    whole: usize,
    decimals: bool,
    grouped: bool,
}

fn amount(chars: &[char], start: usize) -> Option<Amount> {
    let first = digits(chars, start, 1..=6)?;
    let mut grouped_end = first;
    let separator = chars
        .get(first)
        .copied()
        .filter(|c| THOUSANDS.contains(c) && first - start <= 3);
    if let Some(separator) = separator {
        while chars.get(grouped_end) == Some(&separator)
            && let Some(group) = digits(chars, grouped_end + 1, 3..=3)
        {
            grouped_end = group;
        }
    }
    let decimals = |whole: usize, separator: Option<char>| {
        let point = chars
            .get(whole)
            .filter(|c| ['.', ','].contains(c) && separator != Some(**c));
        point.and_then(|_| digits(chars, whole + 1, 2..=2))
    };
    let grouped = grouped_end > first;
    let counted = |end: usize| chars[start..end].iter().filter(|c| c.is_ascii_digit()).count();
    if let Some(end) = decimals(grouped_end, separator.filter(|_| grouped)) {
        return Some(Amount {
            end,
            whole: counted(grouped_end),
            decimals: true,
            grouped,
        });
    }
    Some(Amount {
        end: grouped_end,
        whole: counted(grouped_end),
        decimals: false,
        grouped,
    })
}

/// Matches `350.00`, `1,250.00`, `$350`, `1 250 $`, `350.00-1000.00` or `$350-1000`.
fn price(chars: &[char], start: usize) -> Option<(usize, Certainty)> {
    let first = amount(chars, start)?;
    let signed_before = has_sign_before(chars, start);
    if let Some((end, certainty)) = price_range(chars, start, &first, signed_before) {
        return Some((end, certainty));
    }
    let signed_after = has_sign_after(chars, first.end);
    let signed = signed_before || signed_after;
    let longest = match (signed, first.grouped) {
        (true, true) => 9,
        (false, true) => 7,
        (_, false) => 6,
    };
    if first.whole > longest || !(first.decimals || signed) {
        return None;
    }
    let separators: &[char] = if first.decimals { &['.', ','] } else { &GROUP_SEPARATORS };
    let stands_alone = begins(chars, start, separators) && ends(chars, first.end, separators);
    let certainty = if signed {
        Certainty::Certain
    } else {
        Certainty::Ambiguous
    };
    stands_alone.then_some((first.end, certainty))
}

/// Matches two prices with a dash between them, if one price has a currency sign, or if both prices have decimals.
fn price_range(chars: &[char], start: usize, first: &Amount, signed_before: bool) -> Option<(usize, Certainty)> {
    let dash = after_space(
        chars,
        if has_sign_at(chars, first.end) {
            first.end + 1
        } else {
            first.end
        },
    );
    if !chars.get(dash).is_some_and(|c| DASHES.contains(c)) {
        return None;
    }
    let mut second_start = after_space(chars, dash + 1);
    let signed_between = has_sign_at(chars, second_start) || has_sign_at(chars, first.end);
    if has_sign_at(chars, second_start) {
        second_start = after_space(chars, second_start + 1);
    }
    let second = amount(chars, second_start)?;
    let signed = signed_before || signed_between || has_sign_after(chars, second.end);
    let plain =
        |amount: &Amount, start: usize| amount.decimals || amount.grouped || (amount.whole <= 5 && chars[start] != '0');
    let fits = (signed || first.decimals && second.decimals)
        && first.whole <= 7
        && second.whole <= 7
        && plain(first, start)
        && plain(&second, second_start)
        && begins(chars, start, &GROUP_SEPARATORS)
        && ends(chars, second.end, &GROUP_SEPARATORS);
    fits.then_some((second.end, Certainty::Certain))
}

fn has_sign_at(chars: &[char], at: usize) -> bool {
    chars.get(at).is_some_and(|c| CURRENCY_SIGNS.contains(c))
}

fn has_sign_before(chars: &[char], start: usize) -> bool {
    let before = |back: usize| start.checked_sub(back).and_then(|at| chars.get(at));
    let back = if before(1).is_some_and(|c| c.is_whitespace()) {
        2
    } else {
        1
    };
    before(back).is_some_and(|c| CURRENCY_SIGNS.contains(c))
}

fn has_sign_after(chars: &[char], end: usize) -> bool {
    let at = after_space(chars, end);
    has_sign_at(chars, at) || at > end && CURRENCY_WORDS.contains(&word(chars, at).as_str())
}

/// The word that begins at `at`, in lower case.
fn word(chars: &[char], at: usize) -> String {
    let letters = chars.iter().skip(at).take_while(|c| c.is_alphabetic()).take(16);
    letters.flat_map(|c| c.to_lowercase()).collect()
}

/// Whether a run is a street number or a ZIP+4 code. A street number may be a range (`1200-1210 rue`) or precede a
/// numbered street (`10235 101 St`).
fn is_address(chars: &[char], start: usize, end: usize) -> bool {
    let run = &chars[start..end];
    if !run.iter().all(|c| c.is_ascii_digit() || [' ', '-', ','].contains(c)) {
        return false;
    }
    let groups: Vec<usize> = run.split(|c| !c.is_ascii_digit()).map(<[char]>::len).collect();
    let follows_state = |at: usize| {
        at.checked_sub(3)
            .and_then(|from| chars.get(from..at))
            .is_some_and(|part| part[..2].iter().all(char::is_ascii_uppercase) && part[2] == ' ')
    };
    if groups == [5, 4] && run[5] == '-' && follows_state(start) {
        return true;
    }
    // `101st`, `5e`: the ordinal's letters follow the digits.
    let mut at = end;
    let ordinal = word(chars, at);
    if ORDINALS.contains(&ordinal.as_str()) && chars.get(at + ordinal.chars().count()) == Some(&' ') {
        at += ordinal.chars().count();
    }
    while chars.get(at).is_some_and(|c| [' ', ',', '.', '\u{a0}'].contains(c)) {
        at += 1;
    }
    let next = word(chars, at);
    let is_certain = STREET_WORDS.contains(&next.as_str());
    let is_street = is_certain || OTHER_STREET_WORDS.contains(&next.as_str());
    let is_local_number = groups == [3, 4];
    let fits = match groups.as_slice() {
        [a, b] => (1..=5).contains(a) && (1..=5).contains(b) && a + b <= 9,
        [a, b, c] => (1..=4).contains(a) && (1..=5).contains(b) && (1..=3).contains(c) && a + b + c <= 9,
        _ => false,
    };
    fits && is_street && (is_certain || !is_local_number)
}
