//! Fault injection: runs the real program in its own processes, and kills, pauses and disconnects it. An external
//! oracle checks that every answered message and edit is stored exactly once.
//!
//! `cargo test --test faults` runs the short version of the campaigns that need no special build. `make faults` runs
//! all campaigns with their full counts, and writes docs/fault-report.md. Arguments select campaigns by name. The test
//! fails if an invariant is violated, if a planted defect is not found, or if its patch no longer applies.
//!
//! [`world`] starts databases, programs and stand-ins. [`load`] plays callers and editors and remembers the responses.
//! `campaigns` inject faults. [`oracle`] checks the invariants. [`report`] writes the results.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a campaign that cannot continue panics, and reports go to standard output"
)]
#![allow(
    clippy::too_many_lines,
    reason = "a campaign is one sequence of steps, easiest to read in one function"
)]

#[allow(
    dead_code,
    unused_imports,
    reason = "the support module has functions that only other tests use"
)]
#[path = "../it/support/mod.rs"]
mod support;

mod campaigns;
mod load;
mod oracle;
mod report;
mod twilio;
mod world;

use std::process::ExitCode;

use report::Outcome;
use world::Scale;

fn main() -> ExitCode {
    // Ignore arguments for a test harness, such as `--quiet`.
    let filters: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let scale = Scale::from_environment();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let outcomes = runtime.block_on(run(&scale, &filters));
    runtime.shutdown_background();
    let failed = outcomes.iter().filter(|outcome| outcome.failed()).count();
    if failed > 0 {
        println!("{failed} campaigns failed");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

async fn run(scale: &Scale, filters: &[String]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    if let Some(path) = scale.report.as_deref().filter(|_| filters.is_empty()) {
        report::begin(path);
    }
    let all = campaigns::all(scale);
    for campaign in &all {
        if !filters.is_empty() && !filters.iter().any(|name| name == campaign.name()) {
            continue;
        }
        let outcome = campaign.run(scale).await;
        report::tell(&outcome);
        if let Some(path) = &scale.report {
            report::add(path, &all, outcome.clone());
        }
        outcomes.push(outcome);
    }
    outcomes
}
