//! Finds rows that compile but cannot work as intended: rules that never match, gaps, unused rows. Lint reports only
//! what it can prove, and never guesses.

mod adjustments;
mod contacts;
mod errors;
pub mod hits;
mod phrases;
mod places;
mod pointers;
mod ranked;
mod rota;
mod scripts;
mod solve;
mod templates;
#[cfg(test)]
mod tests;
mod values;
mod world;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

pub use self::errors::brought_in;
use self::world::World;
use rules::compile::Rulebook;
use rules::fault::Fault;
use rules::rows::{Resource, Row};

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The row is worth checking. A change with this finding can be published.
    Warning,
    /// The row certainly does not do what it says. A change that introduces an error is refused.
    Error,
}

/// A problem that lint found in a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub severity: Severity,
    /// The resource of the row.
    pub resource: Resource,
    /// The row's code.
    pub code: String,
    /// The field, for example `condition` or `names/fr`; empty for the whole row.
    pub column: String,
    /// The line within the field, from 1.
    pub line: Option<usize>,
    /// The character within the line, from 1.
    pub position: Option<usize>,
    /// A stable code for programs, for example `never_true`.
    pub problem: &'static str,
    /// A sentence for people.
    pub text: String,
    /// Other rows that cause the problem.
    pub related: Vec<(Resource, String)>,
}

impl From<Finding> for Fault {
    fn from(found: Finding) -> Self {
        Self {
            resource: found.resource,
            code: found.code,
            column: found.column,
            line: found.line,
            position: found.position,
            problem: found.problem,
            text: found.text,
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity}: {}/{}", self.resource.path(), self.code)?;
        if !self.column.is_empty() {
            write!(f, " {}", self.column)?;
        }
        write!(f, ": {}", self.text)
    }
}

/// Returns all findings in a rulebook, sorted by resource, then by code and column. `now` determines which rows have
/// expired.
#[must_use]
pub fn lint(rulebook: &Rulebook, now: DateTime<Utc>) -> Vec<Finding> {
    let mut found = Findings::default();
    let world = World::new(rulebook, true);
    ranked::priorities(&world, &mut found);
    ranked::assistants(&world, &mut found);
    adjustments::lint(&world, now, &mut found);
    places::lint(&world, &mut found);
    pointers::lint(rulebook, &mut found);
    contacts::lint(rulebook, &mut found);
    phrases::lint(rulebook, &mut found);
    templates::lint(rulebook, &mut found);
    rota::lint(rulebook, now, &mut found);
    for stored in rulebook.rows().scripts.values() {
        scripts::lint(&stored.row, &mut found);
    }
    if !world.is_complete() {
        let text = "there are too many rules, or they are too complex: lint did not check all of them";
        found.warn(rulebook.settings(), "", "not_all_looked_through", text);
    }
    found.in_order()
}

/// Returns the findings of [`lint`], and a finding for each row that no call has used for a long time.
#[must_use]
pub fn lint_with_usage(rulebook: &Rulebook, now: DateTime<Utc>, usage: &hits::Usage) -> Vec<Finding> {
    let mut found = Findings(lint(rulebook, now));
    hits::lint(rulebook, usage, &mut found);
    found.in_order()
}

/// Returns the findings of `after` that are not in `before`. The change from `before` to `after` introduced these
/// findings.
#[must_use]
pub fn introduced(before: &[Finding], after: Vec<Finding>) -> Vec<Finding> {
    let place = |found: &Finding| (found.resource, found.code.clone(), found.column.clone(), found.problem);
    let known: BTreeSet<_> = before.iter().map(place).collect();
    after
        .into_iter()
        .filter(|found| !known.contains(&place(found)))
        .collect()
}

/// The findings collected so far.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn warn<R: Row>(&mut self, row: &R, column: &str, problem: &'static str, text: impl Into<String>) {
        self.add(Severity::Warning, row, column, problem, text, Vec::new());
    }

    fn add<R: Row>(
        &mut self,
        severity: Severity,
        row: &R,
        column: &str,
        problem: &'static str,
        text: impl Into<String>,
        related: Vec<(Resource, String)>,
    ) {
        self.0.push(Finding {
            severity,
            resource: R::RESOURCE,
            code: row.code().to_owned(),
            column: column.to_owned(),
            line: None,
            position: None,
            problem,
            text: text.into(),
            related,
        });
    }

    fn in_order(mut self) -> Vec<Finding> {
        let place = |found: &Finding| (found.resource, found.code.clone(), found.column.clone(), found.problem);
        self.0.sort_by_cached_key(place);
        self.0
    }
}
