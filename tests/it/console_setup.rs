//! The set-up in the console and the API: the checks of `ringbook doctor`, run by the server itself.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::both;
use crate::support::app::{ADMIN_KEY, VAPI_SECRET};
use crate::support::browser::{Browser, key};
use crate::support::{Database, TestApp};

both!(
    the_server_checks_its_own_set_up,
    the_steps_are_shown_with_what_to_do,
    only_the_owner_and_an_administrator_of_everything_see_the_checks,
);

async fn the_server_checks_its_own_set_up(database: Database) {
    let app = TestApp::builder(database)
        .set("RINGBOOK_WORKERS", "none")
        .set("RINGBOOK_PUBLIC_URL", "https://127.0.0.1:9")
        .start()
        .await;
    let (status, setup) = app.admin(Method::GET, "/admin/v1/setup", None).await;
    assert_eq!(status, StatusCode::OK, "{setup}");
    let findings = setup["findings"].as_array().unwrap();
    let of = |check: &str| {
        findings
            .iter()
            .find(|one| one["check"] == check)
            .unwrap_or_else(|| panic!("{check}: {setup:#}"))
    };
    assert_eq!(of("migrations")["level"], "ok", "{setup:#}");
    assert_eq!(of("rulebook")["level"], "ok");
    assert_eq!(
        of("public URL")["level"],
        "wrong",
        "nothing listens on this URL, so the check must fail"
    );
    assert!(of("public URL")["what_to_do"].is_string());
    assert_eq!(setup["result"], "wrong");
    assert_eq!(setup["vapi"][0]["webhook_url"], "https://127.0.0.1:9/webhooks/vapi");
    assert!(setup["vapi"][0]["prompt"].as_array().unwrap().len() > 2);
    let text = setup.to_string();
    for secret in [ADMIN_KEY, VAPI_SECRET, "0101010101010101"] {
        assert!(!text.contains(secret), "{text}");
    }
    // Concurrent requests, and requests soon after them, get the same response.
    let asked = (0..4).map(|_| app.admin(Method::GET, "/admin/v1/setup", None));
    for (_, again) in futures_util::future::join_all(asked).await {
        assert_eq!(again["checked_at"], setup["checked_at"]);
    }
    app.stop().await;
}

async fn the_steps_are_shown_with_what_to_do(database: Database) {
    let app = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    let mut browser = Browser::with(&app, ADMIN_KEY).await;
    let page = browser.page("/console/setup").await;
    page.has(&[
        "Is everything connected?",
        "Public URL",
        "RINGBOOK_PUBLIC_URL is not set",
        "Set the public URL first",
        "href=\"/docs#/secrets\"",
        "Lines for the assistant",
        "none in 30 days",
        "! look at it",
    ]);
    browser.language = "fr";
    browser
        .page("/console/setup")
        .await
        .has(&["Tout est-il branché", "Adresse publique"]);
    app.stop().await;
}

async fn only_the_owner_and_an_administrator_of_everything_see_the_checks(database: Database) {
    let app = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    for (role, rulebook, may) in [
        ("owner", None, true),
        ("publisher", None, false),
        ("viewer", None, false),
        ("admin", Some("default"), false),
    ] {
        let (text, _) = key(&app, json!({"name": role, "role": role, "rulebook": rulebook})).await;
        let (status, answer) = app.admin_with(&text, Method::GET, "/admin/v1/setup", None).await;
        let expected = if may { StatusCode::OK } else { StatusCode::FORBIDDEN };
        assert_eq!(status, expected, "{role} {rulebook:?}: {answer}");
        let browser = Browser::with(&app, &text).await;
        let page = browser.page("/console/setup").await;
        assert_eq!(
            page.text.contains("Is everything connected?"),
            may,
            "{role} {rulebook:?}"
        );
        page.has(&["Open P1"]);
    }
    app.stop().await;
}
