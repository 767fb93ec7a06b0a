//! Finds the state of a rulebook that a request reads: the head, an older revision, or the head with a change set.

use std::sync::Arc;

use uuid::Uuid;

use super::auth::Caller;
use super::change_sets::candidate::would_be;
use super::responses::RowWithVersion;
use super::row_kind::RowKind;
use super::state::AdminState;
use revisions::cache::HeadRows;
use rules::rows::RowSet;
use web::problem::Problem;

/// The rows of one state of a rulebook.
#[expect(clippy::large_enum_variant, reason = "one for each request, and never stored")]
pub enum RowsAtState {
    /// The head.
    Head(HeadRows),
    /// An older revision.
    Revision(Uuid, i64, Arc<RowSet>),
    /// The head with a change set.
    WouldBe(HeadRows, RowSet),
}

impl RowsAtState {
    /// Reads the rows of the revision or change set that a request names, or else of the head, if the API caller may see
    /// them.
    ///
    /// # Errors
    /// 422 if the request names two states, 404 if the rulebook, revision or change set does not exist for this caller,
    /// 5xx if the database fails.
    pub async fn of(
        state: &AdminState,
        caller: &Caller,
        rulebook: &str,
        revision: Option<i64>,
        change_set: Option<Uuid>,
    ) -> Result<Self, Problem> {
        let head_rows = state.head_rows(caller, rulebook).await?;
        match (revision, change_set) {
            (Some(_), Some(_)) => Err(both_states()),
            (Some(revision), None) if revision != head_rows.revision => {
                let rows = state.rows(head_rows.rulebook_id, revision).await?;
                Ok(Self::Revision(head_rows.rulebook_id, revision, rows))
            }
            (None, Some(id)) => {
                let rows = would_be(state, &head_rows, id).await?;
                Ok(Self::WouldBe(head_rows, rows))
            }
            _ => Ok(Self::Head(head_rows)),
        }
    }

    #[must_use]
    pub fn rulebook_id(&self) -> Uuid {
        match self {
            Self::Head(head_rows) | Self::WouldBe(head_rows, _) => head_rows.rulebook_id,
            Self::Revision(rulebook_id, ..) => *rulebook_id,
        }
    }

    /// Returns the number of the revision; for a change set, the number of the head.
    #[must_use]
    pub fn revision(&self) -> i64 {
        match self {
            Self::Head(head_rows) | Self::WouldBe(head_rows, _) => head_rows.revision,
            Self::Revision(_, revision, _) => *revision,
        }
    }

    #[must_use]
    pub fn rows(&self) -> &RowSet {
        match self {
            Self::Head(head_rows) => head_rows.rows(),
            Self::Revision(_, _, rows) => rows,
            Self::WouldBe(_, rows) => rows,
        }
    }

    /// Returns the row with this code, and its version.
    #[must_use]
    pub fn one<R>(&self, kind: &RowKind, code: &str) -> Option<(RowWithVersion<R>, i64)> {
        let row = (kind.row)(self.rows(), code)?;
        let version = self.version(kind, code)?;
        Some((RowWithVersion::new(row, version), version))
    }

    /// Returns all rows of the kind, with their codes.
    #[must_use]
    pub fn all<R>(&self, kind: &RowKind) -> Vec<(String, RowWithVersion<R>)> {
        let rows = (kind.rows)(self.rows()).into_iter();
        rows.map(|(code, row)| {
            let version = self.version(kind, &code).unwrap_or_default();
            (code, RowWithVersion::new(row, version))
        })
        .collect()
    }

    /// Returns a row's version. In a change set, a row has the version of the head's row, and a new row has version 0.
    /// The next change of the row needs this base version.
    fn version(&self, kind: &RowKind, code: &str) -> Option<i64> {
        match self {
            Self::WouldBe(head_rows, _) => Some((kind.version)(head_rows.rows(), code).unwrap_or_default()),
            Self::Head(_) | Self::Revision(..) => (kind.version)(self.rows(), code),
        }
    }
}

/// Returns the 422 problem for a request that names two states.
#[must_use]
pub fn both_states() -> Problem {
    let detail = "Give `revision` or `change_set`, not both: a change set is based on the head.";
    Problem::fault("change_set", "contradiction", detail)
}
