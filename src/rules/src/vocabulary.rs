//! Lists the facts that a rulebook's conditions may name, with their types. Each fact has a slot number, so conditions
//! are evaluated without lookups by name.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use super::facts::{Fact, Facts};
use super::hearing::WordId;
use super::rows::{FactKind, FactMapping, RowSet};
use super::words::fold;

/// The index of a fact in [`Env::slots`].
pub type Slot = usize;

/// Facts that Ringbook derives for every rulebook. They have the first slots, in this order.
pub const DERIVED: &[(&str, FactKind)] = &[
    ("service", FactKind::Text),
    ("offer", FactKind::Text),
    ("area", FactKind::Text),
    ("language", FactKind::Text),
    ("hour", FactKind::Number),
    ("weekday", FactKind::Text),
    ("evening", FactKind::Boolean),
    ("weekend", FactKind::Boolean),
    ("holiday", FactKind::Boolean),
    ("after_hours", FactKind::Boolean),
    ("price_from", FactKind::Number),
    ("price_to", FactKind::Number),
    ("open", FactKind::Boolean),
];

/// The slot of a derived fact.
#[must_use]
pub fn derived_slot(name: &str) -> Option<Slot> {
    DERIVED.iter().position(|(known, _)| *known == name)
}

/// Facts that a message provides without a mapping.
pub const GIVEN: &[(&str, FactKind)] = &[("caller", FactKind::Text), ("call_seconds", FactKind::Number)];

/// A description of a derived or given fact.
#[must_use]
pub fn about(name: &str) -> &'static str {
    match name {
        "service" => "The code of the service that the caller wants.",
        "offer" => "Whether that service is offered: \"offered\", \"refused\" or \"assessment\".",
        "area" => "The code of the service area, by postal code or city.",
        "language" => "The caller's language, one of the rulebook's.",
        "hour" => "The hour of the day in the rulebook's time zone, 0 to 23.",
        "weekday" => "The day of the week, as \"monday\".",
        "evening" => "Whether it is evening by the rulebook's calendar.",
        "weekend" => "Whether it is a weekend by the rulebook's calendar.",
        "holiday" => "Whether it is a holiday by the rulebook's calendar.",
        "after_hours" => "Whether the business is closed by the rulebook's calendar.",
        "open" => "Whether the business is open by the rulebook's calendar.",
        "price_from" => "The lowest price before tax; known only after the price is calculated.",
        "price_to" => "The highest price before tax; known only after the price is calculated.",
        "caller" => "The caller's telephone number.",
        "call_seconds" => "How long the call lasted.",
        _ => "",
    }
}

/// The elements of a condition besides facts and literals, each with a description.
pub const CONDITIONS: &[(&str, &str)] = &[
    ("urgent", "A fact that is true or false, by itself."),
    (
        "city == \"Montréal\"",
        "Equal, regardless of accents and case; `!=`: not equal.",
    ),
    ("metres >= 12.5", "Numbers and instants in order: `<`, `<=`, `>`, `>=`."),
    ("area in [\"laval\", \"montreal\"]", "Equal to one of these values."),
    (
        "a && b",
        "Both are true; `a || b`: at least one is true; `!a`: `a` is false.",
    ),
    (
        "says(\"flood*\")",
        "True now, at the caller's place: not denied, past, supposed or somebody else's. Accents and case do not matter.",
    ),
    (
        "says(\"#flood\", \"water ... basement|cellar\")",
        "A concept, or a phrase with a gap and alternatives.",
    ),
    ("mentions(\"flood*\")", "The words occur, in any sense."),
    ("denies(\"#flood\")", "The caller says that this is false or over."),
];

/// Derived facts that may have a fact mapping too. The mapped value is then only a hint.
pub const HINTS: &[&str] = &["language"];

/// The facts of a rulebook.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    names: Vec<(String, FactKind)>,
    slots: HashMap<String, Slot>,
    /// Text facts without a closed set of values, for which accents and case do not matter.
    folded: BTreeSet<Slot>,
}

impl Vocabulary {
    /// Builds the vocabulary from a rulebook's fact mappings and classifiers.
    #[must_use]
    pub fn new(rows: &RowSet) -> Self {
        let mut vocabulary = Self {
            names: Vec::new(),
            slots: HashMap::new(),
            folded: BTreeSet::new(),
        };
        for (name, kind) in DERIVED.iter().chain(GIVEN) {
            vocabulary.add(name, *kind);
        }
        for stored in rows.fact_mappings.values() {
            let FactMapping { code, kind, .. } = &stored.row;
            vocabulary.add(code, kind.base());
        }
        for code in rows.classifiers.keys() {
            vocabulary.add(code, FactKind::Number);
        }
        let is_closed = |name: &str| {
            let mapping = rows.fact_mappings.get(name);
            mapping.is_some_and(|stored| !stored.row.values.is_empty())
        };
        let named = vocabulary.names.iter().enumerate().skip(DERIVED.len());
        let open = named.filter(|(_, (name, kind))| *kind == FactKind::Text && !is_closed(name));
        vocabulary.folded = open.map(|(slot, _)| slot).collect();
        vocabulary
    }

    /// Whether a text fact is compared without regard to accents and case. A fact with a closed set of values is
    /// compared exactly.
    #[must_use]
    pub fn folds(&self, slot: Slot) -> bool {
        self.folded.contains(&slot)
    }

    /// Folds only the facts in `compared`, because no condition compares other facts.
    pub fn fold_only(&mut self, compared: &BTreeSet<Slot>) {
        self.folded.retain(|slot| compared.contains(slot));
    }

    fn add(&mut self, name: &str, kind: FactKind) {
        if !self.slots.contains_key(name) {
            self.slots.insert(name.to_owned(), self.names.len());
            self.names.push((name.to_owned(), kind));
        }
    }

    /// The slot and the type of a fact.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<(Slot, FactKind)> {
        let slot = *self.slots.get(name)?;
        Some((slot, self.names[slot].1))
    }

    /// A fact's name.
    #[must_use]
    pub fn name(&self, slot: Slot) -> &str {
        self.names.get(slot).map_or("", |(name, _)| name.as_str())
    }

    /// A fact's type.
    #[must_use]
    pub fn kind(&self, slot: Slot) -> Option<FactKind> {
        self.names.get(slot).map(|(_, kind)| *kind)
    }

    /// Returns the number of facts; the first slot is 0.
    #[must_use]
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// Returns the names of all facts.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| name.as_str())
    }

    /// Builds an environment with the extracted facts; derived facts are still missing.
    #[must_use]
    pub fn env<'a>(&self, facts: &'a Facts, heard: Vec<WordId>) -> Env<'a> {
        let mut slots = vec![None; self.names.len()];
        for (name, fact) in facts {
            if let Some(slot) = self.slots.get(name.as_str()) {
                slots[*slot] = Some(match fact {
                    Fact::Text(text) if self.folds(*slot) => Cow::Owned(Fact::Text(fold(text))),
                    _ => Cow::Borrowed(fact),
                });
            }
        }
        // A message never provides derived facts.
        slots[..DERIVED.len()].fill(None);
        Env {
            slots,
            heard,
            mentioned: Vec::new(),
            denied: Vec::new(),
        }
    }
}

/// The values against which a condition is evaluated.
#[derive(Debug, Clone)]
pub struct Env<'a> {
    pub slots: Vec<Option<Cow<'a, Fact>>>,
    /// Phrases and concepts that are true now and at the caller's place, ascending.
    pub heard: Vec<WordId>,
    /// Phrases and concepts whose words occur, ascending.
    pub mentioned: Vec<WordId>,
    /// Phrases and concepts that the caller denies, ascending.
    pub denied: Vec<WordId>,
}

impl Env<'_> {
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&Fact> {
        self.slots.get(slot).and_then(|fact| fact.as_deref())
    }

    /// Sets a derived fact.
    pub fn set(&mut self, slot: Slot, fact: Fact) {
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(Cow::Owned(fact));
        }
    }

    /// Whether a phrase or a concept is true now and at the caller's place.
    #[must_use]
    pub fn heard(&self, word: WordId) -> bool {
        self.heard.binary_search(&word).is_ok()
    }
}

/// Maximum number of unknown names per check for which the nearest name is searched. A request body can contain tens of
/// thousands of unknown names.
pub const MAX_HINTS: usize = 20;
