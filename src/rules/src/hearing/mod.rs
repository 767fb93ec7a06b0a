//! What a caller means: which phrases were said, and whether they are so, now, at the caller's.
//!
//! [`Ears`] are a rulebook's concepts, cues and phrases, compiled. [`Ears::hear`] goes once over a conversation and what
//! a model made of it, and gives [`Heard`]: what counts, what does not, and why. Deterministic: the same rulebook and
//! text give the same result. Nothing here looks at prices, services or priorities.

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
pub use self::context::{CueRule, Verdict};
pub use self::dialogue::{AGENT_LINE, Ears, Heard, Mention, Source, callers_words};
pub use self::features::{Feature, each_feature};
pub use self::lexicon::{Lexicon, LexiconBuilder, WordId};
pub use self::phrase::parse as parse_phrase;
pub use self::script::Presence;
pub use self::steps::is_counted;
pub use self::text::{Separator, Speaker, Text};
