//! `dry_run=true`: each write of the OpenAPI document is run as a dry run and then for real. Both responses are equal,
//! and the dry run leaves nothing behind.

use std::collections::BTreeSet;

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::both;
use crate::change_sets::raise;
use crate::support::{Database, TestApp, app::ADMIN_KEY, messages::report};

both!(
    every_write_can_be_tried_and_nothing_of_it_remains,
    a_trial_leaves_no_key_no_price_and_no_answer_behind,
    a_trial_is_asked_for_clearly_and_only_of_writes,
);

const BOOK: &str = "/admin/v1/rulebooks/default";
/// Operations without a dry run: they write nothing although they are not GET, or they reject a dry run. The OpenAPI
/// document lists both kinds.
const NO_WRITES: [&str; 5] = [
    "evaluate",
    "test_script",
    "check_change_set",
    "replay_decision",
    "match_phrases",
];
const NO_TRIAL: [&str; 1] = ["replay_webhook_events"];

async fn at_rest(database: Database) -> TestApp {
    TestApp::at_rest(database, "2026-11-24T15:02:00Z".parse().unwrap()).await
}

/// A request to run as a dry run and then for real.
struct Write<'a> {
    id: &'a str,
    method: Method,
    path: String,
    body: Option<(&'a str, String)>,
    key: &'a str,
}

/// A response.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

async fn send(app: &TestApp, write: &Write<'_>, trial: bool) -> Answer {
    let sign = if write.path.contains('?') { '&' } else { '?' };
    let trial = if trial {
        format!("{sign}dry_run=true")
    } else {
        String::new()
    };
    let url = app.url(&format!("{}{trial}", write.path));
    let mut request = app.client.request(write.method.clone(), url).bearer_auth(write.key);
    if let Some((kind, body)) = &write.body {
        request = request.header("content-type", *kind).body(body.clone());
    }
    let response = request.header("idempotency-key", write.id).send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, headers, body }
}

/// Reads every row of every table. Omits the time of a key's last use, because every request updates this time, even a
/// GET.
async fn everything(app: &TestApp) -> Vec<(String, Vec<Value>)> {
    let mut tables = app.tables().await;
    tables.sort();
    let mut all = Vec::new();
    for table in tables {
        let mut rows = app.rows(&table).await;
        for row in rows.iter_mut().filter(|_| table == "api_keys") {
            row["last_used_at"] = Value::Null;
        }
        rows.sort_by_cached_key(ToString::to_string);
        all.push((table, rows));
    }
    all
}

/// Removes ids and keys from the text, because they are new in each run.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let dashed = [8, 13, 18, 23]
            .iter()
            .all(|place| rest.as_bytes().get(*place) == Some(&b'-'));
        if dashed && rest.get(..36).is_some_and(|start| Uuid::parse_str(start).is_ok()) {
            out.push_str("UUID");
            rest = &rest[36..];
        } else if rest.starts_with("rb_") && rest.len() >= 80 {
            out.push_str("KEY");
            rest = &rest[80..];
        } else if rest.starts_with("/calendar/") && rest.len() >= 90 {
            out.push_str("ADDRESS");
            rest = &rest[90..];
        } else {
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    out
}

fn alike(value: &Value) -> Value {
    match value {
        Value::String(text) => plain(text).into(),
        Value::Array(values) => values.iter().map(alike).collect(),
        Value::Object(object) => {
            let members = object
                .iter()
                .filter(|(name, _)| !["prefix", "request_id"].contains(&name.as_str()));
            members.map(|(name, value)| (name.clone(), alike(value))).collect()
        }
        other => other.clone(),
    }
}

/// Returns the headers that matter to a client. An ETag is reduced to its version.
fn told(answer: &Answer) -> Vec<(&'static str, Option<String>)> {
    ["content-type", "etag", "location", "retry-after", "cache-control"]
        .map(|name| {
            let value = answer.headers.get(name).map(|value| plain(value.to_str().unwrap()));
            let version = |value: String| value.split('.').next().unwrap_or_default().to_owned();
            (name, if name == "etag" { value.map(version) } else { value })
        })
        .to_vec()
}

/// Runs a request as a dry run and then for real, and compares the responses. Returns the real response and the rows
/// before it.
async fn tried_and_done(app: &TestApp, write: Write<'_>) -> (Answer, Vec<(String, Vec<Value>)>) {
    let id = write.id;
    let before = everything(app).await;
    let trial = send(app, &write, true).await;
    assert_eq!(
        trial.headers.get("x-ringbook-dry-run").unwrap(),
        "true",
        "{id}: {}",
        trial.body
    );
    let after = everything(app).await;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after, "the dry run of {id} changed rows of {}", before.0);
    }
    let real = send(app, &write, false).await;
    assert!(!real.headers.contains_key("x-ringbook-dry-run"), "{id}");
    assert_eq!(trial.status, real.status, "{id}: {} and {}", trial.body, real.body);
    assert_eq!(alike(&trial.body), alike(&real.body), "{id}");
    assert_eq!(told(&trial), told(&real), "{id}");
    (real, before)
}

/// Runs a sequence of writes and records which operations it covered.
struct Story<'a> {
    app: &'a TestApp,
    told: BTreeSet<String>,
}

impl Story<'_> {
    /// Runs a write that must change something. Returns its response.
    async fn tell(&mut self, id: &str, method: Method, path: &str, body: Value) -> Value {
        self.by(ADMIN_KEY, id, method, path, body).await
    }

    async fn by(&mut self, key: &str, id: &str, method: Method, path: &str, body: Value) -> Value {
        let body = match body {
            Value::Null => None,
            Value::String(sheet) => Some(("text/csv", sheet)),
            json => Some(("application/json", json.to_string())),
        };
        let path = if path.starts_with("/admin") {
            path.to_owned()
        } else {
            format!("{BOOK}{path}")
        };
        let (key, method) = (key, method);
        let (answer, before) = tried_and_done(
            self.app,
            Write {
                id,
                method,
                path,
                body,
                key,
            },
        )
        .await;
        assert!(answer.status.is_success(), "{id}: {} {}", answer.status, answer.body);
        assert_ne!(everything(self.app).await, before, "{id} must change something");
        self.told.insert(id.to_owned());
        answer.body
    }

    async fn read(&self, path: &str) -> Value {
        let path = if path.starts_with("/admin") {
            path.to_owned()
        } else {
            format!("{BOOK}{path}")
        };
        let (status, body) = self.app.admin(Method::GET, &path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    /// Reads the first item of a list.
    async fn first(&self, path: &str) -> Value {
        self.read(path).await["items"][0].clone()
    }
}

async fn every_write_can_be_tried_and_nothing_of_it_remains(database: Database) {
    let app = at_rest(database).await;
    app.take(&report("call-1", "Mon sous-sol est inondé.")).await;
    app.take(&report("call-2", "Des racines dans le drain.")).await;
    app.app.hits.flush(&app.app.db, app.app.clock.now()).await.unwrap();
    app.sql("UPDATE sms_messages SET state = 'dead'").await;
    app.sql(
        "INSERT INTO sms_suppressions (rulebook_id, id, number, source, since) \
         SELECT id, id, '+15145550177', 'reply', created_at FROM rulebooks",
    )
    .await;
    app.sql(
        "INSERT INTO script_quarantines (rulebook_id, code, version, faults, first_fault_at, last_fault_at, since, until) SELECT id, \
         'spring_promotion', 1, 5, created_at, created_at, created_at, '2026-12-31T00:00:00Z' FROM rulebooks",
    )
    .await;
    let (_, publisher) = app
        .admin(
            Method::POST,
            "/admin/v1/api-keys",
            Some(&json!({"name": "second", "role": "publisher"})),
        )
        .await;
    let publisher = publisher["key"].as_str().unwrap().to_owned();
    let mut story = Story {
        app: &app,
        told: BTreeSet::new(),
    };
    let (put, post, patch, delete) = (Method::PUT, Method::POST, Method::PATCH, Method::DELETE);

    let second = json!({"code": "second", "rows": "empty"});
    story
        .tell("create_rulebook", post.clone(), "/admin/v1/rulebooks", second)
        .await;
    story
        .tell(
            "patch_rulebook",
            patch.clone(),
            "",
            json!({"daily_sms_cap": 500, "version": 1}),
        )
        .await;
    let mut settings = story.read("").await;
    settings["daily_sms_cap"] = 400.into();
    story.tell("put_rulebook", put.clone(), "", settings).await;
    let service = json!({"code": "tried", "names": {"fr": "Essai"}, "keywords": ["zzyzx"], "rank": 99, "offer": "offered",
        "price_from": "100.00", "price_to": "120.00"});
    let new = story.tell("put_service", put.clone(), "/services/tried", service).await;
    let cheaper = json!({"price_from": "90.00", "version": new["version"]});
    let new = story
        .tell("patch_service", patch.clone(), "/services/tried", cheaper)
        .await;
    let gone = format!("/services/tried?version={}", new["version"]);
    story.tell("delete_service", delete.clone(), &gone, Value::Null).await;
    let sheet = json!("code,price_to,version\ncamera_inspection,420.00,1\n");
    story
        .tell("import_services", post.clone(), "/services.csv", sheet)
        .await;

    let opened = json!({"comment": "spring", "changes": [raise("120.00", &json!(1))]});
    let set = story
        .tell("create_change_set", post.clone(), "/change-sets", opened.clone())
        .await;
    let at = |set: &Value, step: &str| {
        format!(
            "/change-sets/{}{step}?version={}",
            set["id"].as_str().unwrap(),
            set["version"]
        )
    };
    let more = raise("121.00", &json!(1));
    let set = story
        .tell("add_change", post.clone(), &at(&set, "/changes"), more)
        .await;
    let set = story
        .tell("remove_change", delete.clone(), &at(&set, "/changes/2"), Value::Null)
        .await;
    let later = json!({"at": "2026-12-01T12:00:00Z"});
    let set = story
        .tell("publish_change_set", post.clone(), &at(&set, "/publish"), later)
        .await;
    let set = story
        .tell("cancel_schedule", delete.clone(), &at(&set, "/schedule"), Value::Null)
        .await;
    story
        .tell(
            "publish_change_set",
            post.clone(),
            &at(&set, "/publish"),
            json!({"comment": "now"}),
        )
        .await;
    let opened = json!({"comment": "never", "changes": []});
    let (_, other) = app
        .admin(Method::POST, &format!("{BOOK}/change-sets"), Some(&opened))
        .await;
    story
        .tell("discard_change_set", post.clone(), &at(&other, "/discard"), Value::Null)
        .await;
    let head = story.read("/revisions/head").await["number"].clone();
    let back = format!("/revisions/1/roll-back?version={head}");
    story.tell("roll_back", post.clone(), &back, Value::Null).await;

    let rails = json!({"largest_change_percent": "10", "version": 0});
    story.tell("put_guard_rails", put.clone(), "/guard-rails", rails).await;
    let version = story.read("/services/camera_inspection").await["version"].clone();
    let dear = json!({"price_to": "700.00", "version": version});
    let waits = story
        .tell(
            "patch_service",
            patch.clone(),
            "/services/camera_inspection",
            dear.clone(),
        )
        .await;
    assert_eq!(waits["state"], "waiting");
    story
        .by(
            &publisher,
            "reject_change_set",
            post.clone(),
            &at(&waits, "/reject"),
            Value::Null,
        )
        .await;
    let waits = story
        .tell("patch_service", patch.clone(), "/services/camera_inspection", dear)
        .await;
    let notice = story
        .first("/admin/v1/notices?code=change_set_waits&resolved=false")
        .await;
    let resolve = format!("/admin/v1/notices/{}/resolve", notice["id"].as_str().unwrap());
    story
        .tell("resolve_notice", post.clone(), &resolve, json!({"comment": "seen"}))
        .await;
    // A person cannot approve with a key that they created, so the test removes the creator of the publisher's key.
    story.app.sql("UPDATE api_keys SET made_by = NULL").await;
    story
        .by(
            &publisher,
            "approve_change_set",
            post.clone(),
            &at(&waits, "/approve"),
            Value::Null,
        )
        .await;

    let kept = json!({"bodies_days": 30, "version": 0});
    story.tell("put_retention", put.clone(), "/retention", kept).await;
    let delivery = json!({"delivery": "simulated", "version": 1});
    story
        .tell("put_sms_delivery", put.clone(), "/sms-delivery", delivery)
        .await;
    let profile = json!({"code": "default", "name": "Pomp Plumbing", "archived": false, "version": 1});
    story
        .tell("put_rulebook_profile", put.clone(), "/profile", profile)
        .await;
    let auth = story.read("/webhook-auth").await;
    let narrowed = json!({"schemes": [{"type": "hmac"}], "version": auth["version"]});
    story
        .tell("put_webhook_auth", put.clone(), "/webhook-auth", narrowed)
        .await;
    let secret = json!({"purpose": "webhook", "value": "a new webhook secret of 24"});
    let secret = story.tell("create_secret", post.clone(), "/secrets", secret).await;
    let retired = format!("/secrets/{}", secret["id"].as_str().unwrap());
    story.tell("retire_secret", delete.clone(), &retired, Value::Null).await;
    let key = json!({"name": "tried", "role": "viewer"});
    let key = story
        .tell("create_api_key", post.clone(), "/admin/v1/api-keys", key)
        .await;
    let revoked = format!("/admin/v1/api-keys/{}", key["api_key"]["id"].as_str().unwrap());
    let signed_in = app.client.request(Method::POST, app.url("/console/login"));
    let signed_in = signed_in.header("content-type", "application/x-www-form-urlencoded");
    let signed_in = signed_in.body(format!("key={ADMIN_KEY}")).send().await.unwrap();
    assert!(!signed_in.status().is_server_error());
    let (_, sessions) = app.admin(Method::GET, "/admin/v1/console-sessions", None).await;
    let session = format!(
        "/admin/v1/console-sessions/{}",
        sessions["items"][0]["id"].as_str().unwrap()
    );
    story
        .tell("end_console_session", delete.clone(), &session, Value::Null)
        .await;
    story
        .tell("revoke_api_key", delete.clone(), &revoked, Value::Null)
        .await;

    let stands_in =
        json!({"contact": "second", "instead_of": "on_call", "from": "2026-12-24T17:00", "until": "2026-12-27T08:00"});
    let path = "/shift-overrides/christmas";
    let stored = story
        .tell("put_shift_override", put.clone(), path, stands_in.clone())
        .await;
    let longer = json!({"until": "2026-12-28T08:00", "version": stored["version"]});
    story.tell("patch_shift_override", patch.clone(), path, longer).await;
    let (_, other) = app
        .admin(Method::PUT, &format!("{BOOK}/shift-overrides/other"), Some(&stands_in))
        .await;
    let other = format!("/shift-overrides/other?version={}", other["version"]);
    story
        .tell("delete_shift_override", delete.clone(), &other, Value::Null)
        .await;
    let feed = json!({"name": "tried", "contact": "second"});
    let feed = story
        .tell("create_calendar_feed", post.clone(), "/calendar-feeds", feed)
        .await;
    let revoked = format!("/calendar-feeds/{}", feed["feed"]["id"].as_str().unwrap());
    story
        .tell("revoke_calendar_feed", delete.clone(), &revoked, Value::Null)
        .await;

    let case = json!({"code": "as_on_the_phone"});
    story
        .tell("create_case_of_call", post.clone(), "/calls/call-2/case", case)
        .await;
    let wrong = json!({"priority": "P2", "total": "402.41"});
    let about = "/calls/call-2/feedback";
    story.tell("create_feedback", post.clone(), about, wrong.clone()).await;
    let feedback = story.first("/feedback").await;
    let dismiss = format!("/feedback/{}/dismiss", feedback["id"].as_str().unwrap());
    story
        .tell(
            "dismiss_feedback",
            post.clone(),
            &dismiss,
            json!({"comment": "it was right"}),
        )
        .await;
    let (status, answer) = app
        .admin(
            Method::POST,
            &format!("/admin/v1/rulebooks/default{about}"),
            Some(&wrong),
        )
        .await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let case = format!("/feedback/{}/case", answer["id"].as_str().unwrap());
    story
        .tell(
            "create_case_of_feedback",
            post.clone(),
            &case,
            json!({"code": "as_it_should_be"}),
        )
        .await;
    let lead = story.first("/leads").await;
    let taken = format!("/leads/{}/acknowledge", lead["id"].as_str().unwrap());
    story
        .tell("acknowledge_lead", post.clone(), &taken, json!({"by": "Front desk"}))
        .await;
    let text = story.first("/admin/v1/sms-messages").await;
    let again = format!("/admin/v1/sms-messages/{}/resend", text["id"].as_str().unwrap());
    story
        .tell("resend_sms_message", post.clone(), &again, Value::Null)
        .await;
    app.sql("UPDATE sms_messages SET state = 'dead'").await;
    let all = json!({"rulebook": "default"});
    story
        .tell(
            "resend_sms_messages",
            post.clone(),
            "/admin/v1/sms-messages/resend",
            all,
        )
        .await;
    let stopped = story.first("/admin/v1/sms-suppressions").await;
    let lift = format!("/admin/v1/sms-suppressions/{}", stopped["id"].as_str().unwrap());
    story
        .tell("lift_sms_suppression", delete.clone(), &lift, Value::Null)
        .await;
    story
        .tell(
            "release_script",
            delete.clone(),
            "/script-quarantines/spring_promotion",
            Value::Null,
        )
        .await;
    let event = story.first("/admin/v1/webhook-events").await;
    let replay = format!("/admin/v1/webhook-events/{}/replay", event["id"].as_str().unwrap());
    story
        .tell("replay_webhook_event", post.clone(), &replay, Value::Null)
        .await;
    let forgotten = json!({"call_id": "call-1"});
    story.tell("create_erasure", post.clone(), "/erasures", forgotten).await;

    let tried = json!({"revision": 1});
    let started = story.tell("start_backtest", post.clone(), "/backtests", tried).await;
    let backtest = format!("/backtests/{}", started["id"].as_str().unwrap());
    while story.read(&backtest).await["state"] != "done" {
        tokio::task::yield_now().await;
    }
    app.sql("UPDATE backtests SET state = 'queued', finished_at = NULL")
        .await;
    story.tell("cancel_backtest", delete, &backtest, Value::Null).await;

    // The common operations on rows were tested above on services. The other kinds of rows use the OpenAPI document's
    // own examples.
    let document = admin::document();
    let mut missing = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let takes = operation["parameters"].to_string().contains("\"dry_run\"");
            let writes = method != "get" && !NO_WRITES.contains(&id);
            assert_eq!(takes, writes && !NO_TRIAL.contains(&id), "{id}");
            if !takes || story.told.contains(id) {
                continue;
            }
            let Some(write) = of_its_example(&app, id, method, path, operation).await else {
                missing.push(id.to_owned());
                continue;
            };
            tried_and_done(&app, write).await;
        }
    }
    assert_eq!(missing, Vec::<String>::new(), "these writes have no test");
    app.stop().await;
}

/// Builds a write request for an operation on rows. The body is the OpenAPI example, the current sheet for CSV, and
/// empty for DELETE. Returns `None` for other operations.
async fn of_its_example<'a>(
    app: &TestApp,
    id: &'a str,
    method: &str,
    path: &str,
    operation: &Value,
) -> Option<Write<'a>> {
    let parameters = operation["parameters"].as_array().unwrap();
    let code = parameters.iter().find(|one| one["name"] == "code");
    let mut path = path.replace("{rulebook}", "default");
    if let Some(code) = code {
        path = path.replace("{code}", code["example"].as_str()?);
    }
    let body = if path.strip_suffix(".csv").is_some() {
        let sheet = app
            .client
            .get(app.url(&path))
            .bearer_auth(ADMIN_KEY)
            .send()
            .await
            .unwrap();
        Some(("text/csv", sheet.text().await.unwrap()))
    } else if method == "delete" {
        path.push_str("?version=1");
        None
    } else {
        let media = operation["requestBody"]["content"].as_object()?.values().next()?;
        Some(("application/json", media["example"].to_string()))
    };
    let method = method.to_uppercase().parse().unwrap();
    let is_of_rows = path.strip_suffix(".csv").is_some() || code.is_some();
    is_of_rows.then_some(Write {
        id,
        method,
        path,
        body,
        key: ADMIN_KEY,
    })
}

async fn a_trial_leaves_no_key_no_price_and_no_answer_behind(database: Database) {
    let app = at_rest(database).await;
    let camera = format!("{BOOK}/services/camera_inspection");
    let priced = |price: &str| json!({"price_to": price, "version": 1});
    let (status, tried) = app
        .admin(
            Method::PATCH,
            &format!("{camera}?dry_run=true"),
            Some(&priced("400.00")),
        )
        .await;
    assert_eq!((status, &tried["version"]), (StatusCode::OK, &json!(2)), "{tried}");
    assert_eq!(app.admin(Method::GET, &camera, None).await.1["price_to"], "350.00");
    // The real revision has the same number as the revision of the dry run, but other prices.
    let (status, done) = app.admin(Method::PATCH, &camera, Some(&priced("410.00"))).await;
    assert_eq!((status, &done["version"]), (StatusCode::OK, &json!(2)), "{done}");
    assert_eq!(app.admin(Method::GET, &camera, None).await.1["price_to"], "410.00");
    let question = json!({"facts": {"service_text": "camera inspection"}});
    let (_, decided) = app
        .admin(Method::POST, &format!("{BOOK}/evaluate"), Some(&question))
        .await;
    assert!(decided.to_string().contains("410.00"), "{decided}");

    let keys = "/admin/v1/api-keys";
    let write = |trial: bool| {
        let body = json!({"name": "a", "role": "admin"}).to_string();
        let (path, id) = (keys.to_owned(), "once");
        let write = Write {
            id,
            method: Method::POST,
            path,
            body: Some(("application/json", body)),
            key: ADMIN_KEY,
        };
        (write, trial)
    };
    let (tried, trial) = write(true);
    let tried = send(&app, &tried, trial).await;
    let key = tried.body["key"].as_str().unwrap();
    assert_eq!(
        app.admin_with(key, Method::GET, keys, None).await.0,
        StatusCode::UNAUTHORIZED
    );
    // The dry run did not use up its idempotency key. After a real request with the key, a dry run gets the stored
    // response.
    let (done, trial) = write(false);
    let done = send(&app, &done, trial).await;
    assert!(!done.headers.contains_key("idempotent-replayed"));
    let (again, trial) = write(true);
    let again = send(&app, &again, trial).await;
    assert_eq!((again.status, &again.body), (done.status, &done.body));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(app.counts(["api_keys", "idempotency_keys"]).await, [2, 1]);

    // A dry run rejects the same requests as a real run, including requests that only the database rejects.
    let twice = json!({"code": "default", "rows": "empty"});
    let (status, refused) = app
        .admin(Method::POST, "/admin/v1/rulebooks?dry_run=true", Some(&twice))
        .await;
    assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("conflict")));
    app.stop().await;
}

async fn a_trial_is_asked_for_clearly_and_only_of_writes(database: Database) {
    let app = at_rest(database).await;
    let rulebooks = "/admin/v1/rulebooks";
    let body = json!({"code": "another", "rows": "empty"});
    for (query, code) in [
        ("dry_run=yes", "invalid_value"),
        ("dry_run=", "invalid_value"),
        ("dry_run=true&dry_run=true", "repeated"),
    ] {
        let (status, problem) = app
            .admin(Method::POST, &format!("{rulebooks}?{query}"), Some(&body))
            .await;
        assert_eq!(
            (status, &problem["errors"][0]["code"]),
            (StatusCode::BAD_REQUEST, &json!(code)),
            "{problem}"
        );
        assert_eq!(problem["errors"][0]["pointer"], "dry_run");
    }
    let question = json!({"facts": {}});
    let set = json!({"state": "recorded"});
    for (path, body) in [
        (&*format!("{BOOK}/evaluate"), question),
        ("/admin/v1/webhook-events/replay", set),
    ] {
        let (status, problem) = app
            .admin(Method::POST, &format!("{path}?dry_run=true"), Some(&body))
            .await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (StatusCode::BAD_REQUEST, &json!("dry_run")),
            "{problem}"
        );
    }
    let (status, _) = app
        .admin(Method::POST, &format!("{rulebooks}?dry_run=false"), Some(&body))
        .await;
    assert_eq!(status, StatusCode::CREATED);
    app.stop().await;
}
