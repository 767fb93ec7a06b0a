//! What a rulebook listens for: concepts, and the cues that say how a mention is meant.

use std::collections::BTreeMap;

use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

/// Something that callers say in many ways. Rules, services and mappings name it as `#code`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Concept {
    /// Names the concept.
    pub code: String,
    /// The phrases that mean it, by language: `water ... basement|cellar`, `flood*`. A word of four letters and more also
    /// stands for its other forms (`flood`, `flooding`); `=flood` is that form only.
    pub phrases: BTreeMap<String, Vec<String>>,
    /// Phrases that look like it and mean something else: `flood of calls`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub except: Vec<String>,
}

/// Words that say how the mentions around them are meant: `no`, `last year`, `my neighbour`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Cue {
    /// Names the cue.
    pub code: String,
    /// What it says about the mentions that it governs.
    pub effect: CueEffect,
    /// How many words before it it governs, at most 30.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[oai(default)]
    pub before: i64,
    /// How many words after it it governs, at most 30.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[oai(default)]
    pub after: i64,
    /// Code of the concept that is meant when the agent asks this and the caller says no ("has it stopped?"); for `over`
    /// and `nothing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// The phrases.
    pub phrases: Vec<String>,
}

/// A linear classifier over the words of a call, learnt from labelled calls by `ringbook learn`. Its code is a fact, 0 to 100:
/// how likely the call is what it has learnt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Classifier {
    /// Names the classifier, and the fact that conditions compare: `sounds_urgent >= 50`.
    pub code: String,
    /// The label that it has learnt: `P1`, `P2`, the code of a service, or `no_service`. What sounds like a service is
    /// evidence for it.
    pub learns: String,
    /// What it begins with, in thousandths of log-odds.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[oai(default)]
    pub bias: i64,
    /// What each feature adds, in thousandths of log-odds: `coming up = 812`. A feature is a word or two of the caller's,
    /// of the agent's after `> `, of a question answered so after `yes: ` or `no: `, or of a fact after its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub weights: Vec<String>,
}

impl Classifier {
    /// Whether it tells priorities apart, and not services.
    #[must_use]
    pub fn is_about_priority(&self) -> bool {
        matches!(self.learns.as_str(), "P1" | "P2")
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// What a cue says about the mentions that it governs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum CueEffect {
    /// It is not so: "no", "never", "pas de".
    Denied,
    /// Nothing: a phrase that only looks like another cue, as "not only" does.
    Nothing,
    /// What comes before it reaches no further: "but", "mais".
    ClauseEnd,
    /// Where a denial reaches no further, because something else is told: "it's", "my basement".
    Subject,
    /// It was so once: "last year".
    Past,
    /// It is so at this moment, whatever else is said: "right now", "again".
    Now,
    /// It is happening again: "it's doing it again". What the caller told of the past is so now.
    Recurs,
    /// It is told in the present tense: "is", "keeps".
    Present,
    /// It might be so: "if", "what if".
    Hypothetical,
    /// The caller only asks about it: "how much for". In the agent's questions it says nothing.
    Asked,
    /// It is so at somebody else's: "my neighbour".
    SomeoneElse,
    /// It is so at the caller's, although somebody else is named: "into my kitchen".
    Own,
    /// It says where something is: "next to the pool".
    Place,
    /// The words mean something else where they overlap this ("flood insurance"), or are governed by it ("street named").
    OtherSense,
    /// It was so and is over: "all fixed".
    Over,
    /// What was said before is taken back: "actually", "no wait".
    Correction,
    /// An answer that agrees.
    Yes,
    /// An answer that denies.
    No,
    /// Words before an answer that do not matter: "well", "euh".
    Filler,
    /// In a question of the agent's: a no takes nothing back that was said before: "anything else".
    Besides,
}

impl CueEffect {
    /// Its name in rows.
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

/// How much weight a fact's text has beside the caller's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Trust {
    /// As if the caller had said it first.
    Caller,
    /// It counts where the caller says nothing else about it.
    Model,
}
