//! The event stream of a rulebook reports changes within a second. It reports nothing about other rulebooks.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::both;
use crate::support::messages::report;
use crate::support::{Database, TestApp, app::ADMIN_KEY};

both!(who_watches_hears_of_each_change, a_stream_ends_with_its_key);

const EVENTS: &str = "/admin/v1/rulebooks/default/events";
const FLOOD: &str = "Mon sous-sol est inondé, des racines dans le drain.";

/// An event stream that a client reads.
struct Stream(reqwest::Response);

impl Stream {
    async fn open(app: &TestApp, key: &str) -> Self {
        let response = app.client.get(app.url(EVENTS)).bearer_auth(key).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(
            response.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/event-stream")
        );
        Self(response)
    }

    /// Reads the next event and returns its changes; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Value> {
        let mut text = String::new();
        while !text.ends_with("\n\n") {
            let piece = timeout(Duration::from_secs(10), self.0.chunk())
                .await
                .expect("timed out while waiting for an event");
            text.push_str(std::str::from_utf8(&piece.ok()??).unwrap());
            if text.starts_with(':') && text.ends_with("\n\n") {
                text.clear();
            }
        }
        assert!(text.contains("event: changed"), "{text}");
        let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        Some(serde_json::from_str::<Value>(data).unwrap()["changed"].clone())
    }

    /// Reads events until one of them names this change. One event may name several changes.
    async fn until(&mut self, kind: &str) {
        loop {
            let changed = self.next().await.expect("the stream ended before the change");
            if changed.as_array().unwrap().iter().any(|one| one == kind) {
                return;
            }
        }
    }
}

async fn who_watches_hears_of_each_change(database: Database) {
    let app = TestApp::start(database).await;
    let mut stream = Stream::open(&app, ADMIN_KEY).await;
    assert_eq!(
        stream.next().await,
        Some(json!([])),
        "the first event of a stream is not empty"
    );
    app.take(&report("call-1", FLOOD)).await;
    stream.until("leads").await;
    let (_, leads) = app.admin(Method::GET, "/admin/v1/rulebooks/default/leads", None).await;
    let take = format!(
        "/admin/v1/rulebooks/default/leads/{}/acknowledge",
        leads["items"][0]["id"].as_str().unwrap()
    );
    let (status, taken) = app.admin(Method::POST, &take, Some(&json!({}))).await;
    assert_eq!(status, StatusCode::OK, "{taken}");
    stream.until("leads").await;
    let at = "/admin/v1/rulebooks/default/services/camera_inspection";
    let (_, row) = app.admin(Method::GET, at, None).await;
    let change = json!({"version": row["version"], "price_from": "401.00", "price_to": "401.00"});
    let (status, changed) = app.admin(Method::PATCH, at, Some(&change)).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    stream.until("rules").await;
    app.stop().await;
}

async fn a_stream_ends_with_its_key(database: Database) {
    let app = TestApp::start(database).await;
    let made = json!({"name": "Watcher", "role": "viewer"});
    let (text, id) = crate::support::browser::key(&app, made).await;
    let mut stream = Stream::open(&app, &text).await;
    assert_eq!(stream.next().await, Some(json!([])));
    let gone = format!("/admin/v1/api-keys/{id}");
    assert_eq!(app.admin(Method::DELETE, &gone, None).await.0, StatusCode::NO_CONTENT);
    app.take(&report("call-1", FLOOD)).await;
    // At most one event could still be sent when the key was revoked.
    for _ in 0..2 {
        if stream.next().await.is_none() {
            app.stop().await;
            return;
        }
    }
    panic!("the stream did not end after its key was revoked");
}
