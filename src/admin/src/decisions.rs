//! Serves stored decisions with their facts and traces, and replays them.

use chrono::{DateTime, Utc};
use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;
use uuid::Uuid;

use super::auth::{Caller, Key, Viewer};
use super::call_cases::erased;
use super::errors::{Again, Fails, NoExtraErrors};
use super::explanation::Explanation;
use super::list::{Filter, FilterType, ListQuery, ListSpec, flag};
use super::masking;
use super::responses::{Page, ReadResponse};
use super::state::{AdminState, RulebookInPath, unloadable};
use authoring::backtest::stored_facts;
use jobs::history::HistoryError;
use jobs::history::replay::{self, ReplayError};
use rules::decision::Decision;
use rules::money::Money;
use store::decisions;
use web::problem::Problem;

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
            doc: "The code of the service.",
        },
        Filter {
            name: "purpose",
            kind: FilterType::Text,
            doc: "Purpose, such as `report`.",
        },
        Filter {
            name: "revision",
            kind: FilterType::Number,
            doc: "The revision that decided.",
        },
        Filter {
            name: "degraded",
            kind: FilterType::Boolean,
            doc: "Whether the decision is degraded.",
        },
    ],
};

/// The operations on decisions.
pub struct DecisionsApi(pub AdminState);

/// A stored decision; ids are time-ordered.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct StoredDecision {
    id: Uuid,
    /// The call in which the decision was made.
    call_id: Option<String>,
    /// The message that requested the decision.
    event_id: Uuid,
    /// The purpose.
    purpose: String,
    /// The revision that decided.
    revision: i64,
    /// The instant for which the decision was made.
    decided_for: DateTime<Utc>,
    /// The service.
    service: Option<String>,
    /// The priority.
    priority: String,
    /// Lowest price before tax.
    price_from: Option<Money>,
    /// Highest price before tax.
    price_to: Option<Money>,
    /// Whether the decision is degraded.
    degraded: bool,
    /// The duration of the decision, in microseconds.
    duration_us: i64,
    /// When the decision was made.
    created_at: DateTime<Utc>,
    /// The facts from the message.
    extracted: Value,
    /// The whole decision with its trace.
    decision: Value,
    /// Every row and its effect; only with `explain`.
    explanation: Option<Explanation>,
}

/// The result of replaying a decision.
#[derive(Debug, Object)]
pub struct Replay {
    id: Uuid,
    /// The revision that decided.
    revision: i64,
    /// Whether the result is the same, byte for byte.
    same: bool,
    /// The differences.
    differences: Vec<ReplayDifference>,
}

/// A path at which the replayed decision differs.
#[derive(Debug, Object)]
pub struct ReplayDifference {
    /// The path in the decision, as a JSON pointer.
    place: String,
    /// The stored value at this path; null if there is none.
    stored: Value,
    /// The value in the replayed decision; null if there is none.
    now: Value,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/decisions")]
impl DecisionsApi {
    /// List the decisions
    #[oai(path = "/", method = "get")]
    async fn list_decisions(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        query: ListQuery,
    ) -> Result<ReadResponse<Page<StoredDecision>>, Fails<NoExtraErrors>> {
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
            select = select.filter(flag("degraded", degraded));
        }
        let rows = listing.rows_by_id(self.0.read(), select, decisions::Column::Id).await?;
        Ok(ReadResponse::new(listing.page(
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
        rulebook: RulebookInPath,
        /// The decision's id.
        id: Path<Uuid>,
        /// `true` adds an explanation: each row's effect on the price, or the first term that failed.
        explain: Query<Option<bool>>,
    ) -> Result<ReadResponse<StoredDecision>, Fails<Again>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let row = self.find(rulebook_id, id.0).await?;
        let explanation = match explain.0 {
            Some(true) => Some(self.explanation(&key, &rulebook.0, &row).await?),
            _ => None,
        };
        Ok(ReadResponse::new(StoredDecision {
            explanation,
            ..view(&key, row)
        }))
    }

    /// Replay a decision
    ///
    /// Decides again with the stored revision, facts and instant. The result must be the same, byte for byte, as JSON
    /// with sorted keys. A script that was skipped is skipped again. Nothing is stored.
    #[oai(path = "/:id/replay", method = "post")]
    async fn replay_decision(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// The decision's id.
        id: Path<Uuid>,
    ) -> Result<ReadResponse<Replay>, Fails<Again>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let row = self.find(rulebook_id, id.0).await?;
        let facts = row.extracted.to_string();
        let replayed = replay::one(
            &self.0.current,
            rulebook_id,
            row.revision,
            &facts,
            row.decided_for,
            row.result,
        );
        let replayed = replayed.await.map_err(|error| match error {
            ReplayError::Revision(error) => unloadable(error),
            ReplayError::History(HistoryError::Database(error)) => error.into(),
            ReplayError::History(error) => Problem::internal(&error),
        })?;
        let replayed = replayed.ok_or_else(|| erased(Some(id.0)))?;
        let differences = replayed.differences.into_iter().map(|difference| ReplayDifference {
            place: difference.place,
            stored: masking::json(&key, difference.stored),
            now: masking::json(&key, difference.now),
        });
        let differences: Vec<_> = differences.collect();
        Ok(ReadResponse::new(Replay {
            id: row.id,
            revision: row.revision,
            same: differences.is_empty(),
            differences,
        }))
    }
}

impl DecisionsApi {
    async fn find(&self, rulebook_id: Uuid, id: Uuid) -> Result<decisions::Model, Problem> {
        let found = decisions::Entity::find_by_id((rulebook_id, id))
            .one(self.0.read())
            .await?;
        found.ok_or_else(|| Problem::not_found(format!("decision `{id}`")))
    }

    async fn explanation(
        &self,
        caller: &Caller,
        rulebook: &str,
        row: &decisions::Model,
    ) -> Result<Explanation, Problem> {
        let current = &self.0.current;
        let then = current
            .at_for_people(row.rulebook_id, row.revision)
            .await
            .map_err(unloadable)?;
        let head = current.find(rulebook).await?.map_or(row.revision, |(_, head)| head);
        let internal = |error: serde_json::Error| Problem::internal(&error);
        let extracted = stored_facts(&row.extracted.to_string()).map_err(internal)?;
        let extracted = extracted.ok_or_else(|| erased(Some(row.id)))?;
        let decision: Decision = serde_json::from_value(row.result.clone()).map_err(internal)?;
        let left_out = then.explain_decision(&extracted, row.decided_for, &decision);
        Explanation::new(caller, rulebook, decision, left_out, head)
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
        explanation: None,
    }
}
