//! Splits text into sentences and words, and folds the words to the form in which they are compared.
//!
//! Accents, case, hyphens, underscores and the shape of apostrophes do not matter. A word is a run of letters and
//! digits; punctuation separates words, ends clauses or ends sentences.

use std::ops::Range;

use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// The separator between a word and the word before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// White space, a hyphen, an apostrophe or the like.
    Space,
    /// A comma, a parenthesis or a dash: a clause may end here.
    Comma,
    /// The end of a sentence.
    Sentence,
}

/// The positions of a word: in the folded text, from which [`Text::word`] reads the word, and in the original
/// utterance.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    start: u32,
    end: u32,
    raw_start: u32,
    raw_end: u32,
    pub before: Separator,
}

/// A run of words up to the end of a sentence.
#[derive(Debug, Clone)]
pub struct Sentence {
    /// The indexes of the sentence's words in the text.
    pub words: Range<usize>,
    /// Whether the sentence ends with a question mark.
    pub is_question: bool,
}

/// The speaker of an utterance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    Caller,
    /// The voice agent.
    Agent,
    /// The language model wrote the words into a fact; the index is in the list of facts that the rules listen to.
    Field(usize),
}

/// Words said in one turn, or the text of one fact.
#[derive(Debug, Clone)]
pub struct Utterance {
    /// Who said the words.
    pub speaker: Speaker,
    /// The indexes of the utterance's sentences in the text.
    pub sentences: Range<usize>,
    raw: Box<str>,
}

/// Everything that rules listen to, in the order in which it was said.
#[derive(Debug, Clone, Default)]
pub struct Text {
    folded: String,
    words: Vec<Word>,
    sentences: Vec<Sentence>,
    utterances: Vec<Utterance>,
}

/// Maximum length of a quotation, in bytes, so that an endless sentence is not copied for each of its mentions.
const MAX_QUOTE: usize = 1_000;
/// Abbreviations whose full stop does not end a sentence.
const ABBREVIATIONS: [&str; 15] = [
    "st", "ste", "mr", "mrs", "ms", "dr", "no", "ave", "av", "boul", "blvd", "apt", "app", "tel", "ext",
];

impl Text {
    /// Reserves space for this many bytes of text. A word with its separator has about five bytes on average.
    pub fn reserve(&mut self, bytes: usize) {
        self.folded.reserve(bytes);
        self.words.reserve(bytes / 5);
    }

    /// Adds an utterance.
    pub fn push(&mut self, speaker: Speaker, raw: &str) {
        let first_sentence = self.sentences.len();
        let mut open = self.words.len();
        let mut separator = Separator::Sentence;
        let mut word_start: Option<(usize, usize)> = None;
        // The string has the same length as `raw`, because only ASCII letters change.
        let lower = raw.to_ascii_lowercase();
        let mut end = 0;
        while let Some(rest) = lower.get(end..).filter(|rest| !rest.is_empty()) {
            let (at, before) = (end, self.folded.len());
            let is_letter = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            let letters = rest.bytes().position(|byte| !is_letter(&byte)).unwrap_or(rest.len());
            if letters > 0 {
                word_start.get_or_insert((before, at));
                self.folded.push_str(&rest[..letters]);
                end += letters;
                continue;
            }
            let Some(c) = rest.chars().next() else { break };
            end += c.len_utf8();
            if c == ' ' {
                if let Some((start, raw_start)) = word_start.take() {
                    self.push_word(start, raw_start, at, separator);
                    separator = Separator::Space;
                }
                continue;
            }
            if push_letters(&mut self.folded, c) {
                word_start.get_or_insert((before, at));
                continue;
            }
            if is_combining_mark(c) && word_start.is_some() {
                continue;
            }
            let next = lower.get(end..).and_then(|rest| rest.chars().next());
            if is_apostrophe(c) && self.is_elided(word_start, next) {
                self.folded.push('e');
                continue;
            }
            if let Some((start, raw_start)) = word_start.take() {
                self.push_word(start, raw_start, at, separator);
                separator = Separator::Space;
            }
            let ended = match c {
                '.' => next.is_none_or(char::is_whitespace) && !self.ends_with_abbreviation(open),
                '!' | '?' | ';' | ':' | '…' | '\n' | '|' => true,
                _ => false,
            };
            if ended {
                self.close(&mut open, c == '?');
                separator = Separator::Sentence;
            } else if separator == Separator::Space && is_comma(c, raw, at, next) {
                separator = Separator::Comma;
            }
        }
        if let Some((start, raw_start)) = word_start {
            self.push_word(start, raw_start, raw.len(), separator);
        }
        self.close(&mut open, false);
        self.utterances.push(Utterance {
            speaker,
            sentences: first_sentence..self.sentences.len(),
            raw: raw.into(),
        });
    }

    /// Whether an apostrophe replaces an e within a word, as in spoken French: `r'monte`, `p'tit`.
    fn is_elided(&self, word_start: Option<(usize, usize)>, next: Option<char>) -> bool {
        let word = word_start.and_then(|(start, _)| self.folded.get(start..));
        let is_consonant = |c: char| c.is_alphabetic() && !"aeiouyhéèêàâîôûAEIOUYH".contains(c);
        matches!(word, Some("r" | "v" | "p" | "ch" | "f" | "rev" | "dev")) && next.is_some_and(is_consonant)
    }

    fn push_word(&mut self, start: usize, raw_start: usize, raw_end: usize, before: Separator) {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.words.push(Word {
            start: place(start),
            end: place(self.folded.len()),
            raw_start: place(raw_start),
            raw_end: place(raw_end),
            before,
        });
    }

    fn ends_with_abbreviation(&self, open: usize) -> bool {
        let last = self.words.len().checked_sub(1).filter(|last| *last >= open);
        last.is_some_and(|last| ABBREVIATIONS.contains(&self.word(last)))
    }

    /// Ends the open sentence if it has words.
    fn close(&mut self, open: &mut usize, is_question: bool) {
        if self.words.len() > *open {
            self.sentences.push(Sentence {
                words: *open..self.words.len(),
                is_question,
            });
            *open = self.words.len();
        }
    }

    /// The number of words.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are no words.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The folded form of a word.
    #[must_use]
    pub fn word(&self, place: usize) -> &str {
        let span = |word: &Word| self.folded.get(word.start as usize..word.end as usize);
        self.words.get(place).and_then(span).unwrap_or_default()
    }

    /// The separator before a word.
    #[must_use]
    pub fn before(&self, place: usize) -> Separator {
        self.words.get(place).map_or(Separator::Sentence, |word| word.before)
    }

    /// All utterances, in order.
    #[must_use]
    pub fn utterances(&self) -> &[Utterance] {
        &self.utterances
    }

    /// Returns the indexes of an utterance's words in the text.
    #[must_use]
    pub fn words_of(&self, utterance: &Utterance) -> Range<usize> {
        let sentences = self.sentences.get(utterance.sentences.clone()).unwrap_or_default();
        match (sentences.first(), sentences.last()) {
            (Some(first), Some(last)) => first.words.start..last.words.end,
            _ => 0..0,
        }
    }

    /// A sentence by index.
    #[must_use]
    pub fn sentence(&self, place: usize) -> Option<&Sentence> {
        self.sentences.get(place)
    }

    /// All sentences, in order.
    #[must_use]
    pub fn sentences(&self) -> &[Sentence] {
        &self.sentences
    }

    /// Returns the beginning of an utterance, unchanged and at most `bytes` long.
    #[must_use]
    pub fn whole(&self, utterance: &Utterance, bytes: usize) -> String {
        let raw = &utterance.raw;
        raw.get(..raw.floor_char_boundary(bytes)).unwrap_or_default().to_owned()
    }

    /// Returns the original words in a range of one utterance; a long range is cut at the end.
    #[must_use]
    pub fn quote(&self, utterance: &Utterance, words: &Range<usize>) -> String {
        let first = self.words.get(words.start);
        let last = words.end.checked_sub(1).and_then(|last| self.words.get(last));
        let span = first
            .zip(last)
            .and_then(|(first, last)| utterance.raw.get(first.raw_start as usize..last.raw_end as usize));
        let span = span.unwrap_or_default();
        span.get(..span.floor_char_boundary(MAX_QUOTE))
            .unwrap_or_default()
            .to_owned()
    }
}

/// Adds the folded letters of a character that is not an ASCII letter or digit. Returns whether the character is part
/// of a word.
fn push_letters(folded: &mut String, c: char) -> bool {
    match c {
        c if c.is_ascii() => return false,
        'œ' | 'Œ' => folded.push_str("oe"),
        'æ' | 'Æ' => folded.push_str("ae"),
        c if c.is_alphanumeric() => decompose_canonical(c, |part| {
            if !is_combining_mark(part) {
                part.to_lowercase().for_each(|lower| folded.push(lower));
            }
        }),
        _ => return false,
    }
    true
}

const fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{2018}' | '\u{02BC}' | '\u{FF07}')
}

/// Whether a character may end a clause. A hyphen may end a clause if there is white space on both sides.
fn is_comma(c: char, raw: &str, at: usize, next: Option<char>) -> bool {
    match c {
        ',' | '(' | ')' | '–' | '—' => true,
        '-' => {
            let before = raw.get(..at).and_then(|text| text.chars().next_back());
            before.is_none_or(char::is_whitespace) && next.is_none_or(char::is_whitespace)
        }
        _ => false,
    }
}

/// Returns a word with each double consonant written once, because speech-to-text may write one or two consonants.
/// `None` if the word does not change. Short words do not change, so `off` does not become `of`.
#[must_use]
pub fn squeezed(word: &str) -> Option<String> {
    if word.len() < LONG_WORD {
        return None;
    }
    let bytes = word.as_bytes();
    let doubled = |at: usize| bytes[at] == bytes[at - 1] && is_consonant(bytes[at]);
    if !(1..bytes.len()).any(doubled) {
        return None;
    }
    let mut once = String::with_capacity(word.len());
    let mut last = None;
    for c in word.chars() {
        let repeats = last == Some(c) && u8::try_from(c).is_ok_and(is_consonant);
        if !repeats {
            once.push(c);
        }
        last = Some(c);
    }
    Some(once)
}

/// In words with at least this many letters, double consonants do not matter.
pub const LONG_WORD: usize = 6;

const fn is_consonant(letter: u8) -> bool {
    letter.is_ascii_lowercase() && !matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(raw: &str) -> Vec<String> {
        let mut text = Text::default();
        text.push(Speaker::Caller, raw);
        (0..text.len()).map(|place| text.word(place).to_owned()).collect()
    }

    #[test]
    fn words_are_folded() {
        assert_eq!(words("L’ÉGOUT est-il bouché?"), ["l", "egout", "est", "il", "bouche"]);
        assert_eq!(
            words("e\u{301}gout Nœud slow_drain"),
            ["egout", "noeud", "slow", "drain"]
        );
        assert!(words("🚰 … !?").is_empty());
    }

    #[test]
    fn sentences_end_at_stops_but_not_at_abbreviations() {
        let mut text = Text::default();
        text.push(Speaker::Caller, "I live in St. Lambert. Is it 3.5 m? Yes");
        let sentences: Vec<_> = text
            .sentences()
            .iter()
            .map(|s| (s.words.len(), s.is_question))
            .collect();
        assert_eq!(sentences, [(5, false), (5, true), (1, false)]);
        let first = text.utterances()[0].clone();
        assert_eq!(text.quote(&first, &(3..5)), "St. Lambert");
    }

    #[test]
    fn a_comma_is_seen() {
        let mut text = Text::default();
        text.push(Speaker::Caller, "No, it is (really) dry - now under-slab");
        let commas: Vec<_> = (0..text.len())
            .filter(|at| text.before(*at) == Separator::Comma)
            .collect();
        assert_eq!(commas, [1, 3, 4, 5]);
    }

    #[test]
    fn doubled_consonants_of_long_words_are_written_once() {
        assert_eq!(squeezed("overrflow").as_deref(), Some("overflow"));
        assert_eq!(squeezed("flooding"), None);
        assert_eq!(squeezed("offff"), None);
    }
}
