//! The command line.
//!
//! In: the arguments. Out: the command run to its end. Each command is one line in [`Command`] and one function; what a
//! command prints for people goes to standard output here, logs go to standard error.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use tokio::signal;

use crate::{
    app::App,
    clock::Clock,
    first_start,
    settings::{Flags, Settings, flags},
    store::migrate,
    telemetry,
};

/// The rulebook behind a business's phone: prices, priorities and texts for Vapi calls, from rules in the database.
#[derive(Debug, Parser)]
#[command(name = "ringbook", version, after_long_help = flags::help_on_secrets(), max_term_width = 120)]
pub struct Cli {
    /// What to do; without a command it serves.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings given as flags.
    #[command(flatten)]
    pub flags: Flags,
}

/// What `ringbook` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer calls until told to stop (the default). Creates and migrates the database first
    Serve,
    /// Bring the database's schema up to date, or back
    Migrate {
        /// Which way.
        #[command(subcommand)]
        way: Migrate,
    },
}

/// Which way the schema goes.
#[derive(Debug, Subcommand)]
pub enum Migrate {
    /// Apply every migration that is missing
    Up,
    /// Take back the last migrations; their tables and what is in them are gone
    Down {
        /// How many
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
    },
    /// List every migration and whether it has been applied
    Status,
}

/// Runs the command that was asked for.
///
/// # Errors
/// With a text that says what to do about it.
pub async fn run(cli: Cli) -> Result<()> {
    let settings = Settings::load(&cli.flags)?;
    telemetry::start(&settings);
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(settings).await,
        Command::Migrate { way } => migrate(&settings, &way).await,
    }
}

async fn serve(settings: Settings) -> Result<()> {
    let stop = stop_signal()?;
    for warning in first_start::warnings(&settings) {
        tracing::warn!("{warning}");
    }
    let app = App::start(settings, Clock::system()).await?;
    let listener = app.listen().await?;
    let listening = listener.local_addr().context("the listener has no address")?;
    print(&first_start::welcome(&app.settings, listening, &app.new_secrets))?;
    app.serve(listener, stop).await?;
    Ok(())
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
            vec![format!("{} migrations are left", left.len())]
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

/// Prints for people. A closed pipe is no reason to stop serving.
fn print(text: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("cannot print"),
        _ => Ok(()),
    }
}

/// Resolves when the process is told to stop: Ctrl-C or SIGTERM. Listens from the moment it is called, so that a signal
/// during the start is not lost.
fn stop_signal() -> Result<impl Future<Output = ()>> {
    let mut interrupt =
        signal::unix::signal(signal::unix::SignalKind::interrupt()).context("cannot listen to signals")?;
    let mut terminate =
        signal::unix::signal(signal::unix::SignalKind::terminate()).context("cannot listen to signals")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("told to stop; finishing what is in flight");
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
    fn help_explains_every_setting() {
        Cli::command().debug_assert();
        let help = Cli::command().render_long_help().to_string();
        for setting in SETTINGS {
            assert!(help.contains(setting.env), "{} is missing from --help", setting.env);
        }
    }
}
