//! Sends authentic but malformed messages. The response is never a 5xx, no message is stored partially, and unreadable
//! messages are stored as received.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    both,
    support::{
        Database, TestApp,
        app::VAPI_SECRET,
        messages::{message, report, tool_calls},
        requests::sign,
        tables::having,
    },
};

both!(
    what_cannot_be_read_is_kept_raw_once,
    strange_values_are_taken_in_and_break_nothing,
    every_field_of_the_wrong_kind_reads_as_absent,
    nul_and_half_characters_are_taken_in_without_them,
    the_content_type_and_the_address_play_no_tricks,
);

async fn unreadable(server: &TestApp, body: &[u8]) {
    let (status, answer) = server.post_signed_to("/webhooks/vapi", VAPI_SECRET, body).await;
    let start = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
    assert_eq!((status, answer), (StatusCode::OK, json!({})), "{start}");
}

async fn what_cannot_be_read_is_kept_raw_once(database: Database) {
    let server = TestApp::start(database).await;
    let deep = |open: &str, close: &str, depth: usize| {
        format!(
            "{{\"message\":{{\"type\":\"hang\",\"x\":{}1{}}}}}",
            open.repeat(depth),
            close.repeat(depth)
        )
        .into_bytes()
    };
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b" ".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\"message\"".to_vec(),
        b"{}".to_vec(),
        b"{\"message\":null}".to_vec(),
        b"{\"message\":[]}".to_vec(),
        b"{\"message\":\"end-of-call-report\"}".to_vec(),
        b"{\"message\":{\"type\":\"hang\"}".to_vec(),
        b"{\"message\":{\"type\":\"hang\"}} trailing".to_vec(),
        b"\xef\xbb\xbf{\"message\":{\"type\":\"hang\"}}".to_vec(),
        b"{\"message\":{\"type\":\"\xff\xfe\"}}".to_vec(),
        b"\x00".to_vec(),
        b"\x1f\x8b\x08".to_vec(),
        deep("[", "]", 200),
        deep("{\"a\":", "}", 200),
        deep("[", "]", 1_000_000),
        b"{\"message\":{\"type\":NaN}}".to_vec(),
        b"type=hang&message=1".to_vec(),
    ];
    for body in bodies.iter().chain(&bodies) {
        unreadable(&server, body).await;
    }
    let events = server.rows("webhook_events").await;
    assert_eq!(events.len(), bodies.len());
    assert_eq!(having(&events, "state", "unreadable").len(), bodies.len());
    for body in &bodies {
        assert_eq!(having(&events, "body", hex::encode(body)).len(), 1);
    }
    assert_eq!(server.counts(["calls", "decisions", "leads"]).await, [0, 0, 0]);
    server.stop().await;
}

/// Posts a readable message that must be accepted.
async fn taken(server: &TestApp, what: &str, body: &[u8]) {
    let (status, answer) = server.post_signed_to("/webhooks/vapi", VAPI_SECRET, body).await;
    assert_eq!(status, StatusCode::OK, "{what}: {answer}");
}

#[expect(
    clippy::too_many_lines,
    reason = "a list of strange values, each with the expected result"
)]
async fn strange_values_are_taken_in_and_break_nothing(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    let mut number = 0;
    // The test writes the JSON by hand, because a JSON library rejects some of these numbers.
    for value in [
        "0",
        "-1",
        "1e400",
        "-1e400",
        "1e-400",
        "1e18",
        "9223372036854775807",
        "-9223372036854775808",
        "99999999999999999999999999999999999999999999",
        "-300000000000000",
        "8000000000000000",
        "8210266876799999",
        "8640000000000000",
        "-62135596800001",
        "253402300800000",
        "0.1",
        "1.7976931348623157e308",
        "\"\"",
        "\"now\"",
        "\"99999-01-01T00:00:00Z\"",
        "\"-9999-01-01T00:00:00Z\"",
        "\"0000-01-01T00:00:00Z\"",
        "\"+262142-12-31T23:59:59Z\"",
        "\"2026-11-24T15:00:60Z\"",
        "true",
        "{}",
        "[]",
    ] {
        for kind in ["end-of-call-report", "transcript", "status-update", "hang"] {
            number += 1;
            let body = format!(
                r#"{{"message":{{"type":"{kind}","timestamp":{value},"startedAt":{value},"endedAt":{value},
                "durationMs":{value},"durationSeconds":{value},"cost":{value},"costBreakdown":{{"total":{value}}},
                "status":"ended","transcriptType":"final","role":"user","transcript":"racines",
                "call":{{"id":"call-{number}","createdAt":{value},"startedAt":{value},"endedAt":{value}}},
                "analysis":{{"structuredData":{{"metres":{value},"serviceType":"drain français","postalCode":{value}}}}},
                "artifact":{{"messages":[{{"role":"user","message":"un drain français","secondsFromStart":{value}}}]}}}}}}"#
            );
            taken(&server, &format!("{kind} with {value}"), body.as_bytes()).await;
        }
        number += 1;
        let as_text = json!(format!(r#"{{"serviceType": "french drain", "metres": {value}}}"#));
        let body = format!(
            r#"{{"message":{{"type":"tool-calls","timestamp":{value},"call":{{"id":"call-{number}"}},"toolCallList":[
            {{"id":"a","function":{{"name":"calculateQuote","arguments":{{"serviceType":"french drain","metres":{value}}}}}}},
            {{"id":"b","function":{{"name":"estimateMetres","arguments":{{"houseLength":{value},"houseWidth":{value}}}}}}},
            {{"id":"c","function":{{"name":"evaluateScheduling","arguments":{{"serviceType":"french drain","metres":{value}}}}}}},
            {{"id":"d","function":{{"name":"calculateQuote","arguments":{as_text}}}}}]}}}}"#
        );
        taken(&server, &format!("tools with {value}"), body.as_bytes()).await;
    }
    // If a field occurs more than once, one of its values counts, and the message is accepted.
    let twice = br#"{"message":{"type":"hang","type":"end-of-call-report","call":{"id":"x"},"call":{"id":"twice"},"timestamp":1,"timestamp":2}}"#;
    taken(&server, "duplicate names", twice).await;
    let long = "x".repeat(100_000);
    for (what, message) in [
        ("a long type", message(&long, "long-type", 0, &json!({}))),
        (
            "a long state",
            message("status-update", "long-state", 0, &json!({"status": long})),
        ),
        ("a long call id", message("hang", &long, 0, &json!({}))),
        (
            "a long tool id",
            tool_calls(
                "long-tool",
                0,
                &[(&long, "calculateQuote", json!({})), ("b", &long, json!({}))],
            ),
        ),
        (
            "a long name",
            message(
                "end-of-call-report",
                "long-name",
                0,
                &json!({"customer": {"number": long, "name": long}}),
            ),
        ),
        (
            "quotes",
            message(
                "'; DROP TABLE calls; --",
                "'; DROP TABLE calls; --",
                0,
                &json!({"status": "'\"\\"}),
            ),
        ),
        (
            "a type of two lines",
            message("a\nb\u{2028}c", "two lines\r\n", 0, &json!({})),
        ),
    ] {
        taken(&server, what, &serde_json::to_vec(&message).unwrap()).await;
    }
    let events = server.rows("webhook_events").await;
    assert_eq!(events.len(), number + 8);
    assert_eq!(having(&events, "state", "recorded").len(), events.len());
    assert_eq!(server.get("/health/ready").await.0, StatusCode::OK);
    taken(
        &server,
        "an honest one",
        &serde_json::to_vec(&report("honest", "Des racines.")).unwrap(),
    )
    .await;
    // Messages that were accepted can also be read and listed.
    for call in server.rows("calls").await {
        let Some(id) = call["id"].as_str().filter(|id| id.starts_with("call-")) else {
            continue;
        };
        let (status, answer) = server
            .admin(Method::GET, &format!("/admin/v1/rulebooks/default/calls/{id}"), None)
            .await;
        assert_eq!(status, StatusCode::OK, "{call}: {answer}");
    }
    for path in [
        "rulebooks/default/calls",
        "rulebooks/default/leads",
        "rulebooks/default/decisions",
        "webhook-events",
        "sms-messages",
    ] {
        let (status, list) = server
            .admin(Method::GET, &format!("/admin/v1/{path}?limit=200"), None)
            .await;
        assert_eq!(status, StatusCode::OK, "{path}: {list}");
    }
    server.stop().await;
}

/// Builds all variants of `whole` in which `value` replaces one member, at any depth.
fn replaced(whole: &Value, value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    let members: Vec<(String, &Value)> = match whole {
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), member)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| (at.to_string(), item))
            .collect(),
        _ => return all,
    };
    for (name, member) in members {
        let put = |new: Value| {
            let mut changed = whole.clone();
            *changed.pointer_mut(&format!("/{name}")).unwrap() = new;
            changed
        };
        all.push(put(value.clone()));
        all.extend(replaced(member, value).into_iter().map(put));
    }
    all
}

async fn every_field_of_the_wrong_kind_reads_as_absent(database: Database) {
    let server = TestApp::builder(database)
        .set("RINGBOOK_WORKERS", "none")
        .set("RATE_LIMIT_ENABLED", "false")
        .start()
        .await;
    let wrong = [Value::Null, json!(-7.5), json!("\u{0}"), json!([[]]), json!({"": {}})];
    let whole = [
        report("call-1", "Des racines."),
        tool_calls(
            "call-1",
            0,
            &[(
                "a",
                "bookAppointment",
                json!({"serviceType": "racines", "wantedSlot": "demain"}),
            )],
        ),
    ];
    let mut sent = 0;
    for (number, value) in wrong.iter().enumerate() {
        for message in &whole {
            for (at, mut changed) in replaced(&message["message"], value).into_iter().enumerate() {
                // Each message is about another call, so that none is a duplicate.
                if changed["call"]["id"] == "call-1" {
                    changed["call"]["id"] = json!(format!("{number}-{}-{at}", changed["type"]));
                }
                changed["own"] = json!(sent);
                sent += 1;
                let body = serde_json::to_vec(&json!({"message": changed})).unwrap();
                taken(&server, &changed.to_string(), &body).await;
            }
        }
    }
    assert!(sent > 300, "{sent}");
    server.stop().await;
}

async fn nul_and_half_characters_are_taken_in_without_them(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    let clean = report("call-1", "Mon sous-sol est inondé.").to_string();
    let mut strange = clean.clone();
    for bad in ["\\u0000", "\\ud800", "\\udc00", "\\uDBFF", "\\u0000\\u0000"] {
        strange = strange.replacen("inondé", &format!("inondé {bad}"), 1);
        strange = strange.replace("Zenobie", &format!("Zenobie{bad}"));
        strange = strange.replace("rue du", &format!("{bad}rue du"));
    }
    taken(&server, "NUL and lone surrogates", strange.as_bytes()).await;
    let decision = server.only_row("decisions").await;
    assert_eq!(decision["priority"], "P1");
    for table in ["calls", "call_transcripts", "leads", "decisions", "sms_messages"] {
        for row in server.rows(table).await {
            assert!(!row.to_string().contains("\\u0000"), "{table}: {row}");
        }
    }
    assert_eq!(
        server.only_row("webhook_events").await["body"],
        hex::encode(&strange),
        "the body was not stored as received"
    );
    for (place, body) in [
        (
            "call id",
            r#"{"message":{"type":"status-update","status":"ended","call":{"id":"a\u0000b"}}}"#,
        ),
        (
            "status",
            r#"{"message":{"type":"status-update","status":"en\u0000ded","call":{"id":"c"}}}"#,
        ),
        ("type", r#"{"message":{"type":"ha\u0000ng","call":{"id":"c"}}}"#),
        (
            "name of a field",
            r#"{"message":{"type":"hang","\u0000":1,"call":{"id":"c"}}}"#,
        ),
        (
            "tool",
            r#"{"message":{"type":"tool-calls","call":{"id":"c"},"toolCallList":[{"id":"\u0000","function":{"name":"\u0000","arguments":"{\"a\":\"\\u0000\"}"}}]}}"#,
        ),
        (
            "analysis",
            r#"{"message":{"type":"end-of-call-report","call":{"id":"d"},"analysis":{"\u0000":"\ud800","structuredData":{"customerName":"\u0000"}}}}"#,
        ),
    ] {
        taken(&server, place, body.as_bytes()).await;
    }
    server.stop().await;
}

async fn the_content_type_and_the_address_play_no_tricks(database: Database) {
    let server = TestApp::start(database).await;
    for (number, content_type) in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "",
    ]
    .iter()
    .enumerate()
    {
        let body = serde_json::to_vec(&report(&format!("call-{number}"), "Des racines.")).unwrap();
        let timestamp = server.app.clock.now().timestamp().to_string();
        let request = server
            .client
            .post(server.url("/webhooks/vapi?rulebook=other&x=%00"))
            .header("content-type", *content_type)
            .header("x-signature", sign(VAPI_SECRET, &timestamp, &body))
            .header("x-timestamp", timestamp)
            .body(body);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK, "{content_type}");
    }
    assert_eq!(server.counts(["calls", "decisions"]).await, [5, 5]);
    assert_eq!(
        having(&server.rows("decisions").await, "service", "root_removal").len(),
        5
    );
    // A NUL in an admin's path gives 404, on either database.
    let (status, problem) = server
        .admin(Method::GET, "/admin/v1/rulebooks/a%00b/services", None)
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
    server.stop().await;
}
