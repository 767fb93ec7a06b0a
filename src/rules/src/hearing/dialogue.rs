//! Follows a conversation from the first word to the last. Short answers take their content from the agent's question,
//! and later statements override earlier statements. A fact from a model counts only if the caller does not contradict
//! it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::context::{self, CueHit, CueRule, GroupedHits, MentionSense};
use super::lexicon::{Effort, Lexicon, WordId};
use super::text::{Separator, Speaker, Text, Utterance};
use crate::rows::{CueEffect, Trust};

/// Maximum number of bytes that are searched. Of a longer text, only the beginning and the end are searched. An hour of
/// talk is about 60,000 bytes.
const MAX_LISTENED: usize = 600_000;
/// Maximum number of bytes of an agent's turn that are searched. They are the last bytes, because the question is at
/// the end.
const MAX_ASKED: usize = 400;
/// Maximum number of mentions stored for the trace and for finding the service.
const MAX_MENTIONS: usize = 4_096;
/// Maximum number of mentions stored for one phrase.
const MAX_PER_PHRASE: u16 = 40;
/// Maximum number of mentions to which a later question may refer.
const MAX_OPEN: usize = 64;
/// Maximum number of words before an answer: "oh my god yes".
const BEFORE_ANSWER: usize = 3;
/// Maximum number of words of an utterance in which an answer is searched.
const ANSWER_WITHIN: usize = 14;

/// Prefix of the agent's lines in a transcript.
pub const AGENT_LINE: &str = "> ";

/// The caller's lines of a conversation.
#[must_use]
pub fn callers_words(said: &str) -> Cow<'_, str> {
    if said.lines().all(|line| !line.starts_with(AGENT_LINE)) {
        return Cow::Borrowed(said);
    }
    let own = said.lines().filter(|line| !line.starts_with(AGENT_LINE));
    Cow::Owned(own.collect::<Vec<_>>().join("\n"))
}

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
    /// The mention's own words.
    pub words: String,
    /// The index of the mention's utterance, from 0.
    pub turn: usize,
    /// The index of the mention's first word in the text.
    pub place: usize,
}

impl Mention {
    /// Whether the mention is true now and at the caller's place.
    #[must_use]
    pub const fn counts(&self) -> bool {
        matches!(
            self.verdict,
            MentionSense::Counts | MentionSense::AgreedTo | MentionSense::Place
        )
    }
}

/// A rulebook's concepts, cues and phrases, compiled; cheap to clone.
#[derive(Debug, Clone)]
pub struct Ears {
    lexicon: Lexicon,
    cues: Arc<[CueRule]>,
}

/// The status of a phrase or a concept at the end of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Affirmed,
    Denied,
    Over,
}

/// The result of listening.
#[derive(Debug, Clone)]
pub struct HearingResult {
    ears: Ears,
    text: Text,
    /// The cues of each utterance, for phrases that occur only in scripts.
    cues: Vec<Vec<CueHit>>,
    /// The facts that were listened to, by the index in [`Speaker::Field`].
    fields: Vec<String>,
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

/// The agent's last question.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent marks of one sentence")]
struct AgentQuestion {
    asked: Vec<(WordId, Vec<WordId>, MentionSense)>,
    /// Whether the question asks if something is over: "Has it stopped?"
    over: bool,
    /// The concept that applies if the caller answers no to "Has it stopped?" or "Can you stop the water?"
    otherwise: Option<WordId>,
    /// Whether the question asks about the caller's earlier words: "Is it happening now?"
    refers_back: bool,
    /// Whether the answer no retracts nothing: "Anything else?"
    besides: bool,
    /// Whether the caller has spoken since the question.
    is_answered: bool,
    sentence: String,
    words: Vec<String>,
}

impl AgentQuestion {
    fn is_about_something(&self) -> bool {
        !self.asked.is_empty() || self.over || self.otherwise.is_some() || self.refers_back
    }
}

/// A short answer.
#[derive(Debug)]
struct Answer {
    hit: CueHit,
    is_yes: bool,
    /// Whether the answer contradicts the question: "No, it is."
    contradicts: bool,
}

#[derive(Debug, Default)]
struct Memory {
    caller: HashMap<WordId, Standing>,
    /// Phrases and concepts that the caller mentioned. Mentions with another meaning of the words are not included.
    spoken: HashSet<WordId>,
    /// Phrases that the caller last supposed, asked about or reported from the past.
    open: Vec<(WordId, Vec<WordId>)>,
    /// Phrases that the caller affirmed, reported from the past, or said to be over.
    gone: Vec<(WordId, Vec<WordId>)>,
    /// Whether the caller says that nothing is wrong. If so, facts from a model are ignored.
    all_well: bool,
    model: HashMap<WordId, Standing>,
    kept: HashMap<WordId, u16>,
}

impl Ears {
    /// Combines a lexicon and cues; equal cues are shared with `known`.
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

    /// The lexicon of phrases and concepts.
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

    /// The question in the agent's last sentences.
    fn question(&self, text: &Text, utterance: &Utterance, found: &GroupedHits<'_>) -> AgentQuestion {
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

    /// Applies a short answer to the content of the question.
    #[expect(clippy::too_many_arguments, reason = "one step of `hear`, which needs all its data")]
    fn answer(
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
            // "Has the flooding stopped?" asks whether it is over.
            let asked_whether_over = question.over && matches!(verdict, MentionSense::Over | MentionSense::Counts);
            let standing = match (verdict, is_yes) {
                _ if asked_whether_over && is_yes => Standing::Over,
                _ if asked_whether_over => Standing::Affirmed,
                (MentionSense::Counts | MentionSense::Place, true) => Standing::Affirmed,
                (MentionSense::Counts | MentionSense::Place, false) if !question.besides => Standing::Denied,
                // "So it isn't overflowing yet?" "No, it is."
                (MentionSense::Denied, false) if contradicts => Standing::Affirmed,
                // "There is no flooding, right?" Yes and no both confirm this.
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

    /// The answer at the beginning of an utterance, and whether it is yes.
    fn answered(&self, text: &Text, utterance: &Utterance, found: &GroupedHits<'_>) -> Option<Answer> {
        let words = text.words_of(utterance);
        let mut answer: Option<Answer> = None;
        // The limit within which an answer may begin, and whether the caller retracted earlier words: "no, wait, sorry,
        // yes".
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

    /// Applies the statements of one utterance.
    fn statements(
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
            let as_mention = super::lexicon::Hit {
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

/// Maximum length, in words, of a question that refers to the sentence before it, such as "is that right?".
const TAG_WORDS: usize = 6;

/// The beginning and the end of a text; for a text within `MAX_LISTENED`, the whole text and an empty string.
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

impl Memory {
    fn set(&mut self, phrase: WordId, concepts: &[WordId], standing: Standing) {
        for id in std::iter::once(&phrase).chain(concepts) {
            self.caller.insert(*id, standing);
        }
    }

    /// Records the mentions of the caller, and the mentions to which a later question may refer.
    fn note(&mut self, phrase: WordId, concepts: &[WordId], verdict: MentionSense) {
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

    /// Facts from a model have no order, so one affirming fact is enough.
    fn set_by_model(&mut self, phrase: WordId, concepts: &[WordId], standing: Standing) {
        for id in std::iter::once(&phrase).chain(concepts) {
            let known = self.model.entry(*id).or_insert(standing);
            if standing == Standing::Affirmed {
                *known = standing;
            }
        }
    }

    fn all_over(&mut self) {
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

impl HearingResult {
    /// Whether to store another mention of a phrase: endless repetitions must not fill the list.
    fn keeps(&self, phrase: WordId, memory: &Memory) -> bool {
        self.mentions.len() < MAX_MENTIONS && memory.kept.get(&phrase).is_none_or(|kept| *kept < MAX_PER_PHRASE)
    }

    fn keep(&mut self, mention: Mention, memory: &mut Memory) {
        let kept = memory.kept.entry(mention.phrase).or_default();
        if *kept < MAX_PER_PHRASE {
            *kept += 1;
            self.mentions.push(mention);
        }
    }

    fn conclude(&mut self, memory: &Memory) {
        let by =
            |wanted: fn(&Standing) -> bool| memory.caller.iter().filter(move |(_, s)| wanted(s)).map(|(id, _)| *id);
        self.said = by(|standing| *standing == Standing::Affirmed).collect();
        self.denied = by(|standing| *standing != Standing::Affirmed).collect();
        // For everything that the caller mentioned, the caller's words decide, not a model's facts.
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

    /// The rulebook's phrases and concepts.
    #[must_use]
    pub const fn lexicon(&self) -> &Lexicon {
        self.ears.lexicon()
    }

    /// The text that was listened to.
    #[must_use]
    pub const fn text(&self) -> &Text {
        &self.text
    }

    /// The name of a fact that was listened to, by the index in [`Speaker::Field`].
    #[must_use]
    pub fn field(&self, place: usize) -> &str {
        self.fields.get(place).map(String::as_str).unwrap_or_default()
    }

    /// The number of words that the caller said.
    #[must_use]
    pub fn callers_word_count(&self) -> usize {
        let own = self
            .text
            .utterances()
            .iter()
            .filter(|one| one.speaker == Speaker::Caller);
        own.map(|utterance| self.text.words_of(utterance).len()).sum()
    }

    pub(super) fn cues_of(&self, turn: usize) -> &[CueHit] {
        self.cues.get(turn).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn rules(&self) -> &[CueRule] {
        &self.ears.cues
    }
}
