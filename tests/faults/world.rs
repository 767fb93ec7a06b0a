//! The environment of a campaign: a database, programs on it, a stand-in for Twilio, and proxies between them. A
//! campaign can kill, pause and stop the programs, and read their logs.

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use base::clock::Clock;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use sea_orm::{ConnectOptions, DatabaseConnection};
use tempfile::TempDir;

use crate::{
    support::{
        Database,
        app::{ADMIN_KEY, VAPI_SECRET},
        database::TestDatabase,
    },
    twilio::Twilio,
};

/// The value of `RINGBOOK_SECRET_KEY` for every program.
pub const SECRET_KEY: &str = "0101010101010101010101010101010101010101010101010101010101010101";
/// The auth token of the Twilio account.
pub const TWILIO_TOKEN: &str = "planted-twilio-token-5b1f";
/// Maximum time to wait for an expected state. It is long enough for slow machines.
pub const MAX_WAIT: Duration = Duration::from_mins(2);

/// The settings of a run, from environment variables.
pub struct Scale {
    /// Whether all campaigns run with their full counts and write a report.
    pub long: bool,
    /// The released program.
    pub binary: PathBuf,
    /// The program with fault points, if it was built.
    pub breaking: Option<PathBuf>,
    /// The program with planted defects (`scripts/build_with_defects.sh`), if it was built.
    pub defective: Option<PathBuf>,
    /// The path of the report; the outcomes are stored beside it.
    pub report: Option<PathBuf>,
    /// The tested version: the day, the revision and the build.
    pub of: String,
    /// The divisor of the campaigns' counts in the long version, for a quick trial.
    divide: u64,
}

impl Scale {
    #[expect(clippy::disallowed_methods, reason = "tests read their own environment variables")]
    pub fn from_environment() -> Self {
        let path = |name: &str| std::env::var(name).ok().map(PathBuf::from);
        let known = |name: &str| std::env::var(name).unwrap_or_else(|_| "not told".to_owned());
        Self {
            long: std::env::var("RINGBOOK_FAULTS_LONG").is_ok(),
            binary: path("RINGBOOK").unwrap_or_else(|| env!("CARGO_BIN_EXE_ringbook").into()),
            breaking: path("RINGBOOK_FAULTS_BINARY"),
            defective: path("RINGBOOK_FAULTS_DEFECTS_BINARY"),
            report: path("RINGBOOK_FAULTS_REPORT"),
            of: format!(
                "revision {} ({}) on {}",
                known("RINGBOOK_FAULTS_REVISION"),
                known("RINGBOOK_FAULTS_BUILD"),
                Clock::system().now().format("%Y-%m-%d")
            ),
            divide: std::env::var("RINGBOOK_FAULTS_DIVIDE").map_or(1, |text| text.parse().unwrap()),
        }
    }

    /// Returns `long` divided by the divisor in the long version, and `short` in the short version.
    pub fn count(&self, long: u64, short: u64) -> u64 {
        if self.long { (long / self.divide).max(1) } else { short }
    }
}

/// A pseudorandom generator that yields the same numbers for the same seed.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Draws a number below `below`.
    pub fn below(&mut self, below: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// A database, a stand-in, and the logs of all programs that ran on them.
pub struct World {
    pub database: TestDatabase,
    pub twilio: Twilio,
    pub client: reqwest::Client,
    pub clock: Clock,
    folder: TempDir,
    /// The folder of the programs' logs, if it is not the world's folder.
    pub logs_in: Option<PathBuf>,
    /// Additional environment variables of every program.
    pub env: Vec<(String, String)>,
    logs: std::sync::atomic::AtomicU64,
}

impl World {
    pub async fn new(kind: Database) -> Self {
        let twilio = Twilio::start().await;
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        Self {
            database: TestDatabase::create(kind).await,
            twilio,
            client,
            clock: Clock::system(),
            folder: tempfile::tempdir().unwrap(),
            logs_in: None,
            env: Vec::new(),
            logs: 0.into(),
        }
    }

    /// Adds an environment variable for every program.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Returns the world's folder, which is removed when the world is dropped.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns an address with a free port. A program can be restarted on the same address.
    pub fn address() -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    }

    /// Builds a command that runs the program with the world's settings.
    pub fn command(&self, binary: &Path) -> Command {
        let mut command = Command::new(binary);
        command
            .env_clear()
            .env("PATH", path())
            .env("DATABASE_URL", &self.database.url)
            .env("RINGBOOK_VAPI_SECRET", VAPI_SECRET)
            .env("RINGBOOK_ADMIN_KEY", ADMIN_KEY)
            .env("RINGBOOK_SECRET_KEY", SECRET_KEY)
            .env("RATE_LIMIT_ENABLED", "false")
            .env("LOG_FORMAT", "json")
            .env("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000001")
            .env("TWILIO_AUTH_TOKEN", TWILIO_TOKEN)
            .env("TWILIO_FROM", "+15145550100")
            .env("TWILIO_BASE_URL", self.twilio.url())
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        for (name, value) in &self.env {
            command.env(name, value);
        }
        command
    }

    /// Starts a server on `address`, without waiting until it is ready.
    pub fn start(&self, binary: &Path, address: SocketAddr, more: &[(&str, &str)]) -> Program {
        let number = self.logs.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let log = File::create(self.log(number)).unwrap();
        let mut command = self.command(binary);
        command
            .arg("serve")
            .env("RINGBOOK_LISTEN", address.to_string())
            .stdout(Stdio::null())
            .stderr(log);
        for (name, value) in more {
            command.env(name, value);
        }
        Program {
            child: command.spawn().unwrap(),
        }
    }

    /// Starts a server and waits until it is ready. Also returns how long the start took.
    pub async fn started(&self, binary: &Path, address: SocketAddr, more: &[(&str, &str)]) -> (Program, Duration) {
        let began = Instant::now();
        let mut program = self.start(binary, address, more);
        while !self.is_ready(address).await {
            if let Ok(Some(status)) = program.child.try_wait() {
                panic!(
                    "the program ended with {status} before it was ready:\n{}",
                    self.last_log()
                );
            }
            assert!(
                began.elapsed() < MAX_WAIT,
                "the program did not become ready in time:\n{}",
                self.last_log()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (program, began.elapsed())
    }

    pub async fn is_ready(&self, address: SocketAddr) -> bool {
        let asked = self.client.get(format!("http://{address}/health/ready")).send().await;
        asked.is_ok_and(|answer| answer.status().is_success())
    }

    /// Runs a command of the program to its end.
    pub async fn run(&self, binary: &Path, arguments: &[&str]) -> Output {
        let mut command = self.command(binary);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    }

    /// Returns the logs of all programs.
    pub fn logs(&self) -> String {
        let mut all = String::new();
        for entry in std::fs::read_dir(self.log(0).parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "jsonl") {
                all.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
            }
        }
        all
    }

    fn log(&self, number: u64) -> PathBuf {
        let folder = self.logs_in.as_deref().unwrap_or(self.folder.path());
        folder.join(format!("log-{number}.jsonl"))
    }

    fn last_log(&self) -> String {
        let number = self.logs.load(std::sync::atomic::Ordering::SeqCst) - 1;
        let log = std::fs::read_to_string(self.log(number)).unwrap();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        lines.join("\n")
    }

    /// Connects to the database directly.
    pub async fn look(&self) -> DatabaseConnection {
        let mut options = ConnectOptions::new(self.database.url.clone());
        options.max_connections(2).sqlx_logging(false);
        sea_orm::Database::connect(options).await.unwrap()
    }

    pub async fn remove(self) {
        self.database.remove().await;
    }
}

#[expect(clippy::disallowed_methods, reason = "PostgreSQL's programs are found through PATH")]
fn path() -> String {
    std::env::var("PATH").unwrap_or_default()
}

/// A running program. Dropping this value kills the program.
pub struct Program {
    child: Child,
}

impl Program {
    /// The process id of the program.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Limits the program's open files and address space.
    pub fn limit(&self, descriptors: u64, addresses: u64) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        for (resource, most) in [(Resource::Nofile, descriptors), (Resource::As, addresses)] {
            let limit = Rlimit {
                current: Some(most),
                maximum: Some(most),
            };
            prlimit(pid, resource, limit).unwrap();
        }
    }

    /// Sends SIGKILL, so the program cannot finish its work or close its files.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Sends SIGSTOP: the program pauses and retains its locks and leases.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Sends SIGCONT: the program continues as if no time had passed.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Sends SIGTERM. Returns whether the program exited cleanly.
    pub async fn stop(mut self) -> bool {
        self.signal(Signal::TERM);
        self.ended().await == Some(0)
    }

    /// Waits until the program exits, and returns its status.
    pub async fn ended(&mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(began.elapsed() < MAX_WAIT, "the program did not exit in time");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Whether the program is still running.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        let _ = kill_process(pid, signal);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
