//! Documented rejections of operations: no version, a stale version, two different versions, a closed change set, a
//! cursor of another list, an erased caller. Each line of a table has a request and the expected response.

use std::fmt::Write as _;

use reqwest::{Method, StatusCode};
use sea_orm::{ConnectOptions, ConnectionTrait as _};
use serde_json::{Value, json};

use crate::both;
use crate::support::app::ADMIN_KEY;
use crate::support::messages::report;
use crate::support::{Database, TestApp};

both!(
    what_was_done_already_or_is_decided_otherwise_is_refused,
    every_refusal_is_the_one_that_the_document_promises,
    an_edit_that_the_database_cannot_take_now_is_refused_for_a_while,
);

const BOOK: &str = "/admin/v1/rulebooks/default";
/// A version that no row has.
const STALE: &str = "\"999\"";

/// Sends the requests of a table, and collects unexpected responses.
struct Table<'a> {
    app: &'a TestApp,
    wrong: String,
}

impl Table<'_> {
    async fn ask(&mut self, method: &Method, path: &str, if_match: Option<&str>, body: &Value, wanted: u16) {
        let mut request = self
            .app
            .client
            .request(method.clone(), self.app.url(path))
            .bearer_auth(ADMIN_KEY);
        if let Some(tag) = if_match {
            request = request.header("if-match", tag);
        }
        if !body.is_null() {
            let kind = if *method == Method::PATCH {
                "application/merge-patch+json"
            } else {
                "application/json"
            };
            request = request.header("content-type", kind).body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        if status != wanted {
            let text = response.text().await.unwrap();
            let text: String = text.chars().take(300).collect();
            writeln!(
                self.wrong,
                "{method} {path} {if_match:?}: {status}, not {wanted}: {text}"
            )
            .unwrap();
        }
    }

    /// Sends a write that requires a version. The response is 428 without a version, 412 with a stale version, and 422
    /// with two different versions.
    async fn versioned(&mut self, method: &Method, path: &str, body: &Value, place: Place) {
        self.ask(method, path, None, body, 428).await;
        self.ask(method, path, Some(STALE), body, 412).await;
        let (path, body) = match place {
            Place::Query => (format!("{path}?version=998"), body.clone()),
            Place::Body => {
                let mut body = body.clone();
                body["version"] = json!(998);
                (path.to_owned(), body)
            }
        };
        self.ask(method, &path, Some(STALE), &body, 422).await;
    }
}

/// Where a request can contain the version, apart from `If-Match`.
#[derive(Clone, Copy)]
enum Place {
    Body,
    Query,
}

async fn read(app: &TestApp, path: &str) -> Value {
    let (status, mut body) = app.admin(Method::GET, path, None).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    for read_only in ["version", "revision"] {
        if let Some(body) = body.as_object_mut() {
            body.remove(read_only);
        }
    }
    body
}

/// Opens a change set with one change.
async fn set(app: &TestApp) -> String {
    let (status, row) = app
        .admin(Method::GET, &format!("{BOOK}/services/camera_inspection"), None)
        .await;
    assert_eq!(status, StatusCode::OK, "{row}");
    let change = json!({"resource": "services", "code": "camera_inspection", "method": "patch",
        "version": row["version"], "body": {"lead_days_max": 9}});
    let body = json!({"changes": [change]});
    let (status, made) = app
        .admin(Method::POST, &format!("{BOOK}/change-sets"), Some(&body))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

async fn every_refusal_is_the_one_that_the_document_promises(database: Database) {
    let app = TestApp::builder(database)
        .set("RINGBOOK_WORKERS", "none")
        .set("RATE_LIMIT_ENABLED", "false")
        .start()
        .await;
    app.take(&report("call-1", "Mon sous-sol est inondé.")).await;
    for (path, body) in [
        ("guard-rails", json!({"highest_price": "9000.00"})),
        (
            "retention",
            json!({"transcripts_days": 365, "bodies_days": 30, "events_days": 365, "version": 0}),
        ),
    ] {
        let (status, put) = app.admin(Method::PUT, &format!("{BOOK}/{path}"), Some(&body)).await;
        assert_eq!(status, StatusCode::OK, "{put}");
    }
    let mut table = Table {
        app: &app,
        wrong: String::new(),
    };
    let (get, post, put, patch, delete) = (Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE);

    // Writes of settings and rows need a version.
    for path in [
        "",
        "/guard-rails",
        "/retention",
        "/webhook-auth",
        "/sms-delivery",
        "/profile",
        "/services/camera_inspection",
    ] {
        let path = format!("{BOOK}{path}");
        let body = read(&app, &path).await;
        table.versioned(&put, &path, &body, Place::Body).await;
    }
    table
        .versioned(&patch, BOOK, &json!({"rounding_step": "1.00"}), Place::Body)
        .await;
    let camera = format!("{BOOK}/services/camera_inspection");
    table
        .versioned(&patch, &camera, &json!({"lead_days_max": 9}), Place::Body)
        .await;
    table.versioned(&delete, &camera, &Value::Null, Place::Query).await;
    table
        .ask(
            &delete,
            &format!("{BOOK}/services/none"),
            Some("\"1\""),
            &Value::Null,
            404,
        )
        .await;
    table
        .ask(
            &patch,
            &format!("{BOOK}/services/none"),
            Some("\"1\""),
            &json!({"lead_days_max": 9}),
            404,
        )
        .await;
    table
        .versioned(
            &post,
            &format!("{BOOK}/revisions/1/roll-back"),
            &Value::Null,
            Place::Query,
        )
        .await;
    table
        .ask(
            &post,
            &format!("{BOOK}/revisions/77/roll-back"),
            Some("\"1\""),
            &Value::Null,
            404,
        )
        .await;

    // A write to a change set needs the version of the change set. A closed change set accepts no changes.
    let (_, row) = app.admin(Method::GET, &camera, None).await;
    let mut change = json!({"resource": "services", "code": "camera_inspection", "method": "patch",
        "version": row["version"], "body": {"lead_days_max": 8}});
    let sets = format!("{BOOK}/change-sets");
    let id = set(&app).await;
    let steps = [
        (&post, "publish", json!({})),
        (&post, "approve", Value::Null),
        (&post, "reject", Value::Null),
        (&post, "discard", Value::Null),
        (&delete, "schedule", Value::Null),
        (&post, "changes", change.clone()),
        (&delete, "changes/1", Value::Null),
    ];
    for (method, step, body) in &steps {
        table
            .versioned(method, &format!("{sets}/{id}/{step}"), body, Place::Query)
            .await;
    }
    let (_, stands) = app.admin(Method::GET, &format!("{sets}/{id}"), None).await;
    let discard = format!("{sets}/{id}/discard?version={}", stands["version"]);
    let (status, over) = app.admin(Method::POST, &discard, None).await;
    assert_eq!(status, StatusCode::OK, "{over}");
    let tag = format!("\"{}\"", over["version"]);
    for (method, step, body) in &steps {
        table
            .ask(method, &format!("{sets}/{id}/{step}"), Some(&tag), body, 409)
            .await;
    }
    table
        .ask(&post, &format!("{sets}/{id}/check"), None, &Value::Null, 409)
        .await;
    for path in ["services", "services/camera_inspection"] {
        table
            .ask(&get, &format!("{BOOK}/{path}?change_set={id}"), None, &Value::Null, 409)
            .await;
    }
    let asked = json!({"facts": {"service_text": "Camera inspection"}});
    table
        .ask(&post, &format!("{BOOK}/evaluate?change_set={id}"), None, &asked, 409)
        .await;
    table
        .ask(
            &post,
            &format!("{BOOK}/backtests"),
            None,
            &json!({"change_set": id, "days": 30}),
            409,
        )
        .await;

    let both = format!("{camera}?revision=1&change_set={id}");
    table.ask(&get, &both, None, &Value::Null, 422).await;

    // A change to a row needs the row's current version.
    for (version, wanted) in [(json!(999), 412), (Value::Null, 428)] {
        change["version"] = version;
        if wanted == 428 {
            change.as_object_mut().unwrap().remove("version");
        }
        let body = json!({"changes": [change]});
        table.ask(&post, &sets, None, &body, wanted).await;
        table
            .ask(&post, &format!("{BOOK}/backtests"), None, &body, wanted)
            .await;
    }

    // A list rejects the cursor of another list.
    let (_, page) = app.admin(Method::GET, &format!("{BOOK}/services?limit=1"), None).await;
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();
    let document = admin::document();
    for (path, item) in document["paths"].as_object().unwrap() {
        let parameters = item["get"]["parameters"].as_array().into_iter().flatten();
        if !parameters.into_iter().any(|one| one["name"] == "cursor") || !path.starts_with("/admin") {
            continue;
        }
        let path = path
            .replace("{rulebook}", "default")
            .replace("{code}", "spring_promotion");
        let path = format!("{path}?sort=&cursor={cursor}").replace("sort=&", "");
        if !path.contains("default/services?") {
            table.ask(&get, &path, None, &Value::Null, 422).await;
        }
    }

    // Creating something that exists already, or that cannot exist, is rejected.
    table
        .ask(&post, "/admin/v1/rulebooks", None, &json!({"code": "default"}), 409)
        .await;
    let copy = json!({"code": "west", "copy_of": "nowhere"});
    table.ask(&post, "/admin/v1/rulebooks", None, &copy, 422).await;
    let (_, keys) = app.admin(Method::GET, "/admin/v1/api-keys", None).await;
    let own = keys["items"][0]["id"].as_str().unwrap().to_owned();
    table
        .ask(&delete, &format!("/admin/v1/api-keys/{own}"), None, &Value::Null, 409)
        .await;
    // A case from a call needs the current version of its change set.
    let case = format!("{BOOK}/calls/call-1/case");
    let id = set(&app).await;
    for (version, wanted) in [(Value::Null, 428), (json!(998), 412)] {
        let body = json!({"code": "flooded", "change_set": id, "change_set_version": version});
        table.ask(&post, &case, None, &body, wanted).await;
    }
    let large = json!({"facts": {"service_text": "x".repeat(2_000_000)}});
    table.ask(&post, &format!("{BOOK}/evaluate"), None, &large, 413).await;

    // A viewer cannot see phone numbers, so it cannot search for one either.
    let (_, viewer) = app
        .admin(
            Method::POST,
            "/admin/v1/api-keys",
            Some(&json!({"name": "v", "role": "viewer"})),
        )
        .await;
    let path = format!("{BOOK}/leads?customer_number=4385550177");
    let (status, told) = app
        .admin_with(viewer["key"].as_str().unwrap(), Method::GET, &path, None)
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{told}");

    // The caller is erased, so the decision cannot be explained or replayed.
    let (_, decisions) = app.admin(Method::GET, &format!("{BOOK}/decisions"), None).await;
    let decision = decisions["items"][0]["id"].as_str().unwrap().to_owned();
    let erased = json!({"call_id": "call-1"});
    let (status, told) = app
        .admin(Method::POST, &format!("{BOOK}/erasures"), Some(&erased))
        .await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let decision = format!("{BOOK}/decisions/{decision}");
    table
        .ask(&get, &format!("{decision}?explain=true"), None, &Value::Null, 409)
        .await;
    table
        .ask(&post, &format!("{decision}/replay"), None, &Value::Null, 409)
        .await;
    let case = json!({"code": "as_on_the_phone"});
    table
        .ask(&post, &format!("{BOOK}/calls/call-1/case"), None, &case, 409)
        .await;
    assert!(table.wrong.is_empty(), "\n{}", table.wrong);
    app.stop().await;
}

async fn an_edit_that_the_database_cannot_take_now_is_refused_for_a_while(database: Database) {
    let app = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    let mut options = ConnectOptions::new(app.database_url());
    options.max_connections(1).sqlx_logging(false);
    let other = sea_orm::Database::connect(options).await.unwrap();
    let lock = match database {
        Database::Sqlite => "BEGIN IMMEDIATE",
        Database::Postgres => "BEGIN; LOCK TABLE revisions IN ACCESS EXCLUSIVE MODE",
    };
    let camera = format!("{BOOK}/services/camera_inspection");
    let (_, before) = app.admin(Method::GET, &camera, None).await;
    let edit = json!({"lead_days_max": 9, "version": before["version"]});

    other.execute_unprepared(lock).await.unwrap();
    let request = app.client.patch(app.url(&camera)).bearer_auth(ADMIN_KEY);
    let request = request.header("content-type", "application/merge-patch+json");
    let refused = request.body(edit.to_string()).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let wait: u32 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let told: Value = refused.json().await.unwrap();
    assert_eq!(
        (&told["code"], &told["retryable"]),
        (&json!("unavailable"), &json!(true))
    );
    other.execute_unprepared("ROLLBACK").await.unwrap();
    other.close().await.unwrap();

    assert_eq!(
        app.admin(Method::GET, &camera, None).await.1,
        before,
        "the rejected edit changed the row"
    );
    let (status, edited) = app.admin(Method::PATCH, &camera, Some(&edit)).await;
    assert_eq!(
        (status, &edited["lead_days_max"]),
        (StatusCode::OK, &json!(9)),
        "{edited}"
    );
    app.stop().await;
}

async fn what_was_done_already_or_is_decided_otherwise_is_refused(database: Database) {
    let app = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    app.take(&report("call-1", "Mon sous-sol est inondé.")).await;
    app.sql("UPDATE sms_messages SET state = 'dead'").await;
    let (_, list) = app.admin(Method::GET, "/admin/v1/sms-messages", None).await;
    let dead = list["items"][0]["id"].as_str().unwrap();
    let secret = |value: &str| json!({"purpose": "webhook", "value": value});
    for (first, second) in [
        (
            (format!("/admin/v1/sms-messages/{dead}/resend"), Value::Null),
            (format!("/admin/v1/sms-messages/{dead}/resend?force=true"), Value::Null),
        ),
        (
            (
                "/admin/v1/sms-messages/resend".to_owned(),
                json!({"rulebook": "default"}),
            ),
            (
                "/admin/v1/sms-messages/resend".to_owned(),
                json!({"rulebook": "default", "limit": 3}),
            ),
        ),
        (
            (format!("{BOOK}/secrets"), secret("a webhook secret of its own")),
            (format!("{BOOK}/secrets"), secret("another webhook secret of its own")),
        ),
    ] {
        let once = async |(path, body): &(String, Value)| {
            let request = app.client.post(app.url(path)).bearer_auth(ADMIN_KEY);
            let request = request.header("idempotency-key", first.0.clone());
            let request = if body.is_null() { request } else { request.json(body) };
            let response = request.send().await.unwrap();
            (response.status(), response.json::<Value>().await.unwrap())
        };
        let (status, answer) = once(&first).await;
        assert!(status.is_success(), "{first:?}: {answer}");
        let (status, answer) = once(&second).await;
        assert_eq!(
            (status, &answer["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("idempotency_key_reused")),
            "{second:?}: {answer}"
        );
    }

    // The head decides this call differently, so the call cannot become a case.
    let near = json!({"names": {"en": "Near", "fr": "Proche"}, "rank": 5, "postal_prefixes": ["H2Z"]});
    let (status, answer) = app.admin(Method::PUT, &format!("{BOOK}/areas/near"), Some(&near)).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let case = json!({"code": "flooded"});
    let path = format!("{BOOK}/calls/call-1/case");
    let (status, answer) = app.admin(Method::POST, &path, Some(&case)).await;
    assert_eq!(
        (status, &answer["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("rule_fault")),
        "{answer}"
    );

    // Creates the maximum number of secrets of a purpose, and one more.
    let path = format!("{BOOK}/secrets");
    let mut answers = Vec::new();
    for number in 0..5 {
        let body = secret(&format!("webhook secret number {number} of many"));
        answers.push(app.admin(Method::POST, &path, Some(&body)).await.0.as_u16());
    }
    answers.dedup();
    assert_eq!(answers, [201, 409]);
    app.stop().await;
}
