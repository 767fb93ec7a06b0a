//! Database outages: every message still gets a response, and is later recorded once with that response.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use base::clock::Clock;
use chrono::TimeDelta;
use futures_util::{StreamExt as _, stream};
use reqwest::{Response, StatusCode};
use sea_orm::{ConnectOptions, ConnectionTrait as _, DatabaseConnection};
use serde_json::{Value, json};

use crate::{
    both,
    support::{
        Database, TestApp,
        app::VAPI_SECRET,
        database::TestDatabase,
        messages::{report, status, tool_calls},
        postgres_is_tested,
        proxy::{Fault, Proxy},
        requests::{read, sign},
        tables::{having, rows, yes},
    },
};

both!(
    what_is_answered_without_the_database_is_what_is_recorded,
    what_waits_for_too_long_texts_nobody,
    a_spool_without_room_refuses_what_can_be_sent_again,
    what_cannot_be_recorded_holds_up_nothing_else,
);

const FLOOD: &str = "Mon sous-sol est inondé.";

/// A server whose database can be made unavailable.
struct World {
    server: Box<TestApp>,
    /// A direct connection to the database.
    db: DatabaseConnection,
    away: Away,
}

/// The method that makes a database unavailable.
enum Away {
    /// A proxy in front of PostgreSQL.
    Proxy(Proxy),
    /// A connection that holds SQLite's write lock.
    Lock(DatabaseConnection),
}

impl World {
    async fn start(kind: Database, clock: Clock, set: &[(&str, &str)]) -> Self {
        let database = TestDatabase::create(kind).await;
        let mut env: Vec<(String, String)> = set
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        env.push(("RATE_LIMIT_ENABLED".to_owned(), "false".to_owned()));
        env.push(("RINGBOOK_WORKERS".to_owned(), "none".to_owned()));
        let proxy = match kind {
            Database::Sqlite => None,
            Database::Postgres => {
                let proxy = Proxy::start(server_of(&database.url)).await;
                env.push(("DATABASE_URL".to_owned(), proxy.in_url(&database.url)));
                Some(proxy)
            }
        };
        let server = Box::new(TestApp::start_on(database, clock, env).await);
        // Connect after the server has started, because the server creates the SQLite file.
        let db = connect(server.database_url()).await;
        let away = match proxy {
            Some(proxy) => Away::Proxy(proxy),
            None => Away::Lock(connect(server.database_url()).await),
        };
        Self { server, db, away }
    }

    /// Makes the database unavailable: new connections are refused, and open ones are closed.
    async fn goes(&self) {
        match &self.away {
            Away::Proxy(proxy) => {
                proxy.set(Fault::Refuse).await;
                proxy.reset_all();
            }
            Away::Lock(db) => {
                db.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
            }
        }
    }

    async fn comes_back(&self) {
        match &self.away {
            Away::Proxy(proxy) => proxy.set(Fault::None).await,
            Away::Lock(db) => {
                db.execute_unprepared("COMMIT").await.unwrap();
            }
        }
    }

    /// Waits until the spool is empty.
    async fn drained(&self) {
        eventually("the spool is drained", async || {
            self.server.app.recorder.fallback.spool.state().waiting == 0
        })
        .await;
    }

    async fn rows(&self, table: &str) -> Vec<Value> {
        rows(&self.db, table).await
    }

    async fn end(self) {
        self.db.close().await.unwrap();
        if let Away::Lock(db) = self.away {
            db.close().await.unwrap();
        }
        Box::pin(self.server.stop()).await;
    }
}

/// A message of a campaign, and its response.
struct Sent {
    message: Value,
    answer: Value,
    degraded: Option<String>,
}

/// Builds the message with this number: reports, quotes and status updates in turn, each for a different call.
fn mixed(number: usize) -> Value {
    let call = format!("call-{number}");
    match number % 3 {
        0 => report(&call, FLOOD),
        1 => tool_calls(
            &call,
            1_000,
            &[("a", "calculateQuote", json!({"serviceType": "racines"}))],
        ),
        _ => status(&call, "in-progress", 2_000),
    }
}

fn is_quote(message: &Value) -> bool {
    message["message"]["type"] == "tool-calls"
}

/// Sends a message, which must get a 200. The response to a quote must have a price.
async fn send(server: &TestApp, message: Value) -> Sent {
    let body = serde_json::to_vec(&message).unwrap();
    let response = server.send_signed("/webhooks/vapi", VAPI_SECRET, &body).await;
    let degraded = degraded(&response);
    let (status, answer) = read(response).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    if is_quote(&message) {
        assert!(
            answer["results"][0]["result"].as_str().unwrap().contains("price"),
            "{answer}"
        );
    }
    Sent {
        message,
        answer,
        degraded,
    }
}

fn degraded(response: &Response) -> Option<String> {
    let how = response.headers().get("x-ringbook-degraded")?;
    Some(how.to_str().unwrap().to_owned())
}

/// Sends messages. At most `at_once` messages are sent concurrently.
async fn send_all(server: &TestApp, messages: impl Iterator<Item = Value>, at_once: usize) -> Vec<Sent> {
    let sent = stream::iter(messages).map(|message| send(server, message));
    sent.buffer_unordered(at_once).collect().await
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds().await {
        assert!(Instant::now() < deadline, "timed out while waiting until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url.to_owned());
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await.unwrap()
}

/// Returns the socket address of the server in a PostgreSQL URL.
pub fn server_of(url: &str) -> std::net::SocketAddr {
    let (_, rest) = url.split_once('@').unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}

/// Checks that each message is stored once with its response, whether or not it was spooled.
async fn are_recorded_once(db: &DatabaseConnection, sent: &[Sent]) {
    let (events, decisions) = (rows(db, "webhook_events").await, rows(db, "decisions").await);
    for one in sent {
        let call = one.message["message"]["call"]["id"].as_str().unwrap();
        let event = having(&events, "call_id", call);
        assert_eq!(event.len(), 1, "{call}");
        assert_eq!(event[0]["answer"], one.answer, "{call}");
        let spooled = one.degraded.is_some();
        assert_eq!(event[0]["origin"] == "drained", spooled, "{call}");
        let decisions = having(&decisions, "call_id", call);
        let decides = one.message["message"]["type"] != "status-update";
        assert_eq!(decisions.len(), usize::from(decides), "{call}");
        assert!(
            // A spooled message is decided without scripts. Other messages may be degraded for other reasons.
            decisions.iter().all(|decision| !spooled || yes(&decision["degraded"])),
            "{call}"
        );
    }
}

async fn what_is_answered_without_the_database_is_what_is_recorded(kind: Database) {
    let world = World::start(kind, Clock::system(), &[]).await;
    let mut sent = send_all(&world.server, (0..6).map(mixed), 1).await;
    assert!(sent.iter().all(|one| one.degraded.is_none()));
    // During the outage, responses use the price that was published just before.
    world.goes().await;
    let away = send_all(&world.server, (6..66).map(mixed), 24).await;
    assert!(away.iter().all(|one| one.degraded.as_deref() == Some("spooled")));
    // A duplicate gets the same response and is not spooled again.
    let again = send_all(&world.server, (6..9).map(mixed), 3).await;
    for one in &again {
        let first = away.iter().find(|first| first.message == one.message).unwrap();
        assert_eq!(one.answer, first.answer);
    }
    let (status, health) = world.server.get("/health/ready").await;
    assert_eq!(
        (status, &health["status"]),
        (StatusCode::OK, &json!("degraded")),
        "{health}"
    );
    assert_eq!(world.server.app.recorder.fallback.spool.state().waiting, 60);
    sent.extend(away);
    world.comes_back().await;
    // New messages do not wait for the drain. If the spool contains messages of the same call, a new message first
    // drains the messages of this call.
    let report = report("call-7", FLOOD);
    assert_eq!(world.server.post_signed(&report).await.0, StatusCode::OK);
    world.drained().await;
    let call = having(&world.rows("leads").await, "call_id", "call-7");
    let quotes = world.rows("decisions").await;
    let quote = having(&having(&quotes, "call_id", "call-7"), "purpose", "quote");
    assert_eq!(
        call[0]["quote_decision_id"], quote[0]["id"],
        "the lead must have the price of the spoken quote"
    );
    let sent: Vec<_> = sent.into_iter().filter(|one| one.message != mixed(7)).collect();
    are_recorded_once(&world.db, &sent).await;
    assert_eq!(world.rows("sms_messages").await.len(), world.rows("leads").await.len());
    eventually("the notice is resolved", async || {
        let notices = having(&world.rows("notices").await, "code", "spool_in_use");
        notices.len() == 1 && !notices[0]["resolved_at"].is_null()
    })
    .await;
    eventually("it is ready again", async || {
        world.server.get("/health/ready").await.1["status"] == "ready"
    })
    .await;
    world.end().await;
}

async fn what_waits_for_too_long_texts_nobody(kind: Database) {
    let world = World::start(kind, Clock::fixed("2026-11-24T15:05:00Z".parse().unwrap()), &[]).await;
    send(&world.server, status("first", "in-progress", 0)).await;
    world.goes().await;
    send(&world.server, report("early", FLOOD)).await;
    let minutes = |minutes| world.server.app.clock.step(TimeDelta::minutes(minutes));
    minutes(20);
    send(&world.server, report("soon enough", FLOOD)).await;
    minutes(11);
    world.comes_back().await;
    world.drained().await;
    let texts = world.rows("sms_messages").await;
    assert!(having(&texts, "call_id", "early").is_empty());
    assert!(!having(&texts, "call_id", "soon enough").is_empty());
    let leads = world.rows("leads").await;
    let late = |call| yes(&having(&leads, "call_id", call)[0]["late"]);
    assert_eq!((late("early"), late("soon enough")), (true, false));
    world.end().await;
}

/// Another instance drains the spool of a dead instance, in addition to its own spool.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_instance_left_behind_is_recorded_too() {
    if !postgres_is_tested() {
        return;
    }
    let world = World::start(Database::Postgres, Clock::system(), &[]).await;
    let other = world.server.another().await;
    for server in [&world.server, &other] {
        assert!(send(server, status("first", "in-progress", 0)).await.degraded.is_none());
    }
    world.goes().await;
    let left = send(&other, report("left", FLOOD)).await;
    assert_eq!(left.degraded.as_deref(), Some("spooled"));
    Box::pin(other.stop()).await;
    world.comes_back().await;
    eventually("the messages of the dead instance are recorded", async || {
        !having(&world.rows("webhook_events").await, "call_id", "left").is_empty()
    })
    .await;
    world.goes().await;
    let own = send(&world.server, report("own", FLOOD)).await;
    assert_eq!(own.degraded.as_deref(), Some("spooled"));
    world.comes_back().await;
    world.drained().await;
    are_recorded_once(&world.db, &[left, own]).await;
    world.end().await;
}

async fn a_spool_without_room_refuses_what_can_be_sent_again(kind: Database) {
    let world = World::start(kind, Clock::system(), &[("RINGBOOK_SPOOL_SIZE_MB", "1")]).await;
    send(&world.server, status("first", "in-progress", 0)).await;
    world.goes().await;
    let said = "inondé ".repeat(20_000);
    let (mut kept, mut refused) = (Vec::new(), 0);
    for number in 0..12 {
        let message = report(&format!("large-{number}"), &said);
        let body = serde_json::to_vec(&message).unwrap();
        let response = world.server.send_signed("/webhooks/vapi", VAPI_SECRET, &body).await;
        if response.status() == StatusCode::OK {
            assert_eq!(degraded(&response).as_deref(), Some("spooled"));
            kept.push(format!("large-{number}"));
        } else {
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(response.headers().contains_key("retry-after"));
            refused += 1;
        }
    }
    assert!(
        !kept.is_empty() && refused > 0,
        "{} kept, {refused} refused",
        kept.len()
    );
    // This message does not fit into the remaining space of the spool, but its caller waits for a response.
    let about = json!({"serviceType": "racines", "problemDescription": said});
    let asked = [
        ("a", "calculateQuote", about.clone()),
        ("b", "sendSMSAlert", about.clone()),
        ("c", "bookAppointment", about),
    ];
    let quote = send(&world.server, tool_calls("asked", 1_000, &asked)).await;
    assert_eq!(quote.degraded.as_deref(), Some("unrecorded"));
    // The response has the right price. It does not promise an SMS message or a booking, because nothing is stored.
    let told = |index: usize| -> Value {
        let text = quote.answer["results"][index]["result"].as_str();
        serde_json::from_str(text.unwrap_or_else(|| panic!("{}", quote.answer))).unwrap()
    };
    let (alert, booking) = (told(1), told(2));
    assert_eq!(alert["alerted"], json!([]));
    assert_eq!(booking["requested"], json!(false));
    for told in [&alert, &booking] {
        let say = told["say"].as_str().unwrap();
        assert!(say.starts_with("Je ne peux pas") && say.contains("rappeler"), "{say}");
    }
    world.comes_back().await;
    world.drained().await;
    let events = world.rows("webhook_events").await;
    for call in &kept {
        assert_eq!(having(&events, "call_id", call.as_str()).len(), 1, "{call}");
    }
    eventually("somebody is told", async || {
        let notices = having(&world.rows("notices").await, "code", "spool_refused");
        notices.len() == 1
            && notices[0]["text"]
                .as_str()
                .unwrap()
                .contains(&format!("{} messages were not recorded", refused + 1))
    })
    .await;
    eventually("the server records messages as before", async || {
        let number = Clock::system().new_id();
        send(&world.server, status(&number.to_string(), "in-progress", 0))
            .await
            .degraded
            .is_none()
    })
    .await;
    world.end().await;
}

async fn what_cannot_be_recorded_holds_up_nothing_else(kind: Database) {
    let world = World::start(kind, Clock::system(), &[]).await;
    send(&world.server, status("first", "in-progress", 0)).await;
    let trigger = match kind {
        Database::Sqlite => {
            "CREATE TRIGGER broken BEFORE INSERT ON webhook_events WHEN NEW.call_id = 'poison' \
             BEGIN SELECT RAISE(ABORT, 'broken on purpose'); END"
        }
        Database::Postgres => {
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.call_id = 'poison' THEN RAISE EXCEPTION 'broken on purpose'; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER broken BEFORE INSERT ON webhook_events FOR EACH ROW EXECUTE FUNCTION broken()"
        }
    };
    world.db.execute_unprepared(trigger).await.unwrap();
    // The database is available, but it rejects this message.
    let poison = send(&world.server, report("poison", FLOOD)).await;
    assert_eq!(poison.degraded.as_deref(), Some("spooled"));
    world.goes().await;
    send_all(&world.server, (0..6).map(mixed), 6).await;
    world.comes_back().await;
    eventually("all other messages are recorded", async || {
        world.server.app.recorder.fallback.spool.state().waiting == 1
    })
    .await;
    assert_eq!(world.rows("webhook_events").await.len(), 7);
    // Once the cause is fixed, the rejected message is recorded too.
    let mend = match kind {
        Database::Sqlite => "DROP TRIGGER broken",
        Database::Postgres => "DROP TRIGGER broken ON webhook_events",
    };
    world.db.execute_unprepared(mend).await.unwrap();
    world.drained().await;
    are_recorded_once(&world.db, &[poison]).await;
    world.end().await;
}

/// Starts a server on PostgreSQL, because only PostgreSQL has row locks, a connection limit and a network that can be
/// slow. Returns `None` if there is no PostgreSQL server for the tests.
async fn on_postgres() -> Option<World> {
    if !postgres_is_tested() {
        return None;
    }
    Some(World::start(Database::Postgres, Clock::system(), &[]).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_hangs_messages_are_answered() {
    let Some(world) = on_postgres().await else { return };
    let Away::Proxy(proxy) = &world.away else { return };
    let mut sent = send_all(&world.server, (0..3).map(mixed), 3).await;
    // A client locks the row of one call: only messages of this call go to the spool.
    let holder = connect(world.server.database_url()).await;
    holder.execute_unprepared("BEGIN").await.unwrap();
    holder
        .execute_unprepared("SELECT 1 FROM calls WHERE id = 'call-0' FOR UPDATE")
        .await
        .unwrap();
    let held = send(&world.server, status("call-0", "ended", 80_000)).await;
    assert_eq!(held.degraded.as_deref(), Some("spooled"));
    sent.extend(send_all(&world.server, (3..6).map(mixed), 3).await);
    holder.execute_unprepared("COMMIT").await.unwrap();
    world.drained().await;
    // A client locks a table: every connection hangs, and more messages arrive than there are connections.
    holder.execute_unprepared("BEGIN").await.unwrap();
    holder
        .execute_unprepared("LOCK TABLE webhook_events IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    sent.extend(send_all(&world.server, (6..126).map(mixed), 120).await);
    holder.execute_unprepared("COMMIT").await.unwrap();
    // The database is so slow that the deadline passes during the transaction. The transaction must not commit, because
    // the fallback has already responded.
    world.drained().await;
    proxy.set(Fault::Slow(Duration::from_millis(200))).await;
    let slow = send(&world.server, report("slow", FLOOD)).await;
    assert_eq!(slow.degraded.as_deref(), Some("spooled"));
    proxy.set(Fault::None).await;
    world.drained().await;
    assert_eq!(
        having(&world.rows("webhook_events").await, "call_id", "slow")[0]["origin"],
        "drained"
    );
    // The network transfers no more bytes, but no connection breaks.
    proxy.set(Fault::BlackHole).await;
    sent.extend(send_all(&world.server, (126..186).map(mixed), 60).await);
    proxy.set(Fault::None).await;
    world.drained().await;
    // Every message is recorded once with its response, even if a commit was in progress at the deadline.
    are_recorded_once_with_their_answers(&world.db, &sent).await;
    holder.close().await.unwrap();
    world.end().await;
}

/// Checks that each message is stored once with its response. It allows transactions with an unknown outcome, unlike
/// [`are_recorded_once`].
async fn are_recorded_once_with_their_answers(db: &DatabaseConnection, sent: &[Sent]) {
    let events = rows(db, "webhook_events").await;
    for one in sent {
        let (call, kind) = (&one.message["message"]["call"]["id"], &one.message["message"]["type"]);
        let event = having(&having(&events, "call_id", call.clone()), "type", kind.clone());
        let event: Vec<_> = event
            .iter()
            .filter(|event| {
                event["business_key"]
                    .as_str()
                    .is_some_and(|key| !key.ends_with("ended"))
            })
            .collect();
        assert_eq!(event.len(), 1, "{call}");
        assert_eq!(event[0]["answer"], one.answer, "{call}");
    }
}

/// Reads a count for the long version from the environment.
#[expect(clippy::disallowed_methods, reason = "tests read their own environment variables")]
fn count(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |count| count.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_hang_up_leave_no_connection_unusable() {
    let Some(world) = on_postgres().await else { return };
    let Away::Proxy(proxy) = &world.away else { return };
    send_all(&world.server, (0..3).map(mixed), 3).await;
    proxy.set(Fault::Slow(Duration::from_millis(8))).await;
    let clients = count("RINGBOOK_TEST_HANG_UPS", 300);
    let server = Arc::new(world.server);
    stream::iter(0..clients)
        .for_each_concurrent(32, |number| {
            let server = Arc::clone(&server);
            async move {
                let body = serde_json::to_vec(&mixed(1_000 + number)).unwrap();
                let timestamp = server.app.clock.now().timestamp().to_string();
                let request = server
                    .client
                    .post(server.url("/webhooks/vapi"))
                    .header("x-signature", sign(VAPI_SECRET, &timestamp, &body))
                    .header("x-timestamp", timestamp)
                    .timeout(Duration::from_millis(u64::try_from(number % 101).unwrap()))
                    .body(body);
                // Most clients disconnect before the response. Some clients get the response.
                let _ = request.send().await;
            }
        })
        .await;
    proxy.set(Fault::None).await;
    eventually("no transaction is left open", async || {
        let open = "pg_stat_activity t WHERE application_name = 'ringbook' AND datname = current_database() \
                    AND xact_start IS NOT NULL";
        rows(&world.db, open).await.is_empty()
    })
    .await;
    // Send more concurrent messages than there are connections, so that every connection is used. A busy machine may
    // need another round.
    let (mut sent, mut first) = (Vec::new(), 100_000);
    eventually("no connection is unusable", async || {
        sent = send_all(&server, (first..first + 60).map(mixed), 20).await;
        first += 60;
        sent.iter().all(|one| one.degraded.is_none())
    })
    .await;
    are_recorded_once(&world.db, &sent).await;
    let server = *Arc::into_inner(server).unwrap();
    world.db.close().await.unwrap();
    Box::pin(server.stop()).await;
}
