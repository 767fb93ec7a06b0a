//! Tests calendars over HTTP: weekly rules, special days, and the days that result from them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::{Database, TestApp};

both!(
    a_calendar_shows_what_its_rules_mean,
    a_night_and_a_special_day_decide,
    a_calendar_that_makes_no_sense_is_refused_with_its_places,
    what_days_cannot_be_asked_is_told,
);

const MAIN: &str = "/admin/v1/rulebooks/default/calendars/main";

async fn days(app: &TestApp, query: &str) -> Vec<Value> {
    let (status, told) = app.admin(Method::GET, &format!("{MAIN}/days{query}"), None).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    assert_eq!(told["time_zone"], "America/Toronto");
    told["days"].as_array().unwrap().clone()
}

async fn put(app: &TestApp, change: Value) -> (StatusCode, Value) {
    let (_, mut row) = app.admin(Method::GET, MAIN, None).await;
    for (name, value) in change.as_object().unwrap() {
        row[name] = value.clone();
    }
    app.admin(Method::PUT, MAIN, Some(&row)).await
}

async fn a_calendar_shows_what_its_rules_mean(database: Database) {
    let app = TestApp::start(database).await;
    let of_2027 = days(&app, "?from=2027-01-01&until=2027-12-31").await;
    assert_eq!(of_2027.len(), 365);
    let holidays: Vec<&str> = of_2027
        .iter()
        .filter(|day| day["holiday"].is_string())
        .map(|day| day["date"].as_str().unwrap())
        .collect();
    assert_eq!(
        holidays,
        [
            "2027-01-01",
            "2027-03-26",
            "2027-05-24",
            "2027-06-24",
            "2027-07-01",
            "2027-09-06",
            "2027-10-11",
            "2027-12-25"
        ]
    );
    // 24 June 2029 is a Sunday.
    let june = days(&app, "?from=2029-06-22&until=2029-06-26").await;
    assert_eq!(
        june[1..4],
        [
            json!({"date": "2029-06-23", "weekday": "saturday", "open": [], "weekend": true}),
            json!({"date": "2029-06-24", "weekday": "sunday", "open": [], "weekend": true, "holiday": "Fête nationale"}),
            json!({"date": "2029-06-25", "weekday": "monday", "open": [], "weekend": false, "holiday": "Fête nationale"}),
        ]
    );
    assert_eq!(june[0]["open"], json!(["08:00-17:00"]));
    let spring = days(&app, "?from=2027-03-13&until=2027-03-15").await;
    let changes: Vec<&Value> = spring.iter().map(|day| &day["clock_change_minutes"]).collect();
    assert_eq!(changes, [&Value::Null, &json!(60), &Value::Null]);
    assert_eq!(days(&app, "").await.len(), 31);
    app.stop().await;
}

async fn evaluated(app: &TestApp, at: &str) -> Value {
    let question = json!({"facts": {"service_text": "racines"}, "at": at});
    let (status, told) = app
        .admin(Method::POST, "/admin/v1/rulebooks/default/evaluate", Some(&question))
        .await;
    assert_eq!(status, StatusCode::OK, "{told}");
    told["decision"]["derived"].clone()
}

async fn a_night_and_a_special_day_decide(database: Database) {
    let app = TestApp::start(database).await;
    let (status, row) = put(
        &app,
        json!({
            "open": {"wednesday": ["08:00-17:00"], "thursday": ["08:00-17:00", "22:00-06:00"], "friday": ["22:00-06:00"]},
            "special_days": [{"on": "12-23", "name": "Avant-veille", "open": ["08:00-12:00"]}],
            "holiday_rules": [{"on": "12-25", "name": "Noël", "if_weekend": "next"}],
        }),
    )
    .await;
    assert_eq!(status, StatusCode::OK, "{row}");
    assert_eq!(app.admin(Method::GET, MAIN, None).await.1, row);
    // After a restart, the server reads the row from the database.
    let app = app.restart().await;
    assert_eq!(app.admin(Method::GET, MAIN, None).await.1, row);
    for (at, open, holiday) in [
        ("2026-12-23T16:59:59Z", true, false),
        ("2026-12-23T17:00:00Z", false, false),
        ("2026-12-25T03:00:00Z", true, false),
        // The opening hours of Thursday night continue into Christmas Day.
        ("2026-12-25T10:59:59Z", true, true),
        ("2026-12-25T11:00:00Z", false, true),
        // Friday is a holiday, so Friday night has no opening hours.
        ("2026-12-26T04:00:00Z", false, true),
        ("2027-12-27T15:00:00Z", false, true),
    ] {
        let derived = evaluated(&app, at).await;
        let truth = |name: &str| derived[name]["value"].as_bool().unwrap();
        assert_eq!(
            (truth("open"), truth("after_hours"), truth("holiday")),
            (open, !open, holiday),
            "{at}: {derived}"
        );
    }
    app.stop().await;
}

async fn a_calendar_that_makes_no_sense_is_refused_with_its_places(database: Database) {
    let app = TestApp::start(database).await;
    let (_, before) = app.admin(Method::GET, MAIN, None).await;
    let (status, problem) = put(
        &app,
        json!({
            "holiday_rules": [{"on": "12-25", "name": "x"}, {"on": "second monday of octber", "name": "x"}],
            "special_days": [{"on": "12-24", "name": "x", "open": ["08:00-12:00", "11:00-13:00"]}],
        }),
    )
    .await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("rule_fault")),
        "{problem}"
    );
    let errors = problem["errors"].as_array().unwrap();
    let told: Vec<_> = errors
        .iter()
        .map(|e| (e["pointer"].as_str().unwrap(), e["code"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("/holiday_rules/1/on", "bad_day"),
            ("/special_days/0/open", "bad_hours")
        ]
    );
    assert!(
        errors[0]["detail"]
            .as_str()
            .unwrap()
            .contains("did you mean `october`?"),
        "{problem}"
    );
    let (status, problem) = put(
        &app,
        json!({"holiday_rules": [{"on": "12-25", "name": "x", "if_weekend": "later"}]}),
    )
    .await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (StatusCode::BAD_REQUEST, &json!("/holiday_rules/0/if_weekend"))
    );
    assert_eq!(app.admin(Method::GET, MAIN, None).await.1, before);
    app.stop().await;
}

async fn what_days_cannot_be_asked_is_told(database: Database) {
    let app = TestApp::start(database).await;
    for (query, status) in [
        ("?from=2027-01-01&until=2026-12-31", StatusCode::UNPROCESSABLE_ENTITY),
        ("?from=2027-01-01&until=2028-02-05", StatusCode::UNPROCESSABLE_ENTITY),
        ("?from=2027-01-01&until=2028-02-04", StatusCode::OK),
        ("?from=2027-02-29", StatusCode::BAD_REQUEST),
        ("?from=27-2-9", StatusCode::BAD_REQUEST),
        ("?from=%2B262142-12-31", StatusCode::BAD_REQUEST),
        ("?from=9999-12-31&until=9999-12-31", StatusCode::OK),
        ("?from=9999-12-31", StatusCode::OK),
        ("?from=0001-01-01&until=0001-01-02", StatusCode::OK),
        ("?revision=7", StatusCode::NOT_FOUND),
    ] {
        let (told, problem) = app.admin(Method::GET, &format!("{MAIN}/days{query}"), None).await;
        assert_eq!(told, status, "{query}: {problem}");
    }
    let (status, _) = app
        .admin(Method::GET, "/admin/v1/rulebooks/default/calendars/none/days", None)
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    app.stop().await;
}
