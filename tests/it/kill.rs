//! Kills the real program with SIGKILL. Every message that got a response is in the database.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use sea_orm::ConnectOptions;

use crate::{
    both,
    support::{
        Database,
        database::TestDatabase,
        messages::{report, tool_calls},
        program::{Program, free_address, signed},
        tables::{having, rows},
    },
};

both!(what_was_answered_outlives_a_kill);

const ROUNDS: usize = 3;
const SENDERS: usize = 6;

async fn ready(client: &reqwest::Client, address: SocketAddr) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = client.get(format!("http://{address}/health/ready")).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "timed out while waiting until the program is ready"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Posts a message. Returns whether the response was a 2xx.
async fn post(client: &reqwest::Client, address: SocketAddr, message: &serde_json::Value) -> bool {
    let request = signed(client, address, message);
    request.send().await.is_ok_and(|answer| answer.status().is_success())
}

async fn what_was_answered_outlives_a_kill(kind: Database) {
    let database = TestDatabase::create(kind).await;
    let folder = tempfile::tempdir().unwrap();
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap();
    let address = free_address();
    let mut answered = Vec::new();
    for round in 0..ROUNDS {
        let mut program = Program::start(&database.url, address, folder.path(), &[]);
        ready(&client, address).await;
        let (count, dead) = (AtomicUsize::new(0), AtomicBool::new(false));
        let senders = futures_util::future::join_all((0..SENDERS).map(async |sender| {
            let mut known = Vec::new();
            for number in 0.. {
                let call = format!("call-{round}-{sender}-{number}");
                let about = serde_json::json!({"serviceType": "racines"});
                let message = if number % 2 == 0 {
                    report(&call, "Mon sous-sol est inondé.")
                } else {
                    tool_calls(&call, 1_000, &[("a", "calculateQuote", about)])
                };
                if post(&client, address, &message).await {
                    known.push(call);
                    count.fetch_add(1, Ordering::Relaxed);
                } else {
                    assert!(dead.load(Ordering::Relaxed), "a message was rejected before the kill");
                    break;
                }
            }
            known
        }));
        let killed = async {
            while count.load(Ordering::Relaxed) < 30 + 17 * round {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            dead.store(true, Ordering::Relaxed);
            program.kill();
        };
        let (known, ()) = tokio::join!(senders, killed);
        answered.extend(known.into_iter().flatten());
    }
    assert!(answered.len() >= 30 * ROUNDS);
    let mut program = Program::start(&database.url, address, folder.path(), &[]);
    ready(&client, address).await;
    let mut options = ConnectOptions::new(database.url.clone());
    options.max_connections(1).sqlx_logging(false);
    let db = sea_orm::Database::connect(options).await.unwrap();
    let [events, calls, decisions, leads] = [
        rows(&db, "webhook_events").await,
        rows(&db, "calls").await,
        rows(&db, "decisions").await,
        rows(&db, "leads").await,
    ];
    for call in &answered {
        let found = [&events, &decisions].map(|rows| having(rows, "call_id", call.as_str()).len());
        assert_eq!(
            (found, having(&calls, "id", call.as_str()).len()),
            ([1, 1], 1),
            "{call}"
        );
    }
    // No message is stored partially: each event has its decision, and each report its lead.
    assert_eq!(events.len(), decisions.len());
    assert_eq!(having(&events, "type", "end-of-call-report").len(), leads.len());
    // A client that got no response sends its message again. If the message was already stored, the repetition has no
    // effect.
    assert!(post(&client, address, &report(&answered[0], "Mon sous-sol est inondé.")).await);
    assert_eq!(rows(&db, "webhook_events").await.len(), events.len());
    db.close().await.unwrap();
    program.kill();
    database.remove().await;
}
