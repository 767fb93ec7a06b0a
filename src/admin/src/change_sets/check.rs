//! Checks whether a change set could be published now, and says what prevents it.

use std::sync::Arc;

use poem_openapi::Object;
use serde_json::Value;

use super::ChangeSetsApi;
use super::candidate::alive;
use super::dto::Conflict;
use crate::auth::Caller;
use crate::lint::LintFinding;
use crate::masking;
use crate::row_faults::{EditedRow, as_json, field_fault};
use crate::state::busy;
use authoring::lint::{Finding, Severity, introduced, lint};
use revisions::publish::Draft;
use revisions::publish::change_sets::StoredChangeSet;
use rules::cases::CaseResult;
use rules::{Fault, Rulebook};
use store::rule_rows;
use web::problem::{FieldFault, Problem};

/// Whether a change set could be published now.
#[derive(Debug, Object)]
pub struct Check {
    /// The head revision at the time of the check.
    base_revision: i64,
    /// Whether the change set can be published.
    publishable: bool,
    /// How many rows the change set changes.
    changed_rows: usize,
    /// Rows that others have also changed.
    conflicts: Vec<Conflict>,
    /// Compile errors, each with row and column.
    faults: Vec<FieldFault>,
    /// The number of cases that were run; 0 if the rulebook does not compile.
    cases_run: usize,
    /// Failed cases: `mismatches` with `expected` and `got`, and the `decision` with its trace.
    cases_failed: Vec<Value>,
    /// New lint findings; an error among them prevents a publish.
    findings: Vec<LintFinding>,
}

impl Check {
    #[must_use]
    pub fn of(
        caller: &Caller,
        base_revision: i64,
        changed_rows: usize,
        conflicts: Vec<Conflict>,
        faults: &[Fault],
        cases_run: usize,
        failed: &[CaseResult],
    ) -> Self {
        let cases = as_json(failed).into_iter();
        Self {
            base_revision,
            publishable: conflicts.is_empty() && faults.is_empty() && failed.is_empty() && changed_rows > 0,
            changed_rows,
            conflicts,
            faults: faults
                .iter()
                .map(|fault| field_fault(fault, &EditedRow::default()))
                .collect(),
            cases_run,
            cases_failed: cases.map(|case| masking::json(caller, case)).collect(),
            findings: Vec::new(),
        }
    }

    /// Adds the lint findings.
    #[must_use]
    pub fn with_findings(mut self, findings: Vec<Finding>) -> Self {
        self.publishable &= !findings.iter().any(|found| found.severity == Severity::Error);
        self.findings = findings.into_iter().map(LintFinding::from).collect();
        self
    }
}

impl ChangeSetsApi {
    /// Checks whether the change set could be published. Returns an error if it was published or discarded.
    pub(super) async fn check(&self, caller: &Caller, stored: &StoredChangeSet) -> Result<Check, Problem> {
        alive(stored)?;
        let draft = self.draft(stored).await?;
        let changed = rule_rows::changes(draft.base.rows(), &draft.applied.rows).len();
        let clashes = self.clashes(caller, stored.set.rulebook_id, &draft).await?;
        let (faults, cases, failed, findings) = match draft.compiled().await.map_err(busy)? {
            Ok(rulebook) => {
                let failed = draft.failed_cases(&rulebook).await.map_err(busy)?;
                let findings = self.findings(&draft, &rulebook).await?;
                (Vec::new(), rulebook.rows().cases.len(), failed, findings)
            }
            Err(faults) => (faults, 0, Vec::new(), Vec::new()),
        };
        let check = Check::of(caller, draft.base_revision, changed, clashes, &faults, cases, &failed);
        Ok(check.with_findings(findings))
    }

    /// Returns the lint findings that the candidate has and the head does not have.
    async fn findings(&self, draft: &Draft, rulebook: &Arc<Rulebook>) -> Result<Vec<Finding>, Problem> {
        let (base, rulebook) = (draft.base.compiled().cloned(), Arc::clone(rulebook));
        let now = self.0.clock.now();
        let look = move || {
            let before = base.map(|base| lint(&base, now)).unwrap_or_default();
            introduced(&before, lint(&rulebook, now))
        };
        self.0.study(draft.rulebook_id(), look).await
    }
}
