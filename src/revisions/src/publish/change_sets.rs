//! Opens, edits, publishes and discards stored change sets. [`super::schedule`] publishes change sets at a scheduled
//! time.
//!
//! Every operation is one transaction that locks the row of the change set and writes an audit entry. The operation
//! fails if the change set is not at the version that the author read.

use futures_util::future::BoxFuture;
use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::{Value, json};
use uuid::Uuid;

use super::approvals::{WAITS, signed};
use super::plan::apply;
use super::schedule::{NOTICE, subject};
pub use super::stored_change_set::{MOST_BYTES, MOST_CHANGES, SetError, StoredChange, StoredChangeSet};
use super::stored_change_set::{measure, named, rows};
use super::write_revision::Entry;
use super::{Author, HeadMove, PublishError, PublishedRevision, Publisher};
use authoring::change_set::Edit;
use store::change_sets::ChangeSetStatus;
use store::{change_set_changes, change_sets, notices, quotas, rulebooks};

/// States in which a change set can be edited and published.
const EDITABLE: &[ChangeSetStatus] = &[ChangeSetStatus::Open, ChangeSetStatus::Refused];

/// Maximum number of an author's open change sets that are compared with a new change set.
const MAX_COMPARED: u64 = 20;

/// Stores data about the request, for example the response for repeated requests. Runs as the first statement of the
/// transaction that has the effect. Returns false if the data was stored before.
pub type Keep = Box<dyn for<'a> FnOnce(&'a DatabaseTransaction) -> BoxFuture<'a, Result<bool, DbErr>> + Send>;

/// A change set at the version that was read. The change set is published only if it still has that version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub id: Uuid,
    pub version: i64,
}

impl Publisher {
    /// Reads a change set and its changes.
    ///
    /// # Errors
    /// When there is no such change set.
    pub async fn set(&self, rulebook_id: Uuid, id: Uuid) -> Result<StoredChangeSet, PublishError> {
        let set = change_sets::find(&self.db, rulebook_id, id).await?;
        let set = set.ok_or(SetError::Unknown)?;
        let changes = change_set_changes::of(&self.db, rulebook_id, id).await?;
        Ok(StoredChangeSet::of(set, changes)?)
    }

    /// Creates a change set with these edits, without compiling or storing it.
    ///
    /// # Errors
    /// When the change set would be too large, or there is no such rulebook.
    pub async fn open_set(
        &self,
        rulebook_id: Uuid,
        comment: &str,
        edits: Vec<Edit>,
        author: &Author,
    ) -> Result<StoredChangeSet, PublishError> {
        let head = rulebooks::head(&self.db, rulebook_id).await?;
        let head = head.ok_or(PublishError::UnknownRulebook)?;
        self.new_set(rulebook_id, head, comment, edits, author)
    }

    /// Returns the id of an open change set of the same author with exactly these changes. A duplicate would stay open
    /// after somebody published the first change set.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn same_set(&self, stored: &StoredChangeSet) -> Result<Option<Uuid>, PublishError> {
        let (rulebook_id, author) = (stored.set.rulebook_id, &stored.set.author);
        for set in change_sets::open_of(&self.db, rulebook_id, author, MAX_COMPARED).await? {
            let id = set.id;
            if set.changes == stored.set.changes && self.set(rulebook_id, id).await?.edits() == stored.edits() {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Stores a new change set, and runs `keep` in the same transaction. Returns whether the change set was stored. If
    /// `keep` returns false, the request was processed before, and the change set is not stored.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn store_set(&self, stored: &StoredChangeSet, keep: Keep, author: &Author) -> Result<bool, PublishError> {
        let tx = store::begin(&self.db).await?;
        if !keep(&tx).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        self.insert_set(&tx, stored).await?;
        let after = json!({"comment": stored.set.comment, "changes": stored.changes.len()});
        self.audit(&tx, author, about(&stored.set, "create", None, Some(after)))
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Creates a change set based on a head, without storing it.
    pub(super) fn new_set(
        &self,
        rulebook_id: Uuid,
        head: i64,
        comment: &str,
        edits: Vec<Edit>,
        author: &Author,
    ) -> Result<StoredChangeSet, PublishError> {
        let now = self.clock.now();
        let mut set = change_sets::Model {
            rulebook_id,
            id: self.clock.new_id(),
            state: ChangeSetStatus::Open.word().to_owned(),
            comment: comment.to_owned(),
            author: author.name.clone(),
            author_key_id: author.key_id,
            base_revision: head,
            version: 1,
            changes: 0,
            bytes: 0,
            next_number: 1,
            publish_at: None,
            publisher: None,
            revision: None,
            refusal: None,
            breaches: None,
            approved_by: None,
            created_at: now,
            updated_at: now,
        };
        let mut changes = Vec::new();
        self.put_in(&mut set, &mut changes, edits, author)?;
        Ok(StoredChangeSet { set, changes })
    }

    /// Stores a new change set.
    pub(super) async fn insert_set(
        &self,
        tx: &DatabaseTransaction,
        stored: &StoredChangeSet,
    ) -> Result<(), PublishError> {
        let set = &stored.set;
        // Lock the head, so that the number of change sets stays valid until the commit.
        rulebooks::locked_head(tx, set.rulebook_id).await?;
        self.has_room(tx, set.rulebook_id, (1, set.bytes)).await?;
        change_sets::insert(tx, set.clone()).await?;
        Ok(change_set_changes::add(tx, rows(set, &stored.changes)?).await?)
    }

    /// Rejects a change set that would exceed a quota.
    async fn has_room(
        &self,
        tx: &DatabaseTransaction,
        rulebook_id: Uuid,
        more: (i64, i64),
    ) -> Result<(), PublishError> {
        match quotas::change_sets(tx, rulebook_id, more, self.clock.now()).await? {
            Some(quota) => Err(quota.into()),
            None => Ok(()),
        }
    }

    /// Appends edits. A new edit replaces earlier edits of the same row that have another base version, because the
    /// author of the new edit saw the current row.
    ///
    /// # Errors
    /// When the change set is at another version than was read, or would be too large.
    pub async fn add_changes(
        &self,
        rulebook_id: Uuid,
        id: Uuid,
        version: i64,
        edits: Vec<Edit>,
        author: &Author,
    ) -> Result<StoredChangeSet, PublishError> {
        let tx = store::begin(&self.db).await?;
        let mut stored = self.held(&tx, rulebook_id, id, version, EDITABLE).await?;
        for edit in &edits {
            let outdated = |change: &StoredChange| {
                change.edit.is_of(edit.resource(), edit.code()) && change.edit.expected() != edit.expected()
            };
            for change in stored.changes.extract_if(.., |change| outdated(change)) {
                change_set_changes::remove(&tx, rulebook_id, id, change.number).await?;
            }
        }
        let (before, bytes) = (stored.changes.len(), stored.set.bytes);
        self.put_in(&mut stored.set, &mut stored.changes, edits, author)?;
        self.has_room(&tx, rulebook_id, (0, stored.set.bytes - bytes)).await?;
        let added = &stored.changes[before.min(stored.changes.len())..];
        change_set_changes::add(&tx, rows(&stored.set, added)?).await?;
        let after: Vec<Value> = added.iter().map(named).collect();
        self.reopen(&tx, &mut stored.set, author, "add_change", None, Some(after.into()))
            .await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Removes a change.
    ///
    /// # Errors
    /// When the change set is at another version than was read, or has no such change.
    pub async fn remove_change(
        &self,
        rulebook_id: Uuid,
        id: Uuid,
        version: i64,
        number: i64,
        author: &Author,
    ) -> Result<StoredChangeSet, PublishError> {
        let tx = store::begin(&self.db).await?;
        let mut stored = self.held(&tx, rulebook_id, id, version, EDITABLE).await?;
        let place = stored.changes.iter().position(|change| change.number == number);
        let removed = stored.changes.remove(place.ok_or(SetError::NoChange(number))?);
        change_set_changes::remove(&tx, rulebook_id, id, number).await?;
        measure(&mut stored.set, &stored.changes)?;
        self.reopen(
            &tx,
            &mut stored.set,
            author,
            "remove_change",
            Some(named(&removed)),
            None,
        )
        .await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Discards a change set. The change set can still be read.
    ///
    /// # Errors
    /// When the change set is at another version than was read, or has been published or discarded.
    pub async fn discard_set(
        &self,
        rulebook_id: Uuid,
        id: Uuid,
        version: i64,
        author: &Author,
    ) -> Result<StoredChangeSet, PublishError> {
        let tx = store::begin(&self.db).await?;
        let alive = &[
            ChangeSetStatus::Open,
            ChangeSetStatus::Scheduled,
            ChangeSetStatus::Waiting,
            ChangeSetStatus::Refused,
        ];
        let mut stored = self.held(&tx, rulebook_id, id, version, alive).await?;
        let before = json!({"state": stored.set.state});
        self.moved(&tx, &mut stored.set, ChangeSetStatus::Discarded).await?;
        let entry = about(&stored.set, "discard", Some(before), None);
        self.audit(&tx, author, entry).await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Publishes a change set immediately. Returns the change set with its new version.
    ///
    /// # Errors
    /// When the change set is at another version than was read, or is empty. The errors of [`Publisher::publish`] are
    /// also possible.
    pub async fn publish_set(
        &self,
        rulebook_id: Uuid,
        id: Uuid,
        version: i64,
        comment: Option<&str>,
        author: &Author,
    ) -> Result<StoredChangeSet, PublishError> {
        let stored = self.set(rulebook_id, id).await?;
        ready(&stored, version, EDITABLE)?;
        let comment = comment.unwrap_or(&stored.set.comment);
        let published = self
            .publish_stored(&stored, HeadMove::new("publish", comment, author))
            .await?;
        Ok(published.set.unwrap_or(stored))
    }

    /// Publishes a change set at the version that was read.
    pub(super) async fn publish_stored(
        &self,
        stored: &StoredChangeSet,
        step: HeadMove<'_>,
    ) -> Result<PublishedRevision, PublishError> {
        let set = &stored.set;
        let step = HeadMove {
            free: step.free || set.approved_by.is_some(),
            set: Some(Claim {
                id: set.id,
                version: set.version,
            }),
            ..step
        };
        let edits = stored.edits();
        self.advance(set.rulebook_id, step, |base, next| apply(base, next, &edits))
            .await
    }

    /// Marks the change set as published, in the transaction that moves the head. Returns the change set with its new
    /// version, and the audit entry to write.
    pub(super) async fn set_published(
        &self,
        tx: &DatabaseTransaction,
        rulebook_id: Uuid,
        claim: Claim,
        step: HeadMove<'_>,
        revision: i64,
    ) -> Result<(StoredChangeSet, Entry<'static>), PublishError> {
        let mut stored = self.claimed(tx, rulebook_id, claim).await?;
        let set = &mut stored.set;
        let waited = set.is_in(&[ChangeSetStatus::Waiting]);
        if waited {
            set.approved_by = signed(step.author)?;
        }
        step.comment.clone_into(&mut set.comment);
        set.revision = Some(revision);
        self.moved(tx, set, ChangeSetStatus::Published).await?;
        let action = if waited { "approve" } else { "publish" };
        let after = json!({"comment": step.comment, "author": set.author});
        let mut entry = about(set, action, None, Some(after));
        entry.revision = Some(revision);
        Ok((stored, entry))
    }

    /// Locks a change set, and checks that it is at the version that was read and in one of these states.
    pub(super) async fn held(
        &self,
        tx: &DatabaseTransaction,
        rulebook_id: Uuid,
        id: Uuid,
        version: i64,
        states: &[ChangeSetStatus],
    ) -> Result<StoredChangeSet, PublishError> {
        let set = change_sets::locked(tx, rulebook_id, id).await?;
        let set = set.ok_or(SetError::Unknown)?;
        may(&set, version, states)?;
        let changes = change_set_changes::of_held(tx, rulebook_id, id).await?;
        Ok(StoredChangeSet::of(set, changes)?)
    }

    /// Moves a locked change set to another state, and clears the data about the previous state.
    pub(super) async fn moved(
        &self,
        tx: &DatabaseTransaction,
        set: &mut change_sets::Model,
        state: ChangeSetStatus,
    ) -> Result<(), DbErr> {
        let now = self.clock.now();
        if set.is_in(&[ChangeSetStatus::Refused]) {
            notices::resolve(tx, set.rulebook_id, NOTICE, &subject(set.id), now).await?;
            set.refusal = None;
        }
        if set.is_in(&[ChangeSetStatus::Waiting]) {
            notices::resolve(tx, set.rulebook_id, WAITS, &subject(set.id), now).await?;
        }
        if state == ChangeSetStatus::Open {
            // Clear the breaches and the approval, because they apply to the content before the edit.
            (set.breaches, set.approved_by) = (None, None);
        }
        state.word().clone_into(&mut set.state);
        set.version += 1;
        set.updated_at = now;
        change_sets::save(tx, set.clone()).await
    }

    /// Sets the change set to open after its content was changed.
    pub(super) async fn reopen(
        &self,
        tx: &DatabaseTransaction,
        set: &mut change_sets::Model,
        author: &Author,
        action: &'static str,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Result<(), DbErr> {
        set.publish_at = None;
        set.publisher = None;
        self.moved(tx, set, ChangeSetStatus::Open).await?;
        self.audit(tx, author, about(set, action, before, after)).await
    }

    fn put_in(
        &self,
        set: &mut change_sets::Model,
        changes: &mut Vec<StoredChange>,
        edits: Vec<Edit>,
        author: &Author,
    ) -> Result<(), PublishError> {
        for edit in edits {
            let text = serde_json::to_string(&edit).map_err(|error| DbErr::Json(error.to_string()))?;
            changes.push(StoredChange {
                number: set.next_number,
                edit,
                bytes: i64::try_from(text.len()).unwrap_or(i64::MAX),
                author: author.name.clone(),
                author_key_id: author.key_id,
                created_at: self.clock.now(),
            });
            set.next_number += 1;
        }
        measure(set, changes)
    }
}

/// Checks that a change set is at the version that was read, is not empty, and is in one of these states.
pub(super) fn ready(stored: &StoredChangeSet, version: i64, states: &[ChangeSetStatus]) -> Result<(), SetError> {
    may(&stored.set, version, states)?;
    if stored.changes.is_empty() {
        return Err(SetError::Empty);
    }
    Ok(())
}

fn may(set: &change_sets::Model, version: i64, states: &[ChangeSetStatus]) -> Result<(), SetError> {
    // Check the version first. At a stale version, the change set may have had another state.
    if set.version != version {
        return Err(stale(set, version));
    }
    if !set.is_in(states) {
        return Err(SetError::State {
            state: set.state.clone(),
        });
    }
    Ok(())
}

pub(super) fn stale(set: &change_sets::Model, expected: i64) -> SetError {
    SetError::Stale {
        expected,
        current: set.version,
    }
}

/// An audit entry about a change set.
pub(super) fn about(
    set: &change_sets::Model,
    action: &'static str,
    before: Option<Value>,
    after: Option<Value>,
) -> Entry<'static> {
    Entry {
        rulebook_id: set.rulebook_id,
        action,
        resource: "change-sets",
        code: set.id.to_string(),
        revision: None,
        before,
        after,
    }
}
