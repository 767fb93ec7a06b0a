//! Messages as Vapi writes them. The samples are complete messages of every type. The builders create small messages
//! with known fields.

use serde_json::{Value, json};

/// The start of every call that these functions build: a Tuesday at 10:00 in Montréal that is not a holiday.
pub const STARTED_AT: &str = "2026-11-24T15:00:00Z";
/// [`STARTED_AT`] in milliseconds since 1970.
pub const STARTED_MS: i64 = 1_795_532_400_000;

/// The caller's personal data in the reports that [`report`] builds.
pub const PERSONAL: [&str; 6] = [
    "Zenobie Quatremains",
    "4385550177",
    "77 rue du Hibou",
    "H2Z 9Q7",
    "zenobie.quatremains",
    "trouvaille",
];

/// Returns the names of all sample messages: one of every type.
pub fn sample_names() -> Vec<String> {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/vapi")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.contains(".schema.")).collect();
    names.sort();
    assert_eq!(names.len(), 29);
    names
}

/// Reads the bytes of a sample message.
pub fn sample_bytes(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/vapi/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Reads a sample message.
pub fn sample(name: &str) -> Value {
    serde_json::from_slice(&sample_bytes(name)).unwrap()
}

/// Builds a message of any type about a call.
pub fn message(kind: &str, call: &str, at_ms: i64, fields: &Value) -> Value {
    let mut message = json!({
        "type": kind,
        "timestamp": STARTED_MS + at_ms,
        "call": {
            "id": call,
            "type": "inboundPhoneCall",
            "status": "in-progress",
            "createdAt": STARTED_AT,
            "startedAt": STARTED_AT,
        },
        "customer": {"number": "+14385550177"},
        "phoneNumber": {"number": "+15145550100"},
    });
    for (name, value) in fields.as_object().unwrap() {
        message[name] = value.clone();
    }
    json!({"message": message})
}

/// Builds the report of a call in which the caller said `said`.
pub fn report(call: &str, said: &str) -> Value {
    let turns = json!([
        {"role": "system", "message": "You are the receptionist. Ask about flood, backup and emergency."},
        {"role": "bot", "message": "Bonjour, comment puis-je vous aider?", "secondsFromStart": 1.5},
        {"role": "user", "message": said, "secondsFromStart": 4.25},
        {"role": "bot", "message": "Merci, quelqu'un vous rappelle.", "secondsFromStart": 9.0},
    ]);
    report_of(call, &turns)
}

/// Builds the report of a call with these turns.
pub fn report_of(call: &str, turns: &Value) -> Value {
    let fields = json!({
        "startedAt": STARTED_AT,
        "endedAt": "2026-11-24T15:01:05Z",
        "endedReason": "customer-ended-call",
        "durationSeconds": 65.2,
        "cost": 0.3348,
        "customer": {"number": "+14385550177", "name": "Zenobie Quatremains"},
        "analysis": {
            "summary": "Zenobie Quatremains a une trouvaille.",
            "structuredData": {
                "customerName": "Zenobie Quatremains",
                "customerPhone": "+14385550177",
                "customerEmail": "zenobie.quatremains@exemple.invalid",
                "address": "77 rue du Hibou",
                "city": "Montréal",
                "postalCode": "H2Z 9Q7",
            },
        },
        "artifact": {"messages": turns, "recordingUrl": format!("https://example.invalid/{call}.wav")},
    });
    message("end-of-call-report", call, 70_000, &fields)
}

/// Builds a status update of a call.
pub fn status(call: &str, status: &str, at_ms: i64) -> Value {
    let mut fields = json!({"status": status});
    if status == "ended" {
        fields["endedReason"] = json!("customer-ended-call");
    }
    message("status-update", call, at_ms, &fields)
}

/// Builds a final transcript of one utterance.
pub fn heard(call: &str, role: &str, text: &str, at_ms: i64) -> Value {
    let fields = json!({"role": role, "transcriptType": "final", "transcript": text});
    message("transcript", call, at_ms, &fields)
}

/// Builds a message with tool calls. Each tool call has an id, a name and arguments.
pub fn tool_calls(call: &str, at_ms: i64, tools: &[(&str, &str, Value)]) -> Value {
    let list = tools
        .iter()
        .map(|(id, name, arguments)| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}));
    message(
        "tool-calls",
        call,
        at_ms,
        &json!({"toolCallList": list.collect::<Vec<_>>()}),
    )
}
