//! Implements the operations that all kinds of rule rows share: list, read, put, patch, delete.
//!
//! A write is live when its response arrives.

use std::sync::Arc;

use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{OpenApi, Tags};
use serde_json::Value;
use uuid::Uuid;

use super::auth::{Caller, Editor, Key, Viewer};
use super::body::{RowBody, RowPatch};
use super::errors::{Fails, ReadsChangeSet, WritesVersion};
use super::list::ListQuery;
use super::publishing::{PublishOutcome, held_or_finished, waiting};
use super::responses::{FoundRow, Json, Page, ReadResponse, RowWithVersion, etag};
use super::row_checks::{check_code, checked_comment, with_code};
use super::row_faults::{EditedRow, named};
use super::row_kind::{AnyRow, RowKind};
use super::state::{AdminState, RulebookInPath, shortened};
use super::versions::{Precondition, expected};
use super::view_at::RowsAtState;
use super::write_responses::{DeletedRow, PatchedRow, PutRow};
use authoring::change_set::{ChangeSet, Edit};
use revisions::publish::PublishedRevision;
use rules::rows::{Resource, Row, StoredRow};
use web::problem::{Code, Problem};

/// A placeholder for the path of a list of rows. `ResourcesApi` replaces this placeholder with the path of each kind.
pub(super) const ANY_ROWS: &str = "/rows";

/// The operations on the rows of a kind.
pub struct RowsApi {
    pub state: AdminState,
    pub kind: &'static RowKind,
}

#[derive(Tags)]
enum Group {
    /// Rules of decisions.
    Rules,
}

#[OpenApi(prefix_path = ANY_ROWS, tag = "Group::Rules")]
impl RowsApi {
    /// List
    #[oai(path = "/", method = "get")]
    async fn list(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// An older revision; by default the head.
        revision: Query<Option<i64>>,
        /// Reads the rows as if this change set were published; `version` is the head row's, or 0 for a new row.
        change_set: Query<Option<Uuid>>,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<RowWithVersion<AnyRow>>>, Fails<ReadsChangeSet>> {
        let listing = query.besides(&["revision", "change_set"]).read(&self.kind.list)?;
        let seen = RowsAtState::of(&self.state, &key, &rulebook.0, revision.0, change_set.0).await?;
        let rows = seen.all(self.kind).into_iter();
        let rows = rows.filter(|(_, row)| listing.keeps(row.value()));
        let rows = rows.map(|(code, row)| (row.value()[listing.sort].clone(), code, row));
        Ok(ReadResponse::new(listing.page_of(rows.collect())))
    }

    /// Read
    #[oai(path = "/:code", method = "get")]
    async fn get(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// The row's code.
        code: Path<String>,
        /// An older revision; by default the head.
        revision: Query<Option<i64>>,
        /// Reads the row as if this change set were published; `version` is the head row's, or 0 for a new row.
        change_set: Query<Option<Uuid>>,
    ) -> Result<FoundRow<RowWithVersion<AnyRow>>, Fails<ReadsChangeSet>> {
        let seen = RowsAtState::of(&self.state, &key, &rulebook.0, revision.0, change_set.0).await?;
        let (row, version) = seen
            .one(self.kind, &code.0)
            .ok_or_else(|| missing(self.kind.resource, &code.0))?;
        Ok(FoundRow::Found(Json(row), etag(version)))
    }

    /// Put
    #[oai(path = "/:code", method = "put")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn put(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// The row's code.
        code: Path<String>,
        /// The ETag of the row that you read, if its version is not in the body.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// `*` rejects the request if the row exists.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
        /// The comment, for the list of revisions.
        comment: Query<Option<String>>,
        body: RowBody<AnyRow>,
    ) -> Result<PutRow<RowWithVersion<AnyRow>>, Fails<WritesVersion>> {
        let (row, version) = body.read(&(self.kind.schema)())?;
        let head_rows = self.state.head_rows(&key, &rulebook.0).await?;
        let row = (self.kind.canonical)(with_code(row, &code.0)?)?;
        let said = Precondition {
            body: version,
            if_match: if_match.0,
            if_none_match: if_none_match.0,
        };
        let comment = checked_comment(comment.0)?;
        let current = (self.kind.version)(head_rows.rows(), &code.0);
        if current.is_none() {
            check_code(&code.0)?;
        }
        let edit = put(self.kind.resource, &code.0, row, &said, current)?;
        match publish(&self.state, &key, head_rows.rulebook_id, edit, comment).await? {
            PublishOutcome::Done(published) => {
                let (row, tag) = self.published(&published, &code.0)?;
                Ok(match current {
                    Some(_) => PutRow::Replaced(row, tag),
                    None => PutRow::Created(row, tag),
                })
            }
            PublishOutcome::Waits(set) => {
                let (set, address, version) = waiting(&key, &rulebook.0, *set);
                Ok(PutRow::Waits(set, address, version))
            }
        }
    }

    /// Patch
    #[oai(path = "/:code", method = "patch")]
    async fn patch(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// The row's code.
        code: Path<String>,
        /// The ETag of the row that you read, if its version is not in the body.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The comment, for the list of revisions.
        comment: Query<Option<String>>,
        body: RowPatch<AnyRow>,
    ) -> Result<PatchedRow<RowWithVersion<AnyRow>>, Fails<WritesVersion>> {
        let (patch, version) = body.read(&(self.kind.schema)())?;
        let head_rows = self.state.head_rows(&key, &rulebook.0).await?;
        let row = (self.kind.row)(head_rows.rows(), &code.0);
        let mut row = row.ok_or_else(|| missing(self.kind.resource, &code.0))?;
        json_patch::merge(&mut row, &Value::Object(patch));
        let row = (self.kind.canonical)(with_code(row, &code.0)?)?;
        let said = Precondition {
            body: version,
            if_match: if_match.0,
            if_none_match: None,
        };
        let comment = checked_comment(comment.0)?;
        let current = (self.kind.version)(head_rows.rows(), &code.0);
        let edit = put(self.kind.resource, &code.0, row, &said, current)?;
        match publish(&self.state, &key, head_rows.rulebook_id, edit, comment).await? {
            PublishOutcome::Done(published) => {
                let (row, tag) = self.published(&published, &code.0)?;
                Ok(PatchedRow::Changed(row, tag))
            }
            PublishOutcome::Waits(set) => {
                let (set, address, version) = waiting(&key, &rulebook.0, *set);
                Ok(PatchedRow::Waits(set, address, version))
            }
        }
    }

    /// Delete
    #[oai(path = "/:code", method = "delete")]
    async fn delete(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// The row's code.
        code: Path<String>,
        /// The ETag of the row that you read, if its version is not in the query.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The version that you read, if there is no `If-Match`.
        version: Query<Option<i64>>,
        /// The comment, for the list of revisions.
        comment: Query<Option<String>>,
    ) -> Result<DeletedRow, Fails<WritesVersion>> {
        let head_rows = self.state.head_rows(&key, &rulebook.0).await?;
        let resource = self.kind.resource;
        let current = (self.kind.version)(head_rows.rows(), &code.0).ok_or_else(|| missing(resource, &code.0))?;
        let said = Precondition {
            body: version.0,
            if_match: if_match.0,
            if_none_match: None,
        };
        let expected = expected(&said, Some(current), &named(resource, &code.0))?;
        let edit = Edit::Delete {
            resource,
            code: code.0,
            expected,
        };
        let comment = checked_comment(comment.0)?;
        match publish(&self.state, &key, head_rows.rulebook_id, edit, comment).await? {
            PublishOutcome::Done(_) => Ok(DeletedRow::Gone),
            PublishOutcome::Waits(set) => {
                let (set, address, version) = waiting(&key, &rulebook.0, *set);
                Ok(DeletedRow::Waits(set, address, version))
            }
        }
    }
}

impl RowsApi {
    /// Returns a row of a new revision, as response body and ETag.
    fn published(
        &self,
        published: &PublishedRevision,
        code: &str,
    ) -> Result<(Json<RowWithVersion<AnyRow>>, String), Problem> {
        let rows = published.rulebook.rows();
        let version = (self.kind.version)(rows, code).ok_or_else(|| missing(self.kind.resource, code))?;
        let row = (self.kind.row)(rows, code).unwrap_or_default();
        Ok((Json(RowWithVersion::new(row, version)), etag(version)))
    }
}

fn put(resource: Resource, code: &str, row: Value, said: &Precondition, current: Option<i64>) -> Result<Edit, Problem> {
    Ok(Edit::Put {
        resource,
        code: code.to_owned(),
        row,
        expected: expected(said, current, &named(resource, code))?,
    })
}

/// Publishes one edit.
async fn publish(
    state: &AdminState,
    caller: &Caller,
    rulebook_id: Uuid,
    edit: Edit,
    comment: String,
) -> Result<PublishOutcome<PublishedRevision>, Problem> {
    let about = EditedRow::of(&edit);
    let change = ChangeSet::of(edit, comment);
    let published = state.publisher.publish(rulebook_id, change, caller.author());
    held_or_finished(state, rulebook_id, published.await, &about).await
}

/// Publishes a row without prices. Guard rails do not apply to such a row.
///
/// # Errors
/// 412, 422, 428 and the publisher's other errors.
#[expect(clippy::too_many_arguments, reason = "all arguments describe one write")]
pub async fn write<R: Row>(
    state: &AdminState,
    caller: &Caller,
    rulebook_id: Uuid,
    code: &str,
    row: Value,
    said: &Precondition,
    current: Option<i64>,
    comment: String,
) -> Result<(Arc<StoredRow<R>>, i64), Problem> {
    let edit = put(R::RESOURCE, code, row, said, current)?;
    match publish(state, caller, rulebook_id, edit, comment).await? {
        PublishOutcome::Done(published) => {
            let row = R::table(published.rulebook.rows()).get(code).cloned();
            Ok((row.ok_or_else(|| missing(R::RESOURCE, code))?, published.revision))
        }
        PublishOutcome::Waits(set) => {
            let detail = format!("The change waits for a second person, as change set {}.", set.set.id);
            Err(Problem::new(Code::Conflict, detail))
        }
    }
}

/// Returns the 404 problem for a row that does not exist.
#[must_use]
pub fn missing(resource: Resource, code: &str) -> Problem {
    Problem::not_found(named(resource, &shortened(code)))
}
