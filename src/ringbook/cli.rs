//! The command line. Each command is one line in [`Command`] and one function, or a file in `cli/`. Commands print to
//! standard output; logs go to standard error.

mod backtest;
mod backtest_table;
mod backup;
mod doctor;
mod hear;
mod learn;
mod reconcile;
mod replay;
mod rules;

use std::{
    io::{IsTerminal as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, anyhow};
use chrono::{DateTime, Utc};
use clap::{Parser, Subcommand};
use indicatif::ProgressBar;
use poem::http::Uri;
use tokio::signal;

use crate::app::{self, App};
use crate::first_start;
use crate::settings::{Flags, Settings, flags};
use crate::start_messages;
use base::{clock::Clock, telemetry};
use intake::auth::access::DEFAULT_RULEBOOK;
use revisions::cache::RulebookCache;
use revisions::publish::Publisher;
use simulate::{SimulateOptions, Summary};
use store::{
    audit_log::AuditKey,
    audit_verify::{AuditVerdict, NotedHead, verify},
    connect, fault_points, migrate, rulebooks, simulated_calls,
};

pub use self::rules::Rules;

/// The rulebook behind a business's phone: prices, priorities and SMS messages for Vapi calls, from rules in the database.
#[derive(Debug, Parser)]
#[command(name = "ringbook", version = fault_points::VERSION, after_help = "`ringbook serve --help` lists every setting of the server.", max_term_width = 120)]
pub struct Cli {
    /// The command; `serve` if missing.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings given as flags.
    #[command(flatten)]
    pub flags: Flags,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer calls until stopped (the default). Creates and migrates the database first
    #[command(after_help = flags::help_on_settings())]
    Serve,
    /// Migrate the database's schema up or down
    Migrate {
        /// The direction.
        #[command(subcommand)]
        way: Migrate,
    },
    /// Export, import, compare, check and publish a rulebook
    Rules {
        /// The action.
        #[command(subcommand)]
        way: Rules,
    },
    /// Verify that the audit log was not altered
    Audit {
        /// The action.
        #[command(subcommand)]
        what: Audit,
    },
    /// Play realistic signed calls against a running server: a demo, a smoke test, a load test
    Simulate(Simulate),
    /// Try a change on past calls, and show which quotes, priorities and SMS messages would differ
    Backtest(backtest::Backtest),
    /// Repeat stored decisions and compare the results byte by byte; fails if a result differs
    Replay(replay::Replay),
    /// Measure how well a rulebook understands labelled calls: emergencies, services, areas and prices, by type of call
    Hear(hear::Hear),
    /// Learn the weights of a folder's classifiers from labelled calls
    Learn(learn::Learn),
    /// Fetch from Vapi the reports that never arrived, and record them
    Reconcile(reconcile::Reconcile),
    /// Check the set-up: settings, database, public URL, Vapi, Twilio; fails if something does not work
    Doctor(doctor::Doctor),
    /// Back up the database while servers use it: a file for SQLite, a dump for PostgreSQL
    Backup(backup::Backup),
    /// Restore a backup; SMS messages that were unsent in it are not sent automatically
    Restore(backup::Restore),
    /// Print the API's OpenAPI document
    Openapi,
}

impl Command {
    /// Whether the command needs an existing database. If somebody runs such a command in the wrong folder, the command
    /// must not create a new database there.
    fn needs_a_database(&self) -> bool {
        match self {
            Self::Migrate { way } => !matches!(way, Migrate::Up),
            Self::Rules { way } => way.needs_a_database(),
            Self::Hear(how) => how.needs_a_database(),
            Self::Audit { .. } | Self::Backtest(_) | Self::Replay(_) | Self::Reconcile(_) | Self::Backup(_) => true,
            // The doctor checks the database itself.
            Self::Serve | Self::Simulate(_) | Self::Doctor(_) | Self::Restore(_) | Self::Openapi | Self::Learn(_) => {
                false
            }
        }
    }
}

/// Actions on the audit log.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Check for entries that were altered, removed, added or moved; names the first such entry and fails
    Verify {
        /// Also check that this head, which the server wrote to its log as SEQ:MAC, is still in the chain
        #[arg(long)]
        head: Option<NotedHead>,
        /// No progress bar
        #[arg(long)]
        quiet: bool,
    },
}

/// The options of a simulation.
#[derive(Debug, clap::Args)]
pub struct Simulate {
    /// The server's URL; the default scheme is http
    #[arg(long, default_value = "http://127.0.0.1:8080", value_parser = server_address)]
    url: String,
    /// The webhook secret; RINGBOOK_VAPI_SECRET by default
    #[arg(long)]
    secret: Option<String>,
    /// The rulebook's code
    #[arg(long, default_value = DEFAULT_RULEBOOK)]
    rulebook: String,
    /// Calls started per second; 0 means as fast as the concurrency allows
    #[arg(long, default_value_t = 5.0)]
    rate: f64,
    /// Number of calls
    #[arg(long, default_value_t = 20)]
    count: u64,
    /// Maximum number of concurrent calls
    #[arg(long, default_value_t = 16)]
    concurrency: usize,
    /// The same seed plays the same calls
    #[arg(long)]
    seed: Option<u64>,
    /// The time of the calls, RFC 3339; now by default
    #[arg(long)]
    at: Option<DateTime<Utc>>,
    /// Delete the data of simulated calls from the database of this folder (DATABASE_URL), instead of playing calls
    #[arg(long, conflicts_with_all = ["count", "rate", "seed", "at", "concurrency", "url", "secret"])]
    clean: bool,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// The direction of a migration.
#[derive(Debug, Subcommand)]
pub enum Migrate {
    /// Apply all missing migrations
    Up,
    /// Revert the last migrations; their tables and data are deleted
    Down {
        /// Number of migrations
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
    },
    /// List all migrations and whether they have been applied
    Status,
}

/// Runs the command.
///
/// # Errors
/// If the command fails. The message says what to do.
pub async fn run(cli: Cli) -> Result<ExitCode> {
    let settings = Settings::load(&cli.flags)?;
    telemetry::start(settings.log());
    if cli.command.as_ref().is_some_and(Command::needs_a_database) {
        connect::open_existing(&settings.database).await?.close().await?;
    }
    let done = match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(settings).await,
        Command::Migrate { way } => migrate(&settings, &way).await,
        Command::Rules { way } => return rules::run(settings, way).await,
        Command::Audit { what } => audit(&settings, what).await,
        Command::Simulate(how) => simulate(&settings, how).await,
        Command::Backtest(how) => backtest::backtest(&settings, how).await,
        Command::Replay(how) => replay::replay(&settings, how).await,
        Command::Hear(how) => hear::hear(&settings, how).await,
        Command::Learn(how) => learn::learn(&how),
        Command::Reconcile(how) => Box::pin(reconcile::reconcile(settings, how)).await,
        Command::Doctor(how) => return doctor::doctor(&settings, &how).await,
        Command::Backup(how) => backup::back_up(&settings, how).await,
        Command::Restore(how) => backup::restore(&settings, how).await,
        Command::Openapi => print(admin::document_text().trim_end()),
    };
    done.map(|()| ExitCode::SUCCESS)
}

async fn serve(settings: Settings) -> Result<()> {
    let mut stop = Box::pin(stop_signal()?);
    for warning in start_messages::warnings(&settings) {
        tracing::warn!("{warning}");
    }
    // Listen first: if the address is in use, a first start must not create keys that nobody sees.
    let listener = app::listen(settings.listen).await?;
    let app = tokio::select! {
        app = App::start(settings, Clock::system()) => app?,
        () = &mut stop => return Ok(()),
    };
    let listening = listener.local_addr().context("the listener has no address")?;
    let written = secrets_file(&app.settings, &app.new_secrets, listening)?;
    print(&start_messages::welcome(
        &app.settings,
        listening,
        &app.new_secrets,
        written.as_deref(),
    ))?;
    app.warm_up().await;
    app.serve(listener, stop).await?;
    Ok(())
}

/// Writes the secrets of a first start to a file and returns its path. `None` if there are no new secrets, or if a
/// terminal shows them.
fn secrets_file(
    settings: &Settings,
    new: &start_messages::NewSecrets,
    listening: SocketAddr,
) -> Result<Option<PathBuf>> {
    if new.is_empty() || std::io::stdout().is_terminal() {
        return Ok(None);
    }
    let key_file = first_start::key_file(settings);
    let folder = key_file.parent().unwrap_or_else(|| Path::new(""));
    let written = new.write(folder, listening).with_context(|| {
        format!(
            "the new admin key cannot be written to a file in {}: set RINGBOOK_ADMIN_KEY and start again",
            folder.display()
        )
    })?;
    Ok(Some(written))
}

async fn migrate(settings: &Settings, way: &Migrate) -> Result<()> {
    let lines: Vec<String> = match way {
        Migrate::Up => {
            let applied = migrate::up(&settings.database).await?;
            if applied.is_empty() {
                vec!["nothing to apply".into()]
            } else {
                applied
            }
        }
        Migrate::Down { steps } => {
            let left = migrate::down(&settings.database, *steps).await?;
            vec![format!("{} migrations are still applied", left.len())]
        }
        Migrate::Status => {
            let all = migrate::status(&settings.database).await?;
            all.into_iter()
                .map(|(name, on)| format!("{} {name}", if on { "applied" } else { "missing" }))
                .collect()
        }
    };
    print(&lines.join("\n"))
}

/// Returns the publisher, and the cache that loads rules. This function does not start a whole [`App`], because a first
/// start would create keys that nobody sees.
async fn rules_of(settings: &Settings) -> Result<(RulebookCache, Publisher)> {
    migrate::up(&settings.database).await?;
    let db = connect::open(&settings.database, None).await?;
    let current = RulebookCache::new(db.replica, db.read);
    let audit = AuditKey::new(&first_start::secret_key(settings)?.of_audit_chain());
    let publisher = Publisher::new(db.write, current.clone(), Clock::system(), audit);
    Ok((current, publisher))
}

async fn audit(settings: &Settings, Audit::Verify { head, quiet }: Audit) -> Result<()> {
    let db = connect::open(&settings.database, settings.read_database.as_ref())
        .await?
        .for_people();
    let key = AuditKey::new(&first_start::secret_key(settings)?.of_audit_chain());
    let bar = if quiet {
        ProgressBar::hidden()
    } else {
        ProgressBar::new(0)
    };
    let progress = |done: i64, all: i64| {
        bar.set_length(all.unsigned_abs());
        bar.set_position(done.unsigned_abs());
    };
    let verdict = verify(&db, &key, head.as_ref(), progress).await;
    bar.finish_and_clear();
    match verdict.context("the audit log cannot be read")? {
        AuditVerdict::Intact { head } => print(&format!("the audit log is intact: {} entries, head {head}", head.seq)),
        AuditVerdict::Broken(bad) => Err(anyhow!("the audit log is broken: {bad}")),
    }
}

/// Deletes the data of simulated calls in small batches, so that a running server is not blocked.
async fn clean(settings: &Settings, rulebook: &str, json: bool) -> Result<()> {
    connect::open_existing(&settings.database).await?.close().await?;
    migrate::up(&settings.database).await?;
    let db = connect::open(&settings.database, None).await?.write;
    let rulebook_id = rulebooks::id_of(&db, rulebook).await?;
    let rulebook_id = rulebook_id.with_context(|| format!("there is no rulebook `{rulebook}`"))?;
    let mut calls = 0;
    loop {
        let tx = store::begin(&db).await?;
        let gone = simulated_calls::remove_some(&tx, rulebook_id).await?;
        tx.commit().await?;
        if gone == 0 {
            break;
        }
        calls += gone;
    }
    db.close().await?;
    print(&if json {
        serde_json::json!({"rulebook": rulebook, "removed_calls": calls}).to_string()
    } else {
        format!("{calls} simulated calls of `{rulebook}` and their data are deleted")
    })
}

async fn simulate(settings: &Settings, how: Simulate) -> Result<()> {
    if how.clean {
        return clean(settings, &how.rulebook, how.json).await;
    }
    let known = settings.vapi_secret.as_ref().map(|secret| secret.expose().clone());
    let secret = how.secret.or(known);
    let secret = secret.context("the webhook secret is needed: --secret, or RINGBOOK_VAPI_SECRET")?;
    let json = how.json;
    let options = SimulateOptions {
        url: how.url,
        secret,
        rulebook: Some(how.rulebook),
        rate: how.rate,
        count: how.count,
        seed: how.seed,
        concurrency: how.concurrency,
        at: how.at,
        quiet: how.quiet,
        json,
    };
    let url = options.url.clone();
    let summary = simulate::run(options).await?;
    print(&if json {
        serde_json::to_string_pretty(&summary)?
    } else {
        summary.to_string().trim_end().to_owned()
    })?;
    unanswered(&summary, &url).map_or(Ok(()), |text| Err(anyhow!(text)))
}

/// Returns the error of the command, with advice, if messages got no 2xx response. Returns `None` if all messages got a
/// 2xx response.
fn unanswered(summary: &Summary, url: &str) -> Option<String> {
    let lost: u64 = summary.failures.values().sum();
    let (why, _) = summary.failures.iter().max_by_key(|(_, count)| **count)?;
    let hint = match why.as_str() {
        "401" => "; is --secret the webhook secret, and does --rulebook name a rulebook of this server?".to_owned(),
        "404" => "; does --rulebook name a rulebook of this server?".to_owned(),
        "429" => "; play fewer calls per second (--rate), or set RATE_LIMIT_ENABLED=false on the server".to_owned(),
        "cannot connect" => format!("; is the server running at {url}? (--url)"),
        _ => String::new(),
    };
    Some(format!(
        "{lost} of {} messages got no 2xx response{hint}",
        summary.messages
    ))
}

/// Parses the URL of a server that a person typed. The default scheme is http.
fn server_address(text: &str) -> Result<String, String> {
    let whole = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let is_web = |uri: &Uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    };
    match whole.parse::<Uri>() {
        Ok(uri) if is_web(&uri) => Ok(whole.trim_end_matches('/').to_owned()),
        _ => Err("expected a URL such as http://127.0.0.1:8080".to_owned()),
    }
}

/// Prints an error to standard error.
fn print_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "ringbook: {text}");
}

/// Prints to standard output. A closed pipe causes no error, because it must not stop the server.
fn print(text: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("cannot print"),
        _ => Ok(()),
    }
}

/// Resolves on Ctrl-C, SIGTERM or SIGHUP. This call installs the signal handlers, so that a signal during startup is
/// not lost.
fn stop_signal() -> Result<impl Future<Output = ()>> {
    let mut interrupt =
        signal::unix::signal(signal::unix::SignalKind::interrupt()).context("cannot listen to signals")?;
    let mut terminate =
        signal::unix::signal(signal::unix::SignalKind::terminate()).context("cannot listen to signals")?;
    // A closed terminal sends SIGHUP, which would kill the process by default.
    let mut hangup = signal::unix::signal(signal::unix::SignalKind::hangup()).context("cannot listen to signals")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        tracing::info!("stopping: work in progress is completed first");
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::settings::table::SETTINGS;

    #[test]
    fn without_a_command_it_serves_and_flags_go_anywhere() {
        assert!(Cli::try_parse_from(["ringbook"]).unwrap().command.is_none());
        for line in [
            ["ringbook", "serve", "--listen", "[::1]:1"],
            ["ringbook", "--listen", "[::1]:1", "serve"],
        ] {
            assert_eq!(Cli::try_parse_from(line).unwrap().flags.values["listen"], "[::1]:1");
        }
    }

    #[test]
    fn a_simulation_without_answers_fails_and_says_what_to_look_at() {
        let mut summary = Summary {
            messages: 60,
            ..Summary::default()
        };
        assert_eq!(unanswered(&summary, "http://x"), None);
        summary.failures.insert("401".to_owned(), 60);
        let text = unanswered(&summary, "http://x").unwrap();
        assert!(text.contains("60 of 60") && text.contains("--secret"), "{text}");
        summary.failures.insert("cannot connect".to_owned(), 61);
        assert!(unanswered(&summary, "http://x").unwrap().contains("http://x"));
    }

    #[test]
    fn help_explains_every_setting() {
        Cli::command().debug_assert();
        let mut command = Cli::command();
        command.build();
        let help = command
            .find_subcommand_mut("serve")
            .unwrap()
            .render_long_help()
            .to_string();
        for setting in SETTINGS {
            assert!(
                help.contains(setting.env),
                "{} is missing from serve --help",
                setting.env
            );
        }
    }

    #[test]
    fn the_help_of_other_commands_is_about_them() {
        let mut command = Cli::command();
        command.build();
        for command in command.get_subcommands_mut().filter(|one| one.get_name() != "serve") {
            let help = command.render_long_help().to_string();
            let name = command.get_name();
            assert!(
                !help.contains("RINGBOOK_LISTEN"),
                "{name} --help lists settings of the server"
            );
        }
    }

    #[test]
    fn an_address_without_a_scheme_is_http() {
        for (given, wanted) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("localhost:8080/", "http://localhost:8080"),
            ("https://calls.example.org/", "https://calls.example.org"),
        ] {
            assert_eq!(server_address(given).unwrap(), wanted);
        }
        for bad in ["", "ftp://x", "http://", "a b"] {
            assert!(server_address(bad).is_err(), "{bad:?}");
        }
    }
}
