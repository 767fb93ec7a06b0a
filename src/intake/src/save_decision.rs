//! Stores a decision, and counts the scripts that failed during the decision.

use std::sync::PoisonError;

use sea_orm::{DatabaseTransaction, DbErr};
use uuid::Uuid;

use super::evaluate::DecisionRecord;
use super::message_write::MessageWrite;
use base::telemetry;
use rules::script::ScriptVersion;
use store::decisions::{self, NewDecision};
use store::notices::{self, Notice, Severity};

impl DecisionRecord {
    /// Stores the decision, and raises a notice about each script that failed.
    pub(super) async fn save(
        &self,
        step: &MessageWrite<'_>,
        tx: &DatabaseTransaction,
        purpose: &str,
    ) -> Result<(), DbErr> {
        decisions::insert(tx, self.new_row(step, purpose)?).await?;
        self.recorded(step, tx).await
    }

    /// Counts the rows and scripts of a stored decision, and raises a notice about each script that failed.
    pub(super) async fn recorded(&self, step: &MessageWrite<'_>, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        self.counts(step);
        for faulted in &self.faulted {
            script_failed(step, tx, faulted).await?;
        }
        Ok(())
    }

    /// Builds the row of the decision.
    pub(super) fn new_row<'a>(
        &'a self,
        step: &'a MessageWrite<'_>,
        purpose: &'a str,
    ) -> Result<NewDecision<'a>, DbErr> {
        let message = step.message;
        let decision = &self.decision;
        let price = decision.price.as_ref();
        let (extracted, result) = self.row_json().map_err(|error| DbErr::Json(error.to_string()))?;
        Ok(NewDecision {
            rulebook_id: message.access.rulebook_id,
            id: self.id,
            call_id: message.event.call_id(),
            event_id: step.event_id,
            purpose,
            revision: decision.revision,
            decided_for: self.at,
            extracted,
            result,
            service: decision.service.as_deref(),
            priority: decision.priority.name(),
            price_from: price.map(|price| price.from.minor()),
            price_to: price.map(|price| price.to.minor()),
            degraded: decision.is_degraded() || step.recorded_response.is_some(),
            duration_us: self.duration_us,
            created_at: message.received_at,
        })
    }

    /// Counts the rows and scripts that the decision used.
    pub(super) fn counts(&self, step: &MessageWrite<'_>) {
        step.counts(&self.decision);
        let quarantines = step.intake.current.quarantines();
        for ran in &self.ran {
            quarantines.ran(step.message.access.rulebook_id, ran);
        }
    }
}

/// Handles a script that failed during the decision about a call. The decision was made without the script, a notice is
/// raised, and a script that fails repeatedly is quarantined.
pub(super) async fn script_failed(
    step: &MessageWrite<'_>,
    tx: &DatabaseTransaction,
    faulted: &ScriptVersion,
) -> Result<(), DbErr> {
    let (message, clock) = (step.message, &step.intake.clock);
    let (rulebook_id, now) = (message.access.rulebook_id, message.received_at);
    telemetry::metrics::script_fault();
    notices::raise(tx, failed_notice(rulebook_id, &faulted.code), now, clock.new_id()).await?;
    let quarantines = step.intake.current.quarantines();
    if let Some(row) = quarantines.count(tx, rulebook_id, faulted, now, clock).await? {
        step.quarantined
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(row);
    }
    Ok(())
}

fn failed_notice(rulebook_id: Uuid, script: &str) -> Notice {
    Notice {
        rulebook_id,
        code: "script_failed",
        severity: Severity::Warning,
        subject: format!("script {script}"),
        text: format!("The script `{script}` failed; calls are answered without it."),
        what_to_do:
            "Test the script with `test_script` on the facts of a degraded decision, then correct it or delete it."
                .to_owned(),
    }
}
