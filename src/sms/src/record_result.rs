//! Writes the outcome of an attempt in one transaction: the row of the SMS message, the attempt, and the notices. It
//! writes the row and the attempt only if this worker still holds the fencing token. It always updates the notices
//! about the account.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};
use uuid::Uuid;

use super::accounts::TwilioAccount;
use super::breaker::{BreakerChange, Health};
use super::classify::{Answer, SendOutcome, classify, meaning, provider_is_failing};
use super::error_codes::{DAILY_CAP, OPTED_OUT};
use super::notice::{self, HELD_BACK, INCOMPLETE, NO_ACCOUNT, PROVIDER};
use super::retry::{GivenUp, after_attempt};
use super::retry_policy::RetryPolicy;
use super::{OutboxError, OutboxState};
use base::telemetry::metrics;
use base::telemetry::rulebooks::named;
use store::fault_points::{self, Step};
use store::sms_attempts::Finish;
use store::sms_messages::{ACCEPTED, Model, SIMULATED};
use store::{begin, escalations, notices, sms_attempts, sms_messages, sms_suppressions};

/// The result of an attempt, ready to be written.
#[derive(Clone, Debug)]
pub(super) struct AttemptResult {
    pub(super) outcome: SendOutcome,
    pub(super) http_status: Option<i64>,
    pub(super) error_code: Option<i64>,
    pub(super) detail: &'static str,
    /// The effect of the response on the account's breaker.
    pub(super) turn: BreakerChange,
}

/// The detail that is stored with an attempt if the rulebook simulates its SMS messages.
const SIMULATES: &str = "the rulebook simulates its SMS messages";

/// Records SMS messages of one rulebook as simulated, in the transaction that has locked them. Nothing is sent, so the
/// claim and the result need no separate transactions.
pub(super) async fn record_simulated(
    tx: &DatabaseTransaction,
    rulebook_id: Uuid,
    rows: &[Model],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    if rows.is_empty() {
        return Ok(());
    }
    let how = Finish {
        outcome: SIMULATED,
        http_status: None,
        error_code: None,
        detail: SIMULATES,
        at: now,
    };
    sms_messages::simulate_each(tx, rulebook_id, rows, SIMULATES, now).await?;
    sms_attempts::record_each(
        tx,
        rows.iter().map(|row| (row.rulebook_id, row.id, row.attempts + 1)),
        how,
    )
    .await?;
    for code in [INCOMPLETE, NO_ACCOUNT] {
        notices::resolve(tx, rulebook_id, code, PROVIDER, now).await?;
    }
    Ok(())
}

/// Counts and logs an SMS message that [`record_simulated`] recorded. Call this function after the commit.
pub(super) fn count_simulated(row: &Model) {
    metrics::sms_attempt(SIMULATED);
    metrics::sms(SIMULATED);
    tracing::info!(sms = %row.id, rulebook = %named(row.rulebook_id), call = row.call_id, attempt = row.attempts + 1, state = SIMULATED,
        "SMS message {}: {SIMULATES}", row.id);
}

/// Classifies the response to a POST, and reports it to the account's breaker.
pub(super) fn judge(shared: &OutboxState, account: &TwilioAccount, answer: &Answer) -> AttemptResult {
    let outcome = classify(answer);
    let (http_status, error_code) = match answer {
        Answer::Http(http) => (Some(i64::from(http.status)), http.code),
        Answer::NotSent | Answer::Unknown => (None, None),
    };
    let turn = report(shared, account, answer, &outcome);
    AttemptResult {
        outcome,
        http_status,
        error_code,
        detail: meaning(answer),
        turn,
    }
}

/// Reports a response to the account's breaker.
pub(super) fn report(
    shared: &OutboxState,
    account: &TwilioAccount,
    answer: &Answer,
    outcome: &SendOutcome,
) -> BreakerChange {
    let health = if *outcome == SendOutcome::Credentials {
        Health::Refused
    } else if provider_is_failing(answer) {
        Health::Failing
    } else {
        Health::Well
    };
    let now = shared.now();
    shared.breaker(account, |breaker| breaker.report(&shared.settings.breaker, health, now))
}

/// Writes the result of an attempt. Returns whether this worker still held the fencing token. If the database is
/// unavailable, the write is retried for a while. If the write still fails, the lease expires, and a worker searches
/// for the SMS message.
pub(super) async fn record_result(
    shared: &OutboxState,
    row: &Model,
    result: &AttemptResult,
) -> Result<bool, OutboxError> {
    let mut pause = Duration::from_millis(100);
    for _ in 0..6 {
        match record_result_once(shared, row, result).await {
            Ok(written) => return Ok(written),
            Err(error) => {
                tracing::warn!(
                    sms = %row.id,
                    error = %error,
                    "the result of SMS message {} could not be written; the write is retried",
                    row.id
                );
            }
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    Ok(record_result_once(shared, row, result).await?)
}

async fn record_result_once(shared: &OutboxState, row: &Model, result: &AttemptResult) -> Result<bool, DbErr> {
    let now = shared.now();
    let held = row.fence;
    let unsent = unsent(&shared.db, row, &shared.settings.retry_policy).await?;
    let (mut after, given_up) = after_attempt(
        row.clone(),
        &result.outcome,
        unsent,
        &shared.settings.retry_policy,
        now,
        (shared.random)(),
    );
    if after.state != ACCEPTED {
        after.error_code = result.error_code;
        after.error = Some(result.detail.to_owned());
    }
    let tx = begin(&shared.db).await?;
    let written = match given_up {
        Some(why) => write_off(shared, &tx, held, &mut after, why, now).await?,
        None => sms_messages::save(&tx, held, &after).await?,
    };
    if written {
        let how = Finish {
            outcome: result.outcome.word(),
            http_status: result.http_status,
            error_code: result.error_code,
            detail: result.detail,
            at: now,
        };
        sms_attempts::finish(&tx, row.rulebook_id, row.id, row.attempts, how).await?;
        note_opt_out(shared, &tx, row, result.error_code, now).await?;
        if after.state == ACCEPTED {
            contact_is_served(&tx, &after, now).await?;
        }
    } else {
        let id = row.id;
        tracing::warn!(sms = %id, "another worker finished or took over SMS message {id}: this result is not recorded");
    }
    if result.error_code == Some(DAILY_CAP) {
        raise_notice(shared, &tx, notice::capped(row.rulebook_id), now).await?;
    }
    if result.outcome == SendOutcome::Credentials {
        raise_notice(shared, &tx, notice::stopped(row.rulebook_id, true), now).await?;
    } else if result.turn == BreakerChange::Stopped {
        raise_notice(shared, &tx, notice::stopped(row.rulebook_id, false), now).await?;
    } else if after.state == ACCEPTED || result.turn == BreakerChange::Resumed {
        resumed(&tx, row, now).await?;
    }
    fault_points::reach(Step::SettleBeforeCommit)?;
    tx.commit().await?;
    fault_points::reach(Step::SettleAfterCommit)?;
    if written {
        metrics::sms_attempt(result.outcome.word());
        if given_up.is_none() {
            count_state(&after);
        }
        let Model {
            id, attempts, state, ..
        } = &after;
        tracing::info!(sms = %id, rulebook = %named(row.rulebook_id), call = row.call_id, attempt = attempts, state, error_code = result.error_code,
            "SMS message {id}: {}", result.detail);
    }
    Ok(written)
}

/// Returns the number of earlier attempts that never left the machine. Returns 0 without a query if the maximum number
/// of attempts is not reached.
pub(super) async fn unsent(db: &impl ConnectionTrait, row: &Model, retry_policy: &RetryPolicy) -> Result<i64, DbErr> {
    if row.tries() < retry_policy.max_attempts {
        return Ok(0);
    }
    sms_attempts::count_unsent(db, row.rulebook_id, row.id, row.series_from).await
}

/// Counts the row's new state in the metrics.
pub(super) fn count_state(row: &Model) {
    metrics::sms(&row.state);
}

/// Resolves the notices about waiting SMS messages, because the account works again.
pub(super) async fn resumed(tx: &DatabaseTransaction, row: &Model, now: DateTime<Utc>) -> Result<(), DbErr> {
    for code in HELD_BACK {
        notices::resolve(tx, row.rulebook_id, code, PROVIDER, now).await?;
    }
    Ok(())
}

/// If the accepted message was resent manually and the contact has no dead message, resolves the contact's delivery
/// notices.
pub(super) async fn contact_is_served(tx: &DatabaseTransaction, row: &Model, now: DateTime<Utc>) -> Result<(), DbErr> {
    if row.resent_at.is_none() || sms_messages::count_dead(tx, row.rulebook_id, &row.contact).await? > 0 {
        return Ok(());
    }
    let subject = notices::of_contact(&row.contact);
    for code in notices::GIVEN_UP {
        notices::resolve(tx, row.rulebook_id, code, &subject, now).await?;
    }
    Ok(())
}

/// Suppresses the recipient's number if Twilio says that the recipient has opted out.
pub(super) async fn note_opt_out(
    shared: &OutboxState,
    tx: &DatabaseTransaction,
    row: &Model,
    error_code: Option<i64>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    if error_code == Some(OPTED_OUT) {
        let (number, source) = (row.to_number.as_str(), sms_suppressions::PROVIDER);
        let id = shared.clock.new_id();
        sms_suppressions::add(tx, row.rulebook_id, number, source, now, id).await?;
    }
    Ok(())
}

/// Gives up an SMS message and raises a notice, if the row still has the fencing token `held`. Returns whether the row
/// was written.
pub(super) async fn write_off(
    shared: &OutboxState,
    tx: &DatabaseTransaction,
    held: i64,
    row: &mut Model,
    why: GivenUp,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    explain(row, why);
    let written = sms_messages::save(tx, held, row).await?;
    if written {
        notify_given_up(shared, tx, row, why, now).await?;
    }
    Ok(written)
}

/// Gives up an SMS message that this transaction has locked, and raises a notice.
pub(super) async fn give_up(
    shared: &OutboxState,
    tx: &DatabaseTransaction,
    row: &mut Model,
    why: GivenUp,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    explain(row, why);
    sms_messages::record(tx, row).await?;
    notify_given_up(shared, tx, row, why, now).await
}

/// Writes the reason into the row.
fn explain(row: &mut Model, why: GivenUp) {
    row.error = Some(match row.error.take() {
        Some(last) if matches!(why, GivenUp::Refused | GivenUp::Undelivered) => last,
        Some(last) if why != GivenUp::Suppressed => format!("{}; last error: {last}", why.reason()),
        _ => why.reason().to_owned(),
    });
}

/// Raises the notice about a given-up SMS message.
async fn notify_given_up(
    shared: &OutboxState,
    tx: &DatabaseTransaction,
    row: &Model,
    why: GivenUp,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    count_state(row);
    if let Some(call_id) = row.call_id.as_deref().filter(|_| row.priority == "P1") {
        // If no contact of the current step can be reached, the next step need not wait.
        escalations::escalate_now(tx, row.rulebook_id, call_id, &row.contact, now).await?;
    }
    raise_notice(shared, tx, notice::given_up(row, why), now).await?;
    tracing::error!(
        sms = %row.id,
        rulebook = %named(row.rulebook_id),
        "SMS message {} is given up: {}",
        row.id,
        why.reason()
    );
    Ok(())
}

/// Raises a notice.
pub(super) async fn raise_notice(
    shared: &OutboxState,
    tx: &DatabaseTransaction,
    notice: notices::Notice,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    notices::raise(tx, notice, now, shared.clock.new_id()).await
}
