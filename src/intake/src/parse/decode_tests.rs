//! Parses real Vapi messages.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::decode::*;

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/vapi")
}

pub(crate) fn sample(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(format!("{name}.json"))).expect("a sample")
}

pub(crate) fn event(message: &Value) -> Event {
    decode(json!({ "message": message }).to_string().as_bytes()).expect("a message")
}

pub(crate) fn report(event: &Event) -> &Report {
    match &event.payload {
        Payload::Report(report) => report,
        other => panic!("no report: {other:?}"),
    }
}

pub(crate) fn tools(event: &Event) -> &[ToolRequest] {
    match &event.payload {
        Payload::ToolCalls(requests) => requests,
        other => panic!("no tool calls: {other:?}"),
    }
}

#[test]
fn every_sample_has_its_kind_and_one_stable_key() {
    let mut keys = std::collections::HashSet::new();
    for kind in MessageType::ALL {
        let body = sample(kind.as_str());
        let event = decode(&body).expect("a sample");
        assert_eq!(event.kind, *kind);
        assert!(event.at.is_some(), "{kind:?}");
        let has_call = !matches!(
            kind,
            MessageType::CampaignPredial
                | MessageType::ChatCreated
                | MessageType::ChatDeleted
                | MessageType::SessionCreated
                | MessageType::SessionUpdated
                | MessageType::SessionDeleted
        );
        assert_eq!(event.call_id().is_some(), has_call, "{kind:?}");
        let again = decode(&body).expect("a sample");
        let key = event.event_key();
        assert_eq!(key, again.event_key());
        assert!(key.len() < 512 && key.is_ascii(), "{key}");
        assert!(keys.insert(key), "{kind:?}");
    }
    assert_eq!(MessageType::ALL.len(), 29);
}

#[test]
fn the_sample_report_is_read_whole() {
    let event = decode(&sample("end-of-call-report")).expect("a sample");
    let report = report(&event);
    assert_eq!(report.ended_reason.as_deref(), Some("assistant-ended-call"));
    assert_eq!(report.duration_ms, Some(65_192));
    assert_eq!(report.cost_micros, Some(334_800));
    assert!(
        report
            .summary
            .as_deref()
            .is_some_and(|text| text.starts_with("Appel pour"))
    );
    let url = report.recording_url.as_deref().expect("a recording");
    assert!(url.ends_with("-mono.wav"), "{url}");
    assert!(
        report
            .turns
            .iter()
            .all(|turn| turn.role != "system" && turn.role != "bot")
    );
    assert_eq!(report.turns[0].role, "assistant");
    assert_eq!(report.turns[0].offset_ms, Some(1500));
    assert_eq!(report.turns[1].offset_ms, Some(8597));
    assert_eq!(
        event.lookup("/analysis/structuredData/city", None),
        Some(json!("Repentigny"))
    );
    assert!(
        report
            .analysis
            .as_ref()
            .is_some_and(|it| it["structuredData"]["postalCode"] == "J5Y 2M6")
    );
    assert!(report.structured_outputs.is_some());
    let call = event.call.as_ref().expect("a call");
    assert_eq!(call.customer_number.as_deref(), Some("+14385550137"));
    assert_eq!(call.customer_name.as_deref(), Some("Jean-François Gagnon-Roy"));
    assert_eq!(call.phone_number.as_deref(), Some("+15145550100"));
    assert_eq!(call.call_type.as_deref(), Some("inboundPhoneCall"));
}

#[test]
fn only_the_caller_is_heard() {
    let event = event(&json!({"type": "end-of-call-report", "artifact": {"messages": [
        {"role": "system", "message": "Ask whether it is flooding."},
        {"role": "bot", "message": "Is it flooding?"},
        {"role": "user", "message": "No, just a slow sink."},
        {"role": "tool_call_result", "result": "flood"},
    ]}}));
    assert_eq!(event.said(), ["No, just a slow sink."]);
    let lines = self::event(&json!({"type": "end-of-call-report",
        "artifact": {"transcript": "AI: Is it flooding?\nUser: No.\n"}}));
    assert_eq!(lines.said(), ["No."]);
    let tools = decode(&sample("tool-calls")).expect("a sample");
    assert!(!tools.said().is_empty());
}

#[test]
fn content_parts_and_line_breaks_keep_the_callers_words() {
    let parts = event(
        &json!({"type": "end-of-call-report", "artifact": {"messagesOpenAIFormatted": [
            {"role": "assistant", "content": [{"type": "text", "text": "Is it flooding?"}]},
            {"role": "user", "content": [{"type": "text", "text": "Yes,"}, {"type": "image_url"}, "the basement."]},
        ]}}),
    );
    assert_eq!(parts.said(), ["Yes, the basement."]);
    let lines = event(&json!({"type": "end-of-call-report",
        "artifact": {"transcript": "Noise\nAI: Is it\nflooding?\nUser: Yes,\nthe basement: all of it.\nUser:\n"}}));
    assert_eq!(lines.said(), ["Yes, the basement: all of it."]);
    assert_eq!(lines.conversation(), "> Is it flooding?\nYes, the basement: all of it.");
    let turn = event(&json!({"type": "end-of-call-report", "artifact": {"messages": [
        {"role": "user", "message": "Hello.\nMy basement\r\nis flooding."}]}}));
    assert_eq!(turn.conversation(), "Hello. My basement is flooding.");
}

#[test]
fn tool_arguments_are_found_wherever_they_are() {
    let wanted = json!({"serviceType": "camera"});
    let text = wanted.to_string();
    for call in [
        json!({"id": "t", "function": {"name": "f", "arguments": wanted}}),
        json!({"id": "t", "function": {"name": "f", "arguments": text}}),
        json!({"id": "t", "function": {"name": "f", "parameters": wanted}}),
        json!({"id": "t", "function": {"name": "f", "arguments": "not JSON", "parameters": wanted}}),
        json!({"id": "t", "name": "f", "arguments": wanted}),
        json!({"id": "t", "name": "f", "arguments": text}),
        json!({"id": "t", "name": "f", "parameters": wanted}),
        json!({"id": "t", "name": "f", "arguments": json!(text).to_string()}),
    ] {
        for message in [
            json!({"type": "tool-calls", "toolCallList": [call]}),
            json!({"type": "tool-calls", "toolCalls": [call]}),
            json!({"type": "tool-calls", "toolWithToolCallList": [
                {"function": {"name": "f", "parameters": {"type": "object"}}, "toolCall": call}]}),
            json!({"type": "tool-calls", "toolCallList": [call], "toolCalls": [{"id": "t", "name": "g"}]}),
        ] {
            let event = event(&message);
            let expected = ToolRequest {
                id: "t".to_owned(),
                name: "f".to_owned(),
                arguments: wanted.clone(),
            };
            assert_eq!(tools(&event), [expected], "{message}");
            let arguments = &tools(&event)[0].arguments;
            assert_eq!(
                event.lookup("/arguments/serviceType", Some(arguments)),
                Some(json!("camera"))
            );
        }
    }
    let odd = event(&json!({"type": "tool-calls", "toolCallList": [
        {"id": 5, "name": "f"}, 7, null, {"id": "a"}, {"id": "b", "name": 3, "arguments": "[1]"}, {"name": "f"}, {}]}));
    let ids: Vec<&str> = tools(&odd).iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["5", "a", "b", ""]);
    assert!(tools(&odd).iter().all(|one| one.arguments == json!({})));
}

#[test]
fn lists_complete_each_other_and_name_a_tool_beside_its_call() {
    let read = |message: Value| tools(&event(&message)).to_vec();
    let wanted = ToolRequest {
        id: "t".to_owned(),
        name: "f".to_owned(),
        arguments: json!({"a": 1}),
    };
    for tool in [
        json!({"name": "f", "toolCall": {"id": "t", "parameters": {"a": 1}}}),
        json!({"function": {"name": "f", "parameters": {"type": "object"}}, "toolCall": {"id": "t", "parameters": {"a": 1}}}),
    ] {
        let alone = json!({"type": "tool-calls", "toolWithToolCallList": [tool]});
        assert_eq!(read(alone).as_slice(), std::slice::from_ref(&wanted));
        let beside = json!({"type": "tool-calls", "toolCallList": [{"id": "t"}], "toolWithToolCallList": [tool]});
        assert_eq!(read(beside).as_slice(), std::slice::from_ref(&wanted));
    }
    let twice = json!({"type": "tool-calls", "toolCallList": [
        {"id": "t", "name": "f", "arguments": {"a": 1}}, {"id": "t", "name": "f", "arguments": {"a": 1}},
        {"id": "t", "name": "f", "arguments": {"a": 2}}]});
    assert_eq!(read(twice).len(), 2);
    let older = json!({"type": "function-call", "functionCall": {"name": "f", "parameters": {"a": 1}}});
    assert_eq!(
        read(older),
        [ToolRequest {
            id: String::new(),
            ..wanted
        }]
    );
}

#[test]
fn a_pointer_finds_what_rfc_6901_says() {
    let event = event(&json!({"type": "x", "a/b": {"m~n": [10, {"k": null}]}, "arguments": {"z": 1}}));
    assert_eq!(event.lookup("/a~1b/m~0n/0", None), Some(json!(10)));
    // A null reads as absent.
    assert_eq!(event.lookup("/a~1b/m~0n/1/k", None), None);
    for nothing in [
        "/a~1b/m~0n/01",
        "/a~1b/m~0n/-",
        "/a~1b/m~0n/2",
        "/nope",
        "type",
        "/type/0",
        "/",
    ] {
        assert_eq!(event.lookup(nothing, None), None, "{nothing}");
    }
    assert_eq!(event.lookup("/arguments/z", None), None);
    assert_eq!(event.lookup("/arguments/z", Some(&json!({"z": 2}))), Some(json!(2)));
    assert_eq!(event.lookup("/arguments", Some(&json!({}))), Some(json!({})));
}

#[test]
fn the_last_of_a_repeated_name_wins() {
    let body = br#"{"message":{"type":"hang"},"message":{"type":"x","type":"status-update","status":"ringing",
        "status":"ended","call":{"id":"a","id":"b"}}}"#;
    let event = decode(body).expect("a message");
    assert_eq!(event.event_key(), "b/status-update/ended");
}

#[test]
fn money_is_read_from_its_digits() {
    for (text, micros) in [
        ("0.3348", 334_800),
        ("0.1", 100_000),
        ("1.0000005", 1_000_000),
        ("3.348e-1", 334_800),
        ("0", 0),
        ("29.99", 29_990_000),
    ] {
        let body = format!(r#"{{"message":{{"type":"end-of-call-report","cost":{text}}}}}"#);
        let event = decode(body.as_bytes()).expect("a message");
        assert_eq!(report(&event).cost_micros, Some(micros), "{text}");
    }
}

#[test]
fn the_states_of_a_call_have_an_order() {
    let states = ["scheduled", "queued", "ringing", "in-progress", "forwarding", "ended"];
    let ranks: Vec<i16> = states.iter().map(|state| status_rank(state)).collect();
    assert!(ranks.is_sorted_by(|a, b| a < b));
    assert_eq!(status_rank("levitating"), 0);
}

#[test]
fn the_requests_that_want_an_answer_bring_their_question() {
    let question = decode(&sample("knowledge-base-request")).expect("a sample");
    assert!(matches!(&question.payload, Payload::KnowledgeBase { query } if !query.is_empty()));
    let predial = decode(&sample("campaign.predial")).expect("a sample");
    assert!(matches!(&predial.payload,
        Payload::Predial { number: Some(number), .. } if number == "+14385550176"));
    let handoff = decode(&sample("handoff-destination-request")).expect("a sample");
    assert!(matches!(&handoff.payload,
        Payload::Handoff { destination: Some(to), .. } if to == "repartition"));
}
