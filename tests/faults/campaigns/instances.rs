//! Runs three instances on one database. One is killed. Another is paused, and resumes after its leases have expired.

use std::{sync::Arc, time::Duration};

use super::{Found, Plan, Result, judged_when_settled, told};
use crate::{
    load::{Load, Memory, Traffic},
    support::Database,
    twilio::Mode,
    world::{Dice, World},
};

pub const ABOUT: &str = "three instances run under webhooks, edits and SMS messages. In each round one instance is \
    paused (SIGSTOP) while the stand-in for Twilio responds to it. It resumes after its leases have expired and other \
    instances have taken over its SMS messages. Another instance is killed and started again. Writes of the stale \
    instance are rejected because of their old fencing tokens, and I1 to I8 hold. Leases last a twentieth of the \
    usual time";

pub async fn instances(plan: &Plan, kind: Database) -> Result {
    let binary = plan.breaking()?;
    let plan = Plan { binary, ..plan.clone() };
    let n = plan.count(30, 3);
    let world = Arc::new(plan.world(kind).await.with("RINGBOOK_FAULTS_DIVIDE_WAITS", "20"));
    let addresses = [World::address(), World::address(), World::address()];
    let mut programs = Vec::new();
    for address in addresses {
        programs.push(world.started(&plan.binary, address, &[]).await.0);
    }
    let (mut dice, mut memory) = (Dice::new(6), Memory::default());
    for round in 0..n {
        let paused = usize::try_from(dice.below(3)).unwrap();
        let killed = (paused + 1 + usize::try_from(dice.below(2)).unwrap()) % 3;
        let others: Vec<_> = (0..3)
            .filter(|index| *index != paused)
            .map(|index| addresses[index])
            .collect();
        // Twilio takes 700 ms to respond (429), so the instance is paused while it waits for a response.
        world.twilio.set(Mode::Busy(700));
        let traffic = Traffic {
            senders: 2,
            emergency_every: 1,
            edits: true,
            pause: Duration::from_millis(30),
            ..Traffic::new(format!("instances{round}"), addresses.to_vec())
        };
        let load = Load::start(&world, &traffic);
        let before = world.twilio.requests();
        while world.twilio.requests() < before + 6 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        programs[paused].pause();
        let first = load.end().await;
        memory.add(first);
        world.twilio.set(Mode::Take);
        programs[killed].kill();
        let load = Load::start(
            &world,
            &Traffic {
                senders: 2,
                pause: Duration::from_millis(30),
                ..Traffic::new(format!("without{round}"), others)
            },
        );
        // A lease lasts three seconds. Then another instance takes over the SMS messages, up to a second later.
        tokio::time::sleep(Duration::from_millis(5_500)).await;
        programs[paused].resume();
        memory.add(load.end().await);
        programs[killed] = world.started(&plan.binary, addresses[killed], &[]).await.0;
    }
    super::settled(&world).await;
    for program in programs {
        program.stop().await;
    }
    let violations = judged_when_settled(&world, &plan, &memory, false).await;
    let refused = world.logs().matches("its result is not written").count();
    let seen = vec![
        told(&memory, &world),
        format!("{refused} results of stale workers were rejected"),
    ];
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found { n, seen, violations })
}
