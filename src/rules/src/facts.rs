//! The facts that rules read, by name: extracted from the message or derived by Ringbook.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// The value of a fact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
pub enum Fact {
    /// True or false.
    Boolean(bool),
    /// An exact number.
    Number(#[serde(with = "rust_decimal::serde::str")] Decimal),
    /// Text, unchanged.
    Text(String),
    /// An instant.
    Time(chrono::DateTime<chrono::Utc>),
}

/// Facts by name.
pub type Facts = BTreeMap<String, Fact>;

/// The facts of a message. They do not include derived facts, because another revision may derive other values.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ExtractedFacts {
    /// Facts read through the rulebook's fact mappings.
    pub facts: Facts,
    /// The transcript, one turn per line; the agent's lines begin with `> `.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
    /// Reasons why facts are missing, although the message has a value for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// The reason why a fact was not read. A note contains nothing from the message, because traces are stored longer than
/// callers' words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The name of the fact.
    pub fact: String,
    /// The reason and the position.
    pub why: String,
}

/// The source that fact mappings read: a message, or facts that a person entered.
pub trait Lookup {
    /// The value at a JSON pointer; `None` if the value is absent or null.
    fn lookup(&self, pointer: &str) -> Option<serde_json::Value>;

    /// All values at a pointer, in order. A pointer can match several values.
    fn all(&self, pointer: &str) -> Vec<serde_json::Value> {
        self.lookup(pointer).into_iter().collect()
    }
}
