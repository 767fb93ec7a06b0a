//! What is the same thing. In: an [`Event`]. Out: the keys under which it and its parts are recorded once.
//!
//! | message | key within the rulebook |
//! |---|---|
//! | end-of-call-report, call.deleted | call id, type |
//! | status-update | call id, type, status |
//! | tool-calls | call id, tool call id: one key per tool call |
//! | every other, and any without a call id | call id if any, type, message timestamp, hash of the type's own fields |
//!
//! Vapi sends no event id, and its presigned URLs differ on each delivery, so neither an id nor the body's hash
//! finds a retry.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::document::Part;
use super::event::{Event, Kind, Payload};

/// Fields that every type shares or that change from delivery to delivery.
const NOT_OWN: [&str; 9] = [
    "type",
    "timestamp",
    "artifact",
    "call",
    "phoneNumber",
    "customer",
    "assistant",
    "assistantVersion",
    "assistantOverrides",
];

impl Event {
    /// The business keys: one per tool call of a tool-calls message, else exactly one.
    #[must_use]
    pub fn business_keys(&self) -> Vec<String> {
        match (self.call_id(), &self.payload) {
            (Some(call), Payload::ToolCalls(requests)) if !requests.is_empty() => requests
                .iter()
                .map(|request| tool_call_key(call, &request.id))
                .collect(),
            _ => vec![self.event_key()],
        }
    }

    /// The one key of the message as a whole; that of a tool-calls message follows from all its tool call ids.
    #[must_use]
    pub fn event_key(&self) -> String {
        let kind = match self.kind {
            Kind::Unknown => component(&self.type_name),
            kind => kind.as_str().to_owned(),
        };
        match (self.call_id(), &self.payload) {
            (Some(call), Payload::Report(_) | Payload::CallDeleted) => {
                format!("{}/{kind}", component(call))
            }
            (Some(call), Payload::StatusUpdate { status, .. }) if !status.is_empty() => {
                format!("{}/{kind}/{}", component(call), component(status))
            }
            (Some(call), Payload::ToolCalls(requests)) if !requests.is_empty() => {
                let mut ids: Vec<&str> = requests.iter().map(|one| one.id.as_str()).collect();
                ids.sort_unstable();
                format!("{}/{kind}/{}", component(call), component(&ids.join("+")))
            }
            (call, _) => {
                let call = call.map_or_else(|| "-".to_owned(), component);
                let at = self
                    .at
                    .map_or_else(|| "-".to_owned(), |at| at.timestamp_millis().to_string());
                format!("{call}/{kind}/{at}/{}", hex::encode(self.own_hash()))
            }
        }
    }

    /// SHA-256 of the fields that are the type's own, in the order of their names, without the addresses in them.
    #[must_use]
    pub fn own_hash(&self) -> [u8; 32] {
        let mut fields: Vec<Part<'_>> = self
            .message()
            .children()
            .filter(|field| {
                let name = field.name();
                !NOT_OWN.contains(&name) && !name.ends_with("Url") && !name.ends_with("url")
            })
            .collect();
        // Stable, so that of a field that is there twice the last one stays last.
        fields.sort_by_key(|field| field.name());
        let mut hash = Sha256::new();
        for field in fields {
            update(&mut hash, field.name());
            if field.raw().contains("://") {
                let mut value = field.value();
                drop_addresses(&mut value);
                update(&mut hash, &value.to_string());
            } else {
                update(&mut hash, field.raw());
            }
        }
        hash.finalize().into()
    }
}

/// The business key of one tool call.
#[must_use]
pub fn tool_call_key(call_id: &str, tool_call_id: &str) -> String {
    format!("{}/tool-call/{}", component(call_id), component(tool_call_id))
}

/// With its length in front, so that no two lists of texts run together into the same bytes.
fn update(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text.as_bytes());
}

fn drop_addresses(value: &mut Value) {
    match value {
        Value::String(text) if text.contains("://") => *value = Value::Null,
        Value::Array(items) => items.iter_mut().for_each(drop_addresses),
        Value::Object(members) => members.values_mut().for_each(drop_addresses),
        _ => {}
    }
}

/// A piece of a key: itself when it is short and plain, else its hash, so that no id can reach into another's
/// key or grow past what an index takes.
fn component(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+".contains(&byte);
    if !text.is_empty() && text.len() <= 120 && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("#{}", hex::encode(Sha256::digest(text.as_bytes())))
    }
}
