//! Backtests over HTTP: the effect of a change on past calls.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    both,
    support::{
        Database, TestApp,
        messages::{report, tool_calls},
    },
};

both!(
    a_change_is_tried_on_the_calls_that_were,
    a_backtest_can_be_followed_and_its_end_is_told,
    where_facts_are_read_differently_the_messages_are_read_again,
    what_cannot_be_tried_is_refused_with_its_place,
    what_a_dead_instance_left_behind_is_interrupted,
    whoever_waits_can_be_cancelled,
    every_page_of_calls_is_looked_at,
);

const BACKTESTS: &str = "/admin/v1/rulebooks/default/backtests";
const SOUTH: &str = "J4K 2M6";
const MONTREAL: &str = "H2X 1Y4";

/// Builds the report of a call from this postal code. `more` has further fields of the analysis.
fn call(id: &str, said: &str, postal_code: &str, more: &Value) -> Value {
    let mut message = report(id, said);
    let found = &mut message["message"]["analysis"]["structuredData"];
    found["postalCode"] = json!(postal_code);
    for (name, value) in more.as_object().unwrap() {
        found[name] = value.clone();
    }
    message
}

async fn post(server: &TestApp, message: &Value) {
    let (status, answer) = server.post_signed(message).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

/// Sends the reports of ten calls about roots on the South Shore, ten in Montréal, five about linings, five about
/// floods, and one that matches nothing.
async fn some_calls(server: &TestApp) {
    for number in 0..10 {
        for (place, code) in [("south", SOUTH), ("city", MONTREAL)] {
            let id = format!("roots-{place}-{number}");
            post(server, &call(&id, "J'ai des racines dans le drain.", code, &json!({}))).await;
        }
    }
    for number in 0..5 {
        let (lining, flood) = (format!("lining-{number}"), format!("flood-{number}"));
        post(server, &call(&lining, "Je veux un gainage.", MONTREAL, &json!({}))).await;
        post(
            server,
            &call(&flood, "C'est inondé à cause de racines!", MONTREAL, &json!({})),
        )
        .await;
    }
    post(server, &call("silence", "Bonjour, bonjour.", MONTREAL, &json!({}))).await;
}

/// Starts a backtest and waits for its end.
async fn backtest(server: &TestApp, wanted: &Value) -> Value {
    let (status, taken) = server.admin(Method::POST, BACKTESTS, Some(wanted)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{taken}");
    finished(server, taken["id"].as_str().unwrap()).await
}

async fn finished(server: &TestApp, id: &str) -> Value {
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    for _ in 0..400 {
        looks.tick().await;
        let (status, job) = server.admin(Method::GET, &format!("{BACKTESTS}/{id}"), None).await;
        assert_eq!(status, StatusCode::OK, "{job}");
        if !["queued", "running"].contains(&job["state"].as_str().unwrap()) {
            return job;
        }
    }
    panic!("timed out while waiting until the backtest {id} ends");
}

fn patch(resource: &str, code: &str, patch: &Value) -> Value {
    json!({"resource": resource, "code": code, "method": "patch", "body": patch, "version": 1})
}

async fn a_change_is_tried_on_the_calls_that_were(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    some_calls(&server).await;
    let head = server.admin(Method::GET, "/admin/v1/rulebooks/default", None).await.1["revision"].clone();
    let changes = json!([
        patch("adjustments", "south_shore", &json!({"amount": "120.00"})),
        patch("services", "pipe_lining", &json!({"keywords": ["nobody says this"]})),
        patch(
            "priority-rules",
            "emergency",
            &json!({"priority": "P3", "template": null})
        ),
    ]);
    let job = backtest(&server, &json!({"changes": changes})).await;
    assert_eq!(
        (&job["state"], &job["percent"]),
        (&json!("done"), &json!(100)),
        "{job:#}"
    );
    let found = &job["result"];
    assert_eq!(
        (&found["calls"], &found["differ_already"]),
        (&json!(31), &json!(0)),
        "{found:#}"
    );
    // Calls about roots and floods have a price before and after. Calls about linings lose their price.
    let money = &found["money"][0];
    assert_eq!(
        (&money["quotes"], &money["changed"]),
        (&json!(25), &json!(10)),
        "{money:#}"
    );
    assert_eq!(
        (&money["change_from"], &money["change_to"]),
        (&json!("200.00"), &json!("200.00"))
    );
    assert_eq!(money["most"], "20.00");
    assert_eq!(
        (&found["lost_service"]["count"], &found["lost_price"]["count"]),
        (&json!(5), &json!(5))
    );
    let moved = &found["moves"][0];
    assert_eq!(
        (&moved["from"], &moved["to"], &moved["count"]),
        (&json!("P1"), &json!("P3"), &json!(5))
    );
    assert_eq!(
        moved["calls"],
        json!(["flood-4", "flood-3", "flood-2", "flood-1", "flood-0"])
    );
    assert_eq!(
        found["priorities"],
        json!([[0, 0, 5, 0], [0, 0, 0, 0], [0, 0, 0, 5], [0, 0, 0, 21]])
    );
    assert_eq!(found["texts"]["after"], 0);
    assert_eq!(found["texts"]["calls_with_fewer"], 5);
    assert_eq!(
        (&found["changed"], found["most_changed"].as_array().unwrap().len()),
        (&json!(20), 20)
    );
    let first = &found["most_changed"][0];
    assert_eq!(
        (&first["before"]["service"], &first["after"]["priority"]),
        (&json!("pipe_lining"), &json!("P4"))
    );
    let south = found["most_changed"].as_array().unwrap().iter();
    let south = south.clone().find(|call| call["call_id"] == "roots-south-9").unwrap();
    assert_eq!(south["rows"][0]["code"], "south_shore", "{south:#}");
    // The backtest published nothing, and its response repeats the request.
    let now = server.admin(Method::GET, "/admin/v1/rulebooks/default", None).await.1["revision"].clone();
    assert_eq!((&now, &job["base_revision"]), (&head, &head));
    assert_eq!(job["wanted"]["changes"][0]["patch"]["amount"], "120.00");

    // A change set with the same change has the same result.
    let sets = "/admin/v1/rulebooks/default/change-sets";
    let (status, set) = server
        .admin(Method::POST, sets, Some(&json!({"changes": changes})))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{set}");
    let again = backtest(&server, &json!({"change_set": set["id"]})).await;
    assert_eq!(again["result"], job["result"]);
    assert_eq!(again["wanted"]["change_set"], set["id"]);

    // After the change is published, a backtest of the old revision counts the changed calls in `differ_already`.
    let path = "/admin/v1/rulebooks/default/adjustments/south_shore";
    let change = json!({"amount": "120.00", "version": 1});
    assert_eq!(server.admin(Method::PATCH, path, Some(&change)).await.0, StatusCode::OK);
    let job = backtest(&server, &json!({"revision": 1})).await;
    let found = &job["result"];
    assert_eq!(
        (&found["differ_already"], &found["changed"]),
        (&json!(10), &json!(10)),
        "{found:#}"
    );
    assert_eq!(found["money"][0]["change_to"], "-200.00");
    // With a limit of two, only the newest two calls are decided.
    let job = backtest(&server, &json!({"revision": 1, "limit": 2})).await;
    assert_eq!(job["result"]["calls"], 2);
    let (_, list) = server
        .admin(Method::GET, &format!("{BACKTESTS}?state=done"), None)
        .await;
    assert_eq!(list["items"].as_array().unwrap().len(), 4);
    assert!(
        list["items"][0]["result"].is_null() && list["items"][0]["looked_at"] == 2,
        "{list:#}"
    );
    server.stop().await;
}

async fn a_backtest_can_be_followed_and_its_end_is_told(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    some_calls(&server).await;
    post(
        &server,
        &tool_calls(
            "quoted",
            5_000,
            &[(
                "t1",
                "calculateQuote",
                json!({"serviceType": "root_removal", "postalCode": SOUTH}),
            )],
        ),
    )
    .await;
    let quotes = server.rows("decisions").await;
    let asked = quotes.iter().filter(|row| row["purpose"] == "quote").count();
    let changes = json!([patch("adjustments", "south_shore", &json!({"amount": "90.00"}))]);
    let wanted = json!({"changes": changes, "days": 1, "tool_quotes": true});
    let (status, taken) = server.admin(Method::POST, BACKTESTS, Some(&wanted)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{taken}");
    let path = format!("{BACKTESTS}/{}/events", taken["id"].as_str().unwrap());
    let request = server
        .client
        .get(server.url(&path))
        .bearer_auth(crate::support::app::ADMIN_KEY);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let text = answer.text().await.unwrap();
    let last = text.trim().rsplit("\n\n").next().unwrap();
    let data = last
        .lines()
        .find_map(|line| line.strip_prefix("data: "))
        .unwrap_or_else(|| panic!("{text}"));
    let kind = last.lines().find_map(|line| line.strip_prefix("event: "));
    assert_eq!(kind, Some("result"), "{text}");
    let job: Value = serde_json::from_str(data).unwrap();
    assert_eq!(
        (&job["state"], &job["result"]["calls"]),
        (&json!("done"), &json!(31)),
        "{job:#}"
    );
    assert_eq!(job["result"]["money"][0]["cheaper"], 10);
    assert_eq!(job["result"]["tool_quotes"]["looked_at"], asked);
    assert_eq!(asked, 1, "{quotes:#?}");
    assert_eq!(job["result"]["tool_quotes"]["money"][0]["most"], "-10.00");
    server.stop().await;
}

async fn where_facts_are_read_differently_the_messages_are_read_again(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    for number in 0..3 {
        let more = json!({"difficulty": "très complexe"});
        post(
            &server,
            &call(&format!("hard-{number}"), "J'ai des racines.", MONTREAL, &more),
        )
        .await;
    }
    let erased = json!({"message": {"type": "call.deleted", "call": {"id": "hard-0"}}});
    post(&server, &erased).await;
    let pointers = json!({"pointers": ["/analysis/structuredData/difficulty"]});
    let changes = json!([patch("fact-mappings", "complexity", &pointers)]);
    let job = backtest(&server, &json!({"changes": changes})).await;
    let found = &job["result"];
    assert_eq!((&found["calls"], &found["erased"]), (&json!(2), &json!(1)), "{job:#}");
    assert_eq!(
        (&found["money"][0]["dearer"], &found["unreadable"]),
        (&json!(2), &json!(0)),
        "{found:#}"
    );
    let rows = &found["most_changed"][0]["rows"];
    assert!(
        rows.as_array().unwrap().iter().any(|row| row["code"] == "very_complex"),
        "{rows:#}"
    );
    server.stop().await;
}

async fn what_cannot_be_tried_is_refused_with_its_place(database: Database) {
    let server = TestApp::start(database).await;
    let change = |code: &str, method: &str, body: Value| {
        let one = json!({"resource": "adjustments", "code": code, "method": method, "body": body, "version": 1});
        json!({"changes": [one]})
    };
    let condition = json!({"condition": "arae == 1"});
    let area = json!({"changes": [{"resource": "areas", "code": "south_shore", "method": "delete", "version": 1}]});
    let none = "018f0000-0000-7000-8000-000000000000";
    for (wanted, status, pointer) in [
        (json!({}), 400, "/change_set"),
        (json!({"revision": 1, "changes": []}), 400, "/revision"),
        (json!({"revision": 99}), 422, "/revision"),
        (json!({"revision": 1, "days": 0}), 400, "/days"),
        (
            json!({"revision": 1, "days": 3, "from": "2026-01-01T00:00:00Z"}),
            400,
            "/days",
        ),
        (
            json!({"revision": 1, "from": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}),
            422,
            "/until",
        ),
        (json!({"revision": 1, "limit": 0}), 400, "/limit"),
        (json!({"revision": 1, "day": 3}), 400, "/day"),
        (json!({"change_set": "x"}), 400, "/change_set"),
        (
            json!({"changes": [{"resource": "prices", "code": "x", "method": "delete"}]}),
            400,
            "/changes/0/resource",
        ),
        (
            change("south_shore", "patch", json!({"rank": "one"})),
            400,
            "/changes/0/body/rank",
        ),
        (
            change("south_shore", "patch", condition),
            422,
            "adjustments/south_shore/condition",
        ),
        (area, 422, "adjustments/south_shore/condition"),
    ] {
        let (answered, problem) = server.admin(Method::POST, BACKTESTS, Some(&wanted)).await;
        assert_eq!(answered.as_u16(), status, "{wanted}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{wanted}: {problem}");
    }
    for (wanted, status) in [
        (json!({"change_set": none}), StatusCode::NOT_FOUND),
        (change("no_such", "patch", json!({})), StatusCode::NOT_FOUND),
    ] {
        let (answered, problem) = server.admin(Method::POST, BACKTESTS, Some(&wanted)).await;
        assert_eq!(answered, status, "{wanted}: {problem}");
    }
    let none = format!("{BACKTESTS}/{none}");
    for path in [none.clone(), format!("{none}/events")] {
        assert_eq!(server.admin(Method::GET, &path, None).await.0, StatusCode::NOT_FOUND);
    }
    assert_eq!(server.admin(Method::DELETE, &none, None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(server.rows("backtests").await.len(), 0);
    server.stop().await;
}

/// Creates a backtest with this state, as if another instance had last updated it `seconds_ago`.
async fn left_behind(server: &TestApp, state: &str, seconds_ago: i64) -> String {
    let job = backtest(server, &json!({"revision": 1})).await;
    let id = job["id"].as_str().unwrap().to_owned();
    let then = server.app.clock.now() - chrono::TimeDelta::seconds(seconds_ago);
    let sql = format!(
        "UPDATE backtests SET state = '{state}', finished_at = NULL, result = NULL, updated_at = '{}'",
        then.to_rfc3339_opts(chrono::SecondsFormat::Micros, false)
    );
    server.sql(&sql).await;
    id
}

async fn what_a_dead_instance_left_behind_is_interrupted(database: Database) {
    let server = TestApp::start(database).await;
    let id = left_behind(&server, "running", 60).await;
    // The dead instance cannot report that the backtest was interrupted. The server detects this from the old
    // `updated_at`.
    let (_, job) = server.admin(Method::GET, &format!("{BACKTESTS}/{id}"), None).await;
    assert_eq!(job["state"], "interrupted", "{job:#}");
    let server = server.restart().await;
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    while server.rows("backtests").await[0]["state"] != "interrupted" {
        looks.tick().await;
    }
    let job = finished(&server, &id).await;
    assert!(job["finished_at"].is_string(), "{job:#}");
    server.stop().await;
}

async fn whoever_waits_can_be_cancelled(database: Database) {
    let server = TestApp::start(database).await;
    // This backtest belongs to another instance that updated it a moment ago.
    let id = left_behind(&server, "running", 0).await;
    let path = format!("{BACKTESTS}/{id}");
    let (_, job) = server.admin(Method::GET, &path, None).await;
    assert_eq!(job["state"], "running", "{job:#}");
    let (status, job) = server.admin(Method::DELETE, &path, None).await;
    assert_eq!(
        (status, &job["state"]),
        (StatusCode::OK, &json!("cancelled")),
        "{job:#}"
    );
    // A finished backtest stays as it is.
    let done = backtest(&server, &json!({"revision": 1})).await;
    let path = format!("{BACKTESTS}/{}", done["id"].as_str().unwrap());
    let (status, job) = server.admin(Method::DELETE, &path, None).await;
    assert_eq!((status, &job["state"]), (StatusCode::OK, &json!("done")), "{job:#}");
    // Starting too many backtests at once is rejected.
    for number in 0..20 {
        let id = match database {
            Database::Sqlite => format!("x'{number:032x}'"),
            Database::Postgres => format!("'{number:032x}'"),
        };
        let columns = "base_revision, wanted, author, created_at";
        let sql = format!(
            "INSERT INTO backtests (rulebook_id, id, state, updated_at, {columns}) \
             SELECT rulebook_id, {id}, 'queued', created_at, {columns} FROM backtests WHERE state = 'done'"
        );
        server.sql(&sql).await;
    }
    let (status, problem) = server
        .admin(Method::POST, BACKTESTS, Some(&json!({"revision": 1})))
        .await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    server.stop().await;
}

/// Decisions are read in pages of 500. No page is lost, whichever thread finishes first.
async fn every_page_of_calls_is_looked_at(database: Database) {
    const COPIES: usize = 1_200;
    let server = TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await;
    post(&server, &call("roots", "J'ai des racines.", SOUTH, &json!({}))).await;
    let ids = (0..COPIES).map(|_| server.app.clock.new_id());
    let ids: Vec<String> = match database {
        Database::Postgres => ids.map(|id| format!("(CAST('{id}' AS uuid))")).collect(),
        Database::Sqlite => ids.map(|id| format!("(x'{}')", id.simple())).collect(),
    };
    let others = "call_id, event_id, purpose, revision, decided_for, extracted, result, service, priority, price_from, \
                  price_to, degraded, duration_us, created_at";
    let copies = format!(
        "WITH new (new_id) AS (VALUES {}) INSERT INTO decisions (rulebook_id, id, {others}) \
         SELECT rulebook_id, new_id, {others} FROM decisions, new WHERE purpose = 'report'",
        ids.join(", ")
    );
    server.sql(&copies).await;
    let dearer = json!({"changes": [patch("adjustments", "south_shore", &json!({"amount": "120.00"}))]});
    let job = backtest(&server, &dearer).await;
    assert_eq!(job["state"], "done", "{job}");
    let found = &job["result"];
    assert_eq!(
        (&found["calls"], &found["changed"]),
        (&json!(COPIES + 1), &json!(COPIES + 1))
    );
    assert_eq!(found["money"][0]["change_from"], format!("{}.00", 20 * (COPIES + 1)));
    server.stop().await;
}
