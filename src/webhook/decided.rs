//! A decision about a message, with what it was made from and how long it took.

use std::time::Instant;

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::Value;
use uuid::Uuid;

use super::event::Event;
use super::facts;
use crate::clock::Clock;
use crate::rulebook::compile::Rulebook;
use crate::rulebook::decision::Decision;
use crate::rulebook::facts::Extracted;
use crate::rulebook::rows::Priority;
use crate::store::intake::{self, NewDecision};
use crate::telemetry;

/// A decision to be kept.
#[derive(Debug)]
pub struct Decided {
    /// Its id.
    pub id: Uuid,
    /// What the message said.
    pub extracted: Extracted,
    /// The instant that it is about.
    pub at: DateTime<Utc>,
    /// What came out.
    pub decision: Decision,
    /// How long it took.
    pub duration_us: i64,
}

/// Decides about a message.
#[must_use]
pub fn decide(
    rulebook: &Rulebook,
    event: &Event,
    arguments: Option<&Value>,
    received_at: DateTime<Utc>,
    clock: &Clock,
) -> Decided {
    let started = Instant::now();
    let extracted = facts::extract(rulebook, event, arguments);
    let at = facts::instant(event, received_at);
    let decision = rulebook.decide(&extracted, at);
    let took = started.elapsed();
    telemetry::metrics::decision(level(decision.priority), decision.is_degraded(), took);
    Decided {
        id: clock.new_id(),
        extracted,
        at,
        decision,
        duration_us: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
    }
}

/// `P1` to `P4`.
#[must_use]
pub fn level(priority: Priority) -> &'static str {
    match priority {
        Priority::P1 => "P1",
        Priority::P2 => "P2",
        Priority::P3 => "P3",
        Priority::P4 => "P4",
    }
}

impl Decided {
    /// Keeps it.
    pub async fn save(
        &self,
        tx: &DatabaseTransaction,
        rulebook_id: Uuid,
        call_id: Option<&str>,
        event_id: Uuid,
        purpose: &str,
        now: DateTime<Utc>,
    ) -> Result<(), DbErr> {
        let decision = &self.decision;
        let price = decision.price.as_ref();
        let json = |error: serde_json::Error| DbErr::Json(error.to_string());
        let new = NewDecision {
            rulebook_id,
            id: self.id,
            call_id,
            event_id,
            purpose,
            revision: decision.revision,
            decided_for: self.at,
            extracted: serde_json::to_value(&self.extracted).map_err(json)?,
            result: serde_json::to_value(decision).map_err(json)?,
            service: decision.service.as_deref(),
            priority: level(decision.priority),
            price_from: price.map(|price| price.from.minor()),
            price_to: price.map(|price| price.to.minor()),
            degraded: decision.is_degraded(),
            duration_us: self.duration_us,
            created_at: now,
        };
        intake::insert_decision(tx, new).await
    }
}
