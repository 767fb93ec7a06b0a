//! The memory of a conversation: the current status of each phrase, and the mentions to which later words may refer.

use std::collections::{HashMap, HashSet};

use crate::hearing::context::MentionSense;
use crate::hearing::lexicon::WordId;

/// Maximum number of mentions to which a later question may refer.
const MAX_OPEN: usize = 64;

/// The status of a phrase or a concept at the end of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Affirmed,
    Denied,
    Over,
}

#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) caller: HashMap<WordId, Standing>,
    /// Phrases and concepts that the caller mentioned. Mentions with another meaning of the words are not included.
    pub(super) spoken: HashSet<WordId>,
    /// Phrases that the caller supposed, asked about or reported from the past. A later question may refer to these
    /// phrases.
    pub(super) open: Vec<(WordId, Vec<WordId>)>,
    /// Phrases that the caller affirmed, reported from the past, or said to be over. If the caller says that it is
    /// happening again, these phrases are true again.
    pub(super) gone: Vec<(WordId, Vec<WordId>)>,
    /// Whether the caller says that nothing is wrong. If so, facts from a model are ignored.
    pub(super) all_well: bool,
    pub(super) model: HashMap<WordId, Standing>,
    pub(super) kept: HashMap<WordId, u16>,
}

impl Memory {
    pub(super) fn set(&mut self, phrase: WordId, concepts: &[WordId], standing: Standing) {
        for id in std::iter::once(&phrase).chain(concepts) {
            self.caller.insert(*id, standing);
        }
    }

    /// Records the mentions of the caller, and the mentions to which a later question may refer.
    pub(super) fn note(&mut self, phrase: WordId, concepts: &[WordId], verdict: MentionSense) {
        if verdict != MentionSense::OtherSense {
            self.spoken.insert(phrase);
            self.spoken.extend(concepts);
        }
        if matches!(
            verdict,
            MentionSense::Hypothetical | MentionSense::Asked | MentionSense::Past
        ) && self.open.len() < MAX_OPEN
        {
            self.open.push((phrase, concepts.to_vec()));
        }
        if matches!(verdict, MentionSense::Counts | MentionSense::Past | MentionSense::Over)
            && self.gone.len() < MAX_OPEN
        {
            self.gone.push((phrase, concepts.to_vec()));
        }
    }

    /// Records the status of a phrase in a model's fact. These facts have no order, so one affirming fact is enough.
    pub(super) fn set_by_model(&mut self, phrase: WordId, concepts: &[WordId], standing: Standing) {
        for id in std::iter::once(&phrase).chain(concepts) {
            let known = self.model.entry(*id).or_insert(standing);
            if standing == Standing::Affirmed {
                *known = standing;
            }
        }
    }

    pub(super) fn all_over(&mut self) {
        self.all_well = true;
        for standing in self
            .caller
            .values_mut()
            .filter(|standing| **standing == Standing::Affirmed)
        {
            *standing = Standing::Over;
        }
    }
}
