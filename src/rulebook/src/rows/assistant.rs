//! Rows for the assistant: tools, scripts, assistant rules.

use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

use super::Labels;

/// A Rhai script and its hook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Code of the script.
    pub code: String,
    /// The point at which the script runs.
    pub hook: Hook,
    /// Order among the scripts of one hook.
    pub rank: i64,
    /// Rhai source. `/docs/scripting` lists the available functions. `import "money" as money;` at the top imports a
    /// library.
    pub source: String,
}

/// The point at which a script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Hook {
    /// After the adjustments, before rounding.
    Price,
    /// After the priority rules.
    Priority,
    /// When the assistant calls the script as a tool.
    Tool,
    /// Nowhere by itself: other scripts import its functions.
    Library,
}

impl Hook {
    /// The name in rows.
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
    /// The name under which the assistant calls the tool.
    pub code: String,
    /// The action.
    pub runs: ToolKind,
    /// Code of the script; only if `runs` is `script`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// Code of the SMS template; only if `runs` is `sms_alert`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// The action of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum ToolKind {
    /// Says a price.
    Quote,
    /// Says a priority.
    Priority,
    /// Says whether a service is offered, and where.
    ServiceCheck,
    /// Says when the work is possible.
    Scheduling,
    /// Sends an SMS message to the contacts.
    SmsAlert,
    /// Stores a requested slot as a lead.
    Booking,
    /// Runs a Rhai script.
    Script,
}

/// Responds to an assistant request; the first rule by rank with a true condition applies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct AssistantRule {
    /// Code of the rule.
    pub code: String,
    /// Order in which rules are tried, lowest first; ties by code.
    pub rank: i64,
    /// When the rule applies; empty means always.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[oai(default)]
    pub condition: String,
    /// The response to the caller.
    pub answer: AssistantAnswer,
    /// Id of the saved assistant at Vapi; used only if `answer` is `assistant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assistant_id: Option<String>,
    /// Code of the contact to transfer to; used only if `answer` is `transfer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Spoken text in each language: the assistant's first message, the sentence before a transfer, or the refusal.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[oai(default)]
    pub message: Labels,
}

/// The response to an assistant request.
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
