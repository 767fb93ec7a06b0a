//! A stored change set: what it holds, how much it may hold, and why it may not be worked on.

use sea_orm::DbErr;
use serde_json::{Value, json};
use uuid::Uuid;

use super::PublishError;
use authoring::change_set::Edit;
use store::{change_set_changes, change_sets};

/// How many changes a change set holds at most.
pub const MOST_CHANGES: usize = 10_000;
/// How large they may be together, as JSON.
pub const MOST_BYTES: i64 = 8 * 1024 * 1024;

/// Why a stored change set cannot take a step; it stands as it stood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// There is none of this id.
    #[error("no such change set")]
    Unknown,
    /// It was changed since it was read.
    #[error("the change set is at version {current}")]
    Stale {
        /// The version that was read.
        expected: i64,
        /// The version that stands.
        current: i64,
    },
    /// Its state does not allow it.
    #[error("the change set is {state}")]
    State {
        /// Where it is in its life.
        state: String,
    },
    /// There is nothing in it to publish.
    #[error("the change set holds no changes")]
    Empty,
    /// The rulebook stands already as it would make it.
    #[error("the change set changes nothing")]
    NoEffect,
    /// Who would approve it had a hand in it.
    #[error("nobody approves their own change")]
    TheirOwn,
    /// It has no change of this number.
    #[error("the change set has no change {0}")]
    NoChange(i64),
    /// It would hold more than it can.
    #[error("the change set would hold {changes} changes of {bytes} bytes")]
    TooLarge {
        /// How many changes.
        changes: usize,
        /// How large, together.
        bytes: i64,
    },
}

/// A change set with what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSet {
    /// Its row.
    pub set: change_sets::Model,
    /// Its changes, in order.
    pub changes: Vec<StoredChange>,
}

/// A change in a change set.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredChange {
    /// Its number within the change set; a number is not used again.
    pub number: i64,
    /// What it is.
    pub edit: Edit,
    /// How large it is as JSON.
    pub bytes: i64,
    /// Who added it.
    pub author: String,
    /// With which key.
    pub author_key_id: Option<Uuid>,
    /// When.
    pub created_at: chrono::DateTime<chrono::Utc>,
}

impl StoredSet {
    /// From its rows.
    pub(super) fn of(set: change_sets::Model, changes: Vec<change_set_changes::Model>) -> Result<Self, DbErr> {
        let changes = changes.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { set, changes })
    }

    /// Its edits, in order.
    #[must_use]
    pub fn edits(&self) -> Vec<Edit> {
        self.changes.iter().map(|change| change.edit.clone()).collect()
    }
}

/// Counts what a change set holds, or says that it is too much.
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

/// Which change it was, without what it says.
pub(super) fn named(change: &StoredChange) -> Value {
    let (resource, code) = (change.edit.resource(), change.edit.code());
    json!({"number": change.number, "resource": resource, "code": code})
}
