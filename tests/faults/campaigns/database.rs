//! Tests the program while PostgreSQL stops, restarts, loses connections, hangs or is slow. In another campaign,
//! clients disconnect before they get a response.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use reqwest::StatusCode;
use sea_orm::ConnectionTrait as _;
use tokio::task::JoinSet;

use super::{Found, Plan, Result, judged, told};
use crate::{
    load::{Load, Memory, Traffic, as_of_now, post},
    oracle::select,
    support::{
        Database,
        app::VAPI_SECRET,
        messages::report,
        proxy::{Fault, Proxy},
        requests::sign,
    },
    world::{Dice, MAX_WAIT, World},
};

pub const ABOUT: &str = "PostgreSQL is stopped immediately and started again, is restarted, or loses its \
    connections; or a proxy in front of it refuses or resets connections, does not respond, is slow or truncates \
    responses. Each message is answered 2xx or 503 with Retry-After. Afterwards the server recovers without help, \
    and I1 to I8 hold";
pub const HANG_UPS: &str = "clients disconnect after 0 to 100 ms while each packet from the database takes 20 ms. \
    Afterwards every message is answered 2xx, and no connection is left in a transaction";

/// What happens to the database or its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    ConnectionsKilled,
    Reset,
    SaysNothing,
    Refuses,
    Slow,
    AnswersCut,
    AnswersSwallowed,
    StoppedAtOnce,
    Restarted,
}

const SHORT: [Trouble; 2] = [Trouble::ConnectionsKilled, Trouble::SaysNothing];
const LONG: [Trouble; 9] = [
    Trouble::ConnectionsKilled,
    Trouble::Reset,
    Trouble::SaysNothing,
    Trouble::Refuses,
    Trouble::Slow,
    Trouble::AnswersCut,
    Trouble::AnswersSwallowed,
    Trouble::StoppedAtOnce,
    Trouble::Restarted,
];

/// Builds a world whose programs reach PostgreSQL through a proxy.
pub async fn behind_a_proxy(plan: &Plan, kind: Database) -> (Arc<World>, Proxy) {
    let world = plan.world(kind).await;
    let proxy = Proxy::start(server(&world.database.url)).await;
    let through = proxy.in_url(&world.database.url);
    (Arc::new(world.with("DATABASE_URL", through)), proxy)
}

fn server(url: &str) -> SocketAddr {
    let place = url.rsplit('@').next().unwrap();
    place.split('/').next().unwrap().parse().unwrap()
}

pub async fn faults(plan: &Plan, kind: Database) -> Result {
    let control = control();
    if plan.is_long() && control.is_none() {
        return Err("TEST_POSTGRES_CONTROL does not say how this PostgreSQL is stopped and started".to_owned());
    }
    let n = plan.count(54, 2);
    let (world, proxy) = behind_a_proxy(plan, kind).await;
    let address = World::address();
    let (program, _) = world.started(&plan.binary, address, &[]).await;
    let (mut dice, mut memory, mut violations, mut slowest) =
        (Dice::new(4), Memory::default(), Vec::new(), Duration::ZERO);
    for round in 0..n {
        let kinds = if plan.is_long() { &LONG[..] } else { &SHORT[..] };
        let trouble = kinds[usize::try_from(round).unwrap() % kinds.len()];
        let traffic = Traffic {
            pause: Duration::from_millis(5),
            ..Traffic::new(format!("database{round}"), vec![address])
        };
        let load = Load::start(&world, &traffic);
        load.until(10 + dice.below(20)).await;
        make(trouble, &world, &proxy, control.as_deref()).await;
        let healed = tokio::time::Instant::now();
        // The load ends only after 20 more messages were answered, so the program must recover by itself.
        load.until(20).await;
        slowest = slowest.max(healed.elapsed());
        let remembered = load.end().await;
        let silent = remembered.sent.iter().filter(|sent| sent.silent).count();
        if silent > 0 {
            violations.push(format!("I9 {silent} messages had no answer within 10 s: {trouble:?}"));
        }
        if plan.is_long() && remembered.longest > Duration::from_millis(2_500) {
            violations.push(format!(
                "I9 an answer took {} ms: {trouble:?}",
                remembered.longest.as_millis()
            ));
        }
        memory.add(remembered);
    }
    program.stop().await;
    violations.extend(judged(&world, plan, &memory).await);
    let refused = memory.errors.len();
    let seen = vec![
        told(&memory, &world),
        format!(
            "{refused} answered 503; the longest answer {} ms; 20 messages answered at most {} ms after the fault",
            memory.longest.as_millis(),
            slowest.as_millis()
        ),
    ];
    drop(proxy);
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found { n, seen, violations })
}

async fn make(trouble: Trouble, world: &World, proxy: &Proxy, control: Option<&str>) {
    let hold = Duration::from_millis(1_500);
    match trouble {
        Trouble::ConnectionsKilled => {
            let db = world.look().await;
            let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                AND application_name = 'ringbook'";
            db.execute_unprepared(sql).await.unwrap();
            db.close().await.unwrap();
        }
        Trouble::Reset => proxy.reset_all(),
        Trouble::SaysNothing => passing(proxy, Fault::BlackHole, hold * 2).await,
        Trouble::Refuses => {
            proxy.set(Fault::Refuse).await;
            proxy.reset_all();
            tokio::time::sleep(hold).await;
            proxy.set(Fault::None).await;
        }
        Trouble::Slow => passing(proxy, Fault::Slow(Duration::from_millis(30)), hold).await,
        Trouble::AnswersCut => passing(proxy, Fault::CutAnswerAfter(700), hold).await,
        Trouble::AnswersSwallowed => {
            passing(proxy, Fault::SwallowAnswers, hold).await;
            // A connection whose response the proxy dropped would wait forever, so the proxy resets all connections.
            proxy.reset_all();
        }
        Trouble::StoppedAtOnce => {
            controlled(control, &["stop", "-m", "immediate"]).await;
            tokio::time::sleep(hold).await;
            controlled(control, &["start"]).await;
        }
        Trouble::Restarted => controlled(control, &["restart", "-m", "fast"]).await,
    }
}

async fn passing(proxy: &Proxy, fault: Fault, hold: Duration) {
    proxy.set(fault).await;
    tokio::time::sleep(hold).await;
    proxy.set(Fault::None).await;
}

#[expect(clippy::disallowed_methods, reason = "tests read their own environment variables")]
fn control() -> Option<String> {
    std::env::var("TEST_POSTGRES_CONTROL").ok()
}

async fn controlled(control: Option<&str>, arguments: &[&str]) {
    let mut command = tokio::process::Command::new(control.unwrap());
    let output = command.args(arguments).output().await.unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

pub async fn hang_ups(plan: &Plan, kind: Database) -> Result {
    let n = plan.count(10_000, 200);
    let (world, proxy) = behind_a_proxy(plan, kind).await;
    let address = World::address();
    let (program, _) = world.started(&plan.binary, address, &[]).await;
    proxy.set(Fault::Slow(Duration::from_millis(20))).await;
    let mut callers = JoinSet::new();
    for caller in 0..50 {
        let world = Arc::clone(&world);
        callers.spawn(async move {
            let (mut dice, mut hung_up) = (Dice::new(caller), 0);
            for number in 0..n / 50 {
                let body = as_of_now(
                    &world,
                    &report(&format!("hangs-up-{caller}-{number}"), "Mon sous-sol est inondé."),
                );
                let timestamp = world.clock.now().timestamp().to_string();
                let request = world
                    .client
                    .post(format!("http://{address}/webhooks/vapi"))
                    .header("x-signature", sign(VAPI_SECRET, &timestamp, &body))
                    .header("x-timestamp", timestamp)
                    .body(body);
                let patience = Duration::from_millis(dice.below(101));
                if tokio::time::timeout(patience, request.send()).await.is_err() {
                    hung_up += 1;
                }
            }
            hung_up
        });
    }
    let hung_up: u64 = callers.join_all().await.into_iter().sum();
    proxy.set(Fault::None).await;
    let mut violations = Vec::new();
    // Wait until all open requests have ended.
    let (db, began) = (world.look().await, tokio::time::Instant::now());
    let open = "SELECT count(*) || '' FROM pg_stat_activity WHERE datname = current_database() AND \
        application_name = 'ringbook' AND state LIKE 'idle in transaction%'";
    while select(&db, open).await[0][0] != "0" {
        if began.elapsed() > Duration::from_secs(10) {
            violations.push("I10 a transaction is still open".to_owned());
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    db.close().await.unwrap();
    while !world.is_ready(address).await {
        assert!(began.elapsed() < MAX_WAIT, "the program is not ready again");
    }
    let mut memory = Memory::default();
    for number in 0..200 {
        let body = as_of_now(
            &world,
            &report(&format!("afterwards-{number}"), "Je voudrais une inspection."),
        );
        let answer = post(&world, address, &body).await.map(|(status, _)| status);
        if answer != Some(StatusCode::OK) {
            violations.push(format!("I9 afterwards message {number} was answered {answer:?}"));
        }
    }
    program.stop().await;
    memory.longest = Duration::ZERO;
    violations.extend(judged(&world, plan, &memory).await);
    drop(proxy);
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found {
        n,
        seen: vec![
            format!("{hung_up} hung up before they were answered"),
            "200 of 200 messages afterwards answered, unless a violation says otherwise".to_owned(),
        ],
        violations,
    })
}
