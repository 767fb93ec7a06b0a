//! Leads: what calls leave for a person to do.

use chrono::{DateTime, Utc};
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;
use uuid::Uuid;

use super::answer::{Found, Page};
use super::auth::{Caller, Key, Viewer};
use super::fails::{Fails, Usual};
use super::list::{Filter, Kind, ListQuery, ListSpec};
use super::masking;
use super::state::{AdminState, InRulebook};
use crate::problem::Problem;
use crate::rulebook::money::Money;
use crate::store::leads;

/// What the list can be asked.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-id", "id"],
    filters: &[
        Filter {
            name: "call_id",
            kind: Kind::Text,
            doc: "That of one call.",
        },
        Filter {
            name: "priority",
            kind: Kind::Choice(&["P1", "P2", "P3", "P4"]),
            doc: "The priority given.",
        },
        Filter {
            name: "service",
            kind: Kind::Text,
            doc: "The code of the service asked for.",
        },
        Filter {
            name: "area",
            kind: Kind::Text,
            doc: "The code of the service area.",
        },
        Filter {
            name: "late",
            kind: Kind::Boolean,
            doc: "Whether the report came too late to text anyone.",
        },
    ],
};

/// The operations.
pub struct LeadsApi(pub AdminState);

/// Somebody to call back; ids rise with time.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Lead {
    /// Its id.
    id: Uuid,
    /// The call it came from.
    call_id: String,
    /// The caller's name.
    customer_name: Option<String>,
    /// The caller's number; masked for viewers.
    customer_number: Option<String>,
    /// The caller's e-mail address.
    customer_email: Option<String>,
    /// Where the work would be.
    address: Option<String>,
    /// The city.
    city: Option<String>,
    /// The postal code.
    postal_code: Option<String>,
    /// What is wrong, in the caller's words.
    problem: Option<String>,
    /// The code of the service.
    service: Option<String>,
    /// The code of the service area.
    area: Option<String>,
    /// The currency of the prices.
    currency: Option<String>,
    /// Lowest price before tax, as it was quoted.
    price_from: Option<Money>,
    /// Highest price before tax, as it was quoted.
    price_to: Option<Money>,
    /// The revision that quoted it.
    quote_revision: Option<i64>,
    /// How urgent it is.
    priority: Option<String>,
    /// Seconds within which somebody should call back.
    sla_seconds: Option<i64>,
    /// By when somebody should call back.
    due_at: Option<DateTime<Utc>>,
    /// When the caller would like us to come.
    wanted_slot: Option<String>,
    /// The decision made on the report.
    decision_id: Option<Uuid>,
    /// The decision that made the quote.
    quote_decision_id: Option<Uuid>,
    /// Whether the report came too late to text anyone.
    late: bool,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
    /// When the caller's data was erased.
    erased_at: Option<DateTime<Utc>>,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/leads")]
impl LeadsApi {
    /// List the leads
    #[oai(path = "/", method = "get")]
    async fn list_leads(
        &self,
        key: Key<Viewer>,
        rulebook: InRulebook,
        query: ListQuery,
    ) -> Result<Found<Page<Lead>>, Fails<Usual>> {
        let listing = query.read(&LIST)?;
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
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
        if let Some(late) = listing.boolean("late") {
            select = select.filter(leads::Column::Late.eq(late));
        }
        let rows = listing.rows_by_id(&self.0.read, select, leads::Column::Id).await?;
        Ok(Found::new(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            |row| view(&key, row),
        )))
    }

    /// Read a lead
    #[oai(path = "/:id", method = "get")]
    async fn get_lead(
        &self,
        key: Key<Viewer>,
        rulebook: InRulebook,
        /// The lead's id.
        id: Path<Uuid>,
    ) -> Result<Found<Lead>, Fails<Usual>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let found = leads::Entity::find_by_id((rulebook_id, id.0)).one(&self.0.read).await?;
        let row = found.ok_or_else(|| Problem::not_found(format!("lead `{}`", id.0)))?;
        Ok(Found::new(view(&key, row)))
    }
}

fn view(caller: &Caller, row: leads::Model) -> Lead {
    Lead {
        id: row.id,
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
