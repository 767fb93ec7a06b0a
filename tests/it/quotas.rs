//! Quotas: no rulebook can fill the shared database. Each limit is reached with rows written directly into the tables,
//! because a test cannot publish ten thousand revisions.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::quotas::{
    EXTRA_ROLL_BACKS, MAX_API_KEYS, MAX_CHANGE_SET_BYTES, MAX_OPEN_CHANGE_SETS, MAX_REVISION_BYTES, MAX_REVISIONS,
    MAX_RULEBOOKS,
};

use crate::both;
use crate::change_sets::{BOOK, SETS, SHORE, got, opened, publish, raise, step};
use crate::support::{Database, TestApp, app::ADMIN_KEY, requests::read};

both!(
    a_rulebook_has_a_limit_of_open_change_sets,
    the_bytes_of_change_sets_are_limited_for_a_day,
    revisions_are_limited_for_a_day_and_roll_backs_still_work,
    the_bytes_of_revisions_are_limited_for_a_day,
    rulebooks_are_limited,
    valid_api_keys_are_limited,
);

fn noon() -> DateTime<Utc> {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

/// Checks that the response says that a quota is reached, with the limit and what to do.
fn reached((status, answer): (StatusCode, Value), limit: impl ToString + Copy, advice: &str) {
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    assert_eq!(answer["code"], "quota_reached", "{answer}");
    let detail = answer["detail"].as_str().unwrap();
    assert!(
        detail.contains(&limit.to_string()) && detail.contains(advice),
        "{detail}"
    );
}

async fn open(app: &TestApp) -> (StatusCode, Value) {
    let version = got(app, SHORE).await["version"].clone();
    let body = json!({"comment": "one more", "changes": [raise("120.00", &version)]});
    app.admin(Method::POST, SETS, Some(&body)).await
}

async fn raised(app: &TestApp, amount: &str) -> (StatusCode, Value) {
    let version = got(app, SHORE).await["version"].clone();
    let body = json!({"amount": amount, "version": version});
    app.admin(Method::PATCH, SHORE, Some(&body)).await
}

async fn a_rulebook_has_a_limit_of_open_change_sets(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    for _ in 1..MAX_OPEN_CHANGE_SETS {
        opened(&app, "", &[]).await;
    }
    let last = opened(&app, "the last", &[raise("120.00", &json!(1))]).await;
    reached(open(&app).await, MAX_OPEN_CHANGE_SETS, "publish or discard");
    // Existing change sets can still be edited. Publishing or discarding a change set makes room for a new one.
    let change = raise("130.00", &json!(1));
    let (status, last) = app.admin(Method::POST, &step(&last, "/changes"), Some(&change)).await;
    assert_eq!(status, StatusCode::OK, "{last}");
    assert_eq!(publish(&app, &last).await.0, StatusCode::OK);
    opened(&app, "in its place", &[]).await;
    reached(open(&app).await, MAX_OPEN_CHANGE_SETS, "publish or discard");
    // Another rulebook has its own quota.
    let other = json!({"code": "other"});
    assert_eq!(
        app.admin(Method::POST, "/admin/v1/rulebooks", Some(&other)).await.0,
        StatusCode::CREATED
    );
    let sets = SETS.replace("default", "other");
    let (status, set) = app.admin(Method::POST, &sets, Some(&json!({"comment": ""}))).await;
    assert_eq!(status, StatusCode::CREATED, "{set}");
    app.stop().await;
}

async fn the_bytes_of_change_sets_are_limited_for_a_day(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    let set = opened(&app, "large", &[raise("120.00", &json!(1))]).await;
    app.sql(&format!("UPDATE change_sets SET bytes = {MAX_CHANGE_SET_BYTES}"))
        .await;
    reached(open(&app).await, MAX_CHANGE_SET_BYTES, "wait for a day");
    // An open change set cannot grow either. Discarding the large change set frees no bytes on the same day.
    let other = opened(&app, "small", &[]).await;
    let change = raise("130.00", &json!(1));
    let grown = app.admin(Method::POST, &step(&other, "/changes"), Some(&change)).await;
    reached(grown, MAX_CHANGE_SET_BYTES, "wait for a day");
    let (status, gone) = app.admin(Method::POST, &step(&set, "/discard"), None).await;
    assert_eq!(status, StatusCode::OK, "{gone}");
    reached(open(&app).await, MAX_CHANGE_SET_BYTES, "wait for a day");
    app.app.clock.step(TimeDelta::hours(25));
    assert_eq!(open(&app).await.0, StatusCode::CREATED);
    app.stop().await;
}

async fn revisions_are_limited_for_a_day_and_roll_backs_still_work(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    assert_eq!(raised(&app, "120.00").await.0, StatusCode::OK);
    // Creates all but one of the revisions that are allowed per day.
    let fill = async |from: i64, until: i64| {
        app.sql(&format!(
            "INSERT INTO revisions (rulebook_id, number, kind, author, comment, created_at) \
             WITH RECURSIVE n (number) AS (SELECT {from} UNION ALL SELECT number + 1 FROM n WHERE number < {until}) \
             SELECT r.rulebook_id, n.number, r.kind, r.author, r.comment, r.created_at FROM revisions r, n WHERE r.number = 2"
        ))
        .await;
        app.sql(&format!("UPDATE rulebooks SET head_revision = {until}")).await;
    };
    fill(3, MAX_REVISIONS - 1).await;
    assert_eq!(raised(&app, "130.00").await.0, StatusCode::OK);
    reached(raised(&app, "140.00").await, MAX_REVISIONS, "change set");
    // The quota applies to every operation that creates a revision.
    let shore = got(&app, SHORE).await;
    let mut rulebook = got(&app, BOOK).await;
    rulebook["rounding_step"] = json!("5.00");
    rulebook.as_object_mut().unwrap().remove("revision");
    for (method, path, body) in [
        (
            Method::PUT,
            SHORE,
            Some(
                json!({"amount": "140.00", "names": shore["names"], "rank": shore["rank"],
            "kind": shore["kind"], "condition": shore["condition"], "version": shore["version"]}),
            ),
        ),
        (Method::DELETE, &*format!("{SHORE}?version={}", shore["version"]), None),
        (
            Method::PATCH,
            BOOK,
            Some(json!({"rounding_step": "5.00", "version": rulebook["version"]})),
        ),
        (Method::PUT, BOOK, Some(rulebook)),
    ] {
        let answer = app.admin(method, path, body.as_ref()).await;
        reached(answer, MAX_REVISIONS, "change set");
    }
    let sheet = format!("code,amount,version\nsouth_shore,140.00,{}", shore["version"]);
    let request = app
        .client
        .post(app.url(&format!("{BOOK}/adjustments.csv")))
        .bearer_auth(ADMIN_KEY);
    let imported = request
        .header("content-type", "text/csv")
        .body(sheet)
        .send()
        .await
        .unwrap();
    reached(read(imported).await, MAX_REVISIONS, "change set");
    // A change set can still be opened, and a wrong price can be rolled back immediately.
    assert_eq!(open(&app).await.0, StatusCode::CREATED);
    let back = format!("{BOOK}/revisions/1/roll-back?version={MAX_REVISIONS}&comment=back");
    let (status, answer) = app.admin(Method::POST, &back, None).await;
    assert!(status.is_success(), "{answer}");
    assert_eq!(got(&app, SHORE).await["amount"], "100.00");
    // The number of rollbacks is limited too, so that they cannot fill the database.
    let most = MAX_REVISIONS + EXTRA_ROLL_BACKS;
    fill(MAX_REVISIONS + 2, most).await;
    let back = format!("{BOOK}/revisions/2/roll-back?version={most}&comment=on");
    reached(app.admin(Method::POST, &back, None).await, MAX_REVISIONS, "change set");
    app.app.clock.step(TimeDelta::hours(25));
    assert_eq!(raised(&app, "140.00").await.0, StatusCode::OK);
    app.stop().await;
}

async fn the_bytes_of_revisions_are_limited_for_a_day(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    assert_eq!(raised(&app, "120.00").await.0, StatusCode::OK);
    let revisions = app.rows("revisions").await;
    let bytes = |number: i64| {
        let row = revisions.iter().find(|row| row["number"] == number).unwrap();
        row["bytes"].as_i64().unwrap()
    };
    // The first revision counts with all rows of the sample. An edit counts with one row, in its old and new state.
    assert!(bytes(1) > 20_000, "{}", bytes(1));
    assert!((200..2_000).contains(&bytes(2)), "{}", bytes(2));
    app.sql(&format!(
        "UPDATE revisions SET bytes = {MAX_REVISION_BYTES} WHERE number = 2"
    ))
    .await;
    reached(raised(&app, "130.00").await, MAX_REVISION_BYTES, "wait for a day");
    app.app.clock.step(TimeDelta::hours(25));
    assert_eq!(raised(&app, "130.00").await.0, StatusCode::OK);
    app.stop().await;
}

async fn rulebooks_are_limited(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    let id = match database {
        Database::Sqlite => "randomblob(16)",
        Database::Postgres => "gen_random_uuid()",
    };
    app.sql(&format!(
        "INSERT INTO rulebooks (id, code, head_revision, webhook_auth, auth_version, created_at, sms_delivery, sms_delivery_version) \
         WITH RECURSIVE n (number) AS (SELECT 2 UNION ALL SELECT number + 1 FROM n WHERE number < {MAX_RULEBOOKS}) \
         SELECT {id}, 'r' || n.number, r.head_revision, r.webhook_auth, r.auth_version, r.created_at, r.sms_delivery, \
         r.sms_delivery_version FROM rulebooks r, n WHERE r.code = 'default'"
    ))
    .await;
    let another = app
        .admin(
            Method::POST,
            "/admin/v1/rulebooks",
            Some(&json!({"code": "one_more", "rows": "empty"})),
        )
        .await;
    reached(another, MAX_RULEBOOKS, "can be no more");
    app.stop().await;
}

async fn valid_api_keys_are_limited(database: Database) {
    let app = TestApp::at_rest(database, noon()).await;
    let make = async |body: Value| app.admin(Method::POST, "/admin/v1/api-keys", Some(&body)).await;
    let own =
        |expires: Option<&str>| json!({"name": "till", "role": "viewer", "rulebook": "default", "expires_at": expires});
    let soon = (app.app.clock.now() + TimeDelta::hours(1)).to_rfc3339();
    let mut last = String::new();
    for number in 0..MAX_API_KEYS {
        let (status, made) = make(own((number == 0).then_some(soon.as_str()))).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made["api_key"]["id"].as_str().unwrap().clone_into(&mut last);
    }
    reached(make(own(None)).await, MAX_API_KEYS, "revoke");
    // Keys for all rulebooks have a separate quota. Revoking a key, or its expiry, makes room for a new one.
    let for_all = make(json!({"name": "all", "role": "viewer"})).await;
    assert_eq!(for_all.0, StatusCode::CREATED, "{}", for_all.1);
    let path = format!("/admin/v1/api-keys/{last}");
    assert_eq!(app.admin(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(make(own(None)).await.0, StatusCode::CREATED);
    reached(make(own(None)).await, MAX_API_KEYS, "revoke");
    app.app.clock.step(TimeDelta::hours(2));
    assert_eq!(make(own(None)).await.0, StatusCode::CREATED);
    app.stop().await;
}

/// The guide lists the actual limits.
#[test]
fn the_guide_lists_the_quotas() {
    let guide = include_str!("../../src/admin/src/document/guide.md");
    let grouped = |number: i64| {
        let digits = number.to_string();
        let (head, tail) = digits.split_at(digits.len().saturating_sub(3));
        if head.is_empty() {
            digits.clone()
        } else {
            format!("{head},{tail}")
        }
    };
    let mib = |bytes: i64| format!("{} MiB", bytes / 1024 / 1024);
    let quotas = [
        ("rulebooks", grouped(i64::try_from(MAX_RULEBOOKS).unwrap())),
        ("open change sets", grouped(MAX_OPEN_CHANGE_SETS)),
        ("bytes in change sets", mib(MAX_CHANGE_SET_BYTES)),
        ("revisions", grouped(MAX_REVISIONS)),
        ("bytes in revisions", mib(MAX_REVISION_BYTES)),
        ("API keys", grouped(i64::try_from(MAX_API_KEYS).unwrap())),
    ];
    for (what, limit) in quotas {
        let line = guide.lines().find(|line| line.starts_with(&format!("| {what} |")));
        assert!(
            line.is_some_and(|line| line.contains(&format!("| {limit} |"))),
            "{what}: {limit}: {line:?}"
        );
    }
}
