//! Decisions: every one with what it was made from and why.

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
use crate::store::decisions;

/// What the list can be asked.
pub const LIST: ListSpec = ListSpec {
    sorts: &["-id", "id"],
    filters: &[
        Filter {
            name: "call_id",
            kind: Kind::Text,
            doc: "Those of one call.",
        },
        Filter {
            name: "priority",
            kind: Kind::Choice(&["P1", "P2", "P3", "P4"]),
            doc: "The priority given.",
        },
        Filter {
            name: "service",
            kind: Kind::Text,
            doc: "The code of the service found.",
        },
        Filter {
            name: "purpose",
            kind: Kind::Text,
            doc: "What it was made for, as `report`.",
        },
        Filter {
            name: "revision",
            kind: Kind::Number,
            doc: "The revision that decided.",
        },
        Filter {
            name: "degraded",
            kind: Kind::Boolean,
            doc: "Whether something had to be left out.",
        },
    ],
};

/// The operations.
pub struct DecisionsApi(pub AdminState);

/// A stored decision; ids rise with time.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct StoredDecision {
    /// Its id.
    id: Uuid,
    /// The call it was made in.
    call_id: Option<String>,
    /// The message that asked for it.
    event_id: Uuid,
    /// What it was made for.
    purpose: String,
    /// The revision that decided.
    revision: i64,
    /// The instant it was decided for.
    decided_for: DateTime<Utc>,
    /// The service found.
    service: Option<String>,
    /// The priority given.
    priority: String,
    /// Lowest price before tax.
    price_from: Option<Money>,
    /// Highest price before tax.
    price_to: Option<Money>,
    /// Whether something had to be left out.
    degraded: bool,
    /// How long deciding took, in microseconds.
    duration_us: i64,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// The facts read from the message.
    extracted: Value,
    /// The whole decision with its trace.
    decision: Value,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/decisions")]
impl DecisionsApi {
    /// List the decisions
    #[oai(path = "/", method = "get")]
    async fn list_decisions(
        &self,
        key: Key<Viewer>,
        rulebook: InRulebook,
        query: ListQuery,
    ) -> Result<Found<Page<StoredDecision>>, Fails<Usual>> {
        let listing = query.read(&LIST)?;
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let mut select = decisions::Entity::find().filter(decisions::Column::RulebookId.eq(rulebook_id));
        for (name, column) in [
            ("call_id", decisions::Column::CallId),
            ("priority", decisions::Column::Priority),
            ("service", decisions::Column::Service),
            ("purpose", decisions::Column::Purpose),
        ] {
            if let Some(text) = listing.text(name) {
                select = select.filter(column.eq(text));
            }
        }
        if let Some(revision) = listing.number("revision") {
            select = select.filter(decisions::Column::Revision.eq(revision));
        }
        if let Some(degraded) = listing.boolean("degraded") {
            select = select.filter(decisions::Column::Degraded.eq(degraded));
        }
        let rows = listing.rows_by_id(&self.0.read, select, decisions::Column::Id).await?;
        Ok(Found::new(listing.page(
            rows,
            |row| (Value::Null, row.id.to_string()),
            |row| view(&key, row),
        )))
    }

    /// Read a decision
    #[oai(path = "/:id", method = "get")]
    async fn get_decision(
        &self,
        key: Key<Viewer>,
        rulebook: InRulebook,
        /// The decision's id.
        id: Path<Uuid>,
    ) -> Result<Found<StoredDecision>, Fails<Usual>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let found = decisions::Entity::find_by_id((rulebook_id, id.0))
            .one(&self.0.read)
            .await?;
        let row = found.ok_or_else(|| Problem::not_found(format!("decision `{}`", id.0)))?;
        Ok(Found::new(view(&key, row)))
    }
}

fn view(caller: &Caller, row: decisions::Model) -> StoredDecision {
    StoredDecision {
        id: row.id,
        call_id: row.call_id,
        event_id: row.event_id,
        purpose: row.purpose,
        revision: row.revision,
        decided_for: row.decided_for,
        service: row.service,
        priority: row.priority,
        price_from: row.price_from.map(Money::from_minor),
        price_to: row.price_to.map(Money::from_minor),
        degraded: row.degraded,
        duration_us: row.duration_us,
        created_at: row.created_at,
        extracted: masking::json(caller, row.extracted),
        decision: masking::json(caller, row.result),
    }
}
