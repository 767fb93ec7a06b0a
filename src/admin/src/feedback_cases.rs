//! Creates a case from feedback: from then on the rules must decide the call as the feedback says. If the rules still
//! decide otherwise, the case is added to a change set, where an editor adds the rule that corrects the decision.

use std::sync::Arc;

use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use sea_orm::EntityTrait;
use serde::Deserialize;
use uuid::Uuid;

use super::auth::{Caller, Editor, Key};
use super::body::Body;
use super::call_cases::{add_to_set, erased, publish_case, version_required};
use super::change_sets::candidate;
use super::errors::{CreatesFeedbackCase, Fails};
use super::feedback::{self, Feedback};
use super::publishing::finished;
use super::responses::ReadResponse;
use super::row_checks::{check_code, checked_comment};
use super::row_faults::EditedRow;
use super::state::{AdminState, RulebookInPath};
use authoring::backtest::stored_facts;
use authoring::change_set::{Edit, ExpectedVersion};
use base::telemetry::scrub;
use revisions::cache::LoadedRulebook;
use revisions::publish::change_sets::Keep;
use rules::Rulebook;
use rules::case_from_call::{Correction, ToKeep};
use rules::money::Money;
use rules::rows::{Case, Priority, Resource};
use store::decision_feedback::{self, CASE};
use store::decisions;
use store::dry_run;
use web::problem::{Code, Problem};

pub struct FeedbackCasesApi(pub AdminState);

/// A case to create from feedback.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct NewFeedbackCase {
    /// The case's code.
    code: String,
    /// A comment.
    #[serde(default)]
    comment: Option<String>,
    /// What was said, for a case that the rules do not decide correctly yet. One line per turn; the agent's lines begin
    /// with `> `. By default everything that was said, without phone numbers.
    #[serde(default)]
    said: Option<String>,
    /// The open change set to add the case to. Also add the corrective rule to this change set.
    #[serde(default)]
    change_set: Option<Uuid>,
    /// The version of the change set that you read.
    #[serde(default)]
    change_set_version: Option<i64>,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/feedback")]
impl FeedbackCasesApi {
    /// Create a case from feedback
    ///
    /// The case expects the corrected decision. If you name a change set, the case is added to it. If you name none,
    /// and the rules already decide so, the case is published now. If they do not, a new change set gets the case; add
    /// the rule that corrects the decision there. The feedback is resolved and names the case. The case contains only
    /// facts that a rule reads. If no rule listens for the decisive words yet, the case also contains everything that
    /// was said, or your `said`.
    #[oai(path = "/:id/case", method = "post")]
    async fn create_case_of_feedback(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// The feedback's id.
        id: Path<Uuid>,
        body: Body<NewFeedbackCase>,
    ) -> Result<ReadResponse<Feedback>, Fails<CreatesFeedbackCase>> {
        let new = body.0;
        let loaded = self.0.open(&key, &rulebook.0).await?;
        check_code(&new.code)?;
        let comment = checked_comment(new.comment)?;
        let row = feedback::open(&self.0, loaded.rulebook_id, id.0).await?;
        let book = match new.change_set {
            Some(set) => candidate(&self.0, loaded.rulebook_id, set).await?,
            None => Arc::clone(&loaded.rulebook),
        };
        let (case, holds) = made(&self.0, &loaded, book, &row, (new.code, comment, new.said)).await?;
        let case_code = Some(case.code.clone());
        let change_set_id = match new.change_set {
            Some(set) => {
                let version = new.change_set_version.ok_or_else(version_required)?;
                add_to_set(&self.0, &key, &rulebook.0, (set, version), case).await?;
                Some(set)
            }
            None if holds => {
                let comment = format!("case of feedback about the call {}", row.call_id);
                publish_case(&self.0, &key, &loaded, &case, comment).await?;
                None
            }
            None => Some(self.in_new_set(&key, &loaded, &row, &case).await?),
        };
        let resolved = decision_feedback::Model {
            resolution: Some(CASE.to_owned()),
            case_code,
            change_set_id,
            ..row
        };
        Ok(ReadResponse::new(feedback::resolve(&self.0, &key, resolved).await?))
    }
}

impl FeedbackCasesApi {
    /// Opens a change set that contains the case.
    async fn in_new_set(
        &self,
        caller: &Caller,
        loaded: &LoadedRulebook,
        row: &decision_feedback::Model,
        case: &Case,
    ) -> Result<Uuid, Problem> {
        if loaded.rulebook.rows().cases.contains_key(&case.code) {
            let detail = format!("A case `{}` exists already: choose another code.", case.code);
            return Err(Problem::new(Code::StaleVersion, detail));
        }
        let edit = Edit::Put {
            resource: Resource::Cases,
            code: case.code.clone(),
            row: serde_json::to_value(case).map_err(|error| Problem::internal(&error))?,
            expected: ExpectedVersion::Absent,
        };
        let comment = format!("Correct the decision of the call {}", row.call_id);
        let (rulebook_id, author) = (loaded.rulebook_id, caller.author());
        let publisher = Arc::clone(&self.0.publisher);
        let opened = publisher.open_set(rulebook_id, &comment, vec![edit], &author).await;
        let opened = finished(&self.0, rulebook_id, Ok(opened), &EditedRow::default()).await?;
        let id = opened.set.id;
        let nothing: Keep = Box::new(|_| Box::pin(async { Ok(true) }));
        let storing = dry_run::spawn(async move { publisher.store_set(&opened, nothing, &author).await });
        finished(&self.0, rulebook_id, storing.await, &EditedRow::default()).await?;
        Ok(id)
    }
}

/// Builds the case on another thread, because scripts may be slow. Also returns whether the rulebook already decides as
/// the case expects.
async fn made(
    state: &AdminState,
    loaded: &LoadedRulebook,
    book: Arc<Rulebook>,
    row: &decision_feedback::Model,
    (code, comment, said): (String, String, Option<String>),
) -> Result<(Case, bool), Problem> {
    let found = decisions::Entity::find_by_id((loaded.rulebook_id, row.decision_id))
        .one(state.latest())
        .await?;
    let decision = found.ok_or_else(|| Problem::not_found(format!("decision `{}`", row.decision_id)))?;
    let right = Correction {
        service: row.service.clone(),
        priority: row.priority.as_deref().and_then(Priority::named),
        total: row.total.map(Money::from_minor),
    };
    let work = move || {
        let Some(extracted) = stored_facts(&decision.extracted.to_string())? else {
            return Ok(None);
        };
        let said = said.unwrap_or_else(|| scrub(&extracted.said));
        let keep = ToKeep {
            code: &code,
            comment: &comment,
            extracted: &extracted,
            at: decision.decided_for,
            decision: &decision.result,
        };
        Ok::<_, serde_json::Error>(Some(book.corrected_case_of(&keep, &right, &said)))
    };
    let made = state.study(loaded.rulebook_id, work).await?;
    made.map_err(|error| Problem::internal(&error))?
        .ok_or_else(|| erased(None))
}
