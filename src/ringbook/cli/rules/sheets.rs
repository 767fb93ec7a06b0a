//! Exports and imports one resource as a spreadsheet.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};

use super::change::Change;
use super::compare;
use super::{How, listed, print, refusal, rules_of};
use crate::settings::Settings;
use authoring::{
    diff,
    sheet::{self, Missing},
};
use rules::rows::{Resource, with_row};

/// A sheet to import.
pub(super) struct Sheet {
    pub file: PathBuf,
    pub resource: Resource,
    pub delete_missing: bool,
}

/// Writes a resource's rows to a file.
pub(super) async fn export(
    settings: &Settings,
    file: &Path,
    resource: Resource,
    revision: Option<i64>,
    rulebook: &str,
) -> Result<()> {
    let (current, _) = rules_of(settings).await?;
    let (revision, rows) = compare::stored(&current, rulebook, revision).await?;
    let text = with_row!(resource, R => sheet::write::<R>(&rows)).map_err(|error| anyhow!(error))?;
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    print(&format!(
        "the {} of revision {revision} of `{rulebook}` are in {}",
        resource.path(),
        file.display()
    ))
}

/// Publishes the rows in a sheet, or opens a change set with them.
pub(super) async fn import(settings: &Settings, sheet: &Sheet, publish: bool, how: &How, rulebook: &str) -> Result<()> {
    let bytes = std::fs::read(&sheet.file).with_context(|| format!("cannot read {}", sheet.file.display()))?;
    let (current, publisher) = rules_of(settings).await?;
    let standing = current.head_rows(rulebook).await?;
    let standing = standing.with_context(|| format!("there is no rulebook `{rulebook}`"))?;
    // The differences that the person sees include the rows to delete.
    let missing = if sheet.delete_missing {
        Missing::DeletedAsOf(standing.revision)
    } else {
        Missing::Stay
    };
    let edits = with_row!(sheet.resource, R => {
        sheet::read::<R>(&bytes, standing.rows(), missing).map_err(|faults| anyhow!(listed(&faults)))?
    });
    let planned = publisher.plan(standing.rulebook_id, &edits).await;
    let planned = planned.map_err(|error| anyhow!(refusal(&error)))?;
    if let Err(faults) = &planned.rulebook {
        return Err(anyhow!(listed(faults)));
    }
    let told = diff::diff(&planned.base, &planned.rows);
    let change = Change {
        publisher: &publisher,
        rulebook_id: standing.rulebook_id,
        rulebook,
        revision: planned.base_revision,
    };
    change.made(edits, &told, publish, how, "imported from a sheet").await
}
