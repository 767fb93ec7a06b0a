//! What a job costs: settings, services, areas, adjustments, taxes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

use super::{Labels, Priority, Trust};
use crate::money::{Money, Rate};

/// What holds for the whole rulebook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Always `settings`.
    #[serde(default = "settings_code")]
    pub code: String,
    /// ISO 4217 code of a currency with two decimals.
    pub currency: String,
    /// IANA time zone, as `America/Toronto`.
    pub time_zone: String,
    /// ISO 3166 code of the country whose telephone numbers and postal codes callers give, as `CA`. Where it is missing, the
    /// currency tells it if it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Languages spoken, the default first.
    pub languages: Vec<String>,
    /// How a price is rounded after the adjustments.
    pub rounding: Rounding,
    /// To a multiple of this.
    pub rounding_step: Money,
    /// The priority when no rule matches.
    pub default_priority: Priority,
    /// Seconds within which somebody should call back when no rule matches.
    pub default_sla_seconds: i64,
    /// Code of the calendar that `after_hours`, `evening` and the like read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// Said when a caller asks for something that matches no service.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[oai(default)]
    pub unknown_service: Labels,
    /// When week 1 of the on-call rotation began, on the clock on the wall, as `2026-11-23T08:00`: the contacts'
    /// `rotation_week` counts from it, and its weekday and hour are those of every handover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_from: Option<String>,
    /// From this time of day on, as `21:00`, texts about a P3 or P4 wait for the morning; a P1 or P2 never waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_from: Option<String>,
    /// The time of day at which they go, as `07:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_until: Option<String>,
    /// The most texts of a day. What is beyond becomes a dead letter; a P1 always goes. 1,000 when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_sms_cap: Option<i64>,
    /// Seconds after which a P1 that nobody took goes to the next contact, then to all; 0 is never. 300 when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate_after_s: Option<i64>,
    /// Facts whose texts are listened to beside the caller's words, and the trust that each has; `problem`, as `model`,
    /// when not given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[oai(default)]
    pub listens_to: BTreeMap<String, Trust>,
}

/// There is one such row.
fn settings_code() -> String {
    "settings".to_owned()
}

/// How a price becomes a multiple of the rounding step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Rounding {
    /// A half goes up, away from zero.
    HalfUp,
    /// A half goes to the even neighbour.
    HalfEven,
    /// Always up.
    Up,
    /// Always down.
    Down,
}

/// What we do, for how much, or refuse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Names the service.
    pub code: String,
    /// Its name in each language.
    pub names: Labels,
    /// Phrases by which callers name it: `unclog*`, `under .. slab`, or a concept as `#roots`.
    pub keywords: Vec<String>,
    /// Phrases that show it only when nothing else is heard: `toilet*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub weak_keywords: Vec<String>,
    /// Which service wins when several match: the lowest.
    pub rank: i64,
    /// Whether we do it.
    pub offer: Offer,
    /// Lowest base price; none for what is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_from: Option<Money>,
    /// Highest base price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_to: Option<Money>,
    /// The fact that says how many, as `metres`; when it is missing, the price is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity_fact: Option<String>,
    /// What one is called in each language, as "per metre".
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[oai(default)]
    pub unit: Labels,
    /// Days until the work, at the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_days_min: Option<i64>,
    /// Days until the work, at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_days_max: Option<i64>,
    /// Whether those are days on which the calendar is open.
    #[serde(default)]
    #[oai(default)]
    pub lead_working_days: bool,
    /// Said when we refuse it, or when an assessment is needed, in each language.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[oai(default)]
    pub reason: Labels,
    /// Codes of the contacts to tell instead of those on call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub notify: Vec<String>,
}

/// Whether we do a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Offer {
    /// We do.
    Offered,
    /// We do not, and say why.
    Refused,
    /// We do, at a price that needs somebody to look first.
    Assessment,
}

/// A part of the map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// Names the area.
    pub code: String,
    /// Its name in each language.
    pub names: Labels,
    /// Which area wins when several match: the lowest.
    pub rank: i64,
    /// Beginnings of postal codes, as `J4`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub postal_prefixes: Vec<String>,
    /// Cities; accents, case and hyphens do not matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub cities: Vec<String>,
}

/// Changes a price when its condition holds; applied in the order of rank, to both ends of the range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Adjustment {
    /// Names the adjustment.
    pub code: String,
    /// Its name in each language.
    pub names: Labels,
    /// The order in which adjustments apply, lowest first; codes break ties.
    pub rank: i64,
    /// What it does.
    pub kind: AdjustmentKind,
    /// The money, for `add`, `floor`, `cap` and `set`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// The factor for `multiply` or the percentage for `percent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// What it is reckoned for, where a service is priced by quantity: the whole job, or each unit.
    #[serde(default, skip_serializing_if = "Per::is_job")]
    #[oai(default)]
    pub per: Per,
    /// When it applies; empty is always.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[oai(default)]
    pub condition: String,
    /// Codes of the services it applies to; empty is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub services: Vec<String>,
    /// Of the adjustments of one group only the first that matches applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacking_group: Option<String>,
    /// Applies from this instant on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<DateTime<Utc>>,
    /// Applies before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<DateTime<Utc>>,
}

/// What an adjustment's amount is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Per {
    /// The whole job, once, however many units it has.
    #[default]
    Job,
    /// Each unit of the service's quantity, as each metre.
    Unit,
}

impl Per {
    /// Whether it is the whole job.
    #[must_use]
    pub fn is_job(&self) -> bool {
        *self == Self::Job
    }
}

/// What an adjustment does to a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum AdjustmentKind {
    /// Adds the amount.
    Add,
    /// Adds the rate in percent of the price so far.
    Percent,
    /// Multiplies by the rate.
    Multiply,
    /// At least the amount.
    Floor,
    /// At most the amount.
    Cap,
    /// The amount, whatever it was.
    Set,
}

/// A tax on the price before tax, as a line of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Tax {
    /// Names the tax.
    pub code: String,
    /// Its name in each language.
    pub names: Labels,
    /// The order of the lines.
    pub rank: i64,
    /// In percent, as `9.975`.
    pub rate: Rate,
}
