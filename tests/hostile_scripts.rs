//! Runs a thousand hostile scripts in one process. Each script is rejected, is stopped or ends within 100 ms of CPU
//! time, including compilation. The process grows by at most 16 MiB.
//!
//! The test measures CPU time of the process, so it does not fail on a busy machine. It measures memory as the peak
//! resident size (`VmHWM`), which is an upper bound for each single run. `--nocapture` shows the measurements.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::{Duration, Instant};

use rules::facts::{ExtractedFacts, Fact, Facts};
use rules::rows::{Hook, Priority, Script};
use rules::script::test_run::Begin;
use rules::{Rulebook, compile, sample};
use rust_decimal::Decimal;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

#[path = "it/support/hostile.rs"]
mod hostile;

const SCRIPTS: usize = 1_000;
const AT_MOST: Duration = Duration::from_millis(100);
const MEMORY: u64 = 16 * 1024;

fn process_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap()
}

/// Reads a line of `/proc/self/status` in KiB; `None` on a system without it.
fn kib(line: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let found = status.lines().find_map(|text| text.strip_prefix(line))?;
    found.trim_end_matches("kB").trim().parse().ok()
}

/// Builds hostile facts and arguments, because the data of callers and assistants can be hostile too.
fn facts() -> (ExtractedFacts, Value) {
    let text = |length: usize| Fact::Text("égout bouché ".repeat(length));
    let facts = Facts::from([("problem".to_owned(), text(400)), ("city".to_owned(), text(1))]);
    let args = json!({"rooms": vec![json!("x".repeat(100)); 50], "many": vec![1; 5_000], "long": "y".repeat(500_000)});
    let said = "I have a leak in the kitchen. ".repeat(100);
    (
        ExtractedFacts {
            facts,
            said,
            ..ExtractedFacts::default()
        },
        args,
    )
}

fn attempt(book: &Rulebook, source: &str, hook: Hook, extracted: &ExtractedFacts, args: &Value) -> &'static str {
    let script = Script {
        code: "hostile".to_owned(),
        hook,
        rank: 1,
        source: source.to_owned(),
    };
    let Ok(script) = book.compile_script(script) else {
        return "refused";
    };
    let begin = Begin {
        range: Some((Decimal::from(100), Decimal::from(200))),
        priority: Some((Priority::P3, 3600)),
        args: args.clone(),
    };
    let at = "2026-11-24T15:00:00Z".parse().unwrap();
    match book.try_script(&script, extracted, at, begin).fault {
        Some(_) => "stopped",
        None => "ended",
    }
}

#[test]
fn a_thousand_hostile_scripts_end_in_time_and_in_their_room() {
    // This thread has a large stack for deep calls, like the threads of the script pool.
    let campaign = std::thread::Builder::new().stack_size(16 * 1024 * 1024).spawn(campaign);
    campaign.unwrap().join().unwrap();
}

fn campaign() {
    let book = compile(1, &sample::rows(), None).unwrap();
    let (extracted, args) = facts();
    let by_hand = hostile::by_hand();
    let more = SCRIPTS - by_hand.len();
    let sources: Vec<String> = by_hand.into_iter().chain(hostile::made_up(2026, more)).collect();
    assert_eq!(sources.len(), SCRIPTS);
    // The first run also initializes the program, and this time must not count for a script.
    attempt(&book, "quote.add(1, \"x\");", Hook::Price, &extracted, &args);
    // Each run also analyzes the caller's words. Measure the time of a run without a script, to subtract it.
    let usual = (0..3).map(|_| {
        let before = process_time();
        attempt(&book, "", Hook::Price, &extracted, &args);
        process_time().saturating_sub(before)
    });
    let usual = usual.min().unwrap_or_default();
    let before = kib("VmRSS:").max(kib("VmHWM:"));

    let mut counts = std::collections::BTreeMap::<&str, u32>::new();
    let mut worst = (Duration::ZERO, Duration::ZERO, String::new());
    for (number, source) in sources.iter().enumerate() {
        let hook = [Hook::Price, Hook::Priority, Hook::Tool][number % 3];
        let (cpu, wall) = (process_time(), Instant::now());
        let outcome = attempt(&book, source, hook, &extracted, &args);
        let (cpu, wall) = (process_time().saturating_sub(cpu).saturating_sub(usual), wall.elapsed());
        *counts.entry(outcome).or_default() += 1;
        let shown: String = source.chars().take(120).collect();
        assert!(
            cpu < AT_MOST,
            "number {number} was {outcome} after {cpu:?} of work, {wall:?}: {shown}"
        );
        if cpu > worst.0 {
            worst = (cpu, wall, shown);
        }
    }
    let grown = kib("VmHWM:").zip(before).map(|(after, before)| after - before);
    eprintln!("{SCRIPTS} hostile scripts: {counts:?}; slowest {worst:?}; grown by {grown:?} KiB");
    assert!(grown.is_none_or(|grown| grown < MEMORY), "grown by {grown:?} KiB");
    assert!(counts["refused"] > 100 && counts["stopped"] > 100, "{counts:?}");
}
