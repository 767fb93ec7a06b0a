//! [`Event`], a parsed message: the type that the rest of the webhook uses.

use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::decode::{ID_LIMIT, bounded};
use super::lazy_json::{JsonPart, LazyJson};
use super::structured::{self, Structured};
use super::turns::{self, Turn};
use rules::hearing::AGENT_LINE;

/// The message type with which older assistants call one tool.
const FUNCTION_CALL: &str = "function-call";

macro_rules! kinds {
    ($($variant:ident = $text:literal),+ $(,)?) => {
        /// Vapi's message types. `Unknown` is any type that Vapi adds later.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum MessageType {
            $(#[doc = concat!("`", $text, "`")] $variant,)+
            /// A type without a published schema.
            Unknown,
        }

        impl MessageType {
            /// Every published type.
            pub const ALL: &'static [MessageType] = &[$(MessageType::$variant),+];

            /// The type's name in Vapi's messages; `unknown` for `Unknown`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(MessageType::$variant => $text,)+
                    MessageType::Unknown => "unknown",
                }
            }

            /// The type with this name. `transcript[transcriptType="final"]` is a transcript too.
            #[must_use]
            pub fn of(type_name: &str) -> Self {
                match type_name {
                    $($text => MessageType::$variant,)+
                    name if name.starts_with("transcript[") => MessageType::Transcript,
                    FUNCTION_CALL => MessageType::ToolCalls,
                    _ => MessageType::Unknown,
                }
            }
        }
    };
}

kinds! {
    AssistantRequest = "assistant-request",
    AssistantSpeechStarted = "assistant.speechStarted",
    CallArtifactUpload = "call.artifact.upload",
    CallDeleteFailed = "call.delete.failed",
    CallDeleted = "call.deleted",
    CallEndpointingRequest = "call.endpointing.request",
    CampaignPredial = "campaign.predial",
    ChatCreated = "chat.created",
    ChatDeleted = "chat.deleted",
    ConversationUpdate = "conversation-update",
    EndOfCallReport = "end-of-call-report",
    HandoffDestinationRequest = "handoff-destination-request",
    Hang = "hang",
    KnowledgeBaseRequest = "knowledge-base-request",
    LanguageChangeDetected = "language-change-detected",
    ModelOutput = "model-output",
    PhoneCallControl = "phone-call-control",
    SessionCreated = "session.created",
    SessionDeleted = "session.deleted",
    SessionUpdated = "session.updated",
    SpeechUpdate = "speech-update",
    StatusUpdate = "status-update",
    ToolCalls = "tool-calls",
    Transcript = "transcript",
    TransferDestinationRequest = "transfer-destination-request",
    TransferUpdate = "transfer-update",
    UserInterrupted = "user-interrupted",
    VoiceInput = "voice-input",
    VoiceRequest = "voice-request",
}

/// One parsed message. No string in an event contains a NUL, because `PostgreSQL` would reject the NUL.
#[derive(Debug)]
pub struct Event {
    pub kind: MessageType,
    /// The type as received, at most 100 characters; empty if missing.
    pub type_name: String,
    /// When Vapi created the message.
    pub at: Option<DateTime<Utc>>,
    /// The call that the message belongs to.
    pub call: Option<CallPart>,
    /// SHA-256 of the body as received.
    pub body_hash: [u8; 32],
    /// The type-specific content.
    pub payload: Payload,
    pub(crate) document: LazyJson,
    pub(crate) turns: OnceLock<Vec<Turn>>,
    pub(crate) structured: OnceLock<Structured>,
}

/// The call data of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallPart {
    /// Vapi's id of the call, at most 255 characters.
    pub id: Option<String>,
    /// The call's state when the message was created.
    pub status: Option<String>,
    /// Vapi's type of the call, for example `inboundPhoneCall`.
    pub call_type: Option<String>,
    /// When Vapi created the call.
    pub created_at: Option<DateTime<Utc>>,
    /// When the call was picked up.
    pub started_at: Option<DateTime<Utc>>,
    /// When the call ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// The caller's number.
    pub customer_number: Option<String>,
    /// The caller's name.
    pub customer_name: Option<String>,
    /// The phone number of the business in this call.
    pub phone_number: Option<String>,
    /// The assistant on the call.
    pub assistant_id: Option<String>,
}

/// The type-specific content of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// The end-of-call report.
    Report(Box<Report>),
    /// The state of the call changed.
    StatusUpdate {
        /// The state; empty if missing.
        status: String,
        /// Why the call ended, if it has ended.
        ended_reason: Option<String>,
    },
    /// Tool calls of the assistant.
    ToolCalls(Vec<ToolRequest>),
    /// The caller or the assistant said something.
    Transcript {
        /// `user` or `assistant`.
        role: String,
        /// The spoken words.
        text: String,
        /// Whether the transcript of this sentence is final.
        is_final: bool,
    },
    /// Vapi deleted the call, so its data must be erased.
    CallDeleted,
    /// Vapi asks which assistant should take the call.
    AssistantRequest,
    /// Vapi asks where to transfer the call.
    TransferDestination,
    /// Vapi asks which assistant or person should take over the call.
    Handoff {
        /// The destination requested by the model.
        destination: Option<String>,
        reason: Option<String>,
        /// All parameters from the model, as a JSON object.
        parameters: Value,
    },
    /// Vapi asks for documents that answer the caller's question.
    KnowledgeBase {
        /// The caller's last words, as Vapi sends them.
        query: String,
    },
    /// Vapi asks how long the assistant should wait before it speaks.
    Endpointing,
    /// Vapi asks whether it may dial a contact of a campaign.
    Predial {
        campaign_id: Option<String>,
        /// The contact's number.
        number: Option<String>,
        /// The contact's name.
        name: Option<String>,
    },
    /// A text-to-speech request, which Ringbook does not serve.
    VoiceRequest,
    /// Any other type. The message is only stored.
    Other,
}

/// The content of the end-of-call report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Why the call ended, as a string: Vapi has over 600 values and adds more.
    pub ended_reason: Option<String>,
    /// When the call was picked up.
    pub started_at: Option<DateTime<Utc>>,
    /// When the call ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Duration of the call.
    pub duration_ms: Option<i64>,
    /// Vapi's summary.
    pub summary: Option<String>,
    /// URL of the recording.
    pub recording_url: Option<String>,
    /// The cost of the call, in millionths of a dollar.
    pub cost_micros: Option<i64>,
    /// Vapi's analysis, as a JSON object with summary, structured data and evaluation.
    pub analysis: Option<Value>,
    /// The assistant's structured outputs, as a JSON object with the output ids as keys.
    pub structured_outputs: Option<Value>,
    /// The turns of the call in order, without the prompt.
    pub turns: Vec<Turn>,
}

/// A tool call of the assistant.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolRequest {
    /// The id that the response must repeat exactly; empty if missing.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments, as a JSON object.
    pub arguments: Value,
}

impl Event {
    /// The call's id, if the message contains it.
    #[must_use]
    pub fn call_id(&self) -> Option<&str> {
        self.call.as_ref()?.id.as_deref()
    }

    /// Whether this is a `function-call`. Older assistants send this type and expect one result instead of a list.
    #[must_use]
    pub fn is_function_call(&self) -> bool {
        self.type_name == FUNCTION_CALL
    }

    /// The kind and the id of the call, chat or session that the message belongs to.
    #[must_use]
    pub fn scope(&self) -> Option<(&'static str, String)> {
        if let Some(call) = self.call_id() {
            return Some(("call", call.to_owned()));
        }
        let message = self.message();
        let id = |place: &[&str]| bounded(message.at(place), ID_LIMIT);
        let session = || {
            id(&["session", "id"])
                .or_else(|| id(&["sessionId"]))
                .or_else(|| id(&["chat", "sessionId"]))
        };
        let chat = id(&["chat", "id"]).or_else(|| id(&["chatId"])).map(|id| ("chat", id));
        chat.or_else(|| Some(("session", session()?)))
    }

    /// The turns so far, without the prompt. Empty if the message contains no turns.
    #[must_use]
    pub fn turns(&self) -> &[Turn] {
        if let Payload::Report(report) = &self.payload {
            return &report.turns;
        }
        self.turns.get_or_init(|| turns::read(self.document.root())).as_slice()
    }

    /// Returns only the caller's words, because the agent's question "is it flooding?" does not report a flood.
    #[must_use]
    pub fn said(&self) -> Vec<&str> {
        let said: Vec<&str> = self
            .turns()
            .iter()
            .filter(|turn| turn.role == "user")
            .map(|turn| turn.text.as_str())
            .collect();
        match &self.payload {
            Payload::Transcript { role, text, .. } if said.is_empty() && role == "user" => {
                vec![text.as_str()]
            }
            _ => said,
        }
    }

    /// The words of the agent and the caller, one line per turn. A line of the agent begins with [`AGENT_LINE`]. The
    /// agent's lines are included, because a short answer is clear only together with the question.
    #[must_use]
    pub fn conversation(&self) -> String {
        let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let turns = self.turns().iter().filter_map(|turn| match turn.role.as_str() {
            "user" => Some(line(&turn.text).trim_start_matches(AGENT_LINE).to_owned()),
            "assistant" => Some(format!("{AGENT_LINE}{}", ending(&line(&turn.text)))),
            _ => None,
        });
        let lines: Vec<String> = turns.filter(|line| !line.is_empty() && line != AGENT_LINE).collect();
        match &self.payload {
            Payload::Transcript { role, text, .. } if lines.is_empty() && role == "user" => line(text),
            _ => lines.join("\n"),
        }
    }

    /// The values at an RFC 6901 pointer into the message (without `/message`). A pointer under `/arguments/` reads the
    /// given tool arguments. A pointer under `/structuredOutputs/NAME/` reads the structured output of that name. Empty
    /// if the value is absent or null, or the pointer is invalid. A pointer can match several values.
    #[must_use]
    pub fn values(&self, pointer: &str, arguments: Option<&Value>) -> Vec<Value> {
        let found = if pointer == "/arguments" || pointer.starts_with("/arguments/") {
            let rest = pointer.get("/arguments".len()..).unwrap_or("");
            arguments.and_then(|arguments| structured::at(arguments, rest))
        } else {
            let structured = self.structured.get_or_init(|| Structured::read(self.message()));
            if let Some(found) = structured.at(pointer) {
                return found;
            }
            self.message().pointer(pointer).map(JsonPart::value)
        };
        found.filter(|value| !value.is_null()).into_iter().collect()
    }

    /// The first value that [`values`](Self::values) returns.
    #[must_use]
    pub fn lookup(&self, pointer: &str, arguments: Option<&Value>) -> Option<Value> {
        self.values(pointer, arguments).into_iter().next()
    }

    /// The whole message, for reading other fields.
    #[must_use]
    pub fn message(&self) -> JsonPart<'_> {
        self.document.root()
    }
}

/// Maximum length of an agent's turn, in bytes. A longer turn is cut at its start, because the end contains the
/// question.
const MAX_ASKED: usize = 400;

fn ending(text: &str) -> &str {
    let start = text.ceil_char_boundary(text.len().saturating_sub(MAX_ASKED));
    text.get(start..).unwrap_or_default()
}

/// The rank of a call's state. A call moves only to states with a greater rank. Unknown states have rank 0.
#[must_use]
pub fn status_rank(status: &str) -> i16 {
    match status {
        "scheduled" => 1,
        "queued" => 2,
        "ringing" => 3,
        "in-progress" => 4,
        "forwarding" => 5,
        "ended" => 6,
        _ => 0,
    }
}
