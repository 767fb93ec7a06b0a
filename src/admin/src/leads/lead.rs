//! A lead as the API returns it, with its escalation and acknowledgement.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use uuid::Uuid;

use super::sla::{Sla, sla};
use crate::auth::Caller;
use crate::masking;
use rules::money::Money;
use store::escalations::{self, ALL, FIRST, NEXT};
use store::{calls, leads};

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

/// The contacts notified of a P1 before somebody acknowledged the lead.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Escalation {
    /// Seconds between two steps; 0 means that there is no next step.
    after_s: i64,
    /// The steps, in order.
    steps: Vec<EscalationStep>,
    /// Time of the next step; absent if the lead was acknowledged or no contact is left.
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

fn step_name(step: i64) -> &'static str {
    match step {
        FIRST => "first",
        NEXT => "next",
        ALL => "all",
        _ => "nobody_left",
    }
}

pub(super) fn view(
    caller: &Caller,
    row: leads::Model,
    handed_on: Option<escalations::Model>,
    now: DateTime<Utc>,
) -> Lead {
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
