//! Tests a machine whose processors are all busy, and a tenant that sends too many requests. Messages must still be
//! processed in time.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Found, Plan, Result, judged, judged_when_settled, told};
use crate::{
    load::{self, Load, Memory, Traffic},
    oracle::select,
    report::grouped,
    support::{Database, app::ADMIN_KEY, messages::report},
    world::World,
};

pub const BUSY: &str = "18 connections send messages to three instances without a pause, while other programs keep \
    every processor of the machine busy. Every decision runs the sample's script, and no script is quarantined";
pub const NEIGHBOURS: &str = "one tenant's editor and viewer repeatedly send 700 requests at once: scripts that take \
    long to compile, dry runs, lint, evaluations. At the same time, the messages, edits and P1 SMS messages of \
    another tenant are processed in time, and no request is answered 500";

/// Maximum response time for a message of the other tenants.
const MESSAGE: Duration = Duration::from_millis(100);
const EDIT: Duration = Duration::from_secs(1);
const P1: Duration = Duration::from_secs(2);

/// Keeps every processor busy until this value is dropped.
struct Spinning(Arc<AtomicBool>);

impl Spinning {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut number = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    number = std::hint::black_box(number.wrapping_mul(3).wrapping_add(1));
                }
            });
        }
        Self(stop)
    }
}

impl Drop for Spinning {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub async fn busy(plan: &Plan, kind: Database) -> Result {
    let wanted = plan.count(20_000, 400);
    let world = Arc::new(plan.world(kind).await);
    // A SQLite file can have one server only.
    let servers = if kind == Database::Postgres { 3 } else { 1 };
    let (mut addresses, mut programs) = (Vec::new(), Vec::new());
    for _ in 0..servers {
        let address = World::address();
        programs.push(world.started(&plan.binary, address, &[]).await.0);
        addresses.push(address);
    }
    let traffic = Traffic {
        senders: 18,
        edits: false,
        emergency_every: 50,
        ..Traffic::new("busy", addresses)
    };
    let spinning = Spinning::start();
    let (began, load) = (Instant::now(), Load::start(&world, &traffic));
    let mut left = wanted;
    while left > 0 {
        let next = left.min(200);
        load.until(next).await;
        left -= next;
    }
    let memory = load.end().await;
    let took = began.elapsed();
    drop(spinning);
    for program in programs {
        program.stop().await;
    }
    let mut violations = judged_when_settled(&world, plan, &memory, false).await;
    let db = world.look().await;
    let one = async |sql: &str| -> u64 { select(&db, sql).await[0][0].parse().unwrap() };
    let decisions = one("SELECT count(*) || '' FROM decisions").await;
    let degraded = one("SELECT count(*) || '' FROM decisions WHERE degraded").await;
    let blamed = one("SELECT count(*) || '' FROM script_quarantines").await;
    db.close().await.unwrap();
    if degraded > 0 {
        violations.push(format!("{degraded} of {decisions} decisions are degraded"));
    }
    if blamed > 0 {
        violations.push(format!("{blamed} scripts are counted as failing"));
    }
    if decisions < wanted / 2 {
        violations.push(format!("only {decisions} decisions were made"));
    }
    let per_second = u64::try_from(u128::from(decisions) * 1_000 / took.as_millis().max(1)).unwrap();
    let seen = vec![
        format!(
            "{} decisions, {degraded} of them degraded, {blamed} scripts blamed, {per_second} decisions a second, the longest \
             answer took {:?}",
            grouped(decisions),
            memory.longest
        ),
        told(&memory, &world),
    ];
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found {
        n: decisions,
        seen,
        violations,
    })
}

/// Counts the requests of the greedy tenant, and collects the unexpected responses.
#[derive(Default)]
struct Greed {
    stop: AtomicBool,
    sent: AtomicU64,
    turned_away: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

/// Builds the greedy tenant's request with this number. The last value is whether the request needs the role editor.
fn asked(number: u64) -> (Method, String, Option<Value>, bool) {
    let base = "/admin/v1/rulebooks/greedy";
    match number % 4 {
        0 => {
            // The source is long and valid to the end, so that all of it is compiled.
            let source = "let x = ((1 + 2) * 3 - 4) * 5; x += x * 2;\n".repeat(10);
            let functions: String = (0..40)
                .map(|number| format!("fn f{number}(a) {{ {source} a + x }}\n"))
                .collect();
            let body = json!({"source": format!("{functions}quote.add(f1(1), \"one\");"), "hook": "price"});
            (
                Method::POST,
                format!("{base}/scripts/new_{number}/test"),
                Some(body),
                true,
            )
        }
        1 => {
            let body = json!({
                "names": {"en": "Greedy"}, "keywords": [], "offer": "offered", "lead_working_days": false,
                "rank": 5_000 + number, "price_from": "1.00", "price_to": "2.00",
            });
            let path = format!("{base}/services/greedy_{number}?dry_run=true");
            (Method::PUT, path, Some(body), true)
        }
        2 => (Method::GET, format!("{base}/lint"), None, false),
        _ => {
            let body = json!({"facts": {"service_text": "camera inspection"}});
            (Method::POST, format!("{base}/evaluate?explain=true"), Some(body), false)
        }
    }
}

/// Sends 700 requests at once, waits for all responses, and repeats that.
async fn greedy(world: Arc<World>, address: SocketAddr, keys: [String; 2], greed: Arc<Greed>) {
    while !greed.stop.load(Ordering::Acquire) {
        let mut at_once = JoinSet::new();
        for number in 0..700 {
            let (world, keys, greed) = (Arc::clone(&world), keys.clone(), Arc::clone(&greed));
            at_once.spawn(async move {
                let (method, path, body, edits) = asked(number);
                let key = &keys[usize::from(edits)];
                let mut request = world
                    .client
                    .request(method, format!("http://{address}{path}"))
                    .bearer_auth(key);
                if let Some(body) = body {
                    request = request.json(&body);
                }
                let Ok(answer) = request.send().await else { return };
                greed.sent.fetch_add(1, Ordering::AcqRel);
                let status = answer.status();
                if status == StatusCode::TOO_MANY_REQUESTS {
                    greed.turned_away.fetch_add(1, Ordering::AcqRel);
                } else if !status.is_success() && status != StatusCode::SERVICE_UNAVAILABLE {
                    let text = answer.text().await.unwrap_or_default();
                    greed.wrong.lock().unwrap().push(format!("{path}: {status}: {text}"));
                }
            });
        }
        while at_once.join_next().await.is_some() {}
    }
}

async fn admin(world: &World, address: SocketAddr, path: &str, body: &Value) -> Value {
    let request = world
        .client
        .post(format!("http://{address}{path}"))
        .bearer_auth(ADMIN_KEY)
        .json(body);
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.json().await.unwrap()
}

/// Returns the 99th percentile and the maximum.
fn slowest(mut took: Vec<Duration>) -> (Duration, Duration) {
    took.sort_unstable();
    (took[(took.len() * 99 / 100).min(took.len() - 1)], took[took.len() - 1])
}

pub async fn neighbours(plan: &Plan, kind: Database) -> Result {
    let n = plan.count(1_000, 60);
    let world = plan.world(kind).await;
    // Use a host name, so that each new connection to the stand-in for Twilio needs a DNS lookup.
    let twilio = world.twilio.url().replace("127.0.0.1", "localhost");
    let world = Arc::new(world.with("TWILIO_BASE_URL", twilio));
    let address = World::address();
    let (program, _) = world.started(&plan.binary, address, &[]).await;
    let rulebook = json!({"code": "greedy", "rows": "sample"});
    admin(&world, address, "/admin/v1/rulebooks", &rulebook).await;
    let mut keys = Vec::new();
    for role in ["viewer", "editor"] {
        let new = json!({"name": role, "role": role, "rulebook": "greedy"});
        let made = admin(&world, address, "/admin/v1/api-keys", &new).await;
        keys.push(made["key"].as_str().unwrap().to_owned());
    }
    let greed = Arc::new(Greed::default());
    let keys: [String; 2] = keys.try_into().unwrap();
    let hammer = tokio::spawn(greedy(Arc::clone(&world), address, keys, Arc::clone(&greed)));
    while greed.sent.load(Ordering::Acquire) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    let memory = Arc::new(Mutex::new(Memory::default()));
    let (mut messages, mut edits, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..n {
        let call = format!("neighbour-{number}");
        let is_p1 = number % 20 == 10;
        let said = if is_p1 {
            "Mon sous-sol est inondé."
        } else {
            "Je voudrais une inspection par caméra."
        };
        let before = world.twilio.taken().len();
        let began = Instant::now();
        load::send(
            &world,
            address,
            &call,
            "end-of-call-report",
            &report(&call, said),
            &memory,
        )
        .await;
        messages.push(began.elapsed());
        while is_p1 && world.twilio.taken().len() == before && began.elapsed() < Duration::from_mins(2) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if is_p1 {
            texts.push(began.elapsed());
        }
        if number % 10 == 0 {
            let began = Instant::now();
            load::edit(&world, address, &memory).await;
            edits.push(began.elapsed());
        }
    }
    greed.stop.store(true, Ordering::Release);
    hammer.await.unwrap();
    program.stop().await;

    let memory = memory.lock().unwrap().clone();
    let mut violations = judged(&world, plan, &memory).await;
    violations.extend(greed.wrong.lock().unwrap().iter().take(5).cloned());
    let counted = [
        ("a message", messages, MESSAGE),
        ("an edit", edits, EDIT),
        ("a P1 SMS", texts, P1),
    ];
    let mut seen = Vec::new();
    for (what, took, most) in counted {
        let count = took.len();
        let (p99, longest) = slowest(took);
        seen.push(format!(
            "{what} of another tenant ({count} times): {p99:?} at the 99th percentile, {longest:?} at most"
        ));
        // The short version has no time limits, because an unoptimized program is ten times slower.
        if plan.is_long() && p99 > most {
            violations.push(format!(
                "{what} took {p99:?} at the 99th percentile, more than {most:?}"
            ));
        }
    }
    let (sent, turned_away) = (
        greed.sent.load(Ordering::Acquire),
        greed.turned_away.load(Ordering::Acquire),
    );
    seen.push(format!(
        "{} requests of the greedy tenant, {} of them rejected",
        grouped(sent),
        grouped(turned_away)
    ));
    if turned_away == 0 {
        violations.push("no request of the greedy tenant was rejected".to_owned());
    }
    seen.push(told(&memory, &world));
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found { n, seen, violations })
}
