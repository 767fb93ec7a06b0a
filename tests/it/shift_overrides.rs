//! Tests shift overrides over HTTP: who is notified inside and outside the period of an override, in summer and in
//! winter. Also tests the shifts, gaps and holidays in the API. Replaying a stored decision gives the same result, even
//! after the override is deleted.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::messages::report;
use crate::support::{Database, TestApp};

both!(
    an_override_decides_who_is_notified_in_winter_and_in_summer,
    decisions_under_overrides_come_out_the_same_again,
    an_override_is_a_rule_row_like_any_other,
    an_override_that_makes_no_sense_is_refused_with_its_places,
    the_shifts_of_some_days_are_listed,
    which_days_cannot_be_asked_is_told,
);

const BOOK: &str = "/admin/v1/rulebooks/default";
const FLOOD: &str = "Mon sous-sol est inondé, des racines dans le drain.";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

async fn put(app: &TestApp, path: &str, row: &Value) -> Value {
    let (status, told) = app.admin(Method::PUT, &format!("{BOOK}{path}"), Some(row)).await;
    assert!(status.is_success(), "{path}: {told}");
    told
}

async fn patch(app: &TestApp, path: &str, change: &Value) {
    let path = format!("{BOOK}{path}");
    let (_, row) = app.admin(Method::GET, &path, None).await;
    let mut change = change.clone();
    change["version"] = row.get("version").unwrap_or(&row["revision"]).clone();
    let (status, told) = app.admin(Method::PATCH, &path, Some(&change)).await;
    assert_eq!(status, StatusCode::OK, "{path}: {told}");
}

/// Sets a rotation: Mario and Sarah alternate weekly from Monday, 23 November 2026, at 08:00. The first week is
/// Mario's.
pub async fn two_alternate(app: &TestApp) {
    patch(app, "", &json!({"rotation_from": "2026-11-23T08:00"})).await;
    let week = |week: i64| json!({"on_call": true, "rotation_week": week, "rotation_of": 2});
    patch(app, "/contacts/on_call", &week(1)).await;
    patch(app, "/contacts/second", &week(2)).await;
}

fn instead(contact: &str, of: &str, from: &str, until: &str) -> Value {
    json!({"contact": contact, "instead_of": of, "from": from, "until": until})
}

async fn notified(app: &TestApp, at: &str) -> Value {
    let question = json!({"facts": {"service_text": "racines"}, "at": at});
    let (status, told) = app
        .admin(Method::POST, &format!("{BOOK}/evaluate"), Some(&question))
        .await;
    assert_eq!(status, StatusCode::OK, "{told}");
    told["decision"]["notify"].clone()
}

async fn an_override_decides_who_is_notified_in_winter_and_in_summer(database: Database) {
    let app = TestApp::at_rest(database, at("2026-11-24T17:00:00Z")).await;
    two_alternate(&app).await;
    let winter = instead("second", "on_call", "2026-11-24T17:00", "2026-11-25T08:00");
    put(&app, "/shift-overrides/winter", &winter).await;
    let summer = instead("on_call", "second", "2027-07-14T17:00", "2027-07-15T08:00");
    put(&app, "/shift-overrides/summer", &summer).await;
    for (at, who) in [
        // Montréal is five hours behind UTC in winter, and four in summer.
        ("2026-11-24T21:59:59Z", "on_call"),
        ("2026-11-24T22:00:00Z", "second"),
        ("2026-11-25T12:59:59Z", "second"),
        ("2026-11-25T13:00:00Z", "on_call"),
        ("2027-07-14T20:59:59Z", "second"),
        ("2027-07-14T21:00:00Z", "on_call"),
        ("2027-07-15T11:59:59Z", "on_call"),
        ("2027-07-15T12:00:00Z", "second"),
    ] {
        assert_eq!(notified(&app, at).await, json!([who]), "{at}");
    }
    app.stop().await;
}

/// Builds the report of a call at 10:10 in Montréal. The sample's cases are about 10:00 and check who is notified then,
/// so the call is later.
fn later_report(call: &str) -> Value {
    let mut message = report(call, FLOOD);
    let (at, message_in) = (json!("2026-11-24T15:10:00Z"), &mut message["message"]);
    message_in["startedAt"] = at.clone();
    message_in["call"]["createdAt"] = at.clone();
    message_in["call"]["startedAt"] = at;
    message
}

async fn decisions_under_overrides_come_out_the_same_again(database: Database) {
    let app = TestApp::at_rest(database, at("2026-11-24T15:20:00Z")).await;
    two_alternate(&app).await;
    app.take(&later_report("before")).await;
    let row = instead("second", "on_call", "2026-11-24T10:05", "2026-11-26T00:00");
    let stored = put(&app, "/shift-overrides/days_off", &row).await;
    app.take(&later_report("within")).await;
    let gone = format!("{BOOK}/shift-overrides/days_off?version={}", stored["version"]);
    assert_eq!(app.admin(Method::DELETE, &gone, None).await.0, StatusCode::NO_CONTENT);
    app.take(&later_report("after")).await;
    let texted: Vec<_> = app.rows("sms_messages").await;
    let of = |call: &str| {
        let texts = texted.iter().filter(|text| text["call_id"] == call);
        texts.map(|text| text["contact"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (of("before"), of("within"), of("after")),
        (vec![json!("on_call")], vec![json!("second")], vec![json!("on_call")])
    );
    let (_, decisions) = app.admin(Method::GET, &format!("{BOOK}/decisions"), None).await;
    let decisions = decisions["items"].as_array().unwrap();
    assert_eq!(decisions.len(), 3);
    for decision in decisions {
        let again = format!("{BOOK}/decisions/{}/replay", decision["id"].as_str().unwrap());
        let (status, replay) = app.admin(Method::POST, &again, None).await;
        assert_eq!((status, &replay["same"]), (StatusCode::OK, &json!(true)), "{replay}");
    }
    app.stop().await;
}

async fn an_override_is_a_rule_row_like_any_other(database: Database) {
    let app = TestApp::at_rest(database, at("2026-11-24T15:00:00Z")).await;
    let path = format!("{BOOK}/shift-overrides/christmas");
    let mut row = instead("second", "on_call", "2026-12-24T17:00", "2026-12-27T08:00");
    row["comment"] = json!("Mario is away");
    let (status, stored) = app.admin(Method::PUT, &path, Some(&row)).await;
    assert_eq!(status, StatusCode::CREATED, "{stored}");
    // After a restart, the server reads the row from the database.
    let app = app.restart().await;
    assert_eq!(app.admin(Method::GET, &path, None).await.1, stored);
    let (_, list) = app
        .admin(Method::GET, &format!("{BOOK}/shift-overrides?contact=second"), None)
        .await;
    assert_eq!(list["items"], json!([stored]));
    let (status, problem) = app.admin(Method::PUT, &path, Some(&row)).await;
    assert_eq!(status, StatusCode::PRECONDITION_REQUIRED, "{problem}");
    let change = json!({"until": "2026-12-28T08:00", "version": stored["version"]});
    let (status, changed) = app.admin(Method::PATCH, &path, Some(&change)).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    let (status, problem) = app.admin(Method::PATCH, &path, Some(&change)).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::PRECONDITION_FAILED, &json!("stale_version"))
    );
    let (_, diff) = app
        .admin(Method::GET, &format!("{BOOK}/revisions/head/diff"), None)
        .await;
    assert!(diff.to_string().contains("2026-12-28T08:00"), "{diff}");
    let (_, log) = app
        .admin(Method::GET, "/admin/v1/audit-log?resource=shift-overrides", None)
        .await;
    assert_eq!(log["items"].as_array().unwrap().len(), 2, "{log}");
    // A contact that an override names cannot be deleted.
    let (_, second) = app.admin(Method::GET, &format!("{BOOK}/contacts/second"), None).await;
    let gone = format!("{BOOK}/contacts/second?version={}", second["version"]);
    let (status, problem) = app.admin(Method::DELETE, &gone, None).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("rule_fault")),
        "{problem}"
    );
    // Lint reports expired overrides.
    app.app.clock.step(TimeDelta::days(80));
    let (_, lint) = app.admin(Method::GET, &format!("{BOOK}/lint"), None).await;
    assert!(lint.to_string().contains("it ended at 2026-12-28T08:00"), "{lint}");
    app.stop().await;
}

async fn an_override_that_makes_no_sense_is_refused_with_its_places(database: Database) {
    let app = TestApp::at_rest(database, at("2026-11-24T15:00:00Z")).await;
    let path = format!("{BOOK}/shift-overrides/x");
    for (row, status, place, code) in [
        (
            instead("nobody", "on_call", "2026-12-24T17:00", "2026-12-25T08:00"),
            422,
            "/contact",
            "unknown_reference",
        ),
        (
            instead("second", "second", "2026-12-24T17:00", "2026-12-25T08:00"),
            422,
            "/instead_of",
            "same_contact",
        ),
        (
            instead("second", "on_call", "2026-12-24T17:00", "2026-12-24T17:00"),
            422,
            "/until",
            "empty_span",
        ),
        (
            instead("second", "on_call", "2026-12-24T17:00", "2027-12-25T17:01"),
            422,
            "/until",
            "too_long",
        ),
        (
            instead("second", "on_call", "2027-02-30T17:00", "2027-03-01T17:00"),
            422,
            "/from",
            "bad_time",
        ),
        (
            instead("second", "on_call", "2026-12-24 17:00", "2026-12-25T08:00"),
            400,
            "/from",
            "invalid_value",
        ),
    ] {
        let (told, problem) = app.admin(Method::PUT, &path, Some(&row)).await;
        let fault = &problem["errors"][0];
        assert_eq!(
            (told.as_u16(), &fault["pointer"]),
            (status, &json!(place)),
            "{row}: {problem}"
        );
        assert!(status == 400 || fault["code"] == code, "{row}: {problem}");
    }
    assert_eq!(app.counts(["shift_overrides"]).await, [0]);
    app.stop().await;
}

async fn the_shifts_of_some_days_are_listed(database: Database) {
    let app = TestApp::at_rest(database, at("2026-12-24T15:00:00Z")).await;
    let days = format!("{BOOK}/shifts?from=2026-12-24&until=2026-12-26");
    let (status, told) = app.admin(Method::GET, &days, None).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let always = json!({"contact": "on_call", "starts_at": "2026-12-24T05:00:00+00:00", "ends_at": "2026-12-27T05:00:00+00:00", "source": "always"});
    assert_eq!(told["shifts"], json!([always]));
    assert_eq!(told["on_now"], json!([{"contact": "on_call", "source": "always"}]));
    assert_eq!(told["next"], json!([]));
    assert_eq!(
        told["holidays"],
        json!([{"date": "2026-12-25", "name": "Noël", "open": []}])
    );
    // One contact is on shift while the business is open, and Sarah for one night.
    patch(&app, "/contacts/on_call", &json!({"on_call_calendar": "main"})).await;
    let help = json!({"contact": "second", "from": "2026-12-24T17:00", "until": "2026-12-25T08:00"});
    put(&app, "/shift-overrides/night", &help).await;
    let (_, told) = app.admin(Method::GET, &days, None).await;
    let span = |from: &str, until: &str| {
        let day = |text: &str| format!("2026-12-{text}:00+00:00");
        json!({"starts_at": day(from), "ends_at": day(until)})
    };
    let with = |mut one: Value, more: Value| {
        one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        one
    };
    let day = with(
        span("24T13:00", "24T22:00"),
        json!({"contact": "on_call", "source": "calendar"}),
    );
    let night = json!({"contact": "second", "source": "override", "override": "night"});
    let night = with(span("24T22:00", "25T13:00"), night);
    assert_eq!(told["shifts"], json!([day, night]));
    assert_eq!(
        told["gaps"],
        json!([span("24T05:00", "24T13:00"), span("25T13:00", "27T05:00")])
    );
    assert_eq!(
        told["on_now"],
        json!([{"contact": "on_call", "source": "calendar", "ends_at": "2026-12-24T22:00:00+00:00"}])
    );
    assert_eq!(told["next"], json!([night]));
    // In a gap, all contacts with `on_call` are notified.
    assert_eq!(notified(&app, "2026-12-26T15:00:00Z").await, json!(["on_call"]));
    assert_eq!(notified(&app, "2026-12-25T03:00:00Z").await, json!(["second"]));
    app.stop().await;
}

async fn which_days_cannot_be_asked_is_told(database: Database) {
    let app = TestApp::at_rest(database, at("2026-11-24T15:00:00Z")).await;
    for (query, status) in [
        ("", 200),
        ("?from=2026-12-01&until=2027-01-31", 200),
        ("?from=2026-12-01&until=2027-02-01", 422),
        ("?from=2026-12-02&until=2026-12-01", 422),
        ("?from=2026-02-29", 400),
        ("?from=9999-12-31", 200),
        ("?from=0001-01-01&until=0001-01-02", 200),
        ("?revision=7", 404),
    ] {
        let (told, problem) = app.admin(Method::GET, &format!("{BOOK}/shifts{query}"), None).await;
        assert_eq!(told.as_u16(), status, "{query}: {problem}");
    }
    let (_, told) = app.admin(Method::GET, &format!("{BOOK}/shifts"), None).await;
    assert_eq!(
        (&told["from"], &told["until"]),
        (&json!("2026-11-24"), &json!("2026-12-24"))
    );
    app.stop().await;
}
