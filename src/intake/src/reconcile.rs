//! Finds ended calls without a report in Vapi's list of calls, and builds the missing reports. A built report is
//! recorded like a posted report, under the same key. So Vapi's own report has no second effect, whether it arrives
//! before or after the built report.
//!
//! A Vapi key belongs to one rulebook. So every call that Vapi lists for the key belongs to that rulebook. The only
//! exception is a call of which another rulebook has an event. The database stores how far the list was read. The next
//! run begins slightly earlier, to find calls that were just ending and to tolerate clock differences.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use sea_orm::{DatabaseConnection, DbErr};
use serde::Serialize;
use tokio_util::bytes::Bytes;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::message::Disposition;
use super::reinject::{ReinjectError, ReinjectResult, ReinjectedMessage, Reinjector};
use super::sms_age::Origin;
use crate::vapi::{Call, Span, VapiClient, VapiError, report};
use base::clock::Clock;
use base::telemetry::{self, metrics};
use store::leases::Lease;
use store::notices::{self, Notice, Severity};
use store::{calls, reconcile_cursors, webhook_events};

/// Overlap of a run with the previous run.
const OVERLAP: TimeDelta = TimeDelta::minutes(15);
/// Period of the first run of a rulebook. The run never goes back beyond the creation of the rulebook.
const FIRST_LOOKBACK: TimeDelta = TimeDelta::hours(24);
/// How long after the end of a call Vapi may still post the report.
const REPORT_GRACE: TimeDelta = TimeDelta::minutes(2);
/// The list is read in spans of this length. The progress is stored after each span.
const SPAN: TimeDelta = TimeDelta::hours(6);
/// Number of consecutive failures that raises a notice.
const FAILURES: i64 = 3;

/// Code of the notice that Vapi does not respond.
const AWAY: &str = "vapi_unreachable";
/// Code of the notice that Vapi refuses a rulebook's key.
const REFUSED: &str = "vapi_key_refused";
/// Code of the notice that two rulebooks have the same key.
const SHARED: &str = "vapi_key_shared";
const SUBJECT: &str = "Vapi";

/// A rulebook with its Vapi key. The type does not implement `Debug`, so that the key is never printed.
#[derive(Clone)]
pub struct RulebookWithKey {
    pub rulebook_id: Uuid,
    pub code: String,
    pub created_at: DateTime<Utc>,
    pub key: String,
}

/// Loads every rulebook that has a key, the default rulebook first.
pub type FindKeys = Arc<dyn Fn() -> BoxFuture<'static, Result<Vec<RulebookWithKey>, ReconcileError>> + Send + Sync>;

/// Finds calls without a report. Cloning is cheap.
#[derive(Clone)]
pub struct Reconciler {
    feed: Reinjector,
    vapi: VapiClient,
    keys: FindKeys,
    db: DatabaseConnection,
    clock: Clock,
}

/// The options of a run.
#[derive(Clone, Debug, Default)]
pub struct ReconcileOptions {
    /// The rulebook whose calls are checked; `None` means every rulebook with a key.
    pub rulebook: Option<String>,
    /// The length of the period before now whose calls are checked. `None` continues at the end of the previous run and
    /// stores the progress.
    pub since: Option<TimeDelta>,
    /// Whether the run only counts the missing reports and does not record them.
    pub dry_run: bool,
}

/// The result for one rulebook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReconcileTally {
    pub rulebook: String,
    /// Calls found in Vapi's list.
    pub listed: u64,
    /// Calls that have not ended.
    pub running: u64,
    /// Calls that ended moments ago. Vapi may still post the reports of these calls.
    pub just_ended: u64,
    /// Calls that have a report, or whose caller was erased.
    pub known: u64,
    /// Calls of another rulebook.
    pub of_others: u64,
    /// Calls without a report, found in a dry run.
    pub missing: u64,
    /// The number of reinjected reports, by result.
    pub became: BTreeMap<&'static str, u64>,
    /// Why the run stopped early.
    pub error: Option<String>,
}

/// Why Vapi's list could not be read to the end. The next run tries again.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The request to Vapi failed.
    #[error(transparent)]
    Vapi(#[from] VapiError),
    /// A report could not be recorded.
    #[error(transparent)]
    Feed(#[from] ReinjectError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DbErr),
    /// A rulebook's key cannot be read.
    #[error("the Vapi key of a rulebook cannot be read: {0}")]
    Key(String),
    /// There is no such rulebook, or it has no key.
    #[error("no rulebook `{0}` has a Vapi key")]
    NoKey(String),
    /// The run failed for each rulebook that has a key.
    #[error("the calls could not be listed completely for any rulebook; the last error: {0}")]
    AllFailed(String),
    /// Another instance has the lease now.
    #[error("another instance has taken over")]
    TakenOver,
}

impl Reconciler {
    /// Creates a reconciler.
    #[must_use]
    pub fn new(feed: Reinjector, vapi: VapiClient, keys: FindKeys) -> Self {
        let (db, clock) = (feed.intake.db.clone(), feed.intake.clock.clone());
        Self {
            feed,
            vapi,
            keys,
            db,
            clock,
        }
    }

    /// Runs for every rulebook that has a key, and returns one result for each rulebook. A failure for one rulebook
    /// does not stop the run for the others. `on_progress` is called with the progress after each batch.
    ///
    /// # Errors
    /// If the keys cannot be read, or another instance has taken over.
    pub async fn run(
        &self,
        ask: &ReconcileOptions,
        lease: Option<&Lease>,
        stop: &CancellationToken,
        mut on_progress: impl FnMut(&ReconcileTally),
    ) -> Result<Vec<ReconcileTally>, ReconcileError> {
        let mut keyed = (self.keys)().await?;
        if let Some(code) = &ask.rulebook {
            keyed.retain(|one| one.code == *code);
            if keyed.is_empty() {
                return Err(ReconcileError::NoKey(code.clone()));
            }
        }
        let (mut tallies, mut keys) = (Vec::new(), HashSet::new());
        for one in &keyed {
            let mut tally = ReconcileTally {
                rulebook: one.code.clone(),
                ..ReconcileTally::default()
            };
            let asked = if keys.insert(one.key.as_str()) {
                self.ask(one, ask, lease, stop, &mut tally, &mut on_progress).await
            } else {
                tally.error = Some("another rulebook has the same Vapi key".to_owned());
                self.tell(one, lease, Some(shared(one.rulebook_id))).await?;
                Ok(())
            };
            match asked {
                Ok(()) => {}
                Err(ReconcileError::TakenOver) => return Err(ReconcileError::TakenOver),
                Err(ReconcileError::Vapi(VapiError::Stopped)) => {
                    tally.error = Some("stopped".to_owned());
                    tallies.push(tally);
                    return Ok(tallies);
                }
                Err(error) => {
                    telemetry::log_cause("reconcile", &error);
                    tally.error = Some(error.to_string());
                    self.failed(one, lease, &error).await?;
                }
            }
            tallies.push(tally);
        }
        Ok(tallies)
    }

    async fn ask(
        &self,
        one: &RulebookWithKey,
        ask: &ReconcileOptions,
        lease: Option<&Lease>,
        stop: &CancellationToken,
        tally: &mut ReconcileTally,
        on_progress: &mut impl FnMut(&ReconcileTally),
    ) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        let from = match ask.since {
            Some(since) => now - since,
            None => {
                let cursor = reconcile_cursors::read(&self.db, one.rulebook_id).await?;
                let seen = cursor.and_then(|cursor| cursor.seen_until);
                seen.map_or_else(
                    || one.created_at.max(now - FIRST_LOOKBACK),
                    |seen| seen.min(now) - OVERLAP,
                )
            }
        };
        let mut from = from;
        while from < now {
            let until = now.min(from + SPAN);
            let mut pieces = self.vapi.calls(&one.key, Span { from, until }, stop);
            while let Some(calls) = pieces.next().await? {
                self.piece(one, ask, &calls, now, stop, tally).await?;
                on_progress(tally);
            }
            if ask.since.is_none() && !ask.dry_run {
                self.seen(one, lease, until).await?;
            }
            from = until;
        }
        Ok(())
    }

    /// Builds and records the missing reports for a batch of ended calls.
    async fn piece(
        &self,
        one: &RulebookWithKey,
        ask: &ReconcileOptions,
        calls: &[Call],
        now: DateTime<Utc>,
        stop: &CancellationToken,
        tally: &mut ReconcileTally,
    ) -> Result<(), ReconcileError> {
        let ids: Vec<String> = calls.iter().map(|call| call.id.clone()).collect();
        let settled = calls::settled(&self.db, one.rulebook_id, &ids).await?;
        let of_others = webhook_events::of_others(&self.db, one.rulebook_id, &ids).await?;
        for call in calls {
            tally.listed += 1;
            let Some(ended) = call.ended_at() else {
                tally.running += 1;
                continue;
            };
            if settled.contains(&call.id) {
                tally.known += 1;
            } else if of_others.contains(&call.id) {
                tally.of_others += 1;
            } else if ended > now - REPORT_GRACE {
                tally.just_ended += 1;
            } else if ask.dry_run {
                tally.missing += 1;
            } else if stop.is_cancelled() {
                return Err(VapiError::Stopped.into());
            } else if let Some(body) = report::body(call) {
                let fed = ReinjectedMessage {
                    rulebook: one.code.clone(),
                    body: Bytes::from(body),
                    received_at: self.clock.now(),
                    origin: Origin::Reconciled,
                    replaces: None,
                };
                let became = self.feed.take(fed).await?;
                metrics::reconciled(became.word());
                *tally.became.entry(became.word()).or_default() += 1;
                if became == ReinjectResult::Taken(Disposition::Recorded) {
                    telemetry::about_call(Some(&call.id), &one.code);
                    tracing::info!(
                        call_id = call.id,
                        rulebook = one.code,
                        "the report of a call was built from Vapi's list"
                    );
                }
            }
        }
        Ok(())
    }

    /// Stores how far the list has been read.
    async fn seen(
        &self,
        one: &RulebookWithKey,
        lease: Option<&Lease>,
        until: DateTime<Utc>,
    ) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        let tx = store::begin(&self.db).await?;
        if let Some(lease) = lease
            && !lease.stands(&tx).await?
        {
            return Err(ReconcileError::TakenOver);
        }
        let row = reconcile_cursors::Model {
            rulebook_id: one.rulebook_id,
            seen_until: Some(until),
            failures: 0,
            updated_at: now,
        };
        reconcile_cursors::save(&tx, row).await?;
        for code in [AWAY, REFUSED, SHARED] {
            notices::resolve(&tx, one.rulebook_id, code, SUBJECT, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Counts a failure. Raises a notice if the key was refused, or after [`FAILURES`] consecutive failures.
    async fn failed(
        &self,
        one: &RulebookWithKey,
        lease: Option<&Lease>,
        error: &ReconcileError,
    ) -> Result<(), ReconcileError> {
        if lease.is_none() {
            return Ok(());
        }
        let cursor = reconcile_cursors::read(&self.db, one.rulebook_id).await?;
        let failures = cursor.as_ref().map_or(0, |cursor| cursor.failures) + 1;
        let notice = match error {
            ReconcileError::Vapi(VapiError::Credentials(_)) => Some(refused(one.rulebook_id)),
            ReconcileError::Vapi(_) if failures >= FAILURES => Some(away(one.rulebook_id)),
            _ => None,
        };
        let row = reconcile_cursors::Model {
            rulebook_id: one.rulebook_id,
            seen_until: cursor.and_then(|cursor| cursor.seen_until),
            failures,
            updated_at: self.clock.now(),
        };
        let tx = store::begin(&self.db).await?;
        if let Some(lease) = lease
            && !lease.stands(&tx).await?
        {
            return Err(ReconcileError::TakenOver);
        }
        reconcile_cursors::save(&tx, row).await?;
        tx.commit().await?;
        self.tell(one, lease, notice).await
    }

    /// Raises a notice if the run has a lease. A run without a lease was started by hand.
    async fn tell(
        &self,
        one: &RulebookWithKey,
        lease: Option<&Lease>,
        notice: Option<Notice>,
    ) -> Result<(), ReconcileError> {
        let (Some(notice), Some(_)) = (notice, lease) else {
            return Ok(());
        };
        debug_assert_eq!(one.rulebook_id, notice.rulebook_id);
        let tx = store::begin(&self.db).await?;
        notices::raise(&tx, notice, self.clock.now(), self.clock.new_id()).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn notice(rulebook_id: Uuid, code: &'static str, text: &str, what_to_do: &str) -> Notice {
    Notice {
        rulebook_id,
        code,
        severity: Severity::Warning,
        subject: SUBJECT.to_owned(),
        text: text.to_owned(),
        what_to_do: what_to_do.to_owned(),
    }
}

fn away(rulebook_id: Uuid) -> Notice {
    notice(
        rulebook_id,
        AWAY,
        "Vapi did not respond several times in a row: Ringbook cannot find calls without a report at present.",
        "Check Vapi's status page and the network connection of this server. Ringbook tries again by itself; \
         `ringbook doctor` says what is wrong now.",
    )
}

fn refused(rulebook_id: Uuid) -> Notice {
    notice(
        rulebook_id,
        REFUSED,
        "Vapi refuses this rulebook's key: calls without a report cannot be found.",
        "Set a valid private key: VAPI_API_KEY for the default rulebook, a secret with the purpose `vapi_api_key` for any \
         other.",
    )
}

fn shared(rulebook_id: Uuid) -> Notice {
    notice(
        rulebook_id,
        SHARED,
        "Another rulebook has the same Vapi key, and calls cannot be assigned: Ringbook does not list this rulebook's calls.",
        "Give each rulebook the key of its own Vapi organization, or retire the key here.",
    )
}
