//! `ringbook reconcile`: fetches from Vapi the reports that never arrived, and records them. The command fails if
//! Vapi's list of calls could not be read to the end.

use anyhow::{Context as _, Result, anyhow};
use chrono::TimeDelta;
use indicatif::ProgressBar;
use tokio_util::sync::CancellationToken;

use super::print;
use crate::app::App;
use crate::settings::{Settings, Worker};
use base::clock::Clock;
use intake::reconcile::{ReconcileOptions, ReconcileTally};
use store::last_runs;

/// The options of `ringbook reconcile`.
#[derive(Debug, clap::Args)]
pub struct Reconcile {
    /// Only calls that were updated within this time before now, such as 90m, 24h or 7d
    #[arg(long, default_value = "24h", value_parser = time)]
    since: TimeDelta,
    /// Only calls of this rulebook; by default of all rulebooks with a Vapi key
    #[arg(long)]
    rulebook: Option<String>,
    /// Only count the missing reports
    #[arg(long)]
    dry_run: bool,
    /// No progress display
    #[arg(long)]
    quiet: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Parses a duration with its unit.
fn time(text: &str) -> Result<TimeDelta, String> {
    let expected = "a whole number with its unit, such as 90m, 24h or 7d, of at most 365d";
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(expected)?;
    let number: i64 = number.parse().map_err(|_| expected)?;
    let time = match unit {
        "m" => TimeDelta::try_minutes(number),
        "h" => TimeDelta::try_hours(number),
        "d" => TimeDelta::try_days(number),
        _ => None,
    };
    let fits = time.filter(|time| *time > TimeDelta::zero() && *time <= TimeDelta::days(365));
    fits.ok_or_else(|| expected.to_owned())
}

/// Fetches and records the missing reports, and prints the result.
pub async fn reconcile(mut settings: Settings, how: Reconcile) -> Result<()> {
    // This command sends no SMS messages: a process that runs the worker `outbox` sends them.
    settings.workers = Vec::<Worker>::new();
    // Only a running server may use the spool. A report that cannot be recorded now is found again by a later run.
    settings.spool_size_mb = 0;
    let app = App::start_existing(settings, Clock::system()).await?;
    let bar = if how.quiet {
        ProgressBar::hidden()
    } else {
        ProgressBar::new_spinner()
    };
    let ask = ReconcileOptions {
        rulebook: how.rulebook,
        since: Some(how.since),
        dry_run: how.dry_run,
    };
    let on_progress = |tally: &ReconcileTally| {
        bar.tick();
        bar.set_message(format!("{}: {} calls in Vapi's list", tally.rulebook, tally.listed));
    };
    let found = app
        .reconciler
        .run(&ask, None, &CancellationToken::new(), on_progress)
        .await;
    bar.finish_and_clear();
    if let Ok(tallies) = &found
        && !ask.dry_run
        && ask.rulebook.is_none()
        && !tallies.is_empty()
        && tallies.iter().all(|tally| tally.error.is_none())
        && let Err(error) = last_runs::note(&app.db, last_runs::RECONCILER, app.clock.now()).await
    {
        tracing::warn!(%error, "/metrics will not show that `ringbook reconcile` succeeded");
    }
    app.close().await;
    let tallies = found.context("Vapi's list of calls could not be read")?;
    if tallies.is_empty() {
        return Err(anyhow!(
            "no rulebook has a Vapi key: set VAPI_API_KEY, or a secret with the purpose `vapi_api_key`"
        ));
    }
    print(&if how.json {
        serde_json::to_string_pretty(&tallies)?
    } else {
        table(&tallies, how.dry_run)
    })?;
    let failed = tallies.iter().filter(|tally| tally.error.is_some()).count();
    if failed == 0 {
        return Ok(());
    }
    Err(anyhow!(
        "the calls of {failed} of {} rulebooks could not all be listed",
        tallies.len()
    ))
}

/// Formats the result as a table.
fn table(tallies: &[ReconcileTally], dry_run: bool) -> String {
    let mut lines = vec![format!(
        "{:<24} {:>8} {:>8} {:>10} {:>8} {:>8}  the rest",
        "rulebook", "listed", "running", "just ended", "others'", "known"
    )];
    for tally in tallies {
        let mut rest: Vec<String> = tally
            .became
            .iter()
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        if dry_run {
            rest.push(format!("{} without a report", tally.missing));
        }
        if let Some(error) = &tally.error {
            rest.push(format!("then failed: {error}"));
        }
        if rest.is_empty() {
            rest.push("nothing was missing".to_owned());
        }
        lines.push(format!(
            "{:<24} {:>8} {:>8} {:>10} {:>8} {:>8}  {}",
            tally.rulebook,
            tally.listed,
            tally.running,
            tally.just_ended,
            tally.of_others,
            tally.known,
            rest.join(", ")
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(time("90m").unwrap(), TimeDelta::minutes(90));
        assert_eq!(time("24h").unwrap(), TimeDelta::days(1));
        assert_eq!(time("7d").unwrap(), TimeDelta::days(7));
        for wrong in [
            "",
            "m",
            "90",
            "-1h",
            "0h",
            "1.5h",
            "400d",
            "é",
            "99999999999999999d",
            "1w",
        ] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
