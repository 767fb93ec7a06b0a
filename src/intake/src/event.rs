//! What a message says. In: the parts that `decode` read. Out: [`Event`], the shape the rest of the webhook works on.

use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::decode::{ID_LIMIT, bounded};
use super::document::{Document, Part};
use super::structured::{self, Structured};
use super::turns::{self, Turn};
use rules::hearing::AGENT_LINE;

/// How older assistants ask for one tool.
const FUNCTION_CALL: &str = "function-call";

macro_rules! kinds {
    ($($variant:ident = $text:literal),+ $(,)?) => {
        /// Vapi's message types, and `Unknown` for those it adds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $(#[doc = concat!("`", $text, "`")] $variant,)+
            /// A type without a published schema.
            Unknown,
        }

        impl Kind {
            /// Every published type.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant),+];

            /// The type's name on the wire; `unknown` for the others.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Kind::$variant => $text,)+
                    Kind::Unknown => "unknown",
                }
            }

            /// The type behind a name. `transcript[transcriptType="final"]` is a transcript too.
            #[must_use]
            pub fn of(type_name: &str) -> Self {
                match type_name {
                    $($text => Kind::$variant,)+
                    name if name.starts_with("transcript[") => Kind::Transcript,
                    FUNCTION_CALL => Kind::ToolCalls,
                    _ => Kind::Unknown,
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

/// One message, read. No text in it holds a NUL, which `PostgreSQL` would refuse.
#[derive(Debug)]
pub struct Event {
    /// Its type.
    pub kind: Kind,
    /// The type as it was written, at most 100 characters; empty when there was none.
    pub type_name: String,
    /// When Vapi made the message.
    pub at: Option<DateTime<Utc>>,
    /// The call it belongs to.
    pub call: Option<CallPart>,
    /// SHA-256 of the body as it came.
    pub body_hash: [u8; 32],
    /// What is particular to the type.
    pub payload: Payload,
    pub(super) document: Document,
    pub(super) turns: OnceLock<Vec<Turn>>,
    pub(super) structured: OnceLock<Structured>,
}

/// What a message says about its call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallPart {
    /// Vapi's id of the call, at most 255 characters.
    pub id: Option<String>,
    /// The call's state when the message was made.
    pub status: Option<String>,
    /// `inboundPhoneCall` and the like.
    pub call_type: Option<String>,
    /// When the call was made known to Vapi.
    pub created_at: Option<DateTime<Utc>>,
    /// When it was picked up.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// The caller's number.
    pub customer_number: Option<String>,
    /// The caller's name.
    pub customer_name: Option<String>,
    /// Our number, the one that was called.
    pub phone_number: Option<String>,
    /// The assistant on the call.
    pub assistant_id: Option<String>,
}

/// What is particular to a message's type.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// The call is over; here is all of it.
    Report(Box<Report>),
    /// The call moved to another state.
    StatusUpdate {
        /// The state; empty when none was given.
        status: String,
        /// Why it ended, when it did.
        ended_reason: Option<String>,
    },
    /// The assistant wants tools run.
    ToolCalls(Vec<ToolRequest>),
    /// Something was said.
    Transcript {
        /// `user` or `assistant`.
        role: String,
        /// What was said.
        text: String,
        /// Whether the text will not change any more.
        is_final: bool,
    },
    /// The call's data must go.
    CallDeleted,
    /// Who should take this call?
    AssistantRequest,
    /// Where should this call be transferred to?
    TransferDestination,
    /// Which assistant or person should take over?
    Handoff {
        /// The wanted destination, as the model named it.
        destination: Option<String>,
        /// Why.
        reason: Option<String>,
        /// Everything the model gave, an object.
        parameters: Value,
    },
    /// What do we know about this?
    KnowledgeBase {
        /// The caller's last words.
        query: String,
    },
    /// How long should the assistant wait before it speaks?
    Endpointing,
    /// May this contact of a campaign be dialled?
    Predial {
        /// The campaign.
        campaign_id: Option<String>,
        /// The contact's number.
        number: Option<String>,
        /// The contact's name.
        name: Option<String>,
    },
    /// Make speech out of text: not ours.
    VoiceRequest,
    /// A type that needs nothing but being kept.
    Other,
}

/// What the end-of-call report holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Why the call ended, as text: Vapi has over 600 values and adds more.
    pub ended_reason: Option<String>,
    /// When it was picked up.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// How long it took.
    pub duration_ms: Option<i64>,
    /// Vapi's summary.
    pub summary: Option<String>,
    /// Where the recording lies.
    pub recording_url: Option<String>,
    /// What the call cost, in millionths of a dollar.
    pub cost_micros: Option<i64>,
    /// Vapi's analysis, an object: summary, structured data, evaluation.
    pub analysis: Option<Value>,
    /// The assistant's structured outputs, an object by id.
    pub structured_outputs: Option<Value>,
    /// What was said and done, in order, without the prompt.
    pub turns: Vec<Turn>,
}

/// A tool that the assistant wants run.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolRequest {
    /// The id that the answer must repeat exactly; empty when there is none.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// Its arguments, an object.
    pub arguments: Value,
}

impl Event {
    /// The call's id, if the message names one.
    #[must_use]
    pub fn call_id(&self) -> Option<&str> {
        self.call.as_ref()?.id.as_deref()
    }

    /// Whether an older assistant asks for one tool and waits for its bare result.
    #[must_use]
    pub fn is_function_call(&self) -> bool {
        self.type_name == FUNCTION_CALL
    }

    /// The call, chat or session that the message belongs to: its kind and id.
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

    /// What was said and done so far, as far as the message carries it, without the prompt.
    #[must_use]
    pub fn turns(&self) -> &[Turn] {
        if let Payload::Report(report) = &self.payload {
            return &report.turns;
        }
        self.turns.get_or_init(|| turns::read(self.document.root())).as_slice()
    }

    /// What the caller said, and nobody else: the agent's "is it flooding?" is no flood.
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

    /// What the agent and the caller said, a line a turn, the agent's after [`AGENT_LINE`]: a short answer means what was
    /// asked.
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

    /// What lies at an RFC 6901 pointer into the message (without `/message`), under `/arguments/` in the given tool
    /// arguments, or under `/structuredOutputs/NAME/` in the structured output of that name. Nothing when nothing is there,
    /// or null is, or the pointer is none; more than one where the pointer leads to several.
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
            self.message().pointer(pointer).map(Part::value)
        };
        found.filter(|value| !value.is_null()).into_iter().collect()
    }

    /// The first of them.
    #[must_use]
    pub fn lookup(&self, pointer: &str, arguments: Option<&Value>) -> Option<Value> {
        self.values(pointer, arguments).into_iter().next()
    }

    /// The whole message, to look into.
    #[must_use]
    pub fn message(&self) -> Part<'_> {
        self.document.root()
    }
}

/// How much of what the agent said is kept, in bytes: its question stands at the end.
const MAX_ASKED: usize = 400;

fn ending(text: &str) -> &str {
    let start = text.ceil_char_boundary(text.len().saturating_sub(MAX_ASKED));
    text.get(start..).unwrap_or_default()
}

/// How far along a call is: a call's state only ever moves to a greater rank. Unknown states have rank 0.
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
