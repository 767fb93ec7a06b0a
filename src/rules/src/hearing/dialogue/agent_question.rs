//! Finds the agent's last question, to which the caller's short answer refers.

use super::Ears;
use crate::hearing::context::{self, GroupedHits, MentionSense};
use crate::hearing::lexicon::WordId;
use crate::hearing::text::{Text, Utterance};
use crate::rows::CueEffect;

/// Maximum length, in words, of a question that refers to the sentence before it, such as "is that right?".
const TAG_WORDS: usize = 6;

/// The agent's last question.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent marks of one sentence")]
pub(super) struct AgentQuestion {
    pub(super) asked: Vec<(WordId, Vec<WordId>, MentionSense)>,
    /// Whether the question asks if something is over: "Has it stopped?"
    pub(super) over: bool,
    /// The concept that is true if the caller answers "no" to a question such as "Has it stopped?" or "Can you stop the
    /// water?"
    pub(super) otherwise: Option<WordId>,
    /// Whether the question asks about the caller's earlier words: "Is it happening now?"
    pub(super) refers_back: bool,
    /// Whether the answer "no" leaves the caller's earlier words true, as after "Anything else?"
    pub(super) besides: bool,
    /// Whether the caller has spoken since the question.
    pub(super) is_answered: bool,
    pub(super) sentence: String,
    pub(super) words: Vec<String>,
}

impl AgentQuestion {
    pub(super) fn is_about_something(&self) -> bool {
        !self.asked.is_empty() || self.over || self.otherwise.is_some() || self.refers_back
    }
}

impl Ears {
    /// Returns the question in the agent's last sentences.
    pub(super) fn question(&self, text: &Text, utterance: &Utterance, found: &GroupedHits<'_>) -> AgentQuestion {
        let sentences = text.sentences().get(utterance.sentences.clone()).unwrap_or_default();
        let mut asked = sentences.iter().filter(|sentence| sentence.is_question);
        let Some(last) = asked.next_back().or(sentences.last()) else {
            return AgentQuestion::default();
        };
        // A short question refers to the sentence before it: "So there is water on the floor. Is that right?"
        let mut words = last.words.clone();
        let is_tag = words.len() <= TAG_WORDS && found.mentions_in(&words).is_empty();
        if is_tag {
            let before = sentences.iter().rfind(|sentence| sentence.words.end == words.start);
            words.start = before.map_or(words.start, |before| before.words.start);
        }
        let cues = || found.cues_in(&words).iter();
        let otherwise = cues()
            .filter(|hit| matches!(self.effect(hit), Some(CueEffect::Over | CueEffect::Nothing)))
            .find_map(|hit| self.cues.get(hit.cue)?.otherwise);
        let mentions = found.mentions_in(&words).iter();
        AgentQuestion {
            asked: mentions
                .clone()
                .map(|(hit, concepts)| {
                    let excepted = found.exceptions_at(&hit.words);
                    let concepts = concepts.iter().copied().filter(|id| !excepted.contains(id)).collect();
                    let verdict = match context::verdict(&self.cues, text, found, hit).0 {
                        MentionSense::Asked => MentionSense::Counts,
                        verdict => verdict,
                    };
                    (hit.entry, concepts, verdict)
                })
                .collect(),
            over: cues().any(|hit| self.effect(hit) == Some(CueEffect::Over)),
            otherwise,
            refers_back: cues().any(|hit| self.effect(hit) == Some(CueEffect::Now)),
            is_answered: false,
            besides: cues().any(|hit| self.effect(hit) == Some(CueEffect::Besides)),
            sentence: text.quote(utterance, &words),
            words: mentions.map(|(hit, _)| text.quote(utterance, &hit.words)).collect(),
        }
    }
}
