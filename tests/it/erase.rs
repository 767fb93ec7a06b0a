//! A call is deleted at Vapi: the caller's data is erased, but the call's row stays.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    both,
    support::{
        Database, TestApp,
        messages::{PERSONAL, heard, message, report, status, tool_calls},
        tables::having,
    },
};

both!(
    a_deleted_call_leaves_nothing_personal_in_any_table,
    what_comes_after_the_deletion_adds_nothing_personal,
    other_calls_keep_their_data,
    what_a_script_made_of_the_caller_goes_too,
    a_text_already_sent_is_emptied_too,
    messages_that_meet_the_deletion_leave_nothing_personal,
);

/// The caller's words, including personal data.
const SAID: &str =
    "Mon sous-sol est inondé, des racines, quelle trouvaille. Rappelez Zenobie Quatremains au 4385550177.";

/// Builds the messages of a whole call, with personal data in every possible place.
pub fn conversation(call: &str) -> Vec<Value> {
    let about = json!({
        "serviceType": "racines",
        "customerName": "Zenobie Quatremains",
        "customerPhone": "+14385550177",
        "customerEmail": "zenobie.quatremains@exemple.invalid",
        "address": "77 rue du Hibou",
        "postalCode": "H2Z 9Q7",
        "problemDescription": SAID,
        "wantedSlot": "demain, chez Zenobie Quatremains",
    });
    let tools = [
        "calculateQuote",
        "classifyPriority",
        "validateServiceRequest",
        "evaluateScheduling",
        "sendSMSAlert",
        "bookAppointment",
        "estimateMetres",
        "unheardOf",
    ];
    let tools: Vec<_> = tools.iter().map(|name| (*name, *name, about.clone())).collect();
    let named = json!({"customer": {"number": "+14385550177", "name": "Zenobie Quatremains"}});
    vec![
        message("assistant-request", call, 0, &named),
        status(call, "ringing", 500),
        heard(call, "user", SAID, 3_000),
        message(
            "speech-update",
            call,
            3_500,
            &json!({"status": "started", "role": "user", "artifact": {"transcript": SAID}}),
        ),
        message(
            "conversation-update",
            call,
            4_000,
            &json!({"conversation": [{"role": "user", "content": SAID}]}),
        ),
        message(
            "knowledge-base-request",
            call,
            5_000,
            &json!({"messages": [{"role": "user", "content": SAID}]}),
        ),
        tool_calls(call, 10_000, &tools),
        status(call, "ended", 60_000),
        report(call, SAID),
    ]
}

fn deleted(call: &str) -> Value {
    let whole = report(call, SAID)["message"]["artifact"].clone();
    let fields = json!({"artifact": whole, "customer": {"number": "+14385550177", "name": "Zenobie Quatremains"}});
    message("call.deleted", call, 90_000, &fields)
}

/// Finds every column of the database that contains personal data, as text or as bytes.
pub async fn found(server: &TestApp) -> Vec<String> {
    let mut found = Vec::new();
    for table in server.tables().await {
        for row in server.rows(&table).await {
            for (column, value) in row.as_object().unwrap() {
                let text = value.to_string().to_lowercase();
                for needle in PERSONAL {
                    let needle = needle.to_lowercase();
                    // Other binary columns may contain the text in its original case, so the search covers both cases.
                    let bytes = [hex::encode(&needle), hex::encode(capitalised(&needle))];
                    if text.contains(&needle) || bytes.iter().any(|bytes| text.contains(bytes)) {
                        found.push(format!("{table}.{column}: {needle}"));
                    }
                }
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Returns the string with its words capitalized, as in a name.
fn capitalised(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.split_at_checked(1) {
        Some((first, rest)) if !matches!(word, "rue" | "du" | "trouvaille") => first.to_uppercase() + rest,
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

async fn a_deleted_call_leaves_nothing_personal_in_any_table(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    for message in conversation("call-1") {
        server.take(&message).await;
    }
    let before = found(&server).await;
    // Check that the search finds the data before the erasure. Otherwise an empty result below would prove nothing.
    for place in [
        "webhook_events.body: zenobie quatremains",
        "calls.customer_name: zenobie quatremains",
        "calls.analysis: 77 rue du hibou",
        "call_transcripts.text: trouvaille",
        "decisions.extracted: trouvaille",
        "tool_calls.arguments: 4385550177",
        "leads.wanted_slot: zenobie quatremains",
        "sms_messages.body: 4385550177",
    ] {
        assert!(before.contains(&place.to_owned()), "{place} is not in {before:#?}");
    }
    assert_eq!(server.take(&deleted("call-1")).await, json!({}));
    assert_eq!(found(&server).await, Vec::<String>::new());
    let call = server.only_row("calls").await;
    assert!(!call["erased_at"].is_null());
    assert_eq!((&call["id"], &call["status"]), (&json!("call-1"), &json!("ended")));
    assert!(!call["started_at"].is_null());
    let decisions = server.rows("decisions").await;
    let report = &having(&decisions, "purpose", "report")[0];
    assert_eq!(
        (&report["priority"], &report["price_from"]),
        (&json!("P1"), &json!(45_000)),
        "{report}"
    );
    assert_eq!(server.counts(["call_transcripts", "leads"]).await, [0, 1]);
    // Nobody gets an SMS message about an erased caller.
    let texts = server.rows("sms_messages").await;
    assert!(
        !texts.is_empty() && texts.iter().all(|text| text["state"] == "dead"),
        "{texts:?}"
    );
    server.stop().await;
}

async fn what_comes_after_the_deletion_adds_nothing_personal(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    for first in conversation("early") {
        server.take(&first).await;
    }
    for call in ["early", "never-heard-of"] {
        server.take(&deleted(call)).await;
        let mut messages = conversation(call);
        let mut amended = report(call, "Encore inondé, une autre trouvaille.");
        amended["message"]["timestamp"] = json!(2_000_000_000_000_i64);
        messages.extend([amended, heard(call, "user", SAID, 99_000), deleted(call)]);
        messages.push(tool_calls(
            call,
            95_000,
            &[(
                "late",
                "bookAppointment",
                json!({"customerName": "Zenobie Quatremains"}),
            )],
        ));
        for message in messages {
            let answer = server.take(&message).await;
            assert!(answer.is_object(), "{answer}");
        }
    }
    assert_eq!(found(&server).await, Vec::<String>::new());
    assert_eq!(server.counts(["calls", "call_transcripts", "leads"]).await, [2, 0, 1]);
    let decisions = server.rows("decisions").await;
    assert_eq!(having(&decisions, "call_id", "never-heard-of").len(), 0);
    server.stop().await;
}

async fn other_calls_keep_their_data(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    for message in conversation("call-1") {
        server.take(&message).await;
    }
    let before = server.everything().await;
    server.take(&deleted("call-2")).await;
    for ((table, was), (_, is)) in before.into_iter().zip(server.everything().await) {
        for row in was {
            assert!(is.contains(&row), "{table}: {row}");
        }
    }
    server.stop().await;
}

async fn what_a_script_made_of_the_caller_goes_too(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    let path = "/admin/v1/rulebooks/default/scripts/spring_promotion";
    let (_, script) = server.admin(Method::GET, path, None).await;
    let names =
        r#"let name = fact("customer_name"); if name != () { result.say("Merci " + name); quote.add(10, name); }"#;
    let source = format!("{names}\n{}", script["source"].as_str().unwrap());
    let change = json!({"source": source, "version": script["version"]});
    let (status, answer) = server.admin(Method::PATCH, path, Some(&change)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    server.take(&report("call-1", SAID)).await;
    let before = found(&server).await;
    assert!(
        before.contains(&"decisions.result: zenobie quatremains".to_owned()),
        "{before:#?}"
    );
    let was = having(&server.rows("decisions").await, "purpose", "report")[0]["result"].clone();
    assert!(was["say"].as_str().unwrap().contains("Merci Zenobie"), "{was}");
    server.take(&deleted("call-1")).await;
    assert_eq!(found(&server).await, Vec::<String>::new());
    // Codes and amounts are not erased. Every other step of the trace keeps only its effect.
    let mut expected = was;
    expected["say"] = json!("");
    let mut emptied = 0;
    for step in expected["trace"].as_array_mut().unwrap() {
        if step["resource"] == "concepts" {
            step["did"] = json!("");
        }
        if step["resource"] == "scripts" {
            assert_eq!(
                (&step["code"], &step["money"]["kind"]),
                (&json!("spring_promotion"), &json!("add"))
            );
            step["did"] = json!("");
            emptied += 1;
        }
    }
    assert_eq!(emptied, 1);
    let decisions = having(&server.rows("decisions").await, "purpose", "report");
    assert_eq!(decisions[0]["result"], expected);
    server.stop().await;
}

async fn a_text_already_sent_is_emptied_too(database: Database) {
    let server = TestApp::start(database).await;
    server.take(&report("call-1", SAID)).await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while server.only_row("sms_messages").await["state"] != "simulated" {
        assert!(
            tokio::time::Instant::now() < deadline,
            "timed out while waiting until the SMS message is sent"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(!found(&server).await.is_empty());
    server.take(&deleted("call-1")).await;
    assert_eq!(found(&server).await, Vec::<String>::new());
    assert_eq!(
        server.only_row("sms_messages").await["state"],
        "simulated",
        "the record that the message was sent is lost"
    );
    server.stop().await;
}

async fn messages_that_meet_the_deletion_leave_nothing_personal(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    for number in 0..15 {
        let call = format!("call-{number}");
        let mut messages = conversation(&call);
        server.take(&messages[0]).await;
        // The deletion arrives after some of the call's messages and before its other messages.
        messages.insert(number % messages.len(), deleted(&call));
        let posted = messages.iter().map(|message| server.post_signed(message));
        for (status, answer) in futures_util::future::join_all(posted).await {
            assert_eq!(status, StatusCode::OK, "{answer}");
        }
        assert_eq!(found(&server).await, Vec::<String>::new(), "{call}");
    }
    server.stop().await;
}
