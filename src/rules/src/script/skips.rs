//! Lists the scripts that a decision skips, with the reasons. Identifies the script versions for which runs and
//! failures are counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The scripts that a decision skips.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skips {
    all: Option<String>,
    some: BTreeMap<String, String>,
}

/// A version of a script, for which runs and failures are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScriptVersion {
    pub code: String,
    /// The last revision that wrote the script or a library that it uses.
    pub version: i64,
}

impl Skips {
    /// Skips no script.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Skips every script for the same reason.
    #[must_use]
    pub fn all(why: impl Into<String>) -> Self {
        Self {
            all: Some(why.into()),
            some: BTreeMap::new(),
        }
    }

    /// Skips one more script.
    pub fn add(&mut self, code: &str, why: impl Into<String>) {
        self.some.insert(code.to_owned(), why.into());
    }

    /// Why a script is skipped; `None` if the script runs.
    #[must_use]
    pub fn why(&self, code: &str) -> Option<&str> {
        self.some.get(code).or(self.all.as_ref()).map(String::as_str)
    }
}

impl From<BTreeMap<String, String>> for Skips {
    fn from(some: BTreeMap<String, String>) -> Self {
        Self { all: None, some }
    }
}
