//! Cases: facts with the expected decision, checked before a revision is published.

use serde::Serialize;
use serde_json::Value;

use super::compile::Rulebook;
use super::decision::{Decision, Step};
use super::fair_pool::is_abandoned;
use super::rows::Case;

/// Number of times that a case runs again if one of its scripts was dropped.
const RETRIES: usize = 2;

/// An expected value and the actual value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mismatch {
    /// The path in the decision, as a JSON pointer.
    pub place: String,
    /// The value that the case expects.
    pub expected: Value,
    /// The actual value; null if there is none.
    pub got: Value,
}

/// The outcome of one case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseResult {
    pub code: String,
    /// Whether the decision meets every expectation.
    pub passed: bool,
    /// The expectations that the decision does not meet.
    pub mismatches: Vec<Mismatch>,
    /// The actual decision.
    pub decision: Decision,
}

impl CaseResult {
    /// Returns the reasons for the decision: one line per step of the trace.
    #[must_use]
    pub fn because(&self) -> Vec<String> {
        let line = |step: &Step| format!("{}/{}: {step}", step.resource, step.code);
        self.decision.trace.iter().map(line).collect()
    }
}

impl Rulebook {
    /// Runs every case. Stops early if the work is abandoned.
    #[must_use]
    pub fn run_cases(&self) -> Vec<CaseResult> {
        self.rows()
            .cases
            .values()
            .take_while(|_| !is_abandoned())
            .map(|stored| self.run_case(&stored.row))
            .collect()
    }

    /// Runs one case. Unknown facts are ignored, because compiling already refuses them.
    #[must_use]
    pub fn run_case(&self, case: &Case) -> CaseResult {
        let extracted = self.extract_named(&case.facts, case.said.clone()).unwrap_or_default();
        let mut decision = self.decide(&extracted, case.at);
        // A script that ran out of time on a busy machine shows no error in the rules, so the case runs again.
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
