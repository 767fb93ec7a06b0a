//! Steps that the operations on change sets share: find, read, change, respond.

use std::sync::Arc;

use uuid::Uuid;

use super::ChangeSetsApi;
use super::view::{ChangeSetState, Conflict, clashes_of};
use crate::answer::{FoundRow, Json, etag};
use crate::auth::Caller;
use crate::publishing::{About, finished};
use crate::rule_rows::checked_comment;
use crate::state::AdminState;
use crate::versions::{Precondition, expected};
use authoring::change_set::{Edit, applied};
use authoring::lint::{Finding, introduced, lint};
use revisions::current::Standing;
use revisions::publish::sets::StoredSet;
use revisions::publish::{Author, Draft, PublishError, Publisher};
use rules::Rulebook;
use rules::rows::RowSet;
use store::change_sets::State;
use store::trial;
use web::problem::{Code, Problem};

/// A change set as a request read it, and the author of the change.
pub struct Read {
    pub rulebook_id: Uuid,
    pub id: Uuid,
    pub version: i64,
    pub publisher: Arc<Publisher>,
    pub author: Author,
}

impl ChangeSetsApi {
    /// Reads the change set and checks that it has the version that the request sent.
    pub(super) async fn read(
        &self,
        caller: &Caller,
        rulebook_id: Uuid,
        id: Uuid,
        version: Option<i64>,
        if_match: Option<String>,
    ) -> Result<(Read, StoredSet), Problem> {
        let stored = self.stored(rulebook_id, id).await?;
        let read = Read {
            rulebook_id,
            id,
            version: read_version(&stored, version, if_match)?,
            publisher: Arc::clone(&self.0.publisher),
            author: caller.author(),
        };
        Ok((read, stored))
    }

    /// Changes it and responds with the result.
    pub(super) async fn changed<W, E>(
        &self,
        caller: &Caller,
        read: Read,
        work: impl FnOnce(Read) -> W,
    ) -> Result<FoundRow<ChangeSetState>, E>
    where
        W: Future<Output = Result<StoredSet, PublishError>> + Send + 'static,
        E: From<Problem>,
    {
        let stored = self.in_a_task(read.rulebook_id, work(read)).await?;
        Ok(self.answer(caller, stored).await?)
    }

    pub(super) async fn stored(&self, rulebook_id: Uuid, id: Uuid) -> Result<StoredSet, Problem> {
        let found = self.0.publisher.set(rulebook_id, id).await;
        finished(&self.0, rulebook_id, Ok(found), &About::default()).await
    }

    /// Runs a write in its own task, so that a disconnecting client cannot interrupt it.
    pub(super) async fn in_a_task<T: Send + 'static>(
        &self,
        rulebook_id: Uuid,
        work: impl Future<Output = Result<T, PublishError>> + Send + 'static,
    ) -> Result<T, Problem> {
        finished(&self.0, rulebook_id, trial::spawn(work).await, &About::default()).await
    }

    pub(super) async fn draft(&self, stored: &StoredSet) -> Result<Draft, Problem> {
        let rulebook_id = stored.set.rulebook_id;
        let draft = self.0.publisher.draft(rulebook_id, &stored.edits()).await;
        finished(&self.0, rulebook_id, Ok(draft), &About::default()).await
    }

    /// Lint findings of the candidate that the head does not have.
    pub(super) async fn findings(&self, draft: &Draft, rulebook: &Arc<Rulebook>) -> Result<Vec<Finding>, Problem> {
        let (base, rulebook) = (draft.base.compiled().cloned(), Arc::clone(rulebook));
        let now = self.0.clock.now();
        let look = move || {
            let before = base.map(|base| lint(&base, now)).unwrap_or_default();
            introduced(&before, lint(&rulebook, now))
        };
        self.0.study(draft.rulebook_id(), look).await
    }

    pub(super) async fn clashes(
        &self,
        caller: &Caller,
        rulebook_id: Uuid,
        draft: &Draft,
    ) -> Result<Vec<Conflict>, Problem> {
        let clashes = self.0.publisher.clashes(rulebook_id, &draft.applied.conflicts).await;
        let clashes = finished(&self.0, rulebook_id, Ok(clashes), &About::default()).await?;
        Ok(clashes_of(caller, clashes))
    }

    /// The change set with its changes, and its conflicts while it is unpublished.
    pub(super) async fn shown(&self, caller: &Caller, stored: StoredSet) -> Result<ChangeSetState, Problem> {
        let clashes = if is_alive(&stored) {
            let draft = self.draft(&stored).await?;
            self.clashes(caller, stored.set.rulebook_id, &draft).await?
        } else {
            Vec::new()
        };
        Ok(ChangeSetState::whole(caller, stored, clashes))
    }

    pub(super) async fn answer(&self, caller: &Caller, stored: StoredSet) -> Result<FoundRow<ChangeSetState>, Problem> {
        let version = stored.set.version;
        let view = self.shown(caller, stored).await?;
        Ok(FoundRow::Found(Json(view), etag(version)))
    }
}

/// A rulebook's rows as if a change set were published.
///
/// # Errors
/// 404 when it does not exist, 409 when it was published or discarded.
pub async fn would_be(state: &AdminState, standing: &Standing, id: Uuid) -> Result<RowSet, Problem> {
    let found = state.publisher.set(standing.rulebook_id, id).await;
    let stored = finished(state, standing.rulebook_id, Ok(found), &About::default()).await?;
    alive(&stored)?;
    Ok(applied(standing.rows(), standing.revision + 1, &stored.edits()).rows)
}

/// A rulebook compiled as if a change set were published.
///
/// # Errors
/// As for [`would_be`]; 412 when others changed its rows, 422 when it does not compile.
pub async fn candidate(state: &AdminState, rulebook_id: Uuid, id: Uuid) -> Result<Arc<Rulebook>, Problem> {
    let found = state.publisher.set(rulebook_id, id).await;
    let stored = finished(state, rulebook_id, Ok(found), &About::default()).await?;
    alive(&stored)?;
    planned(state, rulebook_id, &stored.edits()).await
}

/// A rulebook compiled as if edits were published.
///
/// # Errors
/// 412 when others changed their rows, 422 when it does not compile.
pub async fn planned(state: &AdminState, rulebook_id: Uuid, edits: &[Edit]) -> Result<Arc<Rulebook>, Problem> {
    let planned = state.publisher.plan(rulebook_id, edits).await;
    let rulebook = planned.and_then(|planned| planned.rulebook.map_err(PublishError::Faults));
    finished(state, rulebook_id, Ok(rulebook), &About::default()).await
}

fn is_alive(stored: &StoredSet) -> bool {
    !stored.set.is_in(&[State::Published, State::Discarded])
}

pub(super) fn alive(stored: &StoredSet) -> Result<(), Problem> {
    if is_alive(stored) {
        return Ok(());
    }
    let detail = match stored.set.revision {
        Some(revision) => format!("The change set was published as revision {revision}."),
        None => "The change set was discarded.".to_owned(),
    };
    Err(Problem::new(Code::Conflict, detail))
}

/// The version that a request sent, which must be the current one.
fn read_version(stored: &StoredSet, version: Option<i64>, if_match: Option<String>) -> Result<i64, Problem> {
    let said = Precondition {
        body: version,
        if_match,
        if_none_match: None,
    };
    expected(&said, Some(stored.set.version), "change set").map_err(|problem| match problem.code() {
        Code::VersionRequired => Problem::new(
            Code::VersionRequired,
            "Send the `version` of the change set that you read, in the query or as `If-Match: \"version\"`.",
        ),
        _ => problem,
    })?;
    Ok(stored.set.version)
}

pub(super) fn body_comment(comment: Option<String>) -> Result<Option<String>, Problem> {
    let Some(comment) = comment else { return Ok(None) };
    checked_comment(Some(comment)).map(Some).map_err(|problem| {
        let detail = problem.detail().to_owned();
        Problem::fault("/comment", "invalid_value", detail)
    })
}
