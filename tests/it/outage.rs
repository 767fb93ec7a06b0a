//! The real program, killed and started again while its database is away.

use std::{
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use ringbook::clock::Clock;
use sea_orm::ConnectOptions;
use serde_json::{Value, json};

use crate::support::{
    Database,
    app::VAPI_SECRET,
    database::TestDatabase,
    messages::{report, status, tool_calls},
    postgres_is_tested,
    proxy::{Fault, Proxy},
    requests::sign,
    tables::{having, rows},
};

const FLOOD: &str = "Mon sous-sol est inondé.";

/// The program, which does not outlive the test.
struct Program(Child);

impl Program {
    fn start(url: &str, address: SocketAddr, folder: &std::path::Path) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_ringbook"))
            .arg("serve")
            .env_clear()
            .env("DATABASE_URL", url)
            .env("RINGBOOK_LISTEN", address.to_string())
            .env("RINGBOOK_VAPI_SECRET", VAPI_SECRET)
            .env("RINGBOOK_SECRET_KEY", "01".repeat(32))
            .env("RATE_LIMIT_ENABLED", "false")
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// SIGKILL: nothing is finished, nothing is closed.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Client {
    http: reqwest::Client,
    address: SocketAddr,
}

impl Client {
    /// What `/health/ready` says, once it says anything that `fits`.
    async fn ready(&self, fits: impl Fn(&Value) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let answer = self
                .http
                .get(format!("http://{}/health/ready", self.address))
                .send()
                .await;
            if let Ok(answer) = answer
                && answer.status().is_success()
                && let Ok(report) = answer.json::<Value>().await
                && fits(&report)
            {
                return;
            }
            assert!(Instant::now() < deadline, "the program is never ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Posts a message, which must be answered 200; the answer, and whether it was given without the database.
    async fn post(&self, message: &Value) -> (Value, bool) {
        let body = serde_json::to_vec(message).unwrap();
        let timestamp = Clock::system().now().timestamp().to_string();
        let request = self
            .http
            .post(format!("http://{}/webhooks/vapi", self.address))
            .header("x-signature", sign(VAPI_SECRET, &timestamp, &body))
            .header("x-timestamp", timestamp)
            .body(body);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        let degraded = answer.headers().contains_key("x-ringbook-degraded");
        (answer.json().await.unwrap(), degraded)
    }
}

/// Takes in three messages of every kind, all without the database.
async fn without_database(client: &Client, round: &str) -> Vec<(String, Value)> {
    let mut taken = Vec::new();
    for number in 0..3 {
        let about = json!({"serviceType": "racines"});
        let quote = format!("{round}-quote-{number}");
        let messages = [
            (
                format!("{round}-report-{number}"),
                report(&format!("{round}-report-{number}"), FLOOD),
            ),
            (
                quote.clone(),
                tool_calls(&quote, 1_000, &[("a", "calculateQuote", about)]),
            ),
            (
                format!("{round}-status-{number}"),
                status(&format!("{round}-status-{number}"), "ringing", 0),
            ),
        ];
        for (call, message) in messages {
            let (answer, degraded) = client.post(&message).await;
            assert!(degraded, "{call}");
            if call == quote {
                assert!(
                    answer["results"][0]["result"].as_str().unwrap().contains("price"),
                    "{answer}"
                );
            }
            taken.push((call, answer));
        }
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_without_the_database_outlives_a_kill() {
    if !postgres_is_tested() {
        return;
    }
    let database = TestDatabase::create(Database::Postgres).await;
    let (_, rest) = database.url.split_once('@').unwrap();
    let proxy = Proxy::start(rest.split('/').next().unwrap().parse().unwrap()).await;
    let url = proxy.in_url(&database.url);
    let folder = tempfile::tempdir().unwrap();
    // The server under test is another process: nobody did this in ours.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client {
        http: reqwest::Client::builder()
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap(),
        // A port that was free a moment ago; the program must get the same one after the kill.
        address: TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap(),
    };
    let mut program = Program::start(&url, client.address, folder.path());
    client.ready(|report| report["status"] == "ready").await;
    let (_, degraded) = client.post(&status("before", "ringing", 0)).await;
    assert!(!degraded);
    // What is known of the rulebook stands beside the spool a moment after the start.
    let snapshot = folder.path().join("ringbook-spool");
    let size = || {
        let files = std::fs::read_dir(&snapshot).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while size() < 60_000 {
        assert!(Instant::now() < deadline, "there is no snapshot");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    proxy.set(Fault::Refuse).await;
    proxy.reset_all();
    let mut taken = without_database(&client, "first").await;
    program.kill();
    // Started without its database, it knows who may speak and what things cost.
    let mut program = Program::start(&url, client.address, folder.path());
    client.ready(|report| report["status"] == "degraded").await;
    taken.extend(without_database(&client, "second").await);
    program.kill();
    // Killed again, and the database back before it starts.
    proxy.set(Fault::None).await;
    let mut program = Program::start(&url, client.address, folder.path());
    client.ready(|report| report["status"] == "ready").await;
    let mut options = ConnectOptions::new(database.url.clone());
    options.max_connections(1).sqlx_logging(false);
    let db = sea_orm::Database::connect(options).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while rows(&db, "webhook_events").await.len() <= taken.len() {
        assert!(Instant::now() < deadline, "not all was recorded");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let events = rows(&db, "webhook_events").await;
    assert_eq!(events.len(), taken.len() + 1);
    for (call, answer) in &taken {
        assert_eq!(
            &having(&events, "call_id", call.as_str())[0]["answer"],
            answer,
            "{call}"
        );
    }
    // A start without the database ends well too, once it is back.
    program.kill();
    proxy.set(Fault::Refuse).await;
    let mut program = Program::start(&url, client.address, folder.path());
    client.ready(|report| report["status"] == "degraded").await;
    taken.extend(without_database(&client, "third").await);
    proxy.set(Fault::None).await;
    client.ready(|report| report["status"] == "ready").await;
    assert!(!client.post(&status("after", "ringing", 0)).await.1);
    assert_eq!(rows(&db, "webhook_events").await.len(), taken.len() + 2);
    db.close().await.unwrap();
    program.kill();
    database.remove().await;
}
