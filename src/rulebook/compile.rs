//! A stand-in for the compiler.

use chrono::{DateTime, Utc};

use super::decision::Decision;
use super::facts::{Extracted, Lookup};
pub use super::fault::Fault;
use super::rows::{Resource, RowSet};

/// The outcome of a case.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseResult {
    pub code: String,
    pub failures: Vec<(String, serde_json::Value, Option<serde_json::Value>)>,
}

/// A compiled rulebook.
#[derive(Debug)]
pub struct Rulebook {
    revision: i64,
    rows: RowSet,
}

impl Rulebook {
    pub fn revision(&self) -> i64 {
        self.revision
    }
    pub fn rows(&self) -> &RowSet {
        &self.rows
    }
    pub fn extract(&self, _document: &dyn Lookup, said: String) -> Extracted {
        Extracted { facts: Default::default(), said }
    }
    pub fn decide(&self, _extracted: &Extracted, _at: DateTime<Utc>) -> Decision {
        unimplemented!()
    }
}

pub fn compile(revision: i64, rows: &RowSet, _reuse: Option<&Rulebook>) -> Result<Rulebook, Vec<Fault>> {
    let mut faults = vec![];
    for a in rows.adjustments.values() {
        if let Some(at) = a.row.condition.find("aera") {
            faults.push(Fault {
                resource: Resource::Adjustments,
                code: a.row.code.clone(),
                column: "condition".into(),
                line: Some(1),
                position: Some(at + 1),
                problem: "unknown_fact",
                text: "unknown fact `aera`; did you mean `area`?".into(),
            });
        }
    }
    if faults.is_empty() { Ok(Rulebook { revision, rows: rows.clone() }) } else { Err(faults) }
}
