//! Serves SMS messages with their text, recipient and attempts.

use chrono::{DateTime, Utc};
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::Value;
use uuid::Uuid;

use super::auth::{Caller, Key, Viewer};
use super::errors::{Fails, NoExtraErrors};
use super::list::{Filter, FilterType, ListQuery, ListSpec, Listing};
use super::list_csv::{Gathering, ListResponse, WantsCsv};
use super::masking;
use super::responses::{Page, ReadResponse};
use super::scope::{RULEBOOK, Rulebooks, rulebooks};
use super::state::AdminState;
use rules::segments::{Encoding, outside_gsm7, segments};
use store::{calls, sms_attempts, sms_messages, sms_status_callbacks};
use web::problem::Problem;

const STATES: &[&str] = &[
    "queued",
    "sending",
    "accepted",
    "delivered",
    "ambiguous",
    "dead",
    "simulated",
];

/// Sort orders and filters of this list.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-id", "id"],
    filters: &[
        RULEBOOK,
        Filter {
            name: "state",
            kind: FilterType::Choice(STATES),
            doc: "The state; `dead` is a dead letter, with the reason in `error`.",
        },
        Filter {
            name: "call_id",
            kind: FilterType::Text,
            doc: "The call's id.",
        },
        Filter {
            name: "since",
            kind: FilterType::Time,
            doc: "Messages created at this instant or later.",
        },
        Filter {
            name: "until",
            kind: FilterType::Time,
            doc: "Messages created before this instant.",
        },
        Filter {
            name: "simulated",
            kind: FilterType::Boolean,
            doc: "Whether `ringbook simulate` played the call that the message is about.",
        },
        Filter {
            name: "contact",
            kind: FilterType::Text,
            doc: "The contact's code.",
        },
        Filter {
            name: "error_code",
            kind: FilterType::Number,
            doc: "A Twilio error code.",
        },
        Filter {
            name: "priority",
            kind: FilterType::Choice(&["P1", "P2", "P3", "P4"]),
            doc: "How urgent the message is.",
        },
    ],
};

/// The columns of the list as a spreadsheet.
const COLUMNS: &[&str] = &[
    "id",
    "created_at",
    "rulebook",
    "contact",
    "to_number",
    "priority",
    "template",
    "body",
    "state",
    "attempts",
    "provider_status",
    "error_code",
    "error",
    "billed_as/segments",
    "reference",
    "provider_id",
    "call_id",
    "updated_at",
];

/// The operations on SMS messages.
pub struct SmsMessagesApi(pub AdminState);

/// An SMS message; ids are time-ordered.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct SmsMessage {
    id: Uuid,
    /// The rulebook's code.
    rulebook: String,
    /// The call that the message is about.
    call_id: Option<String>,
    /// The decision that requested the message.
    decision_id: Option<Uuid>,
    /// The contact's code.
    contact: String,
    /// The template's code.
    template: String,
    /// How urgent the message is.
    priority: String,
    /// The recipient's number; masked for viewers.
    to_number: String,
    /// The text; numbers in it are masked for viewers.
    body: String,
    /// A short reference in the text, to find the message at Twilio.
    reference: String,
    /// The state.
    state: String,
    /// The number of attempts.
    attempts: i64,
    /// When a waiting message is tried next.
    next_attempt_at: DateTime<Utc>,
    /// The end of the quiet hours that delay or delayed the message.
    held_until: Option<DateTime<Utc>>,
    /// The code of the priority rule that requested the message.
    rule: Option<String>,
    /// Twilio's id of the message.
    provider_id: Option<String>,
    /// Twilio's last status.
    provider_status: Option<String>,
    /// Twilio's error code.
    error_code: Option<i64>,
    /// The last error.
    error: Option<String>,
    created_at: DateTime<Utc>,
    /// When the message was resent.
    resent_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
    /// How Twilio bills the message.
    billed_as: SmsCost,
}

/// How Twilio bills an SMS message.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct SmsCost {
    /// `gsm7` (160 characters in a single segment, else 153 per segment) or `ucs2` (70, else 67).
    encoding: String,
    /// How many segments the message has; Twilio bills each segment as a message.
    segments: u64,
    /// The characters that force `ucs2`, each once.
    forcing_ucs2: Option<Vec<String>>,
}

/// An attempt to send an SMS message.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct SmsAttempt {
    /// The attempt's number, from 1.
    number: i64,
    /// When the attempt began.
    started_at: DateTime<Utc>,
    /// When the attempt ended.
    finished_at: Option<DateTime<Utc>>,
    /// The outcome.
    outcome: Option<String>,
    /// The HTTP status of Twilio's response.
    http_status: Option<i64>,
    /// Twilio's error code.
    error_code: Option<i64>,
    /// Details.
    detail: Option<String>,
}

/// An SMS message with its attempts.
#[derive(Debug, Object)]
pub struct SmsMessageDetail {
    /// The message.
    message: SmsMessage,
    /// The attempts, in order.
    attempts: Vec<SmsAttempt>,
    /// Twilio's later statuses, the oldest first.
    callbacks: Vec<SmsStatusCallback>,
}

/// A status that Twilio reported after it accepted a message. Each status is stored once, even if it came late.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct SmsStatusCallback {
    /// Twilio's id of the message; each attempt has its own id.
    provider_id: String,
    /// Twilio's status.
    status: String,
    /// Twilio's error code.
    error_code: Option<i64>,
    /// When the status arrived.
    received_at: DateTime<Utc>,
}

#[OpenApi(prefix_path = "/admin/v1/sms-messages")]
impl SmsMessagesApi {
    /// List the SMS messages
    ///
    /// `Accept: text/csv` gets all rows that match the filters, as a spreadsheet.
    #[oai(path = "/", method = "get")]
    async fn list_sms_messages(
        &self,
        key: Key<Viewer>,
        query: ListQuery,
        wants: WantsCsv,
    ) -> Result<ListResponse<SmsMessage>, Fails<NoExtraErrors>> {
        let mut listing = query.read(&LIST)?;
        let seen = rulebooks(&self.0, &key, Some(&listing)).await?;
        let mut gathering = Gathering::of(&key, &wants, &mut listing, "sms-messages", COLUMNS);
        loop {
            let page = self.page(&key, &seen, &listing).await?;
            if let Some(found) = gathering.add(&mut listing, page)? {
                return Ok(found);
            }
        }
    }

    /// Read an SMS message with its attempts
    #[oai(path = "/:id", method = "get")]
    async fn get_sms_message(
        &self,
        key: Key<Viewer>,
        /// The message's id.
        id: Path<Uuid>,
    ) -> Result<ReadResponse<SmsMessageDetail>, Fails<NoExtraErrors>> {
        let seen = rulebooks(&self.0, &key, None).await?;
        let found = sms_messages::Entity::find()
            .filter(sms_messages::Column::Id.eq(id.0))
            .filter(seen.filter(sms_messages::Column::RulebookId))
            .one(self.0.read())
            .await?;
        let row = found.ok_or_else(|| Problem::not_found(format!("SMS message `{}`", id.0)))?;
        let attempts = sms_attempts::Entity::find()
            .filter(sms_attempts::Column::RulebookId.eq(row.rulebook_id))
            .filter(sms_attempts::Column::SmsMessageId.eq(row.id))
            .order_by_asc(sms_attempts::Column::Number)
            .all(self.0.read())
            .await?;
        let attempts = attempts.into_iter().map(|row| SmsAttempt {
            number: row.number,
            started_at: row.started_at,
            finished_at: row.finished_at,
            outcome: row.outcome,
            http_status: row.http_status,
            error_code: row.error_code,
            detail: masking::text(&key, row.detail),
        });
        let said = sms_status_callbacks::of_message(self.0.read(), row.rulebook_id, row.id).await?;
        let said = said.into_iter().map(|row| SmsStatusCallback {
            provider_id: row.provider_id,
            status: row.status,
            error_code: row.error_code,
            received_at: row.received_at,
        });
        Ok(ReadResponse::new(SmsMessageDetail {
            attempts: attempts.collect(),
            callbacks: said.collect(),
            message: view(&key, &seen, row),
        }))
    }
}

impl SmsMessagesApi {
    async fn page(&self, caller: &Caller, seen: &Rulebooks, listing: &Listing) -> Result<Page<SmsMessage>, Problem> {
        let mut select = sms_messages::Entity::find().filter(seen.filter(sms_messages::Column::RulebookId));
        for (name, column) in [
            ("state", sms_messages::Column::State),
            ("call_id", sms_messages::Column::CallId),
            ("contact", sms_messages::Column::Contact),
            ("priority", sms_messages::Column::Priority),
        ] {
            if let Some(text) = listing.text(name) {
                select = select.filter(column.eq(text));
            }
        }
        if let Some(since) = listing.time("since") {
            select = select.filter(sms_messages::Column::CreatedAt.gte(since));
        }
        if let Some(until) = listing.time("until") {
            select = select.filter(sms_messages::Column::CreatedAt.lt(until));
        }
        if let Some(simulated) = listing.boolean("simulated") {
            select = select.filter(calls::simulated(&sms_messages::Column::CallId, simulated));
        }
        if let Some(code) = listing.number("error_code") {
            select = select.filter(sms_messages::Column::ErrorCode.eq(code));
        }
        let rows = listing
            .rows_by_id(self.0.read(), select, sms_messages::Column::Id)
            .await?;
        Ok(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            |row| view(caller, seen, row),
        ))
    }
}

pub(super) fn cost(body: &str) -> SmsCost {
    let outside = outside_gsm7(body);
    let counted = segments(body);
    SmsCost {
        encoding: match counted.encoding {
            Encoding::Gsm7 => "gsm7".to_owned(),
            Encoding::Ucs2 => "ucs2".to_owned(),
        },
        segments: counted.count as u64,
        forcing_ucs2: (!outside.is_empty()).then(|| outside.iter().map(char::to_string).collect()),
    }
}

pub(super) fn view(caller: &Caller, seen: &Rulebooks, row: sms_messages::Model) -> SmsMessage {
    SmsMessage {
        billed_as: cost(&row.body),
        resent_at: row.resent_at,
        id: row.id,
        rulebook: seen.code(row.rulebook_id),
        call_id: row.call_id,
        decision_id: row.decision_id,
        contact: row.contact,
        template: row.template,
        priority: row.priority,
        to_number: masking::number(caller, Some(row.to_number)).unwrap_or_default(),
        body: masking::text(caller, Some(row.body)).unwrap_or_default(),
        reference: row.reference,
        state: row.state,
        attempts: row.attempts,
        next_attempt_at: row.next_attempt_at,
        held_until: row.held_until,
        rule: row.rule,
        provider_id: row.provider_id,
        provider_status: row.provider_status,
        error_code: row.error_code,
        error: masking::text(caller, row.error),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}
