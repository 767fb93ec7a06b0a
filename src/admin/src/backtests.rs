//! Runs backtests: a backtest decides past calls with a candidate rulebook and compares the decisions with the
//! decisions of the head. It publishes nothing.
//!
//! A backtest is a job. Clients poll the progress and the results of a backtest, or receive both as server-sent events.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use poem::web::sse::Event;
use poem_openapi::param::Path;
use poem_openapi::payload::EventStream;
use poem_openapi::types::ToJSON as _;
use poem_openapi::{ApiResponse, Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::auth::{self, Caller, Editor, Key, Viewer};
use super::body::Body;
use super::change_sets::{self, NewChange};
use super::errors::{Fails, NoExtraErrors, StartsBacktest};
use super::list::{Filter, FilterType, ListQuery, ListSpec};
use super::masking;
use super::responses::{Json, Page, ReadResponse};
use super::state::{AdminState, RulebookInPath, unloadable};
use authoring::backtest::{Backtest as Comparison, BacktestResult};
use jobs::history::queue::{self, AskError, BacktestRequest};
use revisions::cache::{HeadRows, LoadError};
use store::backtests;
use store::decisions::pages::Span;
use web::problem::{Code, Problem};

/// Sort orders and filters of this list.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-id", "id"],
    filters: &[Filter {
        name: "state",
        kind: FilterType::Choice(&["queued", "running", "done", "failed", "cancelled", "interrupted"]),
        doc: "The state.",
    }],
};

/// The default number of days.
const DAYS: i64 = 30;
const MOST_DAYS: i64 = 3_650;
/// Poll interval of an event stream.
const POLL_INTERVAL: std::time::Duration = std::time::Duration::from_millis(300);

pub struct BacktestsApi(pub AdminState);

/// A backtest to start. It compares a `change_set`, `changes` or a `revision` with the head.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct NewBacktest {
    /// An unpublished change set.
    #[serde(default)]
    change_set: Option<Uuid>,
    /// Changes to the head, written as in a change set. No change set is opened.
    #[serde(default)]
    changes: Option<Vec<NewChange>>,
    /// A revision to compare with the head.
    #[serde(default)]
    revision: Option<i64>,
    /// The number of past days; 30 by default.
    #[serde(default)]
    days: Option<i64>,
    /// Only calls recorded at this instant or later; replaces `days`.
    #[serde(default)]
    from: Option<DateTime<Utc>>,
    /// Only calls recorded before this instant; by default now.
    #[serde(default)]
    until: Option<DateTime<Utc>>,
    /// The maximum number of calls; the newest calls are used.
    #[serde(default)]
    limit: Option<i64>,
    /// Whether to include the prices that the assistant's tools requested during calls.
    #[serde(default)]
    #[oai(default)]
    tool_quotes: bool,
    /// Whether to include calls that `ringbook simulate` played.
    #[serde(default)]
    #[oai(default)]
    simulated: bool,
}

/// A backtest: its progress and its results so far.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Backtest {
    /// The backtest's id; ids are time-ordered.
    id: Uuid,
    /// `queued`, `running`, `done`, `failed`, `cancelled`, or `interrupted` if the server instance stopped.
    state: String,
    /// The progress, 0 to 100, estimated from the times of the calls.
    percent: i64,
    /// The number of calls processed so far.
    looked_at: i64,
    /// The head that the candidate is compared with.
    base_revision: i64,
    /// The request that started the backtest.
    wanted: Value,
    /// The results so far; complete when the state is `done`.
    result: Option<BacktestResult>,
    /// Why the backtest failed.
    error: Option<String>,
    /// Who started the backtest.
    author: String,
    created_at: DateTime<Utc>,
    /// When the backtest started to run.
    started_at: Option<DateTime<Utc>>,
    /// When the backtest ended.
    finished_at: Option<DateTime<Utc>>,
}

impl Backtest {
    fn is_over(&self) -> bool {
        self.finished_at.is_some() || self.state == backtests::INTERRUPTED
    }
}

/// A backtest that was accepted.
#[derive(ApiResponse)]
pub enum StartBacktestResponse {
    /// The backtest is queued. Poll `Location`, or follow `events`.
    #[oai(status = 202)]
    Taken(Json<Backtest>, #[oai(header = "Location")] String),
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/backtests")]
impl BacktestsApi {
    /// Test a change on past calls
    ///
    /// Decides the stored calls of the last days with the head and with the candidate, and reports the differences in
    /// quotes, priorities and SMS messages. Also lists calls that no longer match a service, and the calls that change
    /// most. Service, area and calendar are derived again. If the candidate maps facts differently, facts are
    /// extracted again from the raw messages. Cases are not run. An instance runs one backtest at a time.
    #[oai(path = "/", method = "post")]
    async fn start_backtest(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        body: Body<NewBacktest>,
    ) -> Result<StartBacktestResponse, Fails<StartsBacktest>> {
        let head_rows = self.0.head_rows(&key, &rulebook.0).await?;
        let asked = self.asked(head_rows, body.0, &key).await?;
        let row = self.0.backtests.ask(asked).await.map_err(refused)?;
        let location = format!("/admin/v1/rulebooks/{}/backtests/{}", rulebook.0, row.id);
        Ok(StartBacktestResponse::Taken(Json(self.view(&key, row)), location))
    }

    /// List the backtests
    ///
    /// The list has no results; read a backtest to get its results.
    #[oai(path = "/", method = "get")]
    async fn list_backtests(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<Backtest>>, Fails<NoExtraErrors>> {
        let listing = query.read(&LIST)?;
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let mut select = backtests::Entity::find().filter(backtests::Column::RulebookId.eq(rulebook_id));
        if let Some(state) = listing.text("state") {
            select = select.filter(backtests::Column::State.eq(state));
        }
        let rows = listing
            .rows_by_id(self.0.latest(), select, backtests::Column::Id)
            .await?;
        Ok(ReadResponse::new(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            |row| {
                let brief = backtests::Model { result: None, ..row };
                self.view(&key, brief)
            },
        )))
    }

    /// Read a backtest
    #[oai(path = "/:id", method = "get")]
    async fn get_backtest(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// The backtest's id.
        id: Path<Uuid>,
    ) -> Result<ReadResponse<Backtest>, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let row = self.find((rulebook_id, id.0)).await?;
        Ok(ReadResponse::new(self.view(&key, row)))
    }

    /// Cancel a backtest
    ///
    /// The results so far are not deleted. A finished backtest does not change.
    #[oai(path = "/:id", method = "delete")]
    async fn cancel_backtest(
        &self,
        key: Key<Editor>,
        rulebook: RulebookInPath,
        /// The backtest's id.
        id: Path<Uuid>,
    ) -> Result<ReadResponse<Backtest>, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let one = (rulebook_id, id.0);
        let cancelled = self.0.backtests.cancel(one).await.map_err(refused)?;
        let row = cancelled.ok_or_else(|| missing(one))?;
        Ok(ReadResponse::new(self.view(&key, row)))
    }

    /// Follow a backtest
    ///
    /// Server-sent events: `progress` after each change, and one `result` at the end. The data of each event is the
    /// backtest.
    #[oai(path = "/:id/events", method = "get")]
    async fn follow_backtest(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// The backtest's id.
        id: Path<Uuid>,
    ) -> Result<EventStream<BoxStream<'static, Backtest>>, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let one = (rulebook_id, id.0);
        self.find(one).await?;
        let follower = Follower {
            api: Self(self.0.clone()),
            caller: Caller::clone(&key),
            one,
            seen: None,
            over: false,
        };
        let (events, caller) = (stream::unfold(follower, Follower::next).boxed(), Caller::clone(&key));
        Ok(EventStream::new(events)
            .keep_alive(std::time::Duration::from_secs(15))
            .to_event(move |backtest| {
                let kind = if backtest.is_over() { "result" } else { "progress" };
                // The middleware masks only whole responses, so a stream must mask each event.
                let shown = masking::typed(&caller, "Backtest", backtest.to_json().unwrap_or_default());
                Event::message(shown.to_string()).event_type(kind)
            }))
    }
}

/// A client that follows a backtest.
struct Follower {
    api: BacktestsApi,
    caller: Caller,
    one: (Uuid, Uuid),
    seen: Option<(String, i64, i64)>,
    over: bool,
}

impl Follower {
    /// Waits for the next change. Returns `None` after the result, when the key is no longer valid, or when this
    /// instance stops.
    async fn next(mut self) -> Option<(Backtest, Self)> {
        let stopping = self.api.0.backtests.stopping().clone();
        while !self.over && auth::still_may(&self.api.0, &self.caller).await {
            // Poll the row: the backtest may run on another instance.
            if let Ok(row) = self.api.find(self.one).await {
                let now = self.api.view(&self.caller, row);
                let mark = (now.state.clone(), now.percent, now.looked_at);
                if self.seen.as_ref() != Some(&mark) {
                    self.seen = Some(mark);
                    self.over = now.is_over();
                    return Some((now, self));
                }
            }
            stopping.run_until_cancelled(tokio::time::sleep(POLL_INTERVAL)).await?;
        }
        None
    }
}

fn missing((_, id): (Uuid, Uuid)) -> Problem {
    Problem::not_found(format!("backtest `{id}`"))
}

impl BacktestsApi {
    async fn find(&self, one: (Uuid, Uuid)) -> Result<backtests::Model, Problem> {
        let found = backtests::find(self.0.latest(), one).await?;
        found.ok_or_else(|| missing(one))
    }

    async fn asked(
        &self,
        head_rows: HeadRows,
        wanted: NewBacktest,
        caller: &Caller,
    ) -> Result<BacktestRequest, Problem> {
        let rulebook_id = head_rows.rulebook_id;
        let now = self.0.clock.now();
        let until = wanted.until.unwrap_or(now);
        let days = wanted.days.unwrap_or(DAYS);
        if !(1..=MOST_DAYS).contains(&days) {
            return Err(bad("/days", format!("Expected a whole number from 1 to {MOST_DAYS}.")));
        }
        if wanted.limit.is_some_and(|limit| limit < 1) {
            return Err(bad("/limit", "Expected a whole number from 1.".to_owned()));
        }
        let from = match (wanted.from, wanted.days) {
            (Some(_), Some(_)) => return Err(bad("/days", "Give either `days` or `from`.".to_owned())),
            (Some(from), None) => from,
            (None, _) => until
                .checked_sub_signed(TimeDelta::days(days))
                .unwrap_or(DateTime::UNIX_EPOCH),
        };
        if from >= until {
            return Err(bad("/until", "`until` must be after `from`.".to_owned()));
        }
        let mut told = serde_json::json!({
            "revision": wanted.revision, "change_set": wanted.change_set,
            "from": from, "until": until, "limit": wanted.limit, "tool_quotes": wanted.tool_quotes,
        });
        let candidate = match (wanted.change_set, wanted.changes, wanted.revision) {
            (Some(id), None, None) => change_sets::candidate(&self.0, rulebook_id, id).await?,
            (None, Some(changes), None) => {
                let edits = change_sets::read_changes(&head_rows, &[], changes, "/changes")?;
                told["changes"] = serde_json::to_value(&edits).map_err(|error| Problem::internal(&error))?;
                change_sets::planned(&self.0, rulebook_id, &edits).await?
            }
            (None, None, Some(number)) => {
                let found = self.0.current.at_for_people(rulebook_id, number).await;
                found.map_err(|error| match error {
                    LoadError::Unknown(_) => bad("/revision", format!("There is no revision {number}.")),
                    error => unloadable(error),
                })?
            }
            _ => {
                let detail = "Give one of `change_set`, `changes` and `revision`.".to_owned();
                return Err(bad("/change_set", detail));
            }
        };
        // The number of a planned candidate follows the number of the newest head, which may be newer than `head_rows`.
        let base = if wanted.revision.is_some() {
            head_rows.revision
        } else {
            candidate.revision() - 1
        };
        let base = self
            .0
            .current
            .at_for_people(rulebook_id, base)
            .await
            .map_err(unloadable)?;
        Ok(BacktestRequest {
            test: Comparison::new(base, candidate),
            wanted: without_nulls(told),
            span: Span {
                rulebook_id,
                from,
                until,
                purposes: &[],
                simulated: wanted.simulated,
            },
            limit: wanted.limit.and_then(|limit| u64::try_from(limit).ok()),
            tool_quotes: wanted.tool_quotes,
            author: caller.name.clone(),
        })
    }

    fn view(&self, caller: &Caller, row: backtests::Model) -> Backtest {
        let state = queue::state(&row, self.0.clock.now()).to_owned();
        let mut result: Option<BacktestResult> = row.result.and_then(|result| serde_json::from_value(result).ok());
        for call in result.iter_mut().flat_map(|result| &mut result.most_changed) {
            // A script's text may contain what the caller said.
            for part in &mut call.rows {
                part.before = masking::text(caller, part.before.take());
                part.after = masking::text(caller, part.after.take());
            }
        }
        Backtest {
            id: row.id,
            state,
            percent: row.percent,
            looked_at: row.looked_at,
            base_revision: row.base_revision,
            wanted: masking::json(caller, row.wanted),
            result,
            error: row.error,
            author: row.author,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        }
    }
}

fn bad(pointer: &str, detail: String) -> Problem {
    Problem::fault(pointer, "invalid_value", detail)
}

fn refused(error: AskError) -> Problem {
    match error {
        AskError::TooMany => Problem::new(
            Code::Conflict,
            "Too many backtests of this rulebook are waiting; cancel one, or wait.",
        ),
        AskError::Database(error) => error.into(),
        error @ AskError::Stopped(_) => Problem::internal(&error),
    }
}

fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(object) = &mut value {
        object.retain(|_, value| !value.is_null());
    }
    value
}
