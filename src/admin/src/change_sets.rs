//! Serves change sets: edits that people review together and then publish or discard. A publish happens now or at a
//! given time.
//!
//! [`parse_edits`] parses changes, and [`schedule_time`] parses the time of a publish. [`diff`] compares a change set
//! with the head, and [`check`] checks whether a change set could be published. [`dto`] has the other request and
//! response types.

pub mod candidate;
mod check;
mod diff;
pub mod dto;
mod operations;
mod parse_edits;
mod schedule_time;

use std::sync::Arc;

use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;
use uuid::Uuid;

pub use self::candidate::{candidate, planned};
use self::check::Check;
use self::diff::ChangeSetDiffResponse;
use self::dto::{ChangeSetState, NewChangeSet, OpenChangeSetResponse, PublishRequest};
use self::operations::{Read, body_comment};
pub use self::parse_edits::{NewChange, read as read_changes};
use super::auth::{Editor, Key, Publisher, Viewer};
use super::body::Body;
use super::errors::{ChangesChangeSet, ChecksChangeSet, Fails, NoExtraErrors, OpensChangeSet, Publishing};
use super::export::WantsText;
use super::idempotency::{Begun, IdempotentResponse, Once};
use super::list::{Filter, FilterType, ListQuery, ListSpec};
use super::publishing::{PublishOutcome, finished, held_or_finished, waiting};
use super::responses::{FoundRow, Json, Page, ReadResponse, etag};
use super::revisions::DiffFormat;
use super::row_checks::checked_comment;
use super::row_faults::EditedRow;
use super::state::{AdminState, RulebookInPath};
use super::write_responses::PatchedRow;
use store::change_sets::{self, ChangeSetStatus};
use store::dry_run;
use web::problem::{Code, Problem};

/// Sort orders and filters for listing change sets.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-created_at", "created_at"],
    filters: &[Filter {
        name: "state",
        kind: FilterType::Choice(&["open", "scheduled", "waiting", "published", "refused", "discarded"]),
        doc: "The state.",
    }],
};

pub struct ChangeSetsApi(pub AdminState);

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/change-sets")]
impl ChangeSetsApi {
    /// List the change sets
    #[oai(path = "/", method = "get")]
    async fn list_change_sets(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<ChangeSetState>>, Fails<NoExtraErrors>> {
        let listing = query.read(&LIST)?;
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let mut select = change_sets::Entity::find().filter(change_sets::Column::RulebookId.eq(rulebook_id));
        if let Some(state) = listing.text("state") {
            select = select.filter(change_sets::Column::State.eq(state));
        }
        let rows = listing
            .rows_by_id(self.0.latest(), select, change_sets::Column::Id)
            .await?;
        Ok(ReadResponse::new(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            |row| ChangeSetState::of(&key, row),
        )))
    }

    /// Open a change set
    ///
    /// The changes go live when the change set is published. `?change_set=` reads rows as if the set were published.
    #[oai(path = "/", method = "post")]
    async fn create_change_set(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// Idempotency key: if the request is repeated within a day, it has no second effect and gets the first
        /// response again.
        #[oai(name = "Idempotency-Key")]
        once: Once,
        body: Body<NewChangeSet>,
    ) -> Result<IdempotentResponse<OpenChangeSetResponse>, Fails<OpensChangeSet>> {
        let head_rows = self.0.head_rows(&key, &rulebook.0).await?;
        let claim = match once.begin(&self.0, &key, Some(head_rows.rulebook_id)).await? {
            Begun::Go(claim) => claim,
            Begun::Again(answer) => return Ok(answer),
        };
        let comment = body_comment(Some(body.0.comment))?.unwrap_or_default();
        let edits = parse_edits::read(&head_rows, &[], body.0.changes, "/changes")?;
        let (publisher, author) = (Arc::clone(&self.0.publisher), key.author());
        let rulebook_id = head_rows.rulebook_id;
        let opened = publisher.open_set(rulebook_id, &comment, edits, &author).await;
        let opened = finished(&self.0, rulebook_id, Ok(opened), &EditedRow::default()).await?;
        let version = etag(opened.set.version);
        let view = ChangeSetState::whole(&key, opened.clone(), Vec::new());
        let answer = IdempotentResponse::new(OpenChangeSetResponse::Created(Json(view), version)).await?;
        let keep = claim.keeping(&answer)?;
        let stored = self
            .in_a_task(
                rulebook_id,
                async move { publisher.store_set(&opened, keep, &author).await },
            )
            .await?;
        if stored {
            Ok(answer)
        } else {
            Ok(once.again(&self.0, &key).await?)
        }
    }

    /// Read a change set
    ///
    /// Includes the changes, and the rows that others have also changed (`conflicts`).
    #[oai(path = "/:id", method = "get")]
    async fn get_change_set(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// The change set's id.
        id: Path<Uuid>,
    ) -> Result<FoundRow<ChangeSetState>, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let stored = self.stored(rulebook_id, id.0).await?;
        self.answer(&key, stored).await.map_err(Into::into)
    }

    /// Add a change
    ///
    /// Read the row with `?change_set=` and send its version. Several changes of one row apply in order. In a conflict,
    /// a change that is based on the current row replaces the row's earlier changes.
    #[oai(path = "/:id/changes", method = "post")]
    async fn add_change(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// The change set's id.
        id: Path<Uuid>,
        /// The change set's ETag, if the query has no `version`.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The change set's version, if there is no `If-Match`.
        version: Query<Option<i64>>,
        body: Body<NewChange>,
    ) -> Result<FoundRow<ChangeSetState>, Fails<ChangesChangeSet>> {
        let head_rows = self.0.head_rows(&key, &rulebook.0).await?;
        let rulebook_id = head_rows.rulebook_id;
        let (read, stored) = self.read(&key, rulebook_id, id.0, version.0, if_match.0).await?;
        let edits = parse_edits::read(&head_rows, &stored.edits(), vec![body.0], "")?;
        let work = move |read: Read| async move {
            let Read { publisher, author, .. } = &read;
            publisher
                .add_changes(rulebook_id, read.id, read.version, edits, author)
                .await
        };
        self.changed(&key, read, work).await
    }

    /// Remove a change
    #[oai(path = "/:id/changes/:number", method = "delete")]
    async fn remove_change(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// The change set's id.
        id: Path<Uuid>,
        /// The change's number.
        number: Path<i64>,
        /// The change set's ETag, if the query has no `version`.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The change set's version, if there is no `If-Match`.
        version: Query<Option<i64>>,
    ) -> Result<FoundRow<ChangeSetState>, Fails<ChangesChangeSet>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let (read, _) = self.read(&key, rulebook_id, id.0, version.0, if_match.0).await?;
        let work = move |read: Read| async move {
            let Read { publisher, author, .. } = &read;
            publisher
                .remove_change(rulebook_id, read.id, read.version, number.0, author)
                .await
        };
        self.changed(&key, read, work).await
    }

    /// Compare a change set with the head
    ///
    /// Lists each changed row and field, before and after. For a published change set, lists what its revision changed.
    /// JSON by default; text with `format=text` or `Accept: text/plain`.
    #[oai(path = "/:id/diff", method = "get")]
    async fn diff_change_set(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// The change set's id.
        id: Path<Uuid>,
        /// The format of the difference.
        format: Query<Option<DiffFormat>>,
        wants_text: WantsText,
    ) -> Result<ChangeSetDiffResponse, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let stored = self.stored(rulebook_id, id.0).await?;
        let as_text = format.0.map_or(wants_text.0, |format| format == DiffFormat::Text);
        let diff = self.compare(&key, &stored, as_text).await?;
        Ok(ChangeSetDiffResponse::Found(diff))
    }

    /// Check a change set
    ///
    /// Says whether the change set could be published now. Lists what prevents a publish: rows that others changed,
    /// compile errors, failed cases and new lint errors. Failed cases have the expected and the actual decision. Lists
    /// new lint warnings too.
    #[oai(path = "/:id/check", method = "post")]
    async fn check_change_set(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// The change set's id.
        id: Path<Uuid>,
    ) -> Result<ReadResponse<Check>, Fails<ChecksChangeSet>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let stored = self.stored(rulebook_id, id.0).await?;
        Ok(ReadResponse::new(self.check(&key, &stored).await?))
    }

    /// Publish a change set
    ///
    /// Publishes the change set now or at a given time. If no server runs at the given time, the next server to start
    /// publishes the set. A scheduled publish fails if others have changed one of the rows, the rulebook does not
    /// compile, or a case fails. After a failure, `refusal` says why, and a notice is raised.
    #[oai(path = "/:id/publish", method = "post")]
    async fn publish_change_set(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// The change set's id.
        id: Path<Uuid>,
        /// The change set's ETag, if the query has no `version`.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The change set's version, if there is no `If-Match`.
        version: Query<Option<i64>>,
        body: Body<PublishRequest>,
    ) -> Result<PatchedRow<ChangeSetState>, Fails<Publishing>> {
        let head_rows = self.0.head_rows(&key, &rulebook.0).await?;
        let rulebook_id = head_rows.rulebook_id;
        let (read, _) = self.read(&key, rulebook_id, id.0, version.0, if_match.0).await?;
        let comment = body_comment(body.0.comment)?;
        let at = schedule_time::read(body.0.at.as_deref(), &head_rows, self.0.clock.now())?;
        let task = dry_run::spawn(async move { read.publish(at, comment.as_deref()).await });
        match held_or_finished(&self.0, rulebook_id, task.await, &EditedRow::default()).await? {
            PublishOutcome::Done(stored) => {
                let version = etag(stored.set.version);
                Ok(PatchedRow::Changed(Json(self.shown(&key, stored).await?), version))
            }
            PublishOutcome::Waits(set) => {
                let (set, address, version) = waiting(&key, &rulebook.0, *set);
                Ok(PatchedRow::Waits(set, address, version))
            }
        }
    }

    /// Approve a waiting change set
    ///
    /// A waiting change set exceeds the guard rails; `breaches` says where. A second person must approve it, with a key
    /// that has the role `publisher`, `admin` or `owner`. A person who opened the change set or added to it cannot
    /// approve it. The change set is published exactly as you read it, now or at its scheduled time.
    #[oai(path = "/:id/approve", method = "post")]
    async fn approve_change_set(
        &self,
        key: Key<Publisher>,
        rulebook: RulebookInPath,
        /// The change set's id.
        id: Path<Uuid>,
        /// The change set's ETag, if the query has no `version`.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The change set's version, if there is no `If-Match`.
        version: Query<Option<i64>>,
    ) -> Result<FoundRow<ChangeSetState>, Fails<Publishing>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let (read, _) = self.read(&key, rulebook_id, id.0, version.0, if_match.0).await?;
        let work = move |read: Read| async move {
            let Read { publisher, author, .. } = &read;
            publisher.approve_set(rulebook_id, read.id, read.version, author).await
        };
        self.changed(&key, read, work).await
    }

    /// Reject a waiting change set
    ///
    /// The change set is not published; `refusal` says who rejected it and why. You can edit and publish the set again.
    #[oai(path = "/:id/reject", method = "post")]
    async fn reject_change_set(
        &self,
        key: Key<Publisher>,
        rulebook: RulebookInPath,
        /// The change set's id.
        id: Path<Uuid>,
        /// The change set's ETag, if the query has no `version`.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The change set's version, if there is no `If-Match`.
        version: Query<Option<i64>>,
        /// The reason, for the author of the change set.
        comment: Query<Option<String>>,
    ) -> Result<FoundRow<ChangeSetState>, Fails<ChangesChangeSet>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let (read, _) = self.read(&key, rulebook_id, id.0, version.0, if_match.0).await?;
        let comment = checked_comment(comment.0)?;
        let work = move |read: Read| async move {
            let Read { publisher, author, .. } = &read;
            publisher
                .reject_set(rulebook_id, read.id, read.version, &comment, author)
                .await
        };
        self.changed(&key, read, work).await
    }

    /// Cancel a scheduled publish
    ///
    /// The change set is open again.
    #[oai(path = "/:id/schedule", method = "delete")]
    async fn cancel_schedule(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// The change set's id.
        id: Path<Uuid>,
        /// The change set's ETag, if the query has no `version`.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The change set's version, if there is no `If-Match`.
        version: Query<Option<i64>>,
    ) -> Result<FoundRow<ChangeSetState>, Fails<ChangesChangeSet>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let (read, stored) = self.read(&key, rulebook_id, id.0, version.0, if_match.0).await?;
        if !stored.set.is_in(&[ChangeSetStatus::Scheduled]) {
            let detail = format!(
                "The change set is {}: there is no schedule to cancel.",
                stored.set.state
            );
            return Err(Problem::new(Code::Conflict, detail).into());
        }
        let work = move |read: Read| async move {
            let Read { publisher, author, .. } = &read;
            publisher
                .cancel_schedule(rulebook_id, read.id, read.version, author)
                .await
        };
        self.changed(&key, read, work).await
    }

    /// Discard a change set
    ///
    /// A discarded change set can still be read, but never published.
    #[oai(path = "/:id/discard", method = "post")]
    async fn discard_change_set(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// The change set's id.
        id: Path<Uuid>,
        /// The change set's ETag, if the query has no `version`.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// The change set's version, if there is no `If-Match`.
        version: Query<Option<i64>>,
    ) -> Result<FoundRow<ChangeSetState>, Fails<ChangesChangeSet>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let (read, _) = self.read(&key, rulebook_id, id.0, version.0, if_match.0).await?;
        let work = move |read: Read| async move {
            let Read { publisher, author, .. } = &read;
            publisher.discard_set(rulebook_id, read.id, read.version, author).await
        };
        self.changed(&key, read, work).await
    }
}
