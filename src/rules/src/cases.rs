//! Cases: facts with the decision expected of them, run before a revision is published.

use serde::Serialize;
use serde_json::Value;

use super::compile::Rulebook;
use super::decision::{Decision, Step};
use super::fair_pool::is_abandoned;
use super::rows::Case;

/// How often a case is tried again whose script was dropped.
const RETRIES: usize = 2;

/// What a case expected and what came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mismatch {
    /// The place in the decision, as a JSON pointer.
    pub place: String,
    /// What the case wants there.
    pub expected: Value,
    /// What is there; null when nothing is.
    pub got: Value,
}

/// The outcome of one case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseResult {
    /// The case.
    pub code: String,
    /// Whether everything expected is so.
    pub passed: bool,
    /// Every place that differs.
    pub mismatches: Vec<Mismatch>,
    /// What was decided.
    pub decision: Decision,
}

impl CaseResult {
    /// Why it was decided as it was: every step of the trace, a line each.
    #[must_use]
    pub fn because(&self) -> Vec<String> {
        let line = |step: &Step| format!("{}/{}: {step}", step.resource, step.code);
        self.decision.trace.iter().map(line).collect()
    }
}

impl Rulebook {
    /// Runs every case, as long as anybody waits for it.
    #[must_use]
    pub fn run_cases(&self) -> Vec<CaseResult> {
        self.rows()
            .cases
            .values()
            .take_while(|_| !is_abandoned())
            .map(|stored| self.run_case(&stored.row))
            .collect()
    }

    /// Runs one case. Facts that are not of this rulebook are left out: compiling refuses them beforehand.
    #[must_use]
    pub fn run_case(&self, case: &Case) -> CaseResult {
        let extracted = self.extract_named(&case.facts, case.said.clone()).unwrap_or_default();
        let mut decision = self.decide(&extracted, case.at);
        // A script that met its deadline on a busy machine says nothing about the rules: it is tried again.
        for _ in 0..RETRIES {
            if !decision.is_degraded() {
                break;
            }
            decision = self.decide(&extracted, case.at);
        }
        let whole = serde_json::to_value(&decision).unwrap_or_default();
        let mismatches: Vec<Mismatch> = case
            .expect
            .iter()
            .map(|(place, expected)| (place, expected, whole.pointer(place).cloned().unwrap_or_default()))
            .filter(|(_, expected, got)| *expected != got)
            .map(|(place, expected, got)| Mismatch {
                place: place.clone(),
                expected: expected.clone(),
                got,
            })
            .collect();
        CaseResult {
            code: case.code.clone(),
            passed: mismatches.is_empty(),
            mismatches,
            decision,
        }
    }
}
