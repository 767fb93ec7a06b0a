//! Revisions over HTTP: read, compare, evaluate with, export and roll back.

use reqwest::{Method, StatusCode};
use rules::{files, sample};
use serde_json::{Value, json};

use crate::both;
use crate::support::{Database, TestApp, app::ADMIN_KEY};

const HERE: &str = "/admin/v1/rulebooks/default";
const CAMERA: &str = "/admin/v1/rulebooks/default/services/camera_inspection";
const SOUTH: &str = "/admin/v1/rulebooks/default/adjustments/south_shore";

both!(
    every_revision_is_listed_and_read,
    a_revision_is_compared_with_the_one_before_or_any_other,
    any_revision_can_be_read_and_decided_with,
    a_revision_is_exported_as_the_folder_that_import_reads,
    a_roll_back_is_a_revision_equal_to_an_old_one_and_audited,
    a_roll_back_replaces_only_the_head_that_was_seen,
    of_roll_backs_at_the_same_moment_one_is_done,
    a_roll_back_under_a_key_is_done_once,
);

/// Changes a field of a row. Returns the revision.
async fn patch(app: &TestApp, path: &str, field: &str, value: &str, comment: &str) -> i64 {
    let (_, row) = app.admin(Method::GET, path, None).await;
    let body = json!({field: value, "version": row["version"]});
    let (status, row) = app
        .admin(Method::PATCH, &format!("{path}?comment={comment}"), Some(&body))
        .await;
    assert_eq!(status, StatusCode::OK, "{row}");
    row["version"].as_i64().unwrap()
}

async fn get(app: &TestApp, path: &str) -> (StatusCode, Value) {
    app.admin(Method::GET, &format!("{HERE}/{path}"), None).await
}

/// Reads a path with this `Accept`. Returns the media type and the text.
async fn text(app: &TestApp, path: &str, accept: &str) -> (String, String) {
    let request = app
        .client
        .get(app.url(&format!("{HERE}/{path}")))
        .bearer_auth(ADMIN_KEY);
    let response = request.header("accept", accept).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let media_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    (media_type, response.text().await.unwrap())
}

async fn every_revision_is_listed_and_read(database: Database) {
    let app = TestApp::start(database).await;
    for price in ["401.00", "402.00", "403.00"] {
        patch(&app, CAMERA, "price_to", price, "dearer").await;
    }
    let (_, first) = get(&app, "revisions?limit=2").await;
    let numbers = |page: &Value| -> Vec<i64> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| item["number"].as_i64().unwrap()).collect()
    };
    assert_eq!(numbers(&first), [4, 3]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let (_, second) = get(&app, &format!("revisions?limit=2&cursor={cursor}")).await;
    assert_eq!(numbers(&second), [2, 1]);
    assert!(second["next_cursor"].is_null());

    let (status, head) = get(&app, "revisions/head").await;
    assert_eq!((status, &head), (StatusCode::OK, &first["items"][0]));
    assert_eq!((&head["comment"], &head["kind"]), (&json!("dearer"), &json!("publish")));
    assert_eq!(get(&app, "revisions/4").await.1, head);
    for none in [
        "revisions/5",
        "revisions/0",
        "revisions/-1",
        "revisions/x",
        "revisions/99999999999999999999",
    ] {
        assert_eq!(get(&app, none).await.0, StatusCode::NOT_FOUND, "{none}");
    }

    let author = head["author"].as_str().unwrap().replace(' ', "%20");
    assert_eq!(
        numbers(&get(&app, &format!("revisions?author={author}")).await.1),
        [4, 3, 2]
    );
    assert_eq!(numbers(&get(&app, "revisions?author=nobody").await.1), [0; 0]);
    assert_eq!(numbers(&get(&app, "revisions?kind=import&sort=number").await.1), [1]);
    let at = head["created_at"].as_str().unwrap().replace('+', "%2B");
    assert_eq!(numbers(&get(&app, &format!("revisions?since={at}")).await.1), [4]);
    assert_eq!(numbers(&get(&app, &format!("revisions?until={at}")).await.1), [3, 2, 1]);
    app.stop().await;
}

async fn a_revision_is_compared_with_the_one_before_or_any_other(database: Database) {
    let app = TestApp::start(database).await;
    patch(&app, CAMERA, "price_to", "400.00", "dearer").await;
    patch(&app, SOUTH, "amount", "120.00", "farther").await;
    let (status, diff) = get(&app, "revisions/head/diff").await;
    let expected = json!({"from": 2, "to": 3, "rows": [{
        "resource": "adjustments", "code": "south_shore", "what": "changed",
        "changes": [{"column": "amount", "before": "100.00", "after": "120.00"}],
    }]});
    assert_eq!((status, &diff), (StatusCode::OK, &expected));

    let (media_type, told) = text(&app, "revisions/1/diff?to=head", "text/plain").await;
    assert_eq!(media_type, "text/plain; charset=utf-8");
    assert_eq!(
        told,
        "changed services/camera_inspection\n-  price_to: 350.00\n+  price_to: 400.00\n\n\
         changed adjustments/south_shore\n-  amount: 100.00\n+  amount: 120.00\n"
    );
    assert_eq!(text(&app, "revisions/1/diff?to=3&format=text", "*/*").await.1, told);
    let (media_type, _) = text(&app, "revisions/1/diff?to=3", "application/json, text/plain, */*").await;
    assert_eq!(media_type, "application/json");
    // In the other direction, added rows appear as deleted.
    let (_, back) = get(&app, "revisions/3/diff?to=1").await;
    assert_eq!(back["rows"][1]["changes"][0]["after"], "100.00");
    let (_, first) = get(&app, "revisions/1/diff").await;
    assert_eq!(
        (&first["from"], &first["rows"][0]["what"]),
        (&json!(0), &json!("added"))
    );
    let rows = first["rows"].as_array().unwrap();
    assert_eq!(rows.len(), sample::rows().count());
    for wrong in ["revisions/4/diff", "revisions/1/diff?to=4", "revisions/1/diff?to=x"] {
        assert_eq!(get(&app, wrong).await.0, StatusCode::NOT_FOUND, "{wrong}");
    }
    let (status, problem) = get(&app, "revisions/1/diff?format=xml").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
    app.stop().await;
}

async fn any_revision_can_be_read_and_decided_with(database: Database) {
    let app = TestApp::start(database).await;
    let (_, old) = app.admin(Method::GET, CAMERA, None).await;
    patch(&app, CAMERA, "price_to", "400.00", "dearer").await;
    let (_, new) = app.admin(Method::GET, CAMERA, None).await;
    // After a restart, the server reads old revisions from the tables.
    let app = app.restart().await;
    assert_eq!(
        get(&app, "services/camera_inspection?revision=1").await,
        (StatusCode::OK, old.clone())
    );
    assert_eq!(
        get(&app, "services/camera_inspection?revision=2").await,
        (StatusCode::OK, new.clone())
    );
    let (_, listed) = get(&app, "services?revision=1&limit=200").await;
    let (_, head) = get(&app, "services?limit=200").await;
    assert!(listed["items"].as_array().unwrap().contains(&old));
    assert!(head["items"].as_array().unwrap().contains(&new));
    for path in ["services", "services/camera_inspection"] {
        for (revision, expected) in [
            ("3", StatusCode::NOT_FOUND),
            ("0", StatusCode::NOT_FOUND),
            ("x", StatusCode::BAD_REQUEST),
        ] {
            let (status, problem) = get(&app, &format!("{path}?revision={revision}")).await;
            assert_eq!(status, expected, "{problem}");
        }
    }

    // The call is in the morning, because the evening has its own prices.
    let question = json!({"at": "2026-11-24T15:00:00Z", "facts": {"service_text": "caméra"}});
    for (revision, price) in [("?revision=1", "350.00"), ("?revision=2", "400.00"), ("", "400.00")] {
        let path = format!("{HERE}/evaluate{revision}");
        let (status, answer) = app.admin(Method::POST, &path, Some(&question)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(answer["decision"]["price"]["to"], price, "{answer}");
    }
    let path = format!("{HERE}/evaluate?revision=9");
    assert_eq!(
        app.admin(Method::POST, &path, Some(&question)).await.0,
        StatusCode::NOT_FOUND
    );
    app.stop().await;
}

async fn a_revision_is_exported_as_the_folder_that_import_reads(database: Database) {
    let app = TestApp::start(database).await;
    patch(&app, CAMERA, "price_to", "400.00", "dearer").await;
    let archive = async |number: &str| {
        let url = app.url(&format!("{HERE}/revisions/{number}/export"));
        let response = app.client.get(url).bearer_auth(ADMIN_KEY).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "application/x-tar");
        let disposition = response.headers()["content-disposition"].to_str().unwrap().to_owned();
        (disposition, response.bytes().await.unwrap().to_vec())
    };
    let (disposition, first) = archive("1").await;
    assert_eq!(disposition, "attachment; filename=\"default-1.tar\"");
    assert_eq!(
        archive("1").await.1,
        first,
        "two exports of a revision must have the same bytes"
    );
    let folder = tempfile::tempdir().unwrap();
    tar::Archive::new(first.as_slice()).unpack(folder.path()).unwrap();
    assert_eq!(
        files::read_folder(&folder.path().join("default-1")).unwrap(),
        unversioned()
    );
    let (_, head) = archive("head").await;
    tar::Archive::new(head.as_slice()).unpack(folder.path()).unwrap();
    let services = std::fs::read_to_string(folder.path().join("default-2/services.toml")).unwrap();
    assert!(services.contains("price_to = \"400.00\""), "{services}");
    assert_eq!(get(&app, "revisions/3/export").await.0, StatusCode::NOT_FOUND);
    app.stop().await;
}

/// Returns the sample's rows as read from files, without versions.
fn unversioned() -> rules::rows::RowSet {
    files::parse(&files::write(&sample::rows())).unwrap()
}

async fn a_roll_back_is_a_revision_equal_to_an_old_one_and_audited(database: Database) {
    let app = TestApp::start(database).await;
    patch(&app, CAMERA, "price_to", "400.00", "dearer").await;
    let path = format!("{HERE}/revisions/1/roll-back?version=2&comment=oops");
    let (status, done) = app.admin(Method::POST, &path, None).await;
    assert_eq!((status, &done), (StatusCode::OK, &json!({"revision": 3, "equals": 1})));
    let (_, revision) = get(&app, "revisions/head").await;
    assert_eq!(
        (&revision["kind"], &revision["equals"]),
        (&json!("roll_back"), &json!(1))
    );
    assert_eq!(get(&app, "revisions/1/diff?to=3").await.1["rows"], json!([]));
    let (_, log) = app
        .admin(Method::GET, "/admin/v1/audit-log?code=camera_inspection&limit=1", None)
        .await;
    let entry = &log["items"][0];
    assert_eq!(
        (&entry["revision"], &entry["after"]["price_to"]),
        (&json!(3), &json!("350.00")),
        "{log}"
    );
    app.stop().await;
}

/// Rolls back to revision 1, with these headers.
async fn roll_back(app: &TestApp, query: &str, headers: &[(&str, &str)]) -> (StatusCode, bool, Value) {
    let url = app.url(&format!("{HERE}/revisions/1/roll-back{query}"));
    let mut request = app.client.post(url).bearer_auth(ADMIN_KEY);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let again = response.headers().contains_key("idempotent-replayed");
    (response.status(), again, response.json().await.unwrap())
}

async fn a_roll_back_replaces_only_the_head_that_was_seen(database: Database) {
    let app = TestApp::start(database).await;
    patch(&app, CAMERA, "price_to", "400.00", "dearer").await;
    let (status, _, problem) = roll_back(&app, "", &[]).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::PRECONDITION_REQUIRED, &json!("version_required")),
        "{problem}"
    );
    // These requests name a head that is not the current revision, in the query or in a header.
    for (query, headers) in [
        ("?version=1", vec![]),
        ("", vec![("if-match", "\"1\"")]),
        ("?version=3", vec![]),
    ] {
        let (status, _, problem) = roll_back(&app, query, &headers).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::PRECONDITION_FAILED, &json!("stale_version")),
            "{problem}"
        );
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("is revision 2"), "{detail}");
    }
    let (status, _, problem) = roll_back(&app, "?version=2", &[("if-match", "\"1\"")]).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(get(&app, "revisions/head").await.1["number"], 2);

    let head = app.client.get(app.url(&format!("{HERE}/revisions/head")));
    let head = head.bearer_auth(ADMIN_KEY).send().await.unwrap();
    let tag = head.headers()["etag"].to_str().unwrap();
    assert!(tag.starts_with("\"2."), "{tag}");
    let (status, _, done) = roll_back(&app, "", &[("if-match", tag)]).await;
    assert_eq!((status, &done), (StatusCode::OK, &json!({"revision": 3, "equals": 1})));
    app.stop().await;
}

async fn of_roll_backs_at_the_same_moment_one_is_done(database: Database) {
    let app = TestApp::start(database).await;
    patch(&app, CAMERA, "price_to", "400.00", "dearer").await;
    let all = (0..6).map(|_| roll_back(&app, "?version=2", &[]));
    let answers = futures_util::future::join_all(all).await;
    let with = |status: StatusCode| answers.iter().filter(|answer| answer.0 == status).count();
    assert_eq!(
        (with(StatusCode::OK), with(StatusCode::PRECONDITION_FAILED)),
        (1, 5),
        "{answers:?}"
    );
    assert_eq!(get(&app, "revisions/head").await.1["number"], 3);
    app.stop().await;
}

async fn a_roll_back_under_a_key_is_done_once(database: Database) {
    let app = TestApp::start(database).await;
    patch(&app, CAMERA, "price_to", "400.00", "dearer").await;
    let key = [("idempotency-key", "back")];
    let all = (0..6).map(|_| roll_back(&app, "?version=2", &key));
    let answers = futures_util::future::join_all(all).await;
    let done = json!({"revision": 3, "equals": 1});
    assert!(
        answers
            .iter()
            .all(|(status, _, answer)| *status == StatusCode::OK && *answer == done),
        "{answers:?}"
    );
    assert_eq!(answers.iter().filter(|(_, again, _)| !again).count(), 1);
    let (status, _, problem) = roll_back(&app, "?version=3", &key).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("idempotency_key_reused")),
        "{problem}"
    );
    // The response of a rollback that changes nothing is stored too. So the repeated request gets the stored response,
    // although the head has changed.
    let key = [("idempotency-key", "nothing-to-do")];
    assert_eq!(roll_back(&app, "?version=3", &key).await.2, done);
    patch(&app, CAMERA, "price_to", "401.00", "dearer").await;
    assert_eq!(roll_back(&app, "?version=3", &key).await, (StatusCode::OK, true, done));
    app.stop().await;
}
