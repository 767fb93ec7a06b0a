//! A request that is sent twice with one `Idempotency-Key` is executed once, and the response is repeated.

use chrono::TimeDelta;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    both,
    support::{Database, TestApp, app::ADMIN_KEY},
};

const KEYS: &str = "/admin/v1/api-keys";

both!(
    a_second_request_under_a_key_gets_the_first_answer,
    requests_at_the_same_moment_make_one_thing,
    a_key_belongs_to_one_request_of_one_caller,
    what_was_refused_may_be_sent_again,
    a_change_set_is_opened_once,
    a_day_later_the_key_is_free,
    a_secret_shown_once_is_not_kept_in_clear,
);

async fn post(app: &TestApp, caller: &str, path: &str, once: &str, body: &Value) -> Response {
    let request = app
        .client
        .post(app.url(path))
        .bearer_auth(caller)
        .header("idempotency-key", once);
    request.json(body).send().await.unwrap()
}

/// Returns the status, whether it is a repeated response, and the JSON.
async fn read(response: Response) -> (StatusCode, bool, Value) {
    let again = response
        .headers()
        .get("idempotent-replayed")
        .is_some_and(|value| value == "true");
    (response.status(), again, response.json().await.unwrap())
}

fn new_key(name: &str) -> Value {
    json!({"name": name, "role": "admin"})
}

async fn a_second_request_under_a_key_gets_the_first_answer(kind: Database) {
    let app = TestApp::start(kind).await;
    let first = read(post(&app, ADMIN_KEY, KEYS, "one", &new_key("a")).await).await;
    assert_eq!((first.0, first.1), (StatusCode::CREATED, false));
    let response = post(&app, ADMIN_KEY, KEYS, "one", &new_key("a")).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let second = read(response).await;
    assert_eq!((second.0, second.1, &second.2), (StatusCode::CREATED, true, &first.2));
    // The repeated response contains the key that works.
    let key = second.2["key"].as_str().unwrap();
    assert_eq!(
        app.admin_with(key, reqwest::Method::GET, KEYS, None).await.0,
        StatusCode::OK
    );
    let secrets = "/admin/v1/rulebooks/default/secrets";
    let secret = json!({"purpose": "webhook", "value": "a new webhook secret of 24"});
    let first = read(post(&app, ADMIN_KEY, secrets, "two", &secret).await).await;
    let second = read(post(&app, ADMIN_KEY, secrets, "two", &secret).await).await;
    assert_eq!((first.2["id"].clone(), true), (second.2["id"].clone(), second.1));
    assert_eq!(app.counts(["secrets", "api_keys", "idempotency_keys"]).await, [1, 2, 2]);
    let entries = app.rows("audit_log t ORDER BY seq").await;
    assert_eq!(
        entries.iter().filter(|entry| entry["resource"] == "api-keys").count(),
        1
    );
    app.stop().await;
}

async fn requests_at_the_same_moment_make_one_thing(kind: Database) {
    let app = TestApp::start(kind).await;
    let body = new_key("one of many");
    let all = (0..12).map(|_| async { read(post(&app, ADMIN_KEY, KEYS, "together", &body).await).await });
    let answers = futures_util::future::join_all(all).await;
    assert!(
        answers.iter().all(|(status, ..)| *status == StatusCode::CREATED),
        "{answers:?}"
    );
    assert!(answers.iter().all(|(.., answer)| *answer == answers[0].2));
    assert_eq!(answers.iter().filter(|(_, again, _)| !again).count(), 1);
    assert_eq!(app.counts(["api_keys"]).await, [2]);
    app.stop().await;
}

async fn a_key_belongs_to_one_request_of_one_caller(kind: Database) {
    let app = TestApp::start(kind).await;
    let (_, _, made) = read(post(&app, ADMIN_KEY, KEYS, "mine", &new_key("a")).await).await;
    let (status, _, problem) = read(post(&app, ADMIN_KEY, KEYS, "mine", &new_key("b")).await).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("idempotency_key_reused"))
    );
    let other = made["key"].as_str().unwrap();
    let (status, again, theirs) = read(post(&app, other, KEYS, "mine", &new_key("a")).await).await;
    assert_eq!((status, again), (StatusCode::CREATED, false));
    assert_ne!(theirs["key"], made["key"]);
    for bad in ["", "two words", &"x".repeat(201)] {
        let (status, _, problem) = read(post(&app, ADMIN_KEY, KEYS, bad, &new_key("c")).await).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (StatusCode::BAD_REQUEST, &json!("Idempotency-Key"))
        );
    }
    assert_eq!(app.counts(["api_keys"]).await, [3]);
    app.stop().await;
}

async fn what_was_refused_may_be_sent_again(kind: Database) {
    let app = TestApp::start(kind).await;
    let nowhere = json!({"name": "a", "role": "viewer", "rulebook": "nowhere"});
    let (status, ..) = read(post(&app, ADMIN_KEY, KEYS, "again", &nowhere).await).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, again, _) = read(post(&app, ADMIN_KEY, KEYS, "again", &new_key("a")).await).await;
    assert_eq!((status, again), (StatusCode::CREATED, false));
    app.stop().await;
}

async fn a_change_set_is_opened_once(kind: Database) {
    let app = TestApp::start(kind).await;
    let sets = "/admin/v1/rulebooks/default/change-sets";
    let body = json!({"comment": "spring", "changes": [crate::change_sets::raise("120.00", &json!(1))]});
    let all = (0..6).map(|_| async { read(post(&app, ADMIN_KEY, sets, "spring", &body).await).await });
    let answers = futures_util::future::join_all(all).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.0 == StatusCode::CREATED && answer.2 == answers[0].2),
        "{answers:?}"
    );
    assert_eq!(answers.iter().filter(|(_, again, _)| !again).count(), 1);
    assert_eq!(app.counts(["change_sets", "change_set_changes"]).await, [1, 1]);
    let again = post(&app, ADMIN_KEY, sets, "spring", &body).await;
    assert!(again.headers()["etag"].to_str().unwrap().starts_with("\"1."));
    app.stop().await;
}

async fn a_day_later_the_key_is_free(kind: Database) {
    let app = TestApp::builder(kind)
        .at("2026-05-04T12:00:00Z".parse().unwrap())
        .start()
        .await;
    let send = async |minutes: i64| {
        app.app.clock.step(TimeDelta::minutes(minutes));
        read(post(&app, ADMIN_KEY, KEYS, "daily", &new_key("a")).await).await.1
    };
    assert!(!send(0).await);
    assert!(send(24 * 60 - 1).await);
    assert!(!send(1).await);
    assert!(send(1).await);
    assert_eq!(app.counts(["api_keys", "idempotency_keys"]).await, [3, 1]);
    let now = app.app.clock.now();
    let forget = |until| admin::idempotency::forget(&app.app.db, until);
    assert_eq!(forget(now - TimeDelta::hours(24)).await.unwrap(), 0);
    assert_eq!(forget(now).await.unwrap(), 1);
    app.stop().await;
}

async fn a_secret_shown_once_is_not_kept_in_clear(kind: Database) {
    let app = TestApp::start(kind).await;
    let (.., made) = read(post(&app, ADMIN_KEY, KEYS, "once", &new_key("a")).await).await;
    let secret = made["key"].as_str().unwrap();
    for table in app.tables().await {
        let all = json!(app.rows(&table).await).to_string();
        assert!(
            !all.contains(secret) && !all.contains(&hex::encode(secret)),
            "{table} contains the key"
        );
    }
    app.stop().await;
}
