//! Provides the threads on which an instance compiles, checks and runs rulebooks. Each type of work has a separate
//! pool, so that editing never delays messages.
//!
//! This work never runs on tokio's blocking threads. Otherwise, many requests with one key could occupy all of them,
//! and the rest of the process would wait.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::compile::{Rulebook, compile_here};
use super::fair_pool::{Busy, FairPool, PoolLimits, processors};
use super::fault::Fault;
use super::rows::RowSet;

/// Maximum time that a message waits for its scripts, including time in the queue. The rest of the message's two
/// seconds is for the database.
const MAX_SCRIPT_WAIT: Duration = Duration::from_millis(1_200);
/// The nice value of the threads for editing. The threads on which messages depend have the value 0.
const FOR_PEOPLE: i32 = 10;

/// The pools. Cloning is cheap.
#[derive(Clone)]
pub struct Pools {
    scripts: FairPool,
    loading: FairPool,
    compiling: FairPool,
    studying: FairPool,
}

impl std::fmt::Debug for Pools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pools")
    }
}

impl Default for Pools {
    fn default() -> Self {
        let pool = |name, threads, queue, queues, patience, niceness| {
            FairPool::new(PoolLimits {
                name,
                threads,
                queue,
                queues,
                patience,
                niceness,
            })
        };
        // Scripts of messages are short and a caller is waiting, so these threads have normal priority. There is one
        // more thread than there are processors, so that one rulebook may use all processors but not all threads.
        let scripts = pool("scripts", processors() + 1, 128, 1_024, MAX_SCRIPT_WAIT, 0);
        let loading = pool("loading", 2, 64, 1_024, Duration::from_mins(1), 0);
        let seconds = Duration::from_secs;
        Self {
            scripts,
            loading,
            compiling: pool("compiling", processors(), 8, 64, seconds(20), FOR_PEOPLE),
            studying: pool("studying", processors(), 16, 128, seconds(30), FOR_PEOPLE),
        }
    }
}

impl Pools {
    /// Runs the scripts of a message.
    ///
    /// # Errors
    /// When the threads are busy; the message is then decided without scripts.
    pub async fn run_scripts<T: Send + 'static>(
        &self,
        rulebook_id: Uuid,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        self.scripts.run(rulebook_id, work).await
    }

    /// Runs long work for editors: lint, cases, evaluations, diffs, exports.
    ///
    /// # Errors
    /// When too much work of the rulebook is already queued, or the threads are busy.
    pub async fn study<T: Send + 'static>(
        &self,
        rulebook_id: Uuid,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        self.studying.run(rulebook_id, work).await
    }

    /// Compiles rules during editing.
    ///
    /// # Errors
    /// When too much work of the rulebook is already queued, or the threads are busy.
    pub async fn compile<T: Send + 'static>(
        &self,
        rulebook_id: Uuid,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        self.compiling.run(rulebook_id, work).await
    }

    /// Compiles a candidate on top of the current rulebook; unchanged scripts are shared.
    ///
    /// # Errors
    /// The outer error is as for [`Pools::compile`]; the inner error contains every validation error of every row.
    pub async fn compile_rows(
        &self,
        rulebook_id: Uuid,
        revision: i64,
        rows: RowSet,
        base: Option<Arc<Rulebook>>,
    ) -> Result<Result<Arc<Rulebook>, Vec<Fault>>, Busy> {
        let work = move || compile_here(revision, &rows, base.as_deref()).map(Arc::new);
        self.compile(rulebook_id, work).await
    }

    /// Compiles a published revision for which messages wait.
    ///
    /// # Errors
    /// The outer error is as for [`Pools::compile`]; the inner error contains every validation error of every row.
    pub async fn load_rows(
        &self,
        rulebook_id: Uuid,
        revision: i64,
        rows: RowSet,
    ) -> Result<Result<Arc<Rulebook>, Vec<Fault>>, Busy> {
        let work = move || compile_here(revision, &rows, None).map(Arc::new);
        self.loading.run(rulebook_id, work).await
    }
}
