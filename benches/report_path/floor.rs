//! Measures the floor, which is the throughput of the database alone. pgbench runs the statements that store one
//! report, with the report's values. Each statement takes one round trip.

use std::collections::BTreeMap;
use std::env;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::cpu::Cpu;

const STEPS: &str = include_str!("steps.sql");

/// The result of pgbench.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    /// Transactions per second.
    pub rate: f64,
    /// Average duration of a transaction, in milliseconds.
    pub latency_ms: f64,
    /// Number of transactions.
    pub transactions: u64,
    /// Microseconds of CPU time per transaction; `driver` is the time of pgbench.
    pub cpu_us: Cpu,
}

/// Finds pgbench in the first folder of PATH that contains PostgreSQL's server programs. If there is no such folder,
/// uses the pgbench of Debian's newest PostgreSQL.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads its own environment variables"
)]
pub fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // A `pgbench` without an `initdb` in the same folder is a wrapper that looks for a cluster.
    let beside = env::split_paths(&path).filter(|folder| folder.join("initdb").is_file());
    let mut of_debian: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    of_debian.sort();
    let mut folders = beside.chain(of_debian.into_iter().rev().map(|(_, folder)| folder));
    folders.find_map(|folder| Some(folder.join("pgbench")).filter(|program| program.is_file()))
}

/// Runs the statements.
pub fn run(
    program: &PathBuf,
    url: &str,
    values: &BTreeMap<String, String>,
    clients: usize,
    time: Duration,
    cpu: impl Fn() -> Cpu,
) -> Result<Floor> {
    let mut script = tempfile::NamedTempFile::new()?;
    script.write_all(STEPS.as_bytes())?;
    let mut command = Command::new(program);
    command.args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--define=i=0"]);
    command
        .arg(format!("--client={clients}"))
        .arg(format!("--time={}", time.as_secs()));
    for (name, value) in values {
        command.arg(format!("--define={name}={value}"));
    }
    command.arg("--file").arg(script.path()).arg(url).stdin(Stdio::null());
    let before = cpu();
    let output = command.output().context("pgbench cannot be started")?;
    let after = cpu();
    let (said, complaints) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    ensure!(output.status.success(), "pgbench failed: {}", complaints.trim());
    let number = |label: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(label));
        let word = line.and_then(|line| line.trim().split([' ', '/']).next());
        word.and_then(|word| word.parse::<f64>().ok())
            .with_context(|| format!("the output of pgbench has no {label:?}"))
    };
    let transactions = number("number of transactions actually processed: ")?;
    Ok(Floor {
        rate: number("tps = ")?,
        latency_ms: number("latency average = ")?,
        transactions: format!("{transactions:.0}").parse()?,
        cpu_us: after.each_since(before, transactions),
    })
}
