//! Finds a script's phrases in text that was already heard, because these phrases are known only while the script runs.
//! Cues in the text decide whether a phrase counts.

use super::context::{self, GroupedHits, MentionSense};
use super::dialogue::HearingResult;
use super::lexicon::{Effort, LexiconBuilder};
use super::text::Speaker;

/// Whether and how a phrase of a script was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// The phrase is true now and at the caller's place.
    pub said: bool,
    /// The words of the phrase occur in the text.
    pub mentioned: bool,
}

impl HearingResult {
    /// Returns how `phrase`, which is a phrase or a `#concept`, was heard; `None` if `phrase` is invalid.
    #[must_use]
    pub fn presence(&self, phrase: &str) -> Option<Presence> {
        if let Some(id) = self.lexicon().id(phrase) {
            return Some(Presence {
                said: self.said.binary_search(&id).is_ok(),
                mentioned: self.mentioned.binary_search(&id).is_ok(),
            });
        }
        let mut builder = LexiconBuilder::default();
        builder.id(phrase).ok()?;
        let lexicon = builder.build(None).ok()?;
        let mut presence = Presence {
            said: false,
            mentioned: false,
        };
        let (text, mut effort) = (self.text(), Effort::default());
        for (turn, utterance) in text.utterances().iter().enumerate() {
            if utterance.speaker == Speaker::Agent {
                continue;
            }
            let sentences = text.sentences().get(utterance.sentences.clone()).unwrap_or_default();
            let (Some(first), Some(last)) = (sentences.first(), sentences.last()) else {
                continue;
            };
            let found = GroupedHits::of_cues(self.cues_of(turn).to_vec());
            for hit in lexicon.scan(text, first.words.start..last.words.end, &mut effort) {
                presence.mentioned = true;
                let verdict = context::verdict(self.rules(), text, &found, &hit).0;
                match verdict {
                    MentionSense::Counts | MentionSense::AgreedTo | MentionSense::Place => presence.said = true,
                    MentionSense::Denied | MentionSense::AnsweredNo | MentionSense::Over => presence.said = false,
                    _ => {}
                }
            }
        }
        Some(presence)
    }
}
