//! The calls that are possible according to a rulebook's rows: the values that each fact can have, and the words that
//! each word implies. A [`World`] contains at least all real calls. So if no call in a [`World`] fulfills a condition,
//! no real call fulfills the condition.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;

use super::values::Values;
use rules::calendar::{Calendar, DAYS};
use rules::compile::Rulebook;
use rules::decide::offer_name;
use rules::facts::{Fact, Facts};
use rules::fair_pool::is_abandoned;
use rules::hearing::{Lexicon, WordId};
use rules::rows::Offer;
use rules::vocabulary::{Env, Slot, Vocabulary, derived_slot};

static NO_FACTS: Facts = Facts::new();

/// Maximum number of steps in total, so that no rulebook keeps a processor busy for long.
const MAX_STEPS: u64 = 20_000_000;

/// All calls for which a rule may be evaluated.
pub(super) struct World<'a> {
    rulebook: &'a Rulebook,
    vocabulary: &'a Vocabulary,
    lexicon: &'a Lexicon,
    /// The possible values of each fact.
    slots: Vec<Values>,
    /// The offer of each service: the fact `offer` follows from the fact `service`.
    offers: BTreeMap<&'a str, Offer>,
    /// The days of the weekend, if there is a calendar.
    weekend: Option<Vec<&'static str>>,
    implied: RefCell<HashMap<WordId, Vec<WordId>>>,
    steps_left: Cell<u64>,
    /// The same world, if it had a calendar and an address mapping.
    at_all: OnceCell<Box<World<'a>>>,
}

impl<'a> World<'a> {
    /// Collects the values that each fact can have, according to the rows. If `as_it_stands` is false, a missing
    /// calendar or address mapping is assumed to exist.
    pub fn new(rulebook: &'a Rulebook, as_it_stands: bool) -> Self {
        let (rows, vocabulary) = (rulebook.rows(), &rulebook.vocabulary);
        let mut slots = Vec::with_capacity(vocabulary.count());
        let text = |text: &str| Fact::Text(text.to_owned());
        let either = || Values::one_of([Fact::Boolean(false), Fact::Boolean(true)]);
        let or_missing = |values: Values| values.or_missing(true);
        let has_address = ["postal_code", "city"]
            .iter()
            .any(|fact| rows.fact_mappings.contains_key(*fact));
        for slot in 0..vocabulary.count() {
            let name = vocabulary.name(slot);
            let mapping = rows.fact_mappings.get(name).map(|stored| &stored.row);
            slots.push(match name {
                "service" => or_missing(Values::one_of(rows.services.keys().map(|code| text(code)))),
                "area" if as_it_stands && !has_address => Values::never(),
                "area" => or_missing(Values::one_of(rows.areas.keys().map(|code| text(code)))),
                "language" => Values::one_of(rulebook.settings().languages.iter().map(|code| text(code))),
                "hour" => Values::one_of((0..24).map(|hour| Fact::Number(Decimal::from(hour)))),
                "weekday" => Values::one_of(DAYS.map(text)),
                "evening" | "weekend" | "holiday" | "after_hours" | "open" => match rulebook.calendar() {
                    Some(_) => either(),
                    None if as_it_stands => Values::never(),
                    None => or_missing(either()),
                },
                _ => {
                    let values = match mapping {
                        Some(mapping) if !mapping.values.is_empty() => {
                            or_missing(Values::one_of(mapping.values.keys().map(|value| text(value))))
                        }
                        _ if vocabulary.kind(slot) == Some(rules::rows::FactKind::Boolean) => or_missing(either()),
                        _ => Values::anything(),
                    };
                    // With a default value the fact is never missing.
                    match mapping.and_then(|mapping| mapping.default_value.as_ref()) {
                        Some(_) => values.or_missing(false),
                        None => values,
                    }
                }
            });
        }
        let offers = rows.services.iter();
        Self {
            rulebook,
            vocabulary,
            lexicon: rulebook.ears.lexicon(),
            slots,
            offers: offers.map(|(code, stored)| (code.as_str(), stored.row.offer)).collect(),
            weekend: rulebook.calendar().map(Calendar::weekend_days),
            implied: RefCell::default(),
            steps_left: Cell::new(MAX_STEPS),
            at_all: OnceCell::new(),
        }
    }

    /// Contains only the calls about services that the business does not refuse, because adjustments apply only to
    /// these services. `None` if the rulebook refuses every service.
    pub fn with_a_price(rulebook: &'a Rulebook) -> Option<Self> {
        let services = rulebook.services().filter(|service| service.offer != Offer::Refused);
        let codes = Values::one_of(services.map(|service| Fact::Text(service.code.clone())));
        let slot = derived_slot("service").filter(|_| codes.has_value())?;
        let mut world = Self::new(rulebook, true);
        world.slots[slot] = codes;
        Some(world)
    }

    pub fn rulebook(&self) -> &'a Rulebook {
        self.rulebook
    }

    /// Returns the world as it would be with a calendar and an address mapping.
    pub fn at_all(&self) -> &World<'a> {
        self.at_all.get_or_init(|| Box::new(World::new(self.rulebook, false)))
    }

    /// Returns whether both worlds allow the same calls. If so, findings about a condition stay valid.
    pub fn is_like(&self, other: &World<'_>) -> bool {
        self.vocabulary.names().eq(other.vocabulary.names())
            && self.slots == other.slots
            && self.offers == other.offers
            && self.weekend == other.weekend
    }

    /// Uses some of the remaining steps. Returns false if no steps are left or the work was abandoned.
    pub fn spend(&self, steps: usize) -> bool {
        let left = self.steps_left.get().saturating_sub(steps as u64);
        self.steps_left.set(left);
        left > 0 && !is_abandoned()
    }

    /// Whether the search finished within its steps.
    pub fn is_complete(&self) -> bool {
        self.steps_left.get() > 0
    }

    /// The possible values of a fact.
    pub fn values(&self, slot: Slot) -> &Values {
        &self.slots[slot]
    }

    /// The underlying fact of a test and its required values: `offer` follows from `service`, `weekend` from `weekday`
    /// and `after_hours` from `open`.
    pub fn rooted(&self, slot: Slot, values: Values) -> (Slot, Values) {
        let root = |name: &str| derived_slot(name).unwrap_or(slot);
        let allows = |fact: Fact| values.both(&Values::one_of([fact])).has_value();
        match (self.vocabulary.name(slot), &self.weekend) {
            ("offer", _) => {
                let fitting = self.offers.iter();
                let fitting = fitting.filter(|(_, offer)| allows(Fact::Text(offer_name(**offer).to_owned())));
                let services = Values::one_of(fitting.map(|(code, _)| Fact::Text((*code).to_owned())));
                (root("service"), services.or_missing(values.may_be_missing()))
            }
            // `after_hours` is the opposite of `open`.
            ("after_hours", Some(_)) => {
                let opposite = [false, true].into_iter().filter(|open| allows(Fact::Boolean(!open)));
                (root("open"), Values::one_of(opposite.map(Fact::Boolean)))
            }
            ("weekend", Some(weekend)) => {
                let fitting = DAYS
                    .into_iter()
                    .filter(|day| allows(Fact::Boolean(weekend.contains(day))));
                let days = Values::one_of(fitting.map(|day| Fact::Text(day.to_owned())));
                (root("weekday"), days)
            }
            _ => (slot, values),
        }
    }

    /// The words that are always heard together with this word.
    pub fn implied(&self, word: WordId) -> Vec<WordId> {
        let mut known = self.implied.borrow_mut();
        known.entry(word).or_insert_with(|| self.lexicon.implied(word)).clone()
    }

    /// A call in which the facts have these values and these words are heard. Other facts are missing, if they may be
    /// missing. `None` if no suitable value was found.
    pub fn call(&self, facts: &BTreeMap<Slot, Values>, heard: Vec<WordId>) -> Option<Env<'static>> {
        let mut env = self.vocabulary.env(&NO_FACTS, heard);
        for (slot, all) in self.slots.iter().enumerate() {
            let values = facts.get(&slot).unwrap_or(all);
            if !values.may_be_missing() {
                env.set(slot, values.example(self.vocabulary.kind(slot)?)?);
            }
        }
        let text = |env: &Env<'_>, name: &str| match derived_slot(name).and_then(|slot| env.get(slot)) {
            Some(Fact::Text(text)) => Some(text.clone()),
            _ => None,
        };
        if let (Some(code), Some(slot)) = (text(&env, "service"), derived_slot("offer"))
            && let Some(offer) = self.offers.get(code.as_str())
        {
            env.set(slot, Fact::Text(offer_name(*offer).to_owned()));
        }
        if let (Some(day), Some(slot), Some(weekend)) = (text(&env, "weekday"), derived_slot("weekend"), &self.weekend)
        {
            env.set(slot, Fact::Boolean(weekend.contains(&day.as_str())));
        }
        let open = derived_slot("open").and_then(|slot| env.get(slot)).cloned();
        if let (Some(Fact::Boolean(open)), Some(slot)) = (open, derived_slot("after_hours")) {
            env.set(slot, Fact::Boolean(!open));
        }
        Some(env)
    }
}
