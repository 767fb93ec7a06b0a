//! Runs concurrent edits and evaluations. No edit is lost. No decision mixes two revisions or uses a revision that is
//! older than the last confirmed edit.
//!
//! RINGBOOK_TEST_EDITS, RINGBOOK_TEST_SECONDS and RINGBOOK_TEST_EVALUATIONS make the tests run longer: see
//! `scripts/verify/edits.sh`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::{Database, TestApp, postgres_is_tested};

const PRICE: &str = "/admin/v1/rulebooks/default/services/camera_inspection";
const CLIENTS: i64 = 50;
const INSTANCES: usize = 3;
const ASKERS: u32 = 30;
/// Interval between new revisions.
const REVISION_INTERVAL: Duration = Duration::from_millis(50);
const MARKED: &str = "/admin/v1/rulebooks/marked";

both!(of_many_who_edit_one_price_none_is_lost);

/// Reads a number from the environment, for longer runs.
#[expect(clippy::disallowed_methods, reason = "tests read their own environment variables")]
fn number(name: &str, usual: i64) -> i64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

/// Prints a measurement directly, because the test harness would swallow a `println!`.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

async fn of_many_who_edit_one_price_none_is_lost(database: Database) {
    // All clients have one address, and send more than a single address may send.
    let builder = TestApp::builder(database).set("RATE_LIMIT_ENABLED", "false");
    let app = Arc::new(builder.set("RINGBOOK_WORKERS", "none").start().await);
    let edits = number("RINGBOOK_TEST_EDITS", 500);
    let began = Instant::now();
    let next = Arc::new(AtomicI64::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let (app, next) = (Arc::clone(&app), Arc::clone(&next));
        clients.spawn(async move {
            let mut accepted = Vec::new();
            loop {
                let edit = next.fetch_add(1, Ordering::Relaxed);
                if edit >= edits {
                    return accepted;
                }
                let (_, row) = app.admin(Method::GET, PRICE, None).await;
                let price = format!("{}.{:02}", 400 + edit / 100, edit % 100);
                let patch = json!({"price_to": price, "version": row["version"]});
                let (status, answer) = app.admin(Method::PATCH, PRICE, Some(&patch)).await;
                match status {
                    StatusCode::OK => accepted.push((answer["version"].as_i64().unwrap(), price)),
                    StatusCode::PRECONDITION_FAILED => assert_eq!(answer["code"], "stale_version"),
                    other => panic!("{other}: {answer}"),
                }
            }
        });
    }
    let accepted: Vec<(i64, String)> = clients.join_all().await.into_iter().flatten().collect();
    let count = accepted.len();
    let by_version: BTreeMap<i64, String> = accepted.into_iter().collect();
    assert_eq!(by_version.len(), count, "two edits got the same version");
    assert!(count > 0);
    say(&format!(
        "{database:?}: {edits} edits by {CLIENTS} clients in {:.1} s, {count} accepted",
        began.elapsed().as_secs_f64()
    ));
    // Each accepted edit is one revision, and there are no other revisions.
    let head = i64::try_from(count).unwrap() + 1;
    assert_eq!(
        by_version.keys().copied().collect::<Vec<_>>(),
        (2..=head).collect::<Vec<_>>()
    );
    let mut stored = BTreeMap::new();
    for row in app.rows("services").await {
        if row["code"] == "camera_inspection" && row["since_revision"] != 1 {
            let minor = row["price_to"].as_i64().unwrap();
            let price = format!("{}.{:02}", minor / 100, minor % 100);
            stored.insert(row["since_revision"].as_i64().unwrap(), price);
        }
    }
    assert_eq!(stored, by_version);
    let audited = app.rows("audit_log t ORDER BY seq").await;
    let audited = audited
        .iter()
        .filter(|entry| entry["code"] == "camera_inspection" && entry["action"] == "update");
    assert_eq!(audited.count(), count);
    let (_, row) = app.admin(Method::GET, PRICE, None).await;
    assert_eq!(
        (&row["version"], &row["price_to"]),
        (&json!(head), &json!(by_version[&head]))
    );
    Arc::into_inner(app).unwrap().stop().await;
}

/// Builds the rows of a revision. Each row is marked with the revision's number.
fn marked(revision: i64, version: Option<i64>) -> Value {
    let amount = format!("{revision}.00");
    let rate = format!("{}.{:03}", revision / 1000, revision % 1000);
    let names = json!({"en": "Marked"});
    let rows = [
        (
            "services",
            json!({"names": names, "keywords": ["drain"], "rank": 1, "offer": "offered", "price_from": amount, "price_to": amount}),
        ),
        (
            "adjustments",
            json!({"names": names, "rank": 1, "kind": "add", "amount": amount}),
        ),
        ("taxes", json!({"names": names, "rank": 1, "rate": rate})),
        (
            "priority-rules",
            json!({"names": names, "rank": 1, "priority": "P2", "sla_seconds": revision}),
        ),
    ];
    let change = |(resource, row): (&str, Value)| json!({"resource": resource, "code": "mark", "method": "put", "body": row, "version": version});
    rows.into_iter().map(change).collect()
}

/// Publishes the next revision through an instance.
async fn mark(app: &TestApp, revision: i64) {
    let version = (revision > 2).then_some(revision - 1);
    let body = json!({"changes": marked(revision, version)});
    let (status, set) = app
        .admin(Method::POST, &format!("{MARKED}/change-sets"), Some(&body))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{set}");
    let path = format!("{MARKED}/change-sets/{}/publish?version=1", set["id"].as_str().unwrap());
    let (status, set) = app.admin(Method::POST, &path, Some(&json!({}))).await;
    assert_eq!((status, &set["revision"]), (StatusCode::OK, &json!(revision)), "{set}");
}

/// Returns the mark in a decision. Fails if the marks of the decision differ.
fn mark_of(decision: &Value) -> i64 {
    let text = |place: &str| {
        decision
            .pointer(place)
            .unwrap_or_else(|| panic!("{place}: {decision}"))
            .clone()
    };
    let money = |place: &str| {
        text(place)
            .as_str()
            .unwrap()
            .strip_suffix(".00")
            .unwrap()
            .parse::<i64>()
            .unwrap()
    };
    let rate: f64 = text("/price/taxes/0/rate").as_str().unwrap().parse().unwrap();
    let revision = text("/revision").as_i64().unwrap();
    let marks = [
        // The sum of the service's price and the adjustment.
        money("/price/from"),
        money("/price/to"),
        2 * text("/sla_seconds").as_i64().unwrap(),
        2 * revision,
    ];
    assert_eq!(marks, [2 * revision; 4], "{decision}");
    assert!(
        (rate * 1000.0 - f64::from(i32::try_from(revision).unwrap())).abs() < 0.01,
        "{decision}"
    );
    revision
}

/// A publisher that loses the race plans again on the new head. So edits of different rows do not conflict, even if
/// they run on different instances.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_edit_different_rows_at_once_all_succeed() {
    const EDITS: i64 = 15;
    if !postgres_is_tested() {
        return;
    }
    let first = TestApp::builder(Database::Postgres)
        .set("RINGBOOK_WORKERS", "none")
        .start()
        .await;
    let apps = [&first.another().await, &first.another().await, &first];
    let rows = ["camera_inspection", "root_removal", "pipe_lining"];
    let edit = async |app: &TestApp, code: &str| {
        let path = format!("/admin/v1/rulebooks/default/services/{code}");
        let (_, mut row) = app.admin(Method::GET, &path, None).await;
        for edit in 0..EDITS {
            let patch = json!({"lead_days_max": 30 + edit, "version": row["version"]});
            let (status, answer) = app.admin(Method::PATCH, &path, Some(&patch)).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
            row = answer;
        }
    };
    tokio::join!(edit(apps[0], rows[0]), edit(apps[1], rows[1]), edit(apps[2], rows[2]));
    let (_, rulebook) = first.admin(Method::GET, "/admin/v1/rulebooks/default", None).await;
    assert_eq!(rulebook["revision"], 1 + 3 * EDITS);
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_decision_mixes_revisions_or_is_older_than_the_last_answered_edit() {
    if !postgres_is_tested() {
        return;
    }
    let first = TestApp::builder(Database::Postgres)
        .set("RINGBOOK_WORKERS", "none")
        .start()
        .await;
    let mut all = vec![first.another().await, first.another().await];
    all.insert(0, first);
    assert_eq!(all.len(), INSTANCES);
    let apps = Arc::new(all);
    let (status, made) = apps[0]
        .admin(
            Method::POST,
            "/admin/v1/rulebooks",
            Some(&json!({"code": "marked", "rows": "empty"})),
        )
        .await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    mark(&apps[0], 2).await;
    let seconds = u64::try_from(number("RINGBOOK_TEST_SECONDS", 5)).unwrap();
    let rate = u32::try_from(number("RINGBOOK_TEST_EVALUATIONS", 100)).unwrap();
    // The first value is the newest revision whose edit was confirmed. The second value says whether to stop.
    let (answered, over) = (Arc::new(AtomicI64::new(2)), Arc::new(AtomicBool::new(false)));
    let pause = Duration::from_secs(ASKERS.into()) / rate;
    let mut asking = tokio::task::JoinSet::new();
    for asker in 0..ASKERS {
        let (apps, answered, over) = (Arc::clone(&apps), Arc::clone(&answered), Arc::clone(&over));
        asking.spawn(async move {
            let app = &apps[usize::try_from(asker).unwrap() % INSTANCES];
            let question = json!({"facts": {}, "said": "The drain is blocked."});
            let mut seen = Vec::new();
            // The clients start one after the other, so that they do not send at the same moments.
            let begin = tokio::time::Instant::now() + pause.mul_f64(f64::from(asker) / f64::from(ASKERS));
            let mut pace = tokio::time::interval_at(begin, pause);
            while !over.load(Ordering::Acquire) {
                pace.tick().await;
                let floor = answered.load(Ordering::Acquire);
                let (status, answer) = app
                    .admin(Method::POST, &format!("{MARKED}/evaluate"), Some(&question))
                    .await;
                assert_eq!(status, StatusCode::OK, "{answer}");
                let revision = mark_of(&answer["decision"]);
                assert!(
                    revision >= floor,
                    "revision {revision} was used after revision {floor} was confirmed"
                );
                seen.push(revision);
            }
            seen
        });
    }
    let began = Instant::now();
    let mut pace = tokio::time::interval(REVISION_INTERVAL);
    let mut revision = 2;
    while began.elapsed() < Duration::from_secs(seconds) {
        pace.tick().await;
        revision += 1;
        mark(&apps[usize::try_from(revision).unwrap() % INSTANCES], revision).await;
        answered.store(revision, Ordering::Release);
    }
    let took = began.elapsed().as_secs_f64();
    over.store(true, Ordering::Release);
    let seen: Vec<i64> = asking.join_all().await.into_iter().flatten().collect();
    let different = seen.iter().copied().collect::<BTreeSet<_>>().len();
    say(&format!(
        "{} revisions and {} evaluations in {took:.1} s, with {different} different revisions, on {INSTANCES} instances",
        revision - 2,
        seen.len()
    ));
    assert!(different > 1);
    let mut apps = Arc::into_inner(apps).unwrap();
    // The first instance removes the database, so it must stop last.
    while let Some(app) = apps.pop() {
        app.stop().await;
    }
}
