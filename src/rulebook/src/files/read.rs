//! Reads files into rows. Every error has its line and column, the expected form, and the nearest existing name.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::{EXTENSION, FileFault, Files, SCRIPTS, case_values, file_name, script_name};
use crate::rows::{Resource, Row, RowSet, StoredRow, with_row};
use crate::suggestion::{did_you_mean, hinted};

/// Maximum number of rows per resource, and maximum number of reported errors. A folder may come from an untrusted
/// source.
const MAX_ROWS: usize = 10_000;
const MAX_FAULTS: usize = 1_000;
/// Maximum number of unknown files for which the nearest name is searched.
const MAX_HINTS: usize = 20;

/// Parses the rows.
///
/// # Errors
/// Every error found.
pub fn parse(files: &Files) -> Result<RowSet, Vec<FileFault>> {
    let (mut rows, mut faults) = (RowSet::default(), Vec::new());
    // The list includes the codes of invalid rows, so that their script files are not reported as unknown.
    let mut scripts = Vec::new();
    for resource in Resource::ALL {
        let codes = with_row!(*resource, R => parse_resource::<R>(files, &mut rows, &mut faults));
        if *resource == Resource::Scripts {
            scripts = codes;
        }
    }
    let names: Vec<String> = Resource::ALL.iter().map(|resource| file_name(*resource)).collect();
    for file in files.keys() {
        let script = file.strip_prefix(SCRIPTS).and_then(|name| name.strip_suffix(EXTENSION));
        if faults.len() >= MAX_FAULTS {
            break;
        }
        let hints = faults.len() < MAX_HINTS;
        let text = match script {
            Some(code) if scripts.iter().any(|known| known == code) => continue,
            Some(code) => {
                let hint = did_you_mean(code, scripts.iter().map(String::as_str).filter(|_| hints));
                format!("no row in scripts.toml has the code `{code}`{hint}")
            }
            None if names.contains(file) => continue,
            None => {
                let hint = did_you_mean(file, names.iter().map(String::as_str));
                format!("this file belongs to no resource{hint}")
            }
        };
        faults.push(FileFault::of_file(file, text));
    }
    if faults.is_empty() { Ok(rows) } else { Err(faults) }
}

/// Reads the file of one resource and returns the codes in it.
fn parse_resource<R: Row>(files: &Files, rows: &mut RowSet, faults: &mut Vec<FileFault>) -> Vec<String> {
    let file = file_name(R::RESOURCE);
    let Some(text) = files.get(&file) else {
        return Vec::new();
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        faults.extend(errors.iter().take(MAX_FAULTS).map(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            FileFault::at(&file, text, offset, error.message())
        }));
        return Vec::new();
    }
    let table = table.into_inner();
    if table.len() > MAX_ROWS {
        let text = format!(
            "it has {} rows; a rulebook has at most {MAX_ROWS} of one kind",
            table.len()
        );
        faults.push(FileFault::of_file(file, text));
        return Vec::new();
    }
    let mut codes = Vec::new();
    for (code, value) in table {
        if faults.len() >= MAX_FAULTS {
            break;
        }
        let (head, code) = (code.span(), code.into_inner().into_owned());
        let source = match files.get(&script_name(&code)) {
            _ if R::RESOURCE != Resource::Scripts => None,
            Some(source) => Some(source.as_str()),
            None => {
                let text_of_fault = format!("the script `{code}` has no file {}", script_name(&code));
                faults.push(FileFault::at(&file, text, head.start, text_of_fault));
                continue;
            }
        };
        match row::<R>(&code, value, source) {
            Ok(row) => {
                let stored = StoredRow { version: 0, row };
                R::table_mut(rows).insert(code.clone(), Arc::new(stored));
            }
            Err((span, text_of_fault)) => {
                let offset = span.map_or(head.start, |span| span.start);
                faults.push(FileFault::at(&file, text, offset, text_of_fault));
            }
        }
        codes.push(code);
    }
    codes
}

/// Reads one row from its table. The error contains the position, if it is known.
pub(super) fn row<R: Row>(
    code: &str,
    value: Spanned<DeValue<'_>>,
    source: Option<&str>,
) -> Result<R, (Option<Range<usize>>, String)> {
    let whole = value.span();
    let DeValue::Table(mut fields) = value.into_inner() else {
        let text = format!("expected a table `[{code}]` with the row's fields: a file has one table per row");
        return Err((Some(whole), text));
    };
    // These fields must not be in the table: the code, and the source of a script.
    let mut given = vec![("code", code)];
    given.extend(source.map(|source| ("source", source)));
    for (name, text) in given {
        if let Some((key, _)) = fields.get_key_value(name) {
            let instead = if name == "code" {
                format!("the row's code is the name of its table, `[{code}]`: leave `code` out")
            } else {
                format!(
                    "the script's text is the file {}: leave `source` out",
                    script_name(code)
                )
            };
            return Err((Some(key.span()), instead));
        }
        // This field gets an empty span at the beginning of the row, because an error in it concerns the whole row.
        let nowhere = whole.start..whole.start;
        fields.insert(
            Spanned::new(nowhere.clone(), name.into()),
            Spanned::new(nowhere, DeValue::String(text.into())),
        );
    }
    let table = Spanned::new(whole.clone(), DeValue::Table(fields));
    let row =
        R::deserialize(ValueDeserializer::from(table)).map_err(|error| (error.span(), hinted(error.message())))?;
    case_values::from_toml(&row).map_err(|text| (Some(whole), text))
}
