//! Handles change sets that exceed the guard rails and wait for the approval of a second person.
//!
//! Such a change set gets the state `waiting`, the list of its breaches and a notice. After an approval, the change set
//! becomes a revision. Nobody can approve a change set to which they contributed.

use std::collections::BTreeSet;

use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::json;
use uuid::Uuid;

use super::change_sets::{Claim, SetError, StoredChangeSet, about, ready, stale};
use super::{Author, HeadMove, PublishError, Publisher};
use authoring::change_set::Edit;
use authoring::guard::Breach;
use store::change_sets::ChangeSetStatus;
use store::notices::{self, Notice, Severity};
use store::{api_keys, change_set_changes, change_sets};

/// Code of the notice about a waiting change set.
pub const WAITS: &str = "change_set_waits";

impl Publisher {
    /// Lets a change wait for approval instead of publishing it. `tx` must have locked the head. If the change is not
    /// yet a stored change set, a change set is created.
    pub(super) async fn hold(
        &self,
        tx: &DatabaseTransaction,
        rulebook_id: Uuid,
        step: HeadMove<'_>,
        head: i64,
        edits: impl FnOnce() -> Vec<Edit>,
        breaches: &[Breach],
    ) -> Result<StoredChangeSet, PublishError> {
        let mut stored = match step.set {
            Some(claim) => self.claimed(tx, rulebook_id, claim).await?,
            None => {
                let new = self.new_set(rulebook_id, head, step.comment, edits(), step.author)?;
                self.insert_set(tx, &new).await?;
                new
            }
        };
        step.comment.clone_into(&mut stored.set.comment);
        self.waits(tx, &mut stored, breaches, step.author).await?;
        Ok(stored)
    }

    /// Sets a locked change set to waiting.
    pub(super) async fn waits(
        &self,
        tx: &DatabaseTransaction,
        stored: &mut StoredChangeSet,
        breaches: &[Breach],
        author: &Author,
    ) -> Result<(), DbErr> {
        let set = &mut stored.set;
        let told: Vec<&str> = breaches.iter().map(|breach| breach.text.as_str()).collect();
        set.breaches = Some(serde_json::to_value(breaches).map_err(|error| DbErr::Json(error.to_string()))?);
        self.moved(tx, set, ChangeSetStatus::Waiting).await?;
        let notice = Notice {
            rulebook_id: set.rulebook_id,
            code: WAITS,
            severity: Severity::Warning,
            subject: super::schedule::subject(set.id),
            text: format!(
                "The change set {} of {} goes beyond the guard rails and waits for a second person: {}",
                set.id,
                set.author,
                told.iter().take(3).copied().collect::<Vec<_>>().join(" ")
            ),
            what_to_do:
                "Somebody with the role `publisher` or `admin` who did not contribute to it reviews it, and approves or \
                 rejects it."
                .to_owned(),
        };
        notices::raise(tx, notice, self.clock.now(), self.clock.new_id()).await?;
        let after = json!({"comment": set.comment, "at": set.publish_at, "breaches": told});
        self.audit(tx, author, about(set, "wait", None, Some(after))).await
    }

    /// Approves a waiting change set at the version that was read. The change set is published immediately, or
    /// scheduled if its time is in the future. Returns the change set with its new version.
    ///
    /// # Errors
    /// When the change set is at another version than was read or does not wait, or when the approver contributed to
    /// it. The errors of [`Publisher::publish`] are also possible.
    pub async fn approve_set(
        &self,
        rulebook_id: Uuid,
        id: Uuid,
        version: i64,
        author: &Author,
    ) -> Result<StoredChangeSet, PublishError> {
        let stored = self.set(rulebook_id, id).await?;
        ready(&stored, version, &[ChangeSetStatus::Waiting])?;
        self.not_their_own(&stored, author).await?;
        if stored.set.publish_at.is_some_and(|at| at > self.clock.now()) {
            let tx = store::begin(&self.db).await?;
            let mut stored = self
                .held(&tx, rulebook_id, id, version, &[ChangeSetStatus::Waiting])
                .await?;
            stored.set.approved_by = signed(author)?;
            self.moved(&tx, &mut stored.set, ChangeSetStatus::Scheduled).await?;
            let after = json!({"author": stored.set.author, "at": stored.set.publish_at});
            let entry = about(&stored.set, "approve", None, Some(after));
            self.audit(&tx, author, entry).await?;
            tx.commit().await?;
            return Ok(stored);
        }
        let step = HeadMove {
            made_by: &stored.set.author,
            free: true,
            ..HeadMove::new("publish", &stored.set.comment, author)
        };
        let published = self.publish_stored(&stored, step).await?;
        Ok(published.set.unwrap_or(stored))
    }

    /// Rejects a waiting change set. The change set can be edited and published again.
    ///
    /// # Errors
    /// When the change set is at another version than was read, or does not wait.
    pub async fn reject_set(
        &self,
        rulebook_id: Uuid,
        id: Uuid,
        version: i64,
        comment: &str,
        author: &Author,
    ) -> Result<StoredChangeSet, PublishError> {
        let tx = store::begin(&self.db).await?;
        let mut stored = self
            .held(&tx, rulebook_id, id, version, &[ChangeSetStatus::Waiting])
            .await?;
        let because = if comment.is_empty() {
            String::new()
        } else {
            format!(": {comment}")
        };
        let detail = format!("{} rejected it{because}", author.name);
        stored.set.refusal = Some(json!({"code": "rejected", "detail": detail}));
        stored.set.publish_at = None;
        self.moved(&tx, &mut stored.set, ChangeSetStatus::Refused).await?;
        let entry = about(&stored.set, "reject", None, Some(json!({"comment": comment})));
        self.audit(&tx, author, entry).await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Locks a change set at the version that was read.
    pub(super) async fn claimed(
        &self,
        tx: &DatabaseTransaction,
        rulebook_id: Uuid,
        claim: Claim,
    ) -> Result<StoredChangeSet, PublishError> {
        let set = change_sets::locked(tx, rulebook_id, claim.id)
            .await?
            .ok_or(SetError::Unknown)?;
        if set.version != claim.version {
            return Err(stale(&set, claim.version).into());
        }
        let changes = change_set_changes::of_held(tx, rulebook_id, claim.id).await?;
        StoredChangeSet::of(set, changes).map_err(PublishError::from)
    }
}

/// Converts the person who scheduled or approved a change set to the JSON that the change set stores.
pub(super) fn signed(author: &Author) -> Result<Option<serde_json::Value>, DbErr> {
    let told = serde_json::to_value(author).map_err(|error| DbErr::Json(error.to_string()))?;
    Ok(Some(told))
}

impl Publisher {
    /// Checks that the approver did not contribute to the change set. The check compares API keys, or names if a change
    /// was made without a key. Two keys count as the same person if they have the same owner. An approver also counts
    /// as a contributor if a contributor's key created the approver's key, directly or through other keys.
    async fn not_their_own(&self, stored: &StoredChangeSet, author: &Author) -> Result<(), PublishError> {
        let set = &stored.set;
        let changes = stored.changes.iter();
        let hands: Vec<(Option<Uuid>, &str)> = std::iter::once((set.author_key_id, set.author.as_str()))
            .chain(changes.map(|change| (change.author_key_id, change.author.as_str())))
            .collect();
        let by_name = hands.iter().any(|(key, name)| key.is_none() && *name == author.name);
        let keys: BTreeSet<Uuid> = hands.into_iter().filter_map(|(key, _)| key).collect();
        let Some(own) = author.key_id else {
            return if by_name {
                Err(SetError::OwnChange.into())
            } else {
                Ok(())
            };
        };
        let makers = api_keys::makers(&self.db, own).await?;
        if by_name || keys.contains(&own) || makers.iter().any(|maker| keys.contains(maker)) {
            return Err(SetError::OwnChange.into());
        }
        let own = api_keys::by_id(&self.db, own).await?;
        for id in keys {
            let theirs = api_keys::by_id(&self.db, id).await?;
            if own
                .as_ref()
                .zip(theirs)
                .is_some_and(|(own, theirs)| own.has_owner_of(&theirs))
            {
                return Err(SetError::OwnChange.into());
            }
        }
        Ok(())
    }
}
