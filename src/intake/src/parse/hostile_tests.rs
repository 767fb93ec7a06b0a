//! Tests malformed and hostile bodies. The parser refuses such a body with a reason, or reads it as far as possible. It
//! never panics.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::decode::*;
use super::decode_tests::{event, report, sample, tools};

#[test]
fn nul_and_lone_surrogates_become_replacement_characters() {
    let body =
        br#"{"message":{"type":"end-of-call-report","endedReason":"a\u0000b","summary":"\ud800x \\u0000 \ud83d\ude00",
        "analysis":{"k\u0000":"\udfff","n":["\u0000"]},"artifact":{"messages":[{"role":"user","message":"\u0000"}]}}}"#;
    let event = decode(body).expect("a message");
    let report = report(&event);
    assert_eq!(report.ended_reason.as_deref(), Some("a\u{fffd}b"));
    assert_eq!(report.summary.as_deref(), Some("\u{fffd}x \\u0000 😀"));
    assert_eq!(
        report.analysis,
        Some(json!({"k\u{fffd}": "\u{fffd}", "n": ["\u{fffd}"]}))
    );
    assert_eq!(event.said(), ["\u{fffd}"]);
    assert_eq!(event.lookup("/analysis/n/0", None), Some(json!("\u{fffd}")));
    // JSON inside a string has its own escapes.
    let inner = event_of_arguments(r#"{"a":"\u0000"}"#);
    assert_eq!(tools(&inner)[0].arguments, json!({"a": "\u{fffd}"}));
}

fn event_of_arguments(text: &str) -> Event {
    event(&json!({"type": "tool-calls", "toolCalls": [{"id": "t", "name": "f", "arguments": text}]}))
}

#[test]
fn unreadable_bodies_say_why() {
    let deep = |depth: usize| format!("{{\"message\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(decode(b"\xff\xfe").err(), Some(Unreadable::NotUtf8));
    assert_eq!(decode(deep(10_000).as_bytes()).err(), Some(Unreadable::TooDeep));
    assert_eq!(
        decode("[".repeat(1_000_000).as_bytes()).err(),
        Some(Unreadable::TooDeep)
    );
    for none in [
        "{}",
        "[]",
        "3",
        "\"x\"",
        "null",
        r#"{"message":[]}"#,
        r#"{"message":"x"}"#,
    ] {
        assert_eq!(decode(none.as_bytes()).err(), Some(Unreadable::NoMessage), "{none}");
    }
    for broken in [
        "",
        "{",
        r#"{"message":{}"#,
        r#"{"message":{}} x"#,
        "\0",
        r#"{"message":{"a":1,}}"#,
    ] {
        assert!(
            matches!(decode(broken.as_bytes()).err(), Some(Unreadable::NotJson { .. })),
            "{broken}"
        );
    }
    // Brackets inside strings do not count as depth.
    let flat = format!(r#"{{"message":{{"type":"hang","x":"{}\"["}}}}"#, "[".repeat(500));
    assert_eq!(decode(flat.as_bytes()).expect("flat").kind, MessageType::Hang);
}

#[test]
fn what_is_mistyped_is_absent_and_the_rest_is_read() {
    let message = json!({
        "type": "end-of-call-report", "timestamp": "soon", "endedReason": 7, "startedAt": [], "endedAt": {},
        "durationMs": "12.6", "cost": "free", "analysis": "none", "summary": "kept", "customer": 4,
        "call": {"id": "c1", "status": {}, "customer": {"number": ["+1"], "name": "kept"}, "createdAt": true},
        "artifact": {"messages": [1, null, {"role": 3}, {"role": "user"}, {"role": "user", "message": 4},
            {"role": "user", "message": "kept", "secondsFromStart": "x"}], "structuredOutputs": []},
    });
    let event = event(&message);
    let report = report(&event);
    assert_eq!((event.at, report.started_at, report.ended_at), (None, None, None));
    assert_eq!(report.ended_reason, None);
    assert_eq!(report.duration_ms, Some(13));
    assert_eq!((report.cost_micros, &report.analysis), (None, &None));
    assert_eq!(report.summary.as_deref(), Some("kept"));
    assert_eq!(event.said(), ["kept"]);
    let call = event.call.as_ref().expect("a call");
    assert_eq!(call.customer_name.as_deref(), Some("kept"));
    assert_eq!(call.customer_number, None);
    assert_eq!(event.event_key(), "c1/end-of-call-report");
}

#[test]
fn numbers_out_of_range_cost_only_themselves() {
    let body = br#"{"message":{"type":"end-of-call-report","timestamp":1e999,"cost":99999999999999999999999999999999,
        "durationSeconds":1e30,"durationMinutes":-3,"analysis":{"a":1e999,"b":"kept","c":18446744073709551616},
        "startedAt":"0001-01-01T00:00:00Z","endedAt":"2026-09-08T04:45:48.177999999Z"}}"#;
    let event = decode(body).expect("a message");
    let report = report(&event);
    assert_eq!((event.at, report.cost_micros, report.duration_ms), (None, None, None));
    assert_eq!(report.started_at, None);
    let end = report.ended_at.expect("an instant");
    assert_eq!(end.timestamp_subsec_nanos(), 177_999_000);
    let analysis = report.analysis.as_ref().expect("an analysis");
    assert_eq!((&analysis["a"], &analysis["b"]), (&Value::Null, &json!("kept")));
}

/// Every method of a decoded event must return without a panic.
fn ask_everything(event: &Event) {
    let _ = (event.scope(), event.event_key(), event.said().len(), event.own_hash());
    for pointer in [
        "",
        "/",
        "/call/id",
        "/artifact/messages/0/role",
        "/analysis/structuredData",
        "/~2",
    ] {
        let _ = event.lookup(pointer, Some(&json!({})));
    }
}

#[test]
fn a_body_cut_anywhere_is_refused_or_read() {
    for kind in ["end-of-call-report", "tool-calls", "transcript"] {
        let body = sample(kind);
        for end in (0..body.len()).step_by(97) {
            assert!(decode(&body[..end]).is_err());
        }
    }
}

#[test]
fn wrong_types_everywhere_never_panic() {
    let wrong = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e308),
        json!("x"),
        json!([[]]),
        json!({"a": {}}),
    ];
    for kind in MessageType::ALL {
        let body: Value = serde_json::from_slice(&sample(kind.as_str())).expect("JSON");
        let names: Vec<String> = body["message"]
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        for name in names {
            for value in &wrong {
                let mut changed = body["message"].clone();
                changed[&name] = value.clone();
                ask_everything(&event(&changed));
            }
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // f32 instead of f64: numbers near the limit of an f64 are read as null, which another test covers.
        any::<f32>().prop_map(|number| Value::from(f64::from(number))),
        ".{0,12}".prop_map(Value::from),
    ];
    let name = prop_oneof![
        "message|call|id|type|artifact|messages|role|toolCalls|function|arguments|timestamp|status|analysis|cost",
        ".{0,5}"
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(event) = decode(&bytes) {
            ask_everything(&event);
        }
    }

    #[test]
    fn any_message_is_read(message in any_json(), kind in 0_usize..29) {
        let mut message = message;
        if message.is_object() {
            message["type"] = json!(MessageType::ALL[kind].as_str());
            let event = event(&message);
            prop_assert_eq!(event.kind, MessageType::ALL[kind]);
            // A lookup finds the same value as a `serde_json` tree.
            for (name, value) in message.as_object().expect("an object") {
                let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
                if name != "arguments" && !name.contains('\0') {
                    let clean = value.to_string().replace("\\u0000", "\\ufffd");
                    let clean: Value = serde_json::from_str(&clean).expect("JSON");
                    prop_assert_eq!(event.lookup(&pointer, None), Some(clean).filter(|value| !value.is_null()));
                }
            }
            ask_everything(&event);
        }
    }

    #[test]
    fn a_changed_byte_in_a_sample_never_panics(at in any::<usize>(), byte in any::<u8>()) {
        let mut body = sample("tool-calls");
        let at = at % body.len();
        body[at] = byte;
        if let Ok(event) = decode(&body) {
            ask_everything(&event);
        }
    }
}

#[test]
fn of_very_many_tool_calls_in_one_message_some_are_run() {
    let calls: Vec<_> = (0..20_000)
        .map(|id| serde_json::json!({"id": id.to_string(), "name": "x".repeat(300)}))
        .collect();
    let body = serde_json::json!({"message": {"type": "tool-calls", "toolCallList": calls}}).to_string();
    let Payload::ToolCalls(requests) = decode(body.as_bytes()).unwrap().payload else {
        panic!("no tool calls");
    };
    assert_eq!((requests.len(), requests[0].name.len()), (50, 200));
}
