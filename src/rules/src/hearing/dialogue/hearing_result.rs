//! The result of listening: the phrases and concepts that were said, mentioned or denied, with every mention.

use super::Ears;
use super::dialogue_memory::{Memory, Standing};
use super::mention::Mention;
use crate::hearing::context::{CueHit, CueRule};
use crate::hearing::lexicon::{Lexicon, WordId};
use crate::hearing::text::{Speaker, Text};

/// Maximum number of mentions stored for the trace and for finding the service.
const MAX_MENTIONS: usize = 4_096;
/// Maximum number of mentions stored for one phrase.
const MAX_PER_PHRASE: u16 = 40;

/// The result of listening.
#[derive(Debug, Clone)]
pub struct HearingResult {
    pub(super) ears: Ears,
    pub(super) text: Text,
    /// The cues of each utterance, for phrases that occur only in scripts.
    pub(super) cues: Vec<Vec<CueHit>>,
    /// The names of the facts that were listened to. [`Speaker::Field`] contains an index into this list.
    pub(super) fields: Vec<String>,
    /// Phrases and concepts that are true, ascending.
    pub said: Vec<WordId>,
    /// Phrases and concepts whose words occur in any sense, ascending.
    pub mentioned: Vec<WordId>,
    /// Phrases and concepts that the caller denies or that are over, ascending.
    pub denied: Vec<WordId>,
    /// Every mention, in order, up to `MAX_MENTIONS`.
    pub mentions: Vec<Mention>,
    /// Word indexes of cues that retract everything before them, such as "actually" and "no wait".
    pub corrections: Vec<usize>,
}

impl HearingResult {
    /// Whether to store another mention of a phrase. Without this limit, endless repetitions would fill the list.
    pub(super) fn keeps(&self, phrase: WordId, memory: &Memory) -> bool {
        self.mentions.len() < MAX_MENTIONS && memory.kept.get(&phrase).is_none_or(|kept| *kept < MAX_PER_PHRASE)
    }

    pub(super) fn keep(&mut self, mention: Mention, memory: &mut Memory) {
        let kept = memory.kept.entry(mention.phrase).or_default();
        if *kept < MAX_PER_PHRASE {
            *kept += 1;
            self.mentions.push(mention);
        }
    }

    pub(super) fn conclude(&mut self, memory: &Memory) {
        let by =
            |wanted: fn(&Standing) -> bool| memory.caller.iter().filter(move |(_, s)| wanted(s)).map(|(id, _)| *id);
        self.said = by(|standing| *standing == Standing::Affirmed).collect();
        self.denied = by(|standing| *standing != Standing::Affirmed).collect();
        // If the caller mentioned a phrase, the caller's words decide, and facts from a model do not count.
        let spoken_of = |id: &WordId| memory.caller.contains_key(id) || memory.spoken.contains(id);
        let affirmed = memory
            .model
            .iter()
            .filter(|(_, standing)| **standing == Standing::Affirmed);
        if memory.all_well {
            return self.tidy();
        }
        self.said
            .extend(affirmed.map(|(id, _)| *id).filter(|id| !spoken_of(id)));
        self.tidy();
    }

    fn tidy(&mut self) {
        for list in [&mut self.said, &mut self.denied, &mut self.mentioned] {
            list.sort_unstable();
            list.dedup();
        }
    }

    /// Returns the rulebook's phrases and concepts.
    #[must_use]
    pub const fn lexicon(&self) -> &Lexicon {
        self.ears.lexicon()
    }

    /// Returns the text that was listened to.
    #[must_use]
    pub const fn text(&self) -> &Text {
        &self.text
    }

    /// Returns the name of the fact with this index, which is the index in [`Speaker::Field`].
    #[must_use]
    pub fn field(&self, place: usize) -> &str {
        self.fields.get(place).map(String::as_str).unwrap_or_default()
    }

    /// Returns the number of words that the caller said.
    #[must_use]
    pub fn callers_word_count(&self) -> usize {
        let own = self
            .text
            .utterances()
            .iter()
            .filter(|one| one.speaker == Speaker::Caller);
        own.map(|utterance| self.text.words_of(utterance).len()).sum()
    }

    pub(in crate::hearing) fn cues_of(&self, turn: usize) -> &[CueHit] {
        self.cues.get(turn).map(Vec::as_slice).unwrap_or_default()
    }

    pub(in crate::hearing) fn rules(&self) -> &[CueRule] {
        &self.ears.cues
    }
}
