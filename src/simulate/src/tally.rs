//! Counts the responses of a simulation.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

/// Maximum number of entries in each list of the printed summary. The JSON summary has all entries.
const MOST_SHOWN: usize = 10;

/// The counters of a running simulation.
#[derive(Debug, Default)]
pub struct SimulationTally {
    calls: u64,
    latencies_us: BTreeMap<&'static str, Vec<u64>>,
    priorities: BTreeMap<String, u64>,
    prices: BTreeMap<String, u64>,
    tool_errors: BTreeMap<String, u64>,
    failures: BTreeMap<String, u64>,
}

/// The result of a simulation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The seed of the simulation; with this seed, another simulation plays the same calls.
    pub seed: u64,
    /// Whether the simulation was stopped before its end.
    pub interrupted: bool,
    /// Completed calls.
    pub calls: u64,
    /// Number of sent messages, with or without a 2xx response.
    pub messages: u64,
    /// Elapsed wall-clock time, in milliseconds.
    pub took_ms: u64,
    /// Latencies by message type.
    pub latency: BTreeMap<String, Latency>,
    /// Number of tool responses by priority.
    pub priorities: BTreeMap<String, u64>,
    /// Number of tool responses by price range.
    pub prices: BTreeMap<String, u64>,
    /// Number of tool responses by error.
    pub tool_errors: BTreeMap<String, u64>,
    /// Number of messages without a 2xx response, by status or error.
    pub failures: BTreeMap<String, u64>,
}

/// The latencies of one type of message, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// The number of messages.
    pub count: u64,
    /// The median.
    pub p50_us: u64,
    /// The 95th percentile.
    pub p95_us: u64,
    /// The 99th percentile.
    pub p99_us: u64,
    /// The maximum.
    pub max_us: u64,
}

impl SimulationTally {
    /// Counts a completed call.
    pub fn call(&mut self) {
        self.calls += 1;
    }

    /// Counts a message that got a 2xx response, and its latency.
    pub fn answered(&mut self, type_name: &'static str, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.latencies_us.entry(type_name).or_default().push(micros);
    }

    /// Counts a message without a 2xx response.
    pub fn failed(&mut self, why: String) {
        *self.failures.entry(why).or_default() += 1;
    }

    /// Counts the result of a tool call, which is plain text or JSON.
    pub fn tool(&mut self, result: &Result<String, String>) {
        match result {
            Ok(text) => {
                let value: Value = serde_json::from_str(text).unwrap_or(Value::Null);
                if let Some(priority) = find(&value, &priority_of) {
                    *self.priorities.entry(priority).or_default() += 1;
                }
                if let Some(price) = find(&value, &price_of) {
                    *self.prices.entry(price).or_default() += 1;
                }
            }
            Err(text) => *self.tool_errors.entry(text.chars().take(80).collect()).or_default() += 1,
        }
    }

    /// Returns the summary of the simulation so far.
    pub fn summary(&mut self, seed: u64, took: Duration, interrupted: bool) -> Summary {
        let latency: BTreeMap<String, Latency> = self
            .latencies_us
            .iter_mut()
            .map(|(name, sample)| ((*name).to_owned(), Latency::of(sample)))
            .collect();
        let failed: u64 = self.failures.values().sum();
        Summary {
            seed,
            interrupted,
            calls: self.calls,
            messages: failed + latency.values().map(|latency| latency.count).sum::<u64>(),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            latency,
            priorities: self.priorities.clone(),
            prices: self.prices.clone(),
            tool_errors: self.tool_errors.clone(),
            failures: self.failures.clone(),
        }
    }
}

impl Latency {
    /// Computes nearest-rank percentiles, so that each percentile is a measured value.
    fn of(sample: &mut [u64]) -> Self {
        sample.sort_unstable();
        let at = |percent: usize| {
            let rank = (sample.len() * percent).div_ceil(100).saturating_sub(1);
            sample.get(rank).copied().unwrap_or(0)
        };
        Self {
            count: u64::try_from(sample.len()).unwrap_or(u64::MAX),
            p50_us: at(50),
            p95_us: at(95),
            p99_us: at(99),
            max_us: at(100),
        }
    }
}

/// Searches a JSON tree for the first value that `hit` accepts. An object is checked before its members. The trace and
/// the taxes are skipped.
fn find(value: &Value, hit: &impl Fn(&Value) -> Option<String>) -> Option<String> {
    if let Some(found) = hit(value) {
        return Some(found);
    }
    let members = value.as_object()?;
    members
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "trace" | "taxes"))
        .find_map(|(_, member)| find(member, hit))
}

fn priority_of(value: &Value) -> Option<String> {
    let text = value.get("priority")?.as_str()?;
    Some(text.to_owned()).filter(|text| text.len() == 2 && text.starts_with('P'))
}

/// Returns the price range in `from` and `to`, in `price_from` and `price_to`, or in `min` and `max`.
fn price_of(value: &Value) -> Option<String> {
    let plain = |name: &str| match value.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let (from, to) = [("from", "to"), ("price_from", "price_to"), ("min", "max")]
        .into_iter()
        .find_map(|(from, to)| Some((plain(from)?, plain(to)?)))?;
    Some(if from == to { from } else { format!("{from} to {to}") })
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.interrupted { " (interrupted)" } else { "" };
        let (seconds, tenths) = (self.took_ms / 1000, self.took_ms % 1000 / 100);
        writeln!(
            f,
            "{} calls, {} messages in {seconds}.{tenths} s{end}; seed {}",
            self.calls, self.messages, self.seed
        )?;
        writeln!(
            f,
            "{:<28} {:>8} {:>10} {:>10} {:>10} {:>10}",
            "message", "count", "p50 ms", "p95 ms", "p99 ms", "max ms"
        )?;
        for (name, latency) in &self.latency {
            let ms = |us: u64| format!("{}.{:02}", us / 1000, us % 1000 / 10);
            writeln!(
                f,
                "{name:<28} {:>8} {:>10} {:>10} {:>10} {:>10}",
                latency.count,
                ms(latency.p50_us),
                ms(latency.p95_us),
                ms(latency.p99_us),
                ms(latency.max_us)
            )?;
        }
        let lists = [
            ("priorities", &self.priorities),
            ("prices", &self.prices),
            ("tool errors", &self.tool_errors),
            ("without a 2xx response", &self.failures),
        ];
        for (title, counts) in lists {
            if !counts.is_empty() {
                writeln!(f, "{title}: {}", most_frequent(counts))?;
            }
        }
        Ok(())
    }
}

/// Lists the most frequent entries with their counts, and the number of entries that are not listed.
fn most_frequent(counts: &BTreeMap<String, u64>) -> String {
    let mut sorted: Vec<(&String, &u64)> = counts.iter().collect();
    sorted.sort_by_key(|(_, count)| Reverse(**count));
    let (shown, others) = sorted.split_at(sorted.len().min(MOST_SHOWN));
    let mut list: Vec<String> = shown.iter().map(|(name, count)| format!("{name} ({count})")).collect();
    if !others.is_empty() {
        let count: u64 = others.iter().map(|(_, count)| **count).sum();
        list.push(format!("{} others ({count})", others.len()));
    }
    list.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_the_most_frequent_are_told_and_the_others_counted() {
        let few = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 3)]);
        assert_eq!(most_frequent(&few), "b (3), a (1)");
        let many = (0..12).map(|n| (format!("{n:02}"), 20 - n)).collect();
        assert!(
            most_frequent(&many).ends_with("09 (11), 2 others (19)"),
            "{}",
            most_frequent(&many)
        );
    }
}
