//! Sends each message several times, concurrently and in random order. Also sends some events again with another body.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::task::JoinSet;

use super::{Found, Plan, Result, judged_when_settled, told};
use crate::{
    load::{Memory, Sent, as_of_now, hash, post},
    oracle::select,
    support::{
        Database,
        messages::{report, tool_calls},
    },
    world::{Dice, World},
};

pub const ABOUT: &str = "each message is sent one to ten times, concurrently and in random order. Some reports are \
    also sent with another body. Each message has one effect, and every repetition gets the first response. The other \
    body is stored as an amendment and notifies nobody";

/// Number of concurrent messages.
const AT_ONCE: usize = 24;

pub async fn repeats(plan: &Plan, kind: Database) -> Result {
    let wanted = plan.count(10_000, 120);
    let world = Arc::new(plan.world(kind).await);
    let address = World::address();
    let (program, _) = world.started(&plan.binary, address, &[]).await;
    let mut dice = Dice::new(3);
    let mut queue: Vec<(String, &'static str, Vec<u8>)> = Vec::new();
    let mut calls = 0_u64;
    while (queue.len() as u64) < wanted {
        let call = format!("repeat-{calls}");
        let (kind, message) = match calls % 4 {
            0 => ("end-of-call-report", report(&call, "Mon sous-sol est inondé.")),
            1 | 2 => (
                "end-of-call-report",
                report(&call, "Je voudrais une inspection par caméra."),
            ),
            _ => {
                let about = json!({"serviceType": "racines"});
                (
                    "tool-calls",
                    tool_calls(&call, 1_000, &[("a", "calculateQuote", about)]),
                )
            }
        };
        let body = as_of_now(&world, &message);
        for _ in 0..=dice.below(10) {
            queue.push((call.clone(), kind, body.clone()));
        }
        if calls.is_multiple_of(5) && kind == "end-of-call-report" {
            let mut other = message.clone();
            other["message"]["cost"] = json!(9.75);
            queue.push((call, kind, as_of_now(&world, &other)));
        }
        calls += 1;
    }
    for place in (1..queue.len()).rev() {
        queue.swap(place, usize::try_from(dice.below(place as u64 + 1)).unwrap());
    }
    let (queue, n) = (Arc::new(Mutex::new(queue)), wanted);
    let memory = Arc::new(Mutex::new(Memory::default()));
    let mut tasks = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (world, queue, memory) = (Arc::clone(&world), queue.clone(), memory.clone());
        tasks.spawn(async move {
            loop {
                let next = queue.lock().unwrap().pop();
                let Some((call, kind, body)) = next else { return };
                let answer = post(&world, address, &body).await;
                let mut memory = memory.lock().unwrap();
                match answer {
                    Some((status, text)) if status.is_success() => memory.sent.push(Sent {
                        call,
                        kind,
                        hash: hash(&body),
                        answer: Some(serde_json::from_str(&text).unwrap()),
                        silent: false,
                    }),
                    other => memory.wrong.push(format!("{other:?}")),
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let memory = memory.lock().unwrap().clone();
    let mut violations = Vec::new();
    super::settled(&world).await;
    program.stop().await;
    let db = world.look().await;
    let stored = select(
        &db,
        "SELECT count(*) || '' FROM webhook_events WHERE state = 'recorded' AND type IN ('end-of-call-report', 'tool-calls')",
    )
    .await;
    if stored[0][0] != calls.to_string() {
        violations.push(format!(
            "I2 {calls} different messages were sent and {} events are recorded",
            stored[0][0]
        ));
    }
    db.close().await.unwrap();
    violations.extend(judged_when_settled(&world, plan, &memory, true).await);
    let seen = vec![told(&memory, &world), format!("{calls} different messages")];
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found { n, seen, violations })
}
