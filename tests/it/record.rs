//! Stored data after messages that arrive repeatedly and in any order.

use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    both,
    support::{
        Database, TestApp,
        app::VAPI_SECRET,
        messages::{heard, report, status},
        tables::having,
    },
};

both!(
    a_report_fills_the_call_its_turns_its_lead_and_its_decision,
    the_same_report_again_changes_nothing,
    the_same_report_twenty_times_at_once_has_one_effect,
    the_record_follows_the_latest_report_in_either_order,
    reports_of_one_instant_follow_the_greater_hash,
    a_calls_state_never_moves_backwards,
    a_report_and_its_status_updates_meet_in_the_same_record_in_every_order,
    what_is_heard_live_is_kept_once_until_the_report_replaces_it,
    calls_of_one_id_in_two_messages_at_once_are_one_call,
    an_agents_question_is_no_emergency,
);

const FLOOD: &str = "Mon sous-sol est inondé, le drain est bouché.";

/// Starts a server without background work, so that stored data can be compared.
async fn quiet(database: Database) -> TestApp {
    TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await
}

/// Reads a table's only row, without timestamps and ids.
async fn lasting(server: &TestApp, table: &str) -> Value {
    let mut row = server.only_row(table).await;
    for column in [
        "rulebook_id",
        "id",
        "first_seen_at",
        "created_at",
        "updated_at",
        "due_at",
        "decision_id",
        "quote_decision_id",
    ] {
        row.as_object_mut().unwrap().remove(column);
    }
    row
}

async fn turns(server: &TestApp) -> Vec<(String, String, String, i64)> {
    let mut rows = server.rows("call_transcripts").await;
    rows.sort_by_key(|row| row["seq"].as_i64());
    let text = |row: &Value, column: &str| row[column].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| {
            let offset = row["offset_ms"].as_i64().unwrap();
            (text(row, "origin"), text(row, "role"), text(row, "text"), offset)
        })
        .collect()
}

fn turn(origin: &str, role: &str, text: &str, offset: i64) -> (String, String, String, i64) {
    (origin.to_owned(), role.to_owned(), text.to_owned(), offset)
}

async fn a_report_fills_the_call_its_turns_its_lead_and_its_decision(database: Database) {
    let server = quiet(database).await;
    assert_eq!(server.take(&report("call-1", FLOOD)).await, json!({}));
    let call = server.only_row("calls").await;
    for (column, value) in [
        ("id", json!("call-1")),
        ("status", json!("ended")),
        ("duration_ms", json!(65_200)),
        ("ended_reason", json!("customer-ended-call")),
        ("summary", json!("Zenobie Quatremains a une trouvaille.")),
        ("recording_url", json!("https://example.invalid/call-1.wav")),
        ("cost_micros", json!(334_800)),
        ("customer_number", json!("+14385550177")),
        ("customer_name", json!("Zenobie Quatremains")),
        ("phone_number", json!("+15145550100")),
        ("address", json!("77 rue du Hibou")),
        ("city", json!("Montréal")),
        ("postal_code", json!("H2Z 9Q7")),
        ("service", json!("drain_unblocking_camera")),
        ("language", json!("fr")),
    ] {
        assert_eq!(call[column], value, "{column}");
    }
    assert_eq!(call["analysis"]["structuredData"]["postalCode"], "H2Z 9Q7");
    for (column, instant) in [
        ("started_at", "2026-11-24T15:00:00"),
        ("ended_at", "2026-11-24T15:01:05"),
    ] {
        let text = call[column].as_str().unwrap().replace(' ', "T");
        assert!(text.starts_with(instant), "{column}: {text}");
    }
    assert_eq!(
        turns(&server).await,
        [
            turn("report", "assistant", "Bonjour, comment puis-je vous aider?", 1500),
            turn("report", "user", FLOOD, 4250),
            turn("report", "assistant", "Merci, quelqu'un vous rappelle.", 9000),
        ]
    );
    let decision = server.only_row("decisions").await;
    assert_eq!(
        (&decision["priority"], &decision["purpose"]),
        (&json!("P1"), &json!("report"))
    );
    assert_eq!(
        (&decision["price_from"], &decision["price_to"]),
        (&json!(35_000), &json!(65_000))
    );
    assert_eq!(decision["result"]["priority_rule"], "emergency");
    assert_eq!(
        decision["extracted"]["facts"]["postal_code"]["value"], "H2Z 9Q7",
        "{decision}"
    );
    let lead = server.only_row("leads").await;
    for (column, value) in [
        ("call_id", json!("call-1")),
        ("customer_name", json!("Zenobie Quatremains")),
        ("customer_number", json!("+14385550177")),
        ("customer_email", json!("zenobie.quatremains@exemple.invalid")),
        ("address", json!("77 rue du Hibou")),
        ("service", json!("drain_unblocking_camera")),
        ("area", json!("montreal")),
        ("currency", json!("CAD")),
        ("price_from", json!(35_000)),
        ("price_to", json!(65_000)),
        ("quote_revision", decision["revision"].clone()),
        ("decision_id", decision["id"].clone()),
        ("priority", json!("P1")),
        ("sla_seconds", json!(0)),
    ] {
        assert_eq!(lead[column], value, "{column}");
    }
    let text = server.only_row("sms_messages").await;
    assert_eq!(
        (&text["contact"], &text["state"]),
        (&json!("on_call"), &json!("queued"))
    );
    let event = server.only_row("webhook_events").await;
    let body = serde_json::to_vec(&report("call-1", FLOOD)).unwrap();
    assert_eq!(event["body"], hex::encode(&body));
    assert_eq!(event["body_hash"], hex::encode(Sha256::digest(&body)));
    assert_eq!(event["answer"], json!({}));
    server.stop().await;
}

async fn the_same_report_again_changes_nothing(database: Database) {
    let server = quiet(database).await;
    let first = server.take(&report("call-1", FLOOD)).await;
    let before = server.everything().await;
    for _ in 0..3 {
        assert_eq!(server.take(&report("call-1", FLOOD)).await, first);
    }
    assert_eq!(server.everything().await, before);
    server.stop().await;
}

async fn the_same_report_twenty_times_at_once_has_one_effect(database: Database) {
    let server = quiet(database).await;
    let message = report("call-1", FLOOD);
    let answers = futures_util::future::join_all((0..20).map(|_| server.post_signed(&message))).await;
    for answer in answers {
        assert_eq!(answer, (StatusCode::OK, json!({})));
    }
    let tables = [
        "webhook_events",
        "calls",
        "call_transcripts",
        "decisions",
        "leads",
        "sms_messages",
    ];
    assert_eq!(server.counts(tables).await, [1, 1, 3, 1, 1, 1]);
    server.stop().await;
}

/// Builds two different reports of one call.
fn two_stories(later_by_ms: i64) -> [Value; 2] {
    let earlier = report("call-1", FLOOD);
    let mut later = report("call-1", "Non, juste un évier lent. Des racines?");
    let message = &mut later["message"];
    message["timestamp"] = json!(message["timestamp"].as_i64().unwrap() + later_by_ms);
    message["durationSeconds"] = json!(99);
    // Data that only one report has is kept, whichever arrives first.
    message.as_object_mut().unwrap().remove("endedReason");
    message["customer"].as_object_mut().unwrap().remove("name");
    message["analysis"]["structuredData"]
        .as_object_mut()
        .unwrap()
        .remove("customerEmail");
    message["analysis"]["summary"] = json!("Another summary.");
    message["analysis"]["structuredData"]["address"] = json!("78 rue du Hibou");
    message["analysis"]["structuredData"]["city"] = json!("Laval");
    message["analysis"]["structuredData"]["problemDescription"] = json!("Un évier lent.");
    [earlier, later]
}

/// Sends two reports. Returns the stored data that must not depend on their order.
async fn after(server: &TestApp, messages: [&Value; 2]) -> ([Value; 2], Vec<(String, String, String, i64)>) {
    for message in messages {
        assert_eq!(server.take(message).await, json!({}));
    }
    let tables = ["webhook_events", "calls", "decisions", "leads", "sms_messages"];
    // If the second report is more urgent, it is decided too and causes an SMS message.
    let decisions = if messages[0] == &report("call-1", FLOOD) { 1 } else { 2 };
    assert_eq!(server.counts(tables).await, [2, 1, decisions, 1, 1]);
    let events = server.rows("webhook_events").await;
    assert_eq!(having(&events, "state", "recorded").len(), 1);
    let amendment = &having(&events, "state", "amendment")[0];
    assert_eq!(amendment["amends"], having(&events, "state", "recorded")[0]["id"]);
    assert_eq!(
        amendment["body"],
        hex::encode(serde_json::to_vec(messages[1]).unwrap()),
        "the amendment is not stored as received"
    );
    // Sending both reports again changes nothing.
    let before = server.everything().await;
    for message in messages {
        server.take(message).await;
    }
    assert_eq!(server.everything().await, before);
    let mut lead = lasting(server, "leads").await;
    assert_eq!(
        lead["priority"], "P1",
        "the lead must have the higher priority of the two reports"
    );
    // All other results depend on the order of the reports.
    for column in [
        "service",
        "area",
        "price_from",
        "price_to",
        "quote_revision",
        "currency",
    ] {
        lead.as_object_mut().unwrap().remove(column);
    }
    ([lasting(server, "calls").await, lead], turns(server).await)
}

async fn in_both_orders(database: Database, [one, two]: [Value; 2], stands: &Value) {
    let server = quiet(database).await;
    let (forward, forward_turns) = after(&server, [&one, &two]).await;
    assert_eq!(
        forward[0]["duration_ms"].as_f64(),
        stands["message"]["durationSeconds"]
            .as_f64()
            .map(|seconds| seconds * 1000.0)
    );
    assert_eq!(forward[0]["summary"], stands["message"]["analysis"]["summary"]);
    assert_eq!(
        forward[0]["address"],
        stands["message"]["analysis"]["structuredData"]["address"]
    );
    assert_eq!(forward[0]["ended_reason"], "customer-ended-call");
    assert_eq!(forward[1]["customer_email"], "zenobie.quatremains@exemple.invalid");
    assert_eq!(forward[1]["problem"], "Un évier lent.");
    assert_eq!(
        forward_turns[1].2,
        stands["message"]["artifact"]["messages"][2]["message"]
    );
    server.stop().await;
    let server = quiet(database).await;
    let (backward, backward_turns) = after(&server, [&two, &one]).await;
    assert_eq!(backward, forward);
    assert_eq!(backward_turns, forward_turns);
    server.stop().await;
}

async fn the_record_follows_the_latest_report_in_either_order(database: Database) {
    let stories = two_stories(1);
    let stands = stories[1].clone();
    Box::pin(in_both_orders(database, stories, &stands)).await;
}

async fn reports_of_one_instant_follow_the_greater_hash(database: Database) {
    let stories = two_stories(0);
    let hash = |message: &Value| Sha256::digest(serde_json::to_vec(message).unwrap());
    let stands = usize::from(hash(&stories[0]) <= hash(&stories[1]));
    let stands = stories[stands].clone();
    Box::pin(in_both_orders(database, stories, &stands)).await;
}

/// Returns all permutations of a few items.
fn orders<T: Clone>(of: &[T]) -> Vec<Vec<T>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in 0..of.len() {
        let mut rest = of.to_vec();
        let chosen = rest.remove(first);
        for mut order in orders(&rest) {
            order.insert(0, chosen.clone());
            all.push(order);
        }
    }
    all
}

async fn a_calls_state_never_moves_backwards(database: Database) {
    const STATES: [&str; 6] = ["scheduled", "queued", "ringing", "in-progress", "forwarding", "ended"];
    let server = quiet(database).await;
    let some = [STATES[2], STATES[3], STATES[4], STATES[5]];
    for (number, order) in orders(&some).into_iter().enumerate() {
        let call = format!("call-{number}");
        let mut furthest = 0;
        for state in &order {
            let at = STATES.iter().position(|known| known == state).unwrap();
            server
                .take(&status(&call, state, i64::try_from(at).unwrap() * 1000))
                .await;
            furthest = furthest.max(at);
            let calls = server.rows("calls").await;
            let row = &having(&calls, "id", call.as_str())[0];
            assert_eq!(row["status"], STATES[furthest], "{order:?} at {state}");
        }
    }
    let mut calls = server.rows("calls").await;
    assert_eq!(calls.len(), 24);
    for call in &mut calls {
        for column in ["id", "first_seen_at", "updated_at"] {
            call.as_object_mut().unwrap().remove(column);
        }
    }
    calls.dedup();
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert_eq!(
        (&calls[0]["status"], &calls[0]["ended_reason"]),
        (&json!("ended"), &json!("customer-ended-call"))
    );
    server.stop().await;
}

async fn a_report_and_its_status_updates_meet_in_the_same_record_in_every_order(database: Database) {
    let server = quiet(database).await;
    let messages = |call: &str| {
        [
            status(call, "ringing", 0),
            heard(call, "user", "Bonjour", 2_000),
            status(call, "ended", 64_000),
            report(call, FLOOD),
        ]
    };
    for (number, order) in orders(&[0, 1, 2, 3]).into_iter().enumerate() {
        let messages = messages(&format!("call-{number}"));
        for position in order {
            server.take(&messages[position]).await;
        }
    }
    let mut calls = server.rows("calls").await;
    assert_eq!(calls.len(), 24);
    for call in &mut calls {
        for column in ["id", "first_seen_at", "updated_at", "recording_url", "report_hash"] {
            call.as_object_mut().unwrap().remove(column);
        }
    }
    calls.dedup();
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert_eq!(
        server
            .counts(["call_transcripts", "decisions", "leads", "sms_messages"])
            .await,
        [72, 24, 24, 24]
    );
    server.stop().await;
}

async fn what_is_heard_live_is_kept_once_until_the_report_replaces_it(database: Database) {
    let server = quiet(database).await;
    let mut partial = heard("call-1", "user", "Mon sous", 3_000);
    partial["message"]["transcriptType"] = json!("partial");
    let said = [
        heard("call-1", "user", "Oui.", 4_000),
        // The same words at another time are a second turn. Another role in the same millisecond is a separate turn
        // too.
        heard("call-1", "user", "Oui.", 5_000),
        heard("call-1", "assistant", "Oui.", 5_000),
    ];
    for message in said.iter().chain([&partial]).chain(&said) {
        server.take(message).await;
    }
    let live = [
        turn("live", "user", "Oui.", 4_000),
        turn("live", "assistant", "Oui.", 5_000),
        turn("live", "user", "Oui.", 5_000),
    ];
    assert_eq!(turns(&server).await, live);
    server.take(&report("call-1", FLOOD)).await;
    let from_report = turns(&server).await;
    assert_eq!(from_report.len(), 3);
    assert!(from_report.iter().all(|turn| turn.0 == "report"), "{from_report:?}");
    // Late live turns and duplicates do not change the transcript of the report.
    server.take(&heard("call-1", "user", "Une chose encore.", 66_000)).await;
    server.take(&said[0]).await;
    assert_eq!(turns(&server).await, from_report);
    assert_eq!(server.counts(["webhook_events"]).await, [6]);
    server.stop().await;
}

async fn calls_of_one_id_in_two_messages_at_once_are_one_call(database: Database) {
    let server = quiet(database).await;
    let mut messages = vec![report("call-1", FLOOD), status("call-1", "ended", 64_000)];
    messages.extend((1..19).map(|second| heard("call-1", "user", "Oui.", second * 1000)));
    let posted = messages.iter().map(|message| server.post_signed(message));
    for (status, answer) in futures_util::future::join_all(posted).await {
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    assert_eq!(
        server.counts(["webhook_events", "calls", "decisions", "leads"]).await,
        [20, 1, 1, 1]
    );
    let turns = turns(&server).await;
    assert!(
        turns.len() == 3 && turns.iter().all(|turn| turn.0 == "report"),
        "{turns:?}"
    );
    server.stop().await;
}

async fn an_agents_question_is_no_emergency(database: Database) {
    let server = quiet(database).await;
    let told = |call: &str, caller: &str| {
        let turns = json!([
            {"role": "bot", "message": "Is it flooding? Is it an emergency, a backup?"},
            {"role": "user", "message": caller},
        ]);
        let mut report = crate::support::messages::report_of(call, &turns);
        report["message"]["transcript"] = json!(format!("AI: Is it flooding?\nUser: {caller}"));
        report["message"]["analysis"]["summary"] = json!("Asked whether it is flooding.");
        report
    };
    server.take(&told("slow", "No, just a slow sink.")).await;
    let decision = server.only_row("decisions").await;
    assert_eq!(
        (&decision["priority"], &decision["service"]),
        (&json!("P4"), &json!("drain_unblocking_camera"))
    );
    assert_eq!(server.counts(["sms_messages"]).await, [0]);
    server.take(&told("flood", "Yes, the house is flooding.")).await;
    assert_eq!(
        having(&server.rows("decisions").await, "call_id", "flood")[0]["priority"],
        "P1"
    );
    assert_eq!(server.counts(["sms_messages"]).await, [1]);
    let body = serde_json::to_vec(&told("slow", "No, just a slow sink.")).unwrap();
    let (status, _) = server
        .post_signed_to("/webhooks/vapi/default", VAPI_SECRET, &body)
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        server.counts(["decisions"]).await,
        [2],
        "the same message on both URLs of the default rulebook must have one effect"
    );
    server.stop().await;
}
