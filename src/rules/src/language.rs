//! Detects the language of a caller: from the assistant's value, else from the caller's words.
//!
//! In phone speech, short words that exist in only one language are the best evidence. If these words do not decide, a
//! detector based on letter sequences chooses one of the rulebook's languages.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::facts::{Fact, Facts};
use super::hearing::{Speaker, Text};
use super::prefixes::Prefixes;
use super::words::fold;

/// The name of the fact that contains the caller's language, if the assistant knows the language.
pub const LANGUAGE: &str = "language";

const FRENCH: &[&str] = &[
    "bonjour", "bonsoir", "oui", "ouais", "je", "j", "le", "la", "les", "des", "une", "un", "mon", "ma", "mes", "est",
    "c", "et", "pour", "dans", "avec", "pas", "besoin", "chez", "nous", "vous", "du", "merci", "eau", "allo",
    "combien", "sous", "ville", "que", "qui", "ca", "ya", "pis", "ben", "moi", "mais", "tout", "tres", "sur", "au",
    "aux", "il", "elle", "ils", "sont", "etait", "fait", "plus", "encore", "avez", "ai", "ont", "quand", "comme",
    "aussi", "sa", "son", "salut", "svp", "euh", "toilette", "bouche", "refoule", "deborde", "maison", "pieds",
    "voudrais", "faire", "venir", "depuis", "cave", "evier", "bain", "ici", "non", "l", "d", "qu", "n",
];
const ENGLISH: &[&str] = &[
    "hello", "hi", "hey", "yes", "yeah", "yep", "i", "m", "it", "the", "my", "is", "are", "and", "for", "in", "with",
    "not", "need", "we", "you", "please", "thanks", "thank", "water", "of", "how", "much", "have", "to", "there",
    "just", "has", "can", "this", "that", "was", "were", "your", "from", "what", "when", "its", "been", "don", "t",
    "re", "ve", "he", "she", "they", "our", "up", "out", "an", "at", "be", "do", "does", "would", "could", "like",
    "got", "get", "house", "kitchen", "basement", "toilet", "sink", "clogged", "flooding", "blocked", "slow",
    "someone", "coming", "feet", "nope", "okay", "sewer", "hi", "help", "no",
];

/// Words that occur either in French or in English.
struct DistinctiveWords {
    words: Prefixes,
    /// Whether each word is French, by the word's number in `words`.
    are_french: Vec<bool>,
}

static TELLING: LazyLock<DistinctiveWords> = LazyLock::new(|| {
    let french = FRENCH.iter().map(|word| (*word, true));
    let all: BTreeMap<&str, bool> = french.chain(ENGLISH.iter().map(|word| (*word, false))).collect();
    DistinctiveWords {
        words: Prefixes::new(&all.keys().copied().collect::<Vec<_>>()),
        are_french: all.into_values().collect(),
    }
});

/// Chooses the language for replies from `languages`.
#[must_use]
pub fn language(languages: &[String], facts: &Facts, text: &Text) -> String {
    let first = languages.first().cloned().unwrap_or_default();
    if let Some(Fact::Text(hint)) = facts.get(LANGUAGE) {
        let hint = fold(&hint.replace('_', "-"));
        // "fr-CA" folds to "fr ca".
        let code = hint.split(' ').next().unwrap_or_default();
        if let Some(known) = languages.iter().find(|known| *known == code) {
            return known.clone();
        }
    }
    let known = |code: &str| languages.iter().find(|known| *known == code).cloned();
    let caller = by_words(text, |speaker| speaker == Speaker::Caller);
    let spoken = caller.or_else(|| by_words(text, |speaker| matches!(speaker, Speaker::Field(_))));
    spoken
        .and_then(known)
        .or_else(|| by_letters(languages, text).and_then(known))
        .unwrap_or(first)
}

/// Detects the language by words that exist only in French or only in English.
fn by_words(text: &Text, whose: impl Fn(Speaker) -> bool) -> Option<&'static str> {
    let telling = &*TELLING;
    let (mut french, mut english) = (0, 0);
    for utterance in text.utterances().iter().filter(|utterance| whose(utterance.speaker)) {
        for sentence in text.sentences().get(utterance.sentences.clone()).unwrap_or_default() {
            for place in sentence.words.clone() {
                let number = telling.words.whole(text.word(place));
                match number.and_then(|number| telling.are_french.get(number as usize)) {
                    Some(true) => french += 1,
                    Some(false) => english += 1,
                    None => {}
                }
            }
        }
    }
    match french.cmp(&english) {
        std::cmp::Ordering::Greater => Some("fr"),
        std::cmp::Ordering::Less => Some("en"),
        std::cmp::Ordering::Equal => None,
    }
}

/// Detects the language by letter sequences; uses only as much text as needed.
fn by_letters(languages: &[String], text: &Text) -> Option<&'static str> {
    use whatlang::{Detector, Lang};
    const CODES: &[(&str, Lang)] = &[
        ("fr", Lang::Fra),
        ("en", Lang::Eng),
        ("es", Lang::Spa),
        ("pt", Lang::Por),
        ("it", Lang::Ita),
        ("de", Lang::Deu),
    ];
    let wanted: Vec<Lang> = CODES
        .iter()
        .filter(|(code, _)| languages.iter().any(|known| known == code))
        .map(|(_, lang)| *lang)
        .collect();
    if wanted.len() < 2 {
        return None;
    }
    let mut sample = String::new();
    for utterance in text
        .utterances()
        .iter()
        .filter(|utterance| utterance.speaker != Speaker::Agent)
    {
        sample.push_str(&text.whole(utterance, 500));
        sample.push(' ');
        if sample.len() > 1_000 {
            break;
        }
    }
    let detected = Detector::with_allowlist(wanted).detect_lang(&sample)?;
    CODES.iter().find(|(_, lang)| *lang == detected).map(|(code, _)| *code)
}
