//! Words that rules listen for: one automaton over all of them, one scan of what the caller said.
//!
//! Comes in: words as rules write them (`flood*`, `ville de`) and a text. Goes out: the ids of the words found.
//! A word matches whole words only; a trailing `*` makes it match the beginning of a word. Accents, case and the
//! shape of apostrophes do not matter, and between the parts of a phrase any white space or hyphen will do.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Names a word within one [`Words`].
pub type WordId = u32;

/// Brings a text to the form in which words are compared: no accents, lower case, straight apostrophes, and one space
/// for every run of white space and hyphens.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    if text.is_ascii() {
        for c in text.chars() {
            push_folded(&mut folded, c.to_ascii_lowercase());
        }
    } else {
        for c in text.nfd().filter(|&c| !is_combining_mark(c)) {
            match c {
                'œ' | 'Œ' => folded.push_str("oe"),
                'æ' | 'Æ' => folded.push_str("ae"),
                _ => c.to_lowercase().for_each(|lower| push_folded(&mut folded, lower)),
            }
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

fn push_folded(folded: &mut String, c: char) {
    match c {
        '\u{2019}' | '\u{2018}' | '\u{02BC}' | '\u{FF07}' => folded.push('\''),
        '-' | '\u{2010}'..='\u{2015}' => push_space(folded),
        c if c.is_whitespace() => push_space(folded),
        c => folded.push(c),
    }
}

fn push_space(folded: &mut String) {
    if !folded.is_empty() && !folded.ends_with(' ') {
        folded.push(' ');
    }
}

/// A word as it is compared: folded, and whether it only begins a word. `None` when nothing is left of it.
fn pattern(word: &str) -> Option<(String, bool)> {
    let folded = fold(word);
    let (text, prefix) = match folded.strip_suffix('*') {
        Some(stem) => (stem, true),
        None => (folded.as_str(), false),
    };
    let sound = text.starts_with(char::is_alphanumeric) && !text.contains('*');
    sound.then(|| (text.to_owned(), prefix))
}

/// Whether a word can be listened for at all.
#[must_use]
pub fn is_sound(word: &str) -> bool {
    pattern(word).is_some()
}

/// Whether a folded text holds a word; for words that are only known while a script runs.
#[must_use]
pub fn heard(folded: &str, word: &str) -> bool {
    pattern(word).is_some_and(|(text, prefix)| {
        folded
            .match_indices(&text)
            .any(|(start, _)| stands_alone(folded, start, start + text.len(), prefix))
    })
}

fn stands_alone(text: &str, start: usize, end: usize, prefix: bool) -> bool {
    let before = text[..start].chars().next_back();
    let after = text[end..].chars().next();
    !before.is_some_and(char::is_alphanumeric) && (prefix || !after.is_some_and(char::is_alphanumeric))
}

/// Collects words and gives each an id; equal words share one.
#[derive(Debug, Default)]
pub struct WordList {
    patterns: Vec<(String, bool)>,
    ids: HashMap<(String, bool), WordId>,
}

impl WordList {
    /// The id of a word; `None` when it holds no letter or digit to begin with.
    pub fn id(&mut self, word: &str) -> Option<WordId> {
        let key = pattern(word)?;
        if let Some(id) = self.ids.get(&key) {
            return Some(*id);
        }
        let id = WordId::try_from(self.patterns.len()).ok()?;
        self.patterns.push(key.clone());
        self.ids.insert(key, id);
        Some(id)
    }

    /// Builds the automaton.
    ///
    /// # Errors
    /// When the words are too many for one automaton.
    pub fn build(self) -> Result<Words, String> {
        let texts = self.patterns.iter().map(|(text, _)| text.as_bytes());
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(texts)
            .map_err(|cause| cause.to_string())?;
        Ok(Words {
            automaton,
            patterns: self.patterns,
            ids: self.ids,
        })
    }
}

/// The automaton over all words of a rulebook.
#[derive(Debug, Clone)]
pub struct Words {
    automaton: AhoCorasick,
    patterns: Vec<(String, bool)>,
    ids: HashMap<(String, bool), WordId>,
}

impl Words {
    /// A word as rules write it, folded.
    #[must_use]
    pub fn name(&self, id: WordId) -> String {
        let found = usize::try_from(id).ok().and_then(|id| self.patterns.get(id));
        found.map_or_else(String::new, |(text, prefix)| {
            format!("{text}{}", if *prefix { "*" } else { "" })
        })
    }

    /// The id of a word, if it is one that is listened for.
    #[must_use]
    pub fn id(&self, word: &str) -> Option<WordId> {
        self.ids.get(&pattern(word)?).copied()
    }

    /// The words that are heard whenever this one is, itself among them.
    #[must_use]
    pub fn implied(&self, id: WordId) -> Vec<WordId> {
        let Some((text, prefix)) = usize::try_from(id).ok().and_then(|id| self.patterns.get(id)) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for hit in self.automaton.find_overlapping_iter(text) {
            let other = hit.pattern().as_usize();
            let begins = self.patterns[other].1;
            // What only begins a word may go on, so that another which ends there must be able to go on too.
            let ends_with_it = hit.end() == text.len() && *prefix && !begins;
            if !ends_with_it && stands_alone(text, hit.start(), hit.end(), begins) {
                found.push(hit.pattern().as_u32());
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The words of a folded text that are listened for, each whole, in the order of the text, once each.
    #[must_use]
    pub fn spans<'a>(&self, folded: &'a str) -> Vec<&'a str> {
        let mut spans: Vec<&str> = Vec::new();
        for hit in self.automaton.find_overlapping_iter(folded) {
            let prefix = self.patterns[hit.pattern().as_usize()].1;
            if !stands_alone(folded, hit.start(), hit.end(), prefix) {
                continue;
            }
            let rest = &folded[hit.end()..];
            let more = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            let span = &folded[hit.start()..hit.end() + more];
            if !spans.contains(&span) {
                spans.push(span);
            }
        }
        spans
    }

    /// The ids of the words in a folded text, ascending, once each.
    #[must_use]
    pub fn find(&self, folded: &str) -> Vec<WordId> {
        let mut found = Vec::new();
        for hit in self.automaton.find_overlapping_iter(folded) {
            let id = hit.pattern().as_usize();
            if stands_alone(folded, hit.start(), hit.end(), self.patterns[id].1) {
                found.push(hit.pattern().as_u32());
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(word: &str, text: &str) -> bool {
        let mut list = WordList::default();
        let Some(id) = list.id(word) else { return false };
        let by_scan = list.build().unwrap().find(&fold(text)).contains(&id);
        assert_eq!(by_scan, heard(&fold(text), word), "{word} in {text}");
        by_scan
    }

    #[test]
    fn accents_case_and_apostrophes_do_not_matter() {
        assert_eq!(fold("  L’ÉGOUT   est-il\nbouché? "), "l'egout est il bouche?");
        assert!(finds("débouchage", "DEBOUCHAGE svp"));
        assert!(finds("degat d'eau", "un dégât d’eau"));
        assert!(finds("noeud", "un Nœud"));
    }

    #[test]
    fn a_word_matches_whole_words_unless_it_ends_in_a_star() {
        assert!(finds("roots", "Roots!"));
        assert!(!finds("root", "my roots"));
        assert!(!finds("over", "the drain overflows"));
        assert!(finds("flood*", "it is flooding."));
        assert!(!finds("flood*", "preflooded"));
        assert!(finds("eau", "plein d'eau"));
    }

    #[test]
    fn a_phrase_spans_hyphens_and_line_breaks() {
        for text in ["under-slab", "under slab", "under\n slab", "Under – slab"] {
            assert!(finds("under slab", text), "{text}");
        }
        assert!(!finds("under slab", "under. slab"));
    }

    #[test]
    fn a_word_without_letters_is_refused() {
        for word in ["", "*", "  ", "?!", "fl*od", "-"] {
            assert!(!is_sound(word), "{word:?}");
        }
    }

    #[test]
    fn overlapping_words_are_all_found() {
        let mut list = WordList::default();
        let ids: Vec<_> = ["drain", "french drain", "drain*"]
            .iter()
            .map(|w| list.id(w).unwrap())
            .collect();
        assert_eq!(list.build().unwrap().find(&fold("a French drain")), ids);
    }
}
