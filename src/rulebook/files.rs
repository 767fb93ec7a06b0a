//! A rulebook as files: one TOML file per resource with a table per row, and each script's text in `scripts/CODE.rhai`.
//!
//! Comes in: a folder. Goes out: all rows, or every fault with file and line; and the way back, in an order that never
//! changes, so that a diff shows what somebody edited. Comments are for the files alone: they are not read into rows.
//! TOML has no null, so what a case expects to be absent is written as the text `null`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use toml::Spanned;

use super::rows::{Resource, Row, RowSet, Script, Stored, with_row};
use super::vocabulary::did_you_mean;

/// File names, relative to the folder and with `/`, and their texts.
pub type Files = BTreeMap<String, String>;

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {text}", line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct FileFault {
    /// The file within the folder.
    pub file: String,
    /// The line, from 1.
    pub line: Option<usize>,
    /// A sentence for people.
    pub text: String,
}

const EXTENSION: &str = ".rhai";
const SCRIPTS: &str = "scripts/";

/// Reads the rows out of texts.
///
/// # Errors
/// Every fault found.
pub fn parse(files: &Files) -> Result<RowSet, Vec<FileFault>> {
    let (mut rows, mut faults) = (RowSet::default(), Vec::new());
    for resource in Resource::ALL {
        with_row!(*resource, R => parse_resource::<R>(files, &mut rows, &mut faults));
    }
    let names: Vec<String> = Resource::ALL.iter().map(|resource| file_name(*resource)).collect();
    for file in files.keys() {
        let script = file.strip_prefix(SCRIPTS).and_then(|name| name.strip_suffix(EXTENSION));
        let text = match script {
            Some(code) if rows.scripts.contains_key(code) => continue,
            Some(code) => format!("no row in scripts.toml has the code `{code}`"),
            None if names.contains(file) => continue,
            None => {
                let hint = did_you_mean(file, names.iter().map(String::as_str));
                format!("this file belongs to no resource{hint}")
            }
        };
        faults.push(FileFault {
            file: file.clone(),
            line: None,
            text,
        });
    }
    if faults.is_empty() { Ok(rows) } else { Err(faults) }
}

fn file_name(resource: Resource) -> String {
    format!("{}.toml", resource.path())
}

fn parse_resource<R: Row>(files: &Files, rows: &mut RowSet, faults: &mut Vec<FileFault>) {
    let file = file_name(R::RESOURCE);
    let Some(text) = files.get(&file) else { return };
    let mut fault = |line: Option<usize>, text: String| {
        faults.push(FileFault {
            file: file.clone(),
            line,
            text,
        });
    };
    let tables: BTreeMap<Spanned<String>, toml::Table> = match toml::from_str(text) {
        Ok(tables) => tables,
        Err(error) => {
            let line = error.span().map(|span| line_of(text, span.start));
            return fault(
                line,
                format!("{} (a file holds one [code] table per row)", error.message()),
            );
        }
    };
    let mut heads: Vec<(usize, &str)> = tables
        .keys()
        .map(|key| (line_of(text, key.span().start), key.as_ref().as_str()))
        .collect();
    heads.sort_unstable();
    let lines: Vec<&str> = text.lines().collect();
    for (place, (head, code)) in heads.iter().enumerate() {
        let end = heads.get(place + 1).map_or(lines.len(), |(next, _)| next - 1);
        // The row's own lines, with its code where the head was: so a fault keeps its line.
        let body = lines
            .get(*head..end)
            .unwrap_or_default()
            .join("\n")
            .replace(&format!("[{code}."), "[");
        let source = if R::RESOURCE == Resource::Scripts {
            let name = format!("{SCRIPTS}{code}{EXTENSION}");
            let Some(source) = files.get(&name) else {
                fault(Some(*head), format!("the script `{code}` has no file {name}"));
                continue;
            };
            // A JSON string is a TOML string on one line.
            format!("source = {}", Value::String(source.clone()))
        } else {
            String::new()
        };
        match row::<R>(code, &source, &body) {
            Ok(row) => {
                let stored = Stored { version: 0, row };
                R::table_mut(rows).insert((*code).to_owned(), Arc::new(stored));
            }
            Err((line, text)) => fault(Some(head + line), text),
        }
    }
}

/// One row; a fault comes with the number of lines below the row's head.
fn row<R: Row>(code: &str, source: &str, body: &str) -> Result<R, (usize, String)> {
    let text = format!("code = {}\n{source}\n{body}", Value::String(code.to_owned()));
    let row: R = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(2, |span| line_of(&text, span.start));
        (line.saturating_sub(2), error.message().to_owned())
    })?;
    Ok(with_nulls(row, &|value| {
        if value == "null" {
            *value = Value::Null;
        }
    }))
}

/// A case with its nulls in the other form.
fn with_nulls<R: Row>(row: R, change: &dyn Fn(&mut Value)) -> R {
    if R::RESOURCE != Resource::Cases {
        return row;
    }
    let Ok(mut whole) = serde_json::to_value(&row) else {
        return row;
    };
    for field in ["facts", "expect"] {
        if let Some(Value::Object(entries)) = whole.get_mut(field) {
            entries.values_mut().for_each(change);
        }
    }
    serde_json::from_value(whole).unwrap_or(row)
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// Writes the rows as texts.
#[must_use]
pub fn write(rows: &RowSet) -> Files {
    let mut files = Files::new();
    for resource in Resource::ALL {
        with_row!(*resource, R => write_resource::<R>(rows, &mut files));
    }
    for (code, stored) in &rows.scripts {
        let Script { source, .. } = &stored.row;
        files.insert(format!("{SCRIPTS}{code}{EXTENSION}"), source.clone());
    }
    files
}

fn write_resource<R: Row>(rows: &RowSet, files: &mut Files) {
    let mut text = String::new();
    for (code, stored) in R::table(rows) {
        let row = with_nulls(stored.row.clone(), &|value| {
            if value.is_null() {
                *value = Value::from("null");
            }
        });
        // Every row is a table: rows are structs.
        let Ok(toml::Value::Table(fields)) = toml::Value::try_from(&row) else {
            continue;
        };
        if !text.is_empty() {
            text.push('\n');
        }
        text.extend(["[", code, "]\n"]);
        for (name, value) in fields.iter().filter(|(name, _)| *name != "code") {
            let own_file = R::RESOURCE == Resource::Scripts && name == "source";
            if !own_file {
                text.extend([name, " = ", &inline(value), "\n"]);
            }
        }
    }
    if !text.is_empty() {
        files.insert(file_name(R::RESOURCE), text);
    }
}

/// A value on one line, but a list of tables with one table a line.
fn inline(value: &toml::Value) -> String {
    match value {
        toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
            let lines: Vec<String> = items.iter().map(|item| format!("  {},\n", inline(item))).collect();
            format!("[\n{}]", lines.concat())
        }
        toml::Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        toml::Value::Table(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{} = {}", key(name), inline(value)))
                .collect();
            if fields.is_empty() {
                "{}".to_owned()
            } else {
                format!("{{ {} }}", fields.join(", "))
            }
        }
        // Conditions are full of quotes: a literal string shows them as they are.
        toml::Value::String(text)
            if text.contains('"') && !text.contains(['\'', '\n', '\r', '\t']) && !text.contains(char::is_control) =>
        {
            format!("'{text}'")
        }
        toml::Value::String(text) => Value::String(text.clone()).to_string().replace('\u{7f}', "\\u007F"),
        other => other.to_string(),
    }
}

fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare {
        name.to_owned()
    } else {
        Value::String(name.to_owned()).to_string()
    }
}

/// Reads a folder.
///
/// # Errors
/// Every fault found, a file that cannot be read included.
pub fn read_folder(folder: &Path) -> Result<RowSet, Vec<FileFault>> {
    let (mut files, mut faults) = (Files::new(), Vec::new());
    for (place, extension) in [(folder.to_owned(), ".toml"), (folder.join("scripts"), EXTENSION)] {
        read_into(folder, &place, extension, &mut files, &mut faults);
    }
    if faults.is_empty() { parse(&files) } else { Err(faults) }
}

fn read_into(folder: &Path, place: &Path, extension: &str, files: &mut Files, faults: &mut Vec<FileFault>) {
    let mut fault = |path: &Path, cause: std::io::Error| {
        faults.push(FileFault {
            file: path.display().to_string(),
            line: None,
            text: format!("cannot be read: {cause}"),
        });
    };
    let entries = match std::fs::read_dir(place) {
        Ok(entries) => entries,
        // A rulebook without scripts has no folder for them.
        Err(cause) if place != folder && cause.kind() == std::io::ErrorKind::NotFound => return,
        Err(cause) => return fault(place, cause),
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let Some(name) = path
            .file_name()
            .and_then(|name| name.to_str())
            .filter(|name| name.ends_with(extension))
        else {
            continue;
        };
        let name = if place == folder {
            name.to_owned()
        } else {
            format!("{SCRIPTS}{name}")
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                files.insert(name, text);
            }
            Err(cause) => fault(&path, cause),
        }
    }
}

/// Writes a folder, and takes away the files of resources and scripts that have no rows any more.
///
/// # Errors
/// When a file cannot be written or taken away.
pub fn write_folder(rows: &RowSet, folder: &Path) -> std::io::Result<()> {
    let files = write(rows);
    std::fs::create_dir_all(folder.join("scripts"))?;
    for (name, text) in &files {
        std::fs::write(folder.join(name), text)?;
    }
    let mut known: Vec<PathBuf> = Resource::ALL
        .iter()
        .map(|resource| folder.join(file_name(*resource)))
        .collect();
    for entry in std::fs::read_dir(folder.join("scripts"))?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "rhai") {
            known.push(path);
        }
    }
    let kept: Vec<PathBuf> = files.keys().map(|name| folder.join(name)).collect();
    for stale in known.iter().filter(|path| path.exists() && !kept.contains(path)) {
        std::fs::remove_file(stale)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rulebook::sample;

    #[test]
    fn what_is_written_reads_back_the_same() {
        let rows = sample::rows();
        let files = write(&rows);
        let again = parse(&files).unwrap();
        assert_eq!(again, rows);
        assert_eq!(write(&again), files);
    }

    #[test]
    fn a_folder_holds_a_rulebook() {
        let folder = tempfile::tempdir().unwrap();
        let mut rows = sample::rows();
        write_folder(&rows, folder.path()).unwrap();
        assert_eq!(read_folder(folder.path()).unwrap(), rows);
        rows.scripts.clear();
        rows.taxes.clear();
        write_folder(&rows, folder.path()).unwrap();
        assert_eq!(read_folder(folder.path()).unwrap(), rows);
        assert!(read_folder(&folder.path().join("nowhere")).is_err());
    }

    #[test]
    fn every_fault_names_its_file_and_line() {
        let files = Files::from(
            [
                (
                    "taxes.toml",
                    "# a\n[tps]\nnames = { en = \"GST\" }\nrank = 1\nrate = 5.0\n\n[tvq]\nrank = 2\nrat = \"1\"\n",
                ),
                ("contacts.toml", "[a\n"),
                ("tax.toml", ""),
                ("scripts/lost.rhai", ""),
                ("scripts.toml", "\n[gone]\nhook = \"price\"\nrank = 1\n"),
            ]
            .map(|(file, text)| (file.to_owned(), text.to_owned())),
        );
        let faults = parse(&files).unwrap_err();
        let places: Vec<_> = faults.iter().map(|fault| (fault.file.as_str(), fault.line)).collect();
        assert_eq!(
            places,
            [
                ("taxes.toml", Some(5)),
                ("taxes.toml", Some(9)),
                ("scripts.toml", Some(2)),
                ("contacts.toml", Some(1)),
                ("scripts/lost.rhai", None),
                ("tax.toml", None),
            ],
            "{faults:#?}"
        );
    }
}
