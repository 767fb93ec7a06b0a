//! Rows for facts and expectations: fact mappings, calendars, cases.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

/// Reads one fact from a message or from a tool's arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct FactMapping {
    /// Name of the fact in conditions and scripts.
    pub code: String,
    /// JSON pointers into the message, tried in order. `/arguments/…` reads a tool's arguments, `/said` the caller's
    /// words (always last, and only if `kind` is `length`, `city` or `postal_code`).
    pub pointers: Vec<String>,
    /// The type of the value.
    pub kind: FactKind,
    /// Value, as a string, if no pointer finds a value; if omitted, the fact is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_value: Option<String>,
    /// Words that map a text to one of a few values: `{"complex": ["complexe", "difficult"]}`.
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
    /// An instant in RFC 3339, or a local time such as `2026-12-24T17:00`.
    Time,
    /// A telephone number, converted to E.164: text.
    Phone,
    /// A length in any usual unit, converted to metres: a number.
    Length,
    /// A city, without province and country: text.
    City,
    /// A postal code in its usual form: text.
    PostalCode,
    /// An email address: text.
    Email,
}

impl FactKind {
    /// The type that conditions and scripts see: text, number, boolean or instant.
    #[must_use]
    pub const fn base(self) -> Self {
        match self {
            Self::Text | Self::Phone | Self::City | Self::PostalCode | Self::Email => Self::Text,
            Self::Number | Self::Length => Self::Number,
            Self::Boolean => Self::Boolean,
            Self::Time => Self::Time,
        }
    }

    /// The name in rows.
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

/// Opening hours and exceptional days, in local time in the rulebook's time zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// Code of the calendar.
    pub code: String,
    /// Opening hours by day (`monday` to `sunday`), for example `["08:00-12:00", "13:00-17:00"]`; a missing day is
    /// closed. Hours through midnight, such as `22:00-06:00`, belong to the day on which they begin.
    pub open: BTreeMap<String, Vec<String>>,
    /// When the evening begins, for example `18:00`.
    pub evening_from: String,
    /// When the evening ends.
    pub evening_until: String,
    /// The days of the weekend.
    pub weekend: Vec<String>,
    /// Closed days, by date.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub holidays: Vec<Holiday>,
    /// Closed days of every year, by rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub holiday_rules: Vec<HolidayRule>,
    /// Days with their own opening hours, holidays or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub special_days: Vec<SpecialDay>,
}

/// A closed day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// The day in the rulebook's time zone.
    pub date: NaiveDate,
    /// Name of the day.
    pub name: String,
}

/// A closed day of every year.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct HolidayRule {
    /// The day: `12-25`, `easter-2`, `first monday of september`, `last monday of may`, `monday before 05-25` (or
    /// after, on or before, on or after).
    pub on: String,
    /// Name of the day.
    pub name: String,
    /// The substitute holiday if `on` falls on a weekend; if omitted, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_weekend: Option<IfWeekend>,
}

/// The substitute day for a holiday on a weekend; never a day that is already a holiday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum IfWeekend {
    /// The first day after the weekend.
    Next,
    /// The last day before the weekend.
    Previous,
    /// The nearer of these two days; if both are equally near, the day before.
    Nearest,
    /// The Monday after a Sunday; nothing for a Saturday.
    SundayToMonday,
}

/// A day with its own opening hours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct SpecialDay {
    /// The day: a date such as `2026-12-24`, or a day of every year such as `12-24` or `easter+1`, as in a holiday
    /// rule. A date takes precedence over a rule.
    pub on: String,
    /// Name of the day.
    pub name: String,
    /// Opening hours, for example `["08:00-12:00"]`; empty means closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub open: Vec<String>,
}

/// Facts and the expected decision; publishing runs every case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Code of the case.
    pub code: String,
    /// What the case demonstrates.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[oai(default)]
    pub comment: String,
    /// The instant for which the case is decided.
    pub at: DateTime<Utc>,
    /// The caller's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[oai(default)]
    pub said: String,
    /// Facts as in a message, by name.
    pub facts: BTreeMap<String, serde_json::Value>,
    /// Expected values by JSON pointer into the decision: `{"/price/from": "450.00", "/priority": "P3"}`.
    pub expect: BTreeMap<String, serde_json::Value>,
}
