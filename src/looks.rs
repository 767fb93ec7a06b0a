//! Looking again and again for what is due. In: a look, which does what is due and says how long to rest, and a token that
//! says stop. Out: looks until it is told to stop, with ever longer rests while they fail.

use std::error::Error;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The longest rest while the database is away.
const LONGEST: Duration = Duration::from_secs(30);

/// How long to rest after so many failures in a row.
#[must_use]
pub fn rest_after(failures: u32, poll: Duration) -> Duration {
    poll.saturating_mul(1 << failures.min(6)).min(LONGEST)
}

/// Looks until told to stop; `what` names it in the log. To be run in a task of its own and ended through the token only:
/// dropped half-way, it would cut off transactions.
pub async fn run<F, E>(what: &'static str, poll: Duration, stop: &CancellationToken, look: impl Fn() -> F)
where
    F: Future<Output = Result<Duration, E>>,
    E: Error + 'static,
{
    let mut failures: u32 = 0;
    while !stop.is_cancelled() {
        let rest = match look().await {
            Ok(rest) => {
                failures = 0;
                rest
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                let error = &error as &dyn Error;
                tracing::error!(error, failures, what, "{what} could not look for what is due");
                rest_after(failures, poll)
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(rest)).await.is_none() {
            break;
        }
    }
}
