//! Kills the program at random moments, repeatedly on the same database.

use std::{sync::Arc, time::Duration};

use super::{Found, Plan, Result, judged, judged_when_settled, told};
use crate::{
    load::{Load, Memory, Traffic},
    support::Database,
    world::{Dice, World},
};

pub const ABOUT: &str = "the program is killed (SIGKILL) at random moments under webhooks, edits and SMS messages, \
    and started again on the same database. I1 to I8 hold at the end";

pub async fn kills(plan: &Plan, kind: Database) -> Result {
    let rounds = plan.count(200, 2);
    let world = Arc::new(plan.world(kind).await);
    let (address, mut dice, mut memory) = (World::address(), Dice::new(1), Memory::default());
    let mut starts = Vec::new();
    for round in 0..rounds {
        let (mut program, took) = world.started(&plan.binary, address, &[]).await;
        if round > 0 {
            starts.push(took);
        }
        let load = Load::start(&world, &Traffic::new(format!("kill{round}"), vec![address]));
        load.until(10 + dice.below(50)).await;
        tokio::time::sleep(Duration::from_millis(dice.below(20))).await;
        program.kill();
        memory.add(load.end().await);
    }
    // If a worker dies while it sends an SMS message, the message waits until the worker's lease expires. The short
    // version does not wait that long.
    let violations = if plan.is_long() {
        judged_when_settled(&world, plan, &memory, false).await
    } else {
        judged(&world, plan, &memory).await
    };
    starts.sort();
    let seen = vec![
        told(&memory, &world),
        match starts.last() {
            Some(longest) => format!(
                "ready again after {} ms (median), {} ms at most",
                starts[starts.len() / 2].as_millis(),
                longest.as_millis()
            ),
            None => "never started again".to_owned(),
        },
    ];
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found {
        n: rounds,
        seen,
        violations,
    })
}
