//! The polling loop of workers. The loop runs the due work and then sleeps, until a token stops the loop. After
//! failures the loop sleeps with exponential backoff.
//!
//! The network may lose a response of the database without an error. So a poll that does not end is left running, and
//! the next poll starts on another connection.

use std::error::Error;
use std::pin::Pin;
use std::time::Duration;

use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::telemetry::{chain, metrics, scrub};

/// Maximum sleep after failures.
const MAX_SLEEP: Duration = Duration::from_secs(30);
/// Timeout of one poll: many times the statement timeout of the database.
pub const WORK_TIMEOUT: Duration = Duration::from_mins(1);

/// Why work did not finish.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The work did not end in time. The work still runs, or waits forever.
    #[error("timed out after {} s; left running in the background", .0.as_secs())]
    TooLong(Duration),
    /// The work panicked.
    #[error("the task panicked")]
    Panicked(#[source] JoinError),
}

/// Runs work in its own task, and waits for the result no longer than `limit`. The task is never cancelled, because a
/// cancellation could interrupt the start of a transaction. The leases of a task that is left running expire. The
/// database releases the task's locks when the connection is lost.
///
/// # Errors
/// When the work takes longer than `limit`, or panics.
pub async fn within<T: Send + 'static>(
    limit: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, WorkError> {
    // All futures with the same result share one type, because the compiler builds tokio's task code once for each
    // type.
    let work: Pin<Box<dyn Future<Output = T> + Send>> = Box::pin(work);
    match tokio::time::timeout(limit, tokio::spawn(work)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(WorkError::Panicked(error)),
        Err(_) => Err(WorkError::TooLong(limit)),
    }
}

/// The sleep after the given number of consecutive failures.
#[must_use]
pub fn rest_after(failures: u32, poll: Duration) -> Duration {
    poll.saturating_mul(1 << failures.min(6)).min(MAX_SLEEP)
}

/// Polls until `stop` is cancelled. `what` names the worker in the log. Run this function in its own task, and end it
/// only by cancelling `stop`. Dropping the future would interrupt transactions.
pub async fn run<W, F, E>(what: &'static str, poll: Duration, stop: &CancellationToken, who: &W, look: impl Fn(W) -> F)
where
    W: Clone,
    F: Future<Output = Result<Duration, E>> + Send + 'static,
    E: Error + Send + 'static,
{
    run_each(what, WORK_TIMEOUT, poll, stop, || look(who.clone())).await;
}

async fn run_each<F, E>(
    what: &'static str,
    limit: Duration,
    poll: Duration,
    stop: &CancellationToken,
    look: impl Fn() -> F,
) where
    F: Future<Output = Result<Duration, E>> + Send + 'static,
    E: Error + Send + 'static,
{
    let mut failures: u32 = 0;
    while !stop.is_cancelled() {
        let rest = match within(limit, look()).await {
            Ok(Ok(rest)) => {
                metrics::worker_ran(what);
                failures = 0;
                rest
            }
            Ok(Err(error)) => failed(what, &error, &mut failures, poll),
            Err(unfinished) => failed(what, &unfinished, &mut failures, poll),
        };
        if stop.run_until_cancelled(tokio::time::sleep(rest)).await.is_none() {
            break;
        }
    }
}

fn failed(what: &str, error: &(dyn Error + 'static), failures: &mut u32, poll: Duration) -> Duration {
    *failures = failures.saturating_add(1);
    let failures = *failures;
    let cause = scrub(&chain(error));
    tracing::error!(cause, failures, what, "the worker `{what}` could not poll for due work");
    rest_after(failures, poll)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_look_without_end_and_one_that_panics_do_not_end_the_looking() {
        let (stop, looks) = (CancellationToken::new(), Arc::new(AtomicU32::new(0)));
        let look = || {
            let (stop, number) = (stop.clone(), looks.fetch_add(1, Ordering::SeqCst));
            async move {
                match number {
                    0 => std::future::pending::<()>().await,
                    1 => panic!("this test panics on purpose"),
                    _ => stop.cancel(),
                }
                Ok::<_, Infallible>(Duration::ZERO)
            }
        };
        let (limit, poll) = (Duration::from_millis(50), Duration::from_millis(1));
        run_each("a test", limit, poll, &stop, look).await;
        assert_eq!(looks.load(Ordering::SeqCst), 3);
    }
}
