//! Rows for prices: settings, services, areas, adjustments, taxes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

use super::{Labels, Priority, Trust};
use crate::money::{Money, Rate};

/// Settings of the whole rulebook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Always `settings`.
    #[serde(default = "settings_code")]
    pub code: String,
    /// ISO 4217 code of a currency with two decimals.
    pub currency: String,
    /// IANA time zone, for example `America/Toronto`.
    pub time_zone: String,
    /// ISO 3166 code of the country of the callers' telephone numbers and postal codes, for example `CA`. If missing,
    /// the country is derived from the currency if possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Supported languages, the default first.
    pub languages: Vec<String>,
    /// How prices are rounded after the adjustments.
    pub rounding: Rounding,
    /// Prices are rounded to a multiple of this amount.
    pub rounding_step: Money,
    /// The priority if no rule matches.
    pub default_priority: Priority,
    /// Seconds within which somebody should call back if no rule matches.
    pub default_sla_seconds: i64,
    /// Code of the calendar for `after_hours`, `evening` and similar facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// Text that the caller hears if the request matches no service, in each language.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[oai(default)]
    pub unknown_service: Labels,
    /// When week 1 of the on-call rotation began, in local time, for example `2026-11-23T08:00`. `rotation_week` counts
    /// from this time. Every handover is on the same weekday at the same time of day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_from: Option<String>,
    /// From this time of day, for example `21:00`, SMS messages about a P3 or P4 are delayed; messages about a P1 or P2
    /// are never delayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_from: Option<String>,
    /// The time of day at which delayed messages are sent, for example `07:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_until: Option<String>,
    /// Maximum SMS messages per day; 1,000 if omitted. Messages beyond the maximum become dead letters; a P1 is always
    /// sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_sms_cap: Option<i64>,
    /// Seconds until a P1 that nobody acknowledged is sent to the next contact, then to all. 0 means never; 300 if
    /// omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate_after_s: Option<i64>,
    /// Facts in which Ringbook looks for phrases, besides the caller's words, each with its level of trust. If omitted,
    /// only `problem`, as `model`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[oai(default)]
    pub listens_to: BTreeMap<String, Trust>,
}

/// The only code of a settings row.
fn settings_code() -> String {
    "settings".to_owned()
}

/// How a price is rounded to a multiple of the rounding step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Rounding {
    /// Half rounds up, away from zero.
    HalfUp,
    /// Half rounds to the even neighbour.
    HalfEven,
    /// Always up.
    Up,
    /// Always down.
    Down,
}

/// A service that is offered or refused, with its price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Code of the service.
    pub code: String,
    /// Name of the service in each language.
    pub names: Labels,
    /// Phrases by which callers name the service: `unclog*`, `under .. slab`, or a concept such as `#roots`.
    pub keywords: Vec<String>,
    /// Phrases that count only if no other keyword is heard: `toilet*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub weak_keywords: Vec<String>,
    /// If several services match, the lowest rank wins.
    pub rank: i64,
    /// Whether the service is offered.
    pub offer: Offer,
    /// Lowest base price; absent if `offer` is `refused`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_from: Option<Money>,
    /// Highest base price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_to: Option<Money>,
    /// The fact with the quantity, for example `metres`; if it is missing, the price is for one unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity_fact: Option<String>,
    /// Name of one unit in each language, for example "per metre".
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[oai(default)]
    pub unit: Labels,
    /// Minimum days until the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_days_min: Option<i64>,
    /// Maximum days until the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_days_max: Option<i64>,
    /// Whether `lead_days_min` and `lead_days_max` count only days on which the calendar is open.
    #[serde(default)]
    #[oai(default)]
    pub lead_working_days: bool,
    /// Text that the caller hears if `offer` is `refused` or `assessment`, in each language.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[oai(default)]
    pub reason: Labels,
    /// Codes of the contacts to notify instead of the contacts on call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub notify: Vec<String>,
}

/// Whether a service is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Offer {
    /// Offered.
    Offered,
    /// Refused, with a reason.
    Refused,
    /// Offered, at a price that needs an assessment first.
    Assessment,
}

/// A service area.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// Code of the area.
    pub code: String,
    /// Name of the area in each language.
    pub names: Labels,
    /// If several areas match, the lowest rank wins.
    pub rank: i64,
    /// Prefixes of postal codes, for example `J4`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub postal_prefixes: Vec<String>,
    /// Cities; accents, case and hyphens do not matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub cities: Vec<String>,
}

/// Changes both ends of a price if its condition is true; applied in order of rank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Adjustment {
    /// Code of the adjustment.
    pub code: String,
    /// Name of the adjustment in each language.
    pub names: Labels,
    /// Order in which adjustments apply, lowest first; ties by code.
    pub rank: i64,
    /// The type of change.
    pub kind: AdjustmentKind,
    /// The amount; only if `kind` is `add`, `floor`, `cap` or `set`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// The factor if `kind` is `multiply`, or the percentage if `kind` is `percent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Whether the amount is for the whole job or for each unit, if a service is priced by quantity.
    #[serde(default, skip_serializing_if = "Per::is_job")]
    #[oai(default)]
    pub per: Per,
    /// When the adjustment applies; empty means always.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[oai(default)]
    pub condition: String,
    /// Codes of the services to which the adjustment applies; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub services: Vec<String>,
    /// In each group, only the first adjustment that matches applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacking_group: Option<String>,
    /// Applies from this instant on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<DateTime<Utc>>,
    /// Applies before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<DateTime<Utc>>,
}

/// The unit to which an adjustment's amount applies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Per {
    /// The whole job, once, for any number of units.
    #[default]
    Job,
    /// Each unit of the service's quantity, for example each metre.
    Unit,
}

impl Per {
    /// Whether the amount is for the whole job.
    #[must_use]
    pub fn is_job(&self) -> bool {
        *self == Self::Job
    }
}

/// How an adjustment changes a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum AdjustmentKind {
    /// Add the amount.
    Add,
    /// Add the rate in percent of the current price.
    Percent,
    /// Multiply by the rate.
    Multiply,
    /// Raise to at least the amount.
    Floor,
    /// Lower to at most the amount.
    Cap,
    /// Replace the price with the amount.
    Set,
}

/// A tax on the price before tax, shown as a separate line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Tax {
    /// Code of the tax.
    pub code: String,
    /// Name of the tax in each language.
    pub names: Labels,
    /// Order of the lines.
    pub rank: i64,
    /// Rate in percent, for example `9.975`.
    pub rate: Rate,
}
