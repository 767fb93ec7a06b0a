//! The outbox worker: sends due SMS messages until it is cancelled.
//!
//! A wake-up only saves time, because the worker also polls the database. No error stops the worker. If a send hangs,
//! the worker abandons the send. When the lease of the SMS message expires, a cleanup handles the message.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sea_orm::DatabaseConnection;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::claim::{ClaimAction, ClaimedSms, claim, tidy};
use super::operator::tell_operator;
use super::reconcile_send::reconcile_send;
use super::record_result::{judge, record_result};
use super::twilio::{Outgoing, TwilioClient};
use super::{Accounts, OutboxError, OutboxSettings, OutboxState};
use base::clock::Clock;
use base::poll;
use base::poll::{WORK_TIMEOUT, WorkError};
use base::telemetry::{self, metrics, scrub};
use store::fault_points::{self, Step};
use store::sms_messages::{self, Model};

/// Minimum sleep. It prevents a busy loop if the next SMS message is always due soon.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);
/// Minimum pause between two polls. Without it, each wake-up and each finished send would cause a poll under load.
/// These frequent polls reduced the throughput of messages by a third.
const MIN_POLL_PAUSE: Duration = Duration::from_millis(20);
/// How long the worker sleeps if no SMS message is queued. A shorter poll interval shortens this sleep.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// The running sends.
type Sends = JoinSet<Result<(), WorkError>>;

/// The outbox of this process. Cloning is cheap, because all clones share the same state.
#[derive(Clone)]
pub struct Outbox {
    shared: Arc<OutboxState>,
    hint: Arc<Notify>,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}

impl Outbox {
    /// Creates an outbox for a database, without starting it.
    pub fn new(
        db: DatabaseConnection,
        clock: Clock,
        accounts: Accounts,
        settings: OutboxSettings,
    ) -> Result<Self, OutboxError> {
        // If the system provides no random number, the longest delay is the safe choice.
        Self::with_random(db, clock, accounts, settings, || getrandom::u64().unwrap_or(u64::MAX))
    }

    /// Creates an outbox like [`Outbox::new`]. `random` is the source of random numbers for the backoff.
    pub fn with_random(
        db: DatabaseConnection,
        clock: Clock,
        accounts: Accounts,
        settings: OutboxSettings,
        random: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<Self, OutboxError> {
        let client = TwilioClient::new(&settings)?;
        let shared = OutboxState {
            db,
            clock,
            accounts,
            client,
            settings,
            breakers: std::sync::Mutex::default(),
            turns: super::fair_slots::FairSlots::default(),
            random: Arc::new(random),
            waiting: std::sync::Mutex::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            hint: Arc::new(Notify::new()),
        })
    }

    /// Wakes the worker after an SMS message was queued. Call this function after the commit. If the wake-up is lost,
    /// the SMS message waits for the next poll.
    pub fn wake(&self) {
        self.hint.notify_one();
    }

    /// Whether contacts can reply to SMS messages. Replies need a public URL, over which Twilio reaches this server.
    #[must_use]
    pub fn takes_replies(&self) -> bool {
        self.shared.settings.public_url.is_some()
    }

    /// Sends due SMS messages until `stop` is cancelled. Then the function claims no more SMS messages, and returns
    /// when the running sends are done. Run this function in a separate task, and stop it only with the token. Dropping
    /// its future would interrupt transactions.
    pub async fn run(&self, stop: CancellationToken) {
        let mut sends = Sends::new();
        let mut failures: u32 = 0;
        let mut tidied: Option<Instant> = None;
        let mut oldest = None;
        while !stop.is_cancelled() {
            // Do not call `fill` inside the select below, because the select could interrupt a transaction.
            let filled = self.fill(&mut sends, &mut tidied).await;
            // Measure the age even after an error, because the metric must show that nothing is sent.
            let next = self.note_age(&mut oldest).await;
            let pause = match filled.and(next) {
                Ok(pause) => {
                    metrics::worker_ran("outbox");
                    failures = 0;
                    pause
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    let cause = scrub(&telemetry::chain(&error));
                    tracing::error!(
                        cause,
                        failures,
                        "the outbox could not read the due SMS messages; it retries"
                    );
                    poll::rest_after(failures, self.poll())
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.hint.notified() => {}
                Some(sent) = sends.join_next() => log_end(sent),
                () = tokio::time::sleep(pause) => {}
            }
            if stop
                .run_until_cancelled(tokio::time::sleep(MIN_POLL_PAUSE))
                .await
                .is_none()
            {
                break;
            }
        }
        while let Some(sent) = sends.join_next().await {
            log_end(sent);
        }
    }

    /// Sends SMS messages until no message is due. Returns how many SMS messages were handled. Only tests use this
    /// function.
    pub async fn drain_once(&self) -> Result<usize, OutboxError> {
        let mut handled = 0;
        loop {
            tidy(&self.shared).await?;
            tell_operator(&self.shared).await?;
            let claims = claim(&self.shared, self.shared.settings.concurrency.total).await?;
            if claims.len() == 0 {
                return Ok(handled);
            }
            handled += claims.len();
            let mut sends = Sends::new();
            for claimed in claims.claimed {
                self.start_send(&mut sends, claimed);
            }
            while let Some(sent) = sends.join_next().await {
                log_end(sent);
            }
        }
    }

    /// Starts as many sends as the concurrency limit allows. Once per poll interval, also runs the cleanup and notifies
    /// the operator.
    async fn fill(&self, sends: &mut Sends, tidied: &mut Option<Instant>) -> Result<(), OutboxError> {
        // A message that needs cleanup has already waited until its lease expired, so it can wait for another poll.
        let mut tidying = Ok(());
        if tidied.is_none_or(|at| at.elapsed() >= self.poll()) {
            let work = |shared: Arc<OutboxState>| async move {
                tidy(&shared).await?;
                tell_operator(&shared).await
            };
            tidying = self.within_patience(work).await;
            *tidied = Some(Instant::now());
        }
        while let Some(sent) = sends.try_join_next() {
            log_end(sent);
        }
        let free = self.shared.settings.concurrency.total.saturating_sub(sends.len());
        if free > 0 {
            let claiming = |shared: Arc<OutboxState>| async move { claim(&shared, free).await };
            for claimed in self.within_patience(claiming).await?.claimed {
                self.start_send(sends, claimed);
            }
        }
        tidying
    }

    /// Updates the metric for the age of the oldest due SMS message. If the database is unavailable, computes the age
    /// from the last known due time. Returns how long the worker should sleep.
    async fn note_age(&self, known: &mut Option<DateTime<Utc>>) -> Result<Duration, OutboxError> {
        let now = self.shared.now();
        let asking = |shared: Arc<OutboxState>| async move { Ok(sms_messages::due_times(&shared.db, now).await?) };
        let times = self.within_patience(asking).await;
        if let Ok((oldest, _)) = &times {
            *known = *oldest;
        }
        metrics::outbox(known.and_then(|due| (now - due).to_std().ok()).unwrap_or_default());
        let stopped = {
            let breakers = self
                .shared
                .breakers
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            breakers.values().filter(|breaker| breaker.is_stopped()).count()
        };
        metrics::breakers_open(stopped);
        let (_, next) = times?;
        let until_next = next
            .and_then(|next| (next - now).to_std().ok())
            .unwrap_or(LONGEST_SLEEP);
        Ok(until_next.clamp(SHORTEST_SLEEP, self.poll().max(SHORTEST_SLEEP)))
    }

    /// Runs database work with a timeout.
    async fn within_patience<T, F>(&self, work: impl FnOnce(Arc<OutboxState>) -> F) -> Result<T, OutboxError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, OutboxError>> + Send + 'static,
    {
        poll::within(WORK_TIMEOUT, work(Arc::clone(&self.shared))).await?
    }

    fn start_send(&self, sends: &mut Sends, claimed: ClaimedSms) {
        let ClaimedSms { row, action, place } = claimed;
        let delivering = poll::within(WORK_TIMEOUT, deliver(Arc::clone(&self.shared), row, action));
        sends.spawn(async move {
            // The slot is also released at the timeout, because a send that hangs must not occupy the slot forever.
            let _place = place;
            delivering.await
        });
    }

    pub(super) fn shared(&self) -> &OutboxState {
        &self.shared
    }

    fn poll(&self) -> Duration {
        self.shared.settings.poll
    }
}

/// Sends one SMS message, or searches for it at Twilio. If the result cannot be written, a cleanup handles the message
/// when its lease expires.
pub(super) async fn deliver(shared: Arc<OutboxState>, row: Model, action: ClaimAction) {
    let done = match &action {
        ClaimAction::Search(account) => reconcile_send(&shared, &row, account).await,
        ClaimAction::Send(account) => {
            let now = shared.now();
            let text = Outgoing {
                id: row.id,
                to: &row.to_number,
                body: &row.body,
                validity_seconds: shared.settings.retry_policy.validity_seconds(row.since(), now),
            };
            let answer = shared.client.post(account, text, now).await;
            if fault_points::reach(Step::PostAnswered).is_err() {
                return;
            }
            let result = judge(&shared, account, &answer);
            record_result(&shared, &row, &result).await.map(|_| ())
        }
    };
    if let Err(error) = done {
        let cause = scrub(&telemetry::chain(&error));
        tracing::error!(sms = %row.id, cause, "the result of SMS message {} could not be written", row.id);
    }
}

fn log_end(sent: Result<Result<(), WorkError>, JoinError>) {
    if let Err(error) = sent.map_err(WorkError::Panicked).flatten() {
        let cause = telemetry::chain(&error);
        tracing::error!(
            cause,
            "a send timed out or panicked; when the lease expires, the worker searches Twilio for the SMS message"
        );
    }
}
