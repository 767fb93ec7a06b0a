//! The threads of one instance on which rulebooks are compiled, looked through and run: a pool for each kind of work, so
//! that what people try never holds up what messages wait for.
//!
//! In: work, and whose it is. Out: what it came to, or [`Busy`]. No such work runs on tokio's own blocking threads: many
//! requests of one key would fill those, and everything else of the process that needs one would wait behind them.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::compile::{Rulebook, compile_here};
use super::fair_pool::{Busy, FairPool, Limits, processors};
use super::fault::Fault;
use super::rows::RowSet;

/// How long a message waits for its scripts, its turn included: what is left of its two seconds is the database's.
const SCRIPTS_PATIENCE: Duration = Duration::from_millis(1_200);
/// How far threads that work for people stand back behind those that answer messages.
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
            FairPool::new(Limits {
                name,
                threads,
                queue,
                queues,
                patience,
                niceness,
            })
        };
        // Whatever else a machine does, a message's scripts are not what waits longest: they are short, and a caller
        // listens. One thread more than processors, so that one rulebook may use all processors but not all threads.
        let scripts = pool("scripts", processors() + 1, 128, 1_024, SCRIPTS_PATIENCE, 0);
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
    /// When the threads are busy: then the message is decided without scripts.
    pub async fn run_scripts<T: Send + 'static>(
        &self,
        rulebook_id: Uuid,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        self.scripts.run(rulebook_id, work).await
    }

    /// Does what people ask for and what takes its time: lint, cases, evaluations, differences, exports.
    ///
    /// # Errors
    /// When too much of the rulebook waits already, or the threads are busy.
    pub async fn study<T: Send + 'static>(
        &self,
        rulebook_id: Uuid,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        self.studying.run(rulebook_id, work).await
    }

    /// Compiles what somebody edits.
    ///
    /// # Errors
    /// When too much of the rulebook waits already, or the threads are busy.
    pub async fn compile<T: Send + 'static>(
        &self,
        rulebook_id: Uuid,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        self.compiling.run(rulebook_id, work).await
    }

    /// Compiles a candidate over what stands; scripts that are unchanged are shared with it.
    ///
    /// # Errors
    /// As [`Pools::compile`]; inside, every fault of every row.
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

    /// Compiles what is published already, which messages wait for.
    ///
    /// # Errors
    /// As [`Pools::compile`]; inside, every fault of every row.
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
