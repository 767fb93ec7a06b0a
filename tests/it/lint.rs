//! What lint tells over HTTP.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::{Database, TestApp};

both!(lint_tells_what_a_change_brought_in, what_lint_cannot_be_asked_is_told);

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
        "condition": "says(\"flooding\") && weekend",
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
                "text": "it is never reached: `emergency`, which comes first, holds whenever this does",
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
