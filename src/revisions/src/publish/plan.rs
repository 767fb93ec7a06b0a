//! Plans edits: computes the resulting rows and compiles them, or returns every validation error. This module never
//! writes.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DbErr, QueryResult};
use uuid::Uuid;

use super::{PublishError, Publisher};
use crate::cache::Base;
use authoring::backtest::stored_facts;
use authoring::change_set::{AppliedEdits, Edit, applied};
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
use rules::size;
use rules::size::MAX_ROW_BYTES;
use store::decisions::pages::{Columns, Span};
use store::rulebooks;

/// Number of past days whose calls are decided again, to find the effect of a change on prices. At most
/// [`EXAMPLE_CALLS`] calls are decided again.
const EXAMPLE_DAYS: i64 = 7;
const EXAMPLE_CALLS: u64 = 200;

/// The expected effect of publishing edits.
#[derive(Debug)]
pub struct PublishPlan {
    /// The head that the plan is based on.
    pub base_revision: i64,
    /// The rows of the head.
    pub base: RowSet,
    /// The resulting rows, as the revision after the head.
    pub rows: RowSet,
    /// The candidate, compiled but not published, or every validation error of its rows.
    pub rulebook: Result<Arc<Rulebook>, Vec<Fault>>,
}

/// The result of applying edits to the head. Edits that conflict with the head are listed and not applied.
#[derive(Debug, Clone)]
pub struct Draft {
    rulebook_id: Uuid,
    pools: Pools,
    /// The head that the edits are applied to.
    pub base_revision: i64,
    pub base: Base,
    /// The rows after every edit without a conflict, and the conflicts.
    pub applied: AppliedEdits,
}

impl Publisher {
    /// The expected effect of publishing these edits. This function does not run the cases. [`Rulebook::run_cases`]
    /// runs the cases.
    ///
    /// # Errors
    /// [`PublishError::Conflicts`] when an edit is not based on the current version. [`PublishError::Faults`] when an
    /// edit does not result in a valid row. The function also fails when the head cannot be read.
    pub async fn plan(&self, rulebook_id: Uuid, edits: &[Edit]) -> Result<PublishPlan, PublishError> {
        let (base_revision, base) = self.head_rows(rulebook_id).await?;
        let rows = apply(base.rows(), base_revision + 1, edits)?;
        let (pools, over) = (self.current.pools(), base.compiled().cloned());
        let rulebook = candidate(pools, rulebook_id, base_revision + 1, rows.clone(), over).await?;
        Ok(PublishPlan {
            base_revision,
            base: base.rows().clone(),
            rows,
            rulebook,
        })
    }

    /// Applies the edits that do not conflict to the head, without compiling.
    ///
    /// # Errors
    /// When the head cannot be read.
    pub async fn draft(&self, rulebook_id: Uuid, edits: &[Edit]) -> Result<Draft, PublishError> {
        let (base_revision, base) = self.head_rows(rulebook_id).await?;
        let applied = applied(base.rows(), base_revision + 1, edits);
        Ok(Draft {
            rulebook_id,
            pools: self.current.pools().clone(),
            base_revision,
            base,
            applied,
        })
    }

    /// Returns the number of the head revision, and the revision itself.
    pub(super) async fn head_rows(&self, rulebook_id: Uuid) -> Result<(i64, Base), PublishError> {
        let head = rulebooks::head(&self.db, rulebook_id)
            .await?
            .ok_or(PublishError::UnknownRulebook)?;
        Ok((head, self.current.base(rulebook_id, head).await?))
    }
}

impl Draft {
    #[must_use]
    pub const fn rulebook_id(&self) -> Uuid {
        self.rulebook_id
    }

    /// The compiled rows, or every validation error, including the errors of edits that do not result in a valid row.
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

    /// Returns the failing cases of the candidate.
    ///
    /// # Errors
    /// When the threads that run the cases are busy.
    pub async fn failed_cases(&self, rulebook: &Arc<Rulebook>) -> Result<Vec<CaseResult>, Busy> {
        failed_cases(&self.pools, self.rulebook_id, rulebook).await
    }
}

/// Compiles the candidate on top of the base, or returns every validation error. A candidate is rejected without
/// compiling if it exceeds the size limit and is larger than the base. So a rulebook that is already too large can
/// still be made smaller.
async fn candidate(
    pools: &Pools,
    rulebook_id: Uuid,
    revision: i64,
    rows: RowSet,
    base: Option<Arc<Rulebook>>,
) -> Result<Result<Arc<Rulebook>, Vec<Fault>>, Busy> {
    let before = base.as_ref().map_or(0, |base| base.row_bytes());
    let compile = move || {
        let bytes = size::row_bytes(&rows);
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

/// Compiles the rows, and requires that every case passes.
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

/// Rejects lint errors that the base does not have. The base is `None` for a new rulebook.
pub(super) async fn lint_passed(
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

/// Finds breaches of the guard rails. The function first compares the values of the rows. If these values breach
/// nothing, the function decides example calls at `now`.
///
/// # Errors
/// When the database fails, or the threads that compare the rules are busy.
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

/// Finds breaches of the guard rails in the values of the rows. The comparison runs on a pool thread, because comparing
/// each changed adjustment with every service takes time.
///
/// # Errors
/// When the threads that compare the rows are busy.
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

/// Finds breaches of the guard rails in the prices of example calls. The examples are the cases, the calls of the last
/// days, and generated calls with the facts and values of the changed rows. The result is empty if there are no limits,
/// or if the base does not compile, because then it cannot decide calls.
///
/// # Errors
/// When the calls cannot be read, or the threads that decide the calls are busy.
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

/// Reads a stored call. Returns `None` if the facts of the call were erased.
fn example(row: &QueryResult) -> Result<Option<Probe>, DbErr> {
    let json: String = row.try_get("", "extracted")?;
    let extracted = stored_facts(&json).map_err(|error| DbErr::Json(error.to_string()))?;
    let (id, at): (Uuid, DateTime<Utc>) = (row.try_get("", "id")?, row.try_get("", "decided_for")?);
    Ok(extracted.map(|extracted| Probe::stored(format!("in the decision {id}"), extracted, at)))
}

/// Failing cases.
async fn failed_cases(pools: &Pools, rulebook_id: Uuid, rulebook: &Arc<Rulebook>) -> Result<Vec<CaseResult>, Busy> {
    let rulebook = Arc::clone(rulebook);
    let run = move || rulebook.run_cases().into_iter().filter(|case| !case.passed).collect();
    pools.study(rulebook_id, run).await
}

/// Applies the edits to the rows. Fails if an edit conflicts or does not result in a valid row.
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
