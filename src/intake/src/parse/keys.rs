//! Idempotency keys: each event and each tool call is recorded once under its key.
//!
//! | message | key within the rulebook |
//! |---|---|
//! | end-of-call-report, call.deleted | call id, type |
//! | status-update | call id, type, status |
//! | tool-calls | call, chat or session id, and each tool call's id, name and arguments |
//! | any other type, or no call id | call id if any, type, message timestamp, hash of the type's own fields |
//!
//! Vapi sends no event id, and its presigned URLs differ on each delivery. So neither an id nor the body's hash
//! identifies a retry.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::event::{Event, MessageType, Payload, ToolRequest};
use super::lazy_json::JsonPart;

/// Fields that all types share, or that change from delivery to delivery.
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
    /// The business key of the message. The key of a tool-calls message is derived from all its tool calls.
    #[must_use]
    pub fn event_key(&self) -> String {
        let kind = match self.kind {
            MessageType::Unknown => component(&self.type_name),
            kind => kind.as_str().to_owned(),
        };
        match (self.call_id(), &self.payload) {
            (Some(call), Payload::Report(_) | Payload::CallDeleted) => {
                format!("{}/{kind}", component(call))
            }
            (Some(call), Payload::StatusUpdate { status, .. }) if !status.is_empty() => {
                format!("{}/{kind}/{}", component(call), component(status))
            }
            (call, Payload::ToolCalls(requests)) if !requests.is_empty() && self.scope().is_some() => {
                let mut keys: Vec<String> = requests.iter().map(|one| self.tool_call_key(one)).collect();
                keys.sort_unstable();
                let call = call.map_or_else(|| "-".to_owned(), component);
                format!("{call}/{kind}/{}", hex::encode(Sha256::digest(keys.concat())))
            }
            (call, _) => format!(
                "{}/{kind}/{}",
                call.map_or_else(|| "-".to_owned(), component),
                self.own_key()
            ),
        }
    }

    /// The key of one tool call. Two tool calls of one call, chat or session are duplicates if their ids, names and
    /// arguments are the same. Without a call, chat or session, only a repeat of the same message is a duplicate.
    #[must_use]
    pub fn tool_call_key(&self, request: &ToolRequest) -> String {
        let (kind, scope) = self.scope().unwrap_or_else(|| ("message", self.own_key()));
        let mut hash = Sha256::new();
        // Object members are sorted by name, so their order in the message does not matter.
        let arguments = request.arguments.to_string();
        for part in [kind, &scope, &request.id, &request.name, &arguments] {
            update(&mut hash, part);
        }
        hex::encode(hash.finalize())
    }

    /// Returns the message's timestamp and [`Self::own_hash`], as one string.
    fn own_key(&self) -> String {
        let at = self
            .at
            .map_or_else(|| "-".to_owned(), |at| at.timestamp_millis().to_string());
        format!("{at}/{}", hex::encode(self.own_hash()))
    }

    /// Computes the SHA-256 of the fields that only this message type has, sorted by name. URLs in the fields are left
    /// out.
    #[must_use]
    pub fn own_hash(&self) -> [u8; 32] {
        let mut fields: Vec<JsonPart<'_>> = self
            .message()
            .children()
            .filter(|field| {
                let name = field.name();
                !NOT_OWN.contains(&name) && !name.ends_with("Url") && !name.ends_with("url")
            })
            .collect();
        // The sort is stable: the last of several fields with the same name stays last.
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

/// Hashes the length of the string, and then the string. So two different lists of strings never give the same bytes.
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

/// Returns one component of a key: a short and plain string unchanged, and the hash of any other string. So no id can
/// imitate part of another key or exceed the maximum length of an index.
fn component(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+".contains(&byte);
    if !text.is_empty() && text.len() <= 120 && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("#{}", hex::encode(Sha256::digest(text.as_bytes())))
    }
}
