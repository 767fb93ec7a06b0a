//! Scans a text for all phrases of a lexicon, within limits on the work.

use std::ops::Range;

use super::{Lexicon, WordId};
use crate::hearing::phrase::Form;
use crate::hearing::text::{Separator, Text, squeezed};

/// Maximum length in bytes of a word that is compared by its stem.
const MAX_STEMMED: usize = 200;
/// Maximum number of attempts to match a phrase in one text. A call of an hour needs less than a tenth of this limit.
const MAX_TRIES: usize = 5_000_000;
/// Maximum number of hits in one text.
const MAX_HITS: usize = 200_000;

/// The work done so far on one text. When a limit is reached, the scan ends.
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

/// A phrase found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The id of the phrase in the lexicon.
    pub entry: WordId,
    pub words: Range<usize>,
    /// Whether the words of the phrase directly follow each other in the text.
    pub is_tight: bool,
}

/// For each word in a range of the text, the patterns that the word matches.
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
    /// Returns all phrases in a range of a text, in the order of their first words.
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
}

/// Returns the range of words that a phrase matches if its element `anchor` is at `word`. The gaps are as short as
/// possible.
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
