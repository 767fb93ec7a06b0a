//! `ringbook learn`: learns weights of a folder's classifiers from labelled calls. The command uses no database.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, ensure};

use super::print;
use super::rules::{listed, read};
use crate::labelled::{self, learn::Examples};
use rules::compile;
use rules::rows::Classifier;

/// The name of the file that the command rewrites in the folder.
const FILE: &str = "classifiers.toml";

/// The options of the training.
#[derive(Debug, clap::Args)]
pub struct Learn {
    /// Files of labelled calls, one JSON object per line (docs/hearing.md)
    #[arg(required = true)]
    calls: Vec<PathBuf>,
    /// The folder of rules whose classifiers.toml is rewritten
    #[arg(long)]
    rules: PathBuf,
    /// Exclude calls whose id has this prefix from the training; `hear` can then measure the result on these calls
    #[arg(long)]
    without: Vec<String>,
}

/// Learns the weights.
pub(super) fn learn(how: &Learn) -> Result<()> {
    let (_, rows) = read(&how.rules)?;
    ensure!(
        !rows.classifiers.is_empty(),
        "{} has no classifiers: begin {FILE} with a classifier, such as\n\n[sounds_urgent]\nlearns = \"P1\"",
        how.rules.display()
    );
    let rulebook = compile(1, &rows, None).map_err(|faults| anyhow!(listed(&faults)))?;
    let mut calls = Vec::new();
    for file in &how.calls {
        let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        calls.extend(labelled::parse(&text).map_err(|why| anyhow!("{}, {why}", file.display()))?);
    }
    calls.retain(|call| !how.without.iter().any(|prefix| call.id.starts_with(prefix)));
    let examples = Examples::new(&rulebook, &calls).map_err(|why| anyhow!(why))?;
    let learnt: Vec<Classifier> = rows
        .classifiers
        .values()
        .map(|stored| examples.learn(&stored.row))
        .collect();
    let file = how.rules.join(FILE);
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    std::fs::write(&file, written(&before, &learnt))
        .with_context(|| format!("{} cannot be written", file.display()))?;
    for row in &learnt {
        print(&format!(
            "{}: {} weights from {} calls",
            row.code,
            row.weights.len(),
            calls.len()
        ))?;
    }
    Ok(())
}

/// Returns the new content of the file: its leading comment, then each classifier with one weight per line.
fn written(before: &str, learnt: &[Classifier]) -> String {
    let mut text = String::new();
    for line in before.lines().take_while(|line| line.starts_with('#')) {
        let _ = writeln!(text, "{line}");
    }
    for row in learnt {
        let _ = write!(
            text,
            "\n[{}]\nlearns = \"{}\"\nbias = {}\nweights = [\n",
            row.code, row.learns, row.bias
        );
        for weight in &row.weights {
            // No escapes are needed, because features contain neither quotes nor backslashes.
            let _ = writeln!(text, "    \"{weight}\",");
        }
        text.push_str("]\n");
    }
    text
}
