//! Finds all phrases that a rulebook listens for in one pass over a text.
//!
//! Each word of the text is looked up once among the words of all phrases. A phrase is tried only at its rarest word,
//! so the work depends on the length of the text and not on the phrases.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::phrase::{Element, Form, Pattern, Variant, parse};
use super::stems::StemLanguage;
use super::text::{Separator, Text, squeezed};
use crate::prefixes::Prefixes;

/// The id of a phrase or a concept within one [`Lexicon`].
pub type WordId = u32;

/// Maximum total bytes of all phrases of a rulebook.
pub const MAX_PHRASE_BYTES: usize = 400_000;
/// Maximum number of phrases of a rulebook.
pub const MAX_PHRASES: usize = 10_000;
/// Maximum number of phrases that share the same rarest word.
const MAX_PER_WORD: usize = 200;
/// Maximum length in bytes of a word that is compared by its stem.
const MAX_STEMMED: usize = 200;
/// Maximum number of attempts to match a phrase in one text. A call of an hour needs less than a tenth of this limit.
const MAX_TRIES: usize = 5_000_000;
/// Maximum number of hits in one text.
const MAX_HITS: usize = 200_000;

/// The work done so far on one text; beyond the limits, nothing more is found.
#[derive(Debug, Default)]
pub struct Effort {
    tries: usize,
    hits: usize,
}

impl Effort {
    const fn is_too_much(&self) -> bool {
        self.tries >= MAX_TRIES || self.hits >= MAX_HITS
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PhraseMeaning {
    /// A phrase that rules listen for, with the concepts that it belongs to.
    Phrase { name: String, concepts: Vec<WordId> },
    /// A concept; it is only found through its phrases.
    Concept { code: String },
    /// An exception. If a mention of the concept overlaps these words, the mention has another meaning.
    Exception { concept: WordId, text: String },
    /// A cue, by its index in the list of cues.
    Cue { place: usize },
}

/// A phrase found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The id of the phrase in the lexicon.
    pub entry: WordId,
    pub words: Range<usize>,
    /// Whether no other words are between the words of the phrase.
    pub is_tight: bool,
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

/// Collects phrases; equal phrases share an id.
#[derive(Debug, Default)]
pub struct LexiconBuilder {
    entries: Vec<(PhraseMeaning, Vec<Variant>)>,
    by_form: HashMap<Vec<Variant>, WordId>,
    concepts: HashMap<String, WordId>,
    bytes: usize,
}

impl LexiconBuilder {
    /// The id of a phrase, or of a concept written as `#code`.
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

    /// The id of a concept, to which phrases and exceptions are added.
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
                "the phrases of a rulebook have at most {MAX_PHRASE_BYTES} bytes together"
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
    /// When too many phrases share one rarest word.
    pub fn build(self, known: Option<&Lexicon>) -> Result<Lexicon, String> {
        if let Some(known) = known
            && known.0.entries == self.entries
        {
            return Ok(known.clone());
        }
        Ok(Lexicon(Arc::new(CompiledPhrase::new(self)?)))
    }
}

/// The phrases, concepts, exceptions and cues of a rulebook; cheap to clone.
#[derive(Debug, Clone)]
pub struct Lexicon(Arc<CompiledPhrase>);

#[derive(Debug)]
struct CompiledPhrase {
    entries: Vec<(PhraseMeaning, Vec<Variant>)>,
    by_form: HashMap<Vec<Variant>, WordId>,
    concepts: HashMap<String, WordId>,
    /// A trie over the letters of all patterns; its numbers index `patterns`.
    letters: Prefixes,
    patterns: Vec<Vec<(u32, Form)>>,
    /// For each pattern, the phrases to try at a word that matches the pattern.
    anchors: Vec<Vec<Anchor>>,
    variants: Vec<Sought>,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    variant: u32,
    element: u32,
}

/// A variant with the ids of its patterns.
#[derive(Debug)]
struct Sought {
    entry: WordId,
    elements: Vec<(Vec<u32>, usize)>,
}

impl CompiledPhrase {
    fn new(builder: LexiconBuilder) -> Result<Self, String> {
        let mut numbers: HashMap<&Pattern, u32> = HashMap::new();
        let mut uses: Vec<usize> = Vec::new();
        let mut variants = Vec::new();
        for (entry, (_, ways)) in (0..).zip(&builder.entries) {
            for way in ways {
                let mut elements = Vec::with_capacity(way.len());
                for Element { patterns, gap } in way {
                    let mut ids = Vec::with_capacity(patterns.len());
                    for pattern in patterns {
                        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                        let id = *numbers.entry(pattern).or_insert_with(|| {
                            uses.push(0);
                            next
                        });
                        uses[id as usize] += 1;
                        ids.push(id);
                    }
                    ids.sort_unstable();
                    ids.dedup();
                    elements.push((ids, *gap));
                }
                variants.push(Sought { entry, elements });
            }
        }
        let mut letters: Vec<&str> = Vec::new();
        let mut patterns: Vec<Vec<(u32, Form)>> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut ordered: Vec<(&&Pattern, &u32)> = numbers.iter().collect();
        ordered.sort_by_key(|(_, id)| **id);
        let mut lengths = Vec::with_capacity(ordered.len());
        for (pattern, id) in ordered {
            let place = *places.entry(&pattern.letters).or_insert_with(|| {
                letters.push(&pattern.letters);
                patterns.push(Vec::new());
                letters.len() - 1
            });
            patterns[place].push((*id, pattern.form.clone()));
            lengths.push(pattern.letters.len());
        }
        let anchors = anchors(&variants, &uses, &lengths)?;
        Ok(Self {
            letters: Prefixes::new(&letters),
            patterns,
            anchors,
            variants,
            entries: builder.entries,
            by_form: builder.by_form,
            concepts: builder.concepts,
        })
    }
}

/// Assigns each variant to its rarest word. The search tries the variant only at this word.
fn anchors(variants: &[Sought], uses: &[usize], lengths: &[usize]) -> Result<Vec<Vec<Anchor>>, String> {
    let mut anchors: Vec<Vec<Anchor>> = vec![Vec::new(); uses.len()];
    for (variant, sought) in (0..).zip(variants) {
        let cost = |(ids, _): &(Vec<u32>, usize)| -> (usize, std::cmp::Reverse<usize>) {
            let shared: usize = ids.iter().map(|id| uses[*id as usize]).sum();
            let shortest = ids.iter().map(|id| lengths[*id as usize]).min().unwrap_or(0);
            (shared, std::cmp::Reverse(shortest))
        };
        let rarest = (0..).zip(&sought.elements).min_by_key(|(_, element)| cost(element));
        let Some((element, (ids, _))) = rarest else { continue };
        for id in ids {
            let here = &mut anchors[*id as usize];
            here.push(Anchor { variant, element });
            if here.len() > MAX_PER_WORD {
                return Err(format!("more than {MAX_PER_WORD} phrases share the same rarest word"));
            }
        }
    }
    Ok(anchors)
}

/// The patterns that each word of a range of text matches.
struct Fits {
    first: usize,
    ids: Vec<u32>,
    starts: Vec<u32>,
}

impl Fits {
    fn at(&self, word: usize) -> &[u32] {
        let place = word.wrapping_sub(self.first);
        match (self.starts.get(place), self.starts.get(place.wrapping_add(1))) {
            (Some(start), Some(end)) => self.ids.get(*start as usize..*end as usize).unwrap_or_default(),
            _ => &[],
        }
    }

    fn has(&self, word: usize, wanted: &[u32]) -> bool {
        match wanted {
            [one] => self.at(word).contains(one),
            _ => self.at(word).iter().any(|id| wanted.contains(id)),
        }
    }
}

impl Lexicon {
    /// Whether both lexicons share the same compiled data.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A phrase in the form of rules, folded; a concept as `#code`.
    #[must_use]
    pub fn name(&self, id: WordId) -> String {
        match self.0.entries.get(id as usize) {
            Some((PhraseMeaning::Phrase { name, .. }, _)) => name.clone(),
            Some((PhraseMeaning::Concept { code }, _)) => format!("#{code}"),
            Some((PhraseMeaning::Exception { text, .. }, _)) => text.clone(),
            _ => String::new(),
        }
    }

    /// The id of a phrase or `#concept` that is listened for.
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

    /// The meaning of an entry.
    #[must_use]
    pub fn sense(&self, entry: WordId) -> Option<Sense<'_>> {
        match self.0.entries.get(entry as usize) {
            Some((PhraseMeaning::Phrase { concepts, .. }, _)) => Some(Sense::Phrase(concepts)),
            Some((PhraseMeaning::Exception { concept, .. }, _)) => Some(Sense::Exception(*concept)),
            Some((PhraseMeaning::Cue { place }, _)) => Some(Sense::Cue(*place)),
            _ => None,
        }
    }

    /// All phrases in a range of a text, in the order of their first words.
    #[must_use]
    pub fn scan(&self, text: &Text, words: Range<usize>, effort: &mut Effort) -> Vec<Hit> {
        let compiled = &*self.0;
        let fits = self.fits(text, words.clone());
        let mut hits: Vec<Hit> = Vec::new();
        for word in words.clone() {
            if effort.is_too_much() {
                break;
            }
            for id in fits.at(word) {
                let anchors = &compiled.anchors[*id as usize];
                effort.tries += anchors.len();
                for anchor in anchors {
                    let sought = &compiled.variants[anchor.variant as usize];
                    let span = match sought.elements.as_slice() {
                        [_] => Some(word..word + 1),
                        elements => found(text, &fits, elements, anchor.element as usize, word, &words),
                    };
                    if let Some(span) = span {
                        effort.hits += 1;
                        hits.push(Hit {
                            entry: sought.entry,
                            is_tight: span.len() == sought.elements.len(),
                            words: span,
                        });
                    }
                }
            }
        }
        hits.sort_by_key(|hit| (hit.words.start, hit.words.end, hit.entry));
        hits.dedup();
        hits
    }

    fn fits(&self, text: &Text, words: Range<usize>) -> Fits {
        let mut fits = Fits {
            first: words.start,
            // About two patterns match each word.
            ids: Vec::with_capacity(2 * words.len()),
            starts: Vec::with_capacity(words.len() + 1),
        };
        for place in words {
            fits.starts.push(u32::try_from(fits.ids.len()).unwrap_or(u32::MAX));
            let word = text.word(place);
            match squeezed(word) {
                Some(once) => self.fit(&once, &mut fits.ids),
                None => self.fit(word, &mut fits.ids),
            }
        }
        fits.starts.push(u32::try_from(fits.ids.len()).unwrap_or(u32::MAX));
        fits
    }

    fn fit(&self, word: &str, ids: &mut Vec<u32>) {
        let compiled = &*self.0;
        compiled.letters.each(word, |length, number| {
            for (id, form) in &compiled.patterns[number as usize] {
                let fits = match form {
                    Form::Exact => length == word.len(),
                    Form::Prefix => true,
                    Form::Stem(language, stem) => word.len() <= MAX_STEMMED && language.has_stem(word, stem),
                };
                if fits {
                    ids.push(*id);
                }
            }
        });
    }

    /// The phrases and concepts that occur in every text with this phrase; always includes the phrase itself. The
    /// result may lack ids, for example if the phrase has several variants. It never contains a wrong id.
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

/// A text that contains only the words that the phrase requires. `None` if the phrase has a gap, alternatives or words
/// that are compared by stem.
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

/// The range of words that a phrase matches if its element `anchor` is at `word`, with the gaps as short as possible.
fn found(
    text: &Text,
    fits: &Fits,
    elements: &[(Vec<u32>, usize)],
    anchor: usize,
    word: usize,
    within: &Range<usize>,
) -> Option<Range<usize>> {
    let start = backward(text, fits, elements, anchor, word, within)?;
    let end = forward(text, fits, elements, anchor, word, within)?;
    Some(start..end + 1)
}

fn forward(
    text: &Text,
    fits: &Fits,
    elements: &[(Vec<u32>, usize)],
    at: usize,
    word: usize,
    within: &Range<usize>,
) -> Option<usize> {
    let Some((wanted, gap)) = elements.get(at + 1) else {
        return Some(word);
    };
    for skipped in 0..=*gap {
        let next = word + 1 + skipped;
        if next >= within.end || text.before(next) == Separator::Sentence {
            return None;
        }
        if fits.has(next, wanted)
            && let Some(end) = forward(text, fits, elements, at + 1, next, within)
        {
            return Some(end);
        }
    }
    None
}

fn backward(
    text: &Text,
    fits: &Fits,
    elements: &[(Vec<u32>, usize)],
    at: usize,
    word: usize,
    within: &Range<usize>,
) -> Option<usize> {
    let Some(before) = at.checked_sub(1) else {
        return Some(word);
    };
    let gap = elements[at].1;
    for skipped in 0..=gap {
        let place = word.checked_sub(1 + skipped)?;
        if place < within.start || text.before(place + 1) == Separator::Sentence {
            return None;
        }
        if fits.has(place, &elements[before].0)
            && let Some(start) = backward(text, fits, elements, before, place, within)
        {
            return Some(start);
        }
    }
    None
}
