//! Rhai scripts: what rows cannot say, in a sandbox without input, output or a clock.
//!
//! Comes in: script rows, then facts and, by hook, a price range, a priority or a tool's arguments. Goes out: what a
//! script did, as a whole, or a [`ScriptFault`] and nothing of it. [`parsed`] and [`library`] compile, on a thread of
//! their own ([`isolate`]); [`engine`] bounds what a run holds and [`run`] how long it takes; [`functions`] is all that
//! scripts may call, [`host`] what it does and [`values`] what passes between them. [`pool`] has the threads on which
//! messages run their scripts, [`trial`] is a run for whoever writes one.

mod engine;
pub mod functions;
mod host;
#[cfg(test)]
mod hostile_tests;
pub mod isolate;
pub mod library;
mod parsed;
pub mod pool;
mod run;
mod skips;
#[cfg(test)]
mod tests;
pub mod trial;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{AST, Module, Shared};

pub use self::parsed::MAX_SOURCE;
use self::parsed::Parsed;
use self::run::Modules;
pub(super) use self::run::{Budget, Run, run};
pub use self::run::{DEADLINE, TOGETHER};
pub use self::skips::{Faulted, Skips};
use super::rows::Script;

/// Something that a script is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Of what.
    pub name: &'static str,
    /// How much.
    pub most: usize,
}

/// What a script is held to, for those who write one.
pub const LIMITS: &[Limit] = &[
    limit("bytes of a script", MAX_SOURCE),
    limit("scripts of a rulebook", library::MAX_SCRIPTS),
    limit("bytes of all scripts of a rulebook", library::MAX_TOGETHER),
    limit("libraries that a script imports", engine::MAX_IMPORTS),
    limit("functions of a script", engine::MAX_FUNCTIONS),
    limit("variables that a function sees", engine::MAX_VARIABLES),
    limit("functions that call each other at once", engine::MAX_CALLS),
    limit("bytes of a text", values::MAX_TEXT),
    limit("values of a list, with those of its lists", values::MAX_LIST),
    limit("milliseconds of a run", 20),
    limit("milliseconds of all scripts of a decision", 60),
    limit("acts on the price and the priority", host::MAX_STEPS),
];

const fn limit(name: &'static str, most: usize) -> Limit {
    Limit { name, most }
}

/// Why a script's effects were dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ScriptFault {
    /// The script.
    pub code: String,
    /// The revision that wrote it, or a library that it uses.
    pub version: i64,
    /// Line from 1.
    pub line: Option<usize>,
    /// Character from 1.
    pub position: Option<usize>,
    /// What happened, without any of the caller's data unless the script itself threw it.
    pub text: String,
    /// Whether it is the script's own: false when those before it had taken the time of all.
    pub is_own: bool,
}

/// A script ready to run.
#[derive(Debug)]
pub struct Compiled {
    /// The row.
    row: Script,
    /// The last revision that wrote it or a library that it uses.
    version: i64,
    parsed: Arc<Parsed>,
    ast: Arc<AST>,
    /// What it imports, by code.
    libraries: BTreeMap<String, Arc<Compiled>>,
    modules: Arc<Modules>,
    /// What others import, where this is a library.
    module: Option<Shared<Module>>,
}

impl Compiled {
    /// The row.
    #[must_use]
    pub const fn row(&self) -> &Script {
        &self.row
    }

    /// The last revision that wrote it or a library that it uses.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// The functions that others may use, as they are written.
    #[must_use]
    pub fn signatures(&self) -> Vec<String> {
        let functions = self.parsed.functions.iter().filter(|own| !own.is_private);
        let mut signatures: Vec<String> = functions.map(parsed::signature).collect();
        signatures.sort_unstable();
        signatures
    }
}
