//! Describes why something was not published. The description contains the expected and the current version of each
//! changed row, the validation errors with their positions, and the failing cases with their traces. The change set
//! stores this description, and clients also get it.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::change_sets::SetError;
use super::{PublishError, Publisher};
use authoring::change_set::{Conflict, ExpectedVersion};
use rules::cases::CaseResult;
use rules::fault::Fault;
use rules::rows::Resource;
use store::rule_rows;

/// Why something was not published.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Refusal {
    /// The machine-readable code: `conflicts`, `faults`, `cases_failed` or `no_effect`.
    pub code: &'static str,
    /// The sentence for people.
    pub detail: String,
    /// Rows that differ from what the edits expect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Clash>,
    /// Validation errors from the compilation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// Failing cases.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<CaseResult>,
}

/// A row that differs from what an edit expects, with the expected and the current version.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Clash {
    /// The resource of the row.
    pub resource: Resource,
    pub code: String,
    /// The row that the edit is based on. `None` if the edit creates the row.
    pub made_against: Option<Version>,
    /// The current row. `None` if the row does not exist.
    pub stands: Option<Version>,
}

/// A version of a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Version {
    /// The revision that wrote this version of the row.
    pub version: i64,
    pub row: Option<Value>,
}

impl Publisher {
    /// Describes why the rules cannot be published. `None` if the error is not about the rules.
    ///
    /// # Errors
    /// When the changed rows cannot be read.
    pub async fn refusal(&self, rulebook_id: Uuid, error: &PublishError) -> Result<Option<Refusal>, PublishError> {
        let mut refusal = Refusal {
            code: "",
            detail: String::new(),
            conflicts: Vec::new(),
            faults: Vec::new(),
            cases: Vec::new(),
        };
        match error {
            PublishError::Conflicts(conflicts) => {
                refusal.code = "conflicts";
                refusal.detail = moved(conflicts);
                refusal.conflicts = self.clashes(rulebook_id, conflicts).await?;
            }
            PublishError::Faults(faults) => {
                refusal.code = "faults";
                refusal.detail = match faults.as_slice() {
                    [one] => format!("the rulebook would not work with this change: {one}"),
                    many => format!(
                        "the rulebook would not work with this change: it would have {} validation errors",
                        many.len()
                    ),
                };
                refusal.faults.clone_from(faults);
            }
            PublishError::CasesFailed(cases) => {
                let codes: Vec<_> = cases.iter().map(|case| format!("`{}`", case.code)).collect();
                refusal.code = "cases_failed";
                refusal.detail = format!("cases expect another decision: {}", codes.join(", "));
                refusal.cases.clone_from(cases);
            }
            PublishError::Set(SetError::NoEffect) => {
                refusal.code = "no_effect";
                "the rulebook already has the content that the change would create".clone_into(&mut refusal.detail);
            }
            _ => return Ok(None),
        }
        Ok(Some(refusal))
    }

    /// Returns the rows that differ from what the edits expect. Each entry contains the expected and the current
    /// version of a row.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub async fn clashes(&self, rulebook_id: Uuid, conflicts: &[Conflict]) -> Result<Vec<Clash>, PublishError> {
        let mut clashes = Vec::with_capacity(conflicts.len());
        for conflict in conflicts {
            let read = async |version: Option<i64>| {
                let Some(version) = version else { return Ok(None) };
                let row = rule_rows::written(&self.db, rulebook_id, conflict.resource, &conflict.code, version).await?;
                Ok::<_, PublishError>(Some(Version { version, row }))
            };
            let expected = match conflict.expected {
                ExpectedVersion::Version(version) => Some(version),
                ExpectedVersion::Absent | ExpectedVersion::Any => None,
            };
            clashes.push(Clash {
                resource: conflict.resource,
                code: conflict.code.clone(),
                made_against: read(expected).await?,
                stands: read(conflict.current).await?,
            });
        }
        Ok(clashes)
    }
}

fn moved(conflicts: &[Conflict]) -> String {
    let told = |conflict: &Conflict| {
        let row = format!("`{}/{}`", conflict.resource.path(), conflict.code);
        match (conflict.expected, conflict.current) {
            (ExpectedVersion::Version(was), Some(now)) => {
                format!("{row} was changed meanwhile: it was at version {was} and is now at version {now}")
            }
            (_, Some(now)) => format!("{row} was created meanwhile: it is at version {now}"),
            (_, None) => format!("{row} does not exist any more"),
        }
    };
    conflicts.iter().map(told).collect::<Vec<_>>().join("; ")
}
