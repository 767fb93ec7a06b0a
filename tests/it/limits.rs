//! Tests the middleware around every request on a running server.

use std::time::Instant;

use reqwest::StatusCode;

use crate::{
    both,
    support::{Database, TestApp},
};

both!(
    the_server_says_that_it_is_ready_and_leaves_at_once,
    an_unknown_address_is_a_problem_with_a_request_id
);

async fn the_server_says_that_it_is_ready_and_leaves_at_once(database: Database) {
    let server = TestApp::start(database).await;
    let (status, report) = server.get("/health/ready").await;
    assert_eq!(status, StatusCode::OK, "{report}");
    assert_eq!(report["checks"][0]["name"], "database");
    let (status, text) = server.get("/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        text.as_str()
            .unwrap()
            .contains("ringbook_pool_connections{pool=\"write\"}"),
        "{text}"
    );
    let server = server.restart().await;
    let stopping = Instant::now();
    server.stop().await;
    assert!(stopping.elapsed().as_secs() < 3, "{:?}", stopping.elapsed());
}

async fn an_unknown_address_is_a_problem_with_a_request_id(database: Database) {
    let server = TestApp::start(database).await;
    let request = server
        .client
        .get(server.url("/nowhere?phone=5145550101"))
        .header("x-request-id", "my-id.1");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "my-id.1");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body: serde_json::Value = response.json().await.unwrap();
    assert_eq!(
        (body["code"].as_str(), body["request_id"].as_str()),
        (Some("not_found"), Some("my-id.1"))
    );
    server.stop().await;
}
