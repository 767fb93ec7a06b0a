//! Stores feedback: what a decision about a call should have been. A dispatcher writes feedback; an editor creates a
//! case from it ([`super::feedback_cases`]) or dismisses it.

use chrono::{DateTime, Utc};
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::audited_write;
use super::auth::{Caller, Dispatcher, Editor, Key, Viewer};
use super::body::Body;
use super::call_cases::{decision_of_call, erased};
use super::errors::{Fails, NoExtraErrors, ResolvesFeedback, StoresFeedback};
use super::list::{Filter, FilterType, ListQuery, ListSpec};
use super::masking;
use super::responses::{Json, Page, ReadResponse};
use super::state::{AdminState, RulebookInPath, shortened};
use authoring::backtest::stored_facts;
use rules::money::Money;
use rules::rows::Priority;
use store::decision_feedback::{self, DISMISSED};
use web::problem::{Code, Problem};

/// Maximum number of open feedback entries about one call.
const MAX_OPEN: u64 = 20;

/// Sort orders and filters of this list.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-id", "id"],
    filters: &[
        Filter {
            name: "call_id",
            kind: FilterType::Text,
            doc: "The call's id.",
        },
        Filter {
            name: "resolved",
            kind: FilterType::Boolean,
            doc: "Whether the feedback became a case or was dismissed.",
        },
    ],
};

/// The operations on feedback.
pub struct FeedbackApi(pub AdminState);

/// What a decision should have been: at least one of these fields.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(skip_serializing_if_is_none)]
pub struct NewFeedback {
    /// The code of the right service.
    service: Option<String>,
    /// The right priority.
    priority: Option<Priority>,
    /// The right price, with taxes.
    total: Option<Money>,
    /// What was wrong.
    #[oai(validator(max_length = 1000))]
    comment: Option<String>,
}

/// Feedback about a decision; ids are time-ordered.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Feedback {
    id: Uuid,
    /// The call id.
    call_id: String,
    /// The decision that was wrong.
    decision_id: Uuid,
    /// The code of the right service.
    service: Option<String>,
    /// The right priority.
    priority: Option<String>,
    /// The right price, with taxes.
    total: Option<Money>,
    /// What was wrong.
    comment: Option<String>,
    /// Who wrote the feedback.
    author: String,
    created_at: DateTime<Utc>,
    /// How the feedback was resolved; absent while it is open.
    resolution: Option<FeedbackResolution>,
}

/// The resolution of feedback.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct FeedbackResolution {
    /// `case` or `dismissed`.
    kind: String,
    at: DateTime<Utc>,
    /// Who resolved the feedback.
    by: String,
    /// The comment.
    comment: Option<String>,
    /// The code of the case.
    case_code: Option<String>,
    /// The change set with the case; absent if the case was published directly.
    change_set_id: Option<Uuid>,
}

/// The reason to dismiss feedback.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct DismissFeedback {
    /// Why the decision was right.
    #[serde(default)]
    #[oai(validator(max_length = 1000))]
    comment: Option<String>,
}

/// The response after feedback was stored.
#[derive(ApiResponse)]
pub enum FeedbackResponse {
    /// The feedback; it changes no rule.
    #[oai(status = 201)]
    Created(Json<Feedback>),
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook")]
impl FeedbackApi {
    /// Report a wrong decision
    ///
    /// The feedback concerns the decision for the call's report, or else the last decision. It changes no rule: an
    /// editor creates a case from the feedback or dismisses it.
    #[oai(path = "/calls/:call_id/feedback", method = "post")]
    async fn create_feedback(
        &self,
        key: Key<Dispatcher>,
        rulebook: RulebookInPath,
        /// Vapi's id of the call.
        call_id: Path<String>,
        body: Body<NewFeedback>,
    ) -> Result<FeedbackResponse, Fails<StoresFeedback>> {
        let loaded = self.0.open(&key, &rulebook.0).await?;
        let new = body.0;
        let comment = trimmed(new.comment);
        if new.service.is_none() && new.priority.is_none() && new.total.is_none() && comment.is_none() {
            let detail = "Say what the decision should have been: `service`, `priority`, `total` or a `comment`.";
            return Err(Problem::fault("", "missing_field", detail).into());
        }
        if let Some(code) = &new.service
            && !loaded.rulebook.rows().services.contains_key(code)
        {
            let detail = format!("There is no service `{}` in this rulebook.", shortened(code));
            return Err(Problem::fault("/service", "unknown_reference", detail).into());
        }
        if new.total.is_some_and(|total| total.minor() < 0) {
            return Err(Problem::fault("/total", "invalid_value", "A price cannot be negative.").into());
        }
        let decision = decision_of_call(&self.0, &loaded, &call_id.0).await?;
        let facts = stored_facts(&decision.extracted.to_string()).map_err(|error| Problem::internal(&error))?;
        if facts.is_none() {
            return Err(erased(None).into());
        }
        let open = decision_feedback::count_open(self.0.latest(), loaded.rulebook_id, &call_id.0).await?;
        if open >= MAX_OPEN {
            let detail = format!("The call has {MAX_OPEN} open feedback entries: an editor must resolve some first.");
            return Err(Problem::new(Code::Conflict, detail).into());
        }
        let row = decision_feedback::Model {
            rulebook_id: loaded.rulebook_id,
            id: self.0.clock.new_id(),
            call_id: call_id.0,
            decision_id: decision.id,
            service: new.service,
            priority: new.priority.map(|priority| priority.name().to_owned()),
            total: new.total.map(Money::minor),
            comment,
            author: key.name.clone(),
            created_at: self.0.clock.now(),
            resolved_at: None,
            resolved_by: None,
            resolution: None,
            resolution_comment: None,
            case_code: None,
            change_set_id: None,
        };
        // The audit entry omits the comment. The comment is about a caller, so it is stored only where it can be
        // erased.
        let after = json!({"service": row.service, "priority": row.priority, "total": new.total.map(|total| total.to_string())});
        let what = ("create", "feedback", &*row.id.to_string());
        let entry = audited_write::entry(&self.0, &key, Some(row.rulebook_id), what, None, Some(after));
        let stored = row.clone();
        let write = audited_write::write(&self.0, entry, move |tx| {
            Box::pin(async move { decision_feedback::insert(tx, stored).await })
        });
        if !write.await? {
            return Err(erased(None).into());
        }
        Ok(FeedbackResponse::Created(Json(view(&key, row))))
    }

    /// List the feedback
    #[oai(path = "/feedback", method = "get")]
    async fn list_feedback(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<Feedback>>, Fails<NoExtraErrors>> {
        let listing = query.read(&LIST)?;
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let mut select =
            decision_feedback::Entity::find().filter(decision_feedback::Column::RulebookId.eq(rulebook_id));
        if let Some(call_id) = listing.text("call_id") {
            select = select.filter(decision_feedback::Column::CallId.eq(call_id));
        }
        match listing.boolean("resolved") {
            Some(true) => select = select.filter(decision_feedback::Column::ResolvedAt.is_not_null()),
            Some(false) => select = select.filter(decision_feedback::Column::ResolvedAt.is_null()),
            None => {}
        }
        // Read from the primary, so that clients see what they have just written.
        let rows = listing
            .rows_by_id(self.0.latest(), select, decision_feedback::Column::Id)
            .await?;
        Ok(ReadResponse::new(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            |row| view(&key, row),
        )))
    }

    /// Dismiss feedback
    ///
    /// Do this if the decision was right after all.
    #[oai(path = "/feedback/:id/dismiss", method = "post")]
    async fn dismiss_feedback(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// The feedback's id.
        id: Path<Uuid>,
        body: Body<DismissFeedback>,
    ) -> Result<ReadResponse<Feedback>, Fails<ResolvesFeedback>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let row = open(&self.0, rulebook_id, id.0).await?;
        let resolved = decision_feedback::Model {
            resolution: Some(DISMISSED.to_owned()),
            resolution_comment: trimmed(body.0.comment),
            ..row
        };
        Ok(ReadResponse::new(resolve(&self.0, &key, resolved).await?))
    }
}

/// Returns feedback that is still open.
///
/// # Errors
/// 404 if the feedback does not exist, 409 if it is resolved.
pub(super) async fn open(state: &AdminState, rulebook_id: Uuid, id: Uuid) -> Result<decision_feedback::Model, Problem> {
    let found = decision_feedback::Entity::find_by_id((rulebook_id, id))
        .one(state.latest())
        .await?;
    let row = found.ok_or_else(|| Problem::not_found(format!("feedback `{id}`")))?;
    if row.resolved_at.is_some() {
        return Err(over(row.resolved_by.as_deref()));
    }
    Ok(row)
}

/// Stores the resolution of feedback, with the time and the API caller's name.
///
/// # Errors
/// 409 if somebody else resolved the feedback first.
pub(super) async fn resolve(
    state: &AdminState,
    caller: &Caller,
    resolved: decision_feedback::Model,
) -> Result<Feedback, Problem> {
    let resolved = decision_feedback::Model {
        resolved_at: Some(state.clock.now()),
        resolved_by: Some(caller.name.clone()),
        ..resolved
    };
    let after =
        json!({"resolution": resolved.resolution, "case": resolved.case_code, "change_set": resolved.change_set_id});
    let what = ("resolve", "feedback", &*resolved.id.to_string());
    let entry = audited_write::entry(state, caller, Some(resolved.rulebook_id), what, None, Some(after));
    let stored = resolved.clone();
    let write = audited_write::write(state, entry, move |tx| {
        Box::pin(async move { decision_feedback::resolve(tx, &stored).await })
    });
    if write.await? {
        Ok(view(caller, resolved))
    } else {
        Err(over(None))
    }
}

fn over(by: Option<&str>) -> Problem {
    let by = by.map(|by| format!(" by `{}`", shortened(by))).unwrap_or_default();
    Problem::new(Code::Conflict, format!("The feedback was resolved already{by}."))
}

/// Returns the comment without surrounding spaces, or `None` if it is empty.
fn trimmed(comment: Option<String>) -> Option<String> {
    let comment = comment.map(|text| text.trim().to_owned());
    comment.filter(|text| !text.is_empty())
}

fn view(caller: &Caller, row: decision_feedback::Model) -> Feedback {
    let resolution = row.resolved_at.map(|at| FeedbackResolution {
        kind: row.resolution.unwrap_or_default(),
        at,
        by: row.resolved_by.unwrap_or_default(),
        comment: masking::text(caller, row.resolution_comment),
        case_code: row.case_code,
        change_set_id: row.change_set_id,
    });
    Feedback {
        id: row.id,
        call_id: row.call_id,
        decision_id: row.decision_id,
        service: row.service,
        priority: row.priority,
        total: row.total.map(Money::from_minor),
        comment: masking::text(caller, row.comment),
        author: row.author,
        created_at: row.created_at,
        resolution,
    }
}
