//! Scheduled change sets. Publishes a change set at its scheduled time, or refuses it. A refused change set contains
//! the reason, and a notice reports the refusal.
//!
//! The transaction that moves the head also sets the change set from scheduled to published. So exactly one instance
//! publishes a change set. If no instance is running at the scheduled time, the next instance that starts publishes the
//! change set.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::DbErr;
use serde_json::json;
use uuid::Uuid;

use super::approvals::signed;
use super::change_sets::{SetError, StoredChangeSet, about, ready};
use super::plan::apply;
use super::refusal::Refusal;
use super::{Author, HeadMove, PublishError, Publisher};
use store::change_sets::ChangeSetStatus;
use store::notices::{self, Notice, Severity};
use store::{change_sets, guard_rails, rule_rows};

/// Code of the notice about a scheduled change set that was refused.
pub const NOTICE: &str = "scheduled_publish_refused";

/// Subject of notices about a change set.
pub(super) fn subject(id: Uuid) -> String {
    format!("change set {id}")
}

/// The result for a change set that was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// The change set was published as this revision.
    Published(i64),
    /// The change set was refused: a row has changed, the result does not compile, or a case fails.
    Refused,
    /// The change set exceeds the guard rails now, although it did not exceed them when it was scheduled. The change
    /// set waits for a second person.
    Waits,
    /// Another request or instance processed the change set first.
    Gone,
}

impl Publisher {
    /// Schedules a change set for `at`. It must be possible to publish the change set now.
    ///
    /// # Errors
    /// When the change set is at another version than was read, or cannot be published now. [`PublishError::Waits`]
    /// when the change set exceeds the guard rails.
    pub async fn schedule_set(
        &self,
        rulebook_id: Uuid,
        id: Uuid,
        version: i64,
        at: DateTime<Utc>,
        comment: Option<&str>,
        author: &Author,
    ) -> Result<StoredChangeSet, PublishError> {
        let from = &[ChangeSetStatus::Open, ChangeSetStatus::Refused];
        let stored = self.set(rulebook_id, id).await?;
        ready(&stored, version, from)?;
        let (revision, base) = self.head_rows(rulebook_id).await?;
        let rows = apply(base.rows(), revision + 1, &stored.edits())?;
        if rule_rows::changes(base.rows(), &rows).is_empty() {
            return Err(SetError::NoEffect.into());
        }
        let (pools, over) = (self.current.pools(), base.compiled().cloned());
        let rulebook = super::plan::checked(pools, rulebook_id, rows, revision + 1, over).await?;
        if let Some(base) = base.compiled() {
            super::plan::lint_passed(pools, rulebook_id, Some(Arc::clone(base)), &rulebook).await?;
        }
        // Compare the prices before the transaction begins, because other writers wait for the transaction.
        let guards = guard_rails::guards(&self.db, rulebook_id).await?;
        let states = (&base, &rulebook);
        let mut breaches = super::plan::beyond(&self.db, pools, rulebook_id, guards, states, at).await?;
        let tx = store::begin(&self.db).await?;
        let mut stored = self.held(&tx, rulebook_id, id, version, from).await?;
        stored.set.publish_at = Some(at);
        stored.set.publisher = signed(author)?;
        if let Some(comment) = comment {
            comment.clone_into(&mut stored.set.comment);
        }
        let head_rows = guard_rails::guards(&*tx, rulebook_id).await?;
        if head_rows != guards {
            breaches = super::plan::beyond(&*tx, pools, rulebook_id, head_rows, states, at).await?;
        }
        if !breaches.is_empty() {
            self.waits(&tx, &mut stored, &breaches, author).await?;
            tx.commit().await?;
            return Err(PublishError::Waits(Box::new(stored)));
        }
        self.moved(&tx, &mut stored.set, ChangeSetStatus::Scheduled).await?;
        let after = json!({"at": at, "comment": stored.set.comment});
        self.audit(&tx, author, about(&stored.set, "schedule", None, Some(after)))
            .await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Reopens a scheduled change set.
    ///
    /// # Errors
    /// When the change set is at another version than was read, or is not scheduled.
    pub async fn cancel_schedule(
        &self,
        rulebook_id: Uuid,
        id: Uuid,
        version: i64,
        author: &Author,
    ) -> Result<StoredChangeSet, PublishError> {
        let tx = store::begin(&self.db).await?;
        let mut stored = self
            .held(&tx, rulebook_id, id, version, &[ChangeSetStatus::Scheduled])
            .await?;
        let before = json!({"at": stored.set.publish_at});
        self.reopen(&tx, &mut stored.set, author, "cancel_schedule", Some(before), None)
            .await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Publishes a change set that is due, or refuses it permanently.
    ///
    /// # Errors
    /// When a retry may succeed: the database is unavailable, or other publish requests keep winning the race.
    pub async fn publish_due(&self, due: &change_sets::Model) -> Result<Due, PublishError> {
        let stored = match self.set(due.rulebook_id, due.id).await {
            Err(PublishError::Set(SetError::Unknown)) => return Ok(Due::Gone),
            other => other?,
        };
        if ready(&stored, due.version, &[ChangeSetStatus::Scheduled]).is_err() {
            return Ok(Due::Gone);
        }
        let author = stored.set.publisher.clone();
        let author: Author = serde_json::from_value(author.unwrap_or_default())
            .map_err(|error| DbErr::Type(format!("change_sets.publisher: {error}")))?;
        let step = HeadMove::new("publish", &stored.set.comment, &author);
        match self.publish_stored(&stored, step).await {
            Ok(published) => Ok(Due::Published(published.revision)),
            Err(PublishError::Set(SetError::Stale { .. } | SetError::Unknown)) => Ok(Due::Gone),
            Err(PublishError::Waits(_)) => Ok(Due::Waits),
            Err(error) => {
                let refusal = self.refusal(due.rulebook_id, &error).await?;
                // An error in the rules is permanent, so refuse the change set. Return any other error, so that the
                // next poll retries.
                let refusal = refusal.ok_or(error)?;
                self.refuse(&stored, &refusal, &author).await
            }
        }
    }

    async fn refuse(&self, stored: &StoredChangeSet, refusal: &Refusal, author: &Author) -> Result<Due, PublishError> {
        let set = &stored.set;
        let tx = store::begin(&self.db).await?;
        let held = self
            .held(&tx, set.rulebook_id, set.id, set.version, &[ChangeSetStatus::Scheduled])
            .await;
        let mut stored = match held {
            Err(PublishError::Set(_)) => return Ok(Due::Gone),
            other => other?,
        };
        let set = &mut stored.set;
        set.refusal = Some(serde_json::to_value(refusal).map_err(|error| DbErr::Json(error.to_string()))?);
        self.moved(&tx, set, ChangeSetStatus::Refused).await?;
        let notice = Notice {
            rulebook_id: set.rulebook_id,
            code: NOTICE,
            severity: Severity::Urgent,
            subject: subject(set.id),
            text: format!(
                "The change set {} was due and was not published: {}",
                set.id, refusal.detail
            ),
            what_to_do: "Read the change set: `refusal` says why. Correct it and publish it again, or discard it."
                .to_owned(),
        };
        let now = self.clock.now();
        notices::raise(&tx, notice, now, self.clock.new_id()).await?;
        let after = json!({"at": set.publish_at, "because": refusal.code});
        self.audit(&tx, author, about(set, "refuse", None, Some(after))).await?;
        tx.commit().await?;
        Ok(Due::Refused)
    }
}
