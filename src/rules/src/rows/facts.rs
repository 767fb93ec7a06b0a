//! What rules may see and what is expected of them: fact mappings, calendars, cases.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

/// Reads one fact from a message or from a tool's arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct FactMapping {
    /// The fact's name in conditions and scripts.
    pub code: String,
    /// JSON pointers into the message, tried in order; `/arguments/…` looks into a tool's arguments, `/said` into what the
    /// caller said (last of all, and only for a `length`, a `city` or a `postal_code`).
    pub pointers: Vec<String>,
    /// What the value is read as.
    pub kind: FactKind,
    /// The value, as text, when no pointer finds one; without it the fact is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_value: Option<String>,
    /// Words by which a text is brought to one of a few values: `{"complex": ["complexe", "difficult"]}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[oai(default)]
    pub values: BTreeMap<String, Vec<String>>,
}

/// The type of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum FactKind {
    /// Text.
    Text,
    /// An exact decimal number.
    Number,
    /// True or false.
    Boolean,
    /// An instant, RFC 3339, or a local time as `2026-12-24T17:00`.
    Time,
    /// A telephone number, brought to E.164: text.
    Phone,
    /// A length in any usual unit, brought to metres: a number.
    Length,
    /// A city, without province and country: text.
    City,
    /// A postal code in its usual form: text.
    PostalCode,
    /// An address of electronic mail: text.
    Email,
}

impl FactKind {
    /// What conditions and scripts see of it: text, a number, true or false, or an instant.
    #[must_use]
    pub const fn base(self) -> Self {
        match self {
            Self::Text | Self::Phone | Self::City | Self::PostalCode | Self::Email => Self::Text,
            Self::Number | Self::Length => Self::Number,
            Self::Boolean => Self::Boolean,
            Self::Time => Self::Time,
        }
    }

    /// As rows write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Time => "time",
            Self::Phone => "phone",
            Self::Length => "length",
            Self::City => "city",
            Self::PostalCode => "postal_code",
            Self::Email => "email",
        }
    }
}

/// Opening hours and the days that are not ordinary, all by the clock on the wall in the rulebook's time zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// Names the calendar.
    pub code: String,
    /// Opening hours by day (`monday` to `sunday`), as `["08:00-12:00", "13:00-17:00"]`; a missing day is closed. Hours
    /// through midnight, as `22:00-06:00`, belong to the day on which they begin.
    pub open: BTreeMap<String, Vec<String>>,
    /// When the evening begins, as `18:00`.
    pub evening_from: String,
    /// When it ends.
    pub evening_until: String,
    /// The days of the weekend.
    pub weekend: Vec<String>,
    /// Days on which we are closed, by their dates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub holidays: Vec<Holiday>,
    /// Days on which we are closed every year, by rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub holiday_rules: Vec<HolidayRule>,
    /// Days with opening hours of their own, holidays or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub special_days: Vec<SpecialDay>,
}

/// A day on which we are closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// The day in the rulebook's time zone.
    pub date: NaiveDate,
    /// Its name.
    pub name: String,
}

/// A day on which we are closed every year.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct HolidayRule {
    /// Which day: `12-25`, `easter-2`, `first monday of september`, `last monday of may`, `monday before 05-25` (or
    /// after, on or before, on or after).
    pub on: String,
    /// Its name.
    pub name: String,
    /// Which other day is a holiday too when it falls on the weekend; without it none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_weekend: Option<IfWeekend>,
}

/// Which day is a holiday too when one falls on the weekend; never one that is a holiday already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum IfWeekend {
    /// The first day after the weekend.
    Next,
    /// The last day before the weekend.
    Previous,
    /// The nearer of both, the one before when they are equally near.
    Nearest,
    /// From a Sunday the Monday after it; from a Saturday none.
    SundayToMonday,
}

/// A day with opening hours of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct SpecialDay {
    /// Which day: a date as `2026-12-24`, or one of every year as `12-24` or `easter+1`, as in a holiday rule. A date
    /// goes before a rule.
    pub on: String,
    /// Its name.
    pub name: String,
    /// Its opening hours, as `["08:00-12:00"]`; none is closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub open: Vec<String>,
}

/// Facts and what must be decided from them; publishing runs every case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Names the case.
    pub code: String,
    /// What it shows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[oai(default)]
    pub comment: String,
    /// The instant the facts are about.
    pub at: DateTime<Utc>,
    /// What the caller said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[oai(default)]
    pub said: String,
    /// Facts as a message would give them, by name.
    pub facts: BTreeMap<String, serde_json::Value>,
    /// Parts of the decision, by their place in it, as `{"/price/from": "450.00", "/priority": "P3"}`.
    pub expect: BTreeMap<String, serde_json::Value>,
}
