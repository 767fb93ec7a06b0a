//! Builds the webhook response of each message type, as JSON that Vapi's schema allows.
//!
//! Vapi ignores a body whose status is not 200. If an assistant request fails, the caller hears an error from Vapi. So
//! Ringbook answers a failed tool and a refused call with status 200 too. In the table below, only `voice-request` has
//! another status.
//!
//! | message | answer |
//! |---|---|
//! | tool-calls | [`Answer::ToolResults`] |
//! | function-call | [`Answer::FunctionResult`] |
//! | assistant-request | [`Answer::Assistant`], [`Answer::Destination`] or [`Answer::Spoken`] |
//! | transfer-destination-request | [`Answer::Destination`] or [`Answer::Spoken`] |
//! | handoff-destination-request | [`Answer::Handoff`] |
//! | knowledge-base-request | [`Answer::Documents`] |
//! | call.endpointing.request | [`Answer::Endpointing`] |
//! | campaign.predial | [`Answer::Predial`] |
//! | voice-request | [`Answer::NotOurs`] with status 400, because Vapi would play the body of a 200 as audio |
//! | any other | [`Answer::Neutral`], an empty object |
//!
//! If no rule applies to a request, [`neutral`] gives the response that leaves the call as it would be without
//! Ringbook.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::parse::event::{Event, MessageType};

/// Vapi's maximum length of a sentence in a transfer's message.
const SENTENCE_LIMIT: usize = 1000;

/// The response to a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// An empty object: `{}`.
    Neutral,
    /// Ringbook cannot serve this request. The reason appears in Vapi's log.
    NotOurs(&'static str),
    /// One result for each tool call.
    ToolResults(Vec<ToolResult>),
    /// The result of the only tool call in a `function-call` message. Older assistants send this message type.
    FunctionResult(ToolResult),
    /// The assistant or squad that takes the call, and the values of its variables.
    Assistant(AssistantAnswer),
    /// The phone number to which Vapi transfers the call.
    Destination(Destination),
    /// A sentence that Vapi speaks to the caller: a refusal or an apology.
    Spoken(String),
    /// The destination of a handoff.
    Handoff(HandoffDestination),
    /// Documents from the knowledge base.
    Documents(Vec<Document>),
    /// How long the assistant waits before it speaks, in tenths of a second, at most 150. With this unit, no float is
    /// needed.
    Endpointing { timeout_tenths: u8 },
    /// Whether Vapi may dial a contact of a campaign.
    Predial { eligible: bool },
}

/// The result of one tool call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult {
    /// The id of the tool call, exactly as received.
    pub tool_call_id: String,
    /// The tool's name, which Vapi's schema requires.
    pub name: String,
    /// The result, or a failure message for the assistant.
    pub result: Result<String, String>,
}

/// Which assistant or squad takes a call. If both ids are set, `assistant_id` is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssistantAnswer {
    pub assistant_id: Option<String>,
    pub squad_id: Option<String>,
    /// Values for the assistant's `{{variables}}`: the current prices and hours.
    pub variable_values: BTreeMap<String, String>,
    /// The first sentence of the assistant. `None` means the assistant's own default.
    pub first_message: Option<String>,
}

/// A phone number to which a call is transferred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destination {
    /// The phone number, in E.164 format.
    pub number: String,
    /// The sentence spoken to the caller before the transfer.
    pub message: Option<String>,
    /// The caller ID that the destination sees.
    pub caller_id: Option<String>,
    /// The extension, dialed after the number.
    pub extension: Option<String>,
    /// Why this destination was chosen, for the log.
    pub description: Option<String>,
}

/// The destination of a handoff: the assistant or person who takes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandoffDestination {
    /// A saved assistant.
    Assistant {
        assistant_id: String,
    },
    /// A member of the running squad, by name.
    AssistantName {
        assistant_name: String,
    },
    Number(Destination),
    /// Nobody takes over, and `error` is the reason. Vapi's schema requires a destination even then, so the response
    /// has an empty destination.
    Nobody {
        error: String,
    },
}

/// A document that the assistant uses for its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub content: String,
    /// Similarity to the query, in thousandths.
    pub similarity_thousandths: u16,
    pub uuid: Option<String>,
}

/// Returns the response for a request if no rule applies. The response leaves the call as it would be without Ringbook.
#[must_use]
pub fn neutral(kind: MessageType) -> Answer {
    match kind {
        MessageType::ToolCalls => Answer::ToolResults(Vec::new()),
        MessageType::AssistantRequest => {
            Answer::Spoken("We cannot take this call right now. Please call again later.".to_owned())
        }
        MessageType::TransferDestinationRequest => {
            Answer::Spoken("There is nobody to transfer this call to.".to_owned())
        }
        MessageType::HandoffDestinationRequest => Answer::Handoff(HandoffDestination::Nobody {
            error: "There is nobody to hand this call over to.".to_owned(),
        }),
        MessageType::KnowledgeBaseRequest => Answer::Documents(Vec::new()),
        // Vapi's own default is about half a second.
        MessageType::CallEndpointingRequest => Answer::Endpointing { timeout_tenths: 5 },
        MessageType::CampaignPredial => Answer::Predial { eligible: true },
        MessageType::VoiceRequest => {
            Answer::NotOurs("Ringbook makes no speech: point the voice's server URL at a voice provider")
        }
        _ => Answer::Neutral,
    }
}

impl ToolResult {
    /// A successful result. A string stays unchanged. A value of another JSON type becomes JSON text on one line.
    #[must_use]
    pub fn ok(tool_call_id: &str, name: &str, result: &Value) -> Self {
        let text = match result {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self {
            tool_call_id: tool_call_id.to_owned(),
            name: name.to_owned(),
            result: Ok(text),
        }
    }

    /// A failed result. `error` is a sentence for the assistant.
    #[must_use]
    pub fn failed(tool_call_id: &str, name: &str, error: impl Into<String>) -> Self {
        Self {
            tool_call_id: tool_call_id.to_owned(),
            name: name.to_owned(),
            result: Err(error.into()),
        }
    }

    fn to_json(&self) -> Value {
        let (key, text) = match &self.result {
            Ok(text) => ("result", text),
            Err(text) => ("error", text),
        };
        json!({"toolCallId": self.tool_call_id, "name": self.name, key: one_line(text)})
    }
}

impl Answer {
    /// Puts tool results into the format that the message type requires.
    #[must_use]
    pub fn of_tools(event: &Event, mut results: Vec<ToolResult>) -> Self {
        match results.pop() {
            Some(last) if event.is_function_call() => Self::FunctionResult(last),
            last => {
                results.extend(last);
                Self::ToolResults(results)
            }
        }
    }

    /// The body as a JSON value.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Neutral => json!({}),
            Self::NotOurs(why) => json!({"error": why}),
            Self::ToolResults(results) => {
                json!({"results": results.iter().map(ToolResult::to_json).collect::<Vec<_>>()})
            }
            // The format has no field for a failure, so the failure message is the result.
            Self::FunctionResult(one) => {
                let (Ok(text) | Err(text)) = &one.result;
                json!({"result": one_line(text)})
            }
            Self::Assistant(assistant) => assistant.to_json(),
            Self::Destination(destination) => json!({"destination": destination.to_json()}),
            Self::Spoken(sentence) => json!({"error": one_line(sentence)}),
            Self::Handoff(handoff) => handoff.to_json(),
            Self::Documents(documents) => {
                json!({"documents": documents.iter().map(Document::to_json).collect::<Vec<_>>()})
            }
            Self::Endpointing { timeout_tenths } => {
                json!({"timeoutSeconds": f64::from((*timeout_tenths).min(150)) / 10.0})
            }
            Self::Predial { eligible } => json!({"eligible": eligible}),
        }
    }

    /// Serializes the body, which Ringbook sends and stores.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_json().to_string().into_bytes()
    }
}

impl AssistantAnswer {
    fn to_json(&self) -> Value {
        let mut overrides = Map::new();
        if !self.variable_values.is_empty() {
            overrides.insert("variableValues".to_owned(), json!(self.variable_values));
        }
        if let Some(first) = &self.first_message {
            overrides.insert("firstMessage".to_owned(), json!(first));
        }
        let (id, overridden) = match (&self.assistant_id, &self.squad_id) {
            (None, Some(squad)) => (json!({"squadId": squad}), "squadOverrides"),
            (assistant, _) => (json!({"assistantId": assistant}), "assistantOverrides"),
        };
        let mut body = id;
        if let Some(body) = body.as_object_mut() {
            body.retain(|_, id| !id.is_null());
            if !overrides.is_empty() {
                body.insert(overridden.to_owned(), Value::Object(overrides));
            }
        }
        body
    }
}

impl Destination {
    fn to_json(&self) -> Value {
        let mut body = Map::new();
        body.insert("type".to_owned(), json!("number"));
        body.insert("number".to_owned(), json!(self.number));
        let optional = [
            ("message", self.message.as_deref().map(sentence)),
            ("callerId", self.caller_id.clone()),
            ("extension", self.extension.clone()),
            ("description", self.description.clone()),
        ];
        for (name, text) in optional {
            if let Some(text) = text {
                body.insert(name.to_owned(), json!(text));
            }
        }
        Value::Object(body)
    }
}

impl HandoffDestination {
    fn to_json(&self) -> Value {
        let destination = match self {
            Self::Assistant { assistant_id } => {
                json!({"type": "assistant", "assistantId": assistant_id})
            }
            Self::AssistantName { assistant_name } => {
                json!({"type": "assistant", "assistantName": assistant_name})
            }
            Self::Number(destination) => destination.to_json(),
            Self::Nobody { error } => {
                return json!({"error": one_line(error), "destination": {}});
            }
        };
        json!({"destination": destination})
    }
}

impl Document {
    fn to_json(&self) -> Value {
        let mut body = json!({
            "content": self.content,
            "similarity": f64::from(self.similarity_thousandths.min(1000)) / 1000.0,
        });
        if let (Some(uuid), Some(body)) = (&self.uuid, body.as_object_mut()) {
            body.insert("uuid".to_owned(), json!(uuid));
        }
        body
    }
}

/// Joins the lines of a text, because Vapi drops a result with a line break.
fn one_line(text: &str) -> String {
    let breaks = |character: char| {
        matches!(
            character,
            '\n' | '\r' | '\u{0b}' | '\u{0c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    if !text.contains(breaks) {
        return text.to_owned();
    }
    text.split(breaks)
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn sentence(text: &str) -> String {
    one_line(text).chars().take(SENTENCE_LIMIT).collect()
}
