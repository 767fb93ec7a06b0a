//! Labelled calls: the words of a call, and the decision that an attentive person would make. Labelled calls measure
//! how well a rulebook understands calls.
//!
//! A file has one JSON object per line. [`measure`] processes each call like a Vapi report and compares the decision
//! with the label. [`table`] shows how many decisions were correct, with confidence intervals and the ids of the
//! wrongly decided calls. This module reads no database.

pub mod learn;
pub mod table;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use intake::parse::facts::read_message;
use rules::compile::Rulebook;
use rules::decision::Decision;
use rules::money::Money;
use rules::rows::Priority;

/// A call and its expected decision.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelledCall {
    /// The call's id.
    pub id: String,
    /// The type of call, such as `denied`.
    pub kind: String,
    /// The spoken language, such as `fr`; `mixed` for both.
    pub lang: String,
    /// Speaker (`agent` or `caller`) and words of each turn, in order.
    pub turns: Vec<(Who, String)>,
    /// The structured data of the analysis.
    #[serde(default)]
    pub structured: Option<Value>,
    /// Structured outputs, by name.
    #[serde(default)]
    pub outputs: Option<Map<String, Value>>,
    /// The model's summary.
    #[serde(default)]
    pub summary: Option<String>,
    /// When the call began; the morning of a working day by default.
    #[serde(default)]
    pub at: Option<DateTime<Utc>>,
    /// The caller's number.
    #[serde(default)]
    pub number: Option<String>,
    /// The expected decision.
    pub expect: Label,
}

/// A speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The voice agent.
    Agent,
    /// The caller.
    Caller,
}

/// The expected decision. A missing field is not judged. A null field means that no value is expected.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Whether the priority is P1.
    pub p1: bool,
    /// Whether the priority is P2.
    #[serde(default)]
    pub p2: bool,
    /// The service's code.
    #[serde(default, deserialize_with = "given")]
    pub service: Option<Option<String>>,
    /// The area's code.
    #[serde(default, deserialize_with = "given")]
    pub area: Option<Option<String>>,
    /// The price before tax, from and to.
    #[serde(default, deserialize_with = "given")]
    pub price: Option<Option<(Money, Money)>>,
    /// The language of the decision.
    #[serde(default)]
    pub language: Option<String>,
}

/// Reads null as `Some(None)`, which differs from a missing field.
#[expect(
    clippy::option_option,
    reason = "a missing field is not judged; null means that no value is expected"
)]
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}

/// A call with its decision.
#[derive(Debug)]
pub struct DecidedCall<'a> {
    /// The call.
    pub call: &'a LabelledCall,
    /// The decision.
    pub decision: Decision,
}

/// Parses a file of labelled calls.
///
/// # Errors
/// The error contains the number of the first invalid line, and the reason.
pub fn parse(text: &str) -> Result<Vec<LabelledCall>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(place, line)| serde_json::from_str(line).map_err(|error| format!("line {}: {error}", place + 1)))
        .collect()
}

/// Decides each call.
///
/// # Errors
/// If a call cannot be converted to a message; the error names the call.
pub fn measure<'a>(rulebook: &Rulebook, calls: &'a [LabelledCall]) -> Result<Vec<DecidedCall<'a>>, String> {
    calls
        .iter()
        .map(|call| {
            let (extracted, at) = read_message(rulebook, &call.message())
                .ok_or_else(|| format!("{} cannot be read as a call", call.id))?;
            let decision = rulebook.decide(&extracted, at.unwrap_or_else(|| call.begun()));
            Ok(DecidedCall { call, decision })
        })
        .collect()
}

impl LabelledCall {
    fn begun(&self) -> DateTime<Utc> {
        // Tuesday, 24 November 2026, 10:00 in Montréal.
        self.at
            .or_else(|| DateTime::from_timestamp(1_795_532_400, 0))
            .unwrap_or_default()
    }

    /// Builds the report that Vapi would send for the call.
    #[must_use]
    pub fn message(&self) -> Value {
        let (begun, ended) = (self.begun(), self.begun() + TimeDelta::minutes(3));
        let messages: Vec<Value> = (0..)
            .zip(&self.turns)
            .map(|(place, (who, text))| {
                let role = match who {
                    Who::Agent => "bot",
                    Who::Caller => "user",
                };
                json!({"role": role, "message": text, "secondsFromStart": place * 5})
            })
            .collect();
        let outputs: Map<String, Value> = (0..)
            .zip(self.outputs.iter().flatten())
            .map(|(place, (name, result))| {
                let id = format!("00000000-0000-4000-8000-{place:012}");
                (id, json!({"name": name, "result": result}))
            })
            .collect();
        json!({"message": {
            "type": "end-of-call-report",
            "timestamp": ended.timestamp_millis(),
            "startedAt": begun.to_rfc3339(),
            "endedAt": ended.to_rfc3339(),
            "endedReason": "customer-ended-call",
            "call": {
                "id": self.id,
                "type": "inboundPhoneCall",
                "customer": {"number": self.number.as_deref().unwrap_or("+15145550123")},
            },
            "artifact": {"messages": messages, "structuredOutputs": outputs},
            "analysis": {"summary": self.summary, "structuredData": self.structured},
        }})
    }
}

impl DecidedCall<'_> {
    /// Whether the decision is P1.
    #[must_use]
    pub fn is_p1(&self) -> bool {
        self.decision.priority == Priority::P1
    }

    /// Whether the decision is P2.
    #[must_use]
    pub fn is_p2(&self) -> bool {
        self.decision.priority == Priority::P2
    }

    /// Whether the service matches the label; `None` if the label does not judge the service.
    #[must_use]
    pub fn service_is_right(&self) -> Option<bool> {
        Some(*self.call.expect.service.as_ref()? == self.decision.service)
    }

    /// Whether the area matches the label; `None` if the label does not judge the area.
    #[must_use]
    pub fn area_is_right(&self) -> Option<bool> {
        Some(*self.call.expect.area.as_ref()? == self.decision.area)
    }

    /// Whether the price matches the label; `None` if the label does not judge the price.
    #[must_use]
    pub fn price_is_right(&self) -> Option<bool> {
        let decided = self.decision.price.as_ref().map(|price| (price.from, price.to));
        Some(*self.call.expect.price.as_ref()? == decided)
    }

    /// Whether the language matches the label; `None` if the label does not judge the language.
    #[must_use]
    pub fn language_is_right(&self) -> Option<bool> {
        Some(*self.call.expect.language.as_ref()? == self.decision.language)
    }
}
