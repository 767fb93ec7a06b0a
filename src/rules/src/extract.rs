//! Extracts facts from a message: each fact mapping tries its pointers in order, and reads the value as the mapping's
//! kind. Unreadable data never stops a call: the value is skipped with a note, and the next pointer is tried.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::derive::PROBLEM;
use super::facts::{ExtractedFacts, Fact, Facts, Lookup, Note};
use super::hearing::callers_words;
use super::kinds::choice::Choices;
use super::kinds::speech::Speech;
use super::kinds::tokens::Plain;
use super::kinds::{self, ValueReader};
use super::rows::{FactKind, FactMapping, RowSet, StoredRow};

/// The pointer to the caller's words.
pub const SAID: &str = "/said";
/// Maximum number of notes about one message.
const MAX_NOTES: usize = 50;

/// A rulebook's fact mappings.
#[derive(Debug, Clone)]
pub struct Mappings {
    mappings: Vec<Mapping>,
    reader: ValueReader,
}

#[derive(Debug, Clone)]
struct Mapping {
    stored: Arc<StoredRow<FactMapping>>,
    choices: Option<Choices>,
    /// Whether the mapping reads the caller's words.
    listens: bool,
}

impl Mapping {
    fn new(stored: &Arc<StoredRow<FactMapping>>) -> Self {
        Self {
            choices: Choices::of(&stored.row),
            listens: stored.row.pointers.iter().any(|pointer| pointer == SAID),
            stored: Arc::clone(stored),
        }
    }

    fn row(&self) -> &FactMapping {
        &self.stored.row
    }
}

impl Mappings {
    /// Builds the mappings from the rows.
    #[must_use]
    pub fn new(rows: &RowSet) -> Self {
        Self {
            mappings: rows.fact_mappings.values().map(Mapping::new).collect(),
            reader: ValueReader::new(rows),
        }
    }

    /// Converts a telephone number to E.164. A number that cannot be parsed is returned unchanged.
    #[must_use]
    pub fn caller_number(&self, number: String) -> String {
        let is_e164 = number
            .strip_prefix('+')
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        if is_e164 {
            return number;
        }
        match self.reader.typed(FactKind::Phone, &Value::String(number.clone())) {
            Ok(Fact::Text(read)) => read,
            _ => number,
        }
    }

    /// Reads the facts of a message.
    pub fn extract(&self, lookup: &dyn Lookup, said: String) -> ExtractedFacts {
        let (mut facts, mut notes) = (Facts::new(), Vec::new());
        let own = callers_words(&said);
        let plain = Plain::new(&own);
        let own = Speech::of(&own, &plain);
        for mapping in &self.mappings {
            if let Some(fact) = self.first(mapping, lookup, &own, &mut notes) {
                facts.insert(mapping.row().code.clone(), fact);
            }
        }
        self.complete(&mut facts, &own, &said);
        ExtractedFacts { facts, said, notes }
    }

    /// Returns the first value of a mapping that can be read.
    fn first(&self, mapping: &Mapping, lookup: &dyn Lookup, own: &Speech<'_>, notes: &mut Vec<Note>) -> Option<Fact> {
        let row = mapping.row();
        for pointer in row.pointers.iter().filter(|pointer| *pointer != SAID) {
            for value in lookup.all(pointer) {
                match self.read(mapping, &value) {
                    Ok(fact) => {
                        let heard = mapping
                            .listens
                            .then(|| self.reader.said_otherwise(row.kind, &value, own));
                        let Some(heard) = heard.flatten() else {
                            return Some(fact);
                        };
                        note(notes, row, format!("{pointer} differs from the caller's words"));
                        return Some(heard);
                    }
                    // Another structured output with the same name may contain a single value.
                    Err(_) if value.is_object() || value.is_array() => {}
                    Err(why) => note(notes, row, format!("{pointer} was not read: {why}")),
                }
            }
        }
        None
    }

    /// Fills in missing facts. If the mapping reads the caller's words, they are searched, else the mapping's default
    /// is used.
    fn complete(&self, facts: &mut Facts, own: &Speech<'_>, said: &str) {
        let problem = match facts.get(PROBLEM) {
            Some(Fact::Text(problem)) => problem.clone(),
            _ => String::new(),
        };
        let plain = Plain::new(&problem);
        let problem = Speech::of(&problem, &plain);
        for mapping in &self.mappings {
            let row = mapping.row();
            if facts.contains_key(&row.code) {
                continue;
            }
            let heard = mapping.listens.then(|| {
                let in_problem = || self.reader.said(row.kind, &problem);
                let agreed = || self.reader.agreed(row.kind, said);
                self.reader.said(row.kind, own).or_else(agreed).or_else(in_problem)
            });
            if let Some(fact) = heard.flatten().or_else(|| self.default(mapping)) {
                facts.insert(row.code.clone(), fact);
            }
        }
    }

    fn default(&self, mapping: &Mapping) -> Option<Fact> {
        let text = mapping.row().default_value.as_ref()?;
        self.read(mapping, &Value::String(text.clone())).ok()
    }

    fn read(&self, mapping: &Mapping, value: &Value) -> Result<Fact, kinds::Refusal> {
        self.reader.read(mapping.row().kind, mapping.choices.as_ref(), value)
    }

    /// Reads facts by name, as in a case; `given` lists the facts that need no mapping. A fact is missing if its value
    /// says that nothing is known. As in a message, a fact of a specific kind (a length, a telephone number, …) is also
    /// missing if its value cannot be read.
    ///
    /// # Errors
    /// The errors contain the name of each fact that is unknown or has the wrong type, with a sentence about the error.
    pub fn named(
        &self,
        named: &BTreeMap<String, Value>,
        given: &[(&str, FactKind)],
        said: String,
    ) -> Result<ExtractedFacts, Vec<(String, String)>> {
        let (mut facts, mut notes, mut faults) = (Facts::new(), Vec::new(), Vec::new());
        for (name, value) in named.iter().filter(|(_, value)| !value.is_null()) {
            let mapping = self.mappings.iter().find(|mapping| mapping.row().code == *name);
            let read = match (mapping, given.iter().find(|given| given.0 == name)) {
                (Some(mapping), _) => self.read(mapping, value),
                (None, Some((_, kind))) => self.reader.typed(*kind, value),
                _ => {
                    let known = self
                        .mappings
                        .iter()
                        .map(|mapping| mapping.row().code.as_str())
                        .chain(given.iter().map(|g| g.0));
                    let hint = if faults.len() < super::vocabulary::MAX_HINTS {
                        super::suggestion::did_you_mean(name, known)
                    } else {
                        String::new()
                    };
                    faults.push((name.clone(), format!("no fact `{name}` is read from messages{hint}")));
                    continue;
                }
            };
            match (read, mapping.map(Mapping::row)) {
                (Ok(fact), _) => {
                    facts.insert(name.clone(), fact);
                }
                (Err(why), Some(mapping)) if may_be_missing(mapping, value) => {
                    note(&mut notes, mapping, format!("it was not read: {why}"));
                }
                (Err(why), _) => {
                    let text = format!("this is not a value of the fact `{name}`: {why}");
                    faults.push((name.clone(), text));
                }
            }
        }
        let own = callers_words(&said);
        let plain = Plain::new(&own);
        self.complete(&mut facts, &Speech::of(&own, &plain), &said);
        if faults.is_empty() {
            Ok(ExtractedFacts { facts, said, notes })
        } else {
            Err(faults)
        }
    }
}

/// Whether an unreadable value from a person is treated as a missing value instead of an error. A value counts as
/// missing if its text says that nothing is known. Values of some kinds are often unreadable in messages too, so they
/// also count as missing.
fn may_be_missing(mapping: &FactMapping, value: &Value) -> bool {
    let own_kind = mapping.kind.base() != mapping.kind && !value.is_array() && !value.is_object();
    own_kind || value.as_str().is_some_and(kinds::is_no_value)
}

fn note(notes: &mut Vec<Note>, mapping: &FactMapping, why: String) {
    if notes.len() < MAX_NOTES {
        notes.push(Note {
            fact: mapping.code.clone(),
            why,
        });
    }
}

/// Whether a mapping's default is a valid value of the mapping's kind.
#[must_use]
pub fn has_sound_default(mapping: &FactMapping, reader: &ValueReader) -> bool {
    let default = mapping.default_value.as_ref();
    let choices = Choices::of(mapping);
    default.is_none_or(|text| {
        let value = Value::String(text.clone());
        reader.read(mapping.kind, choices.as_ref(), &value).is_ok()
    })
}
