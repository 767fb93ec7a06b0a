//! Changes of rules, from a request to the publisher and back.
//!
//! In: edits and who made them. Out: what was published, or the problem that says what was wrong and where.

use std::sync::Arc;

use uuid::Uuid;

use super::state::{AdminState, unloadable};
use super::versions;
use crate::problem::{Code, FieldFault, Problem};
use crate::rulebook::Fault;
use crate::rulebook::cases::{CaseResult, Mismatch};
use crate::rulebook::change_set::{ChangeSet, Edit, Expected};
use crate::rulebook::publish::{Author, PublishError, Published};
use crate::rulebook::rows::Resource;

/// Publishes one edit, in a task of its own so that nobody hanging up can cut it in two.
///
/// # Errors
/// What the publisher refused, as a problem.
pub async fn publish(
    state: &AdminState,
    rulebook_id: Uuid,
    edit: Edit,
    comment: String,
    author: Author,
) -> Result<Published, Problem> {
    let about = About::of(&edit);
    let publisher = Arc::clone(&state.publisher);
    let change = ChangeSet {
        edits: vec![edit],
        comment,
    };
    let task = tokio::spawn(async move { publisher.publish(rulebook_id, change, &author).await });
    finished(task.await, &about)
}

/// Rolls back to an older revision.
///
/// # Errors
/// What the publisher refused, as a problem.
pub async fn roll_back(
    state: &AdminState,
    rulebook_id: Uuid,
    to: i64,
    comment: String,
    author: Author,
) -> Result<Published, Problem> {
    let publisher = Arc::clone(&state.publisher);
    let task = tokio::spawn(async move { publisher.roll_back(rulebook_id, to, &comment, &author).await });
    finished(task.await, &About::default())
}

/// The row an edit is about, and what it expected: a fault in that row is told by its place in the body.
#[derive(Default)]
pub struct About {
    row: Option<(Resource, String)>,
    expected: Option<i64>,
}

impl About {
    fn of(edit: &Edit) -> Self {
        let (Edit::Put {
            resource,
            code,
            expected,
            ..
        }
        | Edit::Delete {
            resource,
            code,
            expected,
        }) = edit;
        let expected = match expected {
            Expected::Version(version) => Some(*version),
            Expected::Absent | Expected::Any => None,
        };
        Self {
            row: Some((*resource, code.clone())),
            expected,
        }
    }
}

/// What came of a publishing task.
///
/// # Errors
/// What the publisher refused, or 500 when its task failed.
pub fn finished(
    outcome: Result<Result<Published, PublishError>, tokio::task::JoinError>,
    about: &About,
) -> Result<Published, Problem> {
    outcome
        .map_err(|error| Problem::internal(&error))?
        .map_err(|error| problem(error, about))
}

/// A row, in words.
#[must_use]
pub fn named(resource: Resource, code: &str) -> String {
    format!("row `{}/{code}`", resource.path())
}

/// What the publisher refused, as a problem.
#[must_use]
pub fn problem(error: PublishError, about: &About) -> Problem {
    match error {
        PublishError::UnknownRulebook => Problem::not_found("such rulebook"),
        PublishError::Stale {
            resource,
            code,
            current,
        } => versions::stale(&named(resource, &code), about.expected.unwrap_or_default(), current),
        PublishError::Missing { resource, code } => match about.expected {
            Some(version) => versions::stale(&named(resource, &code), version, None),
            None => Problem::not_found(named(resource, &code)),
        },
        PublishError::Exists {
            resource,
            code,
            version,
        } => Problem::new(
            Code::StaleVersion,
            format!(
                "The {} was made by somebody else in the meantime, at version {version}.",
                named(resource, &code)
            ),
        ),
        PublishError::Faults(faults) => {
            let errors: Vec<_> = faults.iter().map(|fault| field_fault(fault, about)).collect();
            let detail = match errors.as_slice() {
                [one] => one.detail.clone(),
                many => format!(
                    "The change has {} faults; `errors` lists each with its place.",
                    many.len()
                ),
            };
            Problem::new(Code::RuleFault, detail).with_errors(errors)
        }
        PublishError::CasesFailed(cases) => {
            let errors: Vec<_> = cases.iter().flat_map(case_faults).collect();
            let detail =
                "With this change the rulebook no longer decides as its cases expect; change the case or the rule.";
            Problem::new(Code::RuleFault, detail).with_errors(errors)
        }
        error @ PublishError::Contended => Problem::unavailable(&error, 1),
        PublishError::UnknownRevision(number) => Problem::not_found(format!("revision {number}")),
        PublishError::RulebookExists => Problem::new(Code::Conflict, "There already is a rulebook with this code."),
        PublishError::Load(error) => unloadable(error),
        PublishError::Database(error) => error.into(),
    }
}

/// In the row being written, the place is a field of the body; elsewhere it is the other row's.
fn field_fault(fault: &Fault, about: &About) -> FieldFault {
    let own = about
        .row
        .as_ref()
        .is_some_and(|(resource, code)| *resource == fault.resource && *code == fault.code);
    let pointer = if own {
        format!("/{}", fault.column)
    } else {
        format!("{}/{}/{}", fault.resource.path(), fault.code, fault.column)
    };
    let place = match (fault.line, fault.position) {
        (Some(line), Some(position)) => format!("line {line}, column {position}: "),
        (Some(line), None) => format!("line {line}: "),
        _ => String::new(),
    };
    let whose = if own {
        String::new()
    } else {
        format!("{}, `{}`: ", named(fault.resource, &fault.code), fault.column)
    };
    FieldFault::new(pointer, fault.problem, format!("{whose}{place}{}", fault.text))
}

fn case_faults(case: &CaseResult) -> Vec<FieldFault> {
    let told = |mismatch: &Mismatch| {
        let place = &mismatch.place;
        FieldFault::new(
            format!(
                "cases/{}/expect/{}",
                case.code,
                place.replace('~', "~0").replace('/', "~1")
            ),
            "case_failed",
            format!(
                "The case `{}` expects {} at `{place}` and got {}. The trace: {}.",
                case.code,
                mismatch.expected,
                mismatch.got,
                case.because().join("; ")
            ),
        )
    };
    case.mismatches.iter().map(told).collect()
}
