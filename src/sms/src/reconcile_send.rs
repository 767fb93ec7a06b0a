//! Searches Twilio's list for an SMS message with an ambiguous outcome. If Twilio has the message, Twilio's status of
//! the message is applied. Otherwise the message is sent again if its priority allows a resend, or given up with a
//! notice.
//!
//! The provider's list may lag behind, so it is read only some time after the attempt. An unreadable list is read again
//! until a time limit. After this limit, the message counts as not found.

use sea_orm::DbErr;

use super::accounts::TwilioAccount;
use super::breaker::BreakerChange;
use super::classify::classify;
use super::notice;
use super::record_callback::{keep, known};
use super::record_result::{contact_is_served, count_state, raise_notice, report, resumed, write_off};
use super::retry::{GivenUp, may_resend, requeue};
use super::status::{StatusEffect, StatusMeaning, after_report, of_word};
use super::twilio::MessageSearch;
use super::{OutboxError, OutboxState};
use store::fault_points::{self, Step};
use store::sms_messages::{ACCEPTED, AMBIGUOUS, DEAD, DELIVERED, Model};
use store::{begin, sms_attempts, sms_messages, sms_status_callbacks};

/// Searches for an SMS message, and writes the result.
pub(super) async fn reconcile_send(
    shared: &OutboxState,
    row: &Model,
    account: &TwilioAccount,
) -> Result<(), OutboxError> {
    let attempts = sms_attempts::of_message(&shared.db, row.rulebook_id, row.id).await?;
    let since = attempts.first().map_or(row.created_at, |attempt| attempt.started_at);
    let known_since = attempts
        .last()
        .and_then(|attempt| attempt.finished_at)
        .unwrap_or(row.updated_at);
    let said = sms_status_callbacks::of_message(&shared.db, row.rulebook_id, row.id).await?;
    let failed = said
        .into_iter()
        .filter(|said| matches!(of_word(&said.status), Some((_, StatusMeaning::Failed))));
    let failed: Vec<String> = failed.map(|said| said.provider_id).collect();
    let listed = shared
        .client
        .find(account, &row.to_number, since, &row.reference, &failed, shared.now())
        .await;
    fault_points::reach(Step::LookAnswered)?;
    let (turn, refused) = match &listed {
        MessageSearch::Unreadable(answer) => {
            let outcome = classify(answer);
            (
                report(shared, account, answer, &outcome),
                outcome == super::classify::SendOutcome::Credentials,
            )
        }
        MessageSearch::Found(_) | MessageSearch::Missing => {
            let now = shared.now();
            let well = super::breaker::Health::Well;
            (
                shared.breaker(account, |breaker| breaker.report(&shared.settings.breaker, well, now)),
                false,
            )
        }
    };
    conclude(shared, row, &listed, known_since, turn, refused).await?;
    Ok(())
}

async fn conclude(
    shared: &OutboxState,
    row: &Model,
    listed: &MessageSearch,
    known_since: chrono::DateTime<chrono::Utc>,
    turn: BreakerChange,
    refused: bool,
) -> Result<(), DbErr> {
    let now = shared.now();
    let retry_policy = &shared.settings.retry_policy;
    let held = row.fence;
    let tx = begin(&shared.db).await?;
    let mut after = row.clone();
    after.lease_until = None;
    after.updated_at = now;
    let unreadable = matches!(listed, MessageSearch::Unreadable(_));
    let mut given_up = None;
    let known = known(&tx, row, None, retry_policy).await?;
    if let MessageSearch::Found(report) = listed {
        let turnout;
        (after, turnout) = after_report(after, report, known, retry_policy, now, (shared.random)());
        if let StatusEffect::GivenUp(why) = turnout {
            given_up = Some(why);
        }
    } else if unreadable && now - known_since < retry_policy.ambiguous_limit {
        after.state = AMBIGUOUS.into();
        after.next_attempt_at = now + retry_policy.ambiguous_wait;
    } else if may_resend(&row.priority, known.sends, retry_policy) {
        (after, given_up) = requeue(after, known.unsent, now, retry_policy);
    } else {
        after.state = DEAD.into();
        given_up = Some(GivenUp::Unknown);
    }
    let written = match given_up {
        Some(why) => write_off(shared, &tx, held, &mut after, why, now).await?,
        None => sms_messages::save(&tx, held, &after).await?,
    };
    // If the row has changed since the list was read, the list is older than that change. A status from this list could
    // hide a later status, so it is not stored.
    if let MessageSearch::Found(report) = listed
        && written
    {
        keep(&tx, row, report, now).await?;
    }
    if written && [ACCEPTED, DELIVERED].contains(&after.state.as_str()) {
        contact_is_served(&tx, &after, now).await?;
    }
    if refused || turn == BreakerChange::Stopped {
        raise_notice(shared, &tx, notice::stopped(row.rulebook_id, refused), now).await?;
    } else if !unreadable {
        resumed(&tx, row, now).await?;
    }
    fault_points::reach(Step::LookBeforeCommit)?;
    tx.commit().await?;
    fault_points::reach(Step::LookAfterCommit)?;
    if written {
        if given_up.is_none() {
            count_state(&after);
        }
        tracing::info!(sms = %row.id, state = after.state, "SMS message {} was searched for at the provider", row.id);
    }
    Ok(())
}
