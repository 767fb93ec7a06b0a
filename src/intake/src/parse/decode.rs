//! Parses a verified body into an [`Event`].
//!
//! Pure and tolerant: Vapi's published schema is not enforced, and only four errors make a body [`Unreadable`]. If a
//! field of the message is missing or has the wrong type, it reads as absent. Extra fields are ignored. The parser
//! builds only the values that some code reads: see `lazy_json`.

use std::sync::OnceLock;

use sha2::{Digest, Sha256};

pub use super::event::{CallPart, Event, MessageType, Payload, Report, ToolRequest, status_rank};
use super::lazy_json::{JsonPart, LazyJson};
pub use super::turns::Turn;
use super::{tool_requests, turns};

/// Maximum nesting depth of a message. Vapi's messages nest about ten levels deep. `serde_json` and the database fail
/// slightly above this limit.
pub const DEPTH_LIMIT: usize = 100;
/// Maximum length of an id. It is longer than any Vapi id, and short enough for every database index.
pub const ID_LIMIT: usize = 255;

/// Why a body cannot be read. The body is stored anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// Not JSON.
    #[error("the body is not JSON: line {line}, column {column}")]
    NotJson {
        /// The line at which parsing failed.
        line: usize,
        /// The column at which parsing failed.
        column: usize,
    },
    /// Nested deeper than [`DEPTH_LIMIT`].
    #[error("the body nests deeper than {DEPTH_LIMIT}")]
    TooDeep,
    /// JSON without a `message` object.
    #[error("the body has no message object")]
    NoMessage,
}

/// Parses a body.
///
/// # Errors
/// If the body is not a message: see [`Unreadable`].
pub fn decode(body: &[u8]) -> Result<Event, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|_| Unreadable::NotUtf8)?;
    if too_deep(body) {
        return Err(Unreadable::TooDeep);
    }
    let document = LazyJson::member(without_nul(text.to_owned()), "message")
        .map_err(|error| {
            if error.is_data() {
                Unreadable::NoMessage
            } else {
                Unreadable::NotJson {
                    line: error.line(),
                    column: error.column(),
                }
            }
        })?
        .filter(|document| document.root().is_object())
        .ok_or(Unreadable::NoMessage)?;
    Ok(read(document, Sha256::digest(body).into()))
}

fn read(document: LazyJson, body_hash: [u8; 32]) -> Event {
    let message = document.root();
    let type_name = message.get("type").and_then(JsonPart::text).unwrap_or_default();
    let kind = MessageType::of(&type_name);
    let call = call(message);
    let payload = payload(kind, &type_name, message, call.as_ref());
    Event {
        kind,
        type_name: type_name.chars().take(100).collect(),
        at: message.get("timestamp").and_then(JsonPart::instant),
        call,
        body_hash,
        payload,
        turns: OnceLock::new(),
        structured: OnceLock::new(),
        document,
    }
}

fn call(message: JsonPart<'_>) -> Option<CallPart> {
    let call = message.get("call").filter(|call| call.is_object())?;
    let either = |path: &[&str]| {
        [message, call]
            .iter()
            .find_map(|part| part.at(path).and_then(JsonPart::text))
    };
    Some(CallPart {
        id: bounded(call.get("id"), ID_LIMIT),
        status: call.get("status").and_then(JsonPart::text),
        call_type: call.get("type").and_then(JsonPart::text),
        created_at: call.get("createdAt").and_then(JsonPart::instant),
        started_at: call.get("startedAt").and_then(JsonPart::instant),
        ended_at: call.get("endedAt").and_then(JsonPart::instant),
        customer_number: either(&["customer", "number"]),
        customer_name: either(&["customer", "name"]),
        phone_number: either(&["phoneNumber", "number"]),
        assistant_id: bounded(call.get("assistantId"), ID_LIMIT)
            .or_else(|| bounded(message.at(&["assistant", "id"]), ID_LIMIT)),
    })
}

fn payload(kind: MessageType, type_name: &str, message: JsonPart<'_>, call: Option<&CallPart>) -> Payload {
    let text = |name: &str| message.get(name).and_then(JsonPart::text);
    match kind {
        MessageType::EndOfCallReport => Payload::Report(Box::new(report(message, call))),
        MessageType::StatusUpdate => Payload::StatusUpdate {
            status: text("status").or_else(|| call?.status.clone()).unwrap_or_default(),
            ended_reason: text("endedReason"),
        },
        MessageType::ToolCalls => Payload::ToolCalls(tool_requests::read(message)),
        MessageType::Transcript => Payload::Transcript {
            role: turns::role(text("role").unwrap_or_default()),
            text: text("transcript").unwrap_or_default(),
            is_final: type_name.contains("\"final\"") || text("transcriptType").as_deref() == Some("final"),
        },
        MessageType::CallDeleted => Payload::CallDeleted,
        MessageType::AssistantRequest => Payload::AssistantRequest,
        MessageType::TransferDestinationRequest => Payload::TransferDestination,
        MessageType::HandoffDestinationRequest => {
            let parameter = |name: &str| message.at(&["parameters", name]).and_then(JsonPart::text);
            Payload::Handoff {
                destination: parameter("destination"),
                reason: parameter("reason"),
                parameters: message
                    .get("parameters")
                    .and_then(JsonPart::object)
                    .unwrap_or_else(|| serde_json::json!({})),
            }
        }
        MessageType::KnowledgeBaseRequest => Payload::KnowledgeBase {
            query: turns::last_caller_turn(&turns::read(message))
                .unwrap_or_default()
                .to_owned(),
        },
        MessageType::CallEndpointingRequest => Payload::Endpointing,
        MessageType::CampaignPredial => {
            let either = |name: &str| {
                ["contact", "customer"]
                    .iter()
                    .find_map(|whom| message.at(&[whom, name]).and_then(JsonPart::text))
            };
            Payload::Predial {
                campaign_id: bounded(message.get("campaignId"), ID_LIMIT),
                number: either("number"),
                name: either("name"),
            }
        }
        MessageType::VoiceRequest => Payload::VoiceRequest,
        _ => Payload::Other,
    }
}

fn report(message: JsonPart<'_>, call: Option<&CallPart>) -> Report {
    let analysis = message.get("analysis");
    let started_at = message
        .get("startedAt")
        .and_then(JsonPart::instant)
        .or_else(|| call?.started_at);
    let ended_at = message
        .get("endedAt")
        .and_then(JsonPart::instant)
        .or_else(|| call?.ended_at);
    let spoken_ms = [
        ("durationMs", 1),
        ("durationSeconds", 1000),
        ("durationMinutes", 60_000),
    ]
    .into_iter()
    .find_map(|(name, factor)| message.get(name)?.scaled(factor));
    let between = || Some((ended_at? - started_at?).num_milliseconds());
    Report {
        ended_reason: message.get("endedReason").and_then(JsonPart::text),
        started_at,
        ended_at,
        duration_ms: spoken_ms.or_else(between).filter(|ms| *ms >= 0),
        summary: analysis
            .and_then(|analysis| analysis.get("summary"))
            .and_then(JsonPart::text)
            .or_else(|| message.get("summary").and_then(JsonPart::text)),
        recording_url: recording_url(message),
        cost_micros: message
            .get("cost")
            .or_else(|| message.at(&["costBreakdown", "total"]))
            .and_then(|cost| cost.scaled(1_000_000)),
        analysis: analysis.and_then(JsonPart::object),
        structured_outputs: message
            .at(&["artifact", "structuredOutputs"])
            .or_else(|| message.at(&["call", "artifact", "structuredOutputs"]))
            .and_then(JsonPart::object),
        turns: turns::read(message),
    }
}

/// The URL of the recording, preferably mono. Presigned URLs are not used, because they expire and differ on each
/// delivery.
fn recording_url(message: JsonPart<'_>) -> Option<String> {
    const PLACES: [&[&str]; 5] = [
        &["artifact", "recording", "mono", "combinedUrl"],
        &["artifact", "recordingUrl"],
        &["recordingUrl"],
        &["artifact", "recording", "stereoUrl"],
        &["artifact", "stereoRecordingUrl"],
    ];
    PLACES
        .iter()
        .find_map(|place| message.at(place).and_then(JsonPart::text))
}

/// A string of 1 to `limit` bytes.
pub(crate) fn bounded(part: Option<JsonPart<'_>>, limit: usize) -> Option<String> {
    part?.text().filter(|text| !text.is_empty() && text.len() <= limit)
}

/// Whether arrays and objects nest deeper than [`DEPTH_LIMIT`]. Skips strings, which are most of a body.
fn too_deep(body: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut rest = body;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_LIMIT {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => rest = after_string(rest),
            _ => {}
        }
    }
    false
}

/// Returns the input after the closing quote of a string. `rest` starts after the opening quote.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        let escape = rest.get(at) == Some(&b'\\');
        rest = rest.get(at + 1 + usize::from(escape)..).unwrap_or(&[]);
        if !escape {
            return rest;
        }
    }
    &[]
}

/// Replaces every `\u0000` and every lone surrogate in JSON text by U+FFFD. `PostgreSQL` rejects `\u0000`, and
/// `serde_json` rejects lone surrogates. This function runs once before parsing, so no parsed string contains such an
/// escape.
pub(crate) fn without_nul(text: String) -> String {
    let bytes = text.as_bytes();
    let mut bad: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        at += found;
        match escaped_unit(bytes, at) {
            Some(0xD800..=0xDBFF) if matches!(escaped_unit(bytes, at + 6), Some(0xDC00..=0xDFFF)) => {
                at += 12;
            }
            Some(0 | 0xD800..=0xDFFF) => {
                bad.push(at);
                at += 6;
            }
            Some(_) => at += 6,
            // An escape of another kind is a backslash and one more byte.
            None => at += 2,
        }
    }
    if bad.is_empty() {
        return text;
    }
    let mut clean = text;
    for at in bad {
        // An escape is six ASCII bytes, so the range is on character boundaries and the length does not change.
        clean.replace_range(at..at + 6, "\\ufffd");
    }
    clean
}

/// The UTF-16 code unit of an escape `\uXXXX` at `at`.
fn escaped_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
