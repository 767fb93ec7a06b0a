//! Secrets and webhook settings through the admin API: changes apply immediately, and no secret value is returned.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::{Database, TestApp, app::VAPI_SECRET, messages::status};

const SECRETS: &str = "/admin/v1/rulebooks/default/secrets";
const AUTH: &str = "/admin/v1/rulebooks/default/webhook-auth";
const VALUE: &str = "a secret of the second business";

both!(
    a_second_rulebook_gets_a_secret_and_loses_it,
    no_value_of_a_secret_comes_out,
    a_new_secret_is_accepted_from_the_next_message_on,
    what_twilio_would_never_give_is_no_secret,
    schemes_are_narrowed_with_the_version_that_was_read,
    settings_that_let_nobody_or_anybody_in_are_refused,
    only_an_admin_of_the_rulebook_sees_its_secrets,
);

async fn post(app: &TestApp, path: &str, secret: &str) -> StatusCode {
    let body = serde_json::to_vec(&status("call-1", "in-progress", 0)).unwrap();
    app.post_signed_to(path, secret, &body).await.0
}

async fn new_secret(app: &TestApp, path: &str, value: &str) -> Value {
    let body = json!({"purpose": "webhook", "value": value});
    let (status, stored) = app.admin(Method::POST, path, Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{stored}");
    stored
}

async fn second(app: &TestApp) {
    let body = json!({"code": "second", "rows": "sample"});
    let (status, made) = app.admin(Method::POST, "/admin/v1/rulebooks", Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
}

async fn a_second_rulebook_gets_a_secret_and_loses_it(database: Database) {
    let app = TestApp::builder(database)
        .set("RATE_LIMIT_ENABLED", "false")
        .start()
        .await;
    second(&app).await;
    let (hook, secrets) = ("/webhooks/vapi/second", "/admin/v1/rulebooks/second/secrets");
    assert_eq!(post(&app, hook, VALUE).await, StatusCode::UNAUTHORIZED);
    let stored = new_secret(&app, secrets, VALUE).await;
    // The next message is accepted, although a message with this secret was rejected a moment ago.
    assert_eq!(post(&app, hook, VALUE).await, StatusCode::OK);
    assert_eq!(post(&app, hook, VAPI_SECRET).await, StatusCode::UNAUTHORIZED);
    assert_eq!(post(&app, "/webhooks/vapi", VALUE).await, StatusCode::UNAUTHORIZED);
    let one = format!("{secrets}/{}", stored["id"].as_str().unwrap());
    assert_eq!(app.admin(Method::DELETE, &one, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(post(&app, hook, VALUE).await, StatusCode::UNAUTHORIZED);
    assert_eq!(app.admin(Method::DELETE, &one, None).await.0, StatusCode::NO_CONTENT);
    let elsewhere = one.replace("second", "default");
    assert_eq!(
        app.admin(Method::DELETE, &elsewhere, None).await.0,
        StatusCode::NOT_FOUND
    );
    let (_, log) = app
        .admin(Method::GET, "/admin/v1/audit-log?resource=secrets&sort=at", None)
        .await;
    let actions: Vec<&Value> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["action"])
        .collect();
    assert_eq!(actions, ["create", "retire"], "{log}");
    app.stop().await;
}

/// The new secret must be accepted even while many unauthenticated messages are rejected.
async fn a_new_secret_is_accepted_from_the_next_message_on(database: Database) {
    let app = TestApp::builder(database)
        .set("RATE_LIMIT_ENABLED", "false")
        .start()
        .await;
    second(&app).await;
    let (hook, secrets) = ("/webhooks/vapi/second", "/admin/v1/rulebooks/second/secrets");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let strangers = async {
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            let sent = std::iter::repeat_with(|| post(&app, hook, "a secret of nobody at all")).take(8);
            for status in futures_util::future::join_all(sent).await {
                assert_eq!(status, StatusCode::UNAUTHORIZED);
            }
        }
    };
    let owner = async {
        for number in 0..5 {
            let value = format!("{VALUE}-{number}");
            new_secret(&app, secrets, &value).await;
            assert_eq!(post(&app, hook, &value).await, StatusCode::OK, "secret {number}");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    tokio::join!(strangers, owner);
    // The rulebook has the maximum number of secrets.
    let body = json!({"purpose": "webhook", "value": VALUE});
    let (status, problem) = app.admin(Method::POST, secrets, Some(&body)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert_eq!(post(&app, hook, VALUE).await, StatusCode::UNAUTHORIZED);
    let (_, list) = app.admin(Method::GET, secrets, None).await;
    let oldest = format!("{secrets}/{}", list["items"][4]["id"].as_str().unwrap());
    assert_eq!(app.admin(Method::DELETE, &oldest, None).await.0, StatusCode::NO_CONTENT);
    new_secret(&app, secrets, VALUE).await;
    assert_eq!(post(&app, hook, VALUE).await, StatusCode::OK);
    assert_eq!(post(&app, hook, &format!("{VALUE}-0")).await, StatusCode::UNAUTHORIZED);
    app.stop().await;
}

async fn what_twilio_would_never_give_is_no_secret(database: Database) {
    let app = TestApp::start(database).await;
    for (purpose, value) in [
        ("twilio_account_sid", "AC1/../../Accounts/AC2"),
        ("twilio_account_sid", "AC1?x=1"),
        ("twilio_account_sid", "MG00000000000000000000000000000001"),
        ("twilio_account_sid", "XX00000000000000000000000000000001"),
        ("twilio_messaging_service_sid", "AC00000000000000000000000000000001"),
        ("twilio_from", "14385550199"),
        ("twilio_from", "+1 514 555 0100"),
    ] {
        let body = json!({"purpose": purpose, "value": value});
        let (status, problem) = app.admin(Method::POST, SECRETS, Some(&body)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{value}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], "/value");
        assert!(!problem.to_string().contains(value), "{problem}");
    }
    for (purpose, value) in [
        ("twilio_account_sid", "AC00000000000000000000000000000001"),
        ("twilio_messaging_service_sid", "MG00000000000000000000000000000001"),
        ("twilio_from", "+15145550100"),
    ] {
        let body = json!({"purpose": purpose, "value": value});
        assert_eq!(
            app.admin(Method::POST, SECRETS, Some(&body)).await.0,
            StatusCode::CREATED
        );
    }
    // Codes that differ only in case are rejected, because people confuse them.
    let body = json!({"code": "DEFAULT", "rows": "sample"});
    let (status, problem) = app.admin(Method::POST, "/admin/v1/rulebooks", Some(&body)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    app.stop().await;
}

async fn no_value_of_a_secret_comes_out(database: Database) {
    let app = TestApp::start(database).await;
    let stored = new_secret(&app, SECRETS, VALUE).await;
    let (status, list) = app
        .admin(Method::GET, &format!("{SECRETS}?purpose=webhook&retired=false"), None)
        .await;
    assert_eq!(status, StatusCode::OK, "{list}");
    assert!(list["items"].as_array().unwrap().contains(&stored), "{list}");
    let (_, log) = app.admin(Method::GET, "/admin/v1/audit-log", None).await;
    let rows = app.rows("secrets").await;
    for said in [
        stored.to_string(),
        list.to_string(),
        log.to_string(),
        json!(rows).to_string(),
    ] {
        assert!(!said.contains(VALUE), "{said}");
    }
    for bad in [
        json!({"purpose": "webhook", "value": "short"}),
        json!({"purpose": "webhook", "value": "pasted with an end\n"}),
        json!({"purpose": "wifi", "value": VALUE}),
        json!({"purpose": "webhook", "value": VALUE, "note": "x"}),
    ] {
        let (status, problem) = app.admin(Method::POST, SECRETS, Some(&bad)).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::BAD_REQUEST, &json!("invalid_body"))
        );
        assert!(problem["errors"][0]["pointer"].as_str().unwrap().len() > 1, "{problem}");
        assert!(!problem.to_string().contains("pasted"), "{problem}");
    }
    app.stop().await;
}

async fn schemes_are_narrowed_with_the_version_that_was_read(database: Database) {
    let app = TestApp::start(database).await;
    assert_eq!(post(&app, "/webhooks/vapi", VAPI_SECRET).await, StatusCode::OK);
    let (status, mut auth) = app.admin(Method::GET, AUTH, None).await;
    assert_eq!(
        (status, &auth["replay_window_s"]),
        (StatusCode::OK, &json!(300)),
        "{auth}"
    );
    assert_eq!(auth["schemes"].as_array().unwrap().len(), 4);
    let read = auth["version"].take();
    auth["schemes"] = json!([{"type": "bearer"}]);
    auth.as_object_mut().unwrap().remove("version");
    assert_eq!(
        app.admin(Method::PUT, AUTH, Some(&auth)).await.0,
        StatusCode::PRECONDITION_REQUIRED
    );
    auth["version"] = read;
    let (status, put) = app.admin(Method::PUT, AUTH, Some(&auth)).await;
    assert_eq!(status, StatusCode::OK, "{put}");
    assert_eq!(
        (
            &put["schemes"][0]["header"],
            put["version"].as_i64() > auth["version"].as_i64()
        ),
        (&json!("authorization"), true)
    );
    assert_eq!(app.admin(Method::GET, AUTH, None).await.1, put);
    let (status, problem) = app.admin(Method::PUT, AUTH, Some(&auth)).await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED, "{problem}");
    // The new settings apply from the next message on.
    assert_eq!(
        post(&app, "/webhooks/vapi", VAPI_SECRET).await,
        StatusCode::UNAUTHORIZED
    );
    let (_, log) = app
        .admin(Method::GET, "/admin/v1/audit-log?resource=webhook-auth", None)
        .await;
    assert_eq!(log["items"][0]["after"]["schemes"][0]["type"], "bearer", "{log}");
    assert_eq!(log["items"].as_array().unwrap().len(), 1, "{log}");
    app.stop().await;
}

async fn settings_that_let_nobody_or_anybody_in_are_refused(database: Database) {
    let app = TestApp::start(database).await;
    let (_, auth) = app.admin(Method::GET, AUTH, None).await;
    for (change, place) in [
        (json!({"schemes": []}), "/schemes"),
        (json!({"replay_window_s": 0}), "/replay_window_s"),
        (json!({"replay_windows": 1}), "/replay_windows"),
        (
            json!({"schemes": [{"type": "hmac", "payload_format": "{timestamp}"}]}),
            "/schemes/0/payload_format",
        ),
        (
            json!({"schemes": [{"type": "bearer", "header": "a b"}]}),
            "/schemes/0/header",
        ),
        (
            json!({"schemes": [{"type": "bearer", "heather": "x"}]}),
            "/schemes/0/heather",
        ),
        (
            json!({"schemes": [{"type": "x_vapi_secret", "header": "x"}]}),
            "/schemes/0/header",
        ),
        (json!({"schemes": [{"type": "none"}]}), "/schemes/0/type"),
    ] {
        let mut body = auth.clone();
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let (status, problem) = app.admin(Method::PUT, AUTH, Some(&body)).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (StatusCode::BAD_REQUEST, &json!(place)),
            "{problem}"
        );
    }
    let without = json!({"version": auth["version"]});
    let (status, problem) = app.admin(Method::PUT, AUTH, Some(&without)).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (StatusCode::BAD_REQUEST, &json!("/schemes"))
    );
    assert_eq!(app.admin(Method::GET, AUTH, None).await.1, auth);
    app.stop().await;
}

async fn only_an_admin_of_the_rulebook_sees_its_secrets(database: Database) {
    let app = TestApp::start(database).await;
    second(&app).await;
    let key = async |role: &str, rulebook: &str| {
        let body = json!({"name": "a key", "role": role, "rulebook": rulebook});
        let (_, made) = app.admin(Method::POST, "/admin/v1/api-keys", Some(&body)).await;
        made["key"].as_str().unwrap().to_owned()
    };
    let (editor, own, other) = (
        key("editor", "default").await,
        key("admin", "default").await,
        key("admin", "second").await,
    );
    for path in [SECRETS, AUTH] {
        for (key, expected) in [
            (&editor, StatusCode::FORBIDDEN),
            (&own, StatusCode::OK),
            (&other, StatusCode::NOT_FOUND),
        ] {
            let (status, answer) = app.admin_with(key, Method::GET, path, None).await;
            assert_eq!(status, expected, "{path}: {answer}");
        }
    }
    app.stop().await;
}
