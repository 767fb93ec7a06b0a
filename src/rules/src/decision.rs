//! What rules may say: a price, a priority, whom to tell, and the trace of why.

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::money::{Money, Rate};
use super::rows::{AdjustmentKind, Offer, Priority, Resource};

/// The outcome of one evaluation. The same rulebook revision, facts and instant give the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The revision that decided.
    pub revision: i64,
    /// The service found, if any.
    pub service: Option<String>,
    /// Whether we do it; none when no service was found.
    pub offer: Option<Offer>,
    /// The service area found, if any.
    pub area: Option<String>,
    /// The price, where there is one.
    pub price: Option<Price>,
    /// How urgent it is.
    pub priority: Priority,
    /// Seconds within which somebody should call back.
    pub sla_seconds: i64,
    /// The priority rule that matched; none is the rulebook's default.
    pub priority_rule: Option<String>,
    /// Codes of the contacts to tell, in order.
    pub notify: Vec<String>,
    /// The template to tell them with; none means nobody is texted.
    pub template: Option<String>,
    /// One sentence that a voice agent can say, in `language`.
    pub say: String,
    /// The caller's language, one of the rulebook's.
    pub language: String,
    /// Codes of the scripts that failed and were left out; empty when nothing was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped_scripts: Vec<String>,
    /// What Ringbook derived from the message's facts.
    pub derived: Facts,
    /// Every row that took part, in order, and what it did to the money.
    pub trace: Vec<Step>,
}

impl Decision {
    /// Whether something was left out of it.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        !self.dropped_scripts.is_empty()
    }
}

/// A price range before tax, the taxes on both ends, and the totals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// The rulebook's currency.
    pub currency: String,
    /// Lowest, before tax, rounded.
    pub from: Money,
    /// Highest, before tax, rounded.
    pub to: Money,
    /// What one is, in the caller's language, when the price is for one of an unknown number ("per metre").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<String>,
    /// What comes once for the whole job besides the price of one, before tax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub besides: Option<Money>,
    /// One line a tax.
    pub taxes: Vec<TaxLine>,
    /// Lowest with taxes.
    pub total_from: Money,
    /// Highest with taxes.
    pub total_to: Money,
}

/// A tax on both ends of the range, each rounded half up to the cent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxLine {
    /// The tax.
    pub code: String,
    /// In percent.
    pub rate: Rate,
    /// On the lowest price.
    pub from: Money,
    /// On the highest price.
    pub to: Money,
}

/// One row's part in a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The resource's path name, as `adjustments`.
    pub resource: String,
    /// The row's code.
    pub code: String,
    /// What it did, in English, as "matched postal code J4".
    pub did: String,
    /// For what changes money: the kind and both ends before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<MoneyStep>,
}

impl Step {
    /// A step that moves no money.
    pub fn plain(resource: Resource, code: &str, did: impl Into<String>) -> Self {
        Self {
            resource: resource.path().to_owned(),
            code: code.to_owned(),
            did: did.into(),
            money: None,
        }
    }
}

impl std::fmt::Display for Step {
    /// What it did, and to the money: `always applies: 100 to 200 became 110 to 220`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.did)?;
        let Some(money) = &self.money else { return Ok(()) };
        let MoneyStep {
            from_before,
            from_after,
            to_before,
            to_after,
            ..
        } = money;
        write!(f, ": {from_before} to {to_before} became {from_after} to {to_after}")
    }
}

/// Both ends of the range before and after a step, unrounded, as exact decimal text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoneyStep {
    /// What kind of adjustment; none for the base price, scripts and rounding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AdjustmentKind>,
    /// Lowest before.
    pub from_before: String,
    /// Lowest after.
    pub from_after: String,
    /// Highest before.
    pub to_before: String,
    /// Highest after.
    pub to_after: String,
}
