//! Serves leads: callers to call back, with the notified contacts and the person who acknowledged the lead.
//!
//! `lead` has the response types, `sla` decides whether a lead was acknowledged in time, and `acknowledgement` prepares
//! an acknowledgement.

mod acknowledgement;
mod lead;
mod sla;

use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use uuid::Uuid;

use self::acknowledgement::{Taking, taken, taken_already, taker};
use self::lead::{Lead, view};
pub(super) use self::sla::is_late;
use super::audited_write;
use super::auth::{Caller, Dispatcher, Key, Viewer};
use super::body::Body;
use super::calls::people;
use super::errors::{AcknowledgesLead, Fails, NoExtraErrors};
use super::idempotency::{Begun, IdempotentResponse, Once};
use super::list::{Filter, FilterType, ListQuery, ListSpec, Listing, flag};
use super::list_csv::{Gathering, ListResponse, WantsCsv};
use super::responses::{Page, ReadResponse};
use super::state::{AdminState, RulebookInPath};
use super::transcript_filter::{WORDS, Words};
use base::telemetry::metrics;
use store::dry_run;
use store::escalations;
use store::{calls, leads};
use web::problem::Problem;

/// Sort orders and filters for listing leads.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-id", "id"],
    filters: &[
        Filter {
            name: "call_id",
            kind: FilterType::Text,
            doc: "The call's id.",
        },
        Filter {
            name: "priority",
            kind: FilterType::Choice(&["P1", "P2", "P3", "P4"]),
            doc: "The priority.",
        },
        Filter {
            name: "service",
            kind: FilterType::Text,
            doc: "The code of the requested service.",
        },
        Filter {
            name: "area",
            kind: FilterType::Text,
            doc: "The code of the service area.",
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
            doc: "Leads created at this instant or later.",
        },
        Filter {
            name: "until",
            kind: FilterType::Time,
            doc: "Leads created before this instant.",
        },
        Filter {
            name: "simulated",
            kind: FilterType::Boolean,
            doc: "Whether `ringbook simulate` played the call.",
        },
        Filter {
            name: "late",
            kind: FilterType::Boolean,
            doc: "Whether the report arrived too late to notify anyone.",
        },
        Filter {
            name: "capped",
            kind: FilterType::Boolean,
            doc: "Whether the daily cap prevented an SMS message about the lead.",
        },
        Filter {
            name: "acknowledged",
            kind: FilterType::Boolean,
            doc: "Whether somebody has acknowledged the lead.",
        },
    ],
};

/// The columns of the exported spreadsheet.
const COLUMNS: &[&str] = &[
    "id",
    "created_at",
    "priority",
    "due_at",
    "customer_name",
    "customer_number",
    "customer_email",
    "address",
    "city",
    "postal_code",
    "problem",
    "service",
    "area",
    "price_from",
    "price_to",
    "currency",
    "wanted_slot",
    "acknowledgement/at",
    "acknowledgement/by",
    "acknowledgement/comment",
    "sla/kept",
    "call_id",
    "simulated",
    "late",
    "updated_at",
];

/// The operations on leads.
pub struct LeadsApi(pub AdminState);

impl LeadsApi {
    async fn page(&self, caller: &Caller, rulebook_id: Uuid, listing: &Listing) -> Result<Page<Lead>, Problem> {
        let mut select = leads::Entity::find().filter(leads::Column::RulebookId.eq(rulebook_id));
        for (name, column) in [
            ("call_id", leads::Column::CallId),
            ("priority", leads::Column::Priority),
            ("service", leads::Column::Service),
            ("area", leads::Column::Area),
        ] {
            if let Some(text) = listing.text(name) {
                select = select.filter(column.eq(text));
            }
        }
        let backend = self.0.read().get_database_backend();
        for condition in people(backend, listing)? {
            select = select.filter(condition);
        }
        if let Some(words) = Words::of(listing, self.0.clock.now())? {
            select = select.filter(words.said_in("leads.call_id", "problem"));
            select = select.filter(leads::Column::CreatedAt.gte(words.since));
        }
        if let Some(since) = listing.time("since") {
            select = select.filter(leads::Column::CreatedAt.gte(since));
        }
        if let Some(until) = listing.time("until") {
            select = select.filter(leads::Column::CreatedAt.lt(until));
        }
        if let Some(simulated) = listing.boolean("simulated") {
            select = select.filter(calls::simulated(&leads::Column::CallId, simulated));
        }
        if let Some(late) = listing.boolean("late") {
            select = select.filter(flag("late", late));
        }
        if let Some(capped) = listing.boolean("capped") {
            select = select.filter(flag("capped", capped));
        }
        if let Some(acknowledged) = listing.boolean("acknowledged") {
            select = select.filter(Expr::cust(if acknowledged { ACKNOWLEDGED } else { NOT_ACKNOWLEDGED }));
        }
        let rows = listing.rows_by_id(self.0.read(), select, leads::Column::Id).await?;
        let calls = rows.iter().map(|row| row.call_id.as_str()).collect();
        let mut handed_on = escalations::of_calls(self.0.read(), rulebook_id, calls).await?;
        let now = self.0.clock.now();
        Ok(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            |row| {
                let place = handed_on
                    .iter()
                    .position(|other| other.call_id.as_ref() == Some(&row.call_id));
                view(caller, row, place.map(|place| handed_on.swap_remove(place)), now)
            },
        ))
    }
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/leads")]
impl LeadsApi {
    /// List the leads
    ///
    /// `Accept: text/csv` gets all rows that match the filters, as a spreadsheet.
    #[oai(path = "/", method = "get")]
    async fn list_leads(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        query: ListQuery,
        wants: WantsCsv,
    ) -> Result<ListResponse<Lead>, Fails<NoExtraErrors>> {
        let mut listing = query.read(&LIST)?;
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let mut gathering = Gathering::of(&key, &wants, &mut listing, "leads", COLUMNS);
        loop {
            let page = self.page(&key, rulebook_id, &listing).await?;
            if let Some(found) = gathering.add(&mut listing, page)? {
                return Ok(found);
            }
        }
    }

    /// Read a lead
    #[oai(path = "/:id", method = "get")]
    async fn get_lead(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// The lead's id.
        id: Path<Uuid>,
    ) -> Result<ReadResponse<Lead>, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let found = leads::Entity::find_by_id((rulebook_id, id.0))
            .one(self.0.read())
            .await?;
        let row = found.ok_or_else(|| Problem::not_found(format!("lead `{}`", id.0)))?;
        let handed_on = escalations::of_call(self.0.read(), rulebook_id, &row.call_id).await?;
        Ok(ReadResponse::new(view(&key, row, handed_on, self.0.clock.now())))
    }

    /// Acknowledge a lead
    ///
    /// The escalation stops. If somebody has already acknowledged the lead, the response is 409 and says who.
    #[oai(path = "/:id/acknowledge", method = "post")]
    async fn acknowledge_lead(
        &self,
        key: Key<Dispatcher>,
        rulebook: RulebookInPath,
        /// The lead's id.
        id: Path<Uuid>,
        /// Idempotency key: if the request is repeated within a day, it has no second effect and gets the first
        /// response again.
        #[oai(name = "Idempotency-Key")]
        once: Once,
        body: Body<Taking>,
    ) -> Result<IdempotentResponse<ReadResponse<Lead>>, Fails<AcknowledgesLead>> {
        let loaded = self.0.head_rows(&key, &rulebook.0).await?;
        let rulebook_id = loaded.rulebook_id;
        let claim = match once.begin(&self.0, &key, Some(rulebook_id)).await? {
            Begun::Go(claim) => claim,
            Begun::Again(answer) => return Ok(answer),
        };
        let codes = &loaded.rows().contacts;
        let taker = taker(body.0, |code| codes.contains_key(code), &key)?;
        let latest = self.0.latest();
        let found = leads::Entity::find_by_id((rulebook_id, id.0)).one(latest).await?;
        let row = found.ok_or_else(|| Problem::not_found(format!("lead `{}`", id.0)))?;
        let before = escalations::of_call(latest, rulebook_id, &row.call_id).await?;
        let now = self.0.clock.now();
        let started_at = before.as_ref().map(|before| before.started_at);
        let new_id = self.0.clock.new_id();
        let as_taken = taken(before, (rulebook_id, new_id), &row.call_id, &taker, now);
        let answer = IdempotentResponse::new(ReadResponse::new(view(&key, row.clone(), Some(as_taken), now))).await?;
        let code = id.0.to_string();
        let what = ("acknowledge", "leads", code.as_str());
        let after = json!({"acknowledged_by": taker.by});
        let entry = audited_write::entry(&self.0, &key, Some(rulebook_id), what, None, Some(after));
        let (kept, call_id) = (claim.seal(&answer)?, row.call_id.clone());
        let done = audited_write::write(&self.0, entry, move |tx| {
            Box::pin(async move {
                // If another request was first, the code below returns its response or says who acknowledged the lead.
                if !claim.take(tx).await? {
                    return Ok(false);
                }
                let first = escalations::take_call(tx, (rulebook_id, new_id), &call_id, &taker, now).await?;
                if first {
                    kept.write(tx).await?;
                }
                Ok(first)
            })
        });
        if done.await? {
            if !dry_run::is_on() {
                metrics::acknowledged(now - started_at.unwrap_or(row.created_at));
            }
            return Ok(answer);
        }
        if let Begun::Again(answer) = once.begin(&self.0, &key, Some(rulebook_id)).await? {
            return Ok(answer);
        }
        let by_now = escalations::of_call(latest, rulebook_id, &row.call_id).await?;
        Err(taken_already(by_now.as_ref()).into())
    }
}

/// SQL condition: somebody has acknowledged the lead.
const ACKNOWLEDGED: &str = "EXISTS (SELECT 1 FROM escalations e WHERE e.rulebook_id = leads.rulebook_id AND e.call_id = \
                     leads.call_id AND e.acknowledged_at IS NOT NULL)";
/// SQL condition: nobody has acknowledged the lead.
pub(super) const NOT_ACKNOWLEDGED: &str = "NOT EXISTS (SELECT 1 FROM escalations e WHERE e.rulebook_id = leads.rulebook_id AND e.call_id \
                         = leads.call_id AND e.acknowledged_at IS NOT NULL)";
