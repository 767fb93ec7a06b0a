//! Measures requests to the admin API on a database with many calls, compared with an almost empty database.
//!
//! It needs a durable PostgreSQL server (TEST_POSTGRES_URL; `make growth` starts one) or `--sqlite`. It prints the
//! median response time of each request on both databases. The migrations create both databases. The server records a
//! few calls in each database. In the full database, `fill.sql` then multiplies these calls. Requests go to the two
//! servers in turn.
#![expect(clippy::print_stdout, reason = "it prints its measurements")]

mod client;
mod fill;
mod requests;
#[path = "../report_path/server.rs"]
mod server;

use anyhow::{Context as _, Result, ensure};
use base::clock::Clock;
use clap::Parser;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection};
use simulate::SimulateOptions;
use tempfile::TempDir;

use client::Client;
use server::Server;

/// Number of calls that the server records in each database.
const RECORDED_CALLS: u64 = 24;
const RULEBOOKS: [&str; 4] = ["east", "north", "south", "west"];

#[derive(Parser)]
struct Options {
    /// Number of calls in the full database.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=20_000_000))]
    calls: u32,
    /// Use SQLite instead of PostgreSQL.
    #[arg(long)]
    sqlite: bool,
    /// How often each request is measured.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u8).range(1..=100))]
    rounds: u8,
    /// Measure only requests whose name contains this text.
    #[arg(long)]
    only: Option<String>,
    /// Keep the databases under this name (a folder on SQLite), and use them again if they exist.
    #[arg(long)]
    keep: Option<String>,
    /// Fail if a request takes longer than 100 ms, or 300 ms if it reads a year.
    #[arg(long)]
    strict: bool,
    /// `cargo bench` adds this argument.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(&options))
}

async fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let places = Places::new(options, &folder).await?;
    let empty = open(&places, "empty", None).await?;
    let full = open(&places, "full", Some(options.calls)).await?;
    let measured = requests::measure(options, &empty, &full).await;
    if measured.is_err() {
        println!("{}\n{}", empty.log(), full.log());
    }
    empty.stop().await?;
    full.stop().await?;
    places.remove(options).await?;
    measured
}

/// Starts a server on a database. A new database gets rulebooks and recorded calls. If `calls` is set, `fill.sql` then
/// multiplies the calls.
async fn open(places: &Places, name: &str, calls: Option<u32>) -> Result<Server> {
    let (url, is_old) = places.create(name).await?;
    let server = Server::ringbook(&url, "none").await?;
    if !is_old {
        let mut client = Client::connect(server.address).await?;
        for code in RULEBOOKS {
            let body = serde_json::json!({"code": code, "copy_of": "default", "sms_delivery": "simulated"});
            client.expect("POST", "/admin/v1/rulebooks", Some(&body), 201).await?;
        }
        record(&server).await?;
        if let Some(calls) = calls {
            let db = connect(&url).await?;
            fill::fill(&db, calls).await?;
            db.close().await?;
        }
    }
    Ok(server)
}

/// Sends simulated calls to the server, which records them.
async fn record(server: &Server) -> Result<()> {
    let options = SimulateOptions {
        url: format!("http://{}", server.address),
        secret: server::SECRET.to_owned(),
        rulebook: None,
        rate: 0.0,
        count: RECORDED_CALLS,
        seed: Some(1),
        concurrency: 2,
        at: None,
        quiet: true,
        json: true,
    };
    let summary = simulate::run_until(options, Clock::system(), std::future::pending()).await?;
    ensure!(summary.failures.is_empty(), "{:?}\n{}", summary.failures, server.log());
    Ok(())
}

async fn connect(url: &str) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options)
        .await
        .with_context(|| format!("there is no database at {url}"))
}

enum Places {
    Postgres {
        server: DatabaseConnection,
        url: String,
        prefix: String,
    },
    Sqlite(std::path::PathBuf),
}

impl Places {
    async fn new(options: &Options, folder: &TempDir) -> Result<Self> {
        if options.sqlite {
            let kept = options.keep.as_ref().map(std::path::PathBuf::from);
            return Ok(Self::Sqlite(kept.unwrap_or_else(|| folder.path().to_owned())));
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "a benchmark reads its own environment variables"
        )]
        let url = std::env::var("TEST_POSTGRES_URL").context("TEST_POSTGRES_URL is not set: run `make growth`")?;
        let prefix = options
            .keep
            .clone()
            .unwrap_or_else(|| format!("growth_{}", Clock::system().new_id().simple()));
        Ok(Self::Postgres {
            server: connect(&url).await?,
            url,
            prefix,
        })
    }

    /// Creates a database, unless it exists. Returns its URL, and whether it existed.
    async fn create(&self, name: &str) -> Result<(String, bool)> {
        match self {
            Self::Sqlite(folder) => {
                let file = folder.join(format!("{name}.db"));
                Ok((format!("sqlite://{}", file.display()), file.exists()))
            }
            Self::Postgres { server, url, prefix } => {
                let host = url.rsplit_once('/').context("TEST_POSTGRES_URL names no database")?.0;
                let name = format!("{prefix}_{name}");
                let created = server.execute_unprepared(&format!("CREATE DATABASE {name}")).await;
                Ok((format!("{host}/{name}"), created.is_err()))
            }
        }
    }

    async fn remove(self, options: &Options) -> Result<()> {
        if let (Self::Postgres { server, prefix, .. }, None) = (self, &options.keep) {
            for name in ["empty", "full"] {
                let drop = format!("DROP DATABASE IF EXISTS {prefix}_{name} WITH (FORCE)");
                server.execute_unprepared(&drop).await?;
            }
        }
        Ok(())
    }
}
