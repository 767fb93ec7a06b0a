//! A rulebook as files: one TOML file per resource with a table per row, and each script's source in
//! `scripts/CODE.rhai`.
//!
//! [`parse`] reads files into rows, or returns every validation error with file, line and column. [`write`] does the
//! reverse, in a stable order, so that a diff shows only edits. Comments exist only in the files: they are not read
//! into rows. [`write_folder`] leaves unchanged parts of a folder as they are, including comments. [`Places`] finds the
//! position in the files of an error that the compiler reported.

mod case_values;
mod folder;
mod keep_layout;
mod locate;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;

pub use folder::{WriteSummary, read_folder, read_texts, write_folder};
pub use locate::Places;
pub use read::parse;
pub use write::write;

use crate::rows::Resource;

/// The content of each file by file name. A name is relative to the folder, and its separator is `/`.
pub type Files = BTreeMap<String, String>;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}{}: {text}", after_colon(*line), after_colon(*column))]
pub struct FileFault {
    /// The name of the file within the folder.
    pub file: String,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The character within the line, counted from 1.
    pub column: Option<usize>,
    /// A sentence for people.
    pub text: String,
}

fn after_colon(number: Option<usize>) -> String {
    number.map(|number| format!(":{number}")).unwrap_or_default()
}

impl FileFault {
    /// Creates an error that concerns a whole file.
    fn of_file(file: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: None,
            column: None,
            text: text.into(),
        }
    }

    fn at(file: &str, text_of_file: &str, offset: usize, text: impl Into<String>) -> Self {
        let (line, column) = place(text_of_file, offset);
        Self {
            file: file.to_owned(),
            line: Some(line),
            column: Some(column),
            text: text.into(),
        }
    }
}

/// Returns the line and the character of a byte offset in a string, each counted from 1.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
    (line, 1 + before[start..].chars().count())
}

const EXTENSION: &str = ".rhai";
const SCRIPTS: &str = "scripts/";

fn file_name(resource: Resource) -> String {
    format!("{}.toml", resource.path())
}

fn script_name(code: &str) -> String {
    format!("{SCRIPTS}{code}{EXTENSION}")
}
