//! Finds the position in the files of an error that the compiler or a case reported.

use std::collections::HashMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{FileFault, Files, SCRIPTS, file_name, script_name};
use crate::fault::Fault;
use crate::rows::Resource;

/// The files. Each file is parsed only once, regardless of the number of errors in it.
pub struct Places<'a> {
    files: &'a Files,
    tables: HashMap<&'a str, DeTable<'a>>,
}

impl<'a> Places<'a> {
    /// Prepares these files.
    #[must_use]
    pub fn of(files: &'a Files) -> Self {
        let toml = files.iter().filter(|(name, _)| !name.starts_with(SCRIPTS));
        let tables = toml.map(|(name, text)| (name.as_str(), DeTable::parse_recoverable(text).0.into_inner()));
        Self {
            files,
            tables: tables.collect(),
        }
    }

    /// Adds file, line and column to an error. If no file contains the row, adds only the name of the file.
    #[must_use]
    pub fn locate(&self, fault: &Fault) -> FileFault {
        let row = format!("{}, {}", fault.code, fault.column);
        if fault.resource == Resource::Scripts && fault.column == "source" {
            return FileFault {
                file: script_name(&fault.code),
                line: fault.line,
                column: fault.position,
                text: fault.text.clone(),
            };
        }
        let file = file_name(fault.resource);
        let path: Vec<&str> = fault.column.split('/').collect();
        let Some((text, span)) = self.span_of(&file, &fault.code, &path) else {
            return FileFault::of_file(file, format!("{row}: {}", fault.text));
        };
        let raw = text.get(span.clone()).unwrap_or_default();
        // In a one-line string without escapes, each character of the value is one character of the file.
        let plain = raw.starts_with(['"', '\''])
            && !raw.contains(['\\', '\n'])
            && !raw.starts_with("\"\"\"")
            && !raw.starts_with("'''");
        match (fault.line, fault.position) {
            (Some(1), Some(position)) if plain => {
                let offset = raw.char_indices().nth(position).map_or(0, |(at, _)| at);
                FileFault::at(&file, text, span.start + offset, format!("{row}: {}", fault.text))
            }
            (Some(line), Some(position)) => {
                let told = format!("{row}, line {line}, character {position}: {}", fault.text);
                FileFault::at(&file, text, span.start, told)
            }
            _ => FileFault::at(&file, text, span.start, format!("{row}: {}", fault.text)),
        }
    }

    /// Finds the position of a case's expectation that the decision did not meet.
    #[must_use]
    pub fn locate_case(&self, code: &str, place: &str, told: &str) -> FileFault {
        let file = file_name(Resource::Cases);
        let text = format!("{code}: {told}");
        match self.span_of(&file, code, &["expect", place]) {
            Some((of_file, span)) => FileFault::at(&file, of_file, span.start, text),
            None => FileFault::of_file(file, text),
        }
    }

    /// Returns the file's content, and the span of the row's field at `path`. If the path does not exist, the span of
    /// its longest existing prefix is returned.
    fn span_of(&self, file: &str, code: &str, path: &[&str]) -> Option<(&'a str, Range<usize>)> {
        let text = self.files.get(file)?;
        let (key, row) = self.tables.get(file)?.get_key_value(code)?;
        Some((text, deeper(row, path).unwrap_or_else(|| key.span())))
    }
}

fn deeper(value: &Spanned<DeValue<'_>>, path: &[&str]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    match value.get_ref() {
        DeValue::Table(entries) => {
            let (key, value) = entries.iter().find(|(key, _)| key.get_ref().as_ref() == *first)?;
            let below = deeper(value, rest);
            Some(below.unwrap_or_else(|| {
                if rest.is_empty() && !value.get_ref().is_table() {
                    value.span()
                } else {
                    key.span()
                }
            }))
        }
        DeValue::Array(items) => {
            let item = items.get(first.parse::<usize>().ok()?)?;
            Some(deeper(item, rest).unwrap_or_else(|| item.span()))
        }
        _ => None,
    }
}
