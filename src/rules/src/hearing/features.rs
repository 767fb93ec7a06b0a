//! Extracts the features of a conversation for classifiers: each word and each pair of adjacent words, with its source.
//!
//! Features have a readable form. The caller's words have no prefix: `coming up`. The prefix `> ` marks the agent's
//! words: `> still coming`. The name of a fact marks the fact's words: `problem: sewage`. The prefix `yes: ` marks a
//! word of the agent's question to which the caller said yes: `yes: flooding`.

use std::fmt;

use super::dialogue::HearingResult;
use super::fnv::{EMPTY, extended};
use super::text::Speaker;
use crate::facts::{Fact, Facts};
use crate::rows::CueEffect;

/// When the caller answers yes or no, this many words at the end of the agent's question become features.
const QUESTION_WORDS: usize = 14;
/// A yes or a no counts as an answer only if it begins within this many words of the utterance's beginning.
const ANSWER_WITHIN: usize = 3;

/// The source of a feature's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordSource<'a> {
    /// The caller said the words.
    Caller,
    /// The agent said the words.
    Agent,
    /// The agent's question contains the words, and the caller answered yes.
    Yes,
    /// The agent's question contains the words, and the caller answered no.
    No,
    /// A fact contains the words.
    Fact(&'a str),
}

/// A word, or two adjacent words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature<'a> {
    place: WordSource<'a>,
    first: &'a str,
    second: Option<&'a str>,
    hash: u64,
}

impl fmt::Display for Feature<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            WordSource::Caller => {}
            WordSource::Agent => to.write_str("> ")?,
            WordSource::Yes => to.write_str("yes: ")?,
            WordSource::No => to.write_str("no: ")?,
            WordSource::Fact(name) => write!(to, "{name}: ")?,
        }
        to.write_str(self.first)?;
        match self.second {
            Some(second) => write!(to, " {second}"),
            None => Ok(()),
        }
    }
}

impl<'a> Feature<'a> {
    fn new(place: WordSource<'a>, first: &'a str, second: Option<&'a str>) -> Self {
        place.hash().first(first).feature(second)
    }

    /// Returns the FNV-1a hash of the feature's source and words. The hash is the same on every machine.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }
}

/// The hash of a source's name, which all features with this source share.
#[derive(Clone, Copy)]
struct PlaceHash<'a>(WordSource<'a>, u64);

#[derive(Clone, Copy)]
struct FirstHash<'a>(WordSource<'a>, &'a str, u64);

impl<'a> WordSource<'a> {
    fn hash(self) -> PlaceHash<'a> {
        let name = match self {
            WordSource::Caller => "",
            WordSource::Agent => ">",
            WordSource::Yes => "yes",
            WordSource::No => "no",
            WordSource::Fact(name) => name,
        };
        PlaceHash(self, extended(EMPTY, name))
    }
}

impl<'a> PlaceHash<'a> {
    fn first(self, word: &'a str) -> FirstHash<'a> {
        FirstHash(self.0, word, extended(self.1, word))
    }
}

impl<'a> FirstHash<'a> {
    fn feature(self, second: Option<&'a str>) -> Feature<'a> {
        Feature {
            place: self.0,
            first: self.1,
            second,
            hash: extended(self.2, second.unwrap_or_default()),
        }
    }
}

/// Parses the readable form of a feature and returns the feature's hash; `None` if the form is invalid.
#[must_use]
pub fn parse(written: &str) -> Option<u64> {
    let (place, words) = match written.strip_prefix("> ") {
        Some(words) => (WordSource::Agent, words),
        None => match written.split_once(": ") {
            Some(("yes", words)) => (WordSource::Yes, words),
            Some(("no", words)) => (WordSource::No, words),
            Some((name, words)) => (WordSource::Fact(name), words),
            None => (WordSource::Caller, written),
        },
    };
    let mut words = words.split(' ');
    let first = words.next().filter(|word| !word.is_empty())?;
    let feature = Feature::new(place, first, words.next());
    words.next().is_none().then(|| feature.hash())
}

/// Calls `tell` with every feature of the text that was heard. A feature that occurs several times is passed several
/// times.
pub fn each_feature<'a>(
    heard: &'a HearingResult,
    facts: &'a Facts,
    choices: &'a [String],
    mut tell: impl FnMut(Feature<'a>),
) {
    let text = heard.text();
    let mut question: Option<std::ops::Range<usize>> = None;
    for (turn, utterance) in text.utterances().iter().enumerate() {
        let words = text.words_of(utterance);
        let place = match utterance.speaker {
            Speaker::Caller => WordSource::Caller,
            Speaker::Agent => WordSource::Agent,
            Speaker::Field(field) => WordSource::Fact(heard.field(field)),
        };
        let hash = place.hash();
        let mut all = words.clone().map(|at| text.word(at)).peekable();
        while let Some(word) = all.next() {
            let first = hash.first(word);
            tell(first.feature(None));
            if let Some(second) = all.peek() {
                tell(first.feature(Some(second)));
            }
        }
        match utterance.speaker {
            Speaker::Agent => question = Some(words.end.saturating_sub(QUESTION_WORDS).max(words.start)..words.end),
            Speaker::Caller => {
                let asked = question.take().unwrap_or_default();
                if let Some(place) = answer(heard, turn, words.start) {
                    for word in asked.map(|at| text.word(at)) {
                        tell(Feature::new(place, word, None));
                    }
                }
            }
            Speaker::Field(_) => {}
        }
    }
    for name in choices {
        if let Some(Fact::Text(value)) = facts.get(name) {
            tell(Feature::new(WordSource::Fact(name), value, None));
        }
    }
}

/// Returns the answer with which an utterance begins, yes or no; `None` if it begins with no answer.
fn answer<'a>(heard: &HearingResult, turn: usize, start: usize) -> Option<WordSource<'a>> {
    let mut effects = heard.cues_of(turn).iter().filter_map(|hit| {
        let is_first = hit.words.start < start + ANSWER_WITHIN;
        is_first.then(|| heard.rules().get(hit.cue)).flatten()
    });
    effects.find_map(|cue| match cue.effect {
        CueEffect::Yes => Some(WordSource::Yes),
        CueEffect::No => Some(WordSource::No),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_reads_back_as_it_is_written() {
        let features = [
            (WordSource::Caller, "coming", Some("up")),
            (WordSource::Agent, "still", None),
            (WordSource::Yes, "flooding", None),
            (WordSource::No, "flooding", None),
            (WordSource::Fact("problem"), "sewage", Some("coming")),
            (WordSource::Fact("urgency"), "not_urgent", None),
        ];
        for (place, first, second) in features {
            let feature = Feature::new(place, first, second);
            assert_eq!(parse(&feature.to_string()), Some(feature.hash()), "{feature}");
        }
        assert_eq!(parse("one two three"), None);
        assert_eq!(parse(""), None);
    }
}
