//! Work that is done every so often, by one instance at a time. In: a name, how often, and the work. Out: it is done, also
//! when the instance that did it last is gone.
//!
//! The lease is renewed while the work goes on, and kept until the next time is due, so that whichever instance looks first
//! after that does it. An instance that stops gives it back.

use std::error::Error;
use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use super::leases::{Held, Leases};
use base::telemetry::{self, chain, metrics, scrub};
use store::leases::Lease;

/// How long a lease lasts while the work goes on: so long nobody takes the place of an instance that died.
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// How often it is renewed.
const RENEWED: Duration = Duration::from_secs(15);
/// The longest time between two looks at whether it is free.
const LONGEST: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_millis(100);

/// What went wrong with a piece of work; it is tried again at its next time.
pub type Failed = Box<dyn Error + Send + Sync>;

/// What a piece of work is told.
#[derive(Clone)]
pub struct Turn {
    /// The lease under which it writes.
    pub lease: Lease,
    /// Cancelled when the server stops or another instance has taken over: then the work ends at the next good place.
    pub stop: CancellationToken,
}

/// Does the work every so often until it is told to stop. To be run in a task of its own and ended through the token only.
pub async fn run<W, F>(leases: Leases, name: &'static str, every: Duration, stop: CancellationToken, work: W)
where
    W: Fn(Turn) -> F,
    F: Future<Output = Result<(), Failed>>,
{
    let pause = (every / 5).clamp(SHORTEST, LONGEST);
    let mut held = None;
    while !stop.is_cancelled() {
        match leases.try_hold(name, LEASE).await {
            Ok(Some(taken)) => held = do_it(taken, every, &stop, &work).await,
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

/// Does the work once. Out: the lease, unless another instance has it now.
async fn do_it<W, F>(held: Held, every: Duration, stop: &CancellationToken, work: &W) -> Option<Held>
where
    W: Fn(Turn) -> F,
    F: Future<Output = Result<(), Failed>>,
{
    let name = held.lease().name;
    let turn = Turn {
        lease: held.lease().clone(),
        stop: stop.child_token(),
    };
    let working = work(turn.clone());
    // In a task of its own: renewing begins a transaction, which is not to be dropped half-way when the work is done.
    let done = CancellationToken::new();
    let renewing = tokio::spawn(renewed(held, done.clone(), turn.stop.clone()));
    let succeeded = working.await;
    if let Err(error) = &succeeded {
        tracing::warn!(
            work = name,
            cause = scrub(&chain(error.as_ref())),
            "the background work `{name}` failed; it is tried again"
        );
    } else {
        metrics::worker_ran(name);
    }
    let succeeded = succeeded.is_ok();
    done.cancel();
    let held = match renewing.await {
        Ok(held) => held?,
        Err(error) => {
            tracing::error!(work = name, %error, "the lease of `{name}` was not renewed to the end");
            return None;
        }
    };
    if succeeded && let Err(error) = held.note_success().await {
        telemetry::log_cause("last_runs", &error);
    }
    // Until the next time nobody need look, this instance included.
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

/// Renews the lease until the work is done. Out: the lease; none when another instance has taken it, which ends the work.
async fn renewed(held: Held, done: CancellationToken, stop: CancellationToken) -> Option<Held> {
    while done.run_until_cancelled(tokio::time::sleep(RENEWED)).await.is_some() {
        match held.renew(LEASE).await {
            Ok(true) => {}
            Ok(false) => {
                let name = held.lease().name;
                tracing::warn!(
                    work = name,
                    "another instance took over `{name}` while this one was too slow"
                );
                stop.cancel();
                return None;
            }
            Err(error) => telemetry::log_cause("lease", &error),
        }
    }
    Some(held)
}
