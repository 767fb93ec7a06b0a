//! A decision about a message, with what it was made from and how long it took.

use std::time::Instant;

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::Value;
use uuid::Uuid;

use super::event::Event;
use super::facts;
use super::transact::Step;
use crate::clock::Clock;
use crate::rulebook::compile::Rulebook;
use crate::rulebook::decision::Decision;
use crate::rulebook::facts::Extracted;
use crate::rulebook::rows::Priority;
use crate::store::intake::{self, NewDecision};
use crate::store::notices::{self, Notice, Severity};
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
    /// Keeps it, and tells a person of the scripts that it had to leave out.
    pub(super) async fn save(&self, step: &Step<'_>, tx: &DatabaseTransaction, purpose: &str) -> Result<(), DbErr> {
        let (message, now) = (step.message, step.message.received_at);
        let rulebook_id = message.access.rulebook_id;
        let decision = &self.decision;
        let price = decision.price.as_ref();
        let json = |error: serde_json::Error| DbErr::Json(error.to_string());
        let new = NewDecision {
            rulebook_id,
            id: self.id,
            call_id: message.event.call_id(),
            event_id: step.event_id,
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
        intake::insert_decision(tx, new).await?;
        step.counts(decision);
        for script in &decision.dropped_scripts {
            let id = step.intake.clock.new_id();
            notices::raise(tx, script_failed(rulebook_id, script), now, id).await?;
        }
        Ok(())
    }
}

/// A script fails while calls are decided: they are decided without it.
pub(super) fn script_failed(rulebook_id: Uuid, script: &str) -> Notice {
    Notice {
        rulebook_id,
        code: "script_failed",
        severity: Severity::Warning,
        subject: format!("script {script}"),
        text: format!("The script `{script}` failed; calls are answered without what it would have said."),
        what_to_do: "Try it with `evaluate` on the facts of a degraded decision, then correct it or delete it."
            .to_owned(),
    }
}
