//! The results and stored data of the assistant's tools.

use std::time::Instant;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    both,
    support::{
        Database, TestApp,
        messages::{report, tool_calls},
        tables::{having, yes},
    },
};

both!(
    each_tool_of_the_sample_answers_under_its_name,
    results_are_stable_whichever_message_asks_for_them,
    the_same_tool_calls_twenty_times_at_once_run_once,
    a_tool_that_does_not_exist_is_an_error_in_words_with_200,
    the_quote_spoken_is_the_one_that_the_lead_carries,
    a_booking_request_becomes_a_lead_with_the_wanted_slot,
    an_alert_texts_whom_the_rules_name_once,
    a_script_that_never_ends_is_stopped_and_the_message_is_kept,
    arguments_come_as_text_or_as_an_object,
);

const ROWS: &str = "/admin/v1/rulebooks/default";

async fn quiet(database: Database) -> TestApp {
    TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await
}

/// Sends a message, and returns the results of all its tool calls.
async fn results(server: &TestApp, message: &Value) -> Vec<Value> {
    let (status, answer) = server.post_signed(message).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["results"].as_array().unwrap().clone()
}

/// Sends a message, and returns its only result, parsed as JSON.
async fn result(server: &TestApp, message: &Value) -> Value {
    let results = results(server, message).await;
    assert_eq!(results.len(), 1);
    let text = results[0]["result"].as_str().unwrap_or_else(|| panic!("{results:?}"));
    assert!(!text.contains('\n'));
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

fn roots() -> Value {
    json!({"serviceType": "racines", "postalCode": "J4K 2M6", "customerName": "Zoé Tremblay"})
}

async fn edit(server: &TestApp, path: &str, change: Value) -> Value {
    let (status, mut row) = server.admin(Method::GET, &format!("{ROWS}/{path}"), None).await;
    assert_eq!(status, StatusCode::OK, "{row}");
    for (name, value) in change.as_object().unwrap() {
        row[name] = value.clone();
    }
    let (status, row) = server.admin(Method::PUT, &format!("{ROWS}/{path}"), Some(&row)).await;
    assert_eq!(status, StatusCode::OK, "{row}");
    row
}

async fn each_tool_of_the_sample_answers_under_its_name(database: Database) {
    let server = quiet(database).await;
    let mut urgent = roots();
    urgent["problemDescription"] = json!("Le drain refoule, c'est inondé.");
    let tools = [
        ("id-1", "calculateQuote", roots()),
        ("id-2", "classifyPriority", urgent.clone()),
        (
            "id-3",
            "validateServiceRequest",
            json!({"serviceType": "fosse septique"}),
        ),
        ("id-4", "evaluateScheduling", roots()),
        ("id-5", "sendSMSAlert", urgent),
        ("id-6", "bookAppointment", roots()),
        ("id-7", "estimateMetres", json!({"houseLength": 12, "houseWidth": 8})),
    ];
    let results = results(&server, &tool_calls("call-1", 1_000, &tools)).await;
    let mut told = Vec::new();
    for ((id, name, _), result) in tools.iter().zip(&results) {
        assert_eq!((&result["toolCallId"], &result["name"]), (&json!(id), &json!(name)));
        let text = result["result"].as_str().unwrap_or_else(|| panic!("{result}"));
        told.push(serde_json::from_str(text).unwrap_or_else(|_| json!(text)));
    }
    // The price is 450 to 750, plus 100 on the South Shore.
    assert_eq!(
        (&told[0]["price"]["from"], &told[0]["price"]["to"]),
        (&json!("550.00"), &json!("850.00"))
    );
    assert!(told[0]["say"].as_str().unwrap().contains("550"), "{}", told[0]);
    assert_eq!(
        (&told[1]["priority"], &told[1]["slaSeconds"]),
        (&json!("P1"), &json!(0))
    );
    assert_eq!(
        (&told[2]["offered"], &told[2]["service"]),
        (&json!(false), &json!("septic_tank"))
    );
    assert!(
        told[2]["say"].as_str().unwrap().contains("fosses septiques"),
        "{}",
        told[2]
    );
    // The dates are three to five working days after Tuesday the 24th.
    assert_eq!(
        (&told[3]["earliest"], &told[3]["latest"]),
        (&json!("2026-11-27"), &json!("2026-12-01"))
    );
    assert_eq!(told[4]["alerted"], json!(["Mario Bélanger"]));
    assert_eq!(
        (&told[5]["requested"], &told[5]["confirmed"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(told[6], "About 40 metres of French drain.");
    let rows = server.rows("tool_calls").await;
    assert_eq!(rows.len(), 7);
    for (id, name, arguments) in tools {
        let row = &having(&rows, "tool_call_id", id)[0];
        assert_eq!(
            (&row["name"], &row["arguments"], &row["call_id"]),
            (&json!(name), &arguments, &json!("call-1"))
        );
        assert!(yes(&row["ok"]) && row["duration_us"].as_i64().unwrap() >= 0, "{row}");
        let decisions = server.rows("decisions").await;
        assert_eq!(having(&decisions, "id", row["decision_id"].clone()).len(), 1, "{name}");
    }
    server.stop().await;
}

async fn results_are_stable_whichever_message_asks_for_them(database: Database) {
    let server = quiet(database).await;
    let two = tool_calls(
        "call-1",
        1_000,
        &[("a", "calculateQuote", roots()), ("b", "classifyPriority", roots())],
    );
    let first = results(&server, &two).await;
    edit(
        &server,
        "services/root_removal",
        json!({"price_from": "999.00", "price_to": "999.00"}),
    )
    .await;
    let old_and_new = tool_calls(
        "call-1",
        2_000,
        &[
            ("b", "classifyPriority", roots()),
            ("a", "calculateQuote", roots()),
            ("c", "calculateQuote", roots()),
        ],
    );
    let second = results(&server, &old_and_new).await;
    assert_eq!(
        (&second[0], &second[1]),
        (&first[1], &first[0]),
        "a repeated tool call must get the first result"
    );
    assert!(
        second[2]["result"].as_str().unwrap().contains("1099.00"),
        "{}",
        second[2]
    );
    for _ in 0..2 {
        assert_eq!(results(&server, &two).await, first);
        assert_eq!(results(&server, &old_and_new).await, second);
    }
    assert_eq!(
        server.counts(["tool_calls", "decisions", "webhook_events"]).await,
        [3, 3, 2]
    );
    // A tool call with the same id in another call is not a duplicate.
    let elsewhere = results(
        &server,
        &tool_calls("call-2", 1_000, &[("a", "calculateQuote", roots())]),
    )
    .await;
    assert_ne!(elsewhere[0], first[0]);
    assert_eq!(server.counts(["tool_calls"]).await, [4]);
    server.stop().await;
}

async fn the_same_tool_calls_twenty_times_at_once_run_once(database: Database) {
    let server = quiet(database).await;
    let about = json!({"serviceType": "racines", "problemDescription": "inondé"});
    let tools = [
        ("a", "calculateQuote", about.clone()),
        ("b", "sendSMSAlert", about.clone()),
        ("c", "bookAppointment", about),
    ];
    // Half of the messages have one more tool call, so that they are not duplicates.
    let (all, some) = (
        tool_calls("call-1", 1_000, &tools),
        tool_calls("call-1", 1_000, &tools[..2]),
    );
    let posted = (0..20).map(|number| server.post_signed(if number % 2 == 0 { &all } else { &some }));
    let answers = futures_util::future::join_all(posted).await;
    for (status, answer) in &answers {
        assert_eq!(*status, StatusCode::OK, "{answer}");
        assert_eq!(answer["results"][0], answers[0].1["results"][0]);
        assert_eq!(answer["results"][1], answers[0].1["results"][1]);
    }
    let tables = ["tool_calls", "decisions", "webhook_events", "leads", "sms_messages"];
    assert_eq!(server.counts(tables).await, [3, 3, 2, 1, 1]);
    server.stop().await;
}

async fn a_tool_that_does_not_exist_is_an_error_in_words_with_200(database: Database) {
    let server = quiet(database).await;
    let message = tool_calls(
        "call-1",
        1_000,
        &[("a", "dropTables", json!({})), ("b", "classifyPriority", roots())],
    );
    let results = results(&server, &message).await;
    assert_eq!(
        (&results[0]["toolCallId"], &results[0]["name"]),
        (&json!("a"), &json!("dropTables"))
    );
    assert!(
        results[0]["error"]
            .as_str()
            .unwrap()
            .contains("no tool named dropTables"),
        "{}",
        results[0]
    );
    assert!(results[0].get("result").is_none());
    assert!(
        results[1]["result"].is_string(),
        "a failed tool call must not affect the others"
    );
    let row = &having(&server.rows("tool_calls").await, "tool_call_id", "a")[0];
    assert!(!yes(&row["ok"]) && row["error"] == results[0]["error"], "{row}");
    server.stop().await;
}

async fn the_quote_spoken_is_the_one_that_the_lead_carries(database: Database) {
    let server = quiet(database).await;
    let quote = tool_calls("call-1", 1_000, &[("a", "calculateQuote", roots())]);
    assert_eq!(result(&server, &quote).await["price"]["from"], "550.00");
    let spoken = server.only_row("decisions").await;
    assert_eq!(server.only_row("calls").await["quote_decision_id"], spoken["id"]);
    edit(
        &server,
        "services/root_removal",
        json!({"price_from": "1000.00", "price_to": "1000.00"}),
    )
    .await;
    // A later `classifyPriority` is not a quote.
    results(
        &server,
        &tool_calls("call-1", 2_000, &[("b", "classifyPriority", roots())]),
    )
    .await;
    let mut told = report("call-1", "J'ai des racines.");
    told["message"]["analysis"]["structuredData"]["postalCode"] = json!("J4K 2M6");
    assert_eq!(server.post_signed(&told).await.0, StatusCode::OK);
    let lead = server.only_row("leads").await;
    assert_eq!(
        (&lead["price_from"], &lead["price_to"]),
        (&json!(55_000), &json!(85_000))
    );
    assert_eq!(lead["quote_revision"], spoken["revision"]);
    assert_eq!(lead["quote_decision_id"], spoken["id"]);
    // The report was decided separately, with the current price.
    let decided = having(&server.rows("decisions").await, "purpose", "report").remove(0);
    assert_eq!(decided["price_from"], 110_000);
    assert_eq!(
        decided["revision"].as_i64().unwrap(),
        spoken["revision"].as_i64().unwrap() + 1
    );
    assert_eq!(lead["decision_id"], decided["id"]);
    // If there are several quotes, the quote for the requested service counts.
    results(
        &server,
        &tool_calls("call-2", 1_000, &[("a", "calculateQuote", roots())]),
    )
    .await;
    results(
        &server,
        &tool_calls(
            "call-2",
            2_000,
            &[("b", "calculateQuote", json!({"serviceType": "inspection"}))],
        ),
    )
    .await;
    let mut told = report("call-2", "J'ai des racines.");
    told["message"]["analysis"]["structuredData"]["postalCode"] = json!("J4K 2M6");
    server.take(&told).await;
    assert_eq!(
        having(&server.rows("leads").await, "call_id", "call-2")[0]["price_from"],
        110_000
    );
    server.stop().await;
}

async fn a_booking_request_becomes_a_lead_with_the_wanted_slot(database: Database) {
    let server = quiet(database).await;
    let mut about = roots();
    about["wantedSlot"] = json!("vendredi matin");
    let booked = result(
        &server,
        &tool_calls("call-1", 1_000, &[("a", "bookAppointment", about)]),
    )
    .await;
    assert_eq!(booked["wantedSlot"], "vendredi matin");
    let lead = server.only_row("leads").await;
    assert_eq!(
        (&lead["wanted_slot"], &lead["customer_name"]),
        (&json!("vendredi matin"), &json!("Zoé Tremblay"))
    );
    assert_eq!(
        (&lead["service"], &lead["area"]),
        (&json!("root_removal"), &json!("south_shore"))
    );
    assert_eq!(
        lead["customer_number"], "+14385550177",
        "without a given number, the lead must have the caller's number"
    );
    // The report adds data to the lead and removes none.
    assert_eq!(
        server.post_signed(&report("call-1", "J'ai des racines.")).await.0,
        StatusCode::OK
    );
    let lead = server.only_row("leads").await;
    assert_eq!(
        (&lead["wanted_slot"], &lead["priority"]),
        (&json!("vendredi matin"), &json!("P4"))
    );
    server.stop().await;
}

async fn an_alert_texts_whom_the_rules_name_once(database: Database) {
    let server = quiet(database).await;
    let about =
        json!({"serviceType": "sous-dalle", "problemDescription": "refoulement", "customerName": "Zoé Tremblay"});
    let alerted = result(
        &server,
        &tool_calls("call-1", 1_000, &[("a", "sendSMSAlert", about.clone())]),
    )
    .await;
    assert_eq!(alerted, json!({"alerted": ["Sarah Cohen"], "priority": "P1"}));
    let text = server.only_row("sms_messages").await;
    assert_eq!(
        (&text["to_number"], &text["template"], &text["priority"]),
        (&json!("+15145550102"), &json!("alert"), &json!("P1"))
    );
    let body = text["body"].as_str().unwrap();
    for part in [
        "P1",
        "Under-slab work",
        "Zoé Tremblay",
        "+14385550177",
        "refoulement",
        "Ref ",
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
    // The tool is called again, and the report of the call would notify the contact once more. There is still one
    // message per call, contact and template.
    results(&server, &tool_calls("call-1", 2_000, &[("b", "sendSMSAlert", about)])).await;
    assert_eq!(
        server
            .post_signed(&report("call-1", "Refoulement sous la dalle."))
            .await
            .0,
        StatusCode::OK
    );
    assert_eq!(server.counts(["sms_messages"]).await, [1]);
    server.stop().await;
}

async fn a_script_that_never_ends_is_stopped_and_the_message_is_kept(database: Database) {
    let server = quiet(database).await;
    for (path, row) in [
        (
            "scripts/forever",
            json!({"code": "forever", "hook": "tool", "rank": 90, "source": "loop { }"}),
        ),
        (
            "tools/loopForever",
            json!({"code": "loopForever", "runs": "script", "script": "forever"}),
        ),
        (
            "scripts/adds_up",
            json!({"code": "adds_up", "hook": "tool", "rank": 91, "source": "result.set(\"It is \" + text(arg(\"a\") + 1));"}),
        ),
        (
            "tools/addOne",
            json!({"code": "addOne", "runs": "script", "script": "adds_up"}),
        ),
    ] {
        let (status, answer) = server.admin(Method::PUT, &format!("{ROWS}/{path}"), Some(&row)).await;
        assert_eq!(status, StatusCode::CREATED, "{path}: {answer}");
    }
    let message = tool_calls(
        "call-1",
        1_000,
        &[("a", "loopForever", json!({})), ("b", "addOne", json!({"a": 41}))],
    );
    let began = Instant::now();
    let answered = results(&server, &message).await;
    assert!(began.elapsed().as_secs_f32() < 1.0, "{:?}", began.elapsed());
    assert!(
        answered[0]["error"].as_str().unwrap().contains("out of order"),
        "{}",
        answered[0]
    );
    assert_eq!(answered[1]["result"], "It is 42");
    let rows = server.rows("tool_calls").await;
    assert_eq!(
        (rows.len(), yes(&having(&rows, "tool_call_id", "a")[0]["ok"])),
        (2, false)
    );
    assert_eq!(server.only_row("webhook_events").await["state"], "recorded");
    // The response is repeated without running the tool again.
    assert_eq!(results(&server, &message).await, answered);
    server.stop().await;
}

async fn arguments_come_as_text_or_as_an_object(database: Database) {
    let server = quiet(database).await;
    let as_text = json!(roots().to_string());
    let message = tool_calls(
        "call-1",
        1_000,
        &[
            ("a", "calculateQuote", as_text),
            ("b", "calculateQuote", roots()),
            ("c", "calculateQuote", json!("no JSON {")),
        ],
    );
    let results = results(&server, &message).await;
    assert_eq!(results[0]["result"], results[1]["result"]);
    assert!(results[2]["result"].is_string(), "{}", results[2]);
    let rows = server.rows("tool_calls").await;
    assert_eq!(having(&rows, "tool_call_id", "a")[0]["arguments"], roots());
    assert_eq!(having(&rows, "tool_call_id", "c")[0]["arguments"], json!({}));
    server.stop().await;
}
