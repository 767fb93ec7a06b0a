//! A dry run executes work up to its commit, and then rolls the transaction back.
//!
//! Inside [`scope`], every commit rolls the transaction back instead ([`super::begin`]). Code that runs after a commit,
//! for example to update a cache or start a job, must check [`is_on`] first. A task from [`spawn`] inherits the dry
//! run. A task from `tokio::spawn` does not inherit the dry run, so use `tokio::spawn` only for work that does not
//! belong to the request.

use std::any::Any;

use futures_util::future::BoxFuture;
use tokio::task::JoinError;

tokio::task_local! {
    static TRIAL: ();
}

/// Runs `work` as a dry run.
pub async fn scope<F: Future>(work: F) -> F::Output {
    TRIAL.scope((), work).await
}

/// Whether the current task is in a dry run.
#[must_use]
pub fn is_on() -> bool {
    TRIAL.try_with(|()| ()).is_ok()
}

/// Spawns a task that inherits the dry run. The task runs even if nobody awaits its result.
pub fn spawn<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = Result<T, JoinError>> + Send {
    // All tasks share one type, because the compiler builds tokio's task code once for each type.
    let work: BoxFuture<'static, Box<dyn Any + Send>> = Box::pin(async move { Box::new(work.await) as _ });
    let task = if is_on() {
        tokio::spawn(scope(work))
    } else {
        tokio::spawn(work)
    };
    async move {
        task.await.map(|result| {
            #[expect(clippy::expect_used, reason = "the task returns a `Box` that contains a `T`")]
            *result.downcast::<T>().expect("a result of the task's type")
        })
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
