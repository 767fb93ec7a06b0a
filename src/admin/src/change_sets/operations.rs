//! Steps that the operations on change sets share: find, read, change, respond.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::ChangeSetsApi;
use super::candidate::is_alive;
use super::dto::{ChangeSetState, Conflict, clashes_of};
use crate::auth::Caller;
use crate::publishing::finished;
use crate::responses::{FoundRow, Json, etag};
use crate::row_checks::checked_comment;
use crate::row_faults::EditedRow;
use crate::versions::{Precondition, expected};
use revisions::publish::change_sets::StoredChangeSet;
use revisions::publish::{Author, Draft, PublishError, Publisher};
use store::dry_run;
use web::problem::{Code, Problem};

/// The change set that a request wants to change, its version, and the author of the change.
pub struct Read {
    pub rulebook_id: Uuid,
    pub id: Uuid,
    pub version: i64,
    pub publisher: Arc<Publisher>,
    pub author: Author,
}

impl Read {
    /// Publishes the change set at `at`, or now if `at` is `None`.
    pub(super) async fn publish(
        &self,
        at: Option<DateTime<Utc>>,
        comment: Option<&str>,
    ) -> Result<StoredChangeSet, PublishError> {
        let Self { publisher, author, .. } = self;
        match at {
            None => {
                publisher
                    .publish_set(self.rulebook_id, self.id, self.version, comment, author)
                    .await
            }
            Some(at) => {
                publisher
                    .schedule_set(self.rulebook_id, self.id, self.version, at, comment, author)
                    .await
            }
        }
    }
}

impl ChangeSetsApi {
    /// Reads the change set and checks that the request sent the current version.
    pub(super) async fn read(
        &self,
        caller: &Caller,
        rulebook_id: Uuid,
        id: Uuid,
        version: Option<i64>,
        if_match: Option<String>,
    ) -> Result<(Read, StoredChangeSet), Problem> {
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

    /// Changes the change set and responds with the result.
    pub(super) async fn changed<W, E>(
        &self,
        caller: &Caller,
        read: Read,
        work: impl FnOnce(Read) -> W,
    ) -> Result<FoundRow<ChangeSetState>, E>
    where
        W: Future<Output = Result<StoredChangeSet, PublishError>> + Send + 'static,
        E: From<Problem>,
    {
        let stored = self.in_a_task(read.rulebook_id, work(read)).await?;
        Ok(self.answer(caller, stored).await?)
    }

    pub(super) async fn stored(&self, rulebook_id: Uuid, id: Uuid) -> Result<StoredChangeSet, Problem> {
        let found = self.0.publisher.set(rulebook_id, id).await;
        finished(&self.0, rulebook_id, Ok(found), &EditedRow::default()).await
    }

    /// Runs a write in its own task, so that a disconnecting client cannot interrupt it.
    pub(super) async fn in_a_task<T: Send + 'static>(
        &self,
        rulebook_id: Uuid,
        work: impl Future<Output = Result<T, PublishError>> + Send + 'static,
    ) -> Result<T, Problem> {
        finished(&self.0, rulebook_id, dry_run::spawn(work).await, &EditedRow::default()).await
    }

    pub(super) async fn draft(&self, stored: &StoredChangeSet) -> Result<Draft, Problem> {
        let rulebook_id = stored.set.rulebook_id;
        let draft = self.0.publisher.draft(rulebook_id, &stored.edits()).await;
        finished(&self.0, rulebook_id, Ok(draft), &EditedRow::default()).await
    }

    pub(super) async fn clashes(
        &self,
        caller: &Caller,
        rulebook_id: Uuid,
        draft: &Draft,
    ) -> Result<Vec<Conflict>, Problem> {
        let clashes = self.0.publisher.clashes(rulebook_id, &draft.applied.conflicts).await;
        let clashes = finished(&self.0, rulebook_id, Ok(clashes), &EditedRow::default()).await?;
        Ok(clashes_of(caller, clashes))
    }

    /// Returns the change set with its changes. The response includes the conflicts until the change set is published
    /// or discarded.
    pub(super) async fn shown(&self, caller: &Caller, stored: StoredChangeSet) -> Result<ChangeSetState, Problem> {
        let clashes = if is_alive(&stored) {
            let draft = self.draft(&stored).await?;
            self.clashes(caller, stored.set.rulebook_id, &draft).await?
        } else {
            Vec::new()
        };
        Ok(ChangeSetState::whole(caller, stored, clashes))
    }

    pub(super) async fn answer(
        &self,
        caller: &Caller,
        stored: StoredChangeSet,
    ) -> Result<FoundRow<ChangeSetState>, Problem> {
        let version = stored.set.version;
        let view = self.shown(caller, stored).await?;
        Ok(FoundRow::Found(Json(view), etag(version)))
    }
}

/// Checks that the request sent the current version, and returns that version.
fn read_version(stored: &StoredChangeSet, version: Option<i64>, if_match: Option<String>) -> Result<i64, Problem> {
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
