//! Maps texts to a closed set of values: `très complexe`, `not very complex`, `pas urgent`, `not_urgent`. A denied word
//! does not select a value. A value whose phrase is itself a denial, such as "not urgent", matches every form of that
//! denial.

use std::collections::BTreeMap;

use super::tokens::{Plain, Token};
use crate::rows::{FactKind, FactMapping};

/// Words that deny the words after them.
const DENIALS: &[&str] = &[
    "not",
    "no",
    "non",
    "pas",
    "never",
    "jamais",
    "without",
    "sans",
    "aucun",
    "aucune",
    "hardly",
    "barely",
    "peu",
    "nullement",
    "nothing",
    "rien",
    "isnt",
    "arent",
    "wasnt",
    "doesnt",
    "cannot",
];
/// Words that may be between a denial and the denied word.
const BETWEEN: &[&str] = &[
    "very",
    "so",
    "that",
    "too",
    "all",
    "a",
    "an",
    "any",
    "the",
    "at",
    "un",
    "une",
    "d",
    "de",
    "si",
    "trop",
    "tellement",
    "particularly",
    "particulierement",
    "considered",
    "considere",
    "consideree",
    "comme",
    "as",
    "yet",
    "encore",
    "real",
    "vraie",
    "vrai",
    "what",
    "i",
    "would",
    "call",
    "exactly",
    "exactement",
    "du",
    "tout",
    "specially",
    "especially",
    "terribly",
    "overly",
    "much",
    "of",
    "it",
    "ete",
    "etre",
    "be",
];
/// Adverbs of degree, which all count as "very".
const DEGREES: &[&str] = &[
    "very",
    "really",
    "extremely",
    "highly",
    "super",
    "tres",
    "vraiment",
    "extremement",
    "hautement",
    "fortement",
];
/// A denial before one of these words does not count, as in "not only urgent".
const NO_DENIALS: &[&str] = &[
    "only",
    "just",
    "seulement",
    "juste",
    "doubt",
    "doute",
    "problem",
    "probleme",
];

/// A token of a text or of a value, for comparison.
#[derive(Debug, Clone, PartialEq)]
enum ChoiceToken {
    Word(String),
    /// The end of a clause: a comma, a full stop, "but".
    Stop,
    /// One of `:`, `=` and `?`, after which an answer follows.
    Asks,
}

/// A phrase that names a value.
#[derive(Debug, Clone)]
struct Phrase {
    pieces: Vec<String>,
    /// Whether the phrase's last word is only a prefix.
    is_stem: bool,
    /// Whether the phrase begins with a denial.
    is_denied: bool,
    length: usize,
}

/// The values of a mapping, with the phrases that name them.
#[derive(Debug, Clone)]
pub struct Choices {
    values: Vec<String>,
    /// Texts that must match completely, each with the index of its value.
    whole: Vec<(usize, Vec<String>)>,
    /// Phrases that may occur anywhere in a text, each with the index of its value.
    phrases: Vec<(usize, Phrase)>,
}

impl Choices {
    /// Returns the values of a mapping; `None` if the mapping allows any text.
    #[must_use]
    pub fn of(mapping: &FactMapping) -> Option<Self> {
        let is_closed = mapping.kind == FactKind::Text && !mapping.values.is_empty();
        is_closed.then(|| Self::new(&mapping.values))
    }

    fn new(values: &BTreeMap<String, Vec<String>>) -> Self {
        let (mut whole, mut phrases) = (Vec::new(), Vec::new());
        for (place, (value, listed)) in values.iter().enumerate() {
            let full = listed.iter().filter(|word| !word.ends_with('*')).chain([value]);
            whole.extend(full.map(|word| (place, words_of(word))));
            phrases.extend(listed.iter().chain([value]).map(|word| (place, phrase(word))));
        }
        whole.retain(|(_, words)| !words.is_empty());
        phrases.retain(|(_, phrase)| !phrase.pieces.is_empty());
        Self {
            values: values.keys().cloned().collect(),
            whole,
            phrases,
        }
    }

    /// Returns the value that a text names; if it names several values, the value with the longest phrase.
    #[must_use]
    pub fn choose(&self, text: &str) -> Option<&str> {
        let pieces = pieces(text);
        let plain: Vec<&str> = pieces
            .iter()
            .filter_map(|piece| match piece {
                ChoiceToken::Word(word) => Some(word.as_str()),
                _ => None,
            })
            .collect();
        // First, compare the whole text with each value and its words, including denials.
        let whole = self.whole.iter().find(|(_, words)| *words == plain);
        let chosen = whole
            .map(|(value, _)| *value)
            .or_else(|| longest(&self.phrases, &pieces));
        self.values.get(chosen?).map(String::as_str)
    }
}

/// Returns the value whose phrase is the longest in a text.
fn longest(phrases: &[(usize, Phrase)], pieces: &[ChoiceToken]) -> Option<usize> {
    // For each hit: start, end, whether it is denied, the index of its value, and the phrase.
    let mut found: Vec<(usize, usize, bool, usize, &Phrase)> = Vec::new();
    for (value, phrase) in phrases {
        for start in 0..pieces.len() {
            if let Some(end) = ends(pieces, start, phrase) {
                found.push((start, end, is_denied(pieces, start, end), *value, phrase));
            }
        }
    }
    let inside = |one: &(usize, usize, bool, usize, &Phrase)| {
        found.iter().any(|other| {
            // A longer phrase covers a shorter phrase inside it. But "not urgent" does not cover "urgent", because "not
            // urgent" is a denial.
            let wider = other.0 <= one.0 && one.1 <= other.1 && other.1 - other.0 > one.1 - one.0;
            wider && !other.4.is_denied && !one.4.is_denied
        })
    };
    let mut best: Option<(usize, usize, usize)> = None;
    for one in &found {
        if one.2 != one.4.is_denied || inside(one) {
            continue;
        }
        let longer = best.is_none_or(|(length, start, _)| (one.4.length, one.0) > (length, start));
        if longer {
            best = Some((one.4.length, one.0, one.3));
        }
    }
    best.map(|(_, _, value)| value)
}

/// Returns the index after a phrase that begins at `start`; `None` if it does not begin there.
fn ends(pieces: &[ChoiceToken], start: usize, phrase: &Phrase) -> Option<usize> {
    let last = phrase.pieces.len() - 1;
    for (offset, wanted) in phrase.pieces.iter().enumerate() {
        let Some(ChoiceToken::Word(word)) = pieces.get(start + offset) else {
            return None;
        };
        let same = word == wanted || (offset == last && phrase.is_stem && word.starts_with(wanted.as_str()));
        if !same {
            return None;
        }
    }
    Some(start + last + 1)
}

/// Whether a denial before a range, or the answer after it, denies the range.
fn is_denied(pieces: &[ChoiceToken], start: usize, end: usize) -> bool {
    let mut at = start;
    while at > 0 {
        let ChoiceToken::Word(word) = &pieces[at - 1] else {
            break;
        };
        if DENIALS.contains(&word.as_str()) {
            let next = match pieces.get(at) {
                Some(ChoiceToken::Word(next)) if at < start => next.as_str(),
                _ => "",
            };
            // "un peu complexe" is an affirmation.
            let a_little = word == "peu" && at > 1 && matches!(&pieces[at - 2], ChoiceToken::Word(un) if un == "un");
            return !a_little && !NO_DENIALS.contains(&next);
        }
        if !BETWEEN.contains(&word.as_str()) && !DEGREES.contains(&word.as_str()) {
            break;
        }
        at -= 1;
    }
    let (Some(ChoiceToken::Asks), Some(ChoiceToken::Word(answer))) = (pieces.get(end), pieces.get(end + 1)) else {
        return false;
    };
    matches!(
        answer.as_str(),
        "no" | "non" | "false" | "faux" | "none" | "aucune" | "aucun" | "not" | "pas"
    )
}

fn phrase(word: &str) -> Phrase {
    let is_stem = word.trim_end().ends_with('*');
    let mut pieces = words_of(word.trim_end().trim_end_matches('*'));
    let length = pieces.iter().map(|piece| piece.chars().count() + 1).sum();
    let denied = pieces.len() > 1 && pieces.first().is_some_and(|first| DENIALS.contains(&first.as_str()));
    if denied {
        // "not an emergency", "pas une urgence": the denied words begin after the articles.
        let skip = 1 + pieces[1..pieces.len() - 1]
            .iter()
            .take_while(|piece| BETWEEN.contains(&piece.as_str()))
            .count();
        pieces.drain(..skip);
    }
    Phrase {
        pieces,
        is_stem,
        is_denied: denied,
        length,
    }
}

fn words_of(text: &str) -> Vec<String> {
    pieces(text)
        .into_iter()
        .filter_map(|piece| match piece {
            ChoiceToken::Word(word) => Some(word),
            _ => None,
        })
        .collect()
}

fn pieces(text: &str) -> Vec<ChoiceToken> {
    let text = text.replace('_', " ").replace(['\u{2019}', '\u{2018}'], "'");
    let mut pieces = Vec::new();
    for token in Plain::new(&text).words() {
        match token {
            Token::Word("but" | "mais" | "however" | "cependant") => {
                pieces.push(ChoiceToken::Stop);
            }
            // In "isn't", the "t" is the denial. In "n'est pas", the "n" is ignored, because "pas" is the denial.
            Token::Word("t") if ends_in_n(&pieces) => pieces.push(ChoiceToken::Word("not".to_owned())),
            Token::Word("n" | "l") | Token::Mark('\'' | '-' | '"' | '(' | ')' | '*') => {}
            Token::Word(word) if DEGREES.contains(&word) => pieces.push(ChoiceToken::Word("very".to_owned())),
            Token::Word(word) => pieces.push(ChoiceToken::Word(word.to_owned())),
            Token::Number(number) => pieces.push(ChoiceToken::Word(number.normalize().to_string())),
            Token::Mark(':' | '=' | '?') => pieces.push(ChoiceToken::Asks),
            Token::Mark(_) => pieces.push(ChoiceToken::Stop),
        }
    }
    pieces
}

fn ends_in_n(pieces: &[ChoiceToken]) -> bool {
    matches!(pieces.last(), Some(ChoiceToken::Word(word)) if word.len() > 2 && word.ends_with('n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(list: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let owned = list.iter().map(|(value, words)| {
            (
                (*value).to_owned(),
                words.iter().map(|word| (*word).to_owned()).collect(),
            )
        });
        owned.collect()
    }

    fn complexity(text: &str) -> Option<String> {
        let values = values(&[
            ("complex", &["complexe*", "difficile*", "difficult"]),
            ("simple", &["facile*", "easy", "standard", "normal*"]),
            ("very_complex", &["very complex", "très complexe*", "very difficult"]),
        ]);
        Choices::new(&values).choose(text).map(str::to_owned)
    }

    fn urgency(text: &str) -> Option<String> {
        let values = values(&[
            (
                "flexible",
                &[
                    "no rush",
                    "not urgent",
                    "not an emergency",
                    "pas urgent*",
                    "pas pressé*",
                    "whenever",
                    "low",
                ],
            ),
            ("soon", &["bientôt", "this week", "tomorrow"]),
            ("urgent", &["urgent*", "urgence*", "emergency", "today", "now", "high"]),
        ]);
        Choices::new(&values).choose(text).map(str::to_owned)
    }

    #[test]
    fn the_longest_word_decides() {
        for (text, wanted) in [
            ("Très  complexe", Some("very_complex")),
            ("assez complexe", Some("complex")),
            ("very_complex", Some("very_complex")),
            ("very-complex", Some("very_complex")),
            ("extremely complex", Some("very_complex")),
            ("VERY COMPLEX!", Some("very_complex")),
            ("un peu complexe", Some("complex")),
            ("facile", Some("simple")),
            ("purple", None),
            ("", None),
        ] {
            assert_eq!(complexity(text).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_denied_is_not_named() {
        for text in [
            "not very complex",
            "not complex",
            "pas très complexe",
            "pas complexe",
            "pas si complexe que ça",
            "peu complexe",
            "it isn't complex",
            "ce n'est pas complexe",
            "not that difficult",
            "complex: no",
            "complexe ? non",
        ] {
            assert_eq!(complexity(text), None, "{text}");
        }
        assert_eq!(complexity("not complex, easy").as_deref(), Some("simple"));
        assert_eq!(complexity("pas facile mais complexe").as_deref(), Some("complex"));
        assert_eq!(complexity("not only difficult").as_deref(), Some("complex"));
    }

    #[test]
    fn a_word_that_denies_is_named_by_every_denial() {
        for text in [
            "not urgent",
            "not_urgent",
            "NOT-URGENT",
            "pas urgent",
            "non urgent",
            "non-urgent",
            "pas vraiment urgent",
            "not very urgent",
            "this is not an emergency",
            "isn't urgent",
            "n'est pas urgent",
            "no emergency",
            "urgent: non",
            "no rush",
            "pas pressé",
        ] {
            assert_eq!(urgency(text).as_deref(), Some("flexible"), "{text}");
        }
        for text in [
            "urgent",
            "urgence!",
            "oui, urgent",
            "it is an emergency",
            "no, it is urgent",
            "non, c'est urgent",
            "high",
        ] {
            assert_eq!(urgency(text).as_deref(), Some("urgent"), "{text}");
        }
        assert_eq!(urgency("not urgent, tomorrow").as_deref(), Some("flexible"));
        assert_eq!(urgency("not today, tomorrow").as_deref(), Some("soon"));
    }
}
