//! A stored change set: its content, its size limits, and why an operation on it is rejected.

use sea_orm::DbErr;
use serde_json::{Value, json};
use uuid::Uuid;

use super::PublishError;
use authoring::change_set::Edit;
use store::{change_set_changes, change_sets};

/// Maximum number of changes in a change set.
pub const MOST_CHANGES: usize = 10_000;
/// Maximum size in bytes of all changes together, as JSON.
pub const MOST_BYTES: i64 = 8 * 1024 * 1024;

/// Why an operation on a stored change set was rejected. The change set is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    #[error("there is no such change set")]
    Unknown,
    /// The change set was changed since it was read.
    #[error("the change set is at version {current}")]
    Stale {
        /// The version that was read.
        expected: i64,
        /// The current version.
        current: i64,
    },
    /// The state does not allow the operation.
    #[error("the change set is {state}")]
    State { state: String },
    /// The change set is empty.
    #[error("the change set has no changes")]
    Empty,
    /// The rulebook already has the content that the change set would create.
    #[error("the change set changes nothing")]
    NoEffect,
    /// The approver contributed to the change set.
    #[error("nobody may approve their own change")]
    OwnChange,
    /// The change set has no change with this number.
    #[error("the change set has no change {0}")]
    NoChange(i64),
    /// The change set would exceed its size limits.
    #[error("the change set would have {changes} changes of {bytes} bytes")]
    TooLarge {
        /// The number of changes.
        changes: usize,
        /// The total size of the changes in bytes.
        bytes: i64,
    },
}

/// A change set with its changes.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredChangeSet {
    pub set: change_sets::Model,
    /// The changes, in order.
    pub changes: Vec<StoredChange>,
}

/// A change in a change set.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredChange {
    /// The number within the change set. A number is never reused.
    pub number: i64,
    pub edit: Edit,
    /// The size of the edit in bytes, as JSON.
    pub bytes: i64,
    /// Who added the change.
    pub author: String,
    /// The API key of the author.
    pub author_key_id: Option<Uuid>,
    pub created_at: chrono::DateTime<chrono::Utc>,
}

impl StoredChangeSet {
    /// Builds a change set from its rows in the database.
    pub(super) fn of(set: change_sets::Model, changes: Vec<change_set_changes::Model>) -> Result<Self, DbErr> {
        let changes = changes.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { set, changes })
    }

    /// The edits of the change set, in order.
    #[must_use]
    pub fn edits(&self) -> Vec<Edit> {
        self.changes.iter().map(|change| change.edit.clone()).collect()
    }
}

/// Updates the counts of a change set, or rejects it as too large.
pub(super) fn measure(set: &mut change_sets::Model, changes: &[StoredChange]) -> Result<(), PublishError> {
    let (count, bytes) = (changes.len(), changes.iter().map(|change| change.bytes).sum());
    if count > MOST_CHANGES || bytes > MOST_BYTES {
        return Err(SetError::TooLarge { changes: count, bytes }.into());
    }
    set.changes = i64::try_from(count).unwrap_or(i64::MAX);
    set.bytes = bytes;
    Ok(())
}

pub(super) fn rows(
    set: &change_sets::Model,
    changes: &[StoredChange],
) -> Result<Vec<change_set_changes::Model>, DbErr> {
    let row = |change: &StoredChange| {
        Ok(change_set_changes::Model {
            rulebook_id: set.rulebook_id,
            change_set_id: set.id,
            number: change.number,
            edit: serde_json::to_value(&change.edit).map_err(|error| DbErr::Json(error.to_string()))?,
            bytes: change.bytes,
            author: change.author.clone(),
            author_key_id: change.author_key_id,
            created_at: change.created_at,
        })
    };
    changes.iter().map(row).collect()
}

fn read(row: change_set_changes::Model) -> Result<StoredChange, DbErr> {
    Ok(StoredChange {
        number: row.number,
        edit: serde_json::from_value(row.edit)
            .map_err(|error| DbErr::Type(format!("change_set_changes.edit: {error}")))?,
        bytes: row.bytes,
        author: row.author,
        author_key_id: row.author_key_id,
        created_at: row.created_at,
    })
}

/// Identifies a change, without its content.
pub(super) fn named(change: &StoredChange) -> Value {
    let (resource, code) = (change.edit.resource(), change.edit.code());
    json!({"number": change.number, "resource": resource, "code": code})
}
