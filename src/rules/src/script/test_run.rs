//! Runs a script as a test for its author. The result has the script's effects, log and CPU time, or the error with its
//! position. Nothing is stored.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use super::library;
use super::run::{Budget, ScriptRun, run};
use super::{CompiledScript, ScriptFault};
use crate::compile::Rulebook;
use crate::decide::Deciding;
use crate::decision::{Decision, Step};
use crate::facts::ExtractedFacts;
use crate::fault::Fault;
use crate::price::Running;
use crate::rows::{Hook, Priority, Script};

/// The initial values of a test run; missing values are calculated from the rows.
#[derive(Debug, Clone, Default)]
pub struct Begin {
    /// The price range before the script.
    pub range: Option<(Decimal, Decimal)>,
    /// The priority before the script.
    pub priority: Option<(Priority, i64)>,
    /// The arguments of the tool call.
    pub args: Value,
}

/// The result of a test run.
#[derive(Debug)]
pub struct Trial {
    /// Both ends of the price before the script.
    pub range_before: Option<(Decimal, Decimal)>,
    /// Both ends of the price after the script.
    pub range_after: Option<(Decimal, Decimal)>,
    pub priority_before: Option<(Priority, i64)>,
    pub priority_after: Option<(Priority, i64)>,
    /// The script's steps, as in the trace.
    pub steps: Vec<Step>,
    /// The sentences for the caller.
    pub said: Vec<String>,
    /// The script's response as a tool.
    pub result: Option<Value>,
    /// The lines that the script logged, also if it failed.
    pub log: Vec<String>,
    /// The CPU time that the script used.
    pub worked: Duration,
    /// The number of operations at the last check of the clock.
    pub operations: u64,
    /// The error because of which a decision would drop all effects of the script.
    pub fault: Option<ScriptFault>,
}

impl Rulebook {
    /// Compiles a script as part of this rulebook; the rulebook does not change. Call this function on a thread that
    /// may block.
    ///
    /// # Errors
    /// The errors of the script, or of the libraries that it uses.
    pub fn compile_script(&self, script: Script) -> Result<Arc<CompiledScript>, Vec<Fault>> {
        super::compile_threads::isolated(|| self.compile_script_here(script))
            .unwrap_or_else(|text| Err(vec![crate::compile::internal(text)]))
    }

    /// Compiles a script as [`Rulebook::compile_script`] does, on the current thread. Deep expressions need the stack
    /// of a pool thread.
    ///
    /// # Errors
    /// The errors of the script, or of the libraries that it uses.
    pub fn compile_script_here(&self, script: Script) -> Result<Arc<CompiledScript>, Vec<Fault>> {
        library::compile_one(self.rows(), self.compiled_scripts(), script)
    }

    /// Runs a script on facts at an instant, as in a decision.
    #[must_use]
    pub fn try_script(
        &self,
        script: &CompiledScript,
        extracted: &ExtractedFacts,
        at: DateTime<Utc>,
        begin: Begin,
    ) -> Trial {
        let mut deciding = Deciding::new(self, extracted, at);
        let by_rows = deciding.price_by_rows();
        let given = begin.range.map(|range| Running::of(range, Decimal::ONE));
        let price = given.or(by_rows).filter(|_| script.row().hook != Hook::Priority);
        let range = price.map(|price| price.range);
        let decided: Option<Decision> = (script.row().hook == Hook::Priority && begin.priority.is_none()).then(|| {
            self.decide_without(extracted, at, super::Skips::all("tried without scripts"))
                .decision
        });
        let priority = match script.row().hook {
            Hook::Priority => begin
                .priority
                .or(decided.map(|decision| (decision.priority, decision.sla_seconds))),
            _ => None,
        };
        let mut given = deciding.to_run();
        given.price = price;
        given.priority = priority;
        given.args = begin.args;
        given.log = Some(Vec::new());
        let ScriptRun {
            outcome,
            log,
            worked,
            operations,
        } = run(script, given, &mut Budget::default());
        let mut trial = Trial {
            range_before: range,
            range_after: range,
            priority_before: priority,
            priority_after: priority,
            steps: Vec::new(),
            said: Vec::new(),
            result: None,
            log,
            worked,
            operations,
            fault: None,
        };
        match outcome {
            Ok(done) => {
                trial.range_after = done.price.map(|price| price.range);
                trial.priority_after = done.priority;
                trial.steps = done.steps;
                trial.said = done.said;
                trial.result = done.result;
            }
            Err(fault) => trial.fault = Some(fault),
        }
        trial
    }
}
