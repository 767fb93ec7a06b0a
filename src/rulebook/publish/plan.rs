//! What edits would make of a rulebook. In: edits, and the head. Out: the rows as they would be, compiled or with every
//! fault. Nothing is written.

use std::sync::Arc;

use sea_orm::{DatabaseConnection, DbErr, EntityTrait, QuerySelect};
use uuid::Uuid;

use super::{PublishError, Publisher};
use crate::rulebook::cases::CaseResult;
use crate::rulebook::change_set::{Applied, Edit, applied, apply};
use crate::rulebook::compile::{self, Rulebook};
use crate::rulebook::current::Base;
use crate::rulebook::fault::Fault;
use crate::rulebook::guard::{self, Breach, GuardRails};
use crate::rulebook::lint;
use crate::rulebook::rows::RowSet;
use crate::store::rulebooks;

/// What a publish of edits would do, not yet done.
#[derive(Debug)]
pub struct Planned {
    /// The head it starts from.
    pub base_revision: i64,
    /// The rows of the head.
    pub base: RowSet,
    /// The rows as they would be, in the revision after the head.
    pub rows: RowSet,
    /// The candidate, compiled but not published, or every fault of its rows.
    pub rulebook: Result<Arc<Rulebook>, Vec<Fault>>,
}

/// Edits over the head, also those that no longer fit it.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The head it starts from.
    pub base_revision: i64,
    /// What stands there.
    pub base: Base,
    /// The rows with every edit that fits, and those that do not.
    pub applied: Applied,
}

impl Publisher {
    /// What a publish of these edits would do. The cases are not run: [`Rulebook::run_cases`] does.
    ///
    /// # Errors
    /// [`PublishError::Conflicts`] when an edit was made against something else than what stands,
    /// [`PublishError::Faults`] when one makes no row; and when the head cannot be read.
    pub async fn plan(&self, rulebook_id: Uuid, edits: &[Edit]) -> Result<Planned, PublishError> {
        let (base_revision, base) = self.standing(rulebook_id).await?;
        let rows = apply(base.rows(), base_revision + 1, edits)?;
        let rulebook = compiled(rows.clone(), base_revision + 1, base.compiled().cloned()).await?;
        Ok(Planned {
            base_revision,
            base: base.rows().clone(),
            rows,
            rulebook,
        })
    }

    /// The edits over the head as far as they fit, not compiled.
    ///
    /// # Errors
    /// When the head cannot be read.
    pub async fn draft(&self, rulebook_id: Uuid, edits: &[Edit]) -> Result<Draft, PublishError> {
        let (base_revision, base) = self.standing(rulebook_id).await?;
        let applied = applied(base.rows(), base_revision + 1, edits);
        Ok(Draft {
            base_revision,
            base,
            applied,
        })
    }

    /// The head and what stands there.
    pub(super) async fn standing(&self, rulebook_id: Uuid) -> Result<(i64, Base), PublishError> {
        let head = head(&self.db, rulebook_id)
            .await?
            .ok_or(PublishError::UnknownRulebook)?;
        Ok((head, self.current.base(rulebook_id, head).await?))
    }
}

impl Draft {
    /// Its rows compiled, or every fault: also those of edits that make no row.
    ///
    /// # Errors
    /// When the machine has no thread to compile on.
    pub async fn compiled(&self) -> Result<Result<Arc<Rulebook>, Vec<Fault>>, DbErr> {
        let revision = self.base_revision + 1;
        let outcome = compiled(self.applied.rows.clone(), revision, self.base.compiled().cloned()).await?;
        let mut faults = self.applied.malformed.clone();
        Ok(match outcome {
            Ok(rulebook) if faults.is_empty() => Ok(rulebook),
            Ok(_) => Err(faults),
            Err(found) => {
                faults.extend(found);
                Err(faults)
            }
        })
    }
}

/// The number of the head.
pub(super) async fn head(db: &DatabaseConnection, rulebook_id: Uuid) -> Result<Option<i64>, DbErr> {
    rulebooks::Entity::find_by_id(rulebook_id)
        .select_only()
        .column(rulebooks::Column::HeadRevision)
        .into_tuple::<i64>()
        .one(db)
        .await
}

/// Compiled, sharing what the base has already.
async fn compiled(
    rows: RowSet,
    revision: i64,
    base: Option<Arc<Rulebook>>,
) -> Result<Result<Arc<Rulebook>, Vec<Fault>>, DbErr> {
    tokio::task::spawn_blocking(move || compile::compile(revision, &rows, base.as_deref()).map(Arc::new))
        .await
        .map_err(|error| DbErr::Custom(error.to_string()))
}

/// Compiled, and every case green.
pub(super) async fn checked(
    rows: RowSet,
    revision: i64,
    base: Option<Arc<Rulebook>>,
) -> Result<Arc<Rulebook>, PublishError> {
    let rulebook = compiled(rows, revision, base).await?.map_err(PublishError::Faults)?;
    let failed = failed_cases(&rulebook).await?;
    if failed.is_empty() {
        Ok(rulebook)
    } else {
        Err(PublishError::CasesFailed(failed))
    }
}

/// Without an error of lint that the base had not; the base is none for a new rulebook.
pub(super) async fn meant(base: Option<Arc<Rulebook>>, rulebook: &Arc<Rulebook>) -> Result<(), PublishError> {
    let rulebook = Arc::clone(rulebook);
    let found = tokio::task::spawn_blocking(move || lint::brought_in(base.as_deref(), &rulebook));
    let found = found.await.map_err(|error| DbErr::Custom(error.to_string()))?;
    if found.is_empty() {
        return Ok(());
    }
    Err(PublishError::Faults(found.into_iter().map(Fault::from).collect()))
}

/// What goes beyond the guard rails: each adjustment that changes is held against every service, which takes its time.
///
/// # Errors
/// When the machine has no thread to compare them on.
pub(super) async fn beyond(guards: GuardRails, base: &RowSet, rows: &RowSet) -> Result<Vec<Breach>, DbErr> {
    if guards == GuardRails::default() {
        return Ok(Vec::new());
    }
    let (base, rows) = (base.clone(), rows.clone());
    tokio::task::spawn_blocking(move || guard::breaches(&guards, &base, &rows))
        .await
        .map_err(|error| DbErr::Custom(error.to_string()))
}

/// Every case that is red.
///
/// # Errors
/// When the machine has no thread to run them on.
pub async fn failed_cases(rulebook: &Arc<Rulebook>) -> Result<Vec<CaseResult>, DbErr> {
    let rulebook = Arc::clone(rulebook);
    let run = move || rulebook.run_cases().into_iter().filter(|case| !case.passed).collect();
    tokio::task::spawn_blocking(run)
        .await
        .map_err(|error| DbErr::Custom(error.to_string()))
}
