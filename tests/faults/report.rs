//! What was seen. In: the outcome of each campaign. Out: a line for each on standard output, and the report as Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use ringbook::clock::Clock;

use crate::world::Scale;

/// What became of a campaign.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub name: String,
    /// What was done, and what must hold.
    pub about: &'static str,
    /// The database.
    pub on: &'static str,
    /// How often the fault was made.
    pub n: u64,
    /// What N counts.
    pub unit: &'static str,
    /// What was seen besides.
    pub seen: Vec<String>,
    pub violations: Vec<String>,
    /// Why it was not run.
    pub not_run: Option<String>,
    pub took: Duration,
}

impl Outcome {
    pub fn failed(&self) -> bool {
        !self.violations.is_empty()
    }
}

/// A line about a campaign, and one for each violation.
pub fn tell(outcome: &Outcome) {
    let Outcome { name, on, n, unit, .. } = outcome;
    if let Some(why) = &outcome.not_run {
        println!("NOT RUN  {name} on {on}: {why}");
        return;
    }
    let verdict = if outcome.failed() { "FAILED  " } else { "held    " };
    println!(
        "{verdict} {name} on {on}: {n} {unit}, {:.1} s; {}",
        outcome.took.as_secs_f64(),
        outcome.seen.join("; ")
    );
    for violation in &outcome.violations {
        println!("         {violation}");
    }
}

/// Writes the report, where one is asked for.
pub fn write(scale: &Scale, outcomes: &[Outcome]) {
    let Some(path) = &scale.report else { return };
    std::fs::write(path, text(outcomes)).unwrap();
    println!("the report is written");
}

#[expect(clippy::disallowed_methods, reason = "tests have settings of their own")]
fn text(outcomes: &[Outcome]) -> String {
    let known = |name: &str| std::env::var(name).unwrap_or_else(|_| "not told".to_owned());
    let mut text = format!(
        "# What was broken, and what held\n\n\
         Made by `make faults` on {}, of revision {}, with {} of the program; the campaigns that break it at a named place, and \
         the planted defects, with a debug build that has the feature `faults`. PostgreSQL waited for the disk. Everything ran \
         on one machine, over loopback.\n\n\
         The oracle (`tests/faults/oracle.rs`) is outside of the program: it reads the database, what each caller and editor \
         was answered, and the log of the stand-in for Twilio. The invariants I1 to I8 are explained in its first lines.\n\n\
         **What N means.** A campaign without a violation in N tries shows, with 95 % confidence, only that the rate of \
         violations is below 3/N (the rule of three). N is therefore in every row, and so is what it says.\n\n",
        Clock::system().now().format("%Y-%m-%d"),
        known("RINGBOOK_FAULTS_REVISION"),
        known("RINGBOOK_FAULTS_BUILD"),
    );
    text.push_str("| campaign | database | N | violations | a rate below | seen |\n|---|---|---|---|---|---|\n");
    for outcome in outcomes.iter().filter(|outcome| outcome.not_run.is_none()) {
        let below = if outcome.failed() || outcome.n == 0 {
            "-".to_owned()
        } else {
            rate(outcome.n)
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} {} | {} | {below} | {} |",
            outcome.name,
            outcome.on,
            grouped(outcome.n),
            outcome.unit,
            outcome.violations.len(),
            outcome.seen.join("; ")
        );
    }
    text.push_str("\n## What each campaign does\n\n");
    let mut told: Vec<&str> = Vec::new();
    for outcome in outcomes {
        if !told.contains(&outcome.name.as_str()) {
            told.push(&outcome.name);
            let _ = writeln!(text, "- **{}**: {}", outcome.name, outcome.about);
        }
    }
    let violated: Vec<_> = outcomes.iter().filter(|outcome| outcome.failed()).collect();
    if !violated.is_empty() {
        text.push_str("\n## Violations\n\n");
        for outcome in violated {
            for violation in &outcome.violations {
                let _ = writeln!(text, "- {} on {}: {violation}", outcome.name, outcome.on);
            }
        }
    }
    let left: Vec<_> = outcomes.iter().filter(|outcome| outcome.not_run.is_some()).collect();
    if !left.is_empty() {
        text.push_str("\n## Not run\n\n");
        for outcome in left {
            let why = outcome.not_run.as_deref().unwrap_or_default();
            let _ = writeln!(text, "- {} on {}: {why}", outcome.name, outcome.on);
        }
    }
    text.push_str(
        "\n## Held elsewhere\n\n\
         - 50 clients who edit one price 10,000 times, and a revision every 50 ms under 300 evaluations a second: \
         `tests/it/edits.rs`, with these counts in `make verify`.\n\
         - The database away, with the spool: `tests/it/outage.rs` and `tests/it/spool.rs`.\n\
         - Hostile scripts: `tests/hostile_scripts.rs`; hostile messages and queries: `tests/it/hostile.rs`.\n\
         - That the signature is compared in constant time is held by its one door to `subtle` (`tests/it/architecture.rs`): \
         `==` gives the same answers, so no campaign can tell it apart.\n",
    );
    text
}

fn rate(n: u64) -> String {
    // In hundredths of a percent, rounded up.
    let hundredths = 30_000_u64.div_ceil(n);
    if hundredths >= 10_000 {
        "-".to_owned()
    } else {
        format!("{}.{:02} %", hundredths / 100, hundredths % 100)
    }
}

/// 10,000 for 10000.
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
