//! Builds a rulebook as if a change set were published.

use std::sync::Arc;

use uuid::Uuid;

use crate::publishing::finished;
use crate::row_faults::EditedRow;
use crate::state::AdminState;
use authoring::change_set::{Edit, applied};
use revisions::cache::HeadRows;
use revisions::publish::PublishError;
use revisions::publish::change_sets::StoredChangeSet;
use rules::Rulebook;
use rules::rows::RowSet;
use store::change_sets::ChangeSetStatus;
use web::problem::{Code, Problem};

/// Returns a rulebook's rows as if a change set were published.
///
/// # Errors
/// 404 if the change set does not exist, 409 if it was published or discarded.
pub async fn would_be(state: &AdminState, head_rows: &HeadRows, id: Uuid) -> Result<RowSet, Problem> {
    let found = state.publisher.set(head_rows.rulebook_id, id).await;
    let stored = finished(state, head_rows.rulebook_id, Ok(found), &EditedRow::default()).await?;
    alive(&stored)?;
    Ok(applied(head_rows.rows(), head_rows.revision + 1, &stored.edits()).rows)
}

/// Compiles a rulebook as if a change set were published.
///
/// # Errors
/// The errors of [`would_be`]; also 412 if others changed rows of the change set, and 422 if the result does not
/// compile.
pub async fn candidate(state: &AdminState, rulebook_id: Uuid, id: Uuid) -> Result<Arc<Rulebook>, Problem> {
    let found = state.publisher.set(rulebook_id, id).await;
    let stored = finished(state, rulebook_id, Ok(found), &EditedRow::default()).await?;
    alive(&stored)?;
    planned(state, rulebook_id, &stored.edits()).await
}

/// Compiles a rulebook as if edits were published.
///
/// # Errors
/// 412 if others changed the edited rows, 422 if the result does not compile.
pub async fn planned(state: &AdminState, rulebook_id: Uuid, edits: &[Edit]) -> Result<Arc<Rulebook>, Problem> {
    let planned = state.publisher.plan(rulebook_id, edits).await;
    let rulebook = planned.and_then(|planned| planned.rulebook.map_err(PublishError::Faults));
    finished(state, rulebook_id, Ok(rulebook), &EditedRow::default()).await
}

pub(super) fn is_alive(stored: &StoredChangeSet) -> bool {
    !stored
        .set
        .is_in(&[ChangeSetStatus::Published, ChangeSetStatus::Discarded])
}

pub(super) fn alive(stored: &StoredChangeSet) -> Result<(), Problem> {
    if is_alive(stored) {
        return Ok(());
    }
    let detail = match stored.set.revision {
        Some(revision) => format!("The change set was published as revision {revision}."),
        None => "The change set was discarded.".to_owned(),
    };
    Err(Problem::new(Code::Conflict, detail))
}
