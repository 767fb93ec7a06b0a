//! The result of the rules: a price, a priority, recipients, and the trace that explains them.

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::money::{Money, Rate};
use super::rows::{AdjustmentKind, Offer, Priority, Resource};

/// The outcome of one evaluation. The same rulebook revision, facts and instant give the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The revision that made the decision.
    pub revision: i64,
    /// The matched service, if any.
    pub service: Option<String>,
    /// Whether the business offers the service; `None` if no service was found.
    pub offer: Option<Offer>,
    /// The matched service area, if any.
    pub area: Option<String>,
    /// The price, if there is one.
    pub price: Option<Price>,
    /// The urgency.
    pub priority: Priority,
    /// Seconds within which somebody should call back.
    pub sla_seconds: i64,
    /// The priority rule that matched; `None` means the rulebook's default.
    pub priority_rule: Option<String>,
    /// Codes of the contacts to notify, in order.
    pub notify: Vec<String>,
    /// The template of the SMS messages; `None` means that no message is sent.
    pub template: Option<String>,
    /// One sentence that a voice agent can say, in `language`.
    pub say: String,
    /// The caller's language, one of the rulebook's.
    pub language: String,
    /// Codes of the scripts that failed or were skipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped_scripts: Vec<String>,
    /// The facts that Ringbook derived from the message's facts.
    pub derived: Facts,
    /// The rows that took part, in order, each with its effect.
    pub trace: Vec<Step>,
}

impl Decision {
    /// Whether a script failed or was skipped.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        !self.dropped_scripts.is_empty()
    }
}

/// A price range before tax, with the taxes on both ends and the totals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// The rulebook's currency.
    pub currency: String,
    /// Lowest price before tax, rounded.
    pub from: Money,
    /// Highest price before tax, rounded.
    pub to: Money,
    /// The unit in the caller's language ("per metre"), if the quantity is unknown and the price is for one unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<String>,
    /// The amount before tax that is added once for the whole job, in addition to the price of one unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub besides: Option<Money>,
    /// One line per tax.
    pub taxes: Vec<TaxLine>,
    /// Lowest price with taxes.
    pub total_from: Money,
    /// Highest price with taxes.
    pub total_to: Money,
}

/// A tax on both ends of the range, each rounded half up to the cent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxLine {
    pub code: String,
    /// Rate in percent.
    pub rate: Rate,
    /// Tax on the lowest price.
    pub from: Money,
    /// Tax on the highest price.
    pub to: Money,
}

/// The effect of one row on a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The resource's path name, for example `adjustments`.
    pub resource: String,
    /// The row's code.
    pub code: String,
    /// The row's effect, in English, for example "matched postal code J4".
    pub did: String,
    /// The effect on the price: the kind, and both ends of the range before and after the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<MoneyStep>,
}

impl Step {
    /// Creates a step without an effect on money.
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
    /// Writes the effect, including an effect on money: `always applies: 100 to 200 became 110 to 220`.
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

/// Both ends of the range before and after a step, unrounded, as exact decimal strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoneyStep {
    /// The kind of adjustment; `None` for the base price, scripts and rounding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AdjustmentKind>,
    /// Lowest price before the step.
    pub from_before: String,
    /// Lowest price after the step.
    pub from_after: String,
    /// Highest price before the step.
    pub to_before: String,
    /// Highest price after the step.
    pub to_after: String,
}
