//! Collects the phrases, concepts, exceptions and cues of a rulebook, and builds a lexicon from them.

use std::collections::HashMap;
use std::sync::Arc;

use super::compile_phrases::CompiledPhrase;
use super::{Lexicon, PhraseMeaning, WordId};
use crate::hearing::phrase::{Variant, parse};
use crate::hearing::stems::StemLanguage;

/// Maximum total bytes of all phrases of a rulebook.
const MAX_PHRASE_BYTES: usize = 400_000;
/// Maximum number of phrases of a rulebook.
const MAX_PHRASES: usize = 10_000;

/// Collects phrases; equal phrases share an id.
#[derive(Debug, Default)]
pub struct LexiconBuilder {
    pub(super) entries: Vec<(PhraseMeaning, Vec<Variant>)>,
    pub(super) by_form: HashMap<Vec<Variant>, WordId>,
    pub(super) concepts: HashMap<String, WordId>,
    bytes: usize,
}

impl LexiconBuilder {
    /// Returns the id of a phrase, or of a concept written as `#code`.
    ///
    /// # Errors
    /// A sentence that says why the phrase cannot be listened for.
    pub fn id(&mut self, phrase: &str) -> Result<WordId, String> {
        if let Some(code) = phrase.trim().strip_prefix('#') {
            return self.concepts.get(code).copied().ok_or_else(|| {
                let hint = crate::suggestion::did_you_mean(code, self.concepts.keys().map(String::as_str));
                format!("there is no concept `{code}`{hint}")
            });
        }
        self.phrase(phrase, None)
    }

    /// Returns the id of a concept, to which phrases and exceptions can be added.
    pub fn concept(&mut self, code: &str) -> WordId {
        if let Some(known) = self.concepts.get(code) {
            return *known;
        }
        let id = self.push(PhraseMeaning::Concept { code: code.to_owned() }, Vec::new());
        self.concepts.insert(code.to_owned(), id);
        id
    }

    /// Adds a phrase to a concept. The phrase's words are compared by their stems in `language`.
    ///
    /// # Errors
    /// A sentence that says why the phrase cannot be listened for.
    pub fn add_to_concept(&mut self, concept: WordId, phrase: &str, language: &str) -> Result<WordId, String> {
        let id = self.phrase(phrase, StemLanguage::of(language))?;
        if let Some((PhraseMeaning::Phrase { concepts, .. }, _)) = self.entries.get_mut(id as usize)
            && !concepts.contains(&concept)
        {
            concepts.push(concept);
        }
        Ok(id)
    }

    /// Adds an exception: a phrase that looks like a phrase of the concept but has another meaning.
    ///
    /// # Errors
    /// A sentence that says why the phrase cannot be listened for.
    pub fn add_exception(&mut self, concept: WordId, phrase: &str) -> Result<(), String> {
        let variants = self.read(phrase, None)?;
        let text = phrase.to_owned();
        self.push(PhraseMeaning::Exception { concept, text }, variants);
        Ok(())
    }

    /// Adds a phrase to the cue at this index in the list of cues.
    ///
    /// # Errors
    /// A sentence that says why the phrase cannot be listened for.
    pub fn add_cue(&mut self, place: usize, phrase: &str) -> Result<(), String> {
        let variants = self.read(phrase, None)?;
        self.push(PhraseMeaning::Cue { place }, variants);
        Ok(())
    }

    fn phrase(&mut self, phrase: &str, stems: Option<StemLanguage>) -> Result<WordId, String> {
        let variants = self.read(phrase, stems)?;
        if let Some(known) = self.by_form.get(&variants) {
            return Ok(*known);
        }
        let meaning = PhraseMeaning::Phrase {
            name: crate::words::fold(phrase),
            concepts: Vec::new(),
        };
        let id = self.push(meaning, variants.clone());
        self.by_form.insert(variants, id);
        Ok(id)
    }

    fn read(&mut self, phrase: &str, stems: Option<StemLanguage>) -> Result<Vec<Variant>, String> {
        let variants = parse(phrase, stems)?;
        self.bytes += phrase.len();
        if self.bytes > MAX_PHRASE_BYTES {
            return Err(format!(
                "the phrases of a rulebook may have at most {MAX_PHRASE_BYTES} bytes in total"
            ));
        }
        if self.entries.len() >= MAX_PHRASES {
            return Err(format!("a rulebook has at most {MAX_PHRASES} phrases"));
        }
        Ok(variants)
    }

    fn push(&mut self, meaning: PhraseMeaning, variants: Vec<Variant>) -> WordId {
        let id = WordId::try_from(self.entries.len()).unwrap_or(WordId::MAX);
        self.entries.push((meaning, variants));
        id
    }

    /// Builds the lexicon, or shares `known` if it has the same phrases.
    ///
    /// # Errors
    /// When the same word is the rarest word of too many phrases.
    pub fn build(self, known: Option<&Lexicon>) -> Result<Lexicon, String> {
        if let Some(known) = known
            && known.0.entries == self.entries
        {
            return Ok(known.clone());
        }
        Ok(Lexicon(Arc::new(CompiledPhrase::new(self)?)))
    }
}
