//! Determines the service, area and price of a call's job. The lead, the SMS messages and the API show these values.
//!
//! A price quoted in the call stays if the quote matches the booking. Without a booking, the quote must match the
//! decision about the call. If no quote matches, the booking or the decision about the call sets the price. A refused
//! job has no price.

use std::collections::BTreeSet;

use sea_orm::{DatabaseTransaction, DbErr};
use uuid::Uuid;

use super::evaluate::DecisionRecord;
use super::message_write::MessageWrite;
use super::parse::event::Payload;
use rules::compile::Rulebook;
use rules::decision::{Decision, Price};
use rules::facts::{ExtractedFacts, Fact, Facts};
use rules::rows::{FactKind, Offer, Resource};
use rules::words::fold;
use store::decisions::{self, SpokenDecision};

/// The job of a call, and its price.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Job {
    /// The decision, with the job's service, area and price.
    pub decision: Decision,
    /// The decision that set the price.
    pub quote_decision_id: Uuid,
    /// The revision that set the price.
    pub quote_revision: i64,
}

/// A decision about the call, with its facts.
struct Basis<'a> {
    id: Uuid,
    facts: &'a Facts,
    decision: &'a Decision,
}

/// A quote or booking from earlier in the call, parsed.
struct Earlier {
    id: Uuid,
    is_booking: bool,
    extracted: ExtractedFacts,
    decision: Decision,
}

impl Earlier {
    fn read(row: SpokenDecision) -> Option<Self> {
        Some(Self {
            id: row.id,
            is_booking: row.purpose == "booking",
            extracted: serde_json::from_value(row.extracted).ok()?,
            decision: serde_json::from_value(row.result).ok()?,
        })
    }

    const fn basis(&self) -> Basis<'_> {
        Basis {
            id: self.id,
            facts: &self.extracted.facts,
            decision: &self.decision,
        }
    }
}

impl Job {
    /// Determines the job of a call after `decided`, a new decision about the call. The transaction must have locked
    /// the call's row.
    pub(super) async fn of(
        step: &MessageWrite<'_>,
        tx: &DatabaseTransaction,
        decided: &DecisionRecord,
    ) -> Result<Self, DbErr> {
        let event = &step.message.event;
        // Only a call with a row can have earlier quotes. A message with tool calls can create quotes.
        let may_have = step.head.call.is_some() || matches!(event.payload, Payload::ToolCalls(_));
        let calls: Vec<&str> = event.call_id().filter(|_| may_have).into_iter().collect();
        let spoken = decisions::spoken(tx, step.message.access.rulebook_id, &calls).await?;
        Ok(Self::among(step, decided, spoken.into_values().flatten().collect()))
    }

    /// Determines the job like [`Job::of`]. `spoken` contains the quotes and bookings of the call, newest first.
    pub(super) fn among(step: &MessageWrite<'_>, decided: &DecisionRecord, spoken: Vec<SpokenDecision>) -> Self {
        let earlier: Vec<Earlier> = spoken.into_iter().filter_map(Earlier::read).collect();
        Self::agreed(step.rulebook, decided, &earlier)
    }

    /// `earlier` contains the quotes and bookings of the call, newest first.
    fn agreed(rulebook: &Rulebook, decided: &DecisionRecord, earlier: &[Earlier]) -> Self {
        let current = Basis {
            id: decided.id,
            facts: &decided.extracted.facts,
            decision: &decided.decision,
        };
        let names = |one: &&Earlier| one.decision.service.is_some();
        let booked = earlier.iter().filter(|one| one.is_booking).find(names);
        let quotes = || {
            earlier
                .iter()
                .filter(|one| !one.is_booking && one.decision.price.is_some())
        };
        let basis = match (booked.map(Earlier::basis), current.decision.service.is_some()) {
            (Some(booked), _) => {
                let relevant = Relevant::of(rulebook, booked.decision.service.as_deref());
                let same = current.decision.service == booked.decision.service && relevant.agree(&current, &booked);
                if same { current } else { booked }
            }
            (None, true) => current,
            // The decision has no service: the caller named the service only in the tool call for the quote.
            (None, false) => quotes().next().map_or(current, Earlier::basis),
        };
        let relevant = Relevant::of(rulebook, basis.decision.service.as_deref());
        let refused = basis.decision.offer == Some(Offer::Refused);
        let quote = quotes().find(|quote| !refused && relevant.fits(&quote.basis(), &basis));
        let priced = quote.map_or(basis.decision, |quote| &quote.decision);
        let mut decision = decided.decision.clone();
        decision.service.clone_from(&basis.decision.service);
        decision.offer = basis.decision.offer;
        decision.area.clone_from(&basis.decision.area);
        decision.price = priced.price.clone().filter(|_| !refused);
        Self {
            quote_decision_id: quote.map_or(basis.id, |quote| quote.id),
            quote_revision: priced.revision,
            decision,
        }
    }

    pub(super) const fn price(&self) -> Option<&Price> {
        self.decision.price.as_ref()
    }
}

/// The inputs of a service's price, without the time: the quantity, the area, and the facts that adjustments use.
struct Relevant<'a> {
    service: Option<&'a str>,
    quantity: Option<&'a str>,
    facts: BTreeSet<&'a str>,
    /// Each adjustment with the facts that it uses.
    adjustments: Vec<(&'a str, BTreeSet<&'a str>)>,
}

impl<'a> Relevant<'a> {
    fn of(rulebook: &'a Rulebook, service: Option<&'a str>) -> Self {
        let row = service.and_then(|code| rulebook.service(code));
        let quantity = row.and_then(|row| row.quantity_fact.as_deref());
        let is_mapped = |name: &&str| *name == AREA || rulebook.rows().fact_mappings.contains_key(*name);
        let adjustments: Vec<(&str, BTreeSet<&str>)> = rulebook
            .adjustment_facts()
            .filter(|(row, _)| {
                row.services.is_empty() || row.services.iter().any(|code| Some(code.as_str()) == service)
            })
            .map(|(row, names)| (row.code.as_str(), names.into_iter().filter(is_mapped).collect()))
            .collect();
        let mut facts: BTreeSet<&str> = adjustments
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        facts.insert(AREA);
        facts.extend(quantity);
        if rulebook.has_price_scripts() {
            // A price script may use any fact, so all facts other than free text are relevant.
            let mappings = rulebook.rows().fact_mappings.values().map(|stored| &stored.row);
            let plain = mappings.filter(|row| row.kind.base() != FactKind::Text || !row.values.is_empty());
            facts.extend(plain.map(|row| row.code.as_str()));
        }
        Self {
            service,
            quantity,
            facts,
            adjustments,
        }
    }

    /// Whether the two decisions have the same value for every relevant fact that both contain.
    fn agree(&self, one: &Basis<'_>, other: &Basis<'_>) -> bool {
        self.facts.iter().all(|name| match (one.fact(name), other.fact(name)) {
            (Some(one), Some(other)) => same(one, other),
            _ => true,
        })
    }

    /// Whether a quote matches a job. The quote and the job must have the same service. A fact must have the same value
    /// in the quote and in the job if both contain it. A fact that only the job contains must not change the price.
    fn fits(&self, quote: &Basis<'_>, job: &Basis<'_>) -> bool {
        let unknown = |name: &&&str| quote.fact(name).is_none() && job.fact(name).is_some();
        let mut new = self.facts.iter().filter(unknown);
        quote.decision.service.as_deref() == self.service
            && self.service.is_some()
            && self.agree(quote, job)
            && new.all(|name| Some(*name) != self.quantity && !self.changes_price(name, job.decision))
    }

    fn changes_price(&self, name: &str, decision: &Decision) -> bool {
        let mut named = self.adjustments.iter().filter(|(_, names)| names.contains(name));
        named.any(|(code, _)| {
            let path = Resource::Adjustments.path();
            let mut steps = decision.trace.iter();
            steps.any(|step| step.resource == path && step.code == *code && step.money.is_some())
        })
    }
}

/// The only derived fact that does not depend on the time.
const AREA: &str = "area";

impl Basis<'_> {
    fn fact(&self, name: &str) -> Option<&Fact> {
        let of = if name == AREA {
            &self.decision.derived
        } else {
            self.facts
        };
        of.get(name)
    }
}

fn same(one: &Fact, other: &Fact) -> bool {
    match (one, other) {
        (Fact::Text(one), Fact::Text(other)) => fold(one) == fold(other),
        _ => one == other,
    }
}
