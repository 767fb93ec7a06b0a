//! Metrics of the process: its build, memory, processor time and open files, and when each worker last ran. The values
//! are read when a client requests `/metrics`.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics::{counter, gauge};

pub(super) const BUILD_INFO: &str = "ringbook_build_info";
pub(super) const WORKER_AGE: &str = "ringbook_worker_last_run_age_seconds";
pub(super) const LAST_SUCCESS_AGE: &str = "ringbook_last_success_age_seconds";
pub(super) const CPU_SECONDS: &str = "process_cpu_seconds_total";
pub(super) const RESIDENT_BYTES: &str = "process_resident_memory_bytes";
pub(super) const OPEN_FILES: &str = "process_open_fds";
pub(super) const UPTIME: &str = "process_uptime_seconds";

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);
static WORKERS: LazyLock<Mutex<BTreeMap<&'static str, Instant>>> = LazyLock::new(Mutex::default);

/// Records that a worker did its work, or found no work.
pub fn worker_ran(worker: &'static str) {
    let mut workers = WORKERS.lock().unwrap_or_else(PoisonError::into_inner);
    workers.insert(worker, Instant::now());
}

/// Jobs that are reported even if they never succeeded. So an operator notices that nobody runs the backup command, or
/// that no instance runs the reconciler.
const EXPECTED: [&str; 2] = ["backup", "reconciler"];

/// The age of each job's last success, and when that age was read.
static SUCCESSES: LazyLock<Mutex<BTreeMap<String, (Duration, Instant)>>> = LazyLock::new(Mutex::default);

/// Stores how long ago each job last succeeded, according to the database.
pub fn last_successes(jobs: impl IntoIterator<Item = (String, Duration)>) {
    let now = Instant::now();
    let jobs = jobs.into_iter().map(|(job, age)| (job, (age, now)));
    *SUCCESSES.lock().unwrap_or_else(PoisonError::into_inner) = jobs.collect();
}

pub(super) fn start() {
    LazyLock::force(&STARTED);
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1);
}

/// Updates the gauges. A value that the operating system does not provide is omitted.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
pub(super) fn refresh() {
    gauge!(UPTIME).set(STARTED.elapsed().as_secs_f64());
    let workers = WORKERS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for (worker, ran) in workers {
        gauge!(WORKER_AGE, "worker" => worker).set(ran.elapsed().as_secs_f64());
    }
    let successes = SUCCESSES.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for job in EXPECTED.into_iter().filter(|job| !successes.contains_key(*job)) {
        gauge!(LAST_SUCCESS_AGE, "job" => job).set(f64::INFINITY);
    }
    for (job, (age, read)) in successes {
        gauge!(LAST_SUCCESS_AGE, "job" => job).set((age + read.elapsed()).as_secs_f64());
    }
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    counter!(CPU_SECONDS).absolute(used.tv_sec.unsigned_abs());
    if let Some(bytes) = resident_bytes() {
        gauge!(RESIDENT_BYTES).set(bytes as f64);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        gauge!(OPEN_FILES).set(files.count() as f64);
    }
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_files() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1_000_000));
    }
}
