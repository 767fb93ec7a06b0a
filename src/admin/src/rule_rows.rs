//! The operations that all kinds of rule rows share: list, read, put, patch, delete.
//!
//! A write is live when its response arrives.

use std::marker::PhantomData;
use std::sync::Arc;

use poem_openapi::param::{Header, Path, Query};
use poem_openapi::types::Type;
use poem_openapi::{OpenApi, Tags};
use serde_json::Value;
use uuid::Uuid;

use super::auth::{Editor, Key, Viewer};
use super::body::{self, RowBody, RowPatch};
use super::errors::{Fails, ReadsChangeSet, WritesVersion};
use super::list::{ListQuery, ListSpec};
use super::publishing::{self, PublishOutcome, waiting};
use super::responses::{FoundRow, Page, ReadResponse, RowWithVersion, etag};
use super::row_checks::{canonical, check_code, checked_comment, with_code};
use super::row_faults::named;
use super::state::{AdminState, RulebookInPath, shortened};
use super::versions::{Precondition, expected};
use super::view_at::RowsAtState;
use super::write_responses::{DeletedRow, PatchedRow, PutRow};
use authoring::change_set::Edit;
use revisions::publish::PublishedRevision;
use rules::rows::{Row, RowSet, StoredRow};
use web::problem::{Code, Problem};

pub trait AdminRow: Row + Type {
    /// The path of the list, with `:rulebook`.
    const PATH: &'static str;
    /// The path of the same rows as a spreadsheet.
    const SHEET: &'static str;
    const LIST: ListSpec;
}

pub struct RowsApi<R> {
    state: AdminState,
    kind: PhantomData<fn() -> R>,
}

impl<R> RowsApi<R> {
    #[must_use]
    pub const fn new(state: AdminState) -> Self {
        Self {
            state,
            kind: PhantomData,
        }
    }
}

#[derive(Tags)]
enum Group {
    /// Rules of decisions.
    Rules,
}

#[OpenApi(prefix_path = R::PATH, tag = "Group::Rules")]
impl<R: AdminRow> RowsApi<R> {
    /// List
    #[oai(path = "/", method = "get")]
    async fn list(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// An older revision; by default the head.
        revision: Query<Option<i64>>,
        /// Reads the rows as if this change set were published; `version` is that of the head's row, 0 for a new one.
        change_set: Query<Option<Uuid>>,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<RowWithVersion<R>>>, Fails<ReadsChangeSet>> {
        let listing = query.besides(&["revision", "change_set"]).read(&R::LIST)?;
        let seen = RowsAtState::of(&self.state, &key, &rulebook.0, revision.0, change_set.0).await?;
        let rows = seen.all::<R>();
        let rows = rows.filter(|row| listing.keeps(row.value())).map(|row| {
            let code = row.value()["code"].as_str().unwrap_or_default().to_owned();
            (row.value()[listing.sort].clone(), code, row)
        });
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
        /// Reads the row as if this change set were published; `version` is that of the head's row, 0 for a new one.
        change_set: Query<Option<Uuid>>,
    ) -> Result<FoundRow<RowWithVersion<R>>, Fails<ReadsChangeSet>> {
        let seen = RowsAtState::of(&self.state, &key, &rulebook.0, revision.0, change_set.0).await?;
        let (row, version) = seen.one::<R>(&code.0).ok_or_else(|| missing::<R>(&code.0))?;
        Ok(FoundRow::Found(super::responses::Json(row), etag(version)))
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
        body: RowBody<R>,
    ) -> Result<PutRow<RowWithVersion<R>>, Fails<WritesVersion>> {
        let head_rows = self.state.head_rows(&key, &rulebook.0).await?;
        let row = with_code(body.row, &code.0)?;
        let row = canonical::<R>(row)?;
        let said = Precondition {
            body: body.version,
            if_match: if_match.0,
            if_none_match: if_none_match.0,
        };
        let comment = checked_comment(comment.0)?;
        let current = find::<R>(head_rows.rows(), &code.0).map(|stored| stored.version);
        if current.is_none() {
            check_code(&code.0)?;
        }
        let (state, id) = (&self.state, head_rows.rulebook_id);
        let stored = match write_guarded::<R>(state, &key, id, &code.0, row, &said, current, comment).await? {
            PublishOutcome::Done((stored, _)) => stored,
            PublishOutcome::Waits(set) => {
                let (set, address, version) = waiting(&key, &rulebook.0, *set);
                return Ok(PutRow::Waits(set, address, version));
            }
        };
        let answer = (
            super::responses::Json(RowWithVersion::of(stored.as_ref())),
            etag(stored.version),
        );
        Ok(match current {
            Some(_) => PutRow::Replaced(answer.0, answer.1),
            None => PutRow::Created(answer.0, answer.1),
        })
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
        body: RowPatch<R>,
    ) -> Result<PatchedRow<RowWithVersion<R>>, Fails<WritesVersion>> {
        let head_rows = self.state.head_rows(&key, &rulebook.0).await?;
        let stored = find::<R>(head_rows.rows(), &code.0).ok_or_else(|| missing::<R>(&code.0))?;
        let mut row = serde_json::to_value(&stored.row).map_err(|error| Problem::internal(&error))?;
        body::merge(&mut row, Value::Object(body.patch));
        let row = canonical::<R>(with_code(row, &code.0)?)?;
        let said = Precondition {
            body: body.version,
            if_match: if_match.0,
            if_none_match: None,
        };
        let comment = checked_comment(comment.0)?;
        let current = Some(stored.version);
        let (state, id) = (&self.state, head_rows.rulebook_id);
        let written = write_guarded::<R>(state, &key, id, &code.0, row, &said, current, comment).await?;
        let stored = match written {
            PublishOutcome::Done((stored, _)) => stored,
            PublishOutcome::Waits(set) => {
                let (set, address, version) = waiting(&key, &rulebook.0, *set);
                return Ok(PatchedRow::Waits(set, address, version));
            }
        };
        Ok(PatchedRow::Changed(
            super::responses::Json(RowWithVersion::of(stored.as_ref())),
            etag(stored.version),
        ))
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
        let stored = find::<R>(head_rows.rows(), &code.0).ok_or_else(|| missing::<R>(&code.0))?;
        let said = Precondition {
            body: version.0,
            if_match: if_match.0,
            if_none_match: None,
        };
        let expected = expected(&said, Some(stored.version), &named(R::RESOURCE, &code.0))?;
        let edit = Edit::Delete {
            resource: R::RESOURCE,
            code: code.0,
            expected,
        };
        let comment = checked_comment(comment.0)?;
        let state = &self.state;
        match publishing::publish(state, head_rows.rulebook_id, edit, comment, key.author()).await? {
            PublishOutcome::Done(_) => Ok(DeletedRow::Gone),
            PublishOutcome::Waits(set) => {
                let (set, address, version) = waiting(&key, &rulebook.0, *set);
                Ok(DeletedRow::Waits(set, address, version))
            }
        }
    }
}

/// Publishes a row and returns it with its new version.
///
/// # Errors
/// 412, 422, 428 and the publisher's other errors.
#[expect(clippy::too_many_arguments, reason = "all of it is one write")]
pub async fn write_guarded<R: Row>(
    state: &AdminState,
    caller: &super::auth::Caller,
    rulebook_id: Uuid,
    code: &str,
    row: Value,
    said: &Precondition,
    current: Option<i64>,
    comment: String,
) -> Result<PublishOutcome<(Arc<StoredRow<R>>, i64)>, Problem> {
    let expected = expected(said, current, &named(R::RESOURCE, code))?;
    let edit = Edit::Put {
        resource: R::RESOURCE,
        code: code.to_owned(),
        row,
        expected,
    };
    let published: PublishedRevision =
        match publishing::publish(state, rulebook_id, edit, comment, caller.author()).await? {
            PublishOutcome::Done(published) => published,
            PublishOutcome::Waits(set) => return Ok(PublishOutcome::Waits(set)),
        };
    let row = R::table(published.rulebook.rows()).get(code).cloned();
    let row = row.ok_or_else(|| missing::<R>(code))?;
    Ok(PublishOutcome::Done((row, published.revision)))
}

/// Publishes a row without prices, to which guard rails do not apply.
///
/// # Errors
/// As for [`write_guarded`].
#[expect(clippy::too_many_arguments, reason = "all of it is one write")]
pub async fn write<R: Row>(
    state: &AdminState,
    caller: &super::auth::Caller,
    rulebook_id: Uuid,
    code: &str,
    row: Value,
    said: &Precondition,
    current: Option<i64>,
    comment: String,
) -> Result<(Arc<StoredRow<R>>, i64), Problem> {
    match write_guarded(state, caller, rulebook_id, code, row, said, current, comment).await? {
        PublishOutcome::Done(written) => Ok(written),
        PublishOutcome::Waits(set) => {
            let detail = format!("It waits for a second person, as change set {}.", set.set.id);
            Err(Problem::new(Code::Conflict, detail))
        }
    }
}

fn find<'a, R: Row>(rows: &'a RowSet, code: &str) -> Option<&'a StoredRow<R>> {
    R::table(rows).get(code).map(Arc::as_ref)
}

#[must_use]
pub fn missing<R: Row>(code: &str) -> Problem {
    Problem::not_found(named(R::RESOURCE, &shortened(code)))
}
