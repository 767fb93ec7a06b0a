//! `ringbook replay`: repeats stored decisions and compares the results byte by byte. The command fails if a result
//! differs.

use anyhow::{Context as _, Result, anyhow};
use chrono::TimeDelta;
use indicatif::{ProgressBar, ProgressStyle};
use sea_orm::EntityTrait as _;
use uuid::Uuid;

use super::print;
use crate::settings::Settings;
use base::clock::Clock;
use intake::auth::access::DEFAULT_RULEBOOK;
use jobs::history::replay::{self, DifferingDecision, Replays};
use revisions::cache::RulebookCache;
use store::decisions::pages::Span;
use store::{connect, decisions, migrate};

/// The decisions.
#[derive(Debug, clap::Args)]
pub struct Replay {
    /// The rulebook's code
    #[arg(long, default_value = DEFAULT_RULEBOOK)]
    rulebook: String,
    /// Repeat only the decision with this id
    #[arg(long, conflicts_with = "days")]
    decision: Option<Uuid>,
    /// Number of past days whose decisions are repeated
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Repeats the decisions.
pub(super) async fn replay(settings: &Settings, how: Replay) -> Result<()> {
    migrate::up(&settings.database).await?;
    let db = connect::open(&settings.database, settings.read_database.as_ref()).await?;
    let read = db.for_people();
    let current = RulebookCache::new(db.replica, db.read);
    let head = current.head(&how.rulebook).await?;
    let head = head.with_context(|| format!("there is no rulebook `{}`", how.rulebook))?;
    let replays = if let Some(id) = how.decision {
        let found = decisions::Entity::find_by_id((head.rulebook_id, id)).one(&read).await?;
        let row = found.with_context(|| format!("there is no decision {id}"))?;
        one(&current, row).await?
    } else {
        let until = Clock::system().now();
        let span = Span {
            rulebook_id: head.rulebook_id,
            from: until - TimeDelta::days(i64::from(how.days)),
            until,
            purposes: &[],
            simulated: true,
        };
        let bar = bar(how.quiet || how.json);
        let replays = replay::all(&read, &current, &span, |count| bar.set_position(count)).await;
        bar.finish_and_clear();
        replays?
    };
    print(&if how.json {
        serde_json::to_string_pretty(&replays)?
    } else {
        told(&replays)
    })?;
    match replays.different {
        0 => Ok(()),
        count => Err(anyhow!("{count} of {} decisions differ", replays.replayed)),
    }
}

async fn one(current: &RulebookCache, row: decisions::Model) -> Result<Replays> {
    let facts = row.extracted.to_string();
    let again = replay::one(
        current,
        row.rulebook_id,
        row.revision,
        &facts,
        row.decided_for,
        row.result,
    )
    .await?;
    Ok(Replays::of(row.id, row.revision, again))
}

fn bar(hidden: bool) -> ProgressBar {
    if hidden {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {pos} decisions, {per_sec}");
    ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn told(replays: &Replays) -> String {
    let mut text = format!(
        "{} of {} decisions over {} revisions are the same, byte for byte",
        replays.same, replays.replayed, replays.revisions
    );
    if replays.erased > 0 {
        text.push_str(&format!(
            "; {} were skipped because the data of their callers was erased",
            replays.erased
        ));
    }
    for DifferingDecision {
        decision_id,
        revision,
        places,
    } in &replays.differences
    {
        text.push_str(&format!("\n{decision_id}, revision {revision}:"));
        for difference in places {
            text.push_str(&format!(
                "\n  {}: stored {}, now {}",
                difference.place, difference.stored, difference.now
            ));
        }
    }
    text
}
