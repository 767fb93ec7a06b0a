//! Tries phrases on transcripts before the phrases are in a rulebook. For each call, it finds the phrases that occur,
//! and whether they would count.
//!
//! The rulebook's cues decide whether a mention counts, as in a call. The rulebook's own phrases are ignored.

use super::hearing::{Ears, LexiconBuilder, WordId};
use super::listening;
use super::rows::RowSet;

/// The phrases are searched under this code, which no row has because it contains a space.
const PROBE: &str = "phrase probe";

/// A phrase that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPhrase {
    /// The index of the phrase in the list.
    pub place: usize,
    /// The reason why the phrase cannot be compiled, as a sentence.
    pub why: String,
}

/// A phrase that was found in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhraseHit {
    /// The index of the phrase in the list.
    pub phrase: usize,
    /// Whether the phrase would count in a decision.
    pub counts: bool,
    /// The matched words.
    pub words: String,
    /// The sentence that contains the words.
    pub sentence: String,
}

/// Compiled phrases, ready for searches.
#[derive(Debug)]
pub struct PhraseProbe {
    ears: Ears,
    ids: Vec<WordId>,
}

impl PhraseProbe {
    /// Compiles phrases of a language, with the cues of a rulebook.
    ///
    /// # Errors
    /// The first phrase that cannot be compiled.
    pub fn new(rows: &RowSet, phrases: &[String], language: &str) -> Result<Self, BadPhrase> {
        let mut lexicon = LexiconBuilder::default();
        // Errors in the rulebook's own rows do not concern the phrases.
        let cues = listening::add(rows, &mut lexicon, &mut Vec::new());
        let concept = lexicon.concept(PROBE);
        let mut ids = Vec::with_capacity(phrases.len());
        for (place, phrase) in phrases.iter().enumerate() {
            let id = lexicon.add_to_concept(concept, phrase, language);
            ids.push(id.map_err(|why| BadPhrase { place, why })?);
        }
        let place = phrases.len().saturating_sub(1);
        let lexicon = lexicon.build(None).map_err(|why| BadPhrase { place, why })?;
        Ok(Self {
            ears: Ears::new(lexicon, cues, None),
            ids,
        })
    }

    /// Returns the phrases that occur in a conversation, each with one mention. A mention that counts takes precedence
    /// over a mention that does not count.
    #[must_use]
    pub fn find(&self, said: &str) -> Vec<PhraseHit> {
        let heard = self.ears.hear(said, &[]);
        let mut found: Vec<PhraseHit> = Vec::new();
        for mention in &heard.mentions {
            let places = self.ids.iter().enumerate().filter(|(_, id)| **id == mention.phrase);
            for (phrase, _) in places {
                let new = PhraseHit {
                    phrase,
                    counts: mention.counts(),
                    words: mention.words.clone(),
                    sentence: mention.sentence.clone(),
                };
                match found.iter_mut().find(|known| known.phrase == phrase) {
                    Some(known) if new.counts && !known.counts => *known = new,
                    Some(_) => {}
                    None => found.push(new),
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn phrases(phrases: &[&str]) -> Vec<String> {
        phrases.iter().map(|phrase| (*phrase).to_owned()).collect()
    }

    #[test]
    fn a_phrase_is_found_and_judged_as_in_a_call() {
        let probe = PhraseProbe::new(&sample::rows(), &phrases(&["sump pump", "leak"]), "en").unwrap();
        let found = probe.find("> Is it leaking?\nMy sump pumps are dead. No leak though.");
        let said: Vec<(usize, bool, &str)> = found
            .iter()
            .map(|one| (one.phrase, one.counts, one.sentence.as_str()))
            .collect();
        assert_eq!(
            said,
            [(0, true, "My sump pumps are dead"), (1, false, "No leak though")]
        );
        assert!(probe.find("Bonjour.").is_empty());
    }

    #[test]
    fn a_bad_phrase_is_named() {
        let fault = PhraseProbe::new(&sample::rows(), &phrases(&["leak", "..."]), "en").unwrap_err();
        assert_eq!(fault.place, 1);
        assert!(!fault.why.is_empty());
    }
}
