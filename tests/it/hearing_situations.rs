//! Situations in which similar systems have failed their callers.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    both,
    support::{
        Database, TestApp,
        messages::{message, report, report_of, tool_calls},
    },
};

both!(
    the_same_number_is_the_one_that_called,
    places_and_lengths_and_services_are_read_as_they_come,
    a_blocked_caller_without_a_plus_is_blocked,
    content_parts_and_line_breaks_keep_an_emergency,
    texts_are_compared_whatever_their_accents_and_case,
    odd_arguments_are_the_callers_and_not_the_scripts,
    numbers_in_scripts_are_numbers,
);

const ROWS: &str = "/admin/v1/rulebooks/default";

async fn quiet(database: Database) -> TestApp {
    TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await
}

async fn put(server: &TestApp, path: &str, row: &Value) {
    let (status, answer) = server.admin(Method::PUT, &format!("{ROWS}/{path}"), Some(row)).await;
    assert!(status.is_success(), "{path}: {answer}");
}

async fn ask(server: &TestApp, call: &str, at: i64, tool: &str, arguments: Value) -> Value {
    let id = format!("t{at}");
    let answer = server.take(&tool_calls(call, at, &[(&id, tool, arguments)])).await;
    let result = &answer["results"][0];
    let text = result["result"].as_str().or(result["error"].as_str()).unwrap();
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

async fn the_same_number_is_the_one_that_called(database: Database) {
    let server = quiet(database).await;
    let mut told = report("call-1", "C'est inondé!");
    told["message"]["analysis"]["structuredData"]["customerPhone"] = json!("same number");
    server.take(&told).await;
    assert_eq!(server.only_row("leads").await["customer_number"], "+14385550177");
    let body = server.only_row("sms_messages").await["body"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(body.contains("+14385550177") && !body.contains("same number"), "{body}");
    server.stop().await;
}

async fn places_and_lengths_and_services_are_read_as_they_come(database: Database) {
    let server = quiet(database).await;
    for (at, city) in [(1, "Brossard, QC"), (2, "St. Lambert"), (3, "saint-lambert (Québec)")] {
        let told = ask(
            &server,
            "call-1",
            at,
            "validateServiceRequest",
            json!({"serviceType": "racines", "city": city}),
        )
        .await;
        assert_eq!(told["area"], "south_shore", "{city}: {told}");
    }
    let drain = json!({"serviceType": "french_drain_installation", "metres": "40 feet"});
    let quoted = ask(&server, "call-1", 4, "calculateQuote", drain).await;
    assert_eq!(
        (&quoted["service"], &quoted["price"]["from"]),
        (&json!("french_drain"), &json!("6096.00")),
        "{quoted}"
    );
    let slow = ask(
        &server,
        "call-1",
        5,
        "calculateQuote",
        json!({"serviceType": "slow_drain"}),
    )
    .await;
    assert_eq!(slow["service"], "drain_unblocking_camera", "{slow}");
    server.stop().await;
}

async fn a_blocked_caller_without_a_plus_is_blocked(database: Database) {
    let server = quiet(database).await;
    for (number, is_blocked) in [
        ("+15145550199", true),
        ("15145550199", true),
        ("5145550199", true),
        ("15145550198", false),
    ] {
        let fields = json!({"customer": {"number": number}});
        let answer = server
            .take(&message("assistant-request", &format!("call-{number}"), 0, &fields))
            .await;
        let refused = answer["error"]
            .as_str()
            .is_some_and(|text| text.contains("cannot take") || text.contains("ne pouvons"));
        assert_eq!(refused, is_blocked, "{number}: {answer}");
    }
    server.stop().await;
}

async fn content_parts_and_line_breaks_keep_an_emergency(database: Database) {
    let server = quiet(database).await;
    let parts = json!([
        {"role": "assistant", "content": [{"type": "text", "text": "How can I help?"}]},
        {"role": "user", "content": [{"type": "text", "text": "My basement is flooding!"}]},
    ]);
    let mut first = report_of("call-1", &json!([]));
    first["message"]["artifact"] = json!({"messagesOpenAIFormatted": parts});
    let mut second = report_of("call-2", &json!([]));
    second["message"]["artifact"] =
        json!({"transcript": "AI: How can I help?\nUser: Hello,\nmy basement\nis flooding!\n"});
    for (call, mut message) in [("call-1", first), ("call-2", second)] {
        message["message"].as_object_mut().unwrap().remove("analysis");
        server.take(&message).await;
        let (_, leads) = server
            .admin(Method::GET, &format!("{ROWS}/leads?call_id={call}"), None)
            .await;
        assert_eq!(leads["items"][0]["priority"], "P1", "{call}: {leads}");
    }
    server.stop().await;
}

async fn texts_are_compared_whatever_their_accents_and_case(database: Database) {
    let server = quiet(database).await;
    let rule = |code: &str, condition: &str| {
        json!({"code": code, "names": {"en": code, "fr": code}, "rank": 6, "condition": condition,
            "priority": "P2", "sla_seconds": 60})
    };
    put(
        &server,
        "priority-rules/vip",
        &rule(
            "vip",
            "customer_name == \"Zoé Tremblay\" || address in [\"9 Rue du Lac\"]",
        ),
    )
    .await;
    for (at, about, priority) in [
        (1, json!({"customerName": "ZOE TREMBLAY"}), "P2"),
        (2, json!({"customerName": "zoe\u{301} tremblay"}), "P2"),
        (3, json!({"address": "9 rue du lac"}), "P2"),
        (4, json!({"customerName": "Zoé Trembley"}), "P4"),
    ] {
        let told = ask(&server, "call-1", at, "classifyPriority", about.clone()).await;
        assert_eq!(told["priority"], priority, "{about}");
    }
    for condition in ["metres == \"12\"", "customer_name == 12", "customer_name > \"a\""] {
        let row = rule("odd", condition);
        let (status, problem) = server
            .admin(Method::PUT, &format!("{ROWS}/priority-rules/odd"), Some(&row))
            .await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{condition}: {problem}");
        assert_eq!(problem["errors"][0]["code"], "wrong_type", "{condition}: {problem}");
    }
    server.stop().await;
}

async fn odd_arguments_are_the_callers_and_not_the_scripts(database: Database) {
    let server = quiet(database).await;
    for at in 1..=12 {
        let odd = json!({"houseLength": "twelve or so", "houseWidth": ["8"], "customerName": "Zoe"});
        let told = ask(&server, "call-1", at, "estimateMetres", odd).await;
        let said = told.as_str().unwrap();
        assert!(
            said.contains("could not use those details") || said.contains("renseignements"),
            "{told}"
        );
    }
    let told = ask(
        &server,
        "call-2",
        1,
        "estimateMetres",
        json!({"houseLength": 12, "houseWidth": 8}),
    )
    .await;
    assert_eq!(told, "About 40 metres of French drain.");
    assert_eq!(server.counts(["script_quarantines"]).await, [0]);
    let notices = server.rows("notices").await;
    assert!(
        notices.iter().all(|notice| notice["code"] != "script_failed"),
        "{notices:?}"
    );
    server.stop().await;
}

async fn numbers_in_scripts_are_numbers(database: Database) {
    let server = quiet(database).await;
    let script = |source: &str| json!({"code": "sums", "hook": "tool", "rank": 90, "source": source});
    put(&server, "scripts/sums", &script("result.set(0);")).await;
    put(
        &server,
        "tools/sums",
        &json!({"code": "sums", "runs": "script", "script": "sums"}),
    )
    .await;
    for (at, source, told) in [
        (1, "result.set(3 / 2);", json!(1.5)),
        (
            2,
            "result.set([\"12\" > 5, \"12\" == 12, 12.0 == \"12\", \"a\" == 12, \"a\" > 12, 2 < \"10\"]);",
            json!([true, true, true, false, false, true]),
        ),
        (3, "result.set(number(5) + number(2.5) + number(\"1,5\"));", json!(9.0)),
        (4, "let a = 7; a /= 2; result.set(a);", json!(3.5)),
        (
            5,
            "result.set(switch whole(2.0) { 2 => \"two\", _ => \"other\" });",
            json!("two"),
        ),
        (6, "result.set(6 / 3);", json!(2)),
    ] {
        let (_, mut row) = server.admin(Method::GET, &format!("{ROWS}/scripts/sums"), None).await;
        row["source"] = json!(source);
        put(&server, "scripts/sums", &row).await;
        assert_eq!(ask(&server, "call-1", at, "sums", json!({})).await, told, "{source}");
    }
    let (_, mut row) = server.admin(Method::GET, &format!("{ROWS}/scripts/sums"), None).await;
    row["source"] =
        json!("let metres = fact(\"metres\");\nswitch metres {\n  12 => result.set(1),\n  _ => result.set(2),\n}");
    let (status, problem) = server
        .admin(Method::PUT, &format!("{ROWS}/scripts/sums"), Some(&row))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let text = problem.to_string();
    assert!(
        text.contains("line 3") && text.contains("number_in_switch"),
        "{problem}"
    );
    server.stop().await;
}
