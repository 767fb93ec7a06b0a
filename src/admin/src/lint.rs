//! Reports lint findings of a revision: rules that compile but cannot work as intended.

use poem_openapi::param::Query;
use poem_openapi::{Enum, Object, OpenApi};

use super::auth::{Key, Viewer};
use super::errors::{Fails, NoExtraErrors};
use super::responses::ReadResponse;
use super::rule_hits::{self, checked_days};
use super::state::{AdminState, RulebookInPath};
use authoring::lint::{self, Finding, lint_with_usage};

pub struct LintApi(pub AdminState);

/// The severity of a finding.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
pub enum Severity {
    /// The row is worth checking, but a publish is possible.
    Warning,
    /// The row certainly does not work as intended. A publish that introduces such an error is rejected.
    Error,
}

/// A row of a rulebook.
#[derive(Debug, Object)]
pub struct RowName {
    /// The kind of row, as in paths: `priority-rules`.
    pub resource: String,
    /// The code.
    pub code: String,
}

/// A rule that cannot work as intended.
#[derive(Debug, Object)]
pub struct LintFinding {
    /// The severity.
    severity: Severity,
    /// The kind of row, as in paths: `priority-rules`.
    resource: String,
    /// The code.
    code: String,
    /// The field, such as `names/fr`; empty for the whole row.
    column: String,
    /// A fixed code, such as `never_true`.
    problem: String,
    /// A sentence that says what is wrong.
    text: String,
    /// Other rows that are involved.
    related: Vec<RowName>,
}

impl From<Finding> for LintFinding {
    fn from(found: Finding) -> Self {
        let related = found.related.into_iter().map(|(resource, code)| RowName {
            resource: resource.path().to_owned(),
            code,
        });
        Self {
            severity: match found.severity {
                lint::Severity::Warning => Severity::Warning,
                lint::Severity::Error => Severity::Error,
            },
            resource: found.resource.path().to_owned(),
            code: found.code,
            column: found.column,
            problem: found.problem.to_owned(),
            text: found.text,
            related: related.collect(),
        }
    }
}

/// What lint found in a revision.
#[derive(Debug, Object)]
pub struct LintReport {
    /// The revision that was checked.
    revision: i64,
    /// How many of the findings are errors.
    errors: usize,
    /// How many of the findings are warnings.
    warnings: usize,
    /// All findings, in the order of the resources, then by code and column.
    findings: Vec<LintFinding>,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook")]
impl LintApi {
    /// Lint a rulebook
    ///
    /// Reports rules that are never reached or never match, and rules with the same condition but different results.
    /// Also reports words and postal codes that another row matches first, unused rows, expired adjustments, missing
    /// translations, and rows unmatched for `days` days.
    #[oai(path = "/lint", method = "get")]
    async fn lint_rulebook(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// An older revision; by default the head.
        revision: Query<Option<i64>>,
        /// Reports rows without a match for this many days, 1 to 400.
        #[oai(default = "rule_hits::default_days")]
        days: Query<u32>,
    ) -> Result<ReadResponse<LintReport>, Fails<NoExtraErrors>> {
        let loaded = self.0.open(&key, &rulebook.0).await?;
        let days = checked_days(days.0)?;
        let rulebook = self.0.at(&loaded, revision.0).await?;
        let usage = match revision.0 {
            None => rule_hits::usage(&self.0, loaded.rulebook_id, days).await?,
            // Recent matches say nothing about an older revision.
            Some(_) => None,
        };
        let now = self.0.clock.now();
        let number = rulebook.revision();
        let look = move || match usage {
            Some(usage) => lint_with_usage(&rulebook, now, &usage),
            None => lint::lint(&rulebook, now),
        };
        let found = self.0.study(loaded.rulebook_id, look).await?;
        let errors = found
            .iter()
            .filter(|found| found.severity == lint::Severity::Error)
            .count();
        Ok(ReadResponse::new(LintReport {
            revision: number,
            errors,
            warnings: found.len() - errors,
            findings: found.into_iter().map(LintFinding::from).collect(),
        }))
    }
}
