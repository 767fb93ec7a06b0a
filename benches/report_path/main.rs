//! Measures the whole path of an end-of-call report, compared with the database alone. The result is a ratio: reports
//! per second through the real server, divided by transactions per second of pgbench with the same statements.
//!
//! It needs a durable PostgreSQL server (TEST_POSTGRES_URL; `make bench` starts one). Server and pgbench take turns, so
//! that other load on the machine affects both. Every run begins with empty tables and ends with a count of the rows,
//! so that a server that responds without storing fails.
#![expect(clippy::print_stdout, reason = "it prints its measurements")]

mod cpu;
mod floor;
mod load;
mod messages;
mod rows;
mod server;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base::clock::Clock;
use clap::Parser;

use cpu::Cpu;
use floor::Floor;
use load::{Answers, Load};
use rows::Rows;
use server::Server;

/// Number of prepared reports per second. Two processors never processed as many.
const MOST_A_SECOND: u64 = 2_500;

#[derive(Parser)]
struct Options {
    /// Number of turns of server and floor.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=20))]
    rounds: u8,
    /// Seconds of each turn.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Seconds of warm-up before the server is measured.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=20))]
    warm_up: u64,
    /// Connections to the server, and clients of the floor.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u8).range(1..=64))]
    connections: u8,
    /// RINGBOOK_WORKERS of the server; `none` leaves the SMS messages in the outbox.
    #[arg(long, default_value = "all")]
    workers: String,
    /// Fail if the ratio is smaller.
    #[arg(long)]
    at_least: Option<f64>,
    /// `cargo bench` adds this argument.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    // The driver uses one thread, to leave the processors to the server and the database.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(&options))
}

async fn measure(options: &Options) -> Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a benchmark reads its own environment variables"
    )]
    let server_url = std::env::var("TEST_POSTGRES_URL").context("TEST_POSTGRES_URL is not set: run `make bench`")?;
    let rows = Rows::create(&server_url).await?;
    let measured = rounds(options, &rows).await;
    rows.remove().await?;
    measured
}

async fn rounds(options: &Options, rows: &Rows) -> Result<()> {
    let pgbench = floor::program();
    println!(
        "{}; {} connections, {} s a turn, workers {}",
        rows.about, options.connections, options.seconds, options.workers
    );
    let (mut rates, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let (answers, sample, shape) = server_turn(options, rows).await?;
        rates.push(answers.rate());
        if let Some(pgbench) = &pgbench {
            floors.push(floor_turn(options, rows, pgbench, &sample, &shape).await?.rate);
        }
    }
    let rate = median(rates);
    if pgbench.is_none() {
        println!("median: server {rate:.0}/s; NOT RUN: the floor (pgbench is not installed)");
        ensure!(options.at_least.is_none(), "there is no floor to compare with");
        return Ok(());
    }
    let floor = median(floors);
    let ratio = rate / floor;
    println!("median: server {rate:.0}/s, floor {floor:.0}/s, server/floor {ratio:.2}");
    let wanted = options.at_least.unwrap_or_default();
    ensure!(ratio >= wanted, "the server is below {wanted} of the floor");
    Ok(())
}

/// Runs the server's turn. Also returns the values for the floor and the names of the filled columns. Both come from
/// the rows that the server stored.
async fn server_turn(options: &Options, rows: &Rows) -> Result<(Answers, Sample, Vec<String>)> {
    let server = Server::start(&rows.url, &options.workers).await?;
    // The server has created the tables.
    rows.clear().await?;
    let seed = Clock::system().now().timestamp_micros().unsigned_abs();
    let count = (options.warm_up + options.seconds) * MOST_A_SECOND;
    let host = server.address.to_string();
    let load = Load {
        address: server.address,
        requests: messages::requests(seed, count, &host, server::SECRET)?,
        connections: usize::from(options.connections),
        warm_up: Duration::from_secs(options.warm_up),
        measured: Duration::from_secs(options.seconds),
    };
    let size = load.requests.iter().map(Vec::len).sum::<usize>() / load.requests.len().max(1);
    let (pid, postmaster) = (server.pid(), rows.postmaster);
    let answers = load::run(load, || Cpu::now(Some(pid), postmaster)).await?;
    let recorded: u64 = answers.statuses.get(&200).copied().unwrap_or_default();
    let sent: u64 = answers.statuses.values().sum();
    ensure!(
        answers.broken.is_empty() && recorded == sent,
        "not every report was recorded: {:?}, broken {:?}\n{}",
        answers.statuses,
        answers.broken,
        server.log()
    );
    let texts = rows.check(recorded).await?;
    println!(
        "server  {:6.0}/s  p50 {:5.1}  p95 {:5.1}  p99 {:5.1} ms  {}  {recorded} x 200 ({size} bytes each), {texts} SMS{}",
        answers.rate(),
        answers.percentile(50),
        answers.percentile(95),
        answers.percentile(99),
        spent(answers.cpu_us),
        if answers.exhausted { ", ran out of reports" } else { "" },
    );
    let (sample, shape) = (rows.sample().await?, rows.shape().await?);
    // Stop the server before the floor's turn: otherwise its worker would send the floor's SMS messages.
    server.stop().await?;
    Ok((answers, sample, shape))
}

type Sample = std::collections::BTreeMap<String, String>;

async fn floor_turn(
    options: &Options,
    rows: &Rows,
    pgbench: &PathBuf,
    sample: &Sample,
    shape: &[String],
) -> Result<Floor> {
    rows.clear().await?;
    let postmaster = rows.postmaster;
    let (clients, time) = (usize::from(options.connections), Duration::from_secs(options.seconds));
    let floor = floor::run(pgbench, &rows.url, sample, clients, time, || Cpu::now(None, postmaster))?;
    let texts = rows.check(floor.transactions).await?;
    let filled = rows.shape().await?;
    ensure!(
        filled == shape,
        "steps.sql does not write what the server writes:\n{shape:#?}\n{filled:#?}"
    );
    println!(
        "floor   {:6.0}/s  mean {:4.1} ms                        {}  {} transactions, {texts} SMS",
        floor.rate,
        floor.latency_ms,
        spent(floor.cpu_us),
        floor.transactions
    );
    rows.clear().await?;
    Ok(floor)
}

/// Formats the CPU time per report.
fn spent(cpu: Cpu) -> String {
    format!(
        "cpu us each: server {:4.0}, postgres {:4.0}, driver {:3.0}",
        cpu.server, cpu.postgres, cpu.driver
    )
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
