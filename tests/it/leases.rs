//! Background work runs once across instances: leases, fencing tokens and takeover.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{
    Leases,
    periodic::{self, RunContext},
};
use reqwest::StatusCode;
use store::leases;
use tokio_util::sync::CancellationToken;

use crate::{
    both,
    support::{Database, TestApp, app::ADMIN_KEY},
};

both!(
    one_of_three_holds_a_lease_and_the_number_only_rises,
    whoever_was_paused_past_its_lease_writes_nothing_more,
    of_three_instances_one_does_the_work_and_another_takes_over,
    a_process_without_the_web_answers_health_and_metrics_alone,
);

const MINUTE: TimeDelta = TimeDelta::minutes(1);

fn start() -> DateTime<Utc> {
    "2026-11-24T16:00:00Z".parse().unwrap()
}

fn leases_of(server: &TestApp) -> Leases {
    Leases::new(server.app.db.clone(), server.app.clock.clone())
}

async fn one_of_three_holds_a_lease_and_the_number_only_rises(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    let others = [server.another().await, server.another().await];
    let three = [leases_of(&server), leases_of(&others[0]), leases_of(&others[1])];
    let mut last = 0;
    for round in 0..5 {
        let tries = three.iter().map(|leases| leases.try_hold("work", MINUTE));
        let held: Vec<_> = futures_util::future::join_all(tries).await;
        let mut held: Vec<_> = held.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(held.len(), 1, "round {round}");
        let held = held.remove(0);
        assert!(held.fence() > last, "round {round}");
        last = held.fence();
        // A lease of other work does not depend on this lease.
        let other = three[0].try_hold("other work", MINUTE).await.unwrap();
        if let Some(other) = other {
            other.release().await.unwrap();
        }
        if round % 2 == 0 {
            server.app.clock.step(MINUTE - TimeDelta::seconds(1));
            assert!(three[1].try_hold("work", MINUTE).await.unwrap().is_none());
            server.app.clock.step(TimeDelta::seconds(1));
        } else {
            held.release().await.unwrap();
        }
    }
    for other in others {
        other.stop().await;
    }
    server.stop().await;
}

async fn whoever_was_paused_past_its_lease_writes_nothing_more(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    let (one, two) = (leases_of(&server), leases_of(&server));
    let slow = one.try_hold("work", MINUTE).await.unwrap().unwrap();
    // The lease has expired, but nobody took it over, so its holder can still renew it.
    server.app.clock.step(TimeDelta::minutes(2));
    assert!(slow.renew(MINUTE).await.unwrap());
    assert!(two.try_hold("work", MINUTE).await.unwrap().is_none());
    server.app.clock.step(TimeDelta::minutes(2));
    let quick = two.try_hold("work", MINUTE).await.unwrap().unwrap();
    assert!(quick.fence() > slow.fence());
    // The slow instance wakes up and believes that it still has the lease.
    let tx = store::begin(&server.app.db).await.unwrap();
    assert!(!slow.lease().stands(&tx).await.unwrap());
    assert!(quick.lease().stands(&tx).await.unwrap());
    tx.rollback().await.unwrap();
    assert!(!slow.renew(MINUTE).await.unwrap());
    slow.release().await.unwrap();
    assert!(one.try_hold("work", MINUTE).await.unwrap().is_none());
    server.stop().await;
}

/// Starts an instance of the worker. Also returns a counter of its runs.
fn worker(leases: Leases, stop: &CancellationToken) -> (Arc<AtomicUsize>, tokio::task::JoinHandle<()>) {
    let count = Arc::new(AtomicUsize::new(0));
    let (counted, stop) = (count.clone(), stop.clone());
    let task = tokio::spawn(periodic::run(
        leases,
        "work",
        Duration::from_mins(10),
        stop,
        move |_: RunContext| {
            counted.fetch_add(1, Ordering::SeqCst);
            async { Ok(()) }
        },
    ));
    (count, task)
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_mins(1), waited).await;
    assert!(waited.is_ok(), "never: {what}");
}

async fn of_three_instances_one_does_the_work_and_another_takes_over(database: Database) {
    let server = TestApp::at_rest(database, start()).await;
    let clock = server.app.clock.clone();
    let stops = [(); 3].map(|()| CancellationToken::new());
    let held = leases_of(&server).try_hold("work", MINUTE).await.unwrap().unwrap();
    let workers: Vec<_> = stops.iter().map(|stop| worker(leases_of(&server), stop)).collect();
    let done = || {
        workers
            .iter()
            .map(|(count, _)| count.load(Ordering::SeqCst))
            .sum::<usize>()
    };
    assert_eq!(done(), 0, "a worker ran although somebody else has the lease");
    // The holder is killed: nobody releases the lease, and it expires.
    drop(held);
    clock.step(TimeDelta::minutes(2));
    until("taken over", || done() == 1).await;
    let first = workers
        .iter()
        .position(|(count, _)| count.load(Ordering::SeqCst) == 1)
        .unwrap();
    // After a run, the worker holds the lease until its next run, so no instance runs the work earlier.
    let next = clock.now() + TimeDelta::minutes(9);
    let kept = async || !leases::is_free(&server.app.read, "work", next).await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    while !kept().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "timed out while waiting until the worker holds its lease for the next run"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    clock.step(TimeDelta::minutes(9));
    assert!(leases_of(&server).try_hold("work", MINUTE).await.unwrap().is_none());
    assert_eq!(done(), 1);
    // The holder stops and releases the lease, so the next instance need not wait.
    stops[first].cancel();
    until("given back", || done() == 2).await;
    for stop in &stops {
        stop.cancel();
    }
    for (_, task) in workers {
        task.await.unwrap();
    }
    server.stop().await;
}

async fn a_process_without_the_web_answers_health_and_metrics_alone(database: Database) {
    let server = TestApp::builder(database).set("RINGBOOK_WEB", "false").start().await;
    assert_eq!(server.get("/health/live").await.0, StatusCode::OK);
    assert_eq!(server.get("/health/ready").await.0, StatusCode::OK);
    let (status, metrics) = server.get("/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(metrics.as_str().unwrap().contains("ringbook_pool_connections"));
    for path in ["/docs", "/openapi.json", "/admin/v1/rulebooks"] {
        // The test uses the plain client, because the OpenAPI document does not describe the responses of a process
        // without the web.
        let answer = server.client.0.get(server.url(path)).bearer_auth(ADMIN_KEY);
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        let answer: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(answer["code"], "not_found", "{path}");
    }
    let message = crate::support::messages::report("call-1", "Bonjour.");
    assert_eq!(server.post_signed(&message).await.0, StatusCode::NOT_FOUND);
    server.stop().await;
}
