//! Copies, names, renames, archives and restores rulebooks in an installation that serves many businesses.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::messages::report;
use crate::support::tables::having;
use crate::support::{Database, TestApp};

both!(
    a_copy_has_the_rows_and_nothing_else,
    a_renamed_rulebook_loses_no_message,
    an_archived_rulebook_takes_no_message_and_comes_back,
    a_profile_that_cannot_be_is_refused,
);

const BOOKS: &str = "/admin/v1/rulebooks";
pub const SECRET: &str = "the-secret-of-the-north-0123456789";
const FLOOD: &str = "Mon sous-sol est inondé.";

async fn created(app: &TestApp, body: Value) -> (StatusCode, Value) {
    app.admin(Method::POST, BOOKS, Some(&body)).await
}

/// Starts a server with the rulebook `north`, whose messages are signed with [`SECRET`].
pub async fn with_north(database: Database) -> TestApp {
    let app = TestApp::builder(database)
        .set("RINGBOOK_WORKERS", "none")
        .set("RATE_LIMIT_ENABLED", "false")
        .start()
        .await;
    let new = json!({"code": "north", "name": " North Shore ", "copy_of": "default", "sms_delivery": "simulated"});
    let (status, made) = created(&app, new).await;
    assert_eq!(
        (status, &made["name"]),
        (StatusCode::CREATED, &json!("North Shore")),
        "{made}"
    );
    let secret = json!({"purpose": "webhook", "value": SECRET});
    let (status, made) = app
        .admin(Method::POST, &format!("{BOOKS}/north/secrets"), Some(&secret))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    app
}

/// Posts a report to the rulebook with this code and returns the status.
async fn post(app: &TestApp, code: &str, call: &str) -> StatusCode {
    let body = serde_json::to_vec(&report(call, FLOOD)).unwrap();
    app.post_signed_to(&format!("/webhooks/vapi/{code}"), SECRET, &body)
        .await
        .0
}

/// Waits until `wanted` calls are recorded, because a busy machine may record a call after its response.
async fn are_recorded(app: &TestApp, code: &str, wanted: usize) {
    for _ in 0..100 {
        let (_, calls) = app.admin(Method::GET, &format!("{BOOKS}/{code}/calls"), None).await;
        if calls["items"].as_array().unwrap().len() == wanted {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("timed out while waiting for {wanted} calls of {code}");
}

async fn profile(app: &TestApp, code: &str) -> Value {
    let (status, read) = app.admin(Method::GET, &format!("{BOOKS}/{code}/profile"), None).await;
    assert_eq!(status, StatusCode::OK, "{read}");
    read
}

/// Changes fields of a profile as a client does: reads the profile, changes it and sends it back.
async fn change(app: &TestApp, code: &str, fields: Value) -> (StatusCode, Value) {
    let mut body = profile(app, code).await;
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    app.admin(Method::PUT, &format!("{BOOKS}/{code}/profile"), Some(&body))
        .await
}

async fn a_copy_has_the_rows_and_nothing_else(database: Database) {
    let app = with_north(database).await;
    let camera = format!("{BOOKS}/default/services/camera_inspection");
    let (_, mut row) = app.admin(Method::GET, &camera, None).await;
    row["lead_days_max"] = json!(9);
    let (status, answer) = app.admin(Method::PUT, &camera, Some(&row)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (status, made) = created(&app, json!({"code": "south", "copy_of": "default"})).await;
    assert_eq!((status, &made["revision"]), (StatusCode::CREATED, &json!(1)), "{made}");
    for rows in ["services", "contacts", "scripts", "calendars", "templates", "cases"] {
        let list = async |code: &str| {
            let (_, mut list) = app
                .admin(Method::GET, &format!("{BOOKS}/{code}/{rows}?limit=200"), None)
                .await;
            for row in list["items"].as_array_mut().unwrap() {
                row.as_object_mut().unwrap().remove("version");
            }
            list["items"].clone()
        };
        let (of_default, of_copy) = (list("default").await, list("south").await);
        assert_eq!(of_default, of_copy, "{rows}");
        assert!(!of_copy.as_array().unwrap().is_empty(), "{rows}");
    }
    // The copy `north` was created before this change of `default`, so it does not have the change.
    let (_, row) = app
        .admin(Method::GET, &format!("{BOOKS}/north/services/camera_inspection"), None)
        .await;
    assert_ne!(row["lead_days_max"], 9);
    let (_, secrets) = app.admin(Method::GET, &format!("{BOOKS}/south/secrets"), None).await;
    assert_eq!(secrets["items"], json!([]));
    for (body, place) in [
        (json!({"code": "west", "copy_of": "nowhere"}), "/copy_of"),
        (json!({"code": "west", "copy_of": "default", "rows": "empty"}), "/rows"),
    ] {
        let (status, told) = created(&app, body).await;
        assert_eq!(
            (status, &told["errors"][0]["pointer"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!(place)),
            "{told}"
        );
    }
    let (_, list) = app.admin(Method::GET, BOOKS, None).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 3, "{list}");
    app.stop().await;
}

async fn a_renamed_rulebook_loses_no_message(database: Database) {
    let app = with_north(database).await;
    let other = app.another().await;
    for app in [&app, &other] {
        assert_eq!(post(app, "north", "call-1").await, StatusCode::OK);
    }
    let (status, renamed) = change(&app, "north", json!({"code": "north-shore"})).await;
    assert_eq!(
        (status, &renamed["former_code"], &renamed["version"]),
        (StatusCode::OK, &json!("north"), &json!(2)),
        "{renamed}"
    );
    assert_eq!(
        app.admin(Method::GET, &format!("{BOOKS}/north"), None).await.0,
        StatusCode::NOT_FOUND
    );
    for (number, code) in ["north", "north-shore", "north"].into_iter().enumerate() {
        for (which, app) in [&app, &other].into_iter().enumerate() {
            let call = format!("call-{which}-{number}");
            assert_eq!(post(app, code, &call).await, StatusCode::OK, "{code} {which}");
        }
    }
    are_recorded(&app, "north-shore", 7).await;
    // A rulebook cannot get a former code of another rulebook, because messages may still be sent to this code.
    let (status, told) = created(&app, json!({"code": "North"})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{told}");
    // After the other rulebook gives up the former code, a new rulebook can get it.
    let (status, told) = change(&app, "north-shore", json!({"former_code": null})).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    for app in [&app, &other] {
        assert_eq!(post(app, "north", "call-9").await, StatusCode::UNAUTHORIZED);
        assert_eq!(post(app, "north-shore", "call-9").await, StatusCode::OK);
    }
    let (status, told) = created(&app, json!({"code": "north"})).await;
    assert_eq!(status, StatusCode::CREATED, "{told}");
    other.stop().await;
    app.stop().await;
}

async fn an_archived_rulebook_takes_no_message_and_comes_back(database: Database) {
    let app = with_north(database).await;
    let other = app.another().await;
    for (app, call) in [(&app, "call-1"), (&other, "call-2")] {
        assert_eq!(post(app, "north", call).await, StatusCode::OK);
    }
    are_recorded(&app, "north", 2).await;
    let queued = having(&app.rows("sms_messages").await, "state", "queued").len();
    assert!(queued > 0);
    let (status, archived) = change(&app, "north", json!({"archived": true})).await;
    assert_eq!(
        (status, &archived["archived"]),
        (StatusCode::OK, &json!(true)),
        "{archived}"
    );
    assert!(archived["archived_at"].is_string(), "{archived}");
    // From the next message on, every instance treats an archived rulebook like a rulebook that does not exist.
    for app in [&app, &other] {
        assert_eq!(post(app, "north", "call-3").await, StatusCode::UNAUTHORIZED);
        assert_eq!(post(app, "nowhere", "call-3").await, StatusCode::UNAUTHORIZED);
    }
    let (_, events) = app
        .admin(Method::GET, "/admin/v1/webhook-events?rulebook=north", None)
        .await;
    let path = format!(
        "/admin/v1/webhook-events/{}/replay",
        events["items"][0]["id"].as_str().unwrap()
    );
    let (status, replayed) = app.admin(Method::POST, &path, None).await;
    assert_eq!(
        (status, &replayed["became"]),
        (StatusCode::OK, &json!("archived")),
        "{replayed}"
    );
    // The archived rulebook's data stays readable, and its queued SMS messages are sent.
    are_recorded(&app, "north", 2).await;
    app.app.outbox.drain_once().await.unwrap();
    assert_eq!(having(&app.rows("sms_messages").await, "state", "queued").len(), 0);
    for (filter, wanted) in [("true", json!(["north"])), ("false", json!(["default"]))] {
        let (_, list) = app
            .admin(Method::GET, &format!("{BOOKS}?archived={filter}"), None)
            .await;
        let codes: Vec<_> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|book| book["code"].clone())
            .collect();
        assert_eq!(json!(codes), wanted);
    }
    let (status, back) = change(&app, "north", json!({"archived": false})).await;
    assert_eq!((status, &back["archived_at"]), (StatusCode::OK, &json!(null)), "{back}");
    for (app, call) in [(&app, "call-4"), (&other, "call-5")] {
        assert_eq!(post(app, "north", call).await, StatusCode::OK);
    }
    let audit = having(&app.rows("audit_log t ORDER BY seq").await, "resource", "profile");
    let told: Vec<_> = audit.iter().map(|entry| entry["after"]["archived"].clone()).collect();
    assert_eq!(told, [json!(true), json!(false)]);
    other.stop().await;
    app.stop().await;
}

async fn a_profile_that_cannot_be_is_refused(database: Database) {
    let app = with_north(database).await;
    for (code, fields, place) in [
        ("default", json!({"archived": true}), "/archived"),
        ("default", json!({"code": "main"}), "/code"),
        ("north", json!({"former_code": "south"}), "/former_code"),
    ] {
        let (status, told) = change(&app, code, fields).await;
        assert_eq!(
            (status, &told["errors"][0]["pointer"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!(place)),
            "{told}"
        );
    }
    for (fields, wanted) in [
        (json!({"code": "Default"}), StatusCode::CONFLICT),
        (json!({"version": 7}), StatusCode::PRECONDITION_FAILED),
        (json!({"version": null}), StatusCode::PRECONDITION_REQUIRED),
        (json!({"code": "a b"}), StatusCode::BAD_REQUEST),
        (json!({"name": " "}), StatusCode::BAD_REQUEST),
        (json!({"name": "a\nb"}), StatusCode::BAD_REQUEST),
        (json!({"name": "a".repeat(101)}), StatusCode::BAD_REQUEST),
    ] {
        let (status, told) = change(&app, "north", fields.clone()).await;
        assert_eq!(status, wanted, "{fields}: {told}");
    }
    // A key for only this rulebook may archive it, but must not learn the codes of other rulebooks.
    let key = json!({"name": "north", "role": "admin", "rulebook": "north"});
    let (_, made) = app.admin(Method::POST, "/admin/v1/api-keys", Some(&key)).await;
    let mut body = profile(&app, "north").await;
    body["code"] = json!("default");
    let path = format!("{BOOKS}/north/profile");
    let own = made["key"].as_str().unwrap();
    let (status, told) = app.admin_with(own, Method::PUT, &path, Some(&body)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{told}");
    let before = profile(&app, "north").await;
    let mut dry = before.clone();
    dry["archived"] = json!(true);
    let (status, told) = app
        .admin_with(own, Method::PUT, &format!("{path}?dry_run=true"), Some(&dry))
        .await;
    assert_eq!((status, &told["archived"]), (StatusCode::OK, &json!(true)), "{told}");
    assert_eq!(profile(&app, "north").await, before);
    app.stop().await;
}
