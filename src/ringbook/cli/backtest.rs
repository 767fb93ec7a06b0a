//! `ringbook backtest`: tries a change on past calls before somebody publishes the change. The command applies missing
//! migrations, and otherwise only reads the database. So the command does not affect a running server, and works
//! without a server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use chrono::TimeDelta;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::backtest_table::{BacktestRun, table};
use super::rules::{listed, read, refusal};
use super::{print, rules_of};
use crate::settings::Settings;
use authoring::backtest::Backtest as Comparison;
use base::clock::Clock;
use intake::auth::access::DEFAULT_RULEBOOK;
use intake::parse::facts;
use jobs::history::run::{self, Plan, Progress};
use revisions::cache::{LoadError, RulebookCache};
use revisions::publish::{PublishError, Publisher};
use rules::{Rulebook, compile};
use store::connect;
use store::decisions::pages::Span;

/// The options of a backtest.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(group(clap::ArgGroup::new("candidate").required(true).args(["change_set", "revision", "folder"])))]
pub struct Backtest {
    /// The rulebook's code
    #[arg(long, default_value = DEFAULT_RULEBOOK)]
    rulebook: String,
    /// Number of past days whose calls are used
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    /// Maximum number of calls; the newest are used
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Try a change set that is not published yet
    #[arg(long, value_name = "ID")]
    change_set: Option<Uuid>,
    /// Try a revision instead of the head
    #[arg(long)]
    revision: Option<i64>,
    /// Try the rules in a folder
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Also compare the prices in tool calls
    #[arg(long)]
    tool_quotes: bool,
    /// Include calls of `ringbook simulate`
    #[arg(long)]
    simulated: bool,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the backtest.
pub(super) async fn backtest(settings: &Settings, how: Backtest) -> Result<()> {
    let (current, publisher) = rules_of(settings).await?;
    let db = connect::open(&settings.database, settings.read_database.as_ref()).await?;
    let head = current.head(&how.rulebook).await?;
    let head = head.with_context(|| format!("there is no rulebook `{}`", how.rulebook))?;
    let candidate = candidate_of(&how, &current, &publisher, head.rulebook_id, &head.rulebook).await?;
    let until = Clock::system().now();
    let plan = Plan {
        test: Comparison::new(Arc::clone(&head.rulebook), candidate),
        span: Span {
            rulebook_id: head.rulebook_id,
            from: until - TimeDelta::days(i64::from(how.days)),
            until,
            purposes: &[],
            simulated: how.simulated,
        },
        limit: how.limit,
        tool_quotes: how.tool_quotes,
        read_body: Arc::new(facts::read_body),
    };
    let began = Instant::now();
    let (progress, seen) = watch::channel(Progress::default());
    let bar = bar(how.quiet || how.json);
    let watching = tokio::spawn(watch(seen, bar.clone(), began));
    let result = run::run(&db.for_people(), plan, &progress, &CancellationToken::new()).await;
    drop(progress);
    watching.await.context("the progress bar failed")?;
    bar.finish_and_clear();
    let ran = BacktestRun {
        days: how.days,
        base: head.rulebook.revision(),
        took: began.elapsed(),
        result: result?,
    };
    print(&if how.json {
        serde_json::to_string_pretty(&ran.result)?
    } else {
        table(&ran)
    })
}

async fn candidate_of(
    how: &Backtest,
    current: &RulebookCache,
    publisher: &Publisher,
    rulebook_id: Uuid,
    head: &Arc<Rulebook>,
) -> Result<Arc<Rulebook>> {
    if let Some(number) = how.revision {
        return current.at(rulebook_id, number).await.map_err(|error| match error {
            LoadError::Unknown(number) => anyhow!("there is no revision {number}"),
            LoadError::Faults { faults, .. } => anyhow!(listed(&faults)),
            error @ (LoadError::Database(_) | LoadError::Busy(_)) => error.into(),
        });
    }
    if let Some(id) = how.change_set {
        let planned = async {
            let stored = publisher.set(rulebook_id, id).await?;
            let planned = publisher.plan(rulebook_id, &stored.edits()).await?;
            planned.rulebook.map_err(PublishError::Faults)
        };
        return planned.await.map_err(|error| anyhow!(refusal(&error)));
    }
    let folder = how
        .folder
        .as_ref()
        .context("--change-set, --revision or --folder is needed")?;
    let (rows, base) = (read(folder)?.1, Arc::clone(head));
    let work = move || compile(base.revision() + 1, &rows, Some(&base));
    let compiled = tokio::task::spawn_blocking(work).await?;
    compiled.map(Arc::new).map_err(|faults| anyhow!(listed(&faults)))
}

fn bar(hidden: bool) -> ProgressBar {
    if hidden {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {percent} %, {msg}");
    ProgressBar::new(100).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

async fn watch(mut seen: watch::Receiver<Progress>, bar: ProgressBar, began: Instant) {
    while seen.changed().await.is_ok() {
        let now = seen.borrow_and_update();
        bar.set_position(u64::from(now.percent));
        bar.set_message(format!(
            "{} calls, {}/s, {} change",
            now.result.calls,
            per_second(now.result.calls, began.elapsed()),
            now.result.changed
        ));
    }
}

pub(super) fn per_second(calls: u64, took: Duration) -> u64 {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    calls.saturating_mul(1000) / millis
}
