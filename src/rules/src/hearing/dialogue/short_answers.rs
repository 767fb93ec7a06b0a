//! Applies the caller's short answers, such as "yes" and "no", to the agent's question.

use super::agent_question::AgentQuestion;
use super::dialogue_memory::{Memory, Standing};
use super::{Ears, HearingResult, Mention, Source};
use crate::hearing::context::{CueHit, GroupedHits, MentionSense};
use crate::hearing::lexicon::WordId;
use crate::hearing::text::{Separator, Text, Utterance};
use crate::rows::CueEffect;

/// Maximum number of words before an answer: "oh my god yes".
const BEFORE_ANSWER: usize = 3;
/// An answer must begin within this number of words from the beginning of the utterance.
const ANSWER_WITHIN: usize = 14;

/// A short answer.
#[derive(Debug)]
struct Answer {
    hit: CueHit,
    is_yes: bool,
    /// Whether the answer contradicts the question: "No, it is."
    contradicts: bool,
}

impl Ears {
    /// Applies a short answer to the content of the question.
    #[expect(clippy::too_many_arguments, reason = "one step of `hear`, which needs all its data")]
    pub(super) fn answer(
        &self,
        text: &Text,
        utterance: &Utterance,
        found: &GroupedHits<'_>,
        question: &AgentQuestion,
        turn: usize,
        memory: &mut Memory,
        heard: &mut HearingResult,
    ) {
        if !question.is_about_something() {
            return;
        }
        // After the first answer, only a correction changes the answer.
        let corrects = || {
            found
                .cues
                .iter()
                .any(|hit| self.effect(hit) == Some(CueEffect::Correction))
        };
        if question.is_answered && !corrects() {
            return;
        }
        let Some(Answer {
            hit,
            is_yes,
            contradicts,
        }) = self.answered(text, utterance, found)
        else {
            return;
        };
        let is_denial = !is_yes && !contradicts && !question.over && question.otherwise.is_none();
        if is_denial && !question.besides && !question.asked.is_empty() {
            memory.all_well = true;
        }
        let reply = text.quote(utterance, &hit.words);
        let mut keep =
            |(phrase, concepts): (WordId, &[WordId]), verdict: MentionSense, words: &str, memory: &mut Memory| {
                let mention = Mention {
                    phrase,
                    concepts: concepts.to_vec(),
                    verdict,
                    excepted: Vec::new(),
                    cue: Some(reply.clone()),
                    source: Source::Answered,
                    sentence: question.sentence.clone(),
                    words: words.to_owned(),
                    turn,
                    place: hit.words.start,
                };
                heard.keep(mention, memory);
            };
        if let Some(concept) = question.otherwise.filter(|_| !is_yes) {
            memory.set(concept, &[], Standing::Affirmed);
            keep((concept, &[]), MentionSense::AgreedTo, "", memory);
        }
        if question.refers_back && question.asked.is_empty() && !question.over {
            let standing = if is_yes { Standing::Affirmed } else { Standing::Denied };
            let verdict = if is_yes {
                MentionSense::AgreedTo
            } else {
                MentionSense::AnsweredNo
            };
            for (phrase, concepts) in std::mem::take(&mut memory.open) {
                memory.set(phrase, &concepts, standing);
                keep((phrase, &concepts), verdict, "", memory);
            }
        }
        if question.over && is_yes {
            memory.all_over();
        }
        for ((phrase, concepts, verdict), words) in question.asked.iter().zip(&question.words) {
            // "Has the flooding stopped?" asks whether the flooding is over.
            let asked_whether_over = question.over && matches!(verdict, MentionSense::Over | MentionSense::Counts);
            let standing = match (verdict, is_yes) {
                _ if asked_whether_over && is_yes => Standing::Over,
                _ if asked_whether_over => Standing::Affirmed,
                (MentionSense::Counts | MentionSense::Place, true) => Standing::Affirmed,
                (MentionSense::Counts | MentionSense::Place, false) if !question.besides => Standing::Denied,
                // "So it isn't overflowing yet?" "No, it is."
                (MentionSense::Denied, false) if contradicts => Standing::Affirmed,
                // "There is no flooding, right?" Both "yes" and "no" confirm that there is no flooding.
                (MentionSense::Denied, _) => Standing::Denied,
                _ => continue,
            };
            memory.set(*phrase, concepts, standing);
            let verdict = match standing {
                Standing::Affirmed => MentionSense::AgreedTo,
                Standing::Denied => MentionSense::AnsweredNo,
                Standing::Over => MentionSense::Over,
            };
            keep((*phrase, concepts), verdict, words, memory);
        }
    }

    /// Returns the answer at the beginning of an utterance.
    fn answered(&self, text: &Text, utterance: &Utterance, found: &GroupedHits<'_>) -> Option<Answer> {
        let words = text.words_of(utterance);
        let mut answer: Option<Answer> = None;
        // An answer may begin up to the word `limit`. `corrected` says whether the caller retracted earlier words: "no,
        // wait, sorry, yes".
        let (mut limit, mut corrected) = (words.start + BEFORE_ANSWER, false);
        for hit in &found.cues {
            let start = hit.words.start;
            if start >= words.start + ANSWER_WITHIN {
                break;
            }
            // "He asks her … he says yes": the limit starts again with each sentence.
            if text.before(start) == Separator::Sentence {
                limit = limit.max(start);
            }
            match self.effect(hit)? {
                CueEffect::Filler => limit = limit.max(start) + hit.words.len(),
                CueEffect::Correction => {
                    corrected = true;
                    limit = limit.max(hit.words.end + BEFORE_ANSWER);
                }
                effect @ (CueEffect::Yes | CueEffect::No) => {
                    let own_words_first = found.mentions.iter().any(|(mention, _)| mention.words.start < start);
                    let is_yes = effect == CueEffect::Yes;
                    if let Some(first) = answer.as_mut().filter(|_| !corrected) {
                        first.contradicts = !first.is_yes && is_yes && start <= limit;
                        break;
                    }
                    if start > limit || own_words_first {
                        break;
                    }
                    answer = Some(Answer {
                        hit: hit.clone(),
                        is_yes,
                        contradicts: false,
                    });
                    limit = hit.words.end + BEFORE_ANSWER;
                }
                _ => {}
            }
        }
        answer
    }
}
