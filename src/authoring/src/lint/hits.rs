//! Warns about rows that took no part in any decision for a long time and were not changed in that time.

use std::collections::BTreeSet;

use super::Findings;
use rules::compile::Rulebook;
use rules::rows::{Adjustment, Area, Hook, PriorityRule, Resource, Row, RowSet, Script, Service, StoredRow};

/// The rows that took part in decisions over some days.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// The number of days.
    pub days: u32,
    /// Rows with this version or an older version did not change during these days.
    pub settled: i64,
    /// The rows that took part in at least one decision.
    pub fired: BTreeSet<(Resource, String)>,
}

impl Usage {
    /// Whether a row was unchanged for all of these days and never took part.
    #[must_use]
    pub fn is_unused<R: Row>(&self, stored: &StoredRow<R>) -> bool {
        stored.version <= self.settled && !self.fired.contains(&(R::RESOURCE, stored.row.code().to_owned()))
    }
}

/// The resources whose rows can take part in a decision and are counted.
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
    unused::<Area>(rows, usage, "no caller was from there", found);
    unused::<Adjustment>(rows, usage, "it changed no price", found);
    unused::<PriorityRule>(rows, usage, "it gave no call its priority", found);
    for stored in rows.scripts.values() {
        // Scripts of tools are not part of a decision.
        if matches!(stored.row.hook, Hook::Price | Hook::Priority) {
            one::<Script>(stored, usage, "it did nothing", found);
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
