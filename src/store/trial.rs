//! Trials: work that is done up to its commit and then taken back, so that it ends as the real one would have.
//!
//! In: work, within [`scope`]. Out: what it answers; of every transaction that was begun in it nothing remains, because its
//! commit is a roll back ([`super::begin`]). What follows a commit (a cache, a count, a job) asks [`is_on`] first. [`spawn`]
//! takes the trial along into a task; `tokio::spawn` leaves it, for what is not part of the work.

use tokio::task::JoinHandle;

tokio::task_local! {
    static TRIAL: ();
}

/// Does `work` as a trial.
pub async fn scope<F: Future>(work: F) -> F::Output {
    TRIAL.scope((), work).await
}

/// Whether this is a trial, of which nothing may remain.
#[must_use]
pub fn is_on() -> bool {
    TRIAL.try_with(|()| ()).is_ok()
}

/// A task of its own, in which a trial goes on as one.
pub fn spawn<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    if is_on() {
        tokio::spawn(scope(work))
    } else {
        tokio::spawn(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_trial_goes_along_into_its_own_tasks_and_into_no_others() {
        assert!(!is_on());
        scope(async {
            assert!(is_on());
            assert!(spawn(async { is_on() }).await.unwrap());
            assert!(!tokio::spawn(async { is_on() }).await.unwrap());
        })
        .await;
        assert!(!is_on() && !spawn(async { is_on() }).await.unwrap());
    }
}
