//! Claims due SMS messages: leases them to this worker and commits the state `sending` before any request. This module
//! also cleans up after workers that died. Each rulebook has a separate transaction, and rulebooks take turns. So a
//! backlog of one rulebook does not delay the other rulebooks.

use std::sync::PoisonError;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DatabaseTransaction, DbErr};
use uuid::Uuid;

use super::accounts::TwilioAccount;
use super::breaker::Gate;
use super::classify::SendOutcome;
use super::fair_slots::SendSlot;
use super::notice;
use super::operator::OPERATOR;
use super::record_result::{count_simulated, count_state, raise_notice, record_simulated, write_off};
use super::retry::{GivenUp, after_attempt};
use super::{OutboxError, OutboxState};
use base::telemetry::rulebooks::named;
use base::telemetry::{self, metrics};
use store::fault_points::{self, Step};
use store::rulebooks::{DEFAULT, SIMULATED, UNTIL_ACCOUNT, account_known, still_simulates};
use store::sms_attempts::Finish;
use store::sms_messages::{AMBIGUOUS, DEAD, DueRulebook, Model, QUEUED, SENDING};
use store::{begin, contacts, notices, sms_attempts, sms_messages, sms_suppressions};

/// Maximum number of simulated SMS messages that one transaction records.
const MAX_SIMULATED: usize = 128;
/// Maximum number of SMS messages that one transaction cleans up.
const TIDY_BATCH: u64 = 100;
/// Maximum number of consecutive cleanup transactions for one rulebook. The remaining SMS messages wait for the next cleanup.
const TIDY_ROUNDS: usize = 50;
/// If an SMS message is older than this, the worker reads the contact's current number before it sends the message.
const FRESH: TimeDelta = TimeDelta::seconds(5);
/// How long a due SMS message waits for other instances before a notice is raised.
const OTHERS_SEND_WITHIN: TimeDelta = TimeDelta::seconds(15);

/// What this worker must do with a claimed SMS message.
#[derive(Clone)]
pub(super) enum ClaimAction {
    /// Send the message.
    Send(TwilioAccount),
    /// Search for the message at the provider, because it may have been sent.
    Search(TwilioAccount),
}

/// An SMS message leased to this worker, with the fencing token in its row.
pub(super) struct ClaimedSms {
    pub(super) row: Model,
    pub(super) action: ClaimAction,
    /// The message's slot among the concurrent sends.
    pub(super) place: SendSlot,
}

/// The result of a claim.
#[derive(Default)]
pub(super) struct Claims {
    /// The messages that this worker must send or search for.
    pub(super) claimed: Vec<ClaimedSms>,
    /// Number of SMS messages from rulebooks that simulate sending. These messages are already recorded as simulated.
    pub(super) simulated: usize,
}

impl Claims {
    pub(super) fn len(&self) -> usize {
        self.claimed.len() + self.simulated
    }
}

/// How a rulebook's SMS messages may be sent now.
enum SendRoute {
    Account(TwilioAccount),
    OneProbe(TwilioAccount),
    Nowhere,
}

impl SendRoute {
    fn account(&self) -> Option<&TwilioAccount> {
        match self {
            Self::Account(account) | Self::OneProbe(account) => Some(account),
            Self::Nowhere => None,
        }
    }
}

/// Claims up to `limit` SMS messages, the most urgent first. Each rulebook in turn gets an equal share.
pub(super) async fn claim(shared: &OutboxState, limit: usize) -> Result<Claims, OutboxError> {
    let limits = shared.settings.concurrency;
    let due = sms_messages::due_rulebooks(&shared.db, shared.now()).await?;
    let order = shared
        .turns
        .in_order(due.iter().map(|one| (one.id, one.priority.clone())).collect());
    let mut routes = Vec::new();
    for rulebook_id in order {
        let Some(one) = due.iter().find(|one| one.id == rulebook_id) else {
            continue;
        };
        if shared.turns.room(limits, rulebook_id, None) > 0
            && let Some(route) = route(shared, one).await?
        {
            routes.push((rulebook_id, route));
        }
    }
    let (mut claims, mut probed, mut failed) = (Claims::default(), Vec::new(), None);
    let mut left = routes.len();
    for (rulebook_id, route) in routes {
        let share = limit.saturating_sub(claims.claimed.len()).div_ceil(left);
        left -= 1;
        let many = match route.account() {
            Some(account) => shared.turns.room(limits, rulebook_id, Some(account)).min(share),
            // A simulated message is not sent, so it needs no slot.
            None => MAX_SIMULATED,
        };
        if many == 0 || route.account().is_some_and(|account| probed.contains(account)) {
            continue;
        }
        match claim_of(shared, rulebook_id, &route, many, &mut claims).await {
            Ok(0) => {}
            Ok(_) => {
                if let SendRoute::OneProbe(account) = route {
                    probed.push(account);
                }
            }
            Err(error) => {
                let cause = telemetry::chain(&error);
                tracing::error!(
                    rulebook = %named(rulebook_id),
                    cause,
                    "the SMS messages of rulebook `{}` could not be claimed",
                    named(rulebook_id)
                );
                failed = Some(error);
            }
        }
    }
    match failed {
        // This worker must send the messages that it claimed, even if claims of other rulebooks failed.
        Some(error) if claims.len() == 0 => Err(error),
        _ => Ok(claims),
    }
}

/// Claims up to `many` SMS messages of a rulebook, or a single message if the route is a probe. Returns how many
/// messages were claimed.
async fn claim_of(
    shared: &OutboxState,
    rulebook_id: Uuid,
    route: &SendRoute,
    many: usize,
    claims: &mut Claims,
) -> Result<usize, OutboxError> {
    let now = shared.now();
    let tx = begin(&shared.db).await?;
    // The rulebook may have got an account since the route was chosen. If the rulebook no longer simulates, its SMS
    // messages wait for the next round.
    if matches!(route, SendRoute::Nowhere) && !still_simulates(&tx, rulebook_id).await? {
        tx.rollback().await?;
        return Ok(0);
    }
    let mut due = sms_messages::lock_due(&tx, now, rulebook_id, many as u64).await?;
    for row in &mut due {
        if readdress(shared, &tx, row).await? {
            sms_messages::save(&tx, row.fence, row).await?;
        }
    }
    let recipients: Vec<_> = due.iter().map(|row| (row.rulebook_id, row.to_number.clone())).collect();
    let suppressed = sms_suppressions::among(&*tx, &recipients).await?;
    let (mut taken, mut simulated) = (Vec::with_capacity(due.len()), Vec::new());
    for mut row in due {
        // If the number is suppressed, still search for a message that may have been sent.
        if row.state == QUEUED && suppressed.contains(&(row.rulebook_id, row.to_number.clone())) {
            let held = row.fence;
            row.fence += 1;
            row.state = DEAD.into();
            row.updated_at = now;
            write_off(shared, &tx, held, &mut row, GivenUp::Suppressed, now).await?;
            continue;
        }
        if matches!(route, SendRoute::OneProbe(_)) && !taken.is_empty() {
            break;
        }
        let Some(account) = route.account().cloned() else {
            if row.state == AMBIGUOUS {
                // The rulebook simulates now, so there is no account to search with.
                let held = row.fence;
                row.fence += 1;
                row.state = DEAD.into();
                row.updated_at = now;
                write_off(shared, &tx, held, &mut row, GivenUp::Unknown, now).await?;
            } else {
                simulated.push(row);
            }
            continue;
        };
        let held = row.fence;
        row.fence += 1;
        row.lease_until = Some(now + shared.settings.lease);
        row.next_attempt_at = now + shared.settings.lease;
        row.updated_at = now;
        let action = if row.state == AMBIGUOUS {
            ClaimAction::Search(account.clone())
        } else {
            ClaimAction::Send(account.clone())
        };
        // A search does not count as an attempt. The state stays ambiguous, so after a crash another worker searches
        // again.
        if !matches!(action, ClaimAction::Search(_)) {
            row.state = SENDING.into();
            row.attempts += 1;
            sms_attempts::start(&tx, row.rulebook_id, row.id, row.attempts, now).await?;
        }
        if sms_messages::save(&tx, held, &row).await? {
            let place = shared.turns.take(rulebook_id, Some(account));
            taken.push(ClaimedSms { row, action, place });
        }
    }
    record_simulated(&tx, rulebook_id, &simulated, now).await?;
    fault_points::reach(Step::ClaimBeforeCommit)?;
    tx.commit().await?;
    fault_points::reach(Step::ClaimAfterCommit)?;
    for row in &simulated {
        count_simulated(row);
    }
    if let SendRoute::OneProbe(account) = route
        && !taken.is_empty()
    {
        shared.breaker(account, |breaker| breaker.probe(now));
    }
    let count = taken.len() + simulated.len();
    claims.claimed.append(&mut taken);
    claims.simulated += simulated.len();
    Ok(count)
}

/// Returns how a rulebook's SMS messages are sent now, or `None` if they must wait. Only the database decides whether a
/// rulebook simulates. An instance without the account leaves the SMS messages to other instances.
async fn route(shared: &OutboxState, due: &DueRulebook) -> Result<Option<SendRoute>, OutboxError> {
    if due.sms_delivery == SIMULATED {
        return Ok(Some(SendRoute::Nowhere));
    }
    let account = match shared.accounts.of(due.id).await {
        Ok(Some(account)) => account,
        Ok(None) if due.sms_delivery == UNTIL_ACCOUNT => return Ok(Some(SendRoute::Nowhere)),
        Ok(None) => {
            log_waiting(
                shared,
                due,
                "this instance has no Twilio account for the rulebook; an instance with the account sends them",
            );
            // Another instance may have the default rulebook's account in its settings, so give that instance time to
            // send.
            if due.code != DEFAULT || shared.now() - due.oldest >= OTHERS_SEND_WITHIN {
                notify_waiting(shared, notice::no_account(due.id, &due.code)).await;
            }
            return Ok(None);
        }
        Err(error) => {
            log_waiting(shared, due, &telemetry::chain(&error));
            if let OutboxError::Incomplete(missing) = &error {
                notify_waiting(shared, notice::incomplete(due.id, &due.code, missing)).await;
            }
            return Ok(None);
        }
    };
    if due.sms_delivery == UNTIL_ACCOUNT && account_known(&shared.db, due.id).await? {
        tracing::info!(
            rulebook = due.code,
            "the rulebook has a Twilio account now: its SMS messages are sent from now on"
        );
    }
    log_resumed(shared, due);
    Ok(
        match shared.breaker(&account, |breaker| breaker.gate(&shared.settings.breaker, shared.now())) {
            Gate::Allowed => Some(SendRoute::Account(account)),
            Gate::OneProbe => Some(SendRoute::OneProbe(account)),
            Gate::Blocked => None,
        },
    )
}

/// Updates the number of a queued SMS message to the contact's current number, which may have been corrected. A message
/// that may have been sent keeps its number, because the search uses that number. Returns whether the number changed.
async fn readdress(shared: &OutboxState, tx: &DatabaseTransaction, row: &mut Model) -> Result<bool, DbErr> {
    if row.state != QUEUED || (row.attempts == 0 && shared.now() - row.created_at < FRESH) {
        return Ok(false);
    }
    let present = if row.contact == OPERATOR {
        shared
            .settings
            .operator
            .as_ref()
            .map(|operator| operator.number.clone())
    } else {
        contacts::phone_of(tx, row.rulebook_id, &row.contact).await?
    };
    let changed = present.filter(|present| *present != row.to_number);
    let is_changed = changed.is_some();
    if let Some(number) = changed {
        row.to_number = number;
    }
    Ok(is_changed)
}

/// Logs why a rulebook's SMS messages wait, if the reason differs from the last logged reason.
fn log_waiting(shared: &OutboxState, due: &DueRulebook, why: &str) {
    let mut waiting = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
    let before = waiting.insert(due.id, why.to_owned());
    if before.as_deref() != Some(why) {
        tracing::warn!(
            rulebook = due.code,
            why,
            "the SMS messages of rulebook `{}` wait",
            due.code
        );
    }
}

fn log_resumed(shared: &OutboxState, due: &DueRulebook) {
    let mut waiting = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
    if waiting.remove(&due.id).is_some() {
        tracing::info!(
            rulebook = due.code,
            "the SMS messages of rulebook `{}` no longer wait for an account",
            due.code
        );
    }
}

/// Raises a notice about waiting SMS messages, if the same notice is not already open.
async fn notify_waiting(shared: &OutboxState, notice: notices::Notice) {
    let work = async {
        let said = notices::said(&shared.db, notice.rulebook_id, notice.code, &notice.subject).await?;
        if said.as_ref() == Some(&notice.text) {
            return Ok(());
        }
        let tx = begin(&shared.db).await?;
        raise_notice(shared, &tx, notice, shared.now()).await?;
        tx.commit().await
    };
    let told: Result<(), DbErr> = work.await;
    if let Err(error) = told {
        tracing::warn!(%error, "a notice about waiting SMS messages could not be raised");
    }
}

/// Cleans up after other workers. If a worker died while sending, its SMS message becomes ambiguous. An SMS message
/// that is too old to send is given up.
pub(super) async fn tidy(shared: &OutboxState) -> Result<(), OutboxError> {
    let now = shared.now();
    let made_before = now - shared.settings.retry_policy.max_age;
    let mut failed = None;
    for rulebook_id in sms_messages::overdue_rulebooks(&shared.db, now, made_before).await? {
        for _ in 0..TIDY_ROUNDS {
            match tidy_of(shared, rulebook_id, now).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Cleans up one batch of one rulebook. Returns whether there may be more SMS messages to clean up.
async fn tidy_of(shared: &OutboxState, rulebook_id: Uuid, now: DateTime<Utc>) -> Result<bool, OutboxError> {
    let retry_policy = &shared.settings.retry_policy;
    let tx = begin(&shared.db).await?;
    let lapsed = sms_messages::lock_lapsed(&tx, now, rulebook_id, TIDY_BATCH).await?;
    let stale = sms_messages::lock_stale(&tx, now - retry_policy.max_age, rulebook_id, TIDY_BATCH).await?;
    // The queries skip rows that another worker has locked, so some rows may remain after a batch that is not full.
    // These rows wait for the next cleanup.
    let batch = usize::try_from(TIDY_BATCH).unwrap_or(usize::MAX);
    let more = lapsed.len() == batch || stale.len() == batch;
    for row in lapsed {
        let how = Finish {
            outcome: SendOutcome::Ambiguous.word(),
            http_status: None,
            error_code: None,
            detail: "the worker stopped before it got the response",
            at: now,
        };
        sms_attempts::finish(&tx, row.rulebook_id, row.id, row.attempts, how).await?;
        let held = row.fence;
        let (mut row, _) = after_attempt(row, &SendOutcome::Ambiguous, 0, retry_policy, now, 0);
        // The worker may not be dead, but only slow. The new fencing token prevents a slow worker from writing its
        // result.
        row.fence += 1;
        row.error = Some(how.detail.to_owned());
        if sms_messages::save(&tx, held, &row).await? {
            metrics::sms_attempt(how.outcome);
            count_state(&row);
        }
        tracing::warn!(sms = %row.id, "the worker of SMS message {} stopped during the send", row.id);
    }
    for mut row in stale {
        let why = if row.state == AMBIGUOUS {
            GivenUp::Unknown
        } else {
            GivenUp::Stale
        };
        let held = row.fence;
        row.fence += 1;
        row.state = DEAD.into();
        row.updated_at = now;
        write_off(shared, &tx, held, &mut row, why, now).await?;
    }
    fault_points::reach(Step::TidyBeforeCommit)?;
    tx.commit().await?;
    fault_points::reach(Step::TidyAfterCommit)?;
    Ok(more)
}
