//! Who goes first and who is told: priority rules, contacts, shift overrides, templates.

use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

use super::Labels;

/// How urgent a call is, P1 the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Enum)]
pub enum Priority {
    /// Now.
    P1,
    /// Within minutes.
    P2,
    /// Worth a quick call.
    P3,
    /// In turn.
    P4,
}

impl Priority {
    /// As rows, columns and answers write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
            Self::P4 => "P4",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::P1, Self::P2, Self::P3, Self::P4]
            .into_iter()
            .find(|one| one.name() == name)
    }
}

/// Gives a call its priority; the first by rank whose condition holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct PriorityRule {
    /// Names the rule.
    pub code: String,
    /// Its name in each language.
    pub names: Labels,
    /// The order in which rules are tried, lowest first; codes break ties.
    pub rank: i64,
    /// When it applies; empty is always.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[oai(default)]
    pub condition: String,
    /// The priority given.
    pub priority: Priority,
    /// Whether it is about danger: decided before everything else, and nothing is quoted before `say` is said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[oai(default)]
    pub safety: bool,
    /// What the voice agent must say, in each language; for a `safety` rule only.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[oai(default)]
    pub say: Labels,
    /// Seconds within which somebody should call back.
    pub sla_seconds: i64,
    /// Codes of the contacts to text; empty is those on call. A service's own contacts go first. Of contacts with a plan
    /// (a calendar, a week of the rotation), those whose turn it is are texted, and all of them when it is nobody's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default)]
    pub notify: Vec<String>,
    /// Code of the text's template; without it nobody is texted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// For so many seconds this rule does not text the same contact again about the same caller; a P1 is held back only
    /// where it is the same call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cool_down_s: Option<i64>,
    /// For a P1: seconds after which it goes to the next contact when nobody took it; 0 is never. As the settings say when
    /// not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate_after_s: Option<i64>,
}

/// Somebody to text or to transfer to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Names the contact.
    pub code: String,
    /// What people call them.
    pub name: String,
    /// E.164, as `+15145550100`.
    pub phone: String,
    /// The language of their texts.
    pub language: String,
    /// The order in which contacts are tried.
    pub rank: i64,
    /// Whether they are told when no rule names anyone.
    pub on_call: bool,
    /// Code of the calendar whose open hours are those in which they are on call; without it at all hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_call_calendar: Option<String>,
    /// Their week of the rotation, from 1 on; without it every week. Weeks count from the settings' `rotation_from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_week: Option<i64>,
    /// How many weeks the rotation has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_of: Option<i64>,
}

/// Puts somebody on shift for a while, whatever the plans say. A swap of two shifts is two overrides. Of those that cover an
/// instant and name a contact, the shortest decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct ShiftOverride {
    /// Names the override.
    pub code: String,
    /// Code of the contact who is on shift. Without `instead_of` they join those on call; of recipients that a rule or a
    /// service names, they do not.
    pub contact: String,
    /// Code of the contact who is off shift: whoever would notify them notifies `contact` in their place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
    /// When it begins, on the clock on the wall, as `2026-12-24T17:00`.
    pub from: String,
    /// When it is over, at most 366 days later; the instant itself is not part of it.
    pub until: String,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The text of an SMS message, by language, with `{placeholders}`. What is not known is a dash; `[, {city}]` is left out
/// when the city is not known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Names the template.
    pub code: String,
    /// The text in each language.
    pub texts: Labels,
}
