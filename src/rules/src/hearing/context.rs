//! How the phrases of one utterance are meant: denied, over, imagined, about somebody else.
//!
//! After `NegEx` and `ConText` (Chapman 2001, Harkema 2009): a cue such as "no", "last year" or "if" governs the words
//! around it, as far as its row says, until the sentence or the clause ends. Which cues there are is the rulebook's.

use std::ops::Range;

use super::lexicon::{Effort, Hit, Lexicon, Sense, WordId};
use super::text::{Separator, Text};
use crate::rows::CueEffect;

/// A cue, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CueRule {
    /// The code of its row.
    pub code: String,
    /// What it says about the mentions that it governs.
    pub effect: CueEffect,
    /// How many words before it it governs.
    pub before: usize,
    /// How many words after it.
    pub after: usize,
    /// For what is over: the concept that is meant when the question is answered no.
    pub otherwise: Option<WordId>,
}

/// A cue in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CueHit {
    /// Its place in the list of cues.
    pub cue: usize,
    /// Its words.
    pub words: Range<usize>,
}

/// How a mention is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is so, now, at the caller's.
    Counts,
    /// The caller agreed to the agent's question.
    AgreedTo,
    /// It is not so.
    Denied,
    /// The caller answered no to the agent's question.
    AnsweredNo,
    /// It was so once.
    Past,
    /// It was so, and is over.
    Over,
    /// It might be so.
    Hypothetical,
    /// The caller only asks about it.
    Asked,
    /// It is so at somebody else's.
    SomeoneElse,
    /// The words mean something else.
    OtherSense,
    /// It only says where something is.
    Place,
}

/// The hits of one utterance, apart by what they stand for.
#[derive(Debug, Default)]
pub struct Found<'a> {
    /// Phrases that rules listen for, with their concepts.
    pub mentions: Vec<(Hit, &'a [WordId])>,
    /// Exceptions, with their concept.
    pub exceptions: Vec<(Range<usize>, WordId)>,
    /// The cues that are in force: those inside a longer cue, or inside the words of a mention, are not.
    pub cues: Vec<CueHit>,
    /// Behind which words mentions end, ascending.
    mention_ends: Vec<usize>,
    /// The longest mention or exception, in words.
    longest: usize,
}

impl<'a> Found<'a> {
    /// These cues and nothing else.
    pub fn of_cues(cues: Vec<CueHit>) -> Self {
        Self {
            cues,
            ..Self::default()
        }
    }

    /// The mentions that begin within these words.
    pub fn mentions_in(&self, words: &Range<usize>) -> &[(Hit, &'a [WordId])] {
        beginning_in(&self.mentions, words, |(hit, _)| hit.words.start)
    }

    /// The cues that begin within these words.
    pub fn cues_in(&self, words: &Range<usize>) -> &[CueHit] {
        beginning_in(&self.cues, words, |hit| hit.words.start)
    }

    /// The concepts of the exceptions that overlap these words.
    pub fn exceptions_at(&self, words: &Range<usize>) -> Vec<WordId> {
        let near = beginning_in(&self.exceptions, &self.reaching(words), |(span, _)| span.start);
        let overlapping = near.iter().filter(|(span, _)| overlap(span, words));
        overlapping.map(|(_, concept)| *concept).collect()
    }

    /// From where something may begin that reaches into these words.
    fn reaching(&self, words: &Range<usize>) -> Range<usize> {
        words.start.saturating_sub(self.longest)..words.end
    }
}

/// Those that begin within these words, of things in the order of the text: only those are looked at, so that the work follows
/// the length of a text and not its square.
fn beginning_in<'a, T>(all: &'a [T], words: &Range<usize>, start: impl Fn(&T) -> usize) -> &'a [T] {
    let from = all.partition_point(|one| start(one) < words.start);
    let until = all.partition_point(|one| start(one) < words.end);
    all.get(from..until).unwrap_or_default()
}

/// Looks for everything in an utterance's words.
pub fn find<'a>(
    lexicon: &'a Lexicon,
    cues: &[CueRule],
    text: &Text,
    words: Range<usize>,
    effort: &mut Effort,
) -> Found<'a> {
    let mut found = Found::default();
    for hit in lexicon.scan(text, words, effort) {
        match lexicon.sense(hit.entry) {
            Some(Sense::Phrase(concepts)) => found.mentions.push((hit, concepts)),
            Some(Sense::Exception(concept)) => found.exceptions.push((hit.words, concept)),
            Some(Sense::Cue(cue)) => found.cues.push(CueHit { cue, words: hit.words }),
            None => {}
        }
    }
    let mentions = || found.mentions.iter().map(|(hit, _)| &hit.words);
    let mut ends: Vec<usize> = mentions().map(|words| words.end).collect();
    ends.sort_unstable();
    let spans = mentions().chain(found.exceptions.iter().map(|(span, _)| span));
    found.longest = spans.map(ExactSizeIterator::len).max().unwrap_or(0);
    found.mention_ends = ends;
    in_force(&mut found, cues);
    found
}

fn in_force(found: &mut Found<'_>, cues: &[CueRule]) {
    let effect = |hit: &CueHit| cues.get(hit.cue).map(|cue| cue.effect);
    let contains = |outer: &Range<usize>, inner: &Range<usize>| {
        outer.start <= inner.start && inner.end <= outer.end && outer.len() > inner.len()
    };
    let all = std::mem::take(&mut found.cues);
    // A longer cue says what a shorter one inside it means: "not only" denies nothing. Answers stand beside others.
    let is_answer = |hit: &CueHit| matches!(effect(hit), Some(CueEffect::Yes | CueEffect::No | CueEffect::Filler));
    let kept = all.iter().enumerate().filter(|(place, hit)| {
        let longer = all.iter().enumerate().skip(place.saturating_sub(REACH)).take(2 * REACH);
        let covered = longer
            .filter(|(other, _)| other != place)
            .any(|(_, other)| contains(&other.words, &hit.words) && is_answer(other) <= is_answer(hit));
        let in_mention = beginning_in(&found.mentions, &found.reaching(&hit.words), |(mention, _)| {
            mention.words.start
        })
        .iter()
        .any(|(mention, _)| mention.is_tight && contains(&mention.words, &hit.words));
        !covered && (is_answer(hit) || !in_mention)
    });
    found.cues = kept.map(|(_, hit)| hit.clone()).collect();
}

/// How many neighbours of a cue are looked at for a longer one; they are in the order of the text.
const REACH: usize = 24;

/// How a mention is meant, and the cue because of which.
pub fn verdict(cues: &[CueRule], text: &Text, found: &Found<'_>, mention: &Hit) -> (Verdict, Option<CueHit>) {
    let from = found
        .cues
        .partition_point(|hit| hit.words.end + FARTHEST < mention.words.start);
    let near = || {
        found.cues[from..]
            .iter()
            .take_while(|hit| hit.words.start <= mention.words.end + FARTHEST)
            .filter_map(|hit| Some((hit, cues.get(hit.cue)?)))
    };
    let governed_by = |effect: CueEffect| {
        near()
            .filter(|(_, cue)| cue.effect == effect)
            .find(|(hit, cue)| governs(text, found, cues, (hit, cue), mention))
            .map(|(hit, _)| hit.clone())
    };
    let overlapping = near()
        .filter(|(_, cue)| cue.effect == CueEffect::OtherSense)
        .find(|(hit, _)| overlap(&hit.words, &mention.words));
    let other_sense = overlapping.map(|(hit, _)| hit.clone());
    if let Some(hit) = other_sense.or_else(|| governed_by(CueEffect::OtherSense)) {
        return (Verdict::OtherSense, Some(hit));
    }
    if let Some(hit) = governed_by(CueEffect::Denied) {
        return (Verdict::Denied, Some(hit));
    }
    if let Some(hit) = governed_by(CueEffect::SomeoneElse)
        && governed_by(CueEffect::Own).is_none()
    {
        return (Verdict::SomeoneElse, Some(hit));
    }
    let now = governed_by(CueEffect::Now)
        .or_else(|| governed_by(CueEffect::Recurs))
        .is_some();
    if !now {
        if let Some(hit) = governed_by(CueEffect::Hypothetical) {
            return (Verdict::Hypothetical, Some(hit));
        }
        if let Some(hit) = governed_by(CueEffect::Asked) {
            return (Verdict::Asked, Some(hit));
        }
        let present = governed_by(CueEffect::Present).is_some();
        if let Some(hit) = governed_by(CueEffect::Over).filter(|_| !present) {
            return (Verdict::Over, Some(hit));
        }
        if let Some(hit) = governed_by(CueEffect::Past).filter(|_| !present) {
            return (Verdict::Past, Some(hit));
        }
    }
    match governed_by(CueEffect::Place) {
        Some(hit) => (Verdict::Place, Some(hit)),
        None => (Verdict::Counts, None),
    }
}

/// The farthest that any cue reaches, in words.
pub const FARTHEST: usize = 30;

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// Whether a cue reaches a mention.
fn governs(text: &Text, found: &Found<'_>, cues: &[CueRule], (hit, cue): (&CueHit, &CueRule), mention: &Hit) -> bool {
    let (words, spoken) = (&mention.words, &hit.words);
    if spoken.end <= words.start {
        words.start - spoken.end < cue.after && is_open(text, found, cues, cue.effect, spoken.end..words.start, false)
    } else if words.end <= spoken.start {
        spoken.start - words.end < cue.before && is_open(text, found, cues, cue.effect, words.end..spoken.start, true)
    } else {
        // Between the words of the mention itself.
        !mention.is_tight && words.start < spoken.start && spoken.end < words.end
    }
}

/// Whether neither a sentence nor a clause ends within the words between a cue and a mention.
fn is_open(
    text: &Text,
    found: &Found<'_>,
    cues: &[CueRule],
    effect: CueEffect,
    between: Range<usize>,
    is_behind: bool,
) -> bool {
    // The word behind the stretch is the beginning of the mention or of the cue.
    for place in between.start..=between.end {
        match text.before(place) {
            Separator::Space => {}
            Separator::Sentence => return false,
            Separator::Comma => {
                // Not so in a list: "no leak, flood or backup".
                let in_list = found.mention_ends.binary_search(&place).is_ok();
                if ends_at_comma(effect) && !in_list {
                    return false;
                }
            }
        }
    }
    let from = found.cues.partition_point(|hit| hit.words.start < between.start);
    !found.cues[from..]
        .iter()
        .take_while(|hit| hit.words.start < between.end)
        .filter_map(|hit| cues.get(hit.cue))
        .any(|cue| match cue.effect {
            // What is said to be over later in the sentence is over, whatever stands between.
            CueEffect::ClauseEnd => !(effect == CueEffect::Over && is_behind),
            CueEffect::Subject => effect == CueEffect::Denied,
            _ => false,
        })
}

const fn ends_at_comma(effect: CueEffect) -> bool {
    matches!(
        effect,
        CueEffect::Denied | CueEffect::Hypothetical | CueEffect::Present | CueEffect::Place | CueEffect::OtherSense
    )
}
