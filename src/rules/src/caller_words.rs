//! Finds an address and a description of the problem in the caller's words. SMS messages contain this address and this
//! description if no model filled in these two facts.
//!
//! The result never affects a decision: rules and prices depend on facts.

use super::hearing::AGENT_LINE;
use super::words::fold;

/// Words before the name of a French street.
const FRENCH: &[&str] = &[
    "rue",
    "avenue",
    "av",
    "boulevard",
    "boul",
    "chemin",
    "route",
    "rang",
    "place",
    "montee",
    "cote",
    "allee",
    "croissant",
    "impasse",
    "terrasse",
    "ruelle",
];
/// Words after the name of an English street.
const ENGLISH: &[&str] = &[
    "street",
    "st",
    "avenue",
    "ave",
    "road",
    "rd",
    "boulevard",
    "blvd",
    "drive",
    "dr",
    "lane",
    "ln",
    "court",
    "crescent",
    "cres",
    "way",
    "place",
    "terrace",
    "circle",
    "highway",
    "trail",
    "parkway",
];
/// Words that end the name of a French street even without punctuation.
const AFTER: &[&str] = &[
    "a", "au", "et", "dans", "pres", "je", "c'est", "est", "on", "mais", "avec", "pour", "svp", "il", "j'ai", "proche",
];
/// Maximum number of words in a street name.
const MAX_NAME: usize = 5;
/// Minimum number of words in a description of the problem.
const MIN_WORDS: usize = 4;
/// Maximum number of characters in a description of the problem.
const MAX_PROBLEM: usize = 300;

/// Finds the first address with a house number in the caller's words.
#[must_use]
pub(super) fn address(conversation: &str) -> Option<String> {
    own_lines(conversation).find_map(address_in)
}

fn address_in(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let numbers = words.iter().enumerate().filter(|(_, word)| is_house_number(word));
    numbers.map(|(at, _)| at).find_map(|at| {
        let street = words.get(at + 1..)?;
        let length = french(street).or_else(|| english(street))?;
        let found = words.get(at..=at + length)?.join(" ");
        Some(found.trim_end_matches(|c: char| c.is_ascii_punctuation()).to_owned())
    })
}

/// Returns the number of words of a French street: the type, then all words of the name up to a word in `AFTER`.
fn french(words: &[&str]) -> Option<usize> {
    let kind = words.first().filter(|kind| FRENCH.contains(&bare(kind).as_str()))?;
    if ends(kind) && !kind.ends_with('.') {
        return None;
    }
    let mut length = 1;
    for word in words.iter().skip(1).take(MAX_NAME) {
        if AFTER.contains(&bare(word).as_str()) {
            break;
        }
        length += 1;
        if ends(word) {
            break;
        }
    }
    (length > 1).then_some(length)
}

/// Returns the number of words of an English street: the name, then the type.
fn english(words: &[&str]) -> Option<usize> {
    for (at, word) in words.iter().enumerate().take(MAX_NAME) {
        if at > 0 && ENGLISH.contains(&bare(word).as_str()) {
            return Some(at + 1);
        }
        if ends(word) {
            return None;
        }
    }
    None
}

/// Whether a word is a house number such as `482`, `482A` or `12-482`, with an optional comma.
fn is_house_number(word: &str) -> bool {
    let number = word.trim_end_matches(',');
    let digits = number.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let digits_only = |part: &str| (1..=5).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    number.len() - digits.len() <= 1 && digits.split('-').count() <= 2 && digits.split('-').all(digits_only)
}

fn ends(word: &str) -> bool {
    word.ends_with(['.', ',', ';', '!', '?', ':']) && bare(word).len() > 2
}

fn bare(word: &str) -> String {
    fold(word.trim_matches(|c: char| c.is_ascii_punctuation()))
}

/// Returns the caller's first utterance with at least `MIN_WORDS` words and without an address. If there is none,
/// returns the caller's longest utterance.
#[must_use]
pub(super) fn problem(conversation: &str) -> Option<String> {
    let count = |line: &&str| line.split_whitespace().count();
    let mut told = own_lines(conversation).filter(|line| address_in(line).is_none());
    let found = told
        .find(|line| count(line) >= MIN_WORDS)
        .or_else(|| own_lines(conversation).max_by_key(count))?;
    Some(found.chars().take(MAX_PROBLEM).collect())
}

fn own_lines(conversation: &str) -> impl Iterator<Item = &str> {
    let lines = conversation.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with(AGENT_LINE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_number_and_a_street() {
        for (said, found) in [
            ("It's 482 Maple Street in Brossard.", Some("482 Maple Street")),
            ("I'm at 12-482A Old Mill Rd. Please hurry", Some("12-482A Old Mill Rd")),
            ("C'est le 77, rue du Hibou, à Laval", Some("77, rue du Hibou")),
            (
                "au 9 boul. Saint-Laurent et c'est urgent",
                Some("9 boul. Saint-Laurent"),
            ),
            (
                "1450 chemin de la Côte-des-Neiges. Merci",
                Some("1450 chemin de la Côte-des-Neiges"),
            ),
            ("We have 40 feet of drain on the street", None),
            ("I called 3 times. Maple street is flooded", None),
            ("12 rue", None),
            ("la rue est inondée", None),
            ("", None),
        ] {
            assert_eq!(address(said).as_deref(), found, "{said}");
        }
        assert_eq!(address("> Are you at 482 Maple Street?\nYes."), None);
    }

    #[test]
    fn the_problem_is_what_the_caller_says_at_length() {
        let conversation =
            "> Hello?\nHi.\nI'm at 482 Maple Street in Brossard.\nMy basement drain is backing up badly.";
        assert_eq!(
            problem(conversation).as_deref(),
            Some("My basement drain is backing up badly.")
        );
        assert_eq!(problem("> What is it?\nUn dégât.\nVite!").as_deref(), Some("Un dégât."));
        assert_eq!(problem("> Hello?"), None);
    }
}
