//! Compiles the phrases of a rulebook for the search: the patterns of their words, and the rarest word of each phrase.
//! The search tries a phrase only at its rarest word.

use std::collections::HashMap;

use super::{LexiconBuilder, PhraseMeaning, WordId};
use crate::hearing::phrase::{Element, Form, Pattern, Variant};
use crate::prefixes::Prefixes;

/// Maximum number of phrases that share the same rarest word.
const MAX_PER_WORD: usize = 200;

#[derive(Debug)]
pub(super) struct CompiledPhrase {
    pub(super) entries: Vec<(PhraseMeaning, Vec<Variant>)>,
    pub(super) by_form: HashMap<Vec<Variant>, WordId>,
    pub(super) concepts: HashMap<String, WordId>,
    /// A trie over the letters of all patterns. A number in the trie is an index into `patterns`.
    pub(super) letters: Prefixes,
    pub(super) patterns: Vec<Vec<(u32, Form)>>,
    /// For each pattern, the phrases to try at a word that matches the pattern.
    pub(super) anchors: Vec<Vec<Anchor>>,
    pub(super) variants: Vec<Sought>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Anchor {
    pub(super) variant: u32,
    pub(super) element: u32,
}

/// A variant of a phrase, with the ids of its patterns.
#[derive(Debug)]
pub(super) struct Sought {
    pub(super) entry: WordId,
    pub(super) elements: Vec<(Vec<u32>, usize)>,
}

impl CompiledPhrase {
    pub(super) fn new(builder: LexiconBuilder) -> Result<Self, String> {
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
