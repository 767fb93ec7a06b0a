//! Warns about rows that no decision has used for a long time. Rows that changed during this time are not reported.

use std::collections::BTreeSet;

use super::Findings;
use rules::compile::Rulebook;
use rules::rows::{Adjustment, Area, Hook, PriorityRule, Resource, Row, RowSet, Script, Service, StoredRow};

/// The rows that decisions used during a period of some days.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// The length of the period in days.
    pub days: u32,
    /// A row did not change during the period if its version is at most this version.
    pub settled: i64,
    /// The rows that at least one decision used during the period.
    pub fired: BTreeSet<(Resource, String)>,
}

impl Usage {
    /// Returns whether, during the period, a row did not change and no decision used the row.
    #[must_use]
    pub fn is_unused<R: Row>(&self, stored: &StoredRow<R>) -> bool {
        stored.version <= self.settled && !self.fired.contains(&(R::RESOURCE, stored.row.code().to_owned()))
    }
}

/// Ringbook counts how often decisions use the rows of these resources.
pub const COUNTED: &[Resource] = &[
    Resource::Services,
    Resource::Areas,
    Resource::Adjustments,
    Resource::Taxes,
    Resource::PriorityRules,
    Resource::Scripts,
    Resource::Concepts,
];

pub(super) fn lint(rulebook: &Rulebook, usage: &Usage, found: &mut Findings) {
    let rows = rulebook.rows();
    unused::<Service>(rows, usage, "no caller asked for it", found);
    unused::<Area>(rows, usage, "no caller was from this area", found);
    unused::<Adjustment>(rows, usage, "this adjustment changed no price", found);
    unused::<PriorityRule>(rows, usage, "this rule gave no call its priority", found);
    for stored in rows.scripts.values() {
        // Scripts of tools are not part of a decision.
        if matches!(stored.row.hook, Hook::Price | Hook::Priority) {
            one::<Script>(stored, usage, "this script did nothing", found);
        }
    }
}

fn unused<R: Row>(rows: &RowSet, usage: &Usage, what: &str, found: &mut Findings) {
    for stored in R::table(rows).values() {
        one(stored, usage, what, found);
    }
}

fn one<R: Row>(stored: &StoredRow<R>, usage: &Usage, what: &str, found: &mut Findings) {
    if usage.is_unused(stored) {
        found.warn(&stored.row, "", "not_fired", format!("{what} in {} days", usage.days));
    }
}
