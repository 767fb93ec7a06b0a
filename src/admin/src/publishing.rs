//! Passes rule changes from requests to the publisher. This module converts the publisher's errors to problems that say
//! what is wrong and where.

use std::sync::Arc;

use tokio::task::JoinError;
use uuid::Uuid;

use super::auth::{Caller, Role};
use super::change_sets::dto::ChangeSetState;
use super::responses::{Json, etag};
use super::row_faults::{EditedRow, as_json, field_fault, named};
use super::state::{AdminState, busy, unloadable};
use super::versions;
use authoring::change_set::{Conflict, ExpectedVersion};
use revisions::publish::change_sets::{MOST_BYTES, MOST_CHANGES, SetError, StoredChangeSet};
use revisions::publish::idempotency::{Receipt, ReceiptError};
use revisions::publish::{PublishError, PublishedRevision, RollBackRequest};
use rules::cases::{CaseResult, Mismatch};
use rules::fault::escaped;
use store::dry_run;
use web::problem::{Code, FieldFault, Problem};

/// The outcome of a publish.
pub enum PublishOutcome<T> {
    /// The change is live.
    Done(T),
    /// The change exceeds the guard rails and waits for approval.
    Waits(Box<StoredChangeSet>),
}

/// Returns the parts of the response about a waiting change set: the body, the URL and the ETag.
#[must_use]
pub fn waiting(caller: &Caller, rulebook: &str, stored: StoredChangeSet) -> (Json<ChangeSetState>, String, String) {
    let address = format!("/admin/v1/rulebooks/{rulebook}/change-sets/{}", stored.set.id);
    let version = etag(stored.set.version);
    (
        Json(ChangeSetState::whole(caller, stored, Vec::new())),
        address,
        version,
    )
}

/// Rolls back to an older revision; `receipt` stores the response.
///
/// # Errors
/// Returns the publisher's error as a problem.
pub async fn roll_back(
    state: &AdminState,
    rulebook_id: Uuid,
    way: RollBackRequest,
    caller: &Caller,
    receipt: Arc<dyn Receipt>,
) -> Result<PublishOutcome<PublishedRevision>, Problem> {
    let publisher = Arc::clone(&state.publisher);
    let (author, is_admin) = (caller.author(), caller.role == Role::Admin);
    let task = dry_run::spawn(async move {
        let receipt = receipt.as_ref();
        publisher.roll_back(rulebook_id, &way, &author, is_admin, receipt).await
    });
    held_or_finished(state, rulebook_id, task.await, &EditedRow::default()).await
}

/// Converts the result of a publish task, for a change that may have to wait for approval.
///
/// # Errors
/// Returns the errors of [`finished`].
pub async fn held_or_finished<T>(
    state: &AdminState,
    rulebook_id: Uuid,
    outcome: Result<Result<T, PublishError>, JoinError>,
    about: &EditedRow,
) -> Result<PublishOutcome<T>, Problem> {
    match outcome {
        Ok(Err(PublishError::Waits(stored))) => Ok(PublishOutcome::Waits(stored)),
        outcome => finished(state, rulebook_id, outcome, about)
            .await
            .map(PublishOutcome::Done),
    }
}

/// Converts the result of a publish task.
///
/// # Errors
/// Returns the publisher's error as a problem, or 500 if its task failed.
pub async fn finished<T>(
    state: &AdminState,
    rulebook_id: Uuid,
    outcome: Result<Result<T, PublishError>, JoinError>,
    about: &EditedRow,
) -> Result<T, Problem> {
    match outcome.map_err(|error| Problem::internal(&error))? {
        Ok(done) => Ok(done),
        Err(error) => Err(refused(state, rulebook_id, error, about).await),
    }
}

/// Converts the publisher's error to a problem, with the conflicting rows and the failed cases.
async fn refused(state: &AdminState, rulebook_id: Uuid, error: PublishError, about: &EditedRow) -> Problem {
    let told = match state.publisher.refusal(rulebook_id, &error).await {
        Ok(told) => told,
        Err(error) => return problem(error, about),
    };
    let refused = problem(error, about);
    match told {
        Some(told) => refused
            .with_conflicts(as_json(&told.conflicts))
            .with_cases(as_json(&told.cases)),
        None => refused,
    }
}

fn problem(error: PublishError, about: &EditedRow) -> Problem {
    match error {
        PublishError::UnknownRulebook => Problem::not_found("such rulebook"),
        PublishError::Conflicts(conflicts) => match (conflicts.as_slice(), &about.row) {
            ([one], Some(_)) => conflict(one),
            (many, _) => {
                let errors = many.iter().map(|one| {
                    let place = format!("{}/{}", one.resource.path(), one.code);
                    FieldFault::new(place, "stale", conflict(one).detail())
                });
                let detail = "Others have changed these rows since you read them; `conflicts` shows each row before and \
                              now. Repeat your changes on the current rows.";
                Problem::new(Code::StaleVersion, detail).with_errors(errors.collect())
            }
        },
        PublishError::Faults(faults) => {
            let errors: Vec<_> = faults.iter().map(|fault| field_fault(fault, about)).collect();
            let detail = match errors.as_slice() {
                [one] => one.detail.clone(),
                many => format!(
                    "The change has {} errors; `errors` lists the position of each error.",
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
        error @ PublishError::Waits(_) => Problem::new(Code::Conflict, format!("Nothing was published: {error}.")),
        PublishError::HeadMoved { seen, current } => Problem::new(
            Code::StaleVersion,
            format!(
                "The head of the rulebook is revision {current}, not {seen}. Read what was published since, then repeat the \
                 request with the current head."
            ),
        ),
        // The handler returns the stored response instead, if it still exists. If it has just expired, the client may
        // retry.
        error @ PublishError::DoneBefore => Problem::unavailable(&error, 1),
        PublishError::UnknownRevision(number) => Problem::not_found(format!("revision {number}")),
        PublishError::RulebookExists => Problem::new(Code::Conflict, "There already is a rulebook with this code."),
        PublishError::Set(error) => set_problem(&error),
        PublishError::Load(error) => unloadable(error),
        PublishError::Quota(quota) => Problem::quota(quota),
        PublishError::Busy(error) => busy(error),
        PublishError::Receipt(ReceiptError::Answer(cause)) => Problem::internal(cause.as_ref()),
        PublishError::Receipt(ReceiptError::Database(error)) | PublishError::Database(error) => error.into(),
    }
}

/// Returns the problem for a row that has another version than the edit expects.
fn conflict(conflict: &Conflict) -> Problem {
    let what = named(conflict.resource, &conflict.code);
    match (conflict.expected, conflict.current) {
        (ExpectedVersion::Version(version), current) => versions::stale(&what, version, current),
        (_, Some(version)) => Problem::new(
            Code::StaleVersion,
            format!("Somebody else has already created the {what}, at version {version}."),
        ),
        (_, None) => Problem::not_found(what),
    }
}

/// Returns the problem for an error of a stored change set.
fn set_problem(error: &SetError) -> Problem {
    match error {
        SetError::Unknown => Problem::not_found("such change set"),
        SetError::NoChange(number) => Problem::not_found(format!("change {number}")),
        SetError::Stale { expected, current } => versions::stale("change set", *expected, Some(*current)),
        SetError::State { state } => {
            let advice = match state.as_str() {
                "scheduled" => "cancel its schedule first",
                "waiting" => "it waits for a second person, who approves or rejects it",
                _ => "open another one",
            };
            Problem::new(Code::Conflict, format!("The change set is {state}: {advice}."))
        }
        SetError::OwnChange => Problem::new(
            Code::Forbidden,
            "Nobody approves their own change: this key opened the change set or added to it. Ask somebody else.",
        ),
        SetError::Empty => Problem::new(Code::Conflict, "The change set has no changes: add one first."),
        SetError::NoEffect => {
            let detail = "The change set changes nothing: the rulebook already has all its changes.";
            Problem::new(Code::Conflict, detail)
        }
        SetError::TooLarge { changes, bytes } => {
            let detail = format!(
                "A change set has at most {MOST_CHANGES} changes of {MOST_BYTES} bytes together; with this \
                 request it would have {changes} changes of {bytes} bytes."
            );
            Problem::new(Code::PayloadTooLarge, detail)
        }
    }
}

fn case_faults(case: &CaseResult) -> Vec<FieldFault> {
    let told = |mismatch: &Mismatch| {
        let place = &mismatch.place;
        FieldFault::new(
            format!("cases/{}/expect/{}", case.code, escaped(place)),
            "case_failed",
            format!(
                "The case `{}` expects {} at `{place}` and got {}.",
                case.code, mismatch.expected, mismatch.got
            ),
        )
    };
    case.mismatches.iter().map(told).collect()
}
