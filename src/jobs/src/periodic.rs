//! Runs a periodic job on one instance at a time. If that instance crashes, another instance runs the job after the
//! lease has expired.
//!
//! The lease is renewed while the job runs. After the job, the instance keeps the lease until the next run is due. The
//! first instance that then polls runs the job. An instance that stops releases the lease.

use std::error::Error;
use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use super::leases::{Held, Leases};
use base::telemetry::{self, chain, metrics, scrub};
use store::leases::Lease;

/// Duration of a lease while the work runs. If an instance dies, another instance can run the job only after the lease
/// has expired.
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// Renewal interval of the lease.
const RENEW_INTERVAL: Duration = Duration::from_secs(15);
/// Maximum interval between two checks of whether the lease is free.
const LONGEST: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_millis(100);

/// The error of a job. The job is tried again at its next run.
pub type JobError = Box<dyn Error + Send + Sync>;

/// The input of a run.
#[derive(Clone)]
pub struct RunContext {
    /// The lease under which the job writes.
    pub lease: Lease,
    /// Cancelled when the server stops or another instance has taken over. The job then ends at the next safe point.
    pub stop: CancellationToken,
}

/// Runs the job periodically until `stop` is cancelled. Run this function in its own task, and end it only through the
/// token.
pub async fn run<W, F>(leases: Leases, name: &'static str, every: Duration, stop: CancellationToken, work: W)
where
    W: Fn(RunContext) -> F,
    F: Future<Output = Result<(), JobError>>,
{
    let pause = (every / 5).clamp(SHORTEST, LONGEST);
    let mut held = None;
    while !stop.is_cancelled() {
        match leases.try_hold(name, LEASE).await {
            Ok(Some(taken)) => held = run_once(taken, every, &stop, &work).await,
            Ok(None) => {}
            Err(error) => telemetry::log_cause("lease", &error),
        }
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            break;
        }
    }
    if let Some(held) = held
        && let Err(error) = held.release().await
    {
        telemetry::log_cause("lease", &error);
    }
}

/// Runs the job once. Returns the lease, or `None` if another instance has acquired the lease.
async fn run_once<W, F>(held: Held, every: Duration, stop: &CancellationToken, work: &W) -> Option<Held>
where
    W: Fn(RunContext) -> F,
    F: Future<Output = Result<(), JobError>>,
{
    let name = held.lease().name;
    let turn = RunContext {
        lease: held.lease().clone(),
        stop: stop.child_token(),
    };
    let working = work(turn.clone());
    // The renewal runs in its own task: it begins a transaction, which must not be dropped midway when the job ends.
    let done = CancellationToken::new();
    let renewing = tokio::spawn(renewed(held, done.clone(), turn.stop.clone()));
    let succeeded = working.await;
    if let Err(error) = &succeeded {
        tracing::warn!(
            work = name,
            cause = scrub(&chain(error.as_ref())),
            "the background work `{name}` failed; it is retried at its next run"
        );
    } else {
        metrics::worker_ran(name);
    }
    let succeeded = succeeded.is_ok();
    done.cancel();
    let held = match renewing.await {
        Ok(held) => held?,
        Err(error) => {
            tracing::error!(work = name, %error, "the lease of `{name}` could not be renewed");
            return None;
        }
    };
    if succeeded && let Err(error) = held.note_success().await {
        telemetry::log_cause("last_runs", &error);
    }
    // Keep the lease until the next run is due, so that no instance runs the job earlier.
    let rest = TimeDelta::from_std(every).unwrap_or(LEASE);
    match held.renew(rest).await {
        Ok(true) => Some(held),
        Ok(false) => None,
        Err(error) => {
            telemetry::log_cause("lease", &error);
            Some(held)
        }
    }
}

/// Renews the lease until the job is done, and returns the lease. If another instance has acquired the lease, stops the
/// job and returns `None`.
async fn renewed(held: Held, done: CancellationToken, stop: CancellationToken) -> Option<Held> {
    while done
        .run_until_cancelled(tokio::time::sleep(RENEW_INTERVAL))
        .await
        .is_some()
    {
        match held.renew(LEASE).await {
            Ok(true) => {}
            Ok(false) => {
                let name = held.lease().name;
                tracing::warn!(
                    work = name,
                    "another instance has taken over `{name}`, because this instance was too slow"
                );
                stop.cancel();
                return None;
            }
            Err(error) => telemetry::log_cause("lease", &error),
        }
    }
    Some(held)
}
