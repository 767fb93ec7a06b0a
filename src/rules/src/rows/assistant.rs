//! What the assistant is answered with: tools, scripts, assistant rules.

use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

use super::Labels;

/// A Rhai script and where it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Names the script.
    pub code: String,
    /// Where it runs.
    pub hook: Hook,
    /// The order among scripts of one hook.
    pub rank: i64,
    /// Rhai. What it may call stands at `/docs/scripting`; `import "money" as money;` at the top uses a library.
    pub source: String,
}

/// Where a script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Hook {
    /// After the adjustments, before rounding.
    Price,
    /// After the priority rules.
    Priority,
    /// As a tool that the assistant calls.
    Tool,
    /// Nowhere by itself: its functions are used by scripts that import it.
    Library,
}

impl Hook {
    /// Its name in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Priority => "priority",
            Self::Tool => "tool",
            Self::Library => "library",
        }
    }
}

/// A tool that the assistant calls by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// The name under which the assistant calls it.
    pub code: String,
    /// What runs.
    pub runs: ToolKind,
    /// Code of the script, when a script runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// Code of the text's template, for `sms_alert`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// What a tool does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum ToolKind {
    /// A price, spoken.
    Quote,
    /// A priority.
    Priority,
    /// Whether we do it, and where.
    ServiceCheck,
    /// When we could come.
    Scheduling,
    /// A text to those concerned.
    SmsAlert,
    /// A wanted slot, kept as a lead.
    Booking,
    /// A Rhai script.
    Script,
}

/// Answers an assistant request; the first by rank whose condition holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct AssistantRule {
    /// Names the rule.
    pub code: String,
    /// The order in which rules are tried, lowest first; codes break ties.
    pub rank: i64,
    /// When it applies; empty is always.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[oai(default)]
    pub condition: String,
    /// What the caller gets.
    pub answer: AssistantAnswer,
    /// Id of the saved assistant at Vapi, for `assistant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assistant_id: Option<String>,
    /// Code of the contact to transfer to, for `transfer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Said to the caller before a transfer or as the refusal, in each language.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[oai(default)]
    pub message: Labels,
}

/// What an assistant request is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum AssistantAnswer {
    /// The saved assistant, with the current prices and hours as variables.
    Assistant,
    /// A transfer to a contact.
    Transfer,
    /// A spoken refusal.
    Refuse,
}
