//! What edits would make of a rulebook. In: edits, and the head. Out: the rows as they would be, compiled or with every
//! fault. Nothing is written.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryResult, QuerySelect};
use uuid::Uuid;

use super::{PublishError, Publisher};
use crate::current::Base;
use authoring::backtest::stored_facts;
use authoring::change_set::{Applied, Edit, applied};
use authoring::guard::{self, Breach};
use authoring::lint;
use authoring::probes::{self, Probe};
use rules::cases::CaseResult;
use rules::compile::{Rulebook, SETTINGS, compile_here};
use rules::fair_pool::Busy;
use rules::fault::Fault;
use rules::guard_rails::GuardRails;
use rules::pools::Pools;
use rules::rows::{Resource, RowSet};
use rules::weight::{self, MAX_ROW_BYTES};
use store::decisions::past::{Columns, Span};
use store::rulebooks;

/// How far back calls are decided again to see what a change does to their prices, and how many.
const EXAMPLE_DAYS: i64 = 7;
const EXAMPLE_CALLS: u64 = 200;

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
    rulebook_id: Uuid,
    pools: Pools,
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
        let (pools, over) = (self.current.pools(), base.compiled().cloned());
        let rulebook = candidate(pools, rulebook_id, base_revision + 1, rows.clone(), over).await?;
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
            rulebook_id,
            pools: self.current.pools().clone(),
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
    /// Which rulebook's.
    #[must_use]
    pub const fn rulebook_id(&self) -> Uuid {
        self.rulebook_id
    }

    /// Its rows compiled, or every fault: also those of edits that make no row.
    ///
    /// # Errors
    /// When the threads that compile are busy.
    pub async fn compiled(&self) -> Result<Result<Arc<Rulebook>, Vec<Fault>>, Busy> {
        let revision = self.base_revision + 1;
        let (rows, over) = (self.applied.rows.clone(), self.base.compiled().cloned());
        let outcome = candidate(&self.pools, self.rulebook_id, revision, rows, over).await?;
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

    /// Every case of the candidate that is red.
    ///
    /// # Errors
    /// When the threads that run them are busy.
    pub async fn failed_cases(&self, rulebook: &Arc<Rulebook>) -> Result<Vec<CaseResult>, Busy> {
        failed_cases(&self.pools, self.rulebook_id, rulebook).await
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

/// Compiled over what stands, or every fault; refused unread where it is too large. What is published is loaded whatever it
/// weighs, and may always be made smaller.
async fn candidate(
    pools: &Pools,
    rulebook_id: Uuid,
    revision: i64,
    rows: RowSet,
    base: Option<Arc<Rulebook>>,
) -> Result<Result<Arc<Rulebook>, Vec<Fault>>, Busy> {
    let before = base.as_ref().map_or(0, |base| base.row_bytes());
    let compile = move || {
        let bytes = weight::row_bytes(&rows);
        if bytes > MAX_ROW_BYTES && bytes > before {
            return Err(vec![too_large(bytes)]);
        }
        compile_here(revision, &rows, base.as_deref()).map(Arc::new)
    };
    pools.compile(rulebook_id, compile).await
}

fn too_large(bytes: usize) -> Fault {
    Fault {
        resource: Resource::Settings,
        code: SETTINGS.to_owned(),
        column: String::new(),
        line: None,
        position: None,
        problem: "too_large",
        text: format!(
            "the rows of a rulebook have at most {MAX_ROW_BYTES} bytes together, as JSON; with this change they would have {bytes}"
        ),
    }
}

/// Compiled, and every case green.
pub(super) async fn checked(
    pools: &Pools,
    rulebook_id: Uuid,
    rows: RowSet,
    revision: i64,
    base: Option<Arc<Rulebook>>,
) -> Result<Arc<Rulebook>, PublishError> {
    let compiled = candidate(pools, rulebook_id, revision, rows, base).await?;
    let rulebook = compiled.map_err(PublishError::Faults)?;
    let failed = failed_cases(pools, rulebook_id, &rulebook).await?;
    if failed.is_empty() {
        Ok(rulebook)
    } else {
        Err(PublishError::CasesFailed(failed))
    }
}

/// Without an error of lint that the base had not; the base is none for a new rulebook.
pub(super) async fn meant(
    pools: &Pools,
    rulebook_id: Uuid,
    base: Option<Arc<Rulebook>>,
    rulebook: &Arc<Rulebook>,
) -> Result<(), PublishError> {
    let rulebook = Arc::clone(rulebook);
    let look = move || lint::brought_in(base.as_deref(), &rulebook);
    let found = pools.study(rulebook_id, look).await?;
    if found.is_empty() {
        return Ok(());
    }
    Err(PublishError::Faults(found.into_iter().map(Fault::from).collect()))
}

/// What goes beyond the guard rails: by the numbers of its rows, or else by examples of calls at `now`.
///
/// # Errors
/// When the database fails, or the threads that compare them are busy.
pub(super) async fn beyond(
    db: &impl ConnectionTrait,
    pools: &Pools,
    rulebook_id: Uuid,
    guards: GuardRails,
    (base, candidate): (&Base, &Arc<Rulebook>),
    now: DateTime<Utc>,
) -> Result<Vec<Breach>, PublishError> {
    let found = by_rows(pools, rulebook_id, guards, base.rows(), candidate.rows()).await?;
    if found.is_empty() {
        return by_examples(db, pools, rulebook_id, guards, (base.compiled(), candidate), now).await;
    }
    Ok(found)
}

/// What goes beyond the guard rails by the numbers of rows: each adjustment that changes is held against every service, which
/// takes its time.
///
/// # Errors
/// When the threads that compare them are busy.
async fn by_rows(
    pools: &Pools,
    rulebook_id: Uuid,
    guards: GuardRails,
    base: &RowSet,
    rows: &RowSet,
) -> Result<Vec<Breach>, Busy> {
    if guards == GuardRails::default() {
        return Ok(Vec::new());
    }
    let (base, rows) = (base.clone(), rows.clone());
    pools
        .study(rulebook_id, move || guard::breaches(&guards, &base, &rows))
        .await
}

/// Which prices move beyond the guard rails, by examples: the cases, the calls of the last days, and what the changed rows
/// name. Nothing without limits, or where the base does not compile and decides nothing.
///
/// # Errors
/// When the calls cannot be read, or the threads that decide them are busy.
async fn by_examples(
    db: &impl ConnectionTrait,
    pools: &Pools,
    rulebook_id: Uuid,
    guards: GuardRails,
    (base, candidate): (Option<&Arc<Rulebook>>, &Arc<Rulebook>),
    now: DateTime<Utc>,
) -> Result<Vec<Breach>, PublishError> {
    let Some(base) = base.filter(|_| guards != GuardRails::default()) else {
        return Ok(Vec::new());
    };
    let span = Span {
        rulebook_id,
        from: now - TimeDelta::days(EXAMPLE_DAYS),
        until: now + TimeDelta::milliseconds(1),
        purposes: &[],
        simulated: false,
    };
    let rows = span.page(db, Columns::Facts, None, EXAMPLE_CALLS).await?;
    let (base, candidate) = (Arc::clone(base), Arc::clone(candidate));
    let judged = pools.study(rulebook_id, move || {
        let stored = rows.iter().map(example).collect::<Result<Vec<_>, DbErr>>()?;
        Ok::<_, DbErr>(probes::breaches(
            &guards,
            &base,
            &candidate,
            stored.into_iter().flatten().collect(),
            now,
        ))
    });
    Ok(judged.await??)
}

/// A stored call; none where its facts were erased.
fn example(row: &QueryResult) -> Result<Option<Probe>, DbErr> {
    let json: String = row.try_get("", "extracted")?;
    let extracted = stored_facts(&json).map_err(|error| DbErr::Json(error.to_string()))?;
    let (id, at): (Uuid, DateTime<Utc>) = (row.try_get("", "id")?, row.try_get("", "decided_for")?);
    Ok(extracted.map(|extracted| Probe::stored(format!("in the decision {id}"), extracted, at)))
}

/// Every case that is red.
async fn failed_cases(pools: &Pools, rulebook_id: Uuid, rulebook: &Arc<Rulebook>) -> Result<Vec<CaseResult>, Busy> {
    let rulebook = Arc::clone(rulebook);
    let run = move || rulebook.run_cases().into_iter().filter(|case| !case.passed).collect();
    pools.study(rulebook_id, run).await
}

/// The rows after the edits, every one of which must fit.
pub(super) fn apply(base: &RowSet, revision: i64, edits: &[Edit]) -> Result<RowSet, PublishError> {
    let applied = applied(base, revision, edits);
    if !applied.conflicts.is_empty() {
        return Err(PublishError::Conflicts(applied.conflicts));
    }
    if !applied.malformed.is_empty() {
        return Err(PublishError::Faults(applied.malformed));
    }
    Ok(applied.rows)
}
