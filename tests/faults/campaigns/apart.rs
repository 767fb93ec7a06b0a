//! Runs two instances: one instance receives edits, the other instance decides calls.

use std::sync::{Arc, Mutex};

use super::{Found, Plan, Result, judged, told};
use crate::{
    load::{self, Memory},
    oracle::select,
    support::{Database, messages::report},
    world::World,
};

pub const ABOUT: &str = "two instances use one database. Each edit is sent to the first instance. After the \
    response, a message is sent to the second. Its decision uses a revision that is not older than this edit (I7). A \
    replay of the decision has the same bytes (I4)";

pub async fn apart(plan: &Plan, kind: Database) -> Result {
    let n = plan.count(1_000, 40);
    let world = Arc::new(plan.world(kind).await);
    let (edited, deciding) = (World::address(), World::address());
    let (one, _) = world.started(&plan.binary, edited, &[]).await;
    let (other, _) = world.started(&plan.binary, deciding, &[]).await;
    let memory = Mutex::new(Memory::default());
    let mut floors = Vec::new();
    for number in 0..n {
        load::edit(&world, edited, &memory).await;
        let answered = memory
            .lock()
            .unwrap()
            .edits
            .iter()
            .filter_map(|edit| edit.version)
            .max();
        let call = format!("apart-{number}");
        let message = report(&call, "Je voudrais une inspection par caméra.");
        if load::send(&world, deciding, &call, "end-of-call-report", &message, &memory).await {
            floors.push((call, answered.unwrap_or(1)));
        }
    }
    one.stop().await;
    other.stop().await;
    let memory = memory.into_inner().unwrap();
    let mut violations = judged(&world, plan, &memory).await;
    let db = world.look().await;
    let decided = select(
        &db,
        "SELECT call_id, revision || '' FROM decisions WHERE call_id IS NOT NULL",
    )
    .await;
    db.close().await.unwrap();
    let decided: std::collections::BTreeMap<String, i64> = decided
        .into_iter()
        .map(|row| (row[0].clone(), row[1].parse().unwrap()))
        .collect();
    let old = floors
        .iter()
        .filter(|(call, floor)| decided.get(call).is_some_and(|revision| revision < floor));
    violations.extend(old.take(5).map(|(call, floor)| {
        format!(
            "I7 decided by revision {} after revision {floor} was published: {call}",
            decided[call]
        )
    }));
    let seen = vec![told(&memory, &world)];
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found { n, seen, violations })
}
