//! The read replica is lost in several ways. Reads then come from the primary.

use std::time::{Duration, Instant};

use base::clock::Clock;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    Database, TestApp,
    database::TestDatabase,
    messages::report,
    postgres_is_tested,
    proxy::{Fault, Proxy},
};

const CALLS: &str = "/admin/v1/rulebooks/default/calls";
const PROFILE: &str = "/admin/v1/rulebooks/default/profile";

/// Returns the number of calls in the list. The replica never receives any data, so it has no calls.
async fn calls(server: &TestApp) -> usize {
    let (status, calls) = server.admin(Method::GET, CALLS, None).await;
    assert_eq!(status, StatusCode::OK, "{calls}");
    calls["items"].as_array().unwrap().len()
}

async fn ready(server: &TestApp, wanted: &str) -> Value {
    let began = Instant::now();
    loop {
        let (status, health) = server.get("/health/ready").await;
        assert_eq!(status, StatusCode::OK, "{health}");
        if health["status"] == wanted {
            return health;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{health}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Only PostgreSQL has replicas.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_read_from_the_primary_while_the_replica_is_lost_and_after_their_own_edit() {
    if !postgres_is_tested() {
        return;
    }
    let replica = TestDatabase::create(Database::Postgres).await;
    let (_, rest) = replica.url.split_once('@').unwrap();
    let proxy = Proxy::start(rest.split('/').next().unwrap().parse().unwrap()).await;
    let env = [
        ("DATABASE_READ_URL", proxy.in_url(&replica.url)),
        ("RINGBOOK_WORKERS", "none".to_owned()),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value)).into();
    let database = TestDatabase::create(Database::Postgres).await;
    let server = TestApp::start_on(database, Clock::system(), env).await;
    server.take(&report("call-1", "Mon sous-sol est inondé.")).await;
    for fault in [Fault::Refuse, Fault::ResetNew, Fault::BlackHole] {
        ready(&server, "ready").await;
        assert_eq!(
            calls(&server).await,
            0,
            "{fault:?}: the list does not come from the replica"
        );
        proxy.set(fault).await;
        if fault != Fault::BlackHole {
            proxy.reset_all();
        }
        // This is the first read after the replica is lost. Nothing has detected the loss yet.
        let began = Instant::now();
        assert_eq!(calls(&server).await, 1, "{fault:?}");
        assert!(
            began.elapsed() < Duration::from_secs(6),
            "{fault:?}: {:?}",
            began.elapsed()
        );
        let health = ready(&server, "degraded").await;
        let checks = health["checks"].as_array().unwrap();
        let told = checks.iter().find(|check| check["name"] == "replica").unwrap();
        assert_eq!(told["ok"], false, "{health}");
        assert_eq!(calls(&server).await, 1, "{fault:?}");
        proxy.set(Fault::None).await;
        proxy.reset_all();
    }
    ready(&server, "ready").await;
    assert_eq!(calls(&server).await, 0);
    // A client can read its own edit immediately.
    let named = json!({"code": "default", "name": "Pomp Plumbing", "archived": false, "version": 1});
    let (status, answer) = server.admin(Method::PUT, PROFILE, Some(&named)).await;
    assert!(status.is_success(), "{answer}");
    assert_eq!(calls(&server).await, 1);
    server.stop().await;
    replica.remove().await;
}
