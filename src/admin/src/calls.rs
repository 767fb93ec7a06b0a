//! Serves calls: the list, and each call with its transcript and tool calls.

use chrono::{DateTime, Utc};
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use sea_orm::sea_query::SimpleExpr;
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder};
use serde_json::Value;
use uuid::Uuid;

use super::auth::{Caller, Key, Viewer};
use super::errors::{Fails, NoExtraErrors};
use super::list::{Filter, FilterType, ListQuery, ListSpec, Listing, too_large};
use super::list_csv::{Gathering, ListResponse, WantsCsv};
use super::masking;
use super::responses::{Page, ReadResponse};
use super::state::{AdminState, RulebookInPath, shortened};
use super::transcript_filter::{WORDS, Words};
use store::erasures::significant_digits;
use store::json_contains;
use store::{call_transcripts, calls, page, search, tool_calls};
use web::problem::Problem;

/// Sort orders and filters of this list.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-first_seen_at", "first_seen_at"],
    filters: &[
        Filter {
            name: "analysis",
            kind: FilterType::Object,
            doc: "Calls whose analysis contains this JSON.",
        },
        Filter {
            name: "status",
            kind: FilterType::Text,
            doc: "The state of the call, such as `ended`.",
        },
        Filter {
            name: "service",
            kind: FilterType::Text,
            doc: "The code of the service.",
        },
        Filter {
            name: "language",
            kind: FilterType::Text,
            doc: "The caller's language.",
        },
        Filter {
            name: "simulated",
            kind: FilterType::Boolean,
            doc: "Whether `ringbook simulate` played the call.",
        },
        Filter {
            name: "customer_number",
            kind: FilterType::PhoneNumber,
            doc: "The caller's number, in any notation: eight digits or more.",
        },
        Filter {
            name: "customer_name",
            kind: FilterType::Text,
            doc: "Part of the caller's name; case and accents do not matter.",
        },
        Filter {
            name: "address",
            kind: FilterType::Text,
            doc: "Part of the address, the city or the postal code.",
        },
        WORDS,
        Filter {
            name: "since",
            kind: FilterType::Time,
            doc: "Calls whose first message arrived at this instant or later.",
        },
        Filter {
            name: "until",
            kind: FilterType::Time,
            doc: "Calls whose first message arrived before this instant.",
        },
    ],
};

/// The columns of the list as a spreadsheet.
const COLUMNS: &[&str] = &[
    "id",
    "first_seen_at",
    "started_at",
    "ended_at",
    "duration_ms",
    "status",
    "ended_reason",
    "customer_name",
    "customer_number",
    "phone_number",
    "address",
    "city",
    "postal_code",
    "service",
    "language",
    "summary",
    "recording_url",
    "cost_micros",
    "simulated",
    "updated_at",
];

/// The operations on calls.
pub struct CallsApi(pub AdminState);

/// A call, as known from its messages.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Call {
    /// Vapi's id of the call.
    id: String,
    /// Whether `ringbook simulate` played the call.
    simulated: bool,
    /// The call's status, such as `in-progress` or `ended`.
    status: String,
    /// When the call began.
    started_at: Option<DateTime<Utc>>,
    /// When the call ended.
    ended_at: Option<DateTime<Utc>>,
    /// The call's duration in milliseconds.
    duration_ms: Option<i64>,
    /// Why the call ended, in Vapi's words.
    ended_reason: Option<String>,
    /// A summary in a few sentences.
    summary: Option<String>,
    /// The recording's URL.
    recording_url: Option<String>,
    /// What the call cost at Vapi, in millionths of a US dollar.
    cost_micros: Option<i64>,
    /// The caller's number; masked for viewers.
    customer_number: Option<String>,
    /// The caller's name.
    customer_name: Option<String>,
    /// The number that was called; masked for viewers.
    phone_number: Option<String>,
    /// The assistant that answered.
    assistant_id: Option<String>,
    /// The address of the job.
    address: Option<String>,
    /// The city.
    city: Option<String>,
    /// The postal code.
    postal_code: Option<String>,
    /// The code of the requested service.
    service: Option<String>,
    /// The caller's language.
    language: Option<String>,
    /// Vapi's analysis, as received.
    analysis: Option<Value>,
    /// The decision behind the last quote in the call.
    quote_decision_id: Option<Uuid>,
    /// When the first message of the call arrived.
    first_seen_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// When the caller's data was erased.
    erased_at: Option<DateTime<Utc>>,
}

/// A turn of the transcript.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Turn {
    /// The speaker: `user`, `assistant`, ….
    role: String,
    /// The spoken words.
    text: String,
    /// Milliseconds from the start of the call.
    offset_ms: Option<i64>,
}

/// A tool that the assistant called.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ToolCall {
    /// Vapi's id of the tool call.
    tool_call_id: String,
    /// The tool's name.
    name: String,
    /// The arguments.
    arguments: Value,
    /// The result.
    result: Option<String>,
    /// Why the tool call failed.
    error: Option<String>,
    /// Whether the tool call succeeded.
    ok: bool,
    /// The tool call's duration in microseconds.
    duration_us: i64,
    /// The decision that the result is based on.
    decision_id: Option<Uuid>,
    created_at: DateTime<Utc>,
}

/// A call with its transcript and tools.
#[derive(Debug, Object)]
pub struct CallDetail {
    /// The call.
    call: Call,
    /// The transcript, in order.
    transcript: Vec<Turn>,
    /// The tools that were called, in order.
    tool_calls: Vec<ToolCall>,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/calls")]
impl CallsApi {
    /// List the calls
    ///
    /// `Accept: text/csv` gets all rows that match the filters, as a spreadsheet.
    #[oai(path = "/", method = "get")]
    async fn list_calls(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        query: ListQuery,
        wants: WantsCsv,
    ) -> Result<ListResponse<Call>, Fails<NoExtraErrors>> {
        let mut listing = query.read(&LIST)?;
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let mut gathering = Gathering::of(&key, &wants, &mut listing, "calls", COLUMNS);
        loop {
            let page = self.page(&key, rulebook_id, &listing).await?;
            if let Some(found) = gathering.add(&mut listing, page)? {
                return Ok(found);
            }
        }
    }

    /// Read a call with its transcript and tool calls
    #[oai(path = "/:call_id", method = "get")]
    async fn get_call(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// Vapi's id of the call.
        call_id: Path<String>,
    ) -> Result<ReadResponse<CallDetail>, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let missing = || Problem::not_found(format!("call `{}`", shortened(&call_id.0)));
        if call_id.0.contains('\0') {
            return Err(missing().into());
        }
        let key_of = (rulebook_id, call_id.0.clone());
        let call = calls::Entity::find_by_id(key_of)
            .one(self.0.read())
            .await?
            .ok_or_else(missing)?;
        let turns = call_transcripts::Entity::find()
            .filter(call_transcripts::Column::RulebookId.eq(rulebook_id))
            .filter(call_transcripts::Column::CallId.eq(&call.id))
            .order_by_asc(call_transcripts::Column::Origin)
            .order_by_asc(call_transcripts::Column::Seq)
            .all(self.0.read())
            .await?;
        let tools = tool_calls::Entity::find()
            .filter(tool_calls::Column::RulebookId.eq(rulebook_id))
            .filter(tool_calls::Column::CallId.eq(&call.id))
            .order_by_asc(tool_calls::Column::Id)
            .all(self.0.read())
            .await?;
        // The turns in the report replace the turns that were received live.
        let reported = turns.iter().any(|turn| turn.origin == "report");
        let transcript = turns
            .into_iter()
            .filter(|turn| !reported || turn.origin == "report")
            .map(|turn| Turn {
                role: turn.role,
                text: masking::text(&key, Some(turn.text)).unwrap_or_default(),
                offset_ms: turn.offset_ms,
            });
        let tool_calls = tools.into_iter().map(|tool| ToolCall {
            tool_call_id: tool.tool_call_id,
            name: tool.name,
            arguments: masking::json(&key, tool.arguments),
            result: masking::text(&key, tool.result),
            error: tool.error,
            ok: tool.ok,
            duration_us: tool.duration_us,
            decision_id: tool.decision_id,
            created_at: tool.created_at,
        });
        Ok(ReadResponse::new(CallDetail {
            transcript: transcript.collect(),
            tool_calls: tool_calls.collect(),
            call: view(&key, call),
        }))
    }
}

impl CallsApi {
    async fn page(&self, caller: &Caller, rulebook_id: Uuid, listing: &Listing) -> Result<Page<Call>, Problem> {
        let mut select = calls::Entity::find().filter(calls::Column::RulebookId.eq(rulebook_id));
        for (name, column) in [
            ("status", calls::Column::Status),
            ("service", calls::Column::Service),
            ("language", calls::Column::Language),
        ] {
            if let Some(text) = listing.text(name) {
                select = select.filter(column.eq(text));
            }
        }
        if let Some(since) = listing.time("since") {
            select = select.filter(calls::Column::FirstSeenAt.gte(since));
        }
        if let Some(until) = listing.time("until") {
            select = select.filter(calls::Column::FirstSeenAt.lt(until));
        }
        // A call with a report has ended. The index of calls without a report is small, so this condition makes the
        // query fast.
        if listing.text("status").is_some_and(|status| status != "ended") {
            select = select.filter(calls::Column::ReportAt.is_null());
        }
        let backend = self.0.read().get_database_backend();
        for condition in people(backend, listing)? {
            select = select.filter(condition);
        }
        if let Some(words) = Words::of(listing, self.0.clock.now())? {
            select = select.filter(words.said_in("calls.id", "summary"));
            select = select.filter(calls::Column::FirstSeenAt.gte(words.since));
        }
        if let Some(simulated) = listing.boolean("simulated") {
            select = select.filter(calls::simulated(&calls::Column::Id, simulated));
        }
        if let Some(pattern) = listing.object("analysis") {
            let contains = json_contains::contains(backend, "analysis", pattern);
            select = select.filter(contains.ok_or_else(|| too_large("analysis"))?);
        }
        let (by, id) = (calls::Column::FirstSeenAt, calls::Column::Id);
        let sorting = page::Sorting {
            by,
            id,
            descending: listing.descending,
        };
        let after = listing.after_time()?.map(|(at, id)| (at.into(), id.into()));
        let rows = page::rows(self.0.read(), select, sorting, after, listing.limit).await?;
        let place = |row: &calls::Model| (row.first_seen_at.to_rfc3339().into(), row.id.clone());
        Ok(listing.page(rows, place, |row| view(caller, row)))
    }
}

/// Returns the conditions of the filters about the caller. Calls and leads have the same columns for these filters.
pub(super) fn people(backend: DbBackend, listing: &Listing) -> Result<Vec<SimpleExpr>, Problem> {
    let mut found = Vec::new();
    if let Some(number) = listing.text("customer_number") {
        let digits = significant_digits(number).ok_or_else(|| {
            let detail = "`customer_number` must have 8 to 15 digits.";
            Problem::invalid_parameter("customer_number", detail)
        })?;
        found.push(search::is_number(backend, "customer_number", &digits));
    }
    if let Some(name) = listing.text("customer_name") {
        found.push(search::contains("customer_name", name));
    }
    if let Some(text) = listing.text("address") {
        let place = "COALESCE(address, '') || ' ' || COALESCE(city, '') || ' ' || COALESCE(postal_code, '')";
        found.push(search::contains(place, text));
    }
    Ok(found)
}

fn view(caller: &Caller, row: calls::Model) -> Call {
    Call {
        simulated: calls::is_simulated(Some(&row.id)),
        id: row.id,
        status: row.status,
        started_at: row.started_at,
        ended_at: row.ended_at,
        duration_ms: row.duration_ms,
        ended_reason: row.ended_reason,
        summary: masking::text(caller, row.summary),
        recording_url: row.recording_url,
        cost_micros: row.cost_micros,
        customer_number: masking::number(caller, row.customer_number),
        customer_name: row.customer_name,
        phone_number: masking::number(caller, row.phone_number),
        assistant_id: row.assistant_id,
        address: row.address,
        city: row.city,
        postal_code: row.postal_code,
        service: row.service,
        language: row.language,
        analysis: row.analysis.map(|analysis| masking::json(caller, analysis)),
        quote_decision_id: row.quote_decision_id,
        first_seen_at: row.first_seen_at,
        updated_at: row.updated_at,
        erased_at: row.erased_at,
    }
}
