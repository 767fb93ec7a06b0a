//! Reads the CPU time of processes from `/proc`. The time is 0 if `/proc` cannot be read.

use std::fs;

/// Ticks per second in `/proc/PID/stat`, the same on every Linux.
const TICKS: f64 = 100.0;

/// CPU time by process: in seconds from [`Cpu::now`], in microseconds from [`Cpu::each_since`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// CPU time of the server under test and its child processes.
    pub server: f64,
    /// CPU time of all processes of PostgreSQL.
    pub postgres: f64,
    /// CPU time of this process and of the programs that it has waited for.
    pub driver: f64,
}

impl Cpu {
    /// Returns the CPU time until now; `server` and `postmaster` are process ids.
    pub fn now(server: Option<u32>, postmaster: Option<u32>) -> Self {
        let of = |pid| stat(pid).unwrap_or_default();
        Self {
            server: server.map_or(0.0, family),
            postgres: postmaster.map_or(0.0, |pid| family(pid) + of(pid).waited_for),
            driver: of(std::process::id()).own + of(std::process::id()).waited_for,
        }
    }

    /// Returns the CPU time since `earlier` divided by `count`, in microseconds.
    pub fn each_since(self, earlier: Self, count: f64) -> Self {
        let each = |now: f64, then: f64| (now - then) * 1e6 / count.max(1.0);
        Self {
            server: each(self.server, earlier.server),
            postgres: each(self.postgres, earlier.postgres),
            driver: each(self.driver, earlier.driver),
        }
    }
}

/// Returns the parent of a process.
pub fn parent(pid: u32) -> Option<u32> {
    stat(pid).map(|stat| stat.parent)
}

#[derive(Default)]
struct Stat {
    parent: u32,
    own: f64,
    waited_for: f64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The process name comes before these fields and may contain any character.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u32>().ok();
    let seconds = |index| Some(f64::from(number(index)? + number(index + 1)?) / TICKS);
    Some(Stat {
        parent: number(1)?,
        own: seconds(11)?,
        waited_for: seconds(13)?,
    })
}

/// Returns the CPU time of a process and its running children, in seconds.
fn family(parent: u32) -> f64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let stats = pids.filter_map(|pid| Some((pid, stat(pid)?)));
    let family = stats.filter(|(pid, stat)| *pid == parent || stat.parent == parent);
    family.map(|(_, stat)| stat.own).sum()
}
