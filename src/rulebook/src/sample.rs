//! The sample rulebook, a drain-cleaning contractor in Montréal, embedded in the binary and loaded at the first start.
//!
//! The source of the sample is in `rules/`, in the same form as any other rulebook.

use std::sync::LazyLock;

use crate::files::{self, Files};
use crate::rows::RowSet;

macro_rules! embedded {
    ($($file:literal),* $(,)?) => {
        /// The sample's files by name.
        const FILES: &[(&str, &str)] = &[$(($file, include_str!(concat!("../../../rules/", $file)))),*];
    };
}

embedded!(
    "settings.toml",
    "fact-mappings.toml",
    "concepts.toml",
    "cues.toml",
    "classifiers.toml",
    "services.toml",
    "areas.toml",
    "calendars.toml",
    "adjustments.toml",
    "taxes.toml",
    "priority-rules.toml",
    "scripts.toml",
    "scripts/spring_promotion.rhai",
    "scripts/estimate_metres.rhai",
    "contacts.toml",
    "templates.toml",
    "tools.toml",
    "assistant-rules.toml",
    "cases.toml",
);

/// The sample's files.
#[must_use]
pub fn files() -> Files {
    FILES
        .iter()
        .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
        .collect()
}

/// The sample's rows.
///
/// # Panics
/// Never, because a test of this module parses the same files.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "the files are part of the binary, and a test of this module reads them"
)]
pub fn rows() -> RowSet {
    static ROWS: LazyLock<RowSet> =
        LazyLock::new(|| files::parse(&files()).expect("the embedded sample is read by a test of this module"));
    ROWS.clone()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_sample_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
        assert_eq!(files::read_folder(&folder).unwrap(), rows());
    }
}
