//! Invalid bodies: the response lists every error with its JSON pointer, its code and the expected value.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::app::ADMIN_KEY;
use crate::support::{Database, TestApp};

const CAMERA: &str = "/admin/v1/rulebooks/default/services/camera_inspection";
const SETS: &str = "/admin/v1/rulebooks/default/change-sets";

both!(
    every_fault_of_a_body_is_told_at_once,
    faults_of_changes_are_told_below_their_place,
    what_is_no_strict_json_is_refused_with_its_place,
    fifty_faults_are_told_and_the_others_counted,
);

/// Returns the pointer, the code and the message of each error.
fn faults(problem: &Value) -> Vec<(&str, &str, &str)> {
    let faults = problem["errors"].as_array().unwrap().iter();
    faults
        .map(|fault| {
            let part = |name: &str| fault[name].as_str().unwrap();
            (part("pointer"), part("code"), part("detail"))
        })
        .collect()
}

fn places(problem: &Value) -> Vec<(&str, &str)> {
    let mut places: Vec<_> = faults(problem)
        .into_iter()
        .map(|(place, code, _)| (place, code))
        .collect();
    places.sort_unstable();
    places
}

async fn every_fault_of_a_body_is_told_at_once(database: Database) {
    let app = TestApp::start(database).await;
    let (_, before) = app.admin(Method::GET, CAMERA, None).await;
    let row = json!({
        "names": {"fr": 1}, "keywords": ["a", 2], "rank": "first", "offer": "ofered", "prize_from": "350.00",
        "price_to": 400.505, "lead_days_min": 1000, "notify": null, "version": -1,
    });
    let (status, problem) = app.admin(Method::PUT, CAMERA, Some(&row)).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::BAD_REQUEST, &json!("invalid_body")),
        "{problem}"
    );
    let expected = [
        ("/keywords/1", "wrong_type"),
        ("/lead_days_min", "too_large"),
        ("/names/fr", "wrong_type"),
        ("/notify", "wrong_type"),
        ("/offer", "not_in_list"),
        ("/price_to", "wrong_type"),
        ("/prize_from", "unknown_field"),
        ("/rank", "wrong_type"),
        ("/version", "too_small"),
    ];
    assert_eq!(places(&problem), expected, "{problem:#}");
    for (place, says) in [
        (
            "/offer",
            "must be one of `offered`, `refused`, `assessment`; did you mean `offered`?",
        ),
        ("/prize_from", "did you mean `price_from`?"),
        (
            "/price_to",
            "must be a string, such as `350.00`, not a number with a fraction.",
        ),
        ("/lead_days_min", "must be from 0 to 730"),
    ] {
        let told = faults(&problem);
        let (_, _, detail) = told.iter().find(|(at, ..)| *at == place).unwrap();
        assert!(detail.contains(says), "{place}: {detail}");
    }
    // A patch may contain any field, and may remove optional fields.
    let patch =
        json!({"names": null, "price_to": null, "unit": {"fr": null}, "rank": 1.5, "version": before["version"]});
    let (_, problem) = app.admin(Method::PATCH, CAMERA, Some(&patch)).await;
    assert_eq!(
        places(&problem),
        [("/names", "wrong_type"), ("/rank", "wrong_type")],
        "{problem:#}"
    );
    // Other bodies are validated in the same way, and the response does not repeat the input.
    let secret = json!({"purpose": "webhok", "value": ["hunter2"]});
    let secrets = "/admin/v1/rulebooks/default/secrets";
    let (_, problem) = app.admin(Method::POST, secrets, Some(&secret)).await;
    assert_eq!(
        places(&problem),
        [("/purpose", "not_in_list"), ("/value", "wrong_type")]
    );
    assert!(!problem.to_string().contains("hunter2"));
    let (_, problem) = app.admin(Method::POST, secrets, Some(&json!({}))).await;
    assert_eq!(places(&problem), [("/purpose", "missing_field")]);
    let both = json!({"facts": {}, "message": {"message": {"type": "x"}}});
    let (_, problem) = app
        .admin(Method::POST, "/admin/v1/rulebooks/default/evaluate", Some(&both))
        .await;
    assert_eq!(places(&problem), [("/message", "contradiction")], "{problem}");
    // A whole number may be written as `1.0`. The rejected requests above have not changed the row.
    let same = json!({"rank": 1.0, "version": before["version"]});
    assert_eq!(app.admin(Method::GET, CAMERA, None).await.1, before);
    assert_eq!(app.admin(Method::PATCH, CAMERA, Some(&same)).await.0, StatusCode::OK);
    app.stop().await;
}

async fn faults_of_changes_are_told_below_their_place(database: Database) {
    let app = TestApp::start(database).await;
    let changes = json!([
        {"resource": "services", "code": "camera_inspection", "method": "patch", "body": {"offer": 1, "colour": "red"}, "version": 1},
        {"resource": "taxes", "code": "eco", "method": "put", "body": {"rank": 1}},
        {"resource": "taxis", "code": "eco", "method": "delete"},
        {"resource": "taxes", "code": "eco", "method": "delete", "body": {"rank": 1}},
    ]);
    let (status, problem) = app.admin(Method::POST, SETS, Some(&json!({"changes": changes}))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
    let expected = [
        ("/changes/0/body/colour", "unknown_field"),
        ("/changes/0/body/offer", "wrong_type"),
        ("/changes/1/body/names", "missing_field"),
        ("/changes/1/body/rate", "missing_field"),
        ("/changes/2/resource", "not_in_list"),
        ("/changes/3/body", "too_many"),
    ];
    assert_eq!(places(&problem), expected, "{problem:#}");
    app.stop().await;
}

async fn what_is_no_strict_json_is_refused_with_its_place(database: Database) {
    let app = TestApp::start(database).await;
    for (body, place, code) in [
        (r#"{"rank": 1, "rank": 2, "version": 1}"#, "/rank", "duplicate_field"),
        (
            r#"{"names": {"fr": "a\u0000b"}, "version": 1}"#,
            "/names/fr",
            "nul_character",
        ),
        ("{\"rank\": 1,\n  rank: 2}", "", "not_json"),
        ("", "", "missing_body"),
        ("[]", "", "wrong_type"),
    ] {
        let request = app.client.patch(app.url(CAMERA)).bearer_auth(ADMIN_KEY);
        let request = request
            .header("content-type", "application/merge-patch+json")
            .body(body);
        let (status, problem) = crate::support::requests::read(request.send().await.unwrap()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {problem}");
        assert_eq!(places(&problem), [(place, code)], "{body}: {problem}");
        if code == "not_json" {
            assert!(
                problem["detail"].as_str().unwrap().contains("line 2, column 3"),
                "{problem}"
            );
        }
    }
    app.stop().await;
}

async fn fifty_faults_are_told_and_the_others_counted(database: Database) {
    let app = TestApp::start(database).await;
    let keywords: Vec<Value> = (0..73).map(Value::from).collect();
    let patch = json!({"keywords": keywords, "version": 1});
    let (_, problem) = app.admin(Method::PATCH, CAMERA, Some(&patch)).await;
    assert_eq!(faults(&problem).len(), 50, "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("73 errors") && detail.contains("23 more"), "{detail}");
    app.stop().await;
}
