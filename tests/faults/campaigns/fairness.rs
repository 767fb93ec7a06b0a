//! One rulebook has a flood of P1s. The SMS messages of other rulebooks must still be sent promptly.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Found, Plan, Result, judged, told};
use crate::{
    load::{self, Memory, as_of_now},
    oracle::select,
    support::{Database, app::ADMIN_KEY, messages::report, requests::sign},
    twilio::Mode,
    world::World,
};

pub const ABOUT: &str = "one rulebook receives 1,500 P1s in a few seconds, while the stand-in for Twilio needs 300 ms \
    for each SMS message. A second rulebook, with its own Twilio account or with the same account, receives a P1 \
    every half second. Each SMS message of the second rulebook reaches the stand-in within 2 s after the response to \
    its P1";

/// The webhook secret of the rulebook without the flood.
const SECRET: &str = "quiet-rulebook-secret-0123456789";
const FLOOD: &str = "Mon sous-sol est inondé.";
/// Maximum time from the response to a P1 until the stand-in has the SMS message about this P1.
const WITHIN: Duration = Duration::from_secs(2);

pub async fn flood(plan: &Plan, kind: Database) -> Result {
    let n = plan.count(1_500, 200);
    let world = Arc::new(plan.world(kind).await);
    let address = World::address();
    let (program, _) = world.started(&plan.binary, address, &[]).await;
    let (mut found, mut memory) = (Found::default(), Memory::default());
    for (code, sid) in [
        ("own", "AC00000000000000000000000000000002"),
        ("shared", "AC00000000000000000000000000000001"),
    ] {
        make_rulebook(&world, address, code, sid).await;
        world.twilio.set(Mode::TakeSlowly(300));
        let stop = Arc::new(AtomicBool::new(false));
        let quiet = tokio::spawn(quiet(Arc::clone(&world), address, code, Arc::clone(&stop)));
        memory.add(noisy(&world, address, code, n).await);
        // SMS messages of the flood are still queued, so the quiet rulebook receives P1s for a while longer.
        tokio::time::sleep(Duration::from_secs(5)).await;
        stop.store(true, Ordering::Release);
        let mut took = quiet.await.unwrap();
        took.sort();
        let slow = took.iter().filter(|took| **took > WITHIN).count();
        if slow > 0 {
            let violation = format!(
                "I9 {slow} of {} P1s of another rulebook ({code}) took more than 2 s",
                took.len()
            );
            found.violations.push(violation);
        }
        if took.is_empty() {
            found
                .violations
                .push(format!("I9 no P1 of another rulebook ({code}) was sent"));
        }
        let millis = |took: Option<&Duration>| took.map_or(0, Duration::as_millis);
        found.seen.push(format!(
            "{code} account: {} SMS messages of the quiet rulebook sent after {} ms (median), {} ms at most",
            took.len(),
            millis(took.get(took.len() / 2)),
            millis(took.last())
        ));
        found.n += n;
        world.twilio.set(Mode::Take);
        super::settled(&world).await;
    }
    program.stop().await;
    found.violations.extend(judged(&world, plan, &memory).await);
    found.seen.push(told(&memory, &world));
    Arc::into_inner(world).unwrap().remove().await;
    Ok(found)
}

async fn make_rulebook(world: &World, address: SocketAddr, code: &str, sid: &str) {
    let post = async |path: String, body: Value| {
        let request = world.client.post(format!("http://{address}/admin/v1/rulebooks{path}"));
        let answer = request.bearer_auth(ADMIN_KEY).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED, "{path}");
    };
    post(String::new(), json!({"code": code, "rows": "sample"})).await;
    for (purpose, value) in [
        ("webhook", SECRET),
        ("twilio_account_sid", sid),
        ("twilio_auth_token", crate::world::TWILIO_TOKEN),
        ("twilio_from", "+15145550100"),
    ] {
        post(format!("/{code}/secrets"), json!({"purpose": purpose, "value": value})).await;
    }
}

/// Sends `n` P1s to the default rulebook, from twelve callers.
async fn noisy(world: &Arc<World>, address: SocketAddr, name: &'static str, n: u64) -> Memory {
    let memory = Arc::new(Mutex::new(Memory::default()));
    let mut callers = JoinSet::new();
    for caller in 0..12 {
        let (world, memory) = (Arc::clone(world), Arc::clone(&memory));
        callers.spawn(async move {
            for number in (caller..n).step_by(12) {
                let call = format!("noisy-{name}-{number}");
                load::send(
                    &world,
                    address,
                    &call,
                    "end-of-call-report",
                    &report(&call, FLOOD),
                    &memory,
                )
                .await;
            }
        });
    }
    callers.join_all().await;
    Arc::into_inner(memory).unwrap().into_inner().unwrap()
}

/// Sends a P1 every half second until `stop` is set. Returns for each P1 the time from the webhook response until the
/// stand-in had the SMS message.
async fn quiet(world: Arc<World>, address: SocketAddr, code: &'static str, stop: Arc<AtomicBool>) -> Vec<Duration> {
    let db = world.look().await;
    let mut waiting = JoinSet::new();
    let mut number = 0;
    while !stop.load(Ordering::Acquire) {
        let call = format!("quiet-{code}-{number}");
        number += 1;
        let body = as_of_now(&world, &report(&call, FLOOD));
        let timestamp = world.clock.now().timestamp().to_string();
        let request = world
            .client
            .post(format!("http://{address}/webhooks/vapi/{code}"))
            .header("x-signature", sign(SECRET, &timestamp, &body))
            .header("x-timestamp", timestamp)
            .body(body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let (world, db, answered) = (Arc::clone(&world), db.clone(), Instant::now());
        waiting.spawn(async move {
            let of_call = format!("SELECT reference FROM sms_messages WHERE call_id = '{call}'");
            while answered.elapsed() < Duration::from_secs(90) {
                let texts: BTreeSet<String> = select(&db, &of_call).await.into_iter().flatten().collect();
                let taken = world.twilio.by_reference();
                if texts.iter().any(|reference| taken.contains_key(reference)) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            answered.elapsed()
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let took = waiting.join_all().await;
    db.close().await.unwrap();
    took
}
