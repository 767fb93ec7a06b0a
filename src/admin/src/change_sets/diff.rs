//! Compares a change set with the head, for people and for programs.

use std::sync::Arc;

use poem_openapi::{ApiResponse, Object, ResponseContent};

use super::ChangeSetsApi;
use super::dto::Conflict;
use crate::auth::Caller;
use crate::export::Text;
use crate::responses::Json;
use authoring::diff::{self, RowDiff};
use revisions::publish::change_sets::StoredChangeSet;
use web::problem::Problem;

/// The differences that a change set makes.
#[derive(Debug, Object)]
pub struct ChangeSetDiff {
    /// The revision that the change set is compared with.
    pub base_revision: i64,
    /// Every changed row, sorted by resource (in decision order) and by code.
    pub rows: Vec<RowDiff>,
    /// Rows that others have also changed. The comparison omits the change set's changes to these rows.
    pub conflicts: Vec<Conflict>,
}

/// The diff, in the requested format.
#[derive(ResponseContent)]
pub enum SetDiff {
    /// JSON, for programs.
    Json(Json<ChangeSetDiff>),
    /// Text, for people.
    Text(Text),
}

/// A difference.
#[derive(ApiResponse)]
pub enum ChangeSetDiffResponse {
    /// The differences.
    #[oai(status = 200)]
    Found(SetDiff),
}

impl ChangeSetDiff {
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = diff::text(&self.rows);
        for Conflict { resource, code, .. } in &self.conflicts {
            text.push_str(&format!("\nconflict {resource}/{code}: others have changed this row\n"));
        }
        text
    }
}

impl ChangeSetsApi {
    /// Compares a change set with the head. For a published change set, compares its revision with the previous
    /// revision.
    pub(super) async fn compare(
        &self,
        caller: &Caller,
        stored: &StoredChangeSet,
        as_text: bool,
    ) -> Result<SetDiff, Problem> {
        let rulebook_id = stored.set.rulebook_id;
        let (base_revision, before, after, conflicts) = match stored.set.revision {
            Some(revision) => {
                let before = self.0.rows(rulebook_id, revision - 1).await?;
                (
                    revision - 1,
                    before,
                    self.0.rows(rulebook_id, revision).await?,
                    Vec::new(),
                )
            }
            None => {
                let draft = self.draft(stored).await?;
                let clashes = self.clashes(caller, rulebook_id, &draft).await?;
                let before = Arc::new(draft.base.rows().clone());
                (draft.base_revision, before, Arc::new(draft.applied.rows), clashes)
            }
        };
        // Comparing thousands of rows is slow, so the comparison runs on another thread.
        let compare = move || {
            let diff = ChangeSetDiff {
                base_revision,
                rows: diff::diff(&before, &after),
                conflicts,
            };
            if as_text {
                SetDiff::Text(Text(diff.text()))
            } else {
                SetDiff::Json(Json(diff))
            }
        };
        self.0.study(rulebook_id, compare).await
    }
}
