//! Runs one script, records its effects, and limits its time. A failed run has no effect.
//!
//! The limit counts CPU time of the run's thread and not wall-clock time, so a busy machine makes no script fail. The
//! task that waits for a run has a separate time limit. A run for which no task waits any more stops.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rhai::{Dynamic, EvalAltResult, Module, Position, Shared};
use serde_json::Value;

use super::engine::{ENGINE, MAX_OPERATIONS, scope};
use super::thread_time::thread_time;
use super::values::clean;
use super::{CompiledScript, ScriptFault};
use crate::decision::Step;
use crate::facts::Facts;
use crate::fair_pool::is_abandoned;
use crate::hearing::{HearingResult, Presence};
use crate::price::Running;
use crate::rows::Priority;

/// CPU time limit of a run.
pub const DEADLINE: Duration = Duration::from_millis(20);
/// CPU time limit of all scripts of one decision together.
pub const DECISION_BUDGET: Duration = Duration::from_millis(60);
/// Minimum time for each script, even if the shared time is used up. A short script should not fail because of a slow
/// script.
const MIN_TIME: Duration = Duration::from_millis(1);

/// The libraries that a script imports, by code.
pub(super) type Modules = BTreeMap<String, Shared<Module>>;

/// The input and the effects of a run.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub facts: Facts,
    pub heard: Option<Arc<HearingResult>>,
    pub args: Value,
    /// Whether the script read an argument of the tool call.
    pub asked_arguments: bool,
    pub price: Option<Running>,
    pub priority: Option<(Priority, i64)>,
    pub result: Option<Value>,
    pub said: Vec<String>,
    pub steps: Vec<Step>,
    /// The lines of `log(…)`; `None` if nobody reads them.
    pub log: Option<Vec<String>>,
    pub(super) code: String,
    pub(super) modules: Arc<Modules>,
    timer: Option<Timer>,
}

impl Run {
    /// Creates a run with these facts and this listening result.
    pub(crate) fn about(facts: Facts, heard: Arc<HearingResult>) -> Self {
        Self {
            facts,
            heard: Some(heard),
            ..Self::default()
        }
    }

    /// Returns how a phrase was heard; `None` if the string is not a phrase.
    pub(super) fn presence(&self, phrase: &str) -> Option<Presence> {
        self.heard.as_ref()?.presence(phrase)
    }
}

/// The remaining CPU time for the scripts of one decision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget(Duration);

impl Default for Budget {
    fn default() -> Self {
        Self(DECISION_BUDGET)
    }
}

/// The result of a run, successful or not.
#[derive(Debug)]
pub(crate) struct ScriptRun {
    /// The effects of the run, or why the run was stopped.
    pub outcome: Result<Run, ScriptFault>,
    /// The lines that the script logged.
    pub log: Vec<String>,
    /// The CPU time of the run.
    pub worked: Duration,
    /// The number of operations at the last check of the clock.
    pub operations: u64,
}

#[derive(Debug, Clone, Copy)]
struct Timer {
    began: Instant,
    worked_before: Duration,
    allowed: Duration,
    operations: u64,
}

impl Timer {
    fn is_over(&self) -> bool {
        // Compare wall-clock time first: it is cheap to read and never smaller than CPU time.
        is_abandoned() || (self.began.elapsed() > self.allowed && self.worked() > self.allowed)
    }

    fn worked(&self) -> Duration {
        thread_time().saturating_sub(self.worked_before)
    }
}

thread_local! {
    /// The run on this thread. Runs are synchronous and never nest, so host functions find their run here.
    static RUN: RefCell<Option<Run>> = const { RefCell::new(None) };
}

/// Gives the current run to a host function. Fails if the run's time is over, because one call may take longer than
/// many operations.
pub(super) fn with_run<T>(act: impl FnOnce(&mut Run) -> Result<T, String>) -> Result<T, Box<EvalAltResult>> {
    RUN.with_borrow_mut(|run| {
        let run = run.as_mut().ok_or("no script is running")?;
        if run.timer.is_some_and(|timer| timer.is_over()) {
            return Err(Box::new(EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE)));
        }
        act(run).map_err(Into::into)
    })
}

/// Whether the run on this thread must end; records the number of operations.
pub(super) fn is_over(operations: u64) -> bool {
    RUN.with_borrow_mut(|run| {
        let timer = run.as_mut().and_then(|run| run.timer.as_mut());
        timer.is_some_and(|timer| {
            timer.operations = operations;
            timer.is_over()
        })
    })
}

/// A library that the run on this thread may import.
pub(super) fn library(code: &str) -> Option<Shared<Module>> {
    RUN.with_borrow(|run| run.as_ref().and_then(|run| run.modules.get(code).cloned()))
}

/// Runs a script and subtracts its CPU time from the budget.
pub(crate) fn run(script: &CompiledScript, mut run: Run, budget: &mut Budget) -> ScriptRun {
    run.code.clone_from(&script.row.code);
    run.modules = Arc::clone(&script.modules);
    let timer = Timer {
        began: Instant::now(),
        worked_before: thread_time(),
        allowed: DEADLINE.min(budget.0).max(MIN_TIME),
        operations: 0,
    };
    run.timer = Some(timer);
    RUN.set(Some(run));
    let outcome = ENGINE.eval_ast_with_scope::<Dynamic>(&mut scope(), &script.ast);
    let worked = timer.worked();
    budget.0 = budget.0.saturating_sub(worked);
    let mut done = RUN.take();
    let log = done.as_mut().and_then(|run| run.log.take()).unwrap_or_default();
    let operations = done
        .as_ref()
        .and_then(|run| run.timer)
        .map_or(0, |timer| timer.operations);
    let asked = done.as_ref().is_some_and(|run| run.asked_arguments);
    let outcome = match (outcome, done) {
        (Ok(_), Some(run)) => Ok(run),
        (Ok(_), None) => Err(fault(script, Position::NONE, "the run was lost".to_owned())),
        (Err(error), _) => {
            let mut fault = told(script, &error);
            let inner = error.unwrap_inner();
            let stopped = matches!(inner, EvalAltResult::ErrorTerminated(..));
            fault.is_own = !stopped || timer.allowed == DEADLINE;
            let at_limit = matches!(
                inner,
                EvalAltResult::ErrorTooManyOperations(_) | EvalAltResult::ErrorStackOverflow(_)
            );
            fault.by_arguments = asked && !stopped && !at_limit;
            Err(fault)
        }
    };
    ScriptRun {
        outcome,
        log,
        worked,
        operations,
    }
}

fn fault(script: &CompiledScript, at: Position, text: String) -> ScriptFault {
    ScriptFault {
        code: script.row.code.clone(),
        version: script.version,
        line: at.line(),
        position: at.position(),
        text,
        is_own: true,
        by_arguments: false,
    }
}

fn told(script: &CompiledScript, error: &EvalAltResult) -> ScriptFault {
    let inner = error.unwrap_inner();
    let mut text = match inner {
        EvalAltResult::ErrorTerminated(..) => format!(
            "stopped after {} ms, or {} ms of all scripts together",
            DEADLINE.as_millis(),
            DECISION_BUDGET.as_millis()
        ),
        EvalAltResult::ErrorTooManyOperations(_) => format!("stopped after {MAX_OPERATIONS} operations"),
        EvalAltResult::ErrorStackOverflow(_) => "stopped: functions call each other too deeply".to_owned(),
        other => {
            let mut bare = other.to_string();
            if let Some(end) = bare.rfind(" (line ") {
                bare.truncate(end);
            }
            clean(&bare.chars().take(300).collect::<String>())
        }
    };
    if let Some(library) = inside(error) {
        text = format!("in the library `{library}`: {text}");
    }
    fault(script, inner.position(), text)
}

/// The library in which an error occurred; `None` if the error is in the script itself. If the error is in a library,
/// its line number refers to the library.
fn inside(error: &EvalAltResult) -> Option<&str> {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, source, inner, _) => {
            inside(inner).or_else(|| (!source.is_empty()).then_some(source.as_str()))
        }
        EvalAltResult::ErrorInModule(source, inner, _) => inside(inner).or(Some(source.as_str())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_threads_own_work_ends_a_run_however_long_the_wall_has_waited() {
        let began = Instant::now().checked_sub(Duration::from_hours(1)).unwrap();
        let mut timer = Timer {
            began,
            worked_before: thread_time(),
            allowed: DEADLINE,
            operations: 0,
        };
        assert!(!timer.is_over(), "an hour passed in which the thread did not run");
        timer.worked_before = timer.worked_before.saturating_sub(DEADLINE * 2);
        // A thread that started later cannot have used this much CPU time.
        timer.allowed = timer.worked().saturating_sub(Duration::from_nanos(1));
        assert!(timer.is_over(), "the thread has used more CPU time than the limit");
    }
}
