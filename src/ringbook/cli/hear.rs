//! `ringbook hear`: measures how well a rulebook understands labelled calls. With `--rules`, the command uses no
//! database.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};

use super::print;
use super::rules::{listed, read};
use crate::labelled::{self, table};
use crate::settings::Settings;
use intake::auth::access::DEFAULT_RULEBOOK;
use revisions::cache::RulebookCache;
use rules::compile;
use store::connect;

/// The options of a measurement.
#[derive(Debug, clap::Args)]
pub struct Hear {
    /// Files of labelled calls, one JSON object per line (docs/hearing.md)
    #[arg(required = true)]
    calls: Vec<PathBuf>,
    /// A folder of rules; by default the head of the rulebook in the database
    #[arg(long)]
    rules: Option<PathBuf>,
    /// The rulebook's code
    #[arg(long, default_value = DEFAULT_RULEBOOK)]
    rulebook: String,
    /// List the calls whose decision differs from their label
    #[arg(long)]
    ids: bool,
    /// Show only the calls with these ids, each with what was understood
    #[arg(long, value_delimiter = ',')]
    explain: Vec<String>,
}

impl Hear {
    /// Whether the command reads rules from a database.
    pub(super) const fn needs_a_database(&self) -> bool {
        self.rules.is_none()
    }
}

/// Runs the measurement.
pub(super) async fn hear(settings: &Settings, how: Hear) -> Result<()> {
    let rulebook = match &how.rules {
        Some(folder) => {
            let (_, rows) = read(folder)?;
            std::sync::Arc::new(compile(1, &rows, None).map_err(|faults| anyhow!(listed(&faults)))?)
        }
        None => {
            let db = connect::open(&settings.database, settings.read_database.as_ref()).await?;
            let current = RulebookCache::new(db.replica, db.read);
            let head = current.head(&how.rulebook).await?;
            head.with_context(|| format!("there is no rulebook `{}`", how.rulebook))?
                .rulebook
        }
    };
    let mut calls = Vec::new();
    for file in &how.calls {
        let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        calls.extend(labelled::parse(&text).map_err(|why| anyhow!("{}, {why}", file.display()))?);
    }
    if !how.explain.is_empty() {
        calls.retain(|call| how.explain.contains(&call.id));
    }
    let judged = labelled::measure(&rulebook, &calls).map_err(|why| anyhow!(why))?;
    if how.explain.is_empty() {
        return print(table::markdown(&judged, how.ids).trim_end());
    }
    for one in &judged {
        let decision = &one.decision;
        print(&format!(
            "== {} ({}): {:?}",
            one.call.id, one.call.kind, one.call.expect
        ))?;
        for (who, text) in &one.call.turns {
            print(&format!("   {who:?}: {text}"))?;
        }
        if let Some(structured) = one.call.structured.as_ref() {
            print(&format!("   structured: {structured}"))?;
        }
        if let Some(outputs) = &one.call.outputs {
            print(&format!("   outputs: {}", serde_json::to_string(outputs)?))?;
        }
        if let Some(summary) = &one.call.summary {
            print(&format!("   summary: {summary}"))?;
        }
        let price = decision
            .price
            .as_ref()
            .map(|price| format!("{} to {}", price.from, price.to));
        print(&format!(
            "   decided: {} by {}, service {}, area {}, price {}, language {}",
            decision.priority.name(),
            decision.priority_rule.as_deref().unwrap_or("the default"),
            decision.service.as_deref().unwrap_or("none"),
            decision.area.as_deref().unwrap_or("none"),
            price.as_deref().unwrap_or("none"),
            decision.language,
        ))?;
        for step in &decision.trace {
            print(&format!("   - {}/{}: {step}", step.resource, step.code))?;
        }
    }
    Ok(())
}
