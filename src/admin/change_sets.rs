//! Change sets: edits that are looked at together before they are live, published at once or at a time, or thrown away.
//!
//! In: requests about change sets of a rulebook. Out: the change set as it stands, with its version; its effect on the
//! rules as a diff and as a check. [`incoming`] reads changes, [`at`] the time of a publish, [`view`] is what is shown.

mod at;
mod incoming;
pub mod view;

use std::sync::Arc;

use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{ApiResponse, Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

pub use self::incoming::{NewChange, read as read_changes};
use self::view::{ChangeSetDiff, ChangeSetState, Check, SetDiff, SetDiffFound, clashes_of};
use super::answer::{Found, FoundRow, Json, Page, PatchedRow, etag};
use super::auth::{Caller, Editor, Key, Publisher, Viewer};
use super::body::Body;
use super::export::{Accept, Text};
use super::fails::{ChangeSetWrite, Fails, Publishing, Usual};
use super::list::{Filter, Kind, ListQuery, ListSpec};
use super::publishing::{About, Outcome, finished, held_or_finished, waiting};
use super::revisions::DiffFormat;
use super::rule_rows::checked_comment;
use super::state::{AdminState, InRulebook};
use super::versions::{Precondition, expected};
use crate::problem::{Code, FieldFault, Problem};
use crate::rulebook::Rulebook;
use crate::rulebook::change_set::applied;
use crate::rulebook::current::Standing;
use crate::rulebook::diff::diff;
use crate::rulebook::lint::{Finding, introduced, lint};
use crate::rulebook::publish::plan::failed_cases;
use crate::rulebook::publish::sets::StoredSet;
use crate::rulebook::publish::{Draft, PublishError};
use crate::rulebook::rows::RowSet;
use crate::store::change_sets::{self, State};
use crate::store::rules;

/// What the list can be asked.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-created_at", "created_at"],
    filters: &[Filter {
        name: "state",
        kind: Kind::Choice(&["open", "scheduled", "waiting", "published", "refused", "discarded"]),
        doc: "Where it is in its life.",
    }],
};

/// The operations.
pub struct ChangeSetsApi(pub AdminState);

/// A change set to be opened.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct NewChangeSet {
    /// What it is for; becomes the comment of the revision.
    #[serde(default)]
    #[oai(default, validator(max_length = 500))]
    comment: String,
    /// Changes to begin with; more can be added.
    #[serde(default)]
    #[oai(default)]
    changes: Vec<NewChange>,
}

/// How a change set is published.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// What was done, for the list of revisions; without it the change set's own comment.
    #[oai(validator(max_length = 500))]
    comment: Option<String>,
    /// When: an instant, as `2026-05-01T08:00:00-04:00`, or a time in the rulebook's time zone, as `2026-05-01T08:00`.
    /// Without it at once.
    at: Option<String>,
}

/// After a change set was opened.
#[derive(ApiResponse)]
pub enum Opened {
    /// It is there, and changes nothing before it is published.
    #[oai(status = 201)]
    Created(Json<ChangeSetState>, #[oai(header = "ETag")] String),
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/change-sets")]
impl ChangeSetsApi {
    /// List the change sets
    #[oai(path = "/", method = "get")]
    async fn list_change_sets(
        &self,
        key: Key<Viewer>,
        rulebook: InRulebook,
        query: ListQuery,
    ) -> Result<Found<Page<ChangeSetState>>, Fails<Usual>> {
        let listing = query.read(&LIST)?;
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let mut select = change_sets::Entity::find().filter(change_sets::Column::RulebookId.eq(rulebook_id));
        if let Some(state) = listing.text("state") {
            select = select.filter(change_sets::Column::State.eq(state));
        }
        let rows = listing
            .rows_by_id(self.0.latest(), select, change_sets::Column::Id)
            .await?;
        Ok(Found::new(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            |row| ChangeSetState::of(&key, row),
        )))
    }

    /// Open a change set
    ///
    /// Nothing in it is live before it is published. Rows are read as they would be with `?change_set=`.
    #[oai(path = "/", method = "post")]
    async fn create_change_set(
        &self,
        key: Key<Editor>,
        rulebook: InRulebook,
        body: Body<NewChangeSet>,
    ) -> Result<Opened, Fails<ChangeSetWrite>> {
        let standing = self.0.standing(&key, &rulebook.0).await?;
        let comment = body_comment(Some(body.0.comment))?.unwrap_or_default();
        let edits = incoming::read(&standing, &[], body.0.changes, "/changes")?;
        let (publisher, author) = (Arc::clone(&self.0.publisher), key.author());
        let rulebook_id = standing.rulebook_id;
        let opened = self
            .in_a_task(rulebook_id, async move {
                publisher.open_set(rulebook_id, &comment, edits, &author).await
            })
            .await?;
        let version = opened.set.version;
        let view = self.shown(&key, opened).await?;
        Ok(Opened::Created(Json(view), etag(version)))
    }

    /// Read a change set
    ///
    /// With its changes, and with the rows that were changed by others since (`conflicts`).
    #[oai(path = "/:id", method = "get")]
    async fn get_change_set(
        &self,
        key: Key<Viewer>,
        rulebook: InRulebook,
        /// The change set's id.
        id: Path<Uuid>,
    ) -> Result<FoundRow<ChangeSetState>, Fails<Usual>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let stored = self.stored(rulebook_id, id.0).await?;
        self.answer(&key, stored).await.map_err(Into::into)
    }

    /// Add a change
    ///
    /// The row's version proves that you saw it as it stands; read the row with `?change_set=` to get it. Changes of one row
    /// follow each other. A change of a row that is in conflict, made against what stands now, takes the place of the
    /// row's earlier changes.
    #[oai(path = "/:id/changes", method = "post")]
    async fn add_change(
        &self,
        key: Key<Editor>,
        rulebook: InRulebook,
        /// The change set's id.
        id: Path<Uuid>,
        /// The ETag of the change set that was read, when its version is not in the query.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The version of the change set that was read, when there is no `If-Match`.
        version: Query<Option<i64>>,
        body: Body<NewChange>,
    ) -> Result<FoundRow<ChangeSetState>, Fails<ChangeSetWrite>> {
        let standing = self.0.standing(&key, &rulebook.0).await?;
        let rulebook_id = standing.rulebook_id;
        let stored = self.stored(rulebook_id, id.0).await?;
        let version = read_version(&stored, version.0, if_match.0)?;
        let edits = incoming::read(&standing, &stored.edits(), vec![body.0], "")?;
        let (publisher, author) = (Arc::clone(&self.0.publisher), key.author());
        let stored = self
            .in_a_task(rulebook_id, async move {
                publisher.add_changes(rulebook_id, id.0, version, edits, &author).await
            })
            .await?;
        self.answer(&key, stored).await.map_err(Into::into)
    }

    /// Take a change out
    #[oai(path = "/:id/changes/:number", method = "delete")]
    async fn remove_change(
        &self,
        key: Key<Editor>,
        rulebook: InRulebook,
        /// The change set's id.
        id: Path<Uuid>,
        /// The change's number.
        number: Path<i64>,
        /// The ETag of the change set that was read, when its version is not in the query.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The version of the change set that was read, when there is no `If-Match`.
        version: Query<Option<i64>>,
    ) -> Result<FoundRow<ChangeSetState>, Fails<ChangeSetWrite>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let stored = self.stored(rulebook_id, id.0).await?;
        let version = read_version(&stored, version.0, if_match.0)?;
        let (publisher, author) = (Arc::clone(&self.0.publisher), key.author());
        let stored = self
            .in_a_task(rulebook_id, async move {
                publisher
                    .remove_change(rulebook_id, id.0, version, number.0, &author)
                    .await
            })
            .await?;
        self.answer(&key, stored).await.map_err(Into::into)
    }

    /// Compare a change set with what stands
    ///
    /// Every row and field it changes, before and after. Of one that was published: what its revision changed. As JSON, or as
    /// a text to read, with `format=text` or `Accept: text/plain`.
    #[oai(path = "/:id/diff", method = "get")]
    async fn diff_change_set(
        &self,
        key: Key<Viewer>,
        rulebook: InRulebook,
        /// The change set's id.
        id: Path<Uuid>,
        /// How to tell the difference.
        format: Query<Option<DiffFormat>>,
        accept: Accept,
    ) -> Result<SetDiffFound, Fails<Usual>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let stored = self.stored(rulebook_id, id.0).await?;
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
                let draft = self.draft(&stored).await?;
                let clashes = self.clashes(&key, rulebook_id, &draft).await?;
                let before = Arc::new(draft.base.rows().clone());
                (draft.base_revision, before, Arc::new(draft.applied.rows), clashes)
            }
        };
        let format = format.0;
        let as_text = format.map_or(accept.prefers("text/plain"), |format| format == DiffFormat::Text);
        // Thousands of rows take a while to compare, which a handler's thread has not.
        let task = tokio::task::spawn_blocking(move || {
            let diff = ChangeSetDiff {
                base_revision,
                rows: diff(&before, &after),
                conflicts,
            };
            if as_text {
                SetDiff::Text(Text(diff.text()))
            } else {
                SetDiff::Json(Json(diff))
            }
        });
        let diff = task.await.map_err(|error| Problem::internal(&error))?;
        Ok(SetDiffFound::Found(diff))
    }

    /// Check a change set
    ///
    /// Whether it could be published as things stand, and if not, everything that is in the way: rows that others changed,
    /// faults with their place, and cases that are red with what they expect, what was decided and why; and what it brings
    /// in that cannot be meant. Changes nothing.
    #[oai(path = "/:id/check", method = "post")]
    async fn check_change_set(
        &self,
        key: Key<Viewer>,
        rulebook: InRulebook,
        /// The change set's id.
        id: Path<Uuid>,
    ) -> Result<Found<Check>, Fails<ChangeSetWrite>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let stored = self.stored(rulebook_id, id.0).await?;
        alive(&stored)?;
        let draft = self.draft(&stored).await?;
        let changed = rules::changes(draft.base.rows(), &draft.applied.rows).len();
        let clashes = self.clashes(&key, rulebook_id, &draft).await?;
        let (faults, cases, failed, findings) = match draft.compiled().await? {
            Ok(rulebook) => {
                let failed = failed_cases(&rulebook).await?;
                let findings = self.findings(&draft, &rulebook).await?;
                (Vec::new(), rulebook.rows().cases.len(), failed, findings)
            }
            Err(faults) => (faults, 0, Vec::new(), Vec::new()),
        };
        let check = Check::of(&key, draft.base_revision, changed, clashes, &faults, cases, &failed);
        Ok(Found::new(check.with_findings(findings)))
    }

    /// Publish a change set
    ///
    /// At once, live when the answer leaves; or at a time, also when the server is down at that time: then as soon as it is
    /// up. If somebody changed one of its rows meanwhile, or it no longer compiles or holds its cases, a scheduled publish
    /// is refused, the change set says why and a notice is raised.
    #[oai(path = "/:id/publish", method = "post")]
    async fn publish_change_set(
        &self,
        key: Key<Editor>,
        rulebook: InRulebook,
        /// The change set's id.
        id: Path<Uuid>,
        /// The ETag of the change set that was read, when its version is not in the query.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The version of the change set that was read, when there is no `If-Match`.
        version: Query<Option<i64>>,
        body: Body<PublishRequest>,
    ) -> Result<PatchedRow<ChangeSetState>, Fails<Publishing>> {
        let standing = self.0.standing(&key, &rulebook.0).await?;
        let rulebook_id = standing.rulebook_id;
        let stored = self.stored(rulebook_id, id.0).await?;
        let version = read_version(&stored, version.0, if_match.0)?;
        let comment = body_comment(body.0.comment)?;
        let at = at::read(body.0.at.as_deref(), &standing, self.0.clock.now())?;
        let (publisher, author) = (Arc::clone(&self.0.publisher), key.author());
        let task = tokio::spawn(async move {
            let comment = comment.as_deref();
            match at {
                None => publisher
                    .publish_set(rulebook_id, id.0, version, comment, &author)
                    .await
                    .map(drop),
                Some(at) => publisher
                    .schedule_set(rulebook_id, id.0, version, at, comment, &author)
                    .await
                    .map(drop),
            }
        });
        if let Outcome::Waits(set) = held_or_finished(&self.0, rulebook_id, task.await, &About::default()).await? {
            let (set, address, version) = waiting(&key, &rulebook.0, *set);
            return Ok(PatchedRow::Waits(set, address, version));
        }
        let stored = self.stored(rulebook_id, id.0).await?;
        let version = etag(stored.set.version);
        Ok(PatchedRow::Changed(Json(self.shown(&key, stored).await?), version))
    }

    /// Approve a change set that waits
    ///
    /// It goes beyond the guard rails (`breaches` says where), so it takes two people: a key that neither opened it nor added
    /// to it, with the role `publisher` or `admin`. It is published exactly as it was read, at once or at the time it was
    /// scheduled for.
    #[oai(path = "/:id/approve", method = "post")]
    async fn approve_change_set(
        &self,
        key: Key<Publisher>,
        rulebook: InRulebook,
        /// The change set's id.
        id: Path<Uuid>,
        /// The ETag of the change set that was read, when its version is not in the query.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The version of the change set that was read, when there is no `If-Match`.
        version: Query<Option<i64>>,
    ) -> Result<FoundRow<ChangeSetState>, Fails<Publishing>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let stored = self.stored(rulebook_id, id.0).await?;
        let version = read_version(&stored, version.0, if_match.0)?;
        let (publisher, author) = (Arc::clone(&self.0.publisher), key.author());
        self.in_a_task(rulebook_id, async move {
            publisher.approve_set(rulebook_id, id.0, version, &author).await
        })
        .await?;
        let stored = self.stored(rulebook_id, id.0).await?;
        self.answer(&key, stored).await.map_err(Into::into)
    }

    /// Reject a change set that waits
    ///
    /// It is not published; `refusal` says who rejected it and why. It can be changed and published again.
    #[oai(path = "/:id/reject", method = "post")]
    async fn reject_change_set(
        &self,
        key: Key<Publisher>,
        rulebook: InRulebook,
        /// The change set's id.
        id: Path<Uuid>,
        /// The ETag of the change set that was read, when its version is not in the query.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The version of the change set that was read, when there is no `If-Match`.
        version: Query<Option<i64>>,
        /// Why, for its author.
        comment: Query<Option<String>>,
    ) -> Result<FoundRow<ChangeSetState>, Fails<ChangeSetWrite>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let stored = self.stored(rulebook_id, id.0).await?;
        let version = read_version(&stored, version.0, if_match.0)?;
        let comment = checked_comment(comment.0)?;
        let (publisher, author) = (Arc::clone(&self.0.publisher), key.author());
        let stored = self
            .in_a_task(rulebook_id, async move {
                publisher
                    .reject_set(rulebook_id, id.0, version, &comment, &author)
                    .await
            })
            .await?;
        self.answer(&key, stored).await.map_err(Into::into)
    }

    /// Cancel a scheduled publish
    ///
    /// The change set is open again.
    #[oai(path = "/:id/schedule", method = "delete")]
    async fn cancel_schedule(
        &self,
        key: Key<Editor>,
        rulebook: InRulebook,
        /// The change set's id.
        id: Path<Uuid>,
        /// The ETag of the change set that was read, when its version is not in the query.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The version of the change set that was read, when there is no `If-Match`.
        version: Query<Option<i64>>,
    ) -> Result<FoundRow<ChangeSetState>, Fails<ChangeSetWrite>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let stored = self.stored(rulebook_id, id.0).await?;
        let version = read_version(&stored, version.0, if_match.0)?;
        if !stored.set.is_in(&[State::Scheduled]) {
            let detail = format!(
                "The change set is {}: there is no schedule to cancel.",
                stored.set.state
            );
            return Err(Problem::new(Code::Conflict, detail).into());
        }
        let (publisher, author) = (Arc::clone(&self.0.publisher), key.author());
        let stored = self
            .in_a_task(rulebook_id, async move {
                publisher.cancel_schedule(rulebook_id, id.0, version, &author).await
            })
            .await?;
        self.answer(&key, stored).await.map_err(Into::into)
    }

    /// Discard a change set
    ///
    /// It can still be read, and never be published.
    #[oai(path = "/:id/discard", method = "post")]
    async fn discard_change_set(
        &self,
        key: Key<Editor>,
        rulebook: InRulebook,
        /// The change set's id.
        id: Path<Uuid>,
        /// The ETag of the change set that was read, when its version is not in the query.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The version of the change set that was read, when there is no `If-Match`.
        version: Query<Option<i64>>,
    ) -> Result<FoundRow<ChangeSetState>, Fails<ChangeSetWrite>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let stored = self.stored(rulebook_id, id.0).await?;
        let version = read_version(&stored, version.0, if_match.0)?;
        let (publisher, author) = (Arc::clone(&self.0.publisher), key.author());
        let stored = self
            .in_a_task(rulebook_id, async move {
                publisher.discard_set(rulebook_id, id.0, version, &author).await
            })
            .await?;
        self.answer(&key, stored).await.map_err(Into::into)
    }
}

impl ChangeSetsApi {
    async fn stored(&self, rulebook_id: Uuid, id: Uuid) -> Result<StoredSet, Problem> {
        let found = self.0.publisher.set(rulebook_id, id).await;
        finished(&self.0, rulebook_id, Ok(found), &About::default()).await
    }

    /// A write, in a task of its own so that nobody hanging up can cut it in two.
    async fn in_a_task<T: Send + 'static>(
        &self,
        rulebook_id: Uuid,
        work: impl Future<Output = Result<T, PublishError>> + Send + 'static,
    ) -> Result<T, Problem> {
        finished(&self.0, rulebook_id, tokio::spawn(work).await, &About::default()).await
    }

    async fn draft(&self, stored: &StoredSet) -> Result<Draft, Problem> {
        let rulebook_id = stored.set.rulebook_id;
        let draft = self.0.publisher.draft(rulebook_id, &stored.edits()).await;
        finished(&self.0, rulebook_id, Ok(draft), &About::default()).await
    }

    /// What lint finds in the candidate and not in what stands.
    async fn findings(&self, draft: &Draft, rulebook: &Arc<Rulebook>) -> Result<Vec<Finding>, Problem> {
        let (base, rulebook) = (draft.base.compiled().cloned(), Arc::clone(rulebook));
        let now = self.0.clock.now();
        let task = tokio::task::spawn_blocking(move || {
            let before = base.map(|base| lint(&base, now)).unwrap_or_default();
            introduced(&before, lint(&rulebook, now))
        });
        task.await.map_err(|error| Problem::internal(&error))
    }

    async fn clashes(&self, caller: &Caller, rulebook_id: Uuid, draft: &Draft) -> Result<Vec<view::Conflict>, Problem> {
        let clashes = self.0.publisher.clashes(rulebook_id, &draft.applied.conflicts).await;
        let clashes = finished(&self.0, rulebook_id, Ok(clashes), &About::default()).await?;
        Ok(clashes_of(caller, clashes))
    }

    /// With its changes, and what is in their way while they are not published.
    async fn shown(&self, caller: &Caller, stored: StoredSet) -> Result<ChangeSetState, Problem> {
        let clashes = if is_alive(&stored) {
            let draft = self.draft(&stored).await?;
            self.clashes(caller, stored.set.rulebook_id, &draft).await?
        } else {
            Vec::new()
        };
        Ok(ChangeSetState::whole(caller, stored, clashes))
    }

    async fn answer(&self, caller: &Caller, stored: StoredSet) -> Result<FoundRow<ChangeSetState>, Problem> {
        let version = stored.set.version;
        let view = self.shown(caller, stored).await?;
        Ok(FoundRow::Found(Json(view), etag(version)))
    }
}

/// A rulebook's rows as they would be with a change set.
///
/// # Errors
/// 404 when there is none of this id, 409 when it was published or discarded.
pub async fn would_be(state: &AdminState, standing: &Standing, id: Uuid) -> Result<RowSet, Problem> {
    let found = state.publisher.set(standing.rulebook_id, id).await;
    let stored = finished(state, standing.rulebook_id, Ok(found), &About::default()).await?;
    alive(&stored)?;
    Ok(applied(standing.rows(), standing.revision + 1, &stored.edits()).rows)
}

/// A rulebook compiled as it would be with a change set.
///
/// # Errors
/// As for [`would_be`]; 412 when others changed its rows since, 422 when it does not compile.
pub async fn candidate(state: &AdminState, rulebook_id: Uuid, id: Uuid) -> Result<Arc<Rulebook>, Problem> {
    let planned = async {
        let stored = state.publisher.set(rulebook_id, id).await?;
        let planned = state.publisher.plan(rulebook_id, &stored.edits()).await?;
        let rulebook = planned.rulebook.map_err(PublishError::Faults)?;
        Ok((stored, rulebook))
    };
    let (stored, rulebook) = finished(state, rulebook_id, Ok(planned.await), &About::default()).await?;
    alive(&stored)?;
    Ok(rulebook)
}

fn is_alive(stored: &StoredSet) -> bool {
    !stored.set.is_in(&[State::Published, State::Discarded])
}

fn alive(stored: &StoredSet) -> Result<(), Problem> {
    if is_alive(stored) {
        return Ok(());
    }
    let detail = match stored.set.revision {
        Some(revision) => format!("The change set was published as revision {revision}."),
        None => "The change set was discarded.".to_owned(),
    };
    Err(Problem::new(Code::Conflict, detail))
}

/// The version that a request brought, which must be the one that stands.
fn read_version(stored: &StoredSet, version: Option<i64>, if_match: Option<String>) -> Result<i64, Problem> {
    let said = Precondition {
        body: version,
        if_match,
        if_none_match: None,
    };
    expected(&said, Some(stored.set.version), "change set").map_err(|problem| match problem.code() {
        Code::VersionRequired => Problem::new(
            Code::VersionRequired,
            "Bring the `version` of the change set that was read, in the query or as `If-Match: \"version\"`.",
        ),
        _ => problem,
    })?;
    Ok(stored.set.version)
}

fn body_comment(comment: Option<String>) -> Result<Option<String>, Problem> {
    let Some(comment) = comment else { return Ok(None) };
    checked_comment(Some(comment)).map(Some).map_err(|problem| {
        let detail = problem.detail().to_owned();
        Problem::invalid_body(vec![FieldFault::new("/comment", "invalid_value", detail)])
    })
}
