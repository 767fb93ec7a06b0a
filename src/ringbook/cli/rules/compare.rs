//! Compares two versions of a rulebook: each is a folder, a revision or the head.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result};

use super::{print, read, rules_of, shown};
use crate::settings::Settings;
use authoring::diff;
use revisions::cache::RulebookCache;
use rules::rows::RowSet;
use store::connect;

enum RowSource<'a> {
    Folder(&'a Path),
    /// The number of the revision; `None` means the head.
    Revision(Option<i64>),
}

impl<'a> RowSource<'a> {
    /// A number is a revision. The path of a folder whose name is a number must be written like `./12`.
    fn of(text: &'a str) -> Self {
        match text.parse() {
            Ok(number) => Self::Revision(Some(number)),
            Err(_) if text == "head" => Self::Revision(None),
            Err(_) => Self::Folder(Path::new(text)),
        }
    }

    async fn rows(&self, current: Option<&RulebookCache>, rulebook: &str) -> Result<Arc<RowSet>> {
        match self {
            Self::Folder(folder) => Ok(Arc::new(read(folder)?.1)),
            Self::Revision(revision) => {
                let current = current.context("a revision is read from the database")?;
                Ok(stored(current, rulebook, *revision).await?.1)
            }
        }
    }
}

/// Prints the differences. Returns whether there are differences.
pub(super) async fn diff(
    settings: &Settings,
    one: &str,
    other: Option<&str>,
    json: bool,
    rulebook: &str,
) -> Result<bool> {
    let one = RowSource::of(one);
    let (before, after) = match (one, other) {
        (one, Some(other)) => (one, RowSource::of(other)),
        // Show what an import of the folder would change.
        (folder @ RowSource::Folder(_), None) => (RowSource::Revision(None), folder),
        (revision, None) => (revision, RowSource::Revision(None)),
    };
    let needed = [&before, &after]
        .iter()
        .any(|side| matches!(side, RowSource::Revision(_)));
    let current = if needed {
        connect::open_existing(&settings.database).await?.close().await?;
        Some(rules_of(settings).await?.0)
    } else {
        None
    };
    let before = before.rows(current.as_ref(), rulebook).await?;
    let after = after.rows(current.as_ref(), rulebook).await?;
    let rows = diff::diff(&before, &after);
    if json {
        print(&serde_json::to_string_pretty(&rows)?)?;
    } else if !rows.is_empty() {
        print(&shown(&rows))?;
    }
    Ok(!rows.is_empty())
}

/// Returns the number and the rows of a revision, or of the head.
pub(super) async fn stored(
    current: &RulebookCache,
    rulebook: &str,
    revision: Option<i64>,
) -> Result<(i64, Arc<RowSet>)> {
    let found = current.find(rulebook).await?;
    let (id, head) = found.with_context(|| format!("there is no rulebook `{rulebook}`"))?;
    let revision = revision.unwrap_or(head);
    Ok((revision, current.rows(id, revision).await?))
}
