//! Prints a line for each campaign, and writes the report as Markdown.
//!
//! A JSON Lines file beside the report stores the last outcome of each campaign. So a campaign that runs alone replaces
//! only its own outcome.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::campaigns::Campaign;

/// The outcome of a campaign.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    pub name: String,
    /// The database.
    pub on: String,
    /// How often the fault was injected.
    pub n: u64,
    /// The unit of `n`.
    pub unit: String,
    /// Other observations.
    pub seen: Vec<String>,
    pub violations: Vec<String>,
    /// The reason why the campaign did not run.
    pub not_run: Option<String>,
    pub took_s: u64,
    /// The load average of the last minute when the campaign began.
    pub load: f64,
    /// The tested version: the day, the revision and the build.
    pub of: String,
}

impl Outcome {
    pub fn failed(&self) -> bool {
        !self.violations.is_empty()
    }

    fn is_of(&self, campaign: &Campaign) -> bool {
        self.name == campaign.name() && self.on == campaign.on()
    }
}

/// Returns the load average of the last minute; 0 if the system does not provide it.
pub fn machine_load() -> f64 {
    let told = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = told.split(' ').next().unwrap_or_default();
    first.parse().unwrap_or(0.0)
}

/// Prints one line about a campaign, and one line for each violation.
pub fn tell(outcome: &Outcome) {
    let Outcome { name, on, n, unit, .. } = outcome;
    if let Some(why) = &outcome.not_run {
        println!("NOT RUN  {name} on {on}: {why}");
        return;
    }
    let verdict = if outcome.failed() { "FAILED  " } else { "held    " };
    println!(
        "{verdict} {name} on {on}: {n} {unit}, {} s; {}",
        outcome.took_s,
        outcome.seen.join("; ")
    );
    for violation in &outcome.violations {
        println!("         {violation}");
    }
}

/// Deletes all outcomes.
pub fn begin(report: &Path) {
    let _ = std::fs::remove_file(kept_beside(report));
}

/// Stores an outcome, which replaces an earlier outcome of the same campaign, and writes the report.
pub fn add(report: &Path, all: &[Campaign], outcome: Outcome) {
    let file = kept_beside(report);
    let mut known: Vec<Outcome> = std::fs::read_to_string(&file)
        .unwrap_or_default()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    known.retain(|earlier| (&earlier.name, &earlier.on) != (&outcome.name, &outcome.on));
    known.push(outcome);
    // Sort the outcomes in the order of the list, and drop outcomes of removed campaigns.
    let known: Vec<Outcome> = all
        .iter()
        .filter_map(|campaign| known.iter().find(|outcome| outcome.is_of(campaign)).cloned())
        .collect();
    let lines = known
        .iter()
        .map(|outcome| serde_json::to_string(outcome).unwrap() + "\n");
    std::fs::write(file, lines.collect::<String>()).unwrap();
    std::fs::write(report, text(all, &known)).unwrap();
}

fn kept_beside(report: &Path) -> PathBuf {
    report.with_extension("jsonl")
}

fn text(all: &[Campaign], known: &[Outcome]) -> String {
    let ran = || known.iter().filter(|outcome| outcome.not_run.is_none());
    let loads = || ran().map(|outcome| outcome.load);
    let mut text = format!(
        "# Fault injection: which faults, and which results\n\n\
         `make faults` generates this page. Campaigns that interrupt the program at a named step use a debug build with \
         the cargo feature `faults`. The planted defects use a debug build of a copy of the source with the defects added. \
         PostgreSQL made commits durable. All programs ran on one machine of {} cores and communicated over loopback. When \
         the campaigns began, the load average of the last minute was between {:.1} and {:.1}, including the campaign \
         before. The times are not benchmarks.\n\n\
         The oracle (`tests/faults/oracle.rs`) checks the program from outside: it reads the database, the responses that \
         each caller and editor got, and the log of the stand-in for Twilio. Its first lines explain the invariants I1 to \
         I8.\n\n\
         **What N means.** A campaign without a violation in N tries shows, with 95 % confidence, only that the rate of \
         violations is below 3/N (the rule of three). Every row therefore has N and this rate.\n\n",
        std::thread::available_parallelism().map_or(0, usize::from),
        loads().fold(f64::INFINITY, f64::min),
        loads().fold(0.0, f64::max),
    );
    text.push_str(
        "| campaign | database | N | violations | a rate below | took | seen |\n|---|---|---|---|---|---|---|\n",
    );
    for outcome in ran() {
        let below = if outcome.failed() || outcome.n == 0 {
            "-".to_owned()
        } else {
            rate(outcome.n)
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} {} | {} | {below} | {} s | {} |",
            outcome.name,
            outcome.on,
            grouped(outcome.n),
            outcome.unit,
            outcome.violations.len(),
            grouped(outcome.took_s),
            outcome.seen.join("; ")
        );
    }
    text.push_str("\n## What each campaign does\n\n");
    let mut told: Vec<&str> = Vec::new();
    for campaign in all {
        if !told.contains(&campaign.name()) {
            told.push(campaign.name());
            let _ = writeln!(text, "- **{}**: {}", campaign.name(), campaign.about());
        }
    }
    let violated: Vec<_> = known.iter().filter(|outcome| outcome.failed()).collect();
    if !violated.is_empty() {
        text.push_str("\n## Violations\n\n");
        for outcome in violated {
            for violation in &outcome.violations {
                let _ = writeln!(text, "- {} on {}: {violation}", outcome.name, outcome.on);
            }
        }
    }
    let left: Vec<_> = all
        .iter()
        .filter_map(|campaign| match known.iter().find(|outcome| outcome.is_of(campaign)) {
            None => Some((campaign, "this campaign was not selected")),
            Some(outcome) => outcome.not_run.as_deref().map(|why| (campaign, why)),
        })
        .collect();
    if !left.is_empty() {
        text.push_str("\n## Not run\n\n");
        for (campaign, why) in left {
            let _ = writeln!(text, "- {} on {}: {why}", campaign.name(), campaign.on());
        }
    }
    text.push_str("\n## Tested versions\n\n");
    let mut revisions: Vec<&str> = ran().map(|outcome| outcome.of.as_str()).collect();
    revisions.sort_unstable();
    revisions.dedup();
    for of in revisions {
        let of_it = ran().filter(|outcome| outcome.of == of);
        let names: Vec<_> = of_it
            .map(|outcome| format!("{} on {}", outcome.name, outcome.on))
            .collect();
        let _ = writeln!(text, "- {of}: {}", names.join(", "));
    }
    text.push_str(
        "\n## Tested elsewhere\n\n\
         - 50 clients edit one price 10,000 times, and a revision is published every 50 ms under 300 evaluations per second: \
         `tests/it/edits.rs`, with these counts in `make verify`.\n\
         - The database is unavailable, with the spool: `tests/it/outage.rs` and `tests/it/spool.rs`.\n\
         - Hostile scripts: `tests/hostile_scripts.rs`; hostile messages and queries: `tests/it/hostile.rs`.\n\
         - Signatures are compared in constant time, with `subtle` (`src/intake/src/auth/verify.rs`). `==` would give the same \
         responses, so no campaign could detect it.\n",
    );
    text
}

fn rate(n: u64) -> String {
    // The rate 3/N in hundredths of a percent, rounded up.
    let hundredths = 30_000_u64.div_ceil(n);
    if hundredths >= 10_000 {
        "-".to_owned()
    } else {
        format!("{}.{:02} %", hundredths / 100, hundredths % 100)
    }
}

/// Formats 10000 as 10,000.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
