//! Clients that guess keys are rate limited. A client with a valid key is served, even from the address of a client
//! that guesses.

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::both;
use crate::support::{Database, TestApp, app::ADMIN_KEY};

both!(
    an_address_that_guesses_is_slowed_and_the_right_key_is_served,
    a_key_that_many_addresses_guess_at_is_slowed_and_its_owner_is_served,
    an_old_key_is_no_guess_and_slowing_can_be_switched_off,
);

const KEYS: &str = "/admin/v1/api-keys";

async fn server(database: Database, limited: &str) -> TestApp {
    TestApp::builder(database)
        .at("2026-05-04T12:00:00Z".parse().unwrap())
        .set("RINGBOOK_WORKERS", "none")
        .set("RINGBOOK_TRUSTED_PROXIES", "127.0.0.0/8")
        .set("RATE_LIMIT_ENABLED", limited)
        .start()
        .await
}

/// Sends a request, and returns the status and `Retry-After`.
async fn from(app: &TestApp, address: &str, key: &str) -> (StatusCode, Option<u64>) {
    let request = app
        .client
        .get(app.url(KEYS))
        .bearer_auth(key)
        .header("x-forwarded-for", address);
    let response = request.send().await.unwrap();
    let wait = response
        .headers()
        .get("retry-after")
        .map(|wait| wait.to_str().unwrap().parse().unwrap());
    (response.status(), wait)
}

/// Builds a well-formed key with the same prefix and another secret.
fn guess(key: &str, number: usize) -> String {
    let beginning = key.rsplit_once('_').unwrap().0;
    format!("{beginning}_{number:064x}")
}

async fn an_address_that_guesses_is_slowed_and_the_right_key_is_served(database: Database) {
    let app = server(database, "true").await;
    let mut statuses = Vec::new();
    for number in 0..25 {
        let wrong = format!("rb_{number:012x}_{number:064x}");
        statuses.push(from(&app, "203.0.113.1", &wrong).await.0);
    }
    let (refused, slowed) = statuses.split_at(20);
    assert!(
        refused.iter().all(|status| *status == StatusCode::UNAUTHORIZED),
        "{statuses:?}"
    );
    assert!(
        slowed.iter().all(|status| *status == StatusCode::TOO_MANY_REQUESTS),
        "{statuses:?}"
    );
    // A client with a valid key is served, even from the address of the client that guesses keys.
    assert_eq!(from(&app, "203.0.113.1", ADMIN_KEY).await, (StatusCode::OK, None));
    assert_eq!(
        from(&app, "203.0.113.1", "nonsense").await,
        (StatusCode::TOO_MANY_REQUESTS, Some(7))
    );
    assert_eq!(from(&app, "203.0.113.2", "nonsense").await.0, StatusCode::UNAUTHORIZED);
    app.app.clock.step(TimeDelta::seconds(6));
    assert_eq!(from(&app, "203.0.113.1", "nonsense").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(
        from(&app, "203.0.113.1", "nonsense").await.0,
        StatusCode::TOO_MANY_REQUESTS
    );
    app.stop().await;
}

async fn a_key_that_many_addresses_guess_at_is_slowed_and_its_owner_is_served(database: Database) {
    let app = server(database, "true").await;
    let (_, made) = app
        .admin(Method::POST, KEYS, Some(&json!({"name": "a", "role": "admin"})))
        .await;
    let key = made["key"].as_str().unwrap();
    let mut looked_at = 0;
    for address in 0..80 {
        for number in 0..5 {
            let (status, _) = from(&app, &format!("198.51.100.{address}"), &guess(key, number)).await;
            looked_at += usize::from(status == StatusCode::UNAUTHORIZED);
        }
    }
    // The limit allows a burst of fifty wrong keys, and then one wrong key for each new address.
    assert_eq!(looked_at, 50 + 70);
    assert_eq!(from(&app, "203.0.113.9", key).await, (StatusCode::OK, None));
    assert_eq!(from(&app, "198.51.100.3", ADMIN_KEY).await.0, StatusCode::OK);
    assert_eq!(from(&app, "198.51.100.3", key).await.0, StatusCode::OK);
    app.stop().await;
}

async fn an_old_key_is_no_guess_and_slowing_can_be_switched_off(database: Database) {
    let app = server(database, "true").await;
    let old = json!({"name": "a", "role": "admin", "expires_at": "2026-05-04T12:30:00Z"});
    let (_, made) = app.admin(Method::POST, KEYS, Some(&old)).await;
    app.app.clock.step(TimeDelta::hours(1));
    for _ in 0..30 {
        let (status, _) = from(&app, "203.0.113.1", made["key"].as_str().unwrap()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(from(&app, "203.0.113.1", ADMIN_KEY).await.0, StatusCode::OK);
    app.stop().await;
    let app = server(database, "false").await;
    for number in 0..60 {
        let wrong = format!("rb_0123456789ab_{number:064x}");
        assert_eq!(from(&app, "203.0.113.1", &wrong).await.0, StatusCode::UNAUTHORIZED);
    }
    app.stop().await;
}
