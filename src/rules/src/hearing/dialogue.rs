//! Follows a conversation from the first word to the last. A short answer refers to the agent's question, and a later
//! statement overrides an earlier statement. A fact from a model counts only if the caller does not contradict it.

mod agent_question;
mod dialogue_memory;
mod hearing_result;
mod mention;
mod short_answers;
mod statements;

use std::borrow::Cow;
use std::sync::Arc;

use self::agent_question::AgentQuestion;
use self::dialogue_memory::Memory;
pub use self::hearing_result::HearingResult;
pub use self::mention::{Mention, Source};
use super::context::{self, CueHit, CueRule};
use super::lexicon::{Effort, Lexicon};
use super::text::{Speaker, Text};
use crate::rows::{CueEffect, Trust};

/// Maximum number of bytes of a text that are searched. Of a longer text, only the beginning and the end are searched.
/// An hour of talk is about 60,000 bytes.
const MAX_LISTENED: usize = 600_000;
/// In an agent's turn, only this number of bytes at the end is searched, because the question is at the end.
const MAX_ASKED: usize = 400;

/// Prefix of the agent's lines in a transcript.
pub const AGENT_LINE: &str = "> ";

/// Returns the caller's lines of a conversation.
#[must_use]
pub fn callers_words(said: &str) -> Cow<'_, str> {
    if said.lines().all(|line| !line.starts_with(AGENT_LINE)) {
        return Cow::Borrowed(said);
    }
    let own = said.lines().filter(|line| !line.starts_with(AGENT_LINE));
    Cow::Owned(own.collect::<Vec<_>>().join("\n"))
}

/// A rulebook's concepts, cues and phrases, compiled; cheap to clone.
#[derive(Debug, Clone)]
pub struct Ears {
    lexicon: Lexicon,
    cues: Arc<[CueRule]>,
}

impl Ears {
    /// Combines a lexicon and cues. If `known` has equal cues, the result shares their data.
    #[must_use]
    pub fn new(lexicon: Lexicon, cues: Vec<CueRule>, known: Option<&Self>) -> Self {
        let shared = known.filter(|known| *known.cues == *cues);
        let cues = shared.map_or_else(|| cues.into(), |known| Arc::clone(&known.cues));
        Self { lexicon, cues }
    }

    /// Whether both share their compiled data, and thus recognize the same phrases in every text.
    #[must_use]
    pub fn are_same(&self, other: &Self) -> bool {
        self.lexicon.is_shared_with(&other.lexicon) && Arc::ptr_eq(&self.cues, &other.cues)
    }

    /// Returns the lexicon of phrases and concepts.
    #[must_use]
    pub const fn lexicon(&self) -> &Lexicon {
        &self.lexicon
    }

    /// Listens to a conversation and to facts, each fact with its trust. The conversation has one turn per line; an
    /// agent's line begins with [`AGENT_LINE`].
    #[must_use]
    pub fn hear(&self, said: &str, facts: &[(&str, &str, Trust)]) -> HearingResult {
        let mut text = Text::default();
        let bytes = said.len() + facts.iter().map(|(_, value, _)| value.len()).sum::<usize>();
        text.reserve(bytes.min(MAX_LISTENED));
        // Facts with the trust `caller` count as if the caller had said them first.
        let by_trust = |trust: Trust| facts.iter().enumerate().filter(move |(_, fact)| fact.2 == trust);
        for (place, (_, value, _)) in by_trust(Trust::Caller) {
            push_bounded(&mut text, Speaker::Field(place), value);
        }
        let (beginning, end) = ends(said);
        for part in [beginning, end] {
            for line in part.lines().filter(|line| !line.trim().is_empty()) {
                match line.strip_prefix(AGENT_LINE) {
                    Some(asked) => text.push(Speaker::Agent, tail(asked, MAX_ASKED)),
                    None => text.push(Speaker::Caller, line),
                }
            }
        }
        for (place, (_, value, _)) in by_trust(Trust::Model) {
            push_bounded(&mut text, Speaker::Field(place), value);
        }
        let mut heard = HearingResult {
            ears: self.clone(),
            text: Text::default(),
            cues: Vec::new(),
            fields: facts.iter().map(|(name, ..)| (*name).to_owned()).collect(),
            said: Vec::new(),
            mentioned: Vec::new(),
            denied: Vec::new(),
            mentions: Vec::new(),
            corrections: Vec::new(),
        };
        let mut memory = Memory::default();
        let mut question = AgentQuestion::default();
        let mut effort = Effort::default();
        for (turn, utterance) in text.utterances().iter().enumerate() {
            let words = text.words_of(utterance);
            let found = context::find(&self.lexicon, &self.cues, &text, words.clone(), &mut effort);
            match utterance.speaker {
                Speaker::Agent => {
                    let asked = self.question(&text, utterance, &found);
                    // "Okay, and what is the …" is not a new question: the caller may still correct the last answer.
                    if asked.is_about_something() || !question.is_answered {
                        question = asked;
                    }
                }
                Speaker::Caller => {
                    self.answer(&text, utterance, &found, &question, turn, &mut memory, &mut heard);
                    question.is_answered = true;
                    self.statements(&text, utterance, &found, turn, &mut memory, &mut heard);
                }
                Speaker::Field(_) => self.statements(&text, utterance, &found, turn, &mut memory, &mut heard),
            }
            heard.cues.push(found.cues);
        }
        heard.text = text;
        heard.conclude(&memory);
        heard
    }

    fn effect(&self, hit: &CueHit) -> Option<CueEffect> {
        self.cues.get(hit.cue).map(|cue| cue.effect)
    }
}

/// Returns the beginning and the end of a text. For a text of at most `MAX_LISTENED` bytes, returns the whole text and
/// an empty string.
fn ends(text: &str) -> (&str, &str) {
    if text.len() <= MAX_LISTENED {
        return (text, "");
    }
    let half = MAX_LISTENED / 2;
    (
        text.get(..text.floor_char_boundary(half)).unwrap_or_default(),
        tail(text, half),
    )
}

fn tail(text: &str, bytes: usize) -> &str {
    let start = text.len().saturating_sub(bytes);
    text.get(text.ceil_char_boundary(start)..).unwrap_or_default()
}

fn push_bounded(text: &mut Text, speaker: Speaker, value: &str) {
    let (beginning, end) = ends(value);
    for part in [beginning, end].into_iter().filter(|part| !part.is_empty()) {
        text.push(speaker, part);
    }
}
