//! Rows for priorities and recipients: priority rules, contacts, shift overrides, templates.

use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

use super::Labels;

/// Urgency of a call; P1 is the most urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Enum)]
pub enum Priority {
    /// Immediately.
    P1,
    /// Within minutes.
    P2,
    /// Worth a quick call.
    P3,
    /// In the usual order.
    P4,
}

impl Priority {
    /// The name in rows, columns and responses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
            Self::P4 => "P4",
        }
    }

    /// The priority with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::P1, Self::P2, Self::P3, Self::P4]
            .into_iter()
            .find(|one| one.name() == name)
    }
}

/// Sets the priority of a call; the first rule by rank with a true condition applies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct PriorityRule {
    /// Code of the rule.
    pub code: String,
    /// Name of the rule in each language.
    pub names: Labels,
    /// Order in which rules are tried, lowest first; ties by code.
    pub rank: i64,
    /// When the rule applies; empty means always.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[oai(default)]
    pub condition: String,
    /// The resulting priority.
    pub priority: Priority,
    /// Whether the rule is about danger. Such a rule is checked first, and the caller hears `say` instead of a price.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[oai(default)]
    pub safety: bool,
    /// Text for the voice agent, in each language; only if `safety` is true.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[oai(default)]
    pub say: Labels,
    /// Seconds within which somebody should call back.
    pub sla_seconds: i64,
    /// Codes of the SMS recipients; empty means the contacts on call. A service's contacts take precedence. Contacts
    /// with a schedule (calendar, rotation week) get messages only on shift; if nobody is on shift, all get messages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub notify: Vec<String>,
    /// Code of the SMS template; if omitted, no message is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// For this number of seconds, the rule sends the same contact no further message about the same caller. If
    /// `priority` is `P1`, this applies only within the same call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cool_down_s: Option<i64>,
    /// For `P1` only: seconds until a P1 that nobody acknowledged is sent to the next contact. 0 means never; if
    /// omitted, the value in the settings applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate_after_s: Option<i64>,
}

/// A person to send SMS messages or transfer calls to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Code of the contact.
    pub code: String,
    /// Name of the contact.
    pub name: String,
    /// Number in E.164, for example `+15145550100`.
    pub phone: String,
    /// Language of the SMS messages to the contact.
    pub language: String,
    /// Order in which contacts are tried.
    pub rank: i64,
    /// Whether the contact is notified if no rule names a contact.
    pub on_call: bool,
    /// Code of the calendar whose open hours are the contact's on-call hours; if omitted, all hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_call_calendar: Option<String>,
    /// The contact's week of the rotation, from 1; if omitted, every week. Weeks count from the settings'
    /// `rotation_from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_week: Option<i64>,
    /// Number of weeks in the rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_of: Option<i64>,
}

/// Temporarily puts a contact on shift, regardless of schedules. A swap of two shifts is two overrides. Of the
/// overrides that cover an instant and name a contact, the shortest decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct ShiftOverride {
    /// Code of the override.
    pub code: String,
    /// Code of the contact who is on shift. Without `instead_of`, this contact joins the contacts on call, but not the
    /// recipients that a rule or a service names.
    pub contact: String,
    /// Code of the contact who is off shift; this contact's notifications go to `contact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
    /// When the override begins, in local time, for example `2026-12-24T17:00`.
    pub from: String,
    /// When the override ends (exclusive), at most 366 days after it begins.
    pub until: String,
    /// The reason, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The wording of an SMS message, by language, with `{placeholders}`. An unknown value becomes a dash; `[, {city}]` is
/// omitted if the city is unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Code of the template.
    pub code: String,
    /// The wording in each language.
    pub texts: Labels,
}
