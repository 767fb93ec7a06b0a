//! Creates a case from a stored call. The case is published like any other row. The case contains only the part of the
//! caller's data that the decision needs (`rules::case_from_call`).

use std::sync::Arc;

use poem_openapi::param::Path;
use poem_openapi::{Enum, Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::Deserialize;
use uuid::Uuid;

use super::auth::{Caller, Editor, Key};
use super::body::Body;
use super::change_sets::candidate::would_be;
use super::errors::{CreatesCallCase, Fails};
use super::publishing;
use super::responses::{Json, RowWithVersion, etag};
use super::row_checks::{check_code, checked_comment};
use super::row_faults::EditedRow;
use super::rule_rows::write;
use super::state::{AdminState, RulebookInPath, shortened};
use super::versions::Precondition;
use super::write_responses::NewRow;
use authoring::backtest::stored_facts;
use authoring::change_set::{Edit, ExpectedVersion};
use revisions::cache::LoadedRulebook;
use rules::case_from_call::ToKeep;
use rules::rows::{Case, Resource, StoredRow};
use store::decisions;
use store::dry_run;
use web::problem::{Code, Problem};

pub struct CallCasesApi(pub AdminState);

/// A case to create from a call.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct NewCase {
    /// The case's code.
    code: String,
    /// A comment.
    #[serde(default)]
    comment: Option<String>,
    /// Which decision the case expects.
    #[serde(default)]
    #[oai(default)]
    expect: Expect,
    /// The change set to add the case to; without a change set, the case is published now.
    #[serde(default)]
    change_set: Option<Uuid>,
    /// The version of the change set that you read.
    #[serde(default)]
    change_set_version: Option<i64>,
}

/// Which decision a case expects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Expect {
    /// The stored decision. If the head decides differently, the response is 422 with the differences.
    #[default]
    Decided,
    /// The head's decision about the same facts.
    Head,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/calls")]
impl CallCasesApi {
    /// Create a case from a call
    ///
    /// The case expects the service, area, price, priority and language of the call's decision. A case has only facts
    /// that a rule reads, the part of a postal code that distinguishes areas, and the words that rules listen for. More
    /// facts and words are included if the decision needs them.
    #[oai(path = "/:call_id/case", method = "post")]
    async fn create_case_of_call(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// Vapi's id of the call.
        call_id: Path<String>,
        body: Body<NewCase>,
    ) -> Result<NewRow<RowWithVersion<Case>>, Fails<CreatesCallCase>> {
        let NewCase {
            code,
            comment,
            expect,
            change_set,
            change_set_version,
        } = body.0;
        let loaded = self.0.open(&key, &rulebook.0).await?;
        let comment = checked_comment(comment)?;
        let row = decision_of_call(&self.0, &loaded, &call_id.0).await?;
        let case = made(&self.0, loaded.clone(), row, code, comment, expect).await?;
        if let Some(set) = change_set {
            let version = change_set_version.ok_or_else(version_required)?;
            let case = add_to_set(&self.0, &key, &rulebook.0, (set, version), case).await?;
            return Ok(NewRow::Created(Json(RowWithVersion::of(&case)), etag(case.version)));
        }
        let comment = format!("case of the call {}", call_id.0);
        let stored = publish_case(&self.0, &key, &loaded, &case, comment).await?;
        Ok(NewRow::Created(Json(RowWithVersion::of(&stored)), etag(stored.version)))
    }
}

/// Publishes a new case.
///
/// # Errors
/// 412 if a case with this code exists; 422 if the head does not decide as the case expects.
pub(super) async fn publish_case(
    state: &AdminState,
    caller: &Caller,
    loaded: &LoadedRulebook,
    case: &Case,
    comment: String,
) -> Result<Arc<StoredRow<Case>>, Problem> {
    let cases = &loaded.rulebook.rows().cases;
    let current = cases.get(&case.code).map(|stored| stored.version);
    let value = serde_json::to_value(case).map_err(|error| Problem::internal(&error))?;
    let new = Precondition {
        if_none_match: Some("*".to_owned()),
        ..Precondition::default()
    };
    let id = loaded.rulebook_id;
    let (stored, _) = write::<Case>(state, caller, id, &case.code, value, &new, current, comment).await?;
    Ok(stored)
}

/// Adds a new case to a change set, if the change set has this version. Like any new row in a change set, the case has
/// version 0.
///
/// # Errors
/// 409 if the change set is closed; 412 if its version differs or a case with this code exists.
pub(super) async fn add_to_set(
    state: &AdminState,
    caller: &Caller,
    rulebook: &str,
    (set, version): (Uuid, i64),
    case: Case,
) -> Result<StoredRow<Case>, Problem> {
    let head_rows = state.head_rows(caller, rulebook).await?;
    let rows = would_be(state, &head_rows, set).await?;
    check_code(&case.code)?;
    if rows.cases.contains_key(&case.code) {
        let detail = format!("The change set or the head has a case `{}` already.", case.code);
        return Err(Problem::new(Code::StaleVersion, detail));
    }
    let edit = Edit::Put {
        resource: Resource::Cases,
        code: case.code.clone(),
        row: serde_json::to_value(&case).map_err(|error| Problem::internal(&error))?,
        expected: ExpectedVersion::Absent,
    };
    let (publisher, author, rulebook_id) = (Arc::clone(&state.publisher), caller.author(), head_rows.rulebook_id);
    let adding = dry_run::spawn(async move {
        publisher
            .add_changes(rulebook_id, set, version, vec![edit], &author)
            .await
    });
    publishing::finished(state, rulebook_id, adding.await, &EditedRow::default()).await?;
    Ok(StoredRow { version: 0, row: case })
}

/// Returns the decision on a call's report. Without a report, returns the last decision that a tool requested.
///
/// # Errors
/// 404 if there is no decision about the call.
pub(super) async fn decision_of_call(
    state: &AdminState,
    loaded: &LoadedRulebook,
    call_id: &str,
) -> Result<decisions::Model, Problem> {
    let missing = || Problem::not_found(format!("decision about the call `{}`", shortened(call_id)));
    if call_id.contains('\0') {
        return Err(missing());
    }
    let of_call = || {
        decisions::Entity::find()
            .filter(decisions::Column::RulebookId.eq(loaded.rulebook_id))
            .filter(decisions::Column::CallId.eq(call_id))
            .order_by_desc(decisions::Column::Id)
    };
    let report = of_call().filter(decisions::Column::Purpose.eq("report"));
    if let Some(row) = report.one(state.latest()).await? {
        return Ok(row);
    }
    of_call().one(state.latest()).await?.ok_or_else(missing)
}

/// The 428 problem: the request must contain the version of the change set that the client read.
pub(super) fn version_required() -> Problem {
    Problem::new(
        Code::VersionRequired,
        "Bring the `change_set_version` of the change set that was read.",
    )
}

/// Builds the case on another thread, because scripts may be slow.
async fn made(
    state: &AdminState,
    loaded: LoadedRulebook,
    row: decisions::Model,
    code: String,
    comment: String,
    expect: Expect,
) -> Result<Case, Problem> {
    let rulebook_id = loaded.rulebook_id;
    let work = move || {
        let Some(extracted) = stored_facts(&row.extracted.to_string())? else {
            return Ok(None);
        };
        let decision = match expect {
            Expect::Decided => row.result,
            Expect::Head => serde_json::to_value(loaded.rulebook.decide(&extracted, row.decided_for))?,
        };
        let case = loaded.rulebook.case_of(&ToKeep {
            code: &code,
            comment: &comment,
            extracted: &extracted,
            at: row.decided_for,
            decision: &decision,
        });
        Ok::<_, serde_json::Error>(Some(case))
    };
    let made = state.study(rulebook_id, work).await?;
    made.map_err(|error| Problem::internal(&error))?
        .ok_or_else(|| erased(None))
}

/// The 409 problem: the facts of the caller were erased.
#[must_use]
pub fn erased(id: Option<Uuid>) -> Problem {
    let what = id.map_or_else(|| "the call".to_owned(), |id| format!("the decision {id}"));
    Problem::new(
        Code::Conflict,
        format!("The caller was erased: the facts of {what} no longer exist."),
    )
}
