//! Builds the `end-of-call-report` that Vapi would have posted, from an ended call in Vapi's list. The report has the
//! same fields in the same places as Vapi's own report. The same call always gives the same bytes.

use serde_json::{Map, Value, json};

use super::calls::Call;

/// Fields with the same form in a report and in a call.
const SAME: [&str; 14] = [
    "endedReason",
    "endedMessage",
    "analysis",
    "costs",
    "cost",
    "costBreakdown",
    "startedAt",
    "endedAt",
    "destination",
    "compliance",
    "phoneNumber",
    "customer",
    "assistant",
    "assistantVersion",
];
/// Top-level fields of a call that a report has in its artifact.
const OF_ARTIFACT: [&str; 4] = ["messages", "transcript", "recordingUrl", "stereoRecordingUrl"];
/// Fields of a call that the `call` object omits, because the report contains them in another place.
const NOT_OF_CALL: [&str; 7] = [
    "artifact",
    "analysis",
    "messages",
    "transcript",
    "costs",
    "recordingUrl",
    "stereoRecordingUrl",
];

/// Builds the body of the report. Returns `None` while the call continues.
#[must_use]
pub fn body(call: &Call) -> Option<Vec<u8>> {
    let ended = call.ended_at()?;
    let fields = call.fields.as_object()?;
    let mut message = Map::new();
    message.insert("type".to_owned(), "end-of-call-report".into());
    // The timestamp is the end of the call. Vapi's own report has a later timestamp, so Vapi's report replaces this
    // report.
    message.insert("timestamp".to_owned(), ended.timestamp_millis().into());
    for name in SAME {
        if let Some(value) = fields.get(name).filter(|value| !value.is_null()) {
            message.insert(name.to_owned(), value.clone());
        }
    }
    message.entry("endedAt").or_insert_with(|| json!(ended));
    let artifact = fields.get("artifact").and_then(Value::as_object).cloned();
    let mut artifact = artifact.unwrap_or_default();
    for name in OF_ARTIFACT {
        if let Some(value) = fields.get(name).filter(|value| !value.is_null()) {
            artifact.entry(name).or_insert_with(|| value.clone());
        }
    }
    message.insert("artifact".to_owned(), artifact.into());
    let mut call = fields.clone();
    call.retain(|name, _| !NOT_OF_CALL.contains(&name.as_str()));
    message.insert("call".to_owned(), call.into());
    serde_json::to_vec(&json!({"message": message})).ok()
}
