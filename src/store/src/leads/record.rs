//! Writes leads with the data that a message contains about the caller, the job and the price.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr, Value as Bind};
use uuid::Uuid;

use crate::insertion::Insertion;
use crate::sql::{owned, statement};

/// Known data of a lead. A field that is `None` leaves the stored value unchanged.
#[derive(Debug, Clone, Default)]
pub struct LeadPart<'a> {
    pub customer_name: Option<&'a str>,
    /// The phone number to call back.
    pub customer_number: Option<&'a str>,
    pub customer_email: Option<&'a str>,
    /// The address of the job.
    pub address: Option<&'a str>,
    pub city: Option<&'a str>,
    pub postal_code: Option<&'a str>,
    /// The problem, as the caller described it.
    pub problem: Option<&'a str>,
    pub service: Option<&'a str>,
    pub area: Option<&'a str>,
    /// Whether the price was determined. If so, the new price replaces the stored price, even if the new price is
    /// `None`.
    pub is_priced: bool,
    pub currency: Option<&'a str>,
    /// The lowest price, in minor units.
    pub price_from: Option<i64>,
    /// The highest price, in minor units.
    pub price_to: Option<i64>,
    /// The revision that determined the price.
    pub quote_revision: Option<i64>,
    pub priority: Option<&'a str>,
    /// Seconds within which somebody should call back.
    pub sla_seconds: Option<i64>,
    /// The time until which somebody should call back.
    pub due_at: Option<DateTime<Utc>>,
    /// The time that the caller wants for the visit.
    pub wanted_slot: Option<&'a str>,
    /// The decision that the lead is based on.
    pub decision_id: Option<Uuid>,
    /// The quote that the caller heard.
    pub quote_decision_id: Option<Uuid>,
    /// Whether the lead came too late to send an SMS message.
    pub late: bool,
}

impl LeadPart<'_> {
    /// The data about the caller, by fact name.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, Option<&str>); 8] {
        [
            ("customer_name", self.customer_name),
            ("customer_phone", self.customer_number),
            ("customer_email", self.customer_email),
            ("address", self.address),
            ("city", self.city),
            ("postal_code", self.postal_code),
            ("problem", self.problem),
            ("wanted_slot", self.wanted_slot),
        ]
    }
}

/// The lead of a call, to be inserted or updated.
#[derive(Debug, Clone)]
pub struct NewLead<'a> {
    /// The id to use if the call has no lead yet.
    pub id: Uuid,
    pub call_id: &'a str,
    pub part: LeadPart<'a>,
    pub now: DateTime<Utc>,
}

/// Inserts the lead of a call, or adds the data to the existing lead.
///
/// # Errors
/// When the database fails.
pub async fn upsert(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    id: Uuid,
    call_id: &str,
    lead: &LeadPart<'_>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let part = lead.clone();
    let lead = NewLead { id, call_id, part, now };
    insertion(rulebook_id, &[lead]).run(tx).await.map(drop)
}

/// Builds the insertion of leads. Either all leads must be priced, or none. The statement returns the stored leads,
/// except the leads of erased callers.
pub(crate) fn insertion(rulebook_id: Uuid, leads: &[NewLead<'_>]) -> Insertion {
    const INSERT: &str = "INSERT INTO leads (rulebook_id, id, call_id, customer_name, customer_number, customer_email, \
        address, city, postal_code, problem, service, area, currency, price_from, price_to, quote_revision, priority, \
        sla_seconds, due_at, wanted_slot, decision_id, quote_decision_id, late, created_at, updated_at)";
    const PRICE: &str = "currency = excluded.currency, price_from = excluded.price_from, price_to = excluded.price_to, \
        quote_revision = excluded.quote_revision, quote_decision_id = excluded.quote_decision_id, ";
    let price = if leads.iter().all(|lead| lead.part.is_priced) {
        PRICE
    } else {
        ""
    };
    let then = format!(
        "ON CONFLICT (rulebook_id, call_id) DO UPDATE SET {price}\
        customer_name = coalesce(excluded.customer_name, leads.customer_name), \
        customer_number = coalesce(excluded.customer_number, leads.customer_number), \
        customer_email = coalesce(excluded.customer_email, leads.customer_email), \
        address = coalesce(excluded.address, leads.address), city = coalesce(excluded.city, leads.city), \
        postal_code = coalesce(excluded.postal_code, leads.postal_code), \
        problem = coalesce(excluded.problem, leads.problem), service = coalesce(excluded.service, leads.service), \
        area = coalesce(excluded.area, leads.area), \
        priority = coalesce(excluded.priority, leads.priority), \
        sla_seconds = coalesce(excluded.sla_seconds, leads.sla_seconds), \
        due_at = coalesce(excluded.due_at, leads.due_at), \
        wanted_slot = coalesce(excluded.wanted_slot, leads.wanted_slot), \
        decision_id = coalesce(excluded.decision_id, leads.decision_id), \
        late = (leads.late OR excluded.late), \
        updated_at = excluded.updated_at \
        WHERE leads.erased_at IS NULL RETURNING *"
    );
    let rows = leads.iter().map(|lead| row(rulebook_id, lead));
    Insertion::of_values(INSERT, rows, then)
}

fn row(rulebook_id: Uuid, lead: &NewLead<'_>) -> [Bind; 25] {
    let part = &lead.part;
    [
        rulebook_id.into(),
        lead.id.into(),
        lead.call_id.into(),
        owned(part.customer_name),
        owned(part.customer_number),
        owned(part.customer_email),
        owned(part.address),
        owned(part.city),
        owned(part.postal_code),
        owned(part.problem),
        owned(part.service),
        owned(part.area),
        owned(part.currency),
        part.price_from.into(),
        part.price_to.into(),
        part.quote_revision.into(),
        owned(part.priority),
        part.sla_seconds.into(),
        part.due_at.into(),
        owned(part.wanted_slot),
        part.decision_id.into(),
        part.quote_decision_id.into(),
        part.late.into(),
        lead.now.into(),
        lead.now.into(),
    ]
}

/// Adds missing data about the caller to the lead of a call. Stored values do not change.
///
/// # Errors
/// When the database fails.
pub async fn fill(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    call_id: &str,
    lead: &LeadPart<'_>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    const SQL: &str = "UPDATE leads SET customer_name = coalesce(customer_name, $3), \
        customer_number = coalesce(customer_number, $4), customer_email = coalesce(customer_email, $5), \
        address = coalesce(address, $6), city = coalesce(city, $7), postal_code = coalesce(postal_code, $8), \
        problem = coalesce(problem, $9), updated_at = $10 \
        WHERE rulebook_id = $1 AND call_id = $2 AND erased_at IS NULL";
    let values: [Bind; 10] = [
        rulebook_id.into(),
        call_id.into(),
        owned(lead.customer_name),
        owned(lead.customer_number),
        owned(lead.customer_email),
        owned(lead.address),
        owned(lead.city),
        owned(lead.postal_code),
        owned(lead.problem),
        now.into(),
    ];
    tx.execute_raw(statement(tx, SQL, values)).await?;
    Ok(())
}
