//! Lists, reads, compares and exports revisions, and rolls back to a revision.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{ApiResponse, Enum, Object, OpenApi, ResponseContent};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter};

use super::auth::{Caller, Editor, Key, Viewer};
use super::change_sets::dto::ChangeSetState;
use super::errors::{Fails, NoExtraErrors, RollingBack};
use super::export::{self, Tar, Text, WantsText};
use super::idempotency::{AnswerError, Begun, Claim, IdempotentResponse, Once};
use super::list::{Filter, FilterType, ListQuery, ListSpec};
use super::publishing;
use super::responses::{Json, Page, ReadResponse, etag};
use super::row_checks::checked_comment;
use super::state::{AdminState, RulebookInPath, shortened};
use super::versions::version_sent;
use ::revisions::cache::HeadRows;
use ::revisions::publish::RollBackRequest;
use ::revisions::publish::idempotency::{Effect, Receipt, ReceiptError};
use authoring::diff::{self, RowDiff};
use store::{page, revisions};
use web::problem::{Code, Problem};

/// Sort orders and filters of this list.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-number", "number"],
    filters: &[
        Filter {
            name: "kind",
            kind: FilterType::Choice(&["publish", "roll_back", "import"]),
            doc: "How the revision was created.",
        },
        Filter {
            name: "author",
            kind: FilterType::Text,
            doc: "The name of the key that published the revision.",
        },
        Filter {
            name: "since",
            kind: FilterType::Time,
            doc: "Published at this instant or later.",
        },
        Filter {
            name: "until",
            kind: FilterType::Time,
            doc: "Published before this instant.",
        },
    ],
};

pub struct RevisionsApi(pub AdminState);

/// A published state of the rulebook.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Revision {
    /// The revision's number; numbers only rise.
    number: i64,
    /// `publish`, `roll_back` or `import`.
    kind: String,
    /// The older revision that a rollback restored.
    equals: Option<i64>,
    /// Who published the revision.
    author: String,
    /// The comment.
    comment: String,
    created_at: DateTime<Utc>,
}

/// A revision that was read.
#[derive(ApiResponse)]
pub enum RevisionResponse {
    /// The revision. To roll back, send the head's number, or its ETag in `If-Match`.
    #[oai(status = 200)]
    Found(Json<Revision>, #[oai(header = "ETag")] String),
}

/// The response after a rollback.
#[derive(ApiResponse)]
#[expect(
    clippy::large_enum_variant,
    reason = "created once per response, and poem-openapi does not accept a `Box`"
)]
pub enum RolledBackOrWaits {
    /// The rulebook is rolled back.
    #[oai(status = 200)]
    RolledBack(Json<RolledBack>),
    /// The change exceeds the guard rails and is not live. It waits as this change set until somebody else approves
    /// it.
    #[oai(status = 202)]
    Waits(
        Json<ChangeSetState>,
        #[oai(header = "Location")] String,
        #[oai(header = "ETag")] String,
    ),
}

/// The result of a rollback.
#[derive(Debug, Object)]
pub struct RolledBack {
    /// The new head revision.
    revision: i64,
    /// The older revision that the new head equals.
    equals: i64,
}

/// Stores the response of a rollback, under the idempotency key of its request.
struct StoreRollbackResponse {
    claim: Claim,
    caller: Caller,
    rulebook: String,
    equals: i64,
}

impl StoreRollbackResponse {
    async fn answer(&self, effect: Effect<'_>) -> Result<IdempotentResponse<RolledBackOrWaits>, AnswerError> {
        let answer = match effect {
            Effect::Published(revision) => RolledBackOrWaits::RolledBack(Json(RolledBack {
                revision,
                equals: self.equals,
            })),
            Effect::Waits(set) => {
                let (set, address, version) = publishing::waiting(&self.caller, &self.rulebook, set.clone());
                RolledBackOrWaits::Waits(set, address, version)
            }
        };
        IdempotentResponse::new(answer).await
    }
}

impl Receipt for StoreRollbackResponse {
    fn take<'a>(&'a self, tx: &'a DatabaseTransaction) -> BoxFuture<'a, Result<bool, DbErr>> {
        Box::pin(self.claim.take(tx))
    }

    fn settle<'a>(
        &'a self,
        tx: &'a DatabaseTransaction,
        effect: Effect<'a>,
    ) -> BoxFuture<'a, Result<(), ReceiptError>> {
        Box::pin(async move {
            let kept = async { self.claim.seal(&self.answer(effect).await?) };
            let kept = kept.await.map_err(|error| ReceiptError::Answer(Box::new(error)))?;
            Ok(kept.write(tx).await?)
        })
    }
}

impl Revision {
    fn of(row: revisions::Model) -> Self {
        Self {
            number: row.number,
            kind: row.kind,
            equals: row.equals,
            author: row.author,
            comment: row.comment,
            created_at: row.created_at,
        }
    }
}

/// The differences between two revisions.
#[derive(Debug, Object)]
pub struct RevisionDiff {
    /// The revision that is compared; 0 is the state before the first revision.
    from: i64,
    /// The revision that `from` is compared with.
    to: i64,
    /// Every row that differs, in the order in which a decision uses the resources, then by code.
    rows: Vec<RowDiff>,
}

/// The format of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum DiffFormat {
    /// JSON, for programs.
    Json,
    /// Text, like `git diff`.
    Text,
}

/// A difference in the requested format.
#[derive(ResponseContent)]
pub enum DiffContent {
    /// JSON, for programs.
    Json(Json<RevisionDiff>),
    /// Text, for people.
    Text(Text),
}

/// A difference.
#[derive(ApiResponse)]
pub enum DiffResponse {
    /// The differences.
    #[oai(status = 200)]
    Found(DiffContent),
}

/// A revision as files.
#[derive(ApiResponse)]
pub enum ExportResponse {
    /// The archive.
    #[oai(status = 200)]
    Found(Tar, #[oai(header = "Content-Disposition")] String),
}

/// Parses the revision in a path or a parameter: a number or `head`.
fn number_of(text: &str, head_rows: &HeadRows) -> Result<i64, Problem> {
    if text == "head" {
        return Ok(head_rows.revision);
    }
    let number = text.parse().ok().filter(|number| *number >= 1);
    number.ok_or_else(|| Problem::not_found(format!("revision `{}`", shortened(text))))
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/revisions")]
impl RevisionsApi {
    /// List the revisions
    #[oai(path = "/", method = "get")]
    async fn list_revisions(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<Revision>>, Fails<NoExtraErrors>> {
        let listing = query.read(&LIST)?;
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let mut select = revisions::Entity::find().filter(revisions::Column::RulebookId.eq(rulebook_id));
        if let Some(kind) = listing.text("kind") {
            select = select.filter(revisions::Column::Kind.eq(kind));
        }
        if let Some(author) = listing.text("author") {
            select = select.filter(revisions::Column::Author.eq(author));
        }
        if let Some(since) = listing.time("since") {
            select = select.filter(revisions::Column::CreatedAt.gte(since));
        }
        if let Some(until) = listing.time("until") {
            select = select.filter(revisions::Column::CreatedAt.lt(until));
        }
        let (by, id) = (revisions::Column::Number, revisions::Column::Number);
        let sorting = page::Sorting {
            by,
            id,
            descending: listing.descending,
        };
        let after = listing
            .after
            .as_ref()
            .and_then(|(by, _)| by.as_i64())
            .map(|number| (number.into(), number.into()));
        let rows = page::rows(self.0.latest(), select, sorting, after, listing.limit).await?;
        Ok(ReadResponse::new(listing.page(
            rows,
            |row| (row.number.into(), String::new()),
            Revision::of,
        )))
    }

    /// Read a revision
    #[oai(path = "/:number", method = "get")]
    async fn get_revision(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// The revision's number, or `head`.
        number: Path<String>,
    ) -> Result<RevisionResponse, Fails<NoExtraErrors>> {
        let head_rows = self.0.head_rows(&key, &rulebook.0).await?;
        let number = number_of(&number.0, &head_rows)?;
        let found = revisions::Entity::find_by_id((head_rows.rulebook_id, number))
            .one(self.0.latest())
            .await?;
        let found = found.ok_or_else(|| Problem::not_found(format!("revision {number}")))?;
        Ok(RevisionResponse::Found(Json(Revision::of(found)), etag(number)))
    }

    /// Compare a revision
    ///
    /// Without `to`, lists what the revision changed. With `to`, lists what is different in the revision `to`, even if
    /// that revision is older. JSON by default; text with `format=text` or `Accept: text/plain`.
    #[oai(path = "/:number/diff", method = "get")]
    async fn diff_revision(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// The revision's number, or `head`.
        number: Path<String>,
        /// The revision to compare with: a number, or `head`.
        to: Query<Option<String>>,
        /// The format of the difference.
        format: Query<Option<DiffFormat>>,
        wants_text: WantsText,
    ) -> Result<DiffResponse, Fails<NoExtraErrors>> {
        let head_rows = self.0.head_rows(&key, &rulebook.0).await?;
        let number = number_of(&number.0, &head_rows)?;
        let (from, to) = match to.0 {
            Some(to) => (number, number_of(&to, &head_rows)?),
            None => (number - 1, number),
        };
        let before = match from {
            0 => Arc::default(),
            from => self.0.rows(head_rows.rulebook_id, from).await?,
        };
        let after = self.0.rows(head_rows.rulebook_id, to).await?;
        let as_text = format.0.map_or(wants_text.0, |format| format == DiffFormat::Text);
        // Comparing thousands of rows is slow, so the comparison runs on another thread.
        let compare = move || {
            let rows = diff::diff(&before, &after);
            if as_text {
                DiffContent::Text(Text(diff::text(&rows)))
            } else {
                DiffContent::Json(Json(RevisionDiff { from, to, rows }))
            }
        };
        Ok(DiffResponse::Found(self.0.study(head_rows.rulebook_id, compare).await?))
    }

    /// Export a revision as files
    ///
    /// A tar archive of the folder that `ringbook rules import` reads: a TOML file per resource and a Rhai file per
    /// script. The same revision always gives the same bytes.
    #[oai(path = "/:number/export", method = "get")]
    async fn export_revision(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// The revision's number, or `head`.
        number: Path<String>,
    ) -> Result<ExportResponse, Fails<NoExtraErrors>> {
        let head_rows = self.0.head_rows(&key, &rulebook.0).await?;
        let number = number_of(&number.0, &head_rows)?;
        let rows = self.0.rows(head_rows.rulebook_id, number).await?;
        let name = format!("{}-{number}", rulebook.0);
        let (title, hide) = (name.clone(), key.is_masked());
        let write = move || export::archive(&rows, &title, hide);
        let bytes = self.0.study(head_rows.rulebook_id, write).await?;
        let bytes = bytes.map_err(|error| Problem::internal(&error))?;
        let disposition = format!("attachment; filename=\"{name}.tar\"");
        Ok(ExportResponse::Found(Tar(bytes), disposition))
    }

    /// Roll back to a revision
    ///
    /// Publishes a new revision that equals the old revision. History is never lost, and a rollback can be rolled back.
    /// Send the head that you saw, so that the rollback cannot revert a newer revision. The head's number is `revision`
    /// of the rulebook, or `number` of `revisions/head`. Guard rails apply to an editor's rollback, never to an
    /// administrator's.
    #[oai(path = "/:number/roll-back", method = "post")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn roll_back(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// The revision to roll back to.
        number: Path<i64>,
        /// Idempotency key: if the request is repeated within a day, it has no second effect and gets the first
        /// response again.
        #[oai(name = "Idempotency-Key")]
        once: Once,
        /// The ETag of the head that you saw (`revisions/head`), if its number is not in the query.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The number of the head that you saw, if there is no `If-Match`.
        version: Query<Option<i64>>,
        /// The comment, for the list of revisions.
        comment: Query<Option<String>>,
    ) -> Result<IdempotentResponse<RolledBackOrWaits>, Fails<RollingBack>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        if number.0 < 1 {
            return Err(Problem::not_found(format!("revision {}", number.0)).into());
        }
        let claim = match once.begin(&self.0, &key, Some(rulebook_id)).await? {
            Begun::Go(claim) => claim,
            Begun::Again(answer) => return Ok(answer),
        };
        let way = RollBackRequest {
            to: number.0,
            seen: seen(version.0, if_match.0.as_deref())?,
            comment: checked_comment(comment.0)?,
        };
        let kept = Arc::new(StoreRollbackResponse {
            claim,
            caller: Caller::clone(&key),
            rulebook: rulebook.0,
            equals: number.0,
        });
        let receipt: Arc<dyn Receipt> = kept.clone();
        match publishing::roll_back(&self.0, rulebook_id, way, &key, receipt).await {
            Ok(publishing::PublishOutcome::Done(done)) => Ok(kept.answer(Effect::Published(done.revision)).await?),
            Ok(publishing::PublishOutcome::Waits(set)) => Ok(kept.answer(Effect::Waits(&set)).await?),
            // If the client sent the same request twice at the same time, the other request moved the head and stored a
            // response.
            Err(problem) => match once.found(&self.0, &key).await? {
                Some(answer) => Ok(answer),
                None => Err(problem.into()),
            },
        }
    }
}

/// Returns the head that the request expects. The publisher compares the expected head with the current head.
fn seen(version: Option<i64>, if_match: Option<&str>) -> Result<i64, Problem> {
    version_sent(version, if_match)?.ok_or_else(|| {
        Problem::new(
            Code::VersionRequired,
            "Send the head revision that you saw as `version` in the query, or its ETag as `If-Match: \"version\"`.",
        )
    })
}
