//! Runs the real program without its database. The program is killed and started again. It also runs under load while
//! PostgreSQL is stopped.

use std::{
    cell::Cell,
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::{Response, StatusCode};
use sea_orm::{ConnectOptions, DatabaseConnection};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{
    Database,
    database::TestDatabase,
    messages::{report, status, tool_calls},
    postgres_is_tested,
    program::{Program, free_address, signed},
    proxy::{Fault, Proxy},
    tables::{having, rows},
};

const FLOOD: &str = "Mon sous-sol est inondé.";

/// The environment of the program under test.
struct World {
    database: TestDatabase,
    proxy: Proxy,
    url: String,
    folder: tempfile::TempDir,
    client: Client,
}

#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    address: SocketAddr,
}

impl Client {
    /// Waits until the response of `/health/ready` satisfies `fits`.
    async fn ready(&self, fits: impl Fn(&Value) -> bool) {
        let deadline = Instant::now() + Duration::from_mins(1);
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
            assert!(
                Instant::now() < deadline,
                "timed out while waiting until the program is ready"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn send(&self, message: &Value) -> Response {
        signed(&self.http, self.address, message).send().await.unwrap()
    }

    /// Posts a message, which must succeed. Returns the response, and whether the program responded without the
    /// database.
    async fn post(&self, message: &Value) -> (Value, bool) {
        let answer = self.send(message).await;
        assert!(answer.status().is_success(), "{}", answer.status());
        let degraded = answer.headers().contains_key("x-ringbook-degraded");
        (answer.json().await.unwrap(), degraded)
    }
}

impl World {
    async fn start() -> Self {
        let database = TestDatabase::create(Database::Postgres).await;
        let (_, rest) = database.url.split_once('@').unwrap();
        let proxy = Proxy::start(rest.split('/').next().unwrap().parse().unwrap()).await;
        // The server runs in another process, so this process must install the TLS provider itself.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        let address = free_address();
        Self {
            // If PostgreSQL itself is stopped, there is no proxy.
            url: match setting("RINGBOOK_TEST_STOP_POSTGRES") {
                Some(_) => database.url.clone(),
                None => proxy.in_url(&database.url),
            },
            database,
            proxy,
            folder: tempfile::tempdir().unwrap(),
            client: Client { http, address },
        }
    }

    fn program(&self) -> Program {
        Program::start(
            &self.url,
            self.client.address,
            self.folder.path(),
            &[("RINGBOOK_SPOOL_DIR", &self.spool())],
        )
    }

    fn spool(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    /// Waits until the snapshot of the rulebook is written beside the spool, a moment after startup.
    async fn is_known(&self) {
        let size = || {
            let files = std::fs::read_dir(self.spool()).unwrap();
            files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>()
        };
        eventually("a snapshot is there", async || size() > 60_000).await;
    }

    /// Connects to the database directly, without the proxy.
    async fn db(&self) -> DatabaseConnection {
        let mut options = ConnectOptions::new(self.database.url.clone());
        options.max_connections(1).sqlx_logging(false);
        sea_orm::Database::connect(options).await.unwrap()
    }

    async fn database_goes(&self) {
        if !shell("RINGBOOK_TEST_STOP_POSTGRES").await {
            self.proxy.set(Fault::Refuse).await;
            self.proxy.reset_all();
        }
    }

    async fn database_comes_back(&self) {
        if !shell("RINGBOOK_TEST_START_POSTGRES").await {
            self.proxy.set(Fault::None).await;
        }
    }
}

/// Runs the command that an environment variable contains. Returns whether the variable is set.
async fn shell(name: &str) -> bool {
    let Some(command) = setting(name) else { return false };
    let run = move || {
        Command::new("sh")
            .arg("-c")
            .arg(&command)
            .stdout(Stdio::null())
            .status()
    };
    assert!(
        tokio::task::spawn_blocking(run).await.unwrap().unwrap().success(),
        "{name}"
    );
    true
}

#[expect(clippy::disallowed_methods, reason = "tests read their own environment variables")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(name: &str, usual: u64) -> u64 {
    setting(name).map_or(usual, |number| number.parse().unwrap())
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while !holds().await {
        assert!(Instant::now() < deadline, "timed out while waiting until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Sends three messages of every kind, all without the database.
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
    let world = World::start().await;
    let (client, proxy) = (&world.client, &world.proxy);
    let mut program = world.program();
    client.ready(|report| report["status"] == "ready").await;
    let (_, degraded) = client.post(&status("before", "ringing", 0)).await;
    assert!(!degraded);
    world.is_known().await;
    proxy.set(Fault::Refuse).await;
    proxy.reset_all();
    let mut taken = without_database(client, "first").await;
    program.kill();
    // The program starts without its database, and knows the secrets and the prices from the snapshot.
    let mut program = world.program();
    client.ready(|report| report["status"] == "degraded").await;
    taken.extend(without_database(client, "second").await);
    program.kill();
    // The program is killed again, and the database is back before the next start.
    proxy.set(Fault::None).await;
    let mut program = world.program();
    client.ready(|report| report["status"] == "ready").await;
    let db = world.db().await;
    eventually("all is recorded", async || {
        rows(&db, "webhook_events").await.len() > taken.len()
    })
    .await;
    let events = rows(&db, "webhook_events").await;
    assert_eq!(events.len(), taken.len() + 1);
    for (call, answer) in &taken {
        assert_eq!(
            &having(&events, "call_id", call.as_str())[0]["answer"],
            answer,
            "{call}"
        );
    }
    // If the program starts without the database, it also recovers once the database is back.
    program.kill();
    proxy.set(Fault::Refuse).await;
    let mut program = world.program();
    client.ready(|report| report["status"] == "degraded").await;
    taken.extend(without_database(client, "third").await);
    proxy.set(Fault::None).await;
    client.ready(|report| report["status"] == "ready").await;
    assert!(!client.post(&status("after", "ringing", 0)).await.1);
    assert_eq!(rows(&db, "webhook_events").await.len(), taken.len() + 2);
    db.close().await.unwrap();
    program.kill();
    world.database.remove().await;
}

/// A message sent under load, and its response.
struct Answered {
    call: String,
    kind: u64,
    answer: Value,
    took: Duration,
}

/// Sends `rate` reports, quotes and status updates per second, each for its own call, until `stop`.
async fn load(client: &Client, rate: u64, stop: &Cell<bool>) -> Vec<Answered> {
    let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / rate));
    let mut sent = JoinSet::new();
    for number in 0.. {
        ticks.tick().await;
        if stop.get() {
            break;
        }
        let (client, call, kind) = (client.clone(), format!("call-{number}"), number % 3);
        let message = match kind {
            0 => report(&call, FLOOD),
            1 => tool_calls(
                &call,
                1_000,
                &[("a", "calculateQuote", json!({"serviceType": "racines"}))],
            ),
            _ => status(&call, "in-progress", 2_000),
        };
        sent.spawn(async move {
            let began = Instant::now();
            let (answer, _) = client.post(&message).await;
            Answered {
                call,
                kind,
                answer,
                took: began.elapsed(),
            }
        });
    }
    sent.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_stopped_under_load_loses_nothing() {
    if !postgres_is_tested() {
        return;
    }
    let (seconds, rate) = (number("RINGBOOK_TEST_OUTAGE_S", 3), number("RINGBOOK_TEST_RATE", 40));
    let world = World::start().await;
    let mut program = world.program();
    world.client.ready(|report| report["status"] == "ready").await;
    world.is_known().await;
    let stop = Cell::new(false);
    let outage = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.database_goes().await;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        world.database_comes_back().await;
        let back = Instant::now();
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.set(true);
        world.client.ready(|report| report["status"] == "ready").await;
        back.elapsed()
    };
    let (answered, drained) = tokio::join!(load(&world.client, rate, &stop), outage);
    let slowest = answered.iter().map(|one| one.took).max().unwrap();
    let db = world.db().await;
    let (events, decisions, texts) = (
        rows(&db, "webhook_events").await,
        rows(&db, "decisions").await,
        rows(&db, "sms_messages").await,
    );
    let spooled = events.iter().filter(|event| event["origin"] == "drained").count();
    println!(
        "{} messages answered, the slowest after {} ms; {spooled} without the database; all recorded {:.1} s after it \
         was back",
        answered.len(),
        slowest.as_millis(),
        drained.as_secs_f64()
    );
    assert!(spooled > 0);
    // All messages are recorded once, with the responses that they got.
    assert_eq!(events.len(), answered.len());
    let by_call: HashMap<&str, &Value> = events
        .iter()
        .map(|event| (event["call_id"].as_str().unwrap(), event))
        .collect();
    assert_eq!(by_call.len(), answered.len());
    let of_kind = |kind| answered.iter().filter(|one| one.kind == kind).count();
    for one in &answered {
        assert_eq!(by_call[one.call.as_str()]["answer"], one.answer, "{}", one.call);
        if one.kind == 1 {
            assert!(
                one.answer["results"][0]["result"].as_str().unwrap().contains("price"),
                "{}",
                one.call
            );
        }
    }
    assert_eq!(decisions.len(), of_kind(0) + of_kind(1));
    let (first, further): (Vec<_>, Vec<_>) = texts.iter().partition(|text| text["contact"] == "on_call");
    assert_eq!(
        first.len(),
        of_kind(0),
        "each report must cause one SMS message to the contact on call"
    );
    // If the database failed while an SMS message was being sent, the outcome is unknown. So the next contact is
    // notified.
    for text in further {
        let before = first.iter().find(|before| before["call_id"] == text["call_id"]);
        assert_eq!(before.unwrap()["state"], "dead", "{text:?}");
    }
    if setting("RINGBOOK_TEST_OUTAGE_S").is_some() {
        assert!(slowest < Duration::from_millis(2_500) && drained < Duration::from_mins(1));
    }
    db.close().await.unwrap();
    program.kill();
    world.database.remove().await;
}

/// Sends a message. Returns the status, and the header that says whether the message was accepted without the database.
async fn offered(client: &Client, message: &Value) -> (StatusCode, Option<String>) {
    let answer = client.send(message).await;
    let how = answer.headers().get("x-ringbook-degraded");
    (answer.status(), how.map(|how| how.to_str().unwrap().to_owned()))
}

/// `scripts/verify/outage.sh` creates the disk and runs this test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_loses_nothing_that_was_answered() {
    let Some(disk) = setting("RINGBOOK_TEST_SMALL_DISK") else {
        return;
    };
    for spool_elsewhere in [false, true] {
        let mut world = World::start().await;
        let folder = tempfile::tempdir_in(&disk).unwrap();
        world.url = format!("sqlite://{}/ringbook.db", folder.path().display());
        if !spool_elsewhere {
            // The program's folder must be on the small disk too, because the spool is beside the database file.
            world.folder = tempfile::tempdir_in(&disk).unwrap();
        }
        let mut program = world.program();
        world.client.ready(|report| report["status"] == "ready").await;
        world.is_known().await;
        let ballast = Path::new(&disk).join("ballast");
        let (mut kept, mut refused, mut unrecorded) = (Vec::new(), 0, 0);
        for number in 0..600 {
            if number == 100 {
                // Fills the disk.
                let mut file = std::fs::File::create(&ballast).unwrap();
                while std::io::Write::write_all(&mut file, &[0; 4_096]).is_ok() {}
            }
            if number == 400 {
                std::fs::remove_file(&ballast).unwrap();
                world.client.ready(|report| report["status"] == "ready").await;
            }
            let call = format!("call-{number}");
            let message = if number % 2 == 0 {
                report(&call, FLOOD)
            } else {
                tool_calls(
                    &call,
                    1_000,
                    &[("a", "calculateQuote", json!({"serviceType": "racines"}))],
                )
            };
            match offered(&world.client, &message).await {
                (StatusCode::OK, Some(how)) if how == "unrecorded" => unrecorded += 1,
                (StatusCode::OK, how) => {
                    assert!(
                        number < 400 || how.is_none(),
                        "a message went to the spool although the disk has space again"
                    );
                    kept.push(call);
                }
                (status, _) => {
                    assert_eq!((status, number % 2), (StatusCode::SERVICE_UNAVAILABLE, 0));
                    refused += 1;
                }
            }
        }
        world.client.ready(|report| report["status"] == "ready").await;
        let mut options = ConnectOptions::new(world.url.clone());
        options.max_connections(1).sqlx_logging(false);
        let db = sea_orm::Database::connect(options).await.unwrap();
        let events = rows(&db, "webhook_events").await;
        let drained = events.iter().filter(|event| event["origin"] == "drained").count();
        println!(
            "spool elsewhere: {spool_elsewhere}; {} kept, {drained} of them by way of the spool, {refused} refused, \
             {unrecorded} only answered",
            kept.len()
        );
        for call in &kept {
            assert_eq!(having(&events, "call_id", call.as_str()).len(), 1, "{call}");
        }
        assert!(drained + refused + unrecorded > 0, "the disk was never full");
        assert!(!spool_elsewhere || refused + unrecorded == 0);
        db.close().await.unwrap();
        program.kill();
        world.database.remove().await;
    }
}
