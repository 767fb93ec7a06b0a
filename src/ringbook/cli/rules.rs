//! `ringbook rules`: exports a rulebook to files or a sheet, and imports it. Every action that changes a rulebook first
//! shows the difference and asks for confirmation. Each error in the rules is reported with file, line and column.

mod change;
mod compare;
mod sheets;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr as _,
};

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, Subcommand};

use super::{print, rules_of};
use crate::settings::Settings;
use authoring::{
    diff,
    lint::{self, Finding, Severity},
};
use base::telemetry;
use intake::auth::access::DEFAULT_RULEBOOK;
use revisions::publish::PublishError;
use rules::{
    Fault, Rulebook,
    cases::{CaseResult, Mismatch},
    check::is_rulebook_code,
    compile,
    files::{self, FileFault, Files, Places},
    rows::{Resource, RowSet},
    suggestion::did_you_mean,
};

/// Maximum number of errors to print: nobody reads more, and a folder may come from an untrusted source.
const MAX_FAULTS: usize = 1_000;

/// The actions on a rulebook.
#[derive(Debug, Subcommand)]
pub enum Rules {
    /// Write a rulebook to a folder: one TOML file per resource, one Rhai file per script. In an existing folder, only
    /// the changes are written, and comments are kept
    Export {
        /// The folder; created if missing
        #[arg(required_unless_present = "csv")]
        folder: Option<PathBuf>,
        /// The revision to write; the head by default
        #[arg(long)]
        revision: Option<i64>,
        /// Write one resource as a spreadsheet to this file, instead of a folder
        #[arg(long, value_name = "FILE", requires = "resource", conflicts_with = "folder")]
        csv: Option<PathBuf>,
        /// The resource, such as `services`
        #[arg(long, value_parser = resource, requires = "csv")]
        resource: Option<Resource>,
        /// The rulebook
        #[command(flatten)]
        of: Of,
    },
    /// Show what a folder or a sheet would change, and open a change set with the changes; creates a missing rulebook
    Import {
        /// The folder
        #[arg(required_unless_present = "csv")]
        folder: Option<PathBuf>,
        /// Import one resource from this spreadsheet, instead of a folder
        #[arg(long, value_name = "FILE", requires = "resource", conflicts_with = "folder")]
        csv: Option<PathBuf>,
        /// The resource, such as `services`
        #[arg(long, value_parser = resource, requires = "csv")]
        resource: Option<Resource>,
        /// Delete rows that the sheet does not contain
        #[arg(long, requires = "csv")]
        delete_missing: bool,
        /// Publish the change immediately instead of opening a change set
        #[arg(long)]
        publish: bool,
        /// The comment, and whether to ask for confirmation
        #[command(flatten)]
        how: How,
        /// The rulebook
        #[command(flatten)]
        of: Of,
    },
    /// Compare two versions of a rulebook: each is a folder, a revision's number or `head`. Exits with 0 if they are
    /// equal, 1 if they differ, 2 if they cannot be compared
    Diff {
        /// The first version; without a second version, the head is compared with it
        one: String,
        /// The other side
        other: Option<String>,
        /// Print the differences as JSON
        #[arg(long)]
        json: bool,
        /// The rulebook
        #[command(flatten)]
        of: Of,
    },
    /// Compile a folder's rules, run its cases and lint it, without a database
    Check {
        /// The folder
        folder: PathBuf,
        /// Fail on warnings too
        #[arg(long)]
        deny_warnings: bool,
    },
    /// Show what a folder or an open change set changes, and publish it
    Publish {
        /// The folder, or the change set's id
        what: String,
        /// The comment, and whether to ask for confirmation
        #[command(flatten)]
        how: How,
        /// The rulebook
        #[command(flatten)]
        of: Of,
    },
}

impl Rules {
    /// Whether the action needs an existing database. The action `diff` makes this check itself, because its errors
    /// have a separate exit code.
    pub(super) fn needs_a_database(&self) -> bool {
        match self {
            Self::Export { .. } => true,
            Self::Publish { what, .. } => uuid::Uuid::from_str(what).is_ok(),
            Self::Import { .. } | Self::Diff { .. } | Self::Check { .. } => false,
        }
    }
}

/// The rulebook.
#[derive(Debug, Args)]
pub struct Of {
    /// The rulebook's code
    #[arg(long, default_value = DEFAULT_RULEBOOK)]
    rulebook: String,
}

/// The options of a change.
#[derive(Debug, Args)]
pub struct How {
    /// The reason, for the history
    #[arg(long)]
    comment: Option<String>,
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
}

fn resource(name: &str) -> Result<Resource, String> {
    let names = || Resource::ALL.iter().map(|resource| resource.path());
    let found = Resource::ALL.iter().find(|resource| resource.path() == name);
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = names().collect();
        let hint = did_you_mean(name, names.iter().copied());
        format!("expected one of {}{hint}", names.join(", "))
    })
}

/// Runs an action.
pub(super) async fn run(settings: Settings, way: Rules) -> Result<ExitCode> {
    match way {
        Rules::Diff { one, other, json, of } => {
            return Ok(
                match compare::diff(&settings, &one, other.as_deref(), json, &of.rulebook).await {
                    Ok(false) => ExitCode::SUCCESS,
                    Ok(true) => ExitCode::FAILURE,
                    Err(error) => {
                        super::print_error(&telemetry::chain(error.as_ref()));
                        ExitCode::from(2)
                    }
                },
            );
        }
        Rules::Export {
            folder,
            revision,
            csv,
            resource,
            of,
        } => match (folder, csv, resource) {
            (_, Some(file), Some(resource)) => sheets::export(&settings, &file, resource, revision, &of.rulebook).await,
            (Some(folder), ..) => export(&settings, &folder, revision, &of.rulebook).await,
            _ => Err(anyhow!("a folder is needed, or --csv with --resource")),
        },
        Rules::Import {
            folder,
            csv,
            resource,
            delete_missing,
            publish,
            how,
            of,
        } => match (folder, csv, resource) {
            (_, Some(file), Some(resource)) => {
                let sheet = sheets::Sheet {
                    file,
                    resource,
                    delete_missing,
                };
                sheets::import(&settings, &sheet, publish, &how, &of.rulebook).await
            }
            (Some(folder), ..) => change::of_folder(&settings, &folder, publish, &how, &of.rulebook).await,
            _ => Err(anyhow!("a folder is needed, or --csv with --resource")),
        },
        Rules::Publish { what, how, of } => match uuid::Uuid::from_str(&what) {
            Ok(id) => change::of_set(&settings, id, &how, &of.rulebook).await,
            Err(_) => change::of_folder(&settings, Path::new(&what), true, &how, &of.rulebook).await,
        },
        Rules::Check { folder, deny_warnings } => check(&folder, deny_warnings),
    }?;
    Ok(ExitCode::SUCCESS)
}

async fn export(settings: &Settings, folder: &Path, revision: Option<i64>, rulebook: &str) -> Result<()> {
    let (current, _) = rules_of(settings).await?;
    let (revision, rows) = compare::stored(&current, rulebook, revision).await?;
    let written = files::write_folder(&rows, folder).map_err(|faults| anyhow!(listed(&faults)))?;
    let mut text = format!("revision {revision} of `{rulebook}` is in {}", folder.display());
    let (changed, removed) = (written.changed.len(), written.removed.len());
    if changed + removed == 0 {
        text.push_str("; no file changed");
    }
    for file in &written.rewritten {
        text.push_str(&format!(
            "\n{file} was rewritten without its comments, because its layout could not be preserved"
        ));
    }
    print(&text)
}

fn check(folder: &Path, deny_warnings: bool) -> Result<()> {
    let (texts, rows) = read(folder)?;
    let rulebook = compiled(&texts, &rows)?;
    let cases = rulebook.rows().cases.len();
    // The current time decides which adjustments have ended.
    let found = lint::lint(&rulebook, base::clock::Clock::system().now());
    let places = Places::of(&texts);
    let told: Vec<FileFault> = found
        .iter()
        .take(MAX_FAULTS)
        .map(|finding| placed(&places, finding))
        .collect();
    let grave = |finding: &Finding| deny_warnings || finding.severity == Severity::Error;
    if found.iter().any(grave) {
        return Err(anyhow!(listed(&told)));
    }
    for warning in &told {
        print(&warning.to_string())?;
    }
    let warnings = match told.len() {
        0 => String::new(),
        1 => "; 1 warning".to_owned(),
        many => format!("; {many} warnings"),
    };
    print(&format!("no errors; {cases} cases pass{warnings}"))
}

/// Reads a folder's files and rows.
pub(super) fn read(folder: &Path) -> Result<(Files, RowSet)> {
    let texts = files::read_texts(folder).map_err(|faults| anyhow!(listed(&faults)))?;
    let rows = files::parse(&texts).map_err(|faults| anyhow!(listed(&faults)))?;
    Ok((texts, rows))
}

/// Compiles the rows and runs all cases. An error lists every validation error or failed case with its position in the
/// files.
fn compiled(texts: &Files, rows: &RowSet) -> Result<Rulebook> {
    let rulebook = compile(1, rows, None).map_err(|faults| anyhow!(listed(&located(texts, &faults))))?;
    let failed: Vec<CaseResult> = rulebook.run_cases().into_iter().filter(|case| !case.passed).collect();
    if failed.is_empty() {
        return Ok(rulebook);
    }
    let places = Places::of(texts);
    Err(anyhow!(red(&failed, |code, place, told| {
        places.locate_case(code, place, told).to_string()
    })))
}

fn located(texts: &Files, faults: &[Fault]) -> Vec<FileFault> {
    let places = Places::of(texts);
    faults
        .iter()
        .take(MAX_FAULTS)
        .map(|fault| places.locate(fault))
        .collect()
}

/// Finds the position of a finding in the files.
fn placed(places: &Places<'_>, finding: &Finding) -> FileFault {
    let severity = match finding.severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let fault = Fault {
        resource: finding.resource,
        code: finding.code.clone(),
        column: finding.column.clone(),
        line: None,
        position: None,
        problem: finding.problem,
        text: finding.text.clone(),
    };
    let mut placed = places.locate(&fault);
    placed.text = format!("{severity}: {}", placed.text);
    placed
}

/// Lists the failed cases, with one line per difference.
fn red(cases: &[CaseResult], line: impl Fn(&str, &str, &str) -> String) -> String {
    let plural = if cases.len() == 1 { " fails" } else { "s fail" };
    let mut text = format!("{} case{plural}:", cases.len());
    for case in cases {
        for Mismatch { place, expected, got } in &case.mismatches {
            let told = format!("{place} should be {expected} but is {got}");
            text.push_str(&format!("\n  {}", line(&case.code, place, &told)));
        }
        for why in case.because() {
            text.push_str(&format!("\n    {why}"));
        }
    }
    text
}

/// Rejects a code that a URL cannot contain, because nobody could reach a rulebook with this code.
fn checked_code(rulebook: &str) -> Result<()> {
    is_rulebook_code(rulebook).then_some(()).with_context(|| {
        format!(
            "`{rulebook}` is not a valid code: use 1 to 64 letters, digits, `_`, `-` or `.`, a letter or digit first"
        )
    })
}

/// Formats validation errors, one per line.
pub(super) fn listed(faults: &[impl std::fmt::Display]) -> String {
    let lines: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    let plural = if faults.len() == 1 { "" } else { "s" };
    format!("the rules have {} error{plural}:{}", faults.len(), lines.concat())
}

/// Explains for people why the rules were refused.
pub(super) fn refusal(error: &PublishError) -> String {
    match error {
        PublishError::Faults(faults) => listed(faults),
        PublishError::CasesFailed(cases) => red(cases, |code, _, told| format!("{code}: {told}")),
        PublishError::Conflicts(conflicts) => {
            let mut text = "somebody else changed the same rows meanwhile:".to_owned();
            for conflict in conflicts {
                let now = match conflict.current {
                    Some(version) => format!("is at version {version}"),
                    None => "was deleted".to_owned(),
                };
                text.push_str(&format!("\n  {}/{} {now}", conflict.resource.path(), conflict.code));
            }
            text
        }
        other => telemetry::chain(other),
    }
}

/// Formats the differences, and a summary of them.
fn shown(rows: &[diff::RowDiff]) -> String {
    format!("{}\n{}", diff::text(rows), diff::summary(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rulebook_that_no_address_could_name_is_not_made() {
        checked_code("second-business").unwrap();
        assert!(checked_code("bad code!").unwrap_err().to_string().contains("1 to 64"));
    }

    #[test]
    fn a_resource_is_named_as_everywhere() {
        assert_eq!(resource("priority-rules"), Ok(Resource::PriorityRules));
        assert!(resource("service").unwrap_err().contains("did you mean `services`?"));
    }
}
