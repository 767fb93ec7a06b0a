//! Tests which tool calls count as duplicates, and the formats in which tool calls arrive.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    both,
    support::{
        Database, TestApp,
        app::VAPI_SECRET,
        messages::{message, tool_calls},
    },
};

both!(
    a_tool_call_is_the_same_only_with_the_same_id_name_and_arguments,
    two_chats_with_the_same_tool_call_id_have_their_own_prices,
    a_tool_call_without_a_text_as_id_gets_its_result,
    every_form_of_a_tool_call_is_understood,
    a_server_url_may_end_in_a_slash,
);

async fn quiet(database: Database) -> TestApp {
    TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await
}

fn service(name: &str) -> Value {
    json!({"serviceType": name})
}

/// Returns the lowest price in each result, or an empty string if a result has no price.
fn prices(answer: &Value) -> Vec<String> {
    let results = answer["results"].as_array().unwrap_or_else(|| panic!("{answer}"));
    results.iter().map(|one| price(&one["result"])).collect()
}

fn price(result: &Value) -> String {
    let told: Value = serde_json::from_str(result.as_str().unwrap_or_default()).unwrap_or_default();
    told["price"]["from"].as_str().unwrap_or_default().to_owned()
}

async fn a_tool_call_is_the_same_only_with_the_same_id_name_and_arguments(database: Database) {
    let server = quiet(database).await;
    let one = |at, name: &str, about: &str| tool_calls("call-1", at, &[("a", name, service(about))]);
    let roots = server.take(&one(1_000, "calculateQuote", "racines")).await;
    assert_eq!(prices(&roots), ["450.00"]);
    assert_eq!(
        server.take(&one(2_000, "calculateQuote", "racines")).await,
        roots,
        "a duplicate must get the stored result"
    );
    let camera = server.take(&one(3_000, "calculateQuote", "inspection")).await;
    assert_eq!(prices(&camera), ["350.00"], "a tool call with other arguments must run");
    let check = server.take(&one(4_000, "validateServiceRequest", "inspection")).await;
    assert!(
        check["results"][0]["result"].as_str().unwrap().contains("offered"),
        "a call of another tool must run: {check}"
    );
    assert_eq!(server.counts(["tool_calls", "decisions"]).await, [3, 3]);
    let both = json!([
        {"id": "b", "function": {"name": "calculateQuote", "arguments": service("racines")}},
        {"id": "b", "function": {"name": "calculateQuote", "arguments": service("inspection")}},
    ]);
    let both = message("tool-calls", "call-1", 5_000, &json!({"toolCallList": both}));
    assert_eq!(prices(&server.take(&both).await), ["450.00", "350.00"]);
    server.stop().await;
}

async fn two_chats_with_the_same_tool_call_id_have_their_own_prices(database: Database) {
    let server = quiet(database).await;
    let of = |place: &str, id: &str, about: &str| {
        let mut message = tool_calls("-", 1_000, &[("call_0", "calculateQuote", service(about))]);
        let fields = message["message"].as_object_mut().unwrap();
        fields.remove("call");
        fields.insert(place.to_owned(), json!({"id": id}));
        message
    };
    let first = server.take(&of("chat", "one", "racines")).await;
    assert_eq!(prices(&first), ["450.00"]);
    assert_eq!(prices(&server.take(&of("chat", "two", "inspection")).await), ["350.00"]);
    assert_eq!(
        prices(&server.take(&of("session", "one", "inspection")).await),
        ["350.00"]
    );
    assert_eq!(server.take(&of("chat", "one", "racines")).await, first);
    assert_eq!(server.counts(["tool_calls"]).await, [3]);
    server.stop().await;
}

async fn a_tool_call_without_a_text_as_id_gets_its_result(database: Database) {
    let server = quiet(database).await;
    for (at, id, told) in [
        (1_000, json!(7), json!("7")),
        (2_000, json!(null), json!("")),
        (3_000, json!(""), json!("")),
    ] {
        let call = json!([{"id": id, "type": "function",
            "function": {"name": "calculateQuote", "arguments": service("racines")}}]);
        let message = message("tool-calls", "call-1", at, &json!({"toolCallList": call}));
        let answer = server.take(&message).await;
        assert_eq!(
            (prices(&answer), &answer["results"][0]["toolCallId"]),
            (vec!["450.00".to_owned()], &told),
            "{id}"
        );
    }
    server.stop().await;
}

async fn every_form_of_a_tool_call_is_understood(database: Database) {
    let server = quiet(database).await;
    let about = service("racines");
    let twice = json!(json!(about.to_string()).to_string());
    let named = json!({"name": "calculateQuote", "toolCall": {"id": "a", "parameters": about}});
    let forms = [
        json!({"toolWithToolCallList": [named]}),
        json!({"toolWithToolCallList": [{"type": "function", "function": {"name": "calculateQuote"},
            "toolCall": {"id": "a", "type": "function", "function": {"arguments": about}}}]}),
        json!({"toolCallList": [{"id": "a", "name": "calculateQuote", "arguments": about}]}),
        json!({"toolCalls": [{"id": "a", "function": {"name": "calculateQuote", "arguments": twice}}]}),
        json!({"toolCallList": [{"id": "a"}], "toolWithToolCallList": [named]}),
    ];
    for (number, form) in forms.iter().enumerate() {
        let answer = server
            .take(&message("tool-calls", &format!("call-{number}"), 1_000, form))
            .await;
        assert_eq!(prices(&answer), ["450.00"], "{form}: {answer}");
    }
    let older = |call: &str, name: &str| {
        message(
            "function-call",
            call,
            1_000,
            &json!({"functionCall": {"name": name, "parameters": about}}),
        )
    };
    let answer = server.take(&older("older", "calculateQuote")).await;
    assert_eq!(price(&answer["result"]), "450.00", "{answer}");
    assert!(answer.get("results").is_none(), "{answer}");
    assert_eq!(
        server.take(&older("older", "calculateQuote")).await,
        answer,
        "told again"
    );
    let unknown = server.take(&older("other", "dropTables")).await;
    assert!(
        unknown["result"].as_str().unwrap().contains("no tool named"),
        "{unknown}"
    );
    server.stop().await;
}

async fn a_server_url_may_end_in_a_slash(database: Database) {
    let server = quiet(database).await;
    for (number, path) in ["/webhooks/vapi/", "/webhooks/vapi/default/", "/webhooks/vapi/default"]
        .iter()
        .enumerate()
    {
        let message = tool_calls(
            &format!("call-{number}"),
            1_000,
            &[("a", "calculateQuote", service("racines"))],
        );
        let body = serde_json::to_vec(&message).unwrap();
        let (status, answer) = server.post_signed_to(path, VAPI_SECRET, &body).await;
        assert_eq!(
            (status, prices(&answer)),
            (StatusCode::OK, vec!["450.00".to_owned()]),
            "{path}"
        );
    }
    server.stop().await;
}
