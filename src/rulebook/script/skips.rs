//! Scripts that a decision leaves out, and why; and those that failed in it.

use std::collections::BTreeMap;

use crate::rulebook::decision::Decision;
use crate::rulebook::rows::Resource;

/// Scripts to leave out of a decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skips {
    all: Option<String>,
    some: BTreeMap<String, String>,
}

/// A script that failed, so that its faults can be counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Faulted {
    /// The script.
    pub code: String,
    /// The revision that wrote it, or a library that it uses.
    pub version: i64,
}

impl Skips {
    /// Leaves out nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Leaves out every script, for this reason.
    #[must_use]
    pub fn all(why: impl Into<String>) -> Self {
        Self {
            all: Some(why.into()),
            some: BTreeMap::new(),
        }
    }

    /// Leaves out one more script.
    pub fn add(&mut self, code: &str, why: impl Into<String>) {
        self.some.insert(code.to_owned(), why.into());
    }

    /// Leaves out what a stored decision had to leave out, with the same words, so that it comes out the same again.
    #[must_use]
    pub fn of(decision: &Decision) -> Self {
        let mut skips = Self::none();
        for code in &decision.dropped_scripts {
            let mut steps = decision.trace.iter().rev();
            let step = steps.find(|step| step.resource == Resource::Scripts.path() && step.code == *code);
            skips.add(code, step.map_or("left out", |step| step.did.as_str()));
        }
        skips
    }

    /// Why a script is left out; none when it runs.
    #[must_use]
    pub fn why(&self, code: &str) -> Option<&str> {
        self.some.get(code).or(self.all.as_ref()).map(String::as_str)
    }
}
