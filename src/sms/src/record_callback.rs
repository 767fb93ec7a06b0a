//! Records status callbacks: stores the status and updates the SMS message, in one transaction.

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, DbErr};
use uuid::Uuid;

use super::record_result::{contact_is_served, count_state, give_up, note_opt_out, unsent};
use super::retry_policy::RetryPolicy;
use super::status::{KnownStatuses, Report, StatusEffect, StatusMeaning, after_report, of_word, rank_of};
use super::{Accounts, Outbox, OutboxError, OutboxState};
use base::telemetry::metrics;
use store::sms_attempts::Finish;
use store::sms_messages::{ACCEPTED, DELIVERED, Model, SENDING};
use store::{begin, rulebooks, sms_attempts, sms_messages, sms_status_callbacks};

/// The effect of a status callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackEffect {
    /// The SMS message was updated.
    Step,
    /// The status was stored, and the SMS message did not change.
    Kept,
    /// There is no such SMS message.
    Unknown,
}

impl Outbox {
    /// Returns the id of the rulebook to which an SMS message belongs.
    pub async fn owner(&self, id: Uuid) -> Result<Option<Uuid>, OutboxError> {
        Ok(sms_messages::rulebook_of(&self.shared().db, id).await?)
    }

    /// Returns the id and the code of every rulebook.
    pub async fn rulebooks(&self) -> Result<Vec<(Uuid, String)>, OutboxError> {
        Ok(rulebooks::all_codes(&self.shared().db).await?)
    }

    /// The accounts of all rulebooks.
    #[must_use]
    pub fn accounts(&self) -> &Accounts {
        &self.shared().accounts
    }

    /// Records a status. Run this function in a separate task, because cancelling it would interrupt a transaction.
    pub async fn note_status(
        &self,
        rulebook_id: Uuid,
        id: Uuid,
        report: &Report,
    ) -> Result<CallbackEffect, OutboxError> {
        let shared = self.shared();
        let tx = begin(&shared.db).await?;
        let Some(row) = sms_messages::locked(&tx, rulebook_id, id).await? else {
            return Ok(CallbackEffect::Unknown);
        };
        let noted = note(shared, &tx, row, report, shared.now()).await?;
        tx.commit().await?;
        tracing::info!(sms = %id, status = report.status, error_code = report.error_code, step = noted == CallbackEffect::Step,
            "Twilio reports SMS message {id} as {}", report.status);
        Ok(noted)
    }
}

/// Stores a status and updates the SMS message.
async fn note(
    shared: &OutboxState,
    tx: &DatabaseTransaction,
    row: Model,
    report: &Report,
    now: DateTime<Utc>,
) -> Result<CallbackEffect, DbErr> {
    let known = known(tx, &row, Some(&report.sid), &shared.settings.retry_policy).await?;
    keep(tx, &row, report, now).await?;
    let was = row.state.clone();
    let (mut after, turnout) = after_report(
        row,
        report,
        known,
        &shared.settings.retry_policy,
        now,
        (shared.random)(),
    );
    if turnout == StatusEffect::NoStep {
        return Ok(CallbackEffect::Kept);
    }
    if was == SENDING {
        let how = Finish {
            outcome: "accepted",
            http_status: None,
            error_code: report.error_code,
            detail: "Twilio's status callback came before its response",
            at: now,
        };
        sms_attempts::finish(tx, after.rulebook_id, after.id, after.attempts, how).await?;
        metrics::sms_attempt(how.outcome);
    }
    // The new fencing token prevents a worker that is sending or searching right now from writing its result.
    after.fence += 1;
    note_opt_out(shared, tx, &after, report.error_code, now).await?;
    match turnout {
        StatusEffect::GivenUp(why) => give_up(shared, tx, &mut after, why, now).await?,
        _ => sms_messages::record(tx, &after).await?,
    }
    if after.state == ACCEPTED || after.state == DELIVERED {
        contact_is_served(tx, &after, now).await?;
    }
    if after.state != was && !matches!(turnout, StatusEffect::GivenUp(_)) {
        count_state(&after);
    }
    Ok(CallbackEffect::Step)
}

/// Reads the known statuses and counts of an SMS message, including the status rank of the Twilio message `sid`.
pub(super) async fn known(
    tx: &DatabaseTransaction,
    row: &Model,
    sid: Option<&str>,
    retry_policy: &RetryPolicy,
) -> Result<KnownStatuses, DbErr> {
    let said = sms_status_callbacks::of_message(tx, row.rulebook_id, row.id).await?;
    let of_sid = said.iter().filter(|said| Some(said.provider_id.as_str()) == sid);
    let failed = said.iter().filter(|said| {
        let ended = matches!(of_word(&said.status), Some((_, StatusMeaning::Failed)));
        ended && Some(said.provider_id.as_str()) != sid && said.received_at >= row.since()
    });
    Ok(KnownStatuses {
        rank: of_sid.map(|said| rank_of(&said.status)).max().unwrap_or(0),
        sends: sms_attempts::count_sends(tx, row.rulebook_id, row.id, row.series_from).await?,
        unsent: unsent(tx, row, retry_policy).await?,
        failures: failed.count() as u64,
    })
}

/// Stores a status, even if it changes nothing.
pub(super) async fn keep(
    tx: &DatabaseTransaction,
    row: &Model,
    report: &Report,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let said = sms_status_callbacks::Model {
        rulebook_id: row.rulebook_id,
        sms_message_id: row.id,
        provider_id: report.sid.clone(),
        status: report.status.clone(),
        error_code: report.error_code,
        received_at: now,
    };
    sms_status_callbacks::keep(tx, said).await
}
