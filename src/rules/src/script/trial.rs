//! A run for whoever writes a script: what it did, what it logged and how long it took, or its fault with the place.
//! Nothing of it is kept.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use super::library;
use super::run::{Budget, Ran, run};
use super::{Compiled, ScriptFault};
use crate::compile::Rulebook;
use crate::decide::Deciding;
use crate::decision::{Decision, Step};
use crate::facts::Extracted;
use crate::fault::Fault;
use crate::price::Running;
use crate::rows::{Hook, Priority, Script};

/// What a trial begins with; what is not given is what the rows would give.
#[derive(Debug, Clone, Default)]
pub struct Begin {
    /// The price range before the script.
    pub range: Option<(Decimal, Decimal)>,
    /// The priority before the script.
    pub priority: Option<(Priority, i64)>,
    /// What the assistant gave the tool.
    pub args: Value,
}

/// What a trial came to.
#[derive(Debug)]
pub struct Trial {
    /// Both ends of the price before.
    pub range_before: Option<(Decimal, Decimal)>,
    /// Both ends of the price after.
    pub range_after: Option<(Decimal, Decimal)>,
    /// The priority before.
    pub priority_before: Option<(Priority, i64)>,
    /// The priority after.
    pub priority_after: Option<(Priority, i64)>,
    /// What it did, as the trace would say it.
    pub steps: Vec<Step>,
    /// What it said to the caller.
    pub said: Vec<String>,
    /// What it answered as a tool.
    pub result: Option<Value>,
    /// What it logged, also when it failed.
    pub log: Vec<String>,
    /// How long it worked.
    pub worked: Duration,
    /// How many operations it made, to the last look at the clock.
    pub operations: u64,
    /// Why it would be dropped with all it did.
    pub fault: Option<ScriptFault>,
}

impl Rulebook {
    /// Compiles a script as it would be in this rulebook, which stays as it is. Call it on a thread that may wait.
    ///
    /// # Errors
    /// Its faults, or those of the libraries that it uses.
    pub fn compile_script(&self, script: Script) -> Result<Arc<Compiled>, Vec<Fault>> {
        super::isolate::isolated(|| self.compile_script_here(script))
            .unwrap_or_else(|text| Err(vec![super::super::compile::internal(text)]))
    }

    /// The same on this thread, which must have room for deep expressions, as those of a pool have.
    ///
    /// # Errors
    /// As [`Rulebook::compile_script`].
    pub fn compile_script_here(&self, script: Script) -> Result<Arc<Compiled>, Vec<Fault>> {
        library::compile_one(self.rows(), self.compiled_scripts(), script)
    }

    /// Runs a script on facts and an instant, as a decision would.
    #[must_use]
    pub fn try_script(&self, script: &Compiled, extracted: &Extracted, at: DateTime<Utc>, begin: Begin) -> Trial {
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
        let Ran {
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
