//! Calls of which no report came. In: Vapi's list of calls. Out: each ended one has its report, made of what the list says
//! and taken in on the way and under the key of every report, so that Vapi's own, before or after, has no second effect.
//!
//! One key is one rulebook: whatever is in the list that a rulebook's key opens is that rulebook's. What another rulebook
//! has heard of stays there. How far the list has been read stands in the database; the next time begins a little before
//! that, for calls that were just ending and clocks that differ.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use sea_orm::{DatabaseConnection, DbErr};
use serde::Serialize;
use tokio_util::bytes::Bytes;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::feed::{Became, Fed, Feed, FeedError};
use super::late::Origin;
use super::message::Taken;
use crate::vapi::{Call, Span, VapiClient, VapiError, report};
use base::clock::Clock;
use base::telemetry::{self, metrics};
use store::leases::Lease;
use store::notices::{self, Notice, Severity};
use store::{calls, reconcile_cursors, webhook_events};

/// How far the next time begins before the end of the last.
const OVERLAP: TimeDelta = TimeDelta::minutes(15);
/// How far back a rulebook of which nothing is known yet is asked for, but never to before it was made.
const AT_FIRST: TimeDelta = TimeDelta::hours(24);
/// The report of a call that ended a moment ago is still on its way.
const MOMENT: TimeDelta = TimeDelta::minutes(2);
/// The list is read in spans of this length, and after each it is noted how far.
const STRIDE: TimeDelta = TimeDelta::hours(6);
/// Failures in a row after which a person is told.
const FAILURES: i64 = 3;

/// The notice that Vapi does not answer.
const AWAY: &str = "vapi_unreachable";
/// The notice that Vapi refuses a rulebook's key.
const REFUSED: &str = "vapi_key_refused";
/// The notice that two rulebooks have the same key.
const SHARED: &str = "vapi_key_shared";
const SUBJECT: &str = "Vapi";

/// A rulebook with its key to Vapi. It has no `Debug`.
#[derive(Clone)]
pub struct Keyed {
    /// The rulebook.
    pub rulebook_id: Uuid,
    /// Its code.
    pub code: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// The key.
    pub key: String,
}

/// Finds every rulebook that has a key, the default one first.
pub type FindKeys = Arc<dyn Fn() -> BoxFuture<'static, Result<Vec<Keyed>, ReconcileError>> + Send + Sync>;

/// Asks Vapi. Cloning is cheap.
#[derive(Clone)]
pub struct Reconciler {
    feed: Feed,
    vapi: VapiClient,
    keys: FindKeys,
    db: DatabaseConnection,
    clock: Clock,
}

/// What to ask.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// Only this rulebook's calls.
    pub rulebook: Option<String>,
    /// Those of this time up to now; else from where the last time ended, and then that is noted.
    pub since: Option<TimeDelta>,
    /// Only count them.
    pub dry_run: bool,
}

/// What was found of a rulebook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Its code.
    pub rulebook: String,
    /// Calls in Vapi's list.
    pub listed: u64,
    /// Those that go on.
    pub running: u64,
    /// Those that ended a moment ago: their report is still on its way.
    pub just_ended: u64,
    /// Those whose report is here, or whose caller was erased.
    pub known: u64,
    /// Those that are another rulebook's.
    pub of_others: u64,
    /// Those without a report, which a dry run leaves.
    pub missing: u64,
    /// What became of the others, by the word for it.
    pub became: BTreeMap<&'static str, u64>,
    /// Why it ended before the end.
    pub error: Option<String>,
}

/// Why Vapi's list could not be read to the end; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// Vapi did not answer.
    #[error(transparent)]
    Vapi(#[from] VapiError),
    /// A report could not be taken in.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The database did not do what was asked.
    #[error("the database failed")]
    Database(#[from] DbErr),
    /// A rulebook's key cannot be had.
    #[error("the Vapi key of a rulebook cannot be read: {0}")]
    Key(String),
    /// There is no such rulebook, or it has no key.
    #[error("no rulebook `{0}` has a Vapi key")]
    NoKey(String),
    /// It failed for each rulebook that has a key.
    #[error("no rulebook's calls could all be asked for; of the last one: {0}")]
    AllFailed(String),
    /// Another instance does it now.
    #[error("another instance has taken over")]
    TakenOver,
}

impl Reconciler {
    /// Puts the parts together.
    #[must_use]
    pub fn new(feed: Feed, vapi: VapiClient, keys: FindKeys) -> Self {
        let (db, clock) = (feed.intake.db.clone(), feed.intake.clock.clone());
        Self {
            feed,
            vapi,
            keys,
            db,
            clock,
        }
    }

    /// Asks for every rulebook that has a key. Out: what was found of each; one that fails does not hold up the others.
    /// `told` hears after each piece how far it is.
    ///
    /// # Errors
    /// When the keys cannot be had, or another instance has taken over.
    pub async fn run(
        &self,
        ask: &Ask,
        lease: Option<&Lease>,
        stop: &CancellationToken,
        mut told: impl FnMut(&Tally),
    ) -> Result<Vec<Tally>, ReconcileError> {
        let mut keyed = (self.keys)().await?;
        if let Some(code) = &ask.rulebook {
            keyed.retain(|one| one.code == *code);
            if keyed.is_empty() {
                return Err(ReconcileError::NoKey(code.clone()));
            }
        }
        let (mut tallies, mut keys) = (Vec::new(), HashSet::new());
        for one in &keyed {
            let mut tally = Tally {
                rulebook: one.code.clone(),
                ..Tally::default()
            };
            let asked = if keys.insert(one.key.as_str()) {
                self.ask(one, ask, lease, stop, &mut tally, &mut told).await
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
        one: &Keyed,
        ask: &Ask,
        lease: Option<&Lease>,
        stop: &CancellationToken,
        tally: &mut Tally,
        told: &mut impl FnMut(&Tally),
    ) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        let from = match ask.since {
            Some(since) => now - since,
            None => {
                let cursor = reconcile_cursors::read(&self.db, one.rulebook_id).await?;
                let seen = cursor.and_then(|cursor| cursor.seen_until);
                seen.map_or_else(|| one.created_at.max(now - AT_FIRST), |seen| seen.min(now) - OVERLAP)
            }
        };
        let mut from = from;
        while from < now {
            let until = now.min(from + STRIDE);
            let mut pieces = self.vapi.calls(&one.key, Span { from, until }, stop);
            while let Some(calls) = pieces.next().await? {
                self.piece(one, ask, &calls, now, stop, tally).await?;
                told(tally);
            }
            if ask.since.is_none() && !ask.dry_run {
                self.seen(one, lease, until).await?;
            }
            from = until;
        }
        Ok(())
    }

    /// Takes in the reports of those calls that have none.
    async fn piece(
        &self,
        one: &Keyed,
        ask: &Ask,
        calls: &[Call],
        now: DateTime<Utc>,
        stop: &CancellationToken,
        tally: &mut Tally,
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
            } else if ended > now - MOMENT {
                tally.just_ended += 1;
            } else if ask.dry_run {
                tally.missing += 1;
            } else if stop.is_cancelled() {
                return Err(VapiError::Stopped.into());
            } else if let Some(body) = report::body(call) {
                let fed = Fed {
                    rulebook: one.code.clone(),
                    body: Bytes::from(body),
                    received_at: self.clock.now(),
                    origin: Origin::Reconciled,
                    stands_for: None,
                };
                let became = self.feed.take(fed).await?;
                metrics::reconciled(became.word());
                *tally.became.entry(became.word()).or_default() += 1;
                if became == Became::Taken(Taken::Recorded) {
                    telemetry::about_call(Some(&call.id), &one.code);
                    tracing::info!(
                        call_id = call.id,
                        rulebook = one.code,
                        "the report of a call was made of Vapi's list"
                    );
                }
            }
        }
        Ok(())
    }

    /// Notes how far the list was read.
    async fn seen(&self, one: &Keyed, lease: Option<&Lease>, until: DateTime<Utc>) -> Result<(), ReconcileError> {
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

    /// Counts a failure, and tells a person when it is not the first.
    async fn failed(&self, one: &Keyed, lease: Option<&Lease>, error: &ReconcileError) -> Result<(), ReconcileError> {
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

    /// Raises a notice, unless a person is looking on.
    async fn tell(&self, one: &Keyed, lease: Option<&Lease>, notice: Option<Notice>) -> Result<(), ReconcileError> {
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
        "Vapi has not answered several times in a row: calls of which no report came are not found at present.",
        "Look at Vapi's status page and at the way out of this network. It is tried again by itself; `ringbook doctor` says \
         what is wrong now.",
    )
}

fn refused(rulebook_id: Uuid) -> Notice {
    notice(
        rulebook_id,
        REFUSED,
        "Vapi refuses this rulebook's key: calls of which no report came cannot be found.",
        "Set a valid private key: VAPI_API_KEY for the default rulebook, a secret with the purpose `vapi_api_key` for any \
         other.",
    )
}

fn shared(rulebook_id: Uuid) -> Notice {
    notice(
        rulebook_id,
        SHARED,
        "Another rulebook has the same Vapi key: nobody can tell whose a call is, so this one's are not asked for.",
        "Give each rulebook the key of a Vapi organisation of its own, or retire the key here.",
    )
}
