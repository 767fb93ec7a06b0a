//! Erases a caller's data by phone number or call. The calls, their times and their decisions stay.
//!
//! The audit log records who requested an erasure and when, never the caller. The erasure's row in the database stores
//! the counts.

use chrono::{DateTime, Utc};
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, Object, OpenApi};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::audited_write;
use super::auth::{Admin, Caller, Key};
use super::body::Body;
use super::errors::{Fails, NoExtraErrors};
use super::list::{Filter, FilterType, ListQuery, ListSpec};
use super::responses::{Json, Page, ReadResponse};
use super::state::{AdminState, RulebookInPath};
use base::telemetry;
use jobs::erasure::Subject;
use store::dry_run;
use store::erasure_jobs;
use store::erasures;
use web::problem::Problem;

/// State of an erasure that is not done yet.
const RUNNING: &str = "running";
/// State of an erasure that is done.
const DONE: &str = "done";

/// Sort orders and filters of this list.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-id", "id"],
    filters: &[Filter {
        name: "state",
        kind: FilterType::Choice(&[RUNNING, DONE]),
        doc: "The state.",
    }],
};

/// How long a request waits for its erasure.
const MAX_WAIT: std::time::Duration = std::time::Duration::from_secs(3);
/// Maximum length of a call id.
const LONGEST_ID: usize = 255;

pub struct ErasuresApi(pub AdminState);

/// The caller to erase; send exactly one of the fields.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct NewErasure {
    /// A phone number with country code, such as `+15145550100`: erases calls from this number, and calls with this
    /// number in their lead.
    customer_number: Option<String>,
    /// Vapi's id of one call. The call may still be unknown: later messages about the call are not stored.
    call_id: Option<String>,
}

/// An erasure and its progress.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Erasure {
    /// The erasure's id. The audit log has the same id.
    id: Uuid,
    /// `running`, or `done`.
    state: String,
    /// How many calls were erased so far.
    calls: i64,
    /// How many messages without a call, and SMS replies from the number, were erased so far.
    messages: i64,
    /// Who requested it.
    author: String,
    /// When it was requested.
    created_at: DateTime<Utc>,
    /// When it was done.
    finished_at: Option<DateTime<Utc>>,
}

impl From<erasure_jobs::Model> for Erasure {
    fn from(row: erasure_jobs::Model) -> Self {
        Self {
            id: row.id,
            state: if row.finished_at.is_some() { DONE } else { RUNNING }.to_owned(),
            calls: row.calls,
            messages: row.messages,
            author: row.author,
            created_at: row.created_at,
            finished_at: row.finished_at,
        }
    }
}

/// The response to a request to erase.
#[derive(ApiResponse)]
pub enum CreateErasureResponse {
    /// Everything is erased.
    #[oai(status = 200)]
    Done(Json<Erasure>),
    /// The caller has much data. The erasure continues, even if the server restarts; poll it at `Location`.
    #[oai(status = 202)]
    Running(Json<Erasure>, #[oai(header = "Location")] String),
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/erasures")]
impl ErasuresApi {
    /// Erase a caller
    ///
    /// Erases the caller's data: transcripts, raw messages, facts, leads, SMS messages. This cannot be undone. Prices
    /// and priorities stay, but a replay then reports that the facts were erased. Later calls of the caller are stored
    /// again. You must erase the caller from your backups and logs, and at Vapi, yourself. If the erasure takes longer
    /// than three seconds, it continues as a job.
    #[oai(path = "/", method = "post")]
    async fn create_erasure(
        &self,
        key: Key<Admin>,
        rulebook: RulebookInPath,
        body: Body<NewErasure>,
    ) -> Result<CreateErasureResponse, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let subject = checked(body.0)?;
        let (erasures, counted) = (self.0.erasures.clone(), subject.clone());
        let (kind, state, caller) = (
            match subject {
                Subject::Number(_) => "customer_number",
                Subject::Call(_) => "call_id",
            },
            self.0.clone(),
            Caller::clone(&key),
        );
        let entry = move |id: Uuid| {
            let (what, after) = (id.to_string(), json!({"by": kind}));
            audited_write::entry(
                &state,
                &caller,
                Some(rulebook_id),
                ("erase", "callers", &what),
                None,
                Some(after),
            )
        };
        // A client that disconnects must not interrupt the transaction.
        let requested = dry_run::spawn(async move { erasures.request(rulebook_id, subject, entry).await }).await;
        let job = requested.map_err(|error| Problem::internal(&error))??;
        if dry_run::is_on() {
            let (calls, messages) = self.0.erasures.count(rulebook_id, &counted).await?;
            let finished_at = Some(job.created_at);
            let done = erasure_jobs::Model {
                calls,
                messages,
                finished_at,
                ..job
            };
            return Ok(CreateErasureResponse::Done(Json(done.into())));
        }
        let (erasures, running) = (self.0.erasures.clone(), job.clone());
        let work = dry_run::spawn(async move { erasures.run_patiently(&running).await });
        match tokio::time::timeout(MAX_WAIT, work).await {
            Ok(Ok(Ok(done))) => return Ok(CreateErasureResponse::Done(Json(done.into()))),
            Ok(Ok(Err(error))) => telemetry::log_cause("erasure", &error),
            Ok(Err(error)) => return Err(Problem::internal(&error).into()),
            Err(_) => {}
        }
        let now = self.find((rulebook_id, job.id)).await?;
        let location = format!("/admin/v1/rulebooks/{}/erasures/{}", rulebook.0, job.id);
        Ok(CreateErasureResponse::Running(Json(now.into()), location))
    }

    /// List the erasures
    ///
    /// The list does not say who was erased.
    #[oai(path = "/", method = "get")]
    async fn list_erasures(
        &self,
        key: Key<Admin>,
        rulebook: RulebookInPath,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<Erasure>>, Fails<NoExtraErrors>> {
        let listing = query.read(&LIST)?;
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let mut select = erasure_jobs::Entity::find().filter(erasure_jobs::Column::RulebookId.eq(rulebook_id));
        select = match listing.text("state") {
            Some(RUNNING) => select.filter(erasure_jobs::Column::FinishedAt.is_null()),
            Some(_) => select.filter(erasure_jobs::Column::FinishedAt.is_not_null()),
            None => select,
        };
        let rows = listing
            .rows_by_id(self.0.latest(), select, erasure_jobs::Column::Id)
            .await?;
        Ok(ReadResponse::new(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            Erasure::from,
        )))
    }

    /// Read an erasure
    #[oai(path = "/:id", method = "get")]
    async fn get_erasure(
        &self,
        key: Key<Admin>,
        rulebook: RulebookInPath,
        /// The erasure's id.
        id: Path<Uuid>,
    ) -> Result<ReadResponse<Erasure>, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        Ok(ReadResponse::new(self.find((rulebook_id, id.0)).await?.into()))
    }
}

impl ErasuresApi {
    async fn find(&self, one: (Uuid, Uuid)) -> Result<erasure_jobs::Model, Problem> {
        let found = erasure_jobs::find(self.0.latest(), one).await?;
        found.ok_or_else(|| Problem::not_found(format!("erasure `{}`", one.1)))
    }
}

fn checked(body: NewErasure) -> Result<Subject, Problem> {
    let fault = |place: &str, detail: String| Problem::fault(place, "invalid_value", detail);
    match (body.customer_number, body.call_id) {
        (Some(number), None) => erasures::significant_digits(&number)
            .map(Subject::Number)
            .ok_or_else(|| {
                let fewest = erasures::FEWEST_DIGITS;
                fault("/customer_number", format!("A phone number has {fewest} to 15 digits."))
            }),
        (None, Some(id)) if (1..=LONGEST_ID).contains(&id.chars().count()) => Ok(Subject::Call(id)),
        (None, Some(_)) => Err(fault(
            "/call_id",
            format!("A call's id has 1 to {LONGEST_ID} characters."),
        )),
        _ => Err(fault("", "Give either `customer_number` or `call_id`.".to_owned())),
    }
}
