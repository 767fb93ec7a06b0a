//! Finds out which phrases a caller said, and whether they are true now and at the caller's place.
//!
//! [`Ears`] are the compiled concepts, cues and phrases of a rulebook. [`Ears::hear`] reads a conversation and the
//! facts from the language model once. It returns a [`HearingResult`]: which phrases count, which do not, and why.
//! Listening is deterministic: the same rulebook and text give the same result. This module never uses prices, services
//! or priorities.

mod classifier;
mod context;
mod dialogue;
mod features;
mod fnv;
mod lexicon;
mod phrase;
mod script;
mod stems;
mod steps;
mod text;

pub use self::classifier::{Classifiers, Likelihood, are_same as are_same_classifiers, choices, line as weight_line};
pub use self::context::{CueRule, MentionSense};
pub use self::dialogue::{AGENT_LINE, Ears, HearingResult, Mention, Source, callers_words};
pub use self::features::{Feature, each_feature};
pub use self::lexicon::{Lexicon, LexiconBuilder, WordId};
pub use self::phrase::parse as parse_phrase;
pub use self::script::Presence;
pub use self::steps::is_counted;
pub use self::text::{Separator, Speaker, Text};
