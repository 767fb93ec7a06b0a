//! Looking again and again for what is due. In: a look, which does what is due and says how long to rest, and a token that
//! says stop. Out: looks until it is told to stop, with ever longer rests while they fail.
//!
//! The network may swallow an answer of the database's, and nobody learns of it: a look that has no end is left to itself, and
//! the next one begins on another connection.

use std::error::Error;
use std::time::Duration;

use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::telemetry::{chain, metrics, scrub};

/// The longest rest while the database is away.
const LONGEST: Duration = Duration::from_secs(30);
/// How long a look may take: many times what the database lets each of its statements take.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Why work did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    /// It still goes on, or waits for ever.
    #[error("it had no end within {} s and is left to itself", .0.as_secs())]
    TooLong(Duration),
    /// It panicked.
    #[error("it ended by itself")]
    Panicked(#[source] JoinError),
}

/// Does work in a task of its own, and waits for it no longer than `limit`: it is never cut off, which could leave a
/// transaction half begun. What it holds then, a lease gives back or the database does when the connection is lost.
///
/// # Errors
/// When it takes too long or panics.
pub async fn within<T: Send + 'static>(
    limit: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Unfinished> {
    match tokio::time::timeout(limit, tokio::spawn(work)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Unfinished::Panicked(error)),
        Err(_) => Err(Unfinished::TooLong(limit)),
    }
}

/// How long to rest after so many failures in a row.
#[must_use]
pub fn rest_after(failures: u32, poll: Duration) -> Duration {
    poll.saturating_mul(1 << failures.min(6)).min(LONGEST)
}

/// Looks until told to stop; `what` names in the log what `who` looks for. To be run in a task of its own and ended through the token only:
/// dropped half-way, it would cut off transactions.
pub async fn run<W, F, E>(what: &'static str, poll: Duration, stop: &CancellationToken, who: &W, look: impl Fn(W) -> F)
where
    W: Clone,
    F: Future<Output = Result<Duration, E>> + Send + 'static,
    E: Error + Send + 'static,
{
    run_each(what, PATIENCE, poll, stop, || look(who.clone())).await;
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
                    1 => panic!("this one is meant to"),
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
