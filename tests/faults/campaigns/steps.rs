//! At each step that `src/store/src/fault_points.rs` names, the program aborts in one run, and the step fails in
//! another run.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use store::fault_points::Step;

use super::{Found, Plan, Result, judged, told};
use crate::{
    load::{Load, Memory, Traffic},
    oracle::{Expects, violations},
    support::Database,
    twilio::Mode,
    world::{Dice, World},
};

pub const ABOUT: &str = "the program aborts at each step of processing a message, of a worker and of a publish, also \
    before and after each commit. In another run, the step fails instead. The program continues or is started again. \
    Every SMS message reaches a final state, none is sent twice, and I1 to I8 hold after each interruption. Waiting \
    times are a tenth of the usual ones. Nobody acknowledges a P1, so the next contacts are notified all the time";

/// After this many responses, every step was reached, except steps that follow a wait. More traffic would not make
/// those steps come earlier.
const ENOUGH: u64 = 60;

/// Number of SMS requests that get an error. It is too small to open the circuit breaker.
const UNCLEAR: u64 = 3;

/// What makes the program reach a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Messages and edits.
    Traffic,
    /// SMS messages that Twilio accepted although it responded with an error.
    Unclear,
    /// SMS messages whose worker died while it sent them.
    LeftBehind,
}

/// Returns how to reach a step. A new step without an entry here is a compile error.
const fn way(step: Step) -> Way {
    match step {
        Step::MessageLetIn
        | Step::MessageEventInserted
        | Step::MessageBeforeCommit
        | Step::MessageAfterCommit
        | Step::BatchMessageWritten
        | Step::BatchBeforeCommit
        | Step::BatchAfterCommit
        | Step::ClaimBeforeCommit
        | Step::ClaimAfterCommit
        | Step::PostAnswered
        | Step::SettleBeforeCommit
        | Step::SettleAfterCommit
        | Step::EscalateBeforeCommit
        | Step::EscalateAfterCommit
        | Step::PublishPlanned
        | Step::PublishRowsWritten
        | Step::PublishBeforeCommit
        | Step::PublishAfterCommit => Way::Traffic,
        Step::LookAnswered | Step::LookBeforeCommit | Step::LookAfterCommit => Way::Unclear,
        Step::TidyBeforeCommit | Step::TidyAfterCommit => Way::LeftBehind,
    }
}

pub async fn steps(plan: &Plan, kind: Database) -> Result {
    // The oracle replays decisions and verifies the audit log with the usual build, which has no fault points.
    let whole = plan.binary.clone();
    let binary = plan.breaking()?;
    let plan = Plan { binary, ..plan.clone() };
    let world = Arc::new(plan.world(kind).await.with("RINGBOOK_FAULTS_DIVIDE_WAITS", "10"));
    let (address, mut dice, mut memory) = (World::address(), Dice::new(5), Memory::default());
    let (mut n, mut found) = (0, Vec::new());
    for step in Step::ALL.iter().copied() {
        for how in ["abort", "error"] {
            n += 1;
            let name = format!("{}-{how}", step.name());
            // After a worker died, the program reaches this step only once, so the fault is injected the first time.
            let nth = match way(step) {
                Way::LeftBehind => 1,
                Way::Traffic | Way::Unclear => 1 + dice.below(3),
            };
            let fault = format!("{}:{how}:{nth}", step.name());
            let reached = cut(&world, &plan, address, step, &fault, &name, &mut memory).await;
            if !reached {
                found.push(format!("I10 the step was never reached: {name}"));
            }
            world.twilio.set(Mode::Take);
            let (program, _) = world.started(&plan.binary, address, &[]).await;
            let load = Load::start(&world, &traffic(&format!("after-{name}"), address));
            load.until(6).await;
            memory.add(load.end().await);
            super::recorded(&world, &plan, &memory).await;
            let expects = Expects {
                settled: super::settled(&world).await,
                once: true,
                ..Expects::default()
            };
            program.stop().await;
            let here = violations(&world, &whole, &memory, &expects).await;
            if !here.is_empty() {
                found.extend(here.into_iter().map(|violation| format!("{name}: {violation}")));
                break;
            }
        }
    }
    found.extend(judged(&world, &plan, &memory).await);
    let seen = vec![
        told(&memory, &world),
        format!("{} steps, with an abort and a failure at each", Step::ALL.len()),
    ];
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found {
        n,
        seen,
        violations: found,
    })
}

fn traffic(name: &str, address: SocketAddr) -> Traffic {
    Traffic {
        senders: 3,
        emergency_every: 2,
        pause: Duration::from_millis(10),
        ..Traffic::new(name, vec![address])
    }
}

/// Runs a program until the fault occurs, at most two minutes. Returns whether the fault occurred.
async fn cut(
    world: &Arc<World>,
    plan: &Plan,
    address: SocketAddr,
    step: Step,
    fault: &str,
    name: &str,
    memory: &mut Memory,
) -> bool {
    match way(step) {
        Way::Traffic => {}
        Way::Unclear => world.twilio.set(Mode::TakeAndFail),
        Way::LeftBehind => {
            let left = [("RINGBOOK_FAULT_AT", "claim.after_commit:abort")];
            let mut program = world.start(&plan.binary, address, &left);
            let load = Load::start(world, &traffic(&format!("left-{name}"), address));
            program.ended().await;
            memory.add(load.end().await);
        }
    }
    let unclear = world.twilio.requests() + UNCLEAR;
    let mut program = world.start(&plan.binary, address, &[("RINGBOOK_FAULT_AT", fault)]);
    let mut traffic = traffic(name, address);
    if step.name().starts_with("batch.") {
        // Messages share a transaction only if several arrive at once.
        traffic = Traffic {
            senders: 16,
            pause: Duration::ZERO,
            ..traffic
        };
    }
    let mut load = Some(Load::start(world, &traffic));
    let abort = fault.contains(":abort");
    let publishes = step.name().starts_with("publish.");
    let mut answered = |mut one: Memory| {
        // The injected failure of a publish must give the editor a 500, so one such response is not a violation.
        let told = one.wrong.iter().position(|wrong| wrong.starts_with("edit: 500"));
        if let Some(place) = told.filter(|_| publishes && !abort) {
            one.wrong.remove(place);
        }
        memory.add(one);
    };
    let (mut reached, began) = (false, std::time::Instant::now());
    let told = format!("a test asked for a failure at {}", step.name());
    while !reached && began.elapsed() < Duration::from_mins(2) {
        reached = if abort {
            !program.runs()
        } else {
            world.logs().contains(&told)
        };
        if world.twilio.requests() >= unclear {
            world.twilio.set(Mode::Take);
        }
        // Stop the traffic after enough responses. At steps of a publish, the traffic continues, because the editor
        // needs longer to publish often enough.
        if let Some(enough) = load.take_if(|load| !publishes && load.answered() >= ENOUGH) {
            answered(enough.end().await);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if let Some(load) = load {
        answered(load.end().await);
    }
    // After a failed step, the program still runs.
    program.kill();
    reached
}
