//! Lint over HTTP.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::{Database, TestApp};

both!(
    lint_tells_what_a_change_brought_in,
    what_lint_cannot_be_asked_is_told,
    an_error_of_lint_holds_up_the_change_that_brings_it_in,
    a_check_tells_what_a_change_set_brings_in,
);

const LINT: &str = "/admin/v1/rulebooks/default/lint";

async fn lint(app: &TestApp, query: &str) -> Value {
    let (status, report) = app.admin(Method::GET, &format!("{LINT}{query}"), None).await;
    assert_eq!(status, StatusCode::OK, "{report}");
    report
}

async fn lint_tells_what_a_change_brought_in(database: Database) {
    let app = TestApp::start(database).await;
    assert_eq!(
        lint(&app, "").await,
        json!({"revision": 1, "errors": 0, "warnings": 0, "findings": []})
    );
    let rule = json!({
        "names": {"fr": "Piscine", "en": "Pool"}, "rank": 90, "priority": "P2", "sla_seconds": 60,
        "condition": "sounds_urgent >= 70 && weekend",
    });
    let path = "/admin/v1/rulebooks/default/priority-rules/pool_at_the_weekend";
    let (status, answer) = app.admin(Method::PUT, path, Some(&rule)).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let report = lint(&app, "").await;
    assert_eq!(
        report,
        json!({
            "revision": 2, "errors": 0, "warnings": 1,
            "findings": [{
                "severity": "warning", "resource": "priority-rules", "code": "pool_at_the_weekend", "column": "condition",
                "problem": "unreachable",
                "text": "it is never reached: `emergency` comes first and matches whenever this rule does",
                "related": [{"resource": "priority-rules", "code": "emergency"}],
            }],
        })
    );
    assert_eq!(lint(&app, "?revision=1").await["findings"], json!([]));
    app.stop().await;
}

async fn what_lint_cannot_be_asked_is_told(database: Database) {
    let app = TestApp::start(database).await;
    for (query, status) in [
        ("?revision=9", StatusCode::NOT_FOUND),
        ("?revision=x", StatusCode::BAD_REQUEST),
        ("?days=0", StatusCode::BAD_REQUEST),
        ("?days=401", StatusCode::BAD_REQUEST),
        ("?days=-1", StatusCode::BAD_REQUEST),
    ] {
        let (told, problem) = app.admin(Method::GET, &format!("{LINT}{query}"), None).await;
        assert_eq!(told, status, "{query}: {problem}");
        assert!(problem["code"].is_string(), "{problem}");
    }
    let (status, _) = app.get(LINT).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    app.stop().await;
}

const RULES: &str = "/admin/v1/rulebooks/default/priority-rules";

fn rule(condition: &str) -> Value {
    json!({
        "names": {"fr": "x", "en": "x"}, "rank": 90, "priority": "P2", "sla_seconds": 60, "condition": condition,
    })
}

async fn an_error_of_lint_holds_up_the_change_that_brings_it_in(database: Database) {
    let app = TestApp::start(database).await;
    let path = format!("{RULES}/odd");
    let (status, problem) = app
        .admin(Method::PUT, &path, Some(&rule("hour > 20 && hour < 6")))
        .await;
    assert_eq!(
        (
            status,
            &problem["code"],
            &problem["errors"][0]["code"],
            &problem["errors"][0]["pointer"]
        ),
        (
            StatusCode::UNPROCESSABLE_ENTITY,
            &json!("rule_fault"),
            &json!("never_true"),
            &json!("/condition")
        ),
        "{problem}"
    );
    assert_eq!(lint(&app, "").await["revision"], 1);
    // The condition of this rule equals the condition of another rule but is written differently. The priorities
    // differ.
    let twin = "!(!(sounds_municipal >= 60 || (says(\"#municipal\") && !(sounds_municipal < 30))))";
    let (status, problem) = app.admin(Method::PUT, &path, Some(&rule(twin))).await;
    assert_eq!(
        (status, &problem["errors"][0]["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("same_condition")),
        "{problem}"
    );
    let (status, _) = app
        .admin(Method::PUT, &path, Some(&rule("hour == 4 || hour == 5")))
        .await;
    assert_eq!(status, StatusCode::CREATED);
    app.stop().await;
}

async fn a_check_tells_what_a_change_set_brings_in(database: Database) {
    let app = TestApp::start(database).await;
    let sets = "/admin/v1/rulebooks/default/change-sets";
    let change = |code: &str, condition: &str| json!({"resource": "priority-rules", "code": code, "method": "put", "body": rule(condition)});
    let body = json!({"comment": "x", "changes": [change("late", "sounds_urgent >= 70")]});
    let (status, set) = app.admin(Method::POST, sets, Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{set}");
    let path = format!("{sets}/{}", set["id"].as_str().unwrap());
    let (_, check) = app.admin(Method::POST, &format!("{path}/check"), None).await;
    assert_eq!(check["publishable"], true, "{check}");
    assert_eq!(
        (
            &check["findings"][0]["code"],
            &check["findings"][0]["problem"],
            &check["findings"][0]["severity"]
        ),
        (&json!("late"), &json!("unreachable"), &json!("warning"))
    );
    let added = format!("{path}/changes?version={}", set["version"]);
    let (status, set) = app
        .admin(Method::POST, &added, Some(&change("never", "weekend && !weekend")))
        .await;
    assert_eq!(status, StatusCode::OK, "{set}");
    let (_, check) = app.admin(Method::POST, &format!("{path}/check"), None).await;
    assert_eq!(
        (&check["publishable"], &check["faults"]),
        (&json!(false), &json!([])),
        "{check}"
    );
    let problems: Vec<&Value> = check["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| &f["problem"])
        .collect();
    assert_eq!(problems, ["unreachable", "never_true"]);
    let publish = format!("{path}/publish?version={}", set["version"]);
    let (status, problem) = app.admin(Method::POST, &publish, Some(&json!({}))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let soon = app.app.clock.now() + chrono::TimeDelta::days(1);
    let (status, problem) = app.admin(Method::POST, &publish, Some(&json!({"at": soon}))).await;
    assert_eq!(
        (status, &problem["errors"][0]["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("never_true")),
        "{problem}"
    );
    app.stop().await;
}
