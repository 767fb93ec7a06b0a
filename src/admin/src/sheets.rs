//! Exports the rows of one kind as CSV, and imports them as one change. An import reports every error by row and
//! column.

use std::sync::Arc;

use poem::{IntoResponse, Request, RequestBody, Response};
use poem_openapi::param::{Header, Query};
use poem_openapi::payload::{ParsePayload, Payload};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiResponse, Object, OpenApi, impl_apirequest_for_payload};
use uuid::Uuid;

use super::auth::{Editor, Key, Viewer};
use super::change_sets::dto::ChangeSetState;
use super::errors::{Fails, NoExtraErrors, WritesVersion};
use super::publishing::{PublishOutcome, finished, held_or_finished, waiting};
use super::responses::{Json, etag};
use super::row_checks::checked_comment;
use super::row_faults::EditedRow;
use super::row_kind::RowKind;
use super::state::{AdminState, RulebookInPath};
use super::versions::version_sent;
use super::view_at::RowsAtState;
use authoring::change_set::{ChangeSet, Edit};
use authoring::diff::{self, RowDiff};
use authoring::sheet::{Missing, SheetFault};
use store::dry_run;
use web::body::read_body;
use web::problem::{Code, FieldFault, Problem};

/// Maximum size of a sheet in bytes.
pub const LIMIT: usize = 8 * 1024 * 1024;
/// Maximum number of reported errors.
const MOST_FAULTS: usize = 100;

/// A placeholder for the path of a sheet. `ResourcesApi` replaces this placeholder with the path of each kind.
pub(super) const ANY_SHEET: &str = "/sheet";

/// The operations on the sheet of a kind of rows.
pub struct SheetsApi {
    pub state: AdminState,
    pub kind: &'static RowKind,
}

/// A CSV body or response.
pub struct Csv<T>(pub T);

impl<T: Send> Payload for Csv<T> {
    const CONTENT_TYPE: &'static str = "text/csv; charset=utf-8";

    fn check_content_type(content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("text/csv") || essence.eq_ignore_ascii_case("application/csv")
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")))
    }
}

impl IntoResponse for Csv<String> {
    fn into_response(self) -> Response {
        Response::builder().content_type(Self::CONTENT_TYPE).body(self.0)
    }
}

impl ParsePayload for Csv<Vec<u8>> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let read = read_body(request, body.take()?, LIMIT).await?;
        Ok(Self(read.bytes))
    }
}

impl_apirequest_for_payload!(Csv<Vec<u8>>);

/// A sheet.
#[derive(ApiResponse)]
pub enum SheetResponse {
    /// Commas, CRLF, UTF-8 with a byte order mark for Excel.
    #[oai(status = 200)]
    Found(
        Csv<String>,
        #[oai(header = "Content-Disposition")] String,
        /// The revision.
        #[oai(header = "ETag")]
        String,
    ),
}

/// The changes of a sheet.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct SheetImport {
    /// The new revision; absent if the changes were added to a change set.
    revision: Option<i64>,
    /// The change set that the changes were added to.
    change_set: Option<Uuid>,
    /// Every row that the import changes, by code.
    rows: Vec<RowDiff>,
}

/// The response after an import.
#[expect(clippy::large_enum_variant, reason = "a response is built once and then sent")]
#[derive(ApiResponse)]
pub enum ImportSheetResponse {
    /// The changes that the import made, or would make in a dry run.
    #[oai(status = 200)]
    Done(Json<SheetImport>),
    /// The change exceeds the guard rails and is not live. It waits as this change set until somebody else approves
    /// it.
    #[oai(status = 202)]
    Waits(
        Json<ChangeSetState>,
        #[oai(header = "Location")] String,
        #[oai(header = "ETag")] String,
    ),
}

#[OpenApi(prefix_path = ANY_SHEET)]
impl SheetsApi {
    /// Export
    #[oai(path = "/", method = "get")]
    async fn export_sheet(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// An older revision; by default the head.
        revision: Query<Option<i64>>,
    ) -> Result<SheetResponse, Fails<NoExtraErrors>> {
        let seen = RowsAtState::of(&self.state, &key, &rulebook.0, revision.0, None).await?;
        let (tag, rulebook_id) = (etag(seen.revision()), seen.rulebook_id());
        let write = self.kind.write_sheet;
        // Writing thousands of rows is slow, so the write runs on another thread.
        let text = self.state.study(rulebook_id, move || write(seen.rows())).await?;
        let text = text.map_err(|error| Problem::internal(&std::io::Error::other(error)))?;
        let name = format!(
            "attachment; filename=\"{}-{}.csv\"",
            rulebook.0,
            self.kind.resource.path()
        );
        Ok(SheetResponse::Found(Csv(text), name, tag))
    }

    /// Import
    #[oai(path = "/", method = "post")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn import_sheet(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// `true` deletes the rows that the sheet does not have. It requires the revision of the exported sheet: rows
        /// that were written later are reported, not deleted.
        #[oai(default)]
        delete_missing: Query<bool>,
        /// The ETag of the exported sheet, if its revision is not in the query.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The revision of the exported sheet, if there is no `If-Match`.
        revision: Query<Option<i64>>,
        /// Adds the changes to this change set instead of publishing them.
        change_set: Query<Option<Uuid>>,
        /// The comment, for the list of revisions.
        comment: Query<Option<String>>,
        body: Csv<Vec<u8>>,
    ) -> Result<ImportSheetResponse, Fails<WritesVersion>> {
        let comment = checked_comment(comment.0)?;
        let missing = what_is_missing(delete_missing.0, revision.0, if_match.0.as_deref())?;
        let head_rows = self.state.head_rows(&key, &rulebook.0).await?;
        let (rulebook_id, bytes, read) = (head_rows.rulebook_id, body.0, self.kind.read_sheet);
        let read = move || read(&bytes, head_rows.rows(), missing);
        let edits = self
            .state
            .study(rulebook_id, read)
            .await?
            .map_err(|faults| problem_of(&faults))?;
        let planned = self.state.publisher.plan(rulebook_id, &edits).await;
        let planned = finished(&self.state, rulebook_id, Ok(planned), &EditedRow::default()).await?;
        let rows = diff::diff(&planned.base, &planned.rows);
        let mut import = SheetImport {
            revision: None,
            change_set: change_set.0,
            rows,
        };
        if let Some(id) = change_set.0 {
            self.add(rulebook_id, id, edits, &key).await?;
        } else {
            let change = ChangeSet { edits, comment };
            let published = self.state.publisher.publish(rulebook_id, change, key.author());
            match held_or_finished(&self.state, rulebook_id, published.await, &EditedRow::default()).await? {
                PublishOutcome::Done(published) => import.revision = Some(published.revision),
                PublishOutcome::Waits(set) => {
                    let (set, address, version) = waiting(&key, &rulebook.0, *set);
                    return Ok(ImportSheetResponse::Waits(set, address, version));
                }
            }
        }
        Ok(ImportSheetResponse::Done(Json(import)))
    }
}

impl SheetsApi {
    /// Adds the changes to a change set.
    async fn add(
        &self,
        rulebook_id: Uuid,
        id: Uuid,
        edits: Vec<Edit>,
        caller: &super::auth::Caller,
    ) -> Result<(), Problem> {
        let (publisher, author) = (Arc::clone(&self.state.publisher), caller.author());
        let task = dry_run::spawn(async move {
            let version = publisher.set(rulebook_id, id).await?.set.version;
            publisher.add_changes(rulebook_id, id, version, edits, &author).await
        });
        finished(&self.state, rulebook_id, task.await, &EditedRow::default()).await?;
        Ok(())
    }
}

/// Returns what happens to rows that the sheet does not have.
fn what_is_missing(deleted: bool, revision: Option<i64>, if_match: Option<&str>) -> Result<Missing, Problem> {
    if revision.is_some_and(|number| number < 1) {
        let detail = "`revision` must be the number of a revision, from 1.";
        return Err(Problem::invalid_parameter("revision", detail));
    }
    match (deleted, version_sent(revision, if_match)?) {
        (false, _) => Ok(Missing::Stay),
        (true, Some(revision)) => Ok(Missing::DeletedAsOf(revision)),
        (true, None) => Err(Problem::new(
            Code::VersionRequired,
            "`delete_missing` needs the revision of the exported sheet, as `revision` or as `If-Match`.",
        )),
    }
}

/// Converts the errors of a sheet to a problem, with their common code if they have one.
fn problem_of(faults: &[SheetFault]) -> Problem {
    let all = |problem: &str| faults.iter().all(|fault| fault.problem == problem);
    let any = |problem: &str| faults.iter().any(|fault| fault.problem == problem);
    let versions = faults
        .iter()
        .all(|fault| ["stale_version", "version_required"].contains(&fault.problem));
    let code = match versions {
        true if all("version_required") => Code::VersionRequired,
        true if any("stale_version") => Code::StaleVersion,
        _ => Code::Unprocessable,
    };
    let detail = match faults {
        [one] => one.to_string(),
        many if many.len() > MOST_FAULTS => format!(
            "The sheet has {} errors; `errors` lists the first {MOST_FAULTS} with their rows and columns.",
            many.len()
        ),
        many => format!(
            "The sheet has {} errors; `errors` lists the row and column of each error.",
            many.len()
        ),
    };
    let errors = faults.iter().take(MOST_FAULTS).map(|fault| {
        let pointer = format!("/{}/{}", fault.row, fault.column);
        FieldFault::new(pointer, fault.problem, fault.to_string())
    });
    Problem::new(code, detail).with_errors(errors.collect())
}
