//! Serves leads: callers to call back, with the notified contacts and the person who acknowledged the lead.

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::audited_write;
use super::auth::{Caller, Dispatcher, Key, Viewer};
use super::body::Body;
use super::calls::people;
use super::errors::{AcknowledgesLead, Fails, NoExtraErrors};
use super::idempotency::{Begun, IdempotentResponse, Once};
use super::list::{Filter, FilterType, ListQuery, ListSpec, Listing, flag};
use super::list_csv::{Gathering, ListResponse, WantsCsv};
use super::masking;
use super::responses::{Page, ReadResponse};
use super::state::{AdminState, RulebookInPath, shortened};
use super::transcript_filter::{WORDS, Words};
use base::telemetry::metrics;
use rules::money::Money;
use store::dry_run;
use store::escalations::{self, ALL, FIRST, NEXT, Taker};
use store::{calls, leads};
use web::problem::{Code, Problem};

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
            kind: FilterType::Text,
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

/// The columns of the list as a spreadsheet.
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

/// A caller to call back; ids are time-ordered.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Lead {
    id: Uuid,
    /// The call that the lead came from.
    call_id: String,
    /// Whether `ringbook simulate` played that call.
    simulated: bool,
    /// The caller's name.
    customer_name: Option<String>,
    /// The caller's number; masked for viewers.
    customer_number: Option<String>,
    /// The caller's e-mail address.
    customer_email: Option<String>,
    /// The address of the job.
    address: Option<String>,
    /// The city.
    city: Option<String>,
    /// The postal code.
    postal_code: Option<String>,
    /// The problem, in the caller's words.
    problem: Option<String>,
    /// The code of the service.
    service: Option<String>,
    /// The code of the service area.
    area: Option<String>,
    /// The currency of the prices.
    currency: Option<String>,
    /// Lowest quoted price, before tax.
    price_from: Option<Money>,
    /// Highest quoted price, before tax.
    price_to: Option<Money>,
    /// The revision that quoted the price.
    quote_revision: Option<i64>,
    /// How urgent the lead is.
    priority: Option<String>,
    /// Seconds within which somebody should call back.
    sla_seconds: Option<i64>,
    /// When the callback is due.
    due_at: Option<DateTime<Utc>>,
    /// The appointment that the caller wants.
    wanted_slot: Option<String>,
    /// The decision on the report.
    decision_id: Option<Uuid>,
    /// The decision behind the quote.
    quote_decision_id: Option<Uuid>,
    /// Whether the report came too late to notify anyone.
    late: bool,
    /// Whether the daily cap prevented an SMS message about the lead.
    capped: bool,
    /// Who acknowledged the lead; absent before that.
    acknowledgement: Option<Acknowledgement>,
    /// Whether the lead was acknowledged in time.
    sla: Option<Sla>,
    /// Only for a P1: who was notified, and when.
    escalation: Option<Escalation>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// When the caller's data was erased.
    erased_at: Option<DateTime<Utc>>,
}

/// Who acknowledged a lead.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Acknowledgement {
    at: DateTime<Utc>,
    /// A contact's code, or a name.
    by: String,
    /// How: by an SMS reply (`reply`) or through this API (`api`).
    how: String,
    /// The comment.
    comment: Option<String>,
}

/// Whether a lead was acknowledged in time.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Sla {
    /// The deadline to acknowledge the lead. If `sla_seconds` is 0, the time at which the lead goes to the next
    /// contact.
    due_at: DateTime<Utc>,
    /// Whether the lead was acknowledged in time; absent while that is still possible.
    kept: Option<bool>,
}

/// The notified contacts of a P1, until somebody acknowledged the lead.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Escalation {
    /// Seconds from one step to the next step; 0: there is no next step.
    after_s: i64,
    /// The steps, in order.
    steps: Vec<EscalationStep>,
    /// When the next step happens; absent if the lead was acknowledged or nobody is left.
    next_at: Option<DateTime<Utc>>,
}

/// A step of an escalation.
#[derive(Debug, Object)]
pub struct EscalationStep {
    /// `first`, `next`, `all`, or `nobody_left`, which raises a notice.
    step: String,
    at: DateTime<Utc>,
    /// The codes of the notified contacts.
    contacts: Vec<String>,
}

/// The acknowledgement of a lead.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(skip_serializing_if_is_none)]
pub struct Taking {
    /// The code of the contact who acknowledges the lead.
    pub contact: Option<String>,
    /// The person's name, instead of `contact`; by default the name of the API key.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub by: Option<String>,
    /// A comment.
    #[oai(validator(max_length = 500))]
    pub comment: Option<String>,
}

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
                // If somebody else was first, with this idempotency key or another, the code below reads who it was.
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

/// The condition that somebody has acknowledged a lead.
const ACKNOWLEDGED: &str = "EXISTS (SELECT 1 FROM escalations e WHERE e.rulebook_id = leads.rulebook_id AND e.call_id = \
                     leads.call_id AND e.acknowledged_at IS NOT NULL)";
/// The condition that nobody has acknowledged a lead.
pub(super) const NOT_ACKNOWLEDGED: &str = "NOT EXISTS (SELECT 1 FROM escalations e WHERE e.rulebook_id = leads.rulebook_id AND e.call_id \
                         = leads.call_id AND e.acknowledged_at IS NOT NULL)";

/// Returns the person who acknowledges the lead, from the body or the API key.
fn taker(body: Taking, is_contact: impl Fn(&str) -> bool, caller: &Caller) -> Result<Taker, Problem> {
    let by = match (body.contact, body.by.map(|by| by.trim().to_owned())) {
        (Some(_), Some(_)) => {
            let text = "Give `contact` or `by`, not both.";
            return Err(Problem::fault("/by", "invalid_value", text));
        }
        (Some(code), None) if !is_contact(&code) => {
            let text = format!("There is no contact `{}` in this rulebook.", shortened(&code));
            return Err(Problem::fault("/contact", "unknown_reference", text));
        }
        (Some(code), None) => code,
        (None, Some(by)) => by,
        (None, None) => caller.author().name,
    };
    Ok(Taker {
        by,
        how: "api",
        comment: body.comment,
    })
}

/// Returns the escalation as it is after the lead is acknowledged.
fn taken(
    before: Option<escalations::Model>,
    (rulebook_id, id): (Uuid, Uuid),
    call_id: &str,
    taker: &Taker,
    now: DateTime<Utc>,
) -> escalations::Model {
    let new = || escalations::Model::untold(rulebook_id, id, call_id, now);
    escalations::Model {
        next_at: None,
        acknowledged_at: Some(now),
        acknowledged_by: Some(taker.by.clone()),
        acknowledged_how: Some(taker.how.to_owned()),
        comment: taker.comment.clone(),
        ..before.unwrap_or_else(new)
    }
}

fn taken_already(row: Option<&escalations::Model>) -> Problem {
    let by = row.and_then(|row| row.acknowledged_by.as_deref()).unwrap_or("somebody");
    let at = row.and_then(|row| row.acknowledged_at).map(|at| at.to_rfc3339());
    let how = row.and_then(|row| row.acknowledged_how.as_deref()).unwrap_or("api");
    let by = shortened(by);
    let at = at.unwrap_or_default();
    Problem::new(
        Code::Conflict,
        format!("`{by}` has already acknowledged this lead, at {at} by {how}."),
    )
}

/// Whether a lead missed its SLA; false before the deadline.
pub(super) fn is_late(row: &leads::Model, handed_on: Option<&escalations::Model>, now: DateTime<Utc>) -> bool {
    sla(row, handed_on, now).is_some_and(|sla| sla.kept == Some(false))
}

/// Returns the deadline to acknowledge a lead, and whether it was met. With an SLA of 0 seconds, the deadline is the
/// time at which the lead goes to the next contact.
fn sla(row: &leads::Model, handed_on: Option<&escalations::Model>, now: DateTime<Utc>) -> Option<Sla> {
    let due_at = row.due_at?;
    let grace = handed_on
        .filter(|_| row.sla_seconds == Some(0))
        .map_or(0, |one| one.after_s);
    let due_at = due_at + TimeDelta::try_seconds(grace).unwrap_or_default();
    let taken_at = handed_on.and_then(|one| one.acknowledged_at);
    let kept = match taken_at {
        Some(at) => Some(at <= due_at),
        None => (now > due_at).then_some(false),
    };
    Some(Sla { due_at, kept })
}

fn step_name(step: i64) -> &'static str {
    match step {
        FIRST => "first",
        NEXT => "next",
        ALL => "all",
        _ => "nobody_left",
    }
}

fn view(caller: &Caller, row: leads::Model, handed_on: Option<escalations::Model>, now: DateTime<Utc>) -> Lead {
    let sla = sla(&row, handed_on.as_ref(), now);
    let steps = handed_on.as_ref().map(escalations::Model::steps).unwrap_or_default();
    let steps = steps.into_iter().map(|told| EscalationStep {
        step: step_name(told.step).to_owned(),
        at: told.at,
        contacts: told.contacts,
    });
    let steps: Vec<EscalationStep> = steps.collect();
    let escalation = handed_on.as_ref().filter(|_| !steps.is_empty()).map(|one| Escalation {
        after_s: one.after_s,
        next_at: one.next_at,
        steps,
    });
    let acknowledgement = handed_on.and_then(|one| {
        Some(Acknowledgement {
            at: one.acknowledged_at?,
            by: one.acknowledged_by.unwrap_or_default(),
            how: one.acknowledged_how.unwrap_or_default(),
            comment: masking::text(caller, one.comment),
        })
    });
    Lead {
        capped: row.capped,
        acknowledgement,
        sla,
        escalation,
        id: row.id,
        simulated: calls::is_simulated(Some(&row.call_id)),
        call_id: row.call_id,
        customer_name: row.customer_name,
        customer_number: masking::number(caller, row.customer_number),
        customer_email: row.customer_email,
        address: row.address,
        city: row.city,
        postal_code: row.postal_code,
        problem: masking::text(caller, row.problem),
        service: row.service,
        area: row.area,
        currency: row.currency,
        price_from: row.price_from.map(Money::from_minor),
        price_to: row.price_to.map(Money::from_minor),
        quote_revision: row.quote_revision,
        priority: row.priority,
        sla_seconds: row.sla_seconds,
        due_at: row.due_at,
        wanted_slot: row.wanted_slot,
        decision_id: row.decision_id,
        quote_decision_id: row.quote_decision_id,
        late: row.late,
        created_at: row.created_at,
        updated_at: row.updated_at,
        erased_at: row.erased_at,
    }
}
