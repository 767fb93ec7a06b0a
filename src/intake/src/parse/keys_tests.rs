//! Which messages are duplicates, and which are not.

use serde_json::{Value, json};

use super::decode::*;
use super::decode_tests::event;

#[test]
fn the_keys_follow_the_table() {
    let call = |extra: Value| {
        let mut message = json!({"timestamp": 1_790_000_000_000_i64, "call": {"id": "c1"}});
        for (name, value) in extra.as_object().expect("an object") {
            message[name] = value.clone();
        }
        event(&message)
    };
    assert_eq!(
        call(json!({"type": "end-of-call-report"})).event_key(),
        "c1/end-of-call-report"
    );
    assert_eq!(call(json!({"type": "call.deleted"})).event_key(), "c1/call.deleted");
    assert_eq!(
        call(json!({"type": "status-update", "status": "ended"})).event_key(),
        "c1/status-update/ended"
    );
    let other = call(json!({"type": "speech-update", "status": "started"})).event_key();
    assert!(other.starts_with("c1/speech-update/1790000000000/"), "{other}");
    let without_call = event(&json!({"type": "end-of-call-report"})).event_key();
    assert!(without_call.starts_with("-/end-of-call-report/-/"), "{without_call}");
}

#[test]
fn presigned_addresses_and_the_artifact_do_not_change_a_key_and_words_do() {
    let with = |text: &str, url: &str| {
        event(&json!({
            "type": "transfer-update", "timestamp": 1, "note": text, "logUrl": url,
            "files": [{"at": url}], "artifact": {"presigned": url}, "call": {"id": "c1", "updatedAt": url},
        }))
        .event_key()
    };
    assert_eq!(with("a", "https://x/1?sig=1"), with("a", "https://x/1?sig=2"));
    assert_ne!(with("a", "https://x/1"), with("b", "https://x/1"));
}

#[test]
fn a_final_transcript_has_the_same_key_under_both_type_names() {
    let with = |name: &str| {
        event(
            &json!({"type": name, "timestamp": 5, "role": "user", "transcriptType": "final",
            "transcript": "Bonjour", "call": {"id": "c1"}}),
        )
    };
    let (plain, marked) = (with("transcript"), with("transcript[transcriptType=\"final\"]"));
    assert_eq!(plain.event_key(), marked.event_key());
    let said = Payload::Transcript {
        role: "user".to_owned(),
        text: "Bonjour".to_owned(),
        is_final: true,
    };
    assert_eq!((&plain.payload, &marked.payload), (&said, &said));
    assert_eq!(plain.said(), ["Bonjour"]);
}

#[test]
fn no_id_reaches_into_anothers_key_or_outgrows_an_index() {
    let with = |id: &str, status: &str| {
        event(&json!({"type": "status-update", "status": status, "call": {"id": id}})).event_key()
    };
    assert_ne!(with("a/status-update", "b"), with("a", "status-update/b"));
    assert!(with("a", &"x".repeat(100_000)).len() < 300);
    let long = event(&json!({"type": "status-update", "status": "x", "call": {"id": "y".repeat(300)}}));
    assert_eq!(long.call_id(), None);
    assert!(long.event_key().starts_with("-/"));
}

#[test]
fn tool_calls_are_the_same_with_the_same_place_id_name_and_arguments() {
    let one = |place: Value, id: Value, name: &str, arguments: Value| {
        let mut message = json!({"type": "tool-calls", "timestamp": 1,
            "toolCallList": [{"id": id, "function": {"name": name, "arguments": arguments}}]});
        for (name, value) in place.as_object().expect("an object") {
            message[name] = value.clone();
        }
        event(&message).event_key()
    };
    let (call, roots) = (json!({"call": {"id": "c1"}}), json!({"service": "roots", "metres": 2}));
    let first = one(call.clone(), json!("t"), "quote", roots.clone());
    assert!(first.starts_with("c1/tool-calls/"), "{first}");
    let as_text = json!("{\"metres\": 2, \"service\": \"roots\"}");
    assert_eq!(first, one(call.clone(), json!("t"), "quote", as_text));
    let mut others = vec![
        first,
        one(call.clone(), json!("u"), "quote", roots.clone()),
        one(call.clone(), json!("t"), "book", roots.clone()),
        one(call, json!("t"), "quote", json!({"service": "camera", "metres": 2})),
    ];
    for place in [
        json!({"call": {"id": "c2"}}),
        json!({"chat": {"id": "c1"}}),
        json!({"chat": {"id": "c2"}}),
        json!({"session": {"id": "c1"}}),
        json!({"sessionId": "c2"}),
        json!({}),
        json!({"timestamp": 2}),
    ] {
        others.push(one(place, json!("t"), "quote", roots.clone()));
    }
    let distinct: std::collections::HashSet<&String> = others.iter().collect();
    assert_eq!(distinct.len(), others.len(), "{others:?}");
}
