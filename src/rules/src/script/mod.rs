//! Rhai scripts for logic that rows cannot express, in a sandbox without input, output or a clock. A script that fails
//! leaves no effect, only a [`ScriptFault`].
//!
//! [`parsed`] and [`library`] compile on a separate thread ([`compile_threads`]), within the time limit of
//! [`compile_clock`]. [`engine`] bounds the memory of a run and [`run`] its time. [`functions`] lists the functions
//! that scripts may call, [`host`] implements them and [`values`] converts the values. [`test_run`] is a test run for
//! the author of a script.

mod compile_clock;
pub mod compile_threads;
mod engine;
pub mod functions;
mod host;
#[cfg(test)]
mod hostile_tests;
pub mod library;
mod parsed;
mod run;
mod skips;
mod switches;
pub mod test_run;
#[cfg(test)]
mod tests;
mod thread_time;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{AST, Module, Shared};

pub use self::parsed::MAX_SOURCE;
use self::parsed::ParsedScript;
use self::run::Modules;
pub(super) use self::run::{Budget, Run, run};
pub use self::run::{DEADLINE, DECISION_BUDGET};
pub use self::skips::{ScriptVersion, Skips};
pub use self::switches::number_in_switch;
use super::rows::Script;

/// A limit for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// What the limit counts, for readers of the documentation.
    pub name: &'static str,
    /// The maximum.
    pub most: usize,
}

/// The limits for scripts, for the documentation.
pub const LIMITS: &[Limit] = &[
    limit("bytes of a script", MAX_SOURCE),
    limit("scripts of a rulebook", library::MAX_SCRIPTS),
    limit("bytes of all scripts of a rulebook", library::MAX_TOGETHER),
    limit("names under which a script imports libraries", engine::MAX_IMPORTS),
    limit("libraries in the longest chain of imports", library::MAX_DEPTH),
    limit("bytes of a script with all libraries that it uses", library::MAX_LINKED),
    limit("functions of a script", engine::MAX_FUNCTIONS),
    limit("variables that a function sees", engine::MAX_VARIABLES),
    limit("depth of nested function calls", engine::MAX_CALLS),
    limit("bytes of a string", values::MAX_TEXT),
    limit("values of a list, including nested lists", values::MAX_LIST),
    limit("milliseconds of a run", 20),
    limit("milliseconds of all scripts of a decision", 60),
    limit("changes of the price and the priority", host::MAX_STEPS),
];

const fn limit(name: &'static str, most: usize) -> Limit {
    Limit { name, most }
}

/// The reason why a script's effects were dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ScriptFault {
    pub code: String,
    /// The last revision that wrote the script or a library that it uses.
    pub version: i64,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The character within that line, from 1.
    pub position: Option<usize>,
    /// What happened. The text contains the caller's data only if the script itself threw it.
    pub text: String,
    /// Whether the script itself is the cause; false if earlier scripts had used up the shared time.
    pub is_own: bool,
    /// Whether the tool's arguments may be the cause: the script read an argument, and no limit stopped the script.
    pub by_arguments: bool,
}

/// A script ready to run.
#[derive(Debug)]
pub struct CompiledScript {
    row: Script,
    /// The last revision that wrote the script or a library that it uses.
    version: i64,
    parsed: Arc<ParsedScript>,
    ast: Arc<AST>,
    /// The libraries that the script imports, by code.
    libraries: BTreeMap<String, Arc<CompiledScript>>,
    modules: Arc<Modules>,
    linked: LinkedSize,
    /// The module that other scripts import, if this script is a library.
    module: Option<Shared<Module>>,
}

/// The size of a script with its libraries, known before the script is linked.
#[derive(Debug, Clone, Default)]
struct LinkedSize {
    /// The length of the longest chain of imports below this script.
    depth: usize,
    /// The bytes of the script and of each library that it uses, by code. A library counts once, even if it has several
    /// aliases.
    parts: BTreeMap<String, usize>,
}

impl CompiledScript {
    #[must_use]
    pub const fn row(&self) -> &Script {
        &self.row
    }

    /// The last revision that wrote the script or a library that it uses.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// The signatures of the functions that other scripts may use.
    #[must_use]
    pub fn signatures(&self) -> Vec<String> {
        let functions = self.parsed.functions.iter().filter(|own| !own.is_private);
        let mut signatures: Vec<String> = functions.map(parsed::signature).collect();
        signatures.sort_unstable();
        signatures
    }
}
