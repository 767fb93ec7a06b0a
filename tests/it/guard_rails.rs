//! Guard rails: limits that only an administrator sets, and beyond which a change waits for a second person.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::{Database, TestApp};

const RAILS: &str = "/admin/v1/rulebooks/default/guard-rails";

both!(
    an_admin_sets_limits_with_the_version_that_was_read,
    limits_that_cannot_hold_are_refused
);

async fn new_key(app: &TestApp, name: &str, role: &str) -> String {
    let body = json!({"name": name, "role": role});
    let (status, made) = app.admin(Method::POST, "/admin/v1/api-keys", Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made["key"].as_str().unwrap().to_owned()
}

async fn an_admin_sets_limits_with_the_version_that_was_read(kind: Database) {
    let app = TestApp::start(kind).await;
    let (status, none) = app.admin(Method::GET, RAILS, None).await;
    assert_eq!((status, &none), (StatusCode::OK, &json!({"version": 0})));
    let rails = json!({"lowest_price": "50.00", "largest_change_percent": "12.5", "version": 0});
    let publisher = new_key(&app, "p", "publisher").await;
    let (status, _) = app.admin_with(&publisher, Method::PUT, RAILS, Some(&rails)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, set) = app.admin(Method::PUT, RAILS, Some(&rails)).await;
    assert_eq!(
        (status, &set["version"], &set["lowest_price"]),
        (StatusCode::OK, &json!(1), &json!("50.00")),
        "{set}"
    );
    assert_eq!(app.admin_with(&publisher, Method::GET, RAILS, None).await.1, set);
    for (body, expected) in [
        (json!({"version": 0}), StatusCode::PRECONDITION_FAILED),
        (json!({}), StatusCode::PRECONDITION_REQUIRED),
        (json!({"version": 1, "highest_price": "900.00"}), StatusCode::OK),
        (json!({"version": 1}), StatusCode::PRECONDITION_FAILED),
    ] {
        let (status, answer) = app.admin(Method::PUT, RAILS, Some(&body)).await;
        assert_eq!(status, expected, "{body}: {answer}");
    }
    let (_, log) = app
        .admin(Method::GET, "/admin/v1/audit-log?resource=guard-rails&sort=at", None)
        .await;
    let told: Vec<(Value, Value)> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (
                entry["before"]["lowest_price"].clone(),
                entry["after"]["lowest_price"].clone(),
            )
        })
        .collect();
    assert_eq!(told, [(Value::Null, json!("50.00")), (json!("50.00"), Value::Null)]);
    app.stop().await;
}

async fn limits_that_cannot_hold_are_refused(kind: Database) {
    let app = TestApp::start(kind).await;
    for (body, pointer) in [
        (
            json!({"lowest_price": "10.00", "highest_price": "9.99"}),
            "/lowest_price",
        ),
        (json!({"lowest_price": "-1.00"}), "/lowest_price"),
        (json!({"largest_change_percent": "-1"}), "/largest_change_percent"),
        (json!({"largest_change_percent": 10.5}), "/largest_change_percent"),
        (json!({"highest": "10.00"}), "/highest"),
    ] {
        let (status, problem) = app.admin(Method::PUT, RAILS, Some(&body)).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (StatusCode::BAD_REQUEST, &json!(pointer)),
            "{problem}"
        );
    }
    assert_eq!(app.admin(Method::GET, RAILS, None).await.1, json!({"version": 0}));
    app.stop().await;
}
