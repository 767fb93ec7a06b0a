//! Runs a server under test, by default the binary that `cargo bench` built, and waits until it is ready. Dropping the
//! [`Server`] kills the process.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// The secret that signs the reports.
pub const SECRET: &str = "report-path-secret-0123456789";
/// The key of the admin API.
pub const ADMIN_KEY: &str = "report-path-admin-key";
/// Timeout of a start or a stop.
const START_STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// A server for the benchmark.
pub struct Server {
    pub address: SocketAddr,
    process: Child,
    folder: TempDir,
}

impl Server {
    /// Starts Ringbook and waits until it is ready.
    pub async fn ringbook(database_url: &str, workers: &str) -> Result<Self> {
        let mut command = Command::new(program());
        command
            .env_clear()
            .env("DATABASE_URL", database_url)
            .env("RINGBOOK_ADMIN_KEY", ADMIN_KEY)
            .env("RINGBOOK_VAPI_SECRET", SECRET)
            .env("RINGBOOK_SECRET_KEY", "01".repeat(32))
            .env("RINGBOOK_WORKERS", workers)
            .env("RATE_LIMIT_ENABLED", "false")
            .env("LOG_LEVEL", "warn")
            .env("LOG_FORMAT", "json");
        Self::start(command, |command, address| {
            command.env("RINGBOOK_LISTEN", address.to_string());
        })
        .await
    }

    /// Starts a program and waits until it is ready. `listen` sets the address on which the program listens.
    pub async fn start(mut command: Command, listen: impl FnOnce(&mut Command, SocketAddr)) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = File::create(folder.path().join("log"))?;
        listen(&mut command, address);
        let process = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("the server cannot be started")?;
        let mut server = Self {
            address,
            process,
            folder,
        };
        let began = Instant::now();
        while !is_ready(address).await {
            if let Some(status) = server.process.try_wait()? {
                bail!("the server ended with {status}:\n{}", server.log());
            }
            if began.elapsed() > START_STOP_TIMEOUT {
                bail!("the server is not ready:\n{}", server.log());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Returns the last lines of the server's log.
    pub fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(10)..)
            .unwrap_or_default()
            .join("\n")
    }

    /// Stops the server with SIGTERM and waits until it has exited with success.
    pub async fn stop(mut self) -> Result<()> {
        Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        let began = Instant::now();
        loop {
            match self.process.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the server stopped with {status}:\n{}", self.log()),
                None if began.elapsed() > START_STOP_TIMEOUT => bail!("the server does not stop:\n{}", self.log()),
                None => sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After an error the process may still run, and it must not outlive the benchmark.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the path in RINGBOOK_BENCH_SERVER. Without this variable, returns the path of the binary that `cargo bench`
/// built.
fn program() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "a benchmark reads its own environment variables"
    )]
    std::env::var("RINGBOOK_BENCH_SERVER").unwrap_or_else(|_| env!("CARGO_BIN_EXE_ringbook").to_owned())
}

async fn is_ready(address: SocketAddr) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await?;
        Ok::<_, std::io::Error>(answer.ends_with(b" 200"))
    };
    asked.await.unwrap_or(false)
}
