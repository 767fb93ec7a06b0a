//! Breaks the connection to Twilio, before and after Twilio has accepted an SMS message.

use std::{sync::Arc, time::Duration};

use super::{Found, Plan, Result, judged_when_settled, told};
use crate::{
    load::{Load, Memory, Traffic},
    support::{
        Database,
        proxy::{Fault, Proxy},
    },
    twilio::Mode,
    world::World,
};

pub const ABOUT: &str = "the connection to the stand-in for Twilio is refused, reset, silent or slow, or it truncates \
    or loses the response to an accepted SMS message. In some rounds, the stand-in accepts SMS messages but responds \
    500. Each emergency causes exactly one SMS message, because Ringbook can afterwards read from the stand-in which \
    messages were accepted. Waiting times are a tenth of the usual ones";

/// The faults, and the duration of each fault in milliseconds.
const TROUBLES: [(&str, Fault, Mode, u64); 8] = [
    ("refused", Fault::Refuse, Mode::Take, 1_000),
    ("reset when made", Fault::ResetNew, Mode::Take, 1_000),
    ("silent", Fault::BlackHole, Mode::Take, 2_000),
    ("slow", Fault::Slow(Duration::from_millis(50)), Mode::Take, 1_000),
    ("answers swallowed", Fault::SwallowAnswers, Mode::Take, 1_000),
    ("response cut at byte 0", Fault::CutAnswerAfter(0), Mode::Take, 1_000),
    (
        "response cut in the middle",
        Fault::CutAnswerAfter(150),
        Mode::Take,
        1_000,
    ),
    ("taken and answered 500", Fault::None, Mode::TakeAndFail, 500),
];

pub async fn faults(plan: &Plan, kind: Database) -> Result {
    let binary = plan.breaking()?;
    let n = plan.count(32, 8);
    let plan = Plan { binary, ..plan.clone() };
    let world = plan.world(kind).await;
    let proxy = Proxy::start(world.twilio.address).await;
    let world = Arc::new(
        world
            .with("TWILIO_BASE_URL", proxy.url())
            .with("RINGBOOK_FAULTS_DIVIDE_WAITS", "10"),
    );
    let address = World::address();
    let (program, _) = world.started(&plan.binary, address, &[]).await;
    let mut memory = Memory::default();
    for round in 0..n {
        let (_, fault, mode, hold) = TROUBLES[usize::try_from(round).unwrap() % TROUBLES.len()];
        let traffic = Traffic {
            senders: 2,
            emergency_every: 2,
            edits: false,
            pause: Duration::from_millis(100),
            ..Traffic::new(format!("texts{round}"), vec![address])
        };
        let load = Load::start(&world, &traffic);
        load.until(4).await;
        world.twilio.set(mode);
        proxy.set(fault).await;
        if matches!(fault, Fault::BlackHole | Fault::Refuse | Fault::SwallowAnswers) {
            load.until(4).await;
        }
        if fault == Fault::Refuse {
            proxy.reset_all();
        }
        tokio::time::sleep(Duration::from_millis(hold)).await;
        // End the fault, and reset the connections that still wait for a response.
        proxy.set(Fault::None).await;
        proxy.reset_all();
        world.twilio.set(Mode::Take);
        memory.add(load.end().await);
        super::settled(&world).await;
    }
    program.stop().await;
    let violations = judged_when_settled(&world, &plan, &memory, true).await;
    let seen = vec![
        told(&memory, &world),
        format!(
            "{} requests to the stand-in, {} kinds of faults",
            world.twilio.requests(),
            n.min(TROUBLES.len() as u64)
        ),
    ];
    drop(proxy);
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found { n, seen, violations })
}
