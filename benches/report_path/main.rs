//! Measures how many end-of-call reports per second the real server stores. Compares this rate with the database alone
//! (pgbench with the same statements, one round trip each) and with a peer, a server in Node.
//!
//! It needs a durable PostgreSQL server (TEST_POSTGRES_URL; `make bench` starts one). The competitors take turns, so that
//! other load on the machine affects all of them. Every turn begins with empty tables and ends with a count of the rows,
//! so that a server that responds without storing fails. The result is a table of medians, with the least and the
//! greatest rate.
#![expect(clippy::print_stdout, reason = "it prints its measurements")]

mod cpu;
mod floor;
mod load;
mod messages;
mod peer;
mod rows;
mod server;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base::clock::Clock;
use clap::Parser;

use cpu::Cpu;
use load::{Answers, Load};
use rows::Rows;
use server::Server;
use table::{Series, Turn};

/// Number of reports that are prepared for each second. No competitor processed as many on two processors.
const MOST_A_SECOND: u64 = 5_000;
/// Number of processes of the peer. The benchmark assumes as many processors.
const PEER_PROCESSES: u8 = 2;

#[derive(Parser)]
struct Options {
    /// Number of turns of each competitor.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=20))]
    rounds: u8,
    /// Duration of each turn in seconds.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Seconds of warm-up before a server is measured.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=20))]
    warm_up: u64,
    /// Number of connections to a server, and of clients of pgbench.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u8).range(1..=64))]
    connections: u8,
    /// Value of RINGBOOK_WORKERS for the server; `none` leaves the SMS messages in the outbox.
    #[arg(long, default_value = "all")]
    workers: String,
    /// Fail if the server's rate divided by the floor's rate is smaller than this.
    #[arg(long)]
    at_least: Option<f64>,
    /// File with the output of `cargo bench --bench decide -- --output-format bencher`, which the page shows as a
    /// table.
    #[arg(long)]
    decisions: Option<PathBuf>,
    /// Write the tables to this file.
    #[arg(long)]
    page: Option<PathBuf>,
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
    let about = format!(
        "{}; {} connections, {} turns of {} s, workers {}",
        rows.about, options.connections, options.rounds, options.seconds, options.workers
    );
    println!("{about}");
    let pgbench = floor::program();
    let mut floor = Series::new("pgbench: the statements of a report, one round trip each (the floor)");
    let mut peer = Series::new(format!(
        "a peer in Node: hard-coded rules, {PEER_PROCESSES} processes, one SQL statement per report"
    ));
    let mut ringbook = Series::new("Ringbook");
    for _ in 0..options.rounds {
        let (turn, sample, shape) = ringbook_turn(options, rows).await?;
        ringbook.push(turn);
        if let Some(pgbench) = &pgbench {
            floor.push(floor_turn(options, rows, pgbench, &sample, &shape).await?);
        }
        if peer::is_installed() {
            peer.push(peer_turn(options, rows).await?);
        }
    }
    let mut tables = table::reports(&[&floor, &peer, &ringbook]);
    if let Some(decisions) = &options.decisions {
        let output = std::fs::read_to_string(decisions).context("the measured decisions cannot be read")?;
        tables += "\n";
        tables += &table::decisions(&output);
    }
    println!("\n{tables}");
    if let Some(page) = &options.page {
        std::fs::write(page, page_of(&about, &tables)).context("the page cannot be written")?;
    }
    let wanted = options.at_least.unwrap_or_default();
    ensure!(
        options.at_least.is_none() || floor.rate() > 0.0,
        "there is no floor to compare with: pgbench is not installed"
    );
    let ratio = ringbook.rate() / floor.rate();
    ensure!(
        wanted <= 0.0 || ratio >= wanted,
        "the server is below {wanted} of the floor"
    );
    Ok(())
}

fn page_of(about: &str, tables: &str) -> String {
    format!(
        "# Benchmarks\n\n\
        `make bench` measures these tables and writes this page. The competitors take turns on one machine, together with \
        the database and the driver, so only ratios between rows mean anything. The tables show medians, and the least \
        and the greatest rate.\n\n\
        A report has 16 turns. Each competitor stores the message, the call, the turns, the decision, the \
        lead and the SMS message in a durable transaction. The peer verifies the signature and decides by hard-coded \
        rules. The hard-coded decisions in Rust follow the same rules as the rulebook; `in context` also understands \
        negations, as the rulebook does.\n\n\
        {about}.\n\n{tables}"
    )
}

/// Sends reports to a server and measures the response times. Also returns the number of recorded reports.
async fn load(options: &Options, rows: &Rows, server: &Server) -> Result<(Answers, u64)> {
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
    Ok((answers, recorded))
}

/// Prints the result of a server's turn and returns it.
fn told(name: &str, answers: &Answers, recorded: u64, texts: u64) -> Turn {
    let turn = Turn {
        rate: answers.rate(),
        typical_ms: answers.percentile(50),
        p99_ms: Some(answers.percentile(99)),
        cpu_us: answers.cpu_us,
    };
    println!(
        "{name:9}{:6.0}/s  p50 {:5.1}  p99 {:5.1} ms  {}  {recorded} reports, {texts} SMS{}",
        turn.rate,
        turn.typical_ms,
        answers.percentile(99),
        spent(turn.cpu_us),
        if answers.exhausted { ", ran out of reports" } else { "" },
    );
    turn
}

/// Runs a turn of the server. From the stored rows, it also returns the values for the floor and the names of the
/// filled columns.
async fn ringbook_turn(options: &Options, rows: &Rows) -> Result<(Turn, Sample, Vec<String>)> {
    let server = Server::ringbook(&rows.url, &options.workers).await?;
    // The server has created the tables.
    rows.clear().await?;
    let (answers, recorded) = load(options, rows, &server).await?;
    let texts = rows.check(recorded).await?;
    let turn = told("ringbook", &answers, recorded, texts);
    let (mut sample, shape) = (rows.sample().await?, rows.shape().await?);
    sample.insert("sms_percent".to_owned(), (texts * 100 / recorded.max(1)).to_string());
    // Stop the server before the floor's turn: otherwise its worker would send the floor's SMS messages.
    server.stop().await?;
    Ok((turn, sample, shape))
}

async fn peer_turn(options: &Options, rows: &Rows) -> Result<Turn> {
    let server = peer::start(&rows.url, PEER_PROCESSES).await?;
    rows.clear_peer().await?;
    let (answers, recorded) = load(options, rows, &server).await?;
    let texts = rows.check_peer(recorded).await?;
    server.stop().await?;
    rows.clear_peer().await?;
    Ok(told("peer", &answers, recorded, texts))
}

type Sample = std::collections::BTreeMap<String, String>;

async fn floor_turn(
    options: &Options,
    rows: &Rows,
    pgbench: &PathBuf,
    sample: &Sample,
    shape: &[String],
) -> Result<Turn> {
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
        "floor    {:6.0}/s  mean {:4.1} ms             {}  {} reports, {texts} SMS",
        floor.rate,
        floor.latency_ms,
        spent(floor.cpu_us),
        floor.transactions
    );
    rows.clear().await?;
    Ok(Turn {
        rate: floor.rate,
        typical_ms: floor.latency_ms,
        p99_ms: None,
        cpu_us: floor.cpu_us,
    })
}

/// Formats the CPU time per report.
fn spent(cpu: Cpu) -> String {
    format!(
        "cpu us each: server {:4.0}, postgres {:4.0}, driver {:3.0}",
        cpu.server, cpu.postgres, cpu.driver
    )
}
