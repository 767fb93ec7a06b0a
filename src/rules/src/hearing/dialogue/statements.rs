//! Applies statements of the caller and of facts: the mentions in each sentence, and sentences without a mention, such
//! as "it's all dry now".

use std::ops::Range;

use super::dialogue_memory::{Memory, Standing};
use super::{Ears, HearingResult, Mention, Source};
use crate::hearing::context::{self, GroupedHits, MentionSense};
use crate::hearing::lexicon::{Hit, WordId};
use crate::hearing::text::{Speaker, Text, Utterance};
use crate::rows::CueEffect;

impl Ears {
    /// Applies the statements of one utterance.
    pub(super) fn statements(
        &self,
        text: &Text,
        utterance: &Utterance,
        found: &GroupedHits<'_>,
        turn: usize,
        memory: &mut Memory,
        heard: &mut HearingResult,
    ) {
        let source = match utterance.speaker {
            Speaker::Field(place) => Source::Fact(heard.fields.get(place).cloned().unwrap_or_default()),
            _ => Source::Said,
        };
        for sentence in text.sentences().get(utterance.sentences.clone()).unwrap_or_default() {
            let words = &sentence.words;
            let mentions = found.mentions_in(words);
            for (hit, concepts) in mentions {
                let (verdict, cue) = context::verdict(&self.cues, text, found, hit);
                let excepted = found.exceptions_at(&hit.words);
                let standing = match verdict {
                    MentionSense::Counts | MentionSense::AgreedTo | MentionSense::Place => Some(Standing::Affirmed),
                    MentionSense::Denied | MentionSense::AnsweredNo => Some(Standing::Denied),
                    MentionSense::Over => Some(Standing::Over),
                    MentionSense::Past
                    | MentionSense::Hypothetical
                    | MentionSense::Asked
                    | MentionSense::SomeoneElse
                    | MentionSense::OtherSense => None,
                };
                let meant: Vec<WordId> = concepts.iter().copied().filter(|id| !excepted.contains(id)).collect();
                if let Some(standing) = standing {
                    match &source {
                        Source::Fact(_) => memory.set_by_model(hit.entry, &meant, standing),
                        _ => memory.set(hit.entry, &meant, standing),
                    }
                }
                if source == Source::Said {
                    memory.note(hit.entry, &meant, verdict);
                }
                heard.mentioned.push(hit.entry);
                heard.mentioned.extend_from_slice(concepts);
                if heard.keeps(hit.entry, memory) {
                    let mention = Mention {
                        phrase: hit.entry,
                        concepts: concepts.to_vec(),
                        verdict,
                        excepted,
                        cue: cue.map(|cue| text.quote(utterance, &cue.words)),
                        source: source.clone(),
                        sentence: text.quote(utterance, words),
                        words: text.quote(utterance, &hit.words),
                        turn,
                        place: hit.words.start,
                    };
                    heard.keep(mention, memory);
                }
            }
            // "It's all dry now": everything said before is over.
            let is_empty = mentions.is_empty();
            let over = is_empty && source == Source::Said && self.is_over(text, found, words);
            if over && !sentence.is_question {
                memory.all_over();
            }
            let recurs = || {
                let mut here = found.cues_in(words).iter();
                here.any(|hit| self.effect(hit) == Some(CueEffect::Recurs))
            };
            if is_empty && source == Source::Said && recurs() {
                for (phrase, concepts) in std::mem::take(&mut memory.gone) {
                    memory.set(phrase, &concepts, Standing::Affirmed);
                }
            }
        }
        let corrections = found
            .cues
            .iter()
            .filter(|hit| self.effect(hit) == Some(CueEffect::Correction));
        heard.corrections.extend(corrections.map(|hit| hit.words.start));
    }

    /// Whether a sentence without a mention says that something is over.
    fn is_over(&self, text: &Text, found: &GroupedHits<'_>, words: &Range<usize>) -> bool {
        let mut over = found
            .cues_in(words)
            .iter()
            .filter(|hit| self.effect(hit) == Some(CueEffect::Over));
        over.any(|hit| {
            let as_mention = Hit {
                entry: WordId::MAX,
                words: hit.words.clone(),
                is_tight: true,
            };
            let verdict = context::verdict(&self.cues, text, found, &as_mention).0;
            !matches!(
                verdict,
                MentionSense::Denied | MentionSense::Hypothetical | MentionSense::Asked | MentionSense::SomeoneElse
            )
        })
    }
}
