//! Finds, in one pass over a text, all phrases that a rulebook listens for.
//!
//! Each word of the text is looked up once among the words of all phrases. A phrase is tried only at its rarest word,
//! so the work depends on the length of the text and not on the number of phrases.

mod compile_phrases;
mod lexicon_builder;
mod phrase_scan;

use std::sync::Arc;

use self::compile_phrases::CompiledPhrase;
pub use self::lexicon_builder::LexiconBuilder;
pub use self::phrase_scan::{Effort, Hit};
use super::phrase::{Form, Variant, parse};
use super::text::Text;

/// The id of a phrase or a concept within one [`Lexicon`].
pub type WordId = u32;

#[derive(Debug, Clone, PartialEq, Eq)]
enum PhraseMeaning {
    /// A phrase that rules listen for, with the concepts that it belongs to.
    Phrase { name: String, concepts: Vec<WordId> },
    /// A concept, which is found only through its phrases.
    Concept { code: String },
    /// An exception. If a mention of the concept overlaps these words, the mention has another meaning.
    Exception { concept: WordId, text: String },
    /// A cue, by its index in the list of cues.
    Cue { place: usize },
}

/// The meaning of a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense<'a> {
    /// A phrase that rules listen for, with its concepts.
    Phrase(&'a [WordId]),
    /// An exception of this concept.
    Exception(WordId),
    /// A cue, by its index.
    Cue(usize),
}

/// The phrases, concepts, exceptions and cues of a rulebook; cheap to clone.
#[derive(Debug, Clone)]
pub struct Lexicon(Arc<CompiledPhrase>);

impl Lexicon {
    /// Whether both lexicons share the same compiled data.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns a phrase as rules spell it, in folded form, or a concept as `#code`.
    #[must_use]
    pub fn name(&self, id: WordId) -> String {
        match self.0.entries.get(id as usize) {
            Some((PhraseMeaning::Phrase { name, .. }, _)) => name.clone(),
            Some((PhraseMeaning::Concept { code }, _)) => format!("#{code}"),
            Some((PhraseMeaning::Exception { text, .. }, _)) => text.clone(),
            _ => String::new(),
        }
    }

    /// Returns the id of a phrase or a `#concept` that rules listen for.
    #[must_use]
    pub fn id(&self, phrase: &str) -> Option<WordId> {
        match phrase.trim().strip_prefix('#') {
            Some(code) => self.0.concepts.get(code).copied(),
            None => self.0.by_form.get(&parse(phrase, None).ok()?).copied(),
        }
    }

    /// Returns the phrases and concepts whose words occur in a text, ascending.
    #[must_use]
    pub fn occurring(&self, raw: &str) -> Vec<WordId> {
        let mut text = Text::default();
        text.push(super::text::Speaker::Caller, raw);
        let mut ids = Vec::new();
        for hit in self.scan(&text, 0..text.len(), &mut Effort::default()) {
            if let Some(Sense::Phrase(concepts)) = self.sense(hit.entry) {
                ids.push(hit.entry);
                ids.extend_from_slice(concepts);
            }
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Returns the meaning of an entry.
    #[must_use]
    pub fn sense(&self, entry: WordId) -> Option<Sense<'_>> {
        match self.0.entries.get(entry as usize) {
            Some((PhraseMeaning::Phrase { concepts, .. }, _)) => Some(Sense::Phrase(concepts)),
            Some((PhraseMeaning::Exception { concept, .. }, _)) => Some(Sense::Exception(*concept)),
            Some((PhraseMeaning::Cue { place }, _)) => Some(Sense::Cue(*place)),
            _ => None,
        }
    }

    /// Returns the phrases and concepts that occur in every text with this phrase. The phrase itself is always
    /// included. The result may lack ids, for example if the phrase has several variants. The result never contains a
    /// wrong id.
    #[must_use]
    pub fn implied(&self, id: WordId) -> Vec<WordId> {
        let Some((PhraseMeaning::Phrase { .. }, variants)) = self.0.entries.get(id as usize) else {
            return vec![id];
        };
        let mut found = vec![id];
        if let [variant] = variants.as_slice()
            && let Some(example) = example(variant)
        {
            let mut text = Text::default();
            text.push(super::text::Speaker::Caller, &example);
            let hits = self.scan(&text, 0..text.len(), &mut Effort::default());
            found.extend(
                hits.iter()
                    .filter(|hit| matches!(self.sense(hit.entry), Some(Sense::Phrase(_))))
                    .map(|hit| hit.entry),
            );
        }
        let concepts = found.iter().flat_map(|id| match self.sense(*id) {
            Some(Sense::Phrase(concepts)) => concepts,
            _ => &[],
        });
        let concepts: Vec<WordId> = concepts.copied().collect();
        if self.has_no_exceptions() {
            found.extend(concepts);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn has_no_exceptions(&self) -> bool {
        !self
            .0
            .entries
            .iter()
            .any(|(meaning, _)| matches!(meaning, PhraseMeaning::Exception { .. }))
    }
}

/// Returns a text that contains only the words that the phrase requires. Returns `None` if the phrase has a gap,
/// alternatives or words that are compared by stem.
fn example(variant: &Variant) -> Option<String> {
    let words = variant.iter().map(|element| match element.patterns.as_slice() {
        [pattern] if element.gap == 0 => match pattern.form {
            Form::Exact => Some(pattern.letters.clone()),
            // A prefix matches longer words too. So the example is a longer word, which an implied phrase must match as
            // well.
            Form::Prefix => Some(format!("{}zqxzqx", pattern.letters)),
            Form::Stem(..) => None,
        },
        _ => None,
    });
    words.collect::<Option<Vec<_>>>().map(|words| words.join(" "))
}
