//! Finds the sense of each phrase in one utterance: true, denied, over, hypothetical, or about somebody else.
//!
//! The method is based on `NegEx` and `ConText` (Chapman 2001, Harkema 2009): a cue such as "no", "last year" or "if"
//! governs the words around it. The row of the cue limits the distance. A cue never affects words outside its sentence.
//! The effect of some cues also ends with the clause. The cues come from the rulebook.

use std::ops::Range;

use super::lexicon::{Effort, Hit, Lexicon, Sense, WordId};
use super::text::{Separator, Text};
use crate::rows::CueEffect;

/// A compiled cue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CueRule {
    /// The code of the cue's row.
    pub code: String,
    /// The cue's effect on the mentions that it governs.
    pub effect: CueEffect,
    /// The cue governs this many words before it.
    pub before: usize,
    /// The cue governs this many words after it.
    pub after: usize,
    /// Only if `effect` is `over` or `nothing`: the concept that applies if the caller answers no to the question.
    pub otherwise: Option<WordId>,
}

/// A cue found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CueHit {
    /// The cue's index in the list of cues.
    pub cue: usize,
    /// The range of the cue's words.
    pub words: Range<usize>,
}

/// The sense of a mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MentionSense {
    /// The mention is true now and at the caller's place.
    Counts,
    /// The caller agreed to the agent's question.
    AgreedTo,
    /// The mention is not true.
    Denied,
    /// The caller answered no to the agent's question.
    AnsweredNo,
    /// The mention was true once.
    Past,
    /// The mention was true, and is over.
    Over,
    /// The mention might be true.
    Hypothetical,
    /// The caller only asks about the mention.
    Asked,
    /// The mention is true at somebody else's place.
    SomeoneElse,
    /// The words have another meaning.
    OtherSense,
    /// The mention only says where something is located.
    Place,
}

/// The hits of one utterance, grouped into mentions, exceptions and cues.
#[derive(Debug, Default)]
pub struct GroupedHits<'a> {
    /// The phrases that rules listen for, each with its concepts.
    pub mentions: Vec<(Hit, &'a [WordId])>,
    /// The exceptions, each with its concept.
    pub exceptions: Vec<(Range<usize>, WordId)>,
    /// The cues that apply. Cues inside a longer cue, or inside the words of a mention, do not apply.
    pub cues: Vec<CueHit>,
    /// The index of the word directly after each mention, ascending.
    mention_ends: Vec<usize>,
    /// The number of words in the longest mention or exception.
    longest: usize,
}

impl<'a> GroupedHits<'a> {
    /// Creates a value that contains these cues, and no mentions or exceptions.
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

    /// The concepts whose `except` phrases overlap these words.
    pub fn exceptions_at(&self, words: &Range<usize>) -> Vec<WordId> {
        let near = beginning_in(&self.exceptions, &self.reaching(words), |(span, _)| span.start);
        let overlapping = near.iter().filter(|(span, _)| overlap(span, words));
        overlapping.map(|(_, concept)| *concept).collect()
    }

    /// Returns the word indexes at which a phrase may begin so that it overlaps these words.
    fn reaching(&self, words: &Range<usize>) -> Range<usize> {
        words.start.saturating_sub(self.longest)..words.end
    }
}

/// Returns the items that begin within these words, from a list in the order of the text. Only these items are
/// examined, so that the time is linear and not quadratic in the length of a text.
fn beginning_in<'a, T>(all: &'a [T], words: &Range<usize>, start: impl Fn(&T) -> usize) -> &'a [T] {
    let from = all.partition_point(|one| start(one) < words.start);
    let until = all.partition_point(|one| start(one) < words.end);
    all.get(from..until).unwrap_or_default()
}

/// Finds all phrases and cues in an utterance's words.
pub fn find<'a>(
    lexicon: &'a Lexicon,
    cues: &[CueRule],
    text: &Text,
    words: Range<usize>,
    effort: &mut Effort,
) -> GroupedHits<'a> {
    let mut found = GroupedHits::default();
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

fn in_force(found: &mut GroupedHits<'_>, cues: &[CueRule]) {
    let effect = |hit: &CueHit| cues.get(hit.cue).map(|cue| cue.effect);
    let contains = |outer: &Range<usize>, inner: &Range<usize>| {
        outer.start <= inner.start && inner.end <= outer.end && outer.len() > inner.len()
    };
    let all = std::mem::take(&mut found.cues);
    // A longer cue replaces a shorter cue inside it: "not only" denies nothing. An answer (yes, no, filler) never
    // replaces a cue of another kind.
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

/// For each cue, this many cues before it and this many cues after it are searched for a longer cue.
const REACH: usize = 24;

/// Returns the sense of a mention, and the cue that decides the sense.
pub fn verdict(
    cues: &[CueRule],
    text: &Text,
    found: &GroupedHits<'_>,
    mention: &Hit,
) -> (MentionSense, Option<CueHit>) {
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
        return (MentionSense::OtherSense, Some(hit));
    }
    if let Some(hit) = governed_by(CueEffect::Denied) {
        return (MentionSense::Denied, Some(hit));
    }
    if let Some(hit) = governed_by(CueEffect::SomeoneElse)
        && governed_by(CueEffect::Own).is_none()
    {
        return (MentionSense::SomeoneElse, Some(hit));
    }
    let now = governed_by(CueEffect::Now)
        .or_else(|| governed_by(CueEffect::Recurs))
        .is_some();
    if !now {
        if let Some(hit) = governed_by(CueEffect::Hypothetical) {
            return (MentionSense::Hypothetical, Some(hit));
        }
        if let Some(hit) = governed_by(CueEffect::Asked) {
            return (MentionSense::Asked, Some(hit));
        }
        let present = governed_by(CueEffect::Present).is_some();
        if let Some(hit) = governed_by(CueEffect::Over).filter(|_| !present) {
            return (MentionSense::Over, Some(hit));
        }
        if let Some(hit) = governed_by(CueEffect::Past).filter(|_| !present) {
            return (MentionSense::Past, Some(hit));
        }
    }
    match governed_by(CueEffect::Place) {
        Some(hit) => (MentionSense::Place, Some(hit)),
        None => (MentionSense::Counts, None),
    }
}

/// Maximum reach of any cue, in words.
pub const FARTHEST: usize = 30;

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// Whether a cue governs a mention.
fn governs(
    text: &Text,
    found: &GroupedHits<'_>,
    cues: &[CueRule],
    (hit, cue): (&CueHit, &CueRule),
    mention: &Hit,
) -> bool {
    let (words, spoken) = (&mention.words, &hit.words);
    if spoken.end <= words.start {
        words.start - spoken.end < cue.after && is_open(text, found, cues, cue.effect, spoken.end..words.start, false)
    } else if words.end <= spoken.start {
        spoken.start - words.end < cue.before && is_open(text, found, cues, cue.effect, words.end..spoken.start, true)
    } else {
        // The cue is between two words of the mention.
        !mention.is_tight && words.start < spoken.start && spoken.end < words.end
    }
}

/// Returns true if a cue and a mention are in the same sentence and, if the effect requires it, in the same clause.
fn is_open(
    text: &Text,
    found: &GroupedHits<'_>,
    cues: &[CueRule],
    effect: CueEffect,
    between: Range<usize>,
    is_behind: bool,
) -> bool {
    // The word at the last index is the first word after the gap: it belongs to the mention or the cue.
    for place in between.start..=between.end {
        match text.before(place) {
            Separator::Space => {}
            Separator::Sentence => return false,
            Separator::Comma => {
                // A comma in a list ends no clause: "no leak, flood or backup".
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
            // A cue with the effect `over` that follows the mention applies even if a clause ends between them.
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
