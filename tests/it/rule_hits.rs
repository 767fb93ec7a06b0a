//! Counts how often rows take part in decisions. The count needs no database write per message.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::messages::{report, tool_calls};
use crate::support::{Database, TestApp};

both!(
    decisions_for_callers_are_counted_once_each,
    what_was_counted_outlives_a_restart,
    rows_that_no_call_met_are_told,
    callers_who_matched_nothing_are_named,
);

const RULEBOOK: &str = "/admin/v1/rulebooks/default";

fn at() -> DateTime<Utc> {
    "2026-11-24T15:02:00Z".parse().unwrap()
}

async fn get(app: &TestApp, path: &str) -> Value {
    let (status, answer) = app.admin(Method::GET, &format!("{RULEBOOK}/{path}"), None).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

async fn send(app: &TestApp, message: &Value) {
    let (status, answer) = app.post_signed(message).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

async fn flush(app: &TestApp) {
    app.app.hits.flush(&app.app.db, app.app.clock.now()).await.unwrap();
}

/// Returns the rows that took part, and how often.
async fn hits(app: &TestApp) -> Vec<(String, i64)> {
    let page = get(app, "rule-hits?limit=200").await;
    let rows = page["items"].as_array().unwrap().iter();
    let rows = rows.filter(|row| row["hits"] != 0);
    rows.map(|row| {
        let name = format!(
            "{}/{}",
            row["resource"].as_str().unwrap(),
            row["code"].as_str().unwrap()
        );
        (name, row["hits"].as_i64().unwrap())
    })
    .collect()
}

async fn decisions_for_callers_are_counted_once_each(database: Database) {
    let app = TestApp::builder(database).at(at()).start().await;
    assert_eq!(hits(&app).await, []);
    send(&app, &report("call-1", "J'ai des racines dans le drain.")).await;
    // A duplicate, an amendment of the report, and an evaluation by a person do not count.
    send(&app, &report("call-1", "J'ai des racines dans le drain.")).await;
    send(&app, &report("call-1", "J'ai une piscine.")).await;
    let question = json!({"facts": {}, "said": "racines"});
    let (status, _) = app
        .admin(Method::POST, &format!("{RULEBOOK}/evaluate"), Some(&question))
        .await;
    assert_eq!(status, StatusCode::OK);
    flush(&app).await;
    let once = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), 1)).collect::<Vec<_>>();
    assert_eq!(
        hits(&app).await,
        once(&[
            "adjustments/minimum",
            "areas/montreal",
            "services/root_removal",
            "taxes/tps",
            "taxes/tvq"
        ])
    );
    // Two tools of one message and a report add to the existing counts.
    let arguments = json!({"serviceType": "racines", "postalCode": "J4K 2M6"});
    let tools = [
        ("t-1", "calculateQuote", arguments.clone()),
        ("t-2", "classifyPriority", arguments),
    ];
    send(&app, &tool_calls("call-2", 1_000, &tools)).await;
    send(&app, &report("call-2", "C'est une inondation, des racines.")).await;
    flush(&app).await;
    let counted = hits(&app).await;
    for (name, expected) in [
        ("services/root_removal", 4),
        ("adjustments/south_shore", 2),
        ("areas/south_shore", 2),
        ("areas/montreal", 2),
        ("priority-rules/emergency", 1),
    ] {
        let found = counted.iter().find(|(found, _)| found == name).map(|(_, hits)| *hits);
        assert_eq!(found, Some(expected), "{name}: {counted:?}");
    }
    let most = get(&app, "rule-hits?sort=-hits&limit=2&resource=services").await;
    assert_eq!(most["items"][0]["code"], "root_removal");
    assert_eq!(most["items"][0]["last_hit_at"], "2026-11-24T15:02:00+00:00");
    assert!(most["next_cursor"].is_string());
    assert!(
        app.rows("rule_hits")
            .await
            .iter()
            .all(|row| row["revision"] == 1 && row["day"] == "2026-11-24")
    );
    app.stop().await;
}

async fn what_was_counted_outlives_a_restart(database: Database) {
    let app = TestApp::builder(database).at(at()).start().await;
    for number in 0..20 {
        send(
            &app,
            &report(&format!("call-{number}"), "J'ai des racines dans le drain."),
        )
        .await;
    }
    let app = app.restart().await;
    assert_eq!(
        get(&app, "rule-hits?sort=-hits&resource=services&limit=1").await["items"][0]["hits"],
        20
    );
    app.stop().await;
}

async fn rows_that_no_call_met_are_told(database: Database) {
    let app = TestApp::builder(database).at(at()).start().await;
    send(&app, &report("call-1", "J'ai des racines dans le drain.")).await;
    flush(&app).await;
    // The counts do not cover enough days yet.
    assert_eq!(get(&app, "rule-hits?unused=true").await["items"], json!([]));
    assert_eq!(get(&app, "lint").await["findings"], json!([]));
    app.app.clock.step(TimeDelta::days(91));
    let (_, mut pool) = app.admin(Method::GET, &format!("{RULEBOOK}/services/pool"), None).await;
    pool["rank"] = json!(9);
    let (status, answer) = app
        .admin(Method::PUT, &format!("{RULEBOOK}/services/pool"), Some(&pool))
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(
        get(&app, "lint").await["findings"],
        json!([]),
        "without any call, no rule may be reported as unused"
    );
    send(&app, &report("call-2", "My gutters are blocked.")).await;
    flush(&app).await;
    let unused = get(&app, "rule-hits?unused=true&resource=services&limit=200").await;
    let codes: Vec<&str> = unused["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["code"].as_str().unwrap())
        .collect();
    // This row matched long ago, and has not matched since.
    assert!(codes.contains(&"root_removal"), "{codes:?}");
    assert!(!codes.contains(&"gutters"), "{codes:?}");
    assert!(
        !codes.contains(&"pool"),
        "a row that was changed meanwhile may not be reported as unused: {codes:?}"
    );
    let report = get(&app, "lint").await;
    let found = report["findings"].as_array().unwrap();
    let told = |resource: &str, code: &str| found.iter().find(|f| f["resource"] == resource && f["code"] == code);
    assert_eq!(
        told("services", "root_removal").map(|f| (&f["problem"], &f["severity"], &f["text"])),
        Some((
            &json!("not_fired"),
            &json!("warning"),
            &json!("no caller asked for it in 90 days")
        ))
    );
    assert!(told("services", "gutters").is_none() && told("services", "pool").is_none());
    assert!(told("scripts", "spring_promotion").is_some() && told("scripts", "estimate_metres").is_none());
    assert_eq!(report["errors"], 0);
    // Lint reports no unused rule if the request covers more days than the counts.
    assert_eq!(get(&app, "lint?days=92").await["findings"], json!([]));
    app.stop().await;
}

async fn callers_who_matched_nothing_are_named(database: Database) {
    let app = TestApp::builder(database).at(at()).start().await;
    let none = get(&app, "unmatched-calls").await;
    assert_eq!(
        none,
        json!({"since": "2026-08-26", "decisions": 0, "without_service": 0, "without_priority_rule": 0, "calls": []})
    );
    send(&app, &report("call-known", "J'ai des racines, c'est une urgence.")).await;
    send(&app, &report("call-lost", "Bonjour, pouvez-vous me rappeler?")).await;
    flush(&app).await;
    let told = get(&app, "unmatched-calls?days=1").await;
    assert_eq!(told["counted_since"], "2026-11-24");
    assert_eq!(
        (
            &told["decisions"],
            &told["without_service"],
            &told["without_priority_rule"]
        ),
        (&json!(2), &json!(1), &json!(1)),
        "{told}"
    );
    assert_eq!(told["calls"].as_array().unwrap().len(), 1);
    let call = &told["calls"][0];
    assert_eq!(
        (&call["call_id"], &call["purpose"]),
        (&json!("call-lost"), &json!("report"))
    );
    let decision = call["decision_id"].as_str().unwrap();
    assert_eq!(
        get(&app, &format!("decisions/{decision}")).await["call_id"],
        "call-lost"
    );
    for days in ["0", "401", "x", "-5"] {
        for path in ["unmatched-calls", "rule-hits"] {
            let path = format!("{RULEBOOK}/{path}?days={days}");
            let (status, problem) = app.admin(Method::GET, &path, None).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {problem}");
        }
    }
    app.stop().await;
}
