//! Rows for listening: concepts, cues that decide the sense of a mention, and classifiers.

use std::collections::BTreeMap;

use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

/// A topic that callers express in many ways. Rules, services and mappings refer to it as `#code`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Concept {
    /// Code of the concept.
    pub code: String,
    /// Phrases with this meaning, by language: `water ... basement|cellar`, `flood*`. A word of at least four letters
    /// also matches its other forms (`flood`, `flooding`); `=flood` matches that form only.
    pub phrases: BTreeMap<String, Vec<String>>,
    /// Similar phrases with another meaning: `flood of calls`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub except: Vec<String>,
}

/// Words that decide the sense of mentions around them: `no`, `last year`, `my neighbour`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Cue {
    /// Code of the cue.
    pub code: String,
    /// The effect on the mentions that the cue governs.
    pub effect: CueEffect,
    /// The cue governs this many words before it, at most 30.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[oai(default)]
    pub before: i64,
    /// The cue governs this many words after it, at most 30.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[oai(default)]
    pub after: i64,
    /// Only if `effect` is `over` or `nothing`: code of the concept that is true if the caller answers no to this
    /// question ("has it stopped?").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// The phrases.
    pub phrases: Vec<String>,
}

/// A linear classifier over the words of a call. `ringbook learn` trains it on labeled calls. The classifier's code is
/// a fact from 0 to 100: how likely the call has the learned label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Classifier {
    /// Code of the classifier, and of the fact in conditions: `sounds_urgent >= 50`.
    pub code: String,
    /// The learned label: `P1`, `P2`, the code of a service, or `no_service`. A high value for a service counts as
    /// evidence for this service.
    pub learns: String,
    /// The initial sum, in thousandths of log-odds.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[oai(default)]
    pub bias: i64,
    /// The weight of each feature, in thousandths of log-odds: `coming up = 812`. A feature is one or two words.
    /// Prefixes: none (caller), `> ` (agent), `yes: ` or `no: ` (question with this answer), `NAME: ` (fact).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub weights: Vec<String>,
}

impl Classifier {
    /// Whether the classifier learns a priority and not a service.
    #[must_use]
    pub fn is_about_priority(&self) -> bool {
        matches!(self.learns.as_str(), "P1" | "P2")
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// The effect of a cue on the mentions that it governs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum CueEffect {
    /// The mention is not true: "no", "never", "pas de".
    Denied,
    /// No effect: a phrase that only looks like another cue, such as "not only".
    Nothing,
    /// Limits the cues before it: "but", "mais".
    ClauseEnd,
    /// Limits a denial, because a new subject follows: "it's", "my basement".
    Subject,
    /// The mention was true once: "last year".
    Past,
    /// The mention is true now, regardless of other cues: "right now", "again".
    Now,
    /// Past events of the caller happen again: "it's doing it again".
    Recurs,
    /// The mention is in the present tense: "is", "keeps".
    Present,
    /// The mention might be true: "if", "what if".
    Hypothetical,
    /// The caller only asks: "how much for". No effect in the agent's questions.
    Asked,
    /// The mention is about somebody else: "my neighbour".
    SomeoneElse,
    /// The mention is at the caller's place, although others are named: "into my kitchen".
    Own,
    /// The mention only says where something is: "next to the pool".
    Place,
    /// Words that overlap the cue ("flood insurance") or that the cue governs ("street named") have another meaning.
    OtherSense,
    /// The mention was true and is over: "all fixed".
    Over,
    /// Retracts earlier words: "actually", "no wait".
    Correction,
    /// An affirmative answer.
    Yes,
    /// A negative answer.
    No,
    /// Words before an answer that do not matter: "well", "euh".
    Filler,
    /// In the agent's questions, a no retracts nothing: "anything else".
    Besides,
}

impl CueEffect {
    /// The name in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Nothing => "nothing",
            Self::ClauseEnd => "clause_end",
            Self::Subject => "subject",
            Self::Past => "past",
            Self::Now => "now",
            Self::Recurs => "recurs",
            Self::Present => "present",
            Self::Hypothetical => "hypothetical",
            Self::Asked => "asked",
            Self::SomeoneElse => "someone_else",
            Self::Own => "own",
            Self::Place => "place",
            Self::OtherSense => "other_sense",
            Self::Over => "over",
            Self::Correction => "correction",
            Self::Yes => "yes",
            Self::No => "no",
            Self::Filler => "filler",
            Self::Besides => "besides",
        }
    }
}

/// The weight of a fact's text compared with the caller's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Trust {
    /// The text counts as if the caller had said it first.
    Caller,
    /// The text counts only for topics that the caller does not mention.
    Model,
}
