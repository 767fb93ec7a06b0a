//! A mention of a phrase in a conversation or in a fact, with its source.

use crate::hearing::context::MentionSense;
use crate::hearing::lexicon::WordId;

/// The source of a mention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The caller said the words.
    Said,
    /// The agent asked and the caller answered.
    Answered,
    /// A model wrote the words into the fact of this name.
    Fact(String),
}

/// A mention of a phrase that rules listen for, with its position and its sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    pub phrase: WordId,
    pub concepts: Vec<WordId>,
    /// The mention's sense.
    pub verdict: MentionSense,
    /// The phrase's concepts to which an exception applies in this mention.
    pub excepted: Vec<WordId>,
    /// The words of the cue that decided the sense: "no", "last year".
    pub cue: Option<String>,
    pub source: Source,
    /// The sentence of the mention, unchanged.
    pub sentence: String,
    /// The words of the mention.
    pub words: String,
    /// The index of the mention's utterance, from 0.
    pub turn: usize,
    /// The index of the mention's first word in the text.
    pub place: usize,
}

impl Mention {
    /// Whether the mention is true now and at the caller's location.
    #[must_use]
    pub const fn counts(&self) -> bool {
        matches!(
            self.verdict,
            MentionSense::Counts | MentionSense::AgreedTo | MentionSense::Place
        )
    }
}
