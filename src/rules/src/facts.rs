//! What rules may see: facts by name, as the message gave them and as Ringbook derived them.

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
    /// Text as given.
    Text(String),
    /// An instant.
    Time(chrono::DateTime<chrono::Utc>),
}

/// Facts by name.
pub type Facts = BTreeMap<String, Fact>;

/// What a message gave: kept apart from what is derived, so that a later revision can derive anew.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Extracted {
    /// Facts read through the rulebook's fact mappings.
    pub facts: Facts,
    /// What was said, one turn a line; the agent's lines begin with `> `.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
    /// Why facts are missing although the message holds something in their place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// Why a fact was not read. It holds nothing that the message says, since traces outlive what callers said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The fact.
    pub fact: String,
    /// Why, and where.
    pub why: String,
}

/// Where fact mappings look: a message, or facts typed in by hand.
pub trait Lookup {
    /// The value at a JSON pointer, `None` when there is none or it is null.
    fn lookup(&self, pointer: &str) -> Option<serde_json::Value>;

    /// All values at a pointer that may lead to several, in order.
    fn all(&self, pointer: &str) -> Vec<serde_json::Value> {
        self.lookup(pointer).into_iter().collect()
    }
}
