//! Computes the stems of words. Stemming is slow, so each thread caches its latest stems. Callers use the same few
//! thousand words, so most lookups hit the cache. A stem depends only on its word and its language.

use std::cell::RefCell;

use rust_stemmers::{Algorithm, Stemmer};

use super::fnv::extended;

/// Number of stems in the cache of a thread; a power of two. A new stem overwrites the old stem in the same slot.
const MAX_KNOWN: usize = 2_048;
/// Maximum length of a cached word, in bytes; longer words are rare.
const MAX_WORD: usize = 32;

/// A language with a stemmer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StemLanguage {
    /// English.
    English,
    /// French.
    French,
    /// Spanish.
    Spanish,
}

struct StemCache {
    language: StemLanguage,
    word: Box<str>,
    stem: Box<str>,
}

thread_local! {
    static KNOWN: RefCell<Vec<Option<StemCache>>> = const { RefCell::new(Vec::new()) };
}

impl StemLanguage {
    /// Returns the language with this code; `None` if there is no stemmer for it.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        match code {
            "en" => Some(Self::English),
            "fr" => Some(Self::French),
            "es" => Some(Self::Spanish),
            _ => None,
        }
    }

    /// The stem of a folded word.
    #[must_use]
    pub fn stem(self, word: &str) -> String {
        let algorithm = match self {
            Self::English => Algorithm::English,
            Self::French => Algorithm::French,
            Self::Spanish => Algorithm::Spanish,
        };
        Stemmer::create(algorithm).stem(word).into_owned()
    }

    /// Whether a folded word has this stem.
    #[must_use]
    pub fn has_stem(self, word: &str, stem: &str) -> bool {
        if word.len() > MAX_WORD {
            return self.stem(word) == stem;
        }
        KNOWN.with_borrow_mut(|known| {
            known.resize_with(MAX_KNOWN, || None);
            let place = usize::try_from(extended(self as u64, word)).unwrap_or_default() % MAX_KNOWN;
            match &known[place] {
                Some(found) if found.language == self && *found.word == *word => *found.stem == *stem,
                _ => {
                    let found = self.stem(word);
                    let is_same = found == stem;
                    known[place] = Some(StemCache {
                        language: self,
                        word: word.into(),
                        stem: found.into(),
                    });
                    is_same
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_stem_is_that_of_its_own_word_and_language() {
        let words: Vec<String> = (0..3 * MAX_KNOWN).map(|n| format!("flooding{n}s")).collect();
        for _ in 0..2 {
            for word in &words {
                for language in [StemLanguage::English, StemLanguage::French] {
                    assert!(language.has_stem(word, &language.stem(word)), "{word}");
                    assert!(!language.has_stem(word, "other"), "{word}");
                }
            }
        }
        assert!(StemLanguage::English.has_stem("flooding", "flood"));
        assert!(!StemLanguage::French.has_stem("flooding", "flood"));
    }
}
