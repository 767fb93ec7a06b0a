//! Builds the tables of results in Markdown.

use std::fmt::Write as _;

use super::cpu::Cpu;

/// The results of a competitor, one for each turn.
pub struct Series {
    pub name: String,
    turns: Vec<Turn>,
}

/// The result of one turn.
#[derive(Clone, Copy)]
pub struct Turn {
    /// Reports per second.
    pub rate: f64,
    /// The median of the response times, in milliseconds. For pgbench, this is the mean.
    pub typical_ms: f64,
    /// The 99th percentile of the response times, in milliseconds.
    pub p99_ms: Option<f64>,
    /// Microseconds of CPU time for each report.
    pub cpu_us: Cpu,
}

impl Series {
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            turns: Vec::new(),
        }
    }

    pub fn push(&mut self, turn: Turn) {
        self.turns.push(turn);
    }

    /// Returns the median rate; 0 if there was no turn.
    pub fn rate(&self) -> f64 {
        self.median(|turn| turn.rate)
    }

    fn median(&self, value: impl Fn(&Turn) -> f64) -> f64 {
        let mut values: Vec<f64> = self.turns.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    }

    fn row(&self, floor: f64) -> String {
        if self.turns.is_empty() {
            return format!("| {} | not run | | | | | |\n", self.name);
        }
        let rates = || self.turns.iter().map(|turn| turn.rate);
        let (least, most) = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
        let ratio = if floor > 0.0 {
            format!("{:.2}", self.rate() / floor)
        } else {
            String::new()
        };
        let p99 = self.turns.iter().all(|turn| turn.p99_ms.is_some());
        let p99 = if p99 {
            format!("{:.1}", self.median(|turn| turn.p99_ms.unwrap_or_default()))
        } else {
            String::new()
        };
        format!(
            "| {} | {:.0} ({least:.0} to {most:.0}) | {ratio} | {:.1} | {p99} | {:.0} | {:.0} |\n",
            self.name,
            self.rate(),
            self.median(|turn| turn.typical_ms),
            self.median(|turn| turn.cpu_us.server),
            self.median(|turn| turn.cpu_us.postgres),
        )
    }
}

/// Returns the table of reports. The first series is the floor; the table compares the other series with it.
pub fn reports(series: &[&Series]) -> String {
    let floor = series.first().map_or(0.0, |floor| floor.rate());
    let mut table =
        "| reports | per second | to the floor | ms, median | ms, 99 % | server CPU, µs | PostgreSQL CPU, µs |\n\
                |---|---|---|---|---|---|---|\n"
            .to_owned();
    table.extend(series.iter().map(|series| series.row(floor)));
    table
}

/// Returns the table of decisions, from the output of `cargo bench --bench decide -- --output-format bencher`. The
/// lines of the output are `test decide/NAME ... bench: 15,012 ns/iter (+/- 123)`.
pub fn decisions(output: &str) -> String {
    let mut table = "| decisions | µs each | ± |\n|---|---|---|\n".to_owned();
    for line in output.lines() {
        let Some((name, numbers)) = line
            .strip_prefix("test decide/")
            .and_then(|rest| rest.split_once(" ... bench:"))
        else {
            continue;
        };
        let microseconds = |text: &str| {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            digits.parse::<f64>().unwrap_or_default() / 1000.0
        };
        let (each, spread) = numbers.split_once("ns/iter").unwrap_or((numbers, ""));
        let _ = writeln!(
            table,
            "| {name} | {:.1} | {:.1} |",
            microseconds(each),
            microseconds(spread)
        );
    }
    table
}
