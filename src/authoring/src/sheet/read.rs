//! Converts CSV to edits.

use std::collections::BTreeMap;

use poem_openapi::types::Type;
use serde_json::{Map, Value};

use super::{CellShape, Field, cell, fields};
use crate::change_set::{Edit, ExpectedVersion};
use rules::rows::{Row, RowSet};
use rules::suggestion::{did_you_mean, hinted};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row {row}{}: {text}", if column.is_empty() { String::new() } else { format!(", column {column}") })]
pub struct SheetFault {
    /// The row number in the spreadsheet: the header is row 1.
    pub row: u64,
    /// The column's header; empty for the whole row.
    pub column: String,
    /// A stable code: `invalid_value`, `version_required`, `stale_version` and others.
    pub problem: &'static str,
    /// A sentence for people.
    pub text: String,
}

impl SheetFault {
    fn new(row: u64, column: impl Into<String>, problem: &'static str, text: impl Into<String>) -> Self {
        Self {
            row,
            column: column.into(),
            problem,
            text: text.into(),
        }
    }
}

/// The meaning of a column.
enum Head {
    /// A column without a header and without content.
    Empty,
    Code,
    Version,
    Field(Field, Option<String>),
}

/// What happens to rows that are not in the sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The rows stay unchanged.
    Stay,
    /// The rows are deleted. A row that changed after this revision is an error, because the author of the sheet has
    /// not seen the change.
    DeletedAsOf(i64),
}

/// Returns the edits that change the rows to the content of the sheet. Fields without a column stay unchanged. If the
/// sheet changes a row, the sheet must contain the row's current version.
///
/// # Errors
/// All errors, each with its row and column.
pub fn read<R: Row + Type>(bytes: &[u8], rows: &RowSet, missing: Missing) -> Result<Vec<Edit>, Vec<SheetFault>> {
    let text = text_of(bytes).map_err(|fault| vec![fault])?;
    let delimiter = delimiter(text);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let mut records = reader.records();
    let first = records.next().and_then(Result::ok).unwrap_or_default();
    let heads = heads::<R>(&first)?;
    let (mut edits, mut faults) = (Vec::new(), Vec::new());
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for (number, record) in (2..).zip(records) {
        let record = match record {
            Ok(record) if record.iter().all(|cell| cell.trim().is_empty()) => continue,
            Ok(record) => record,
            Err(error) => {
                faults.push(SheetFault::new(number, "", "not_csv", error.to_string()));
                break;
            }
        };
        // Spreadsheets may leave empty columns at the end.
        let places = (1..).zip(record.iter()).filter(|(_, cell)| !cell.trim().is_empty());
        let filled = places.map(|(place, _)| place).last().unwrap_or(0);
        if filled > heads.len() || record.len() < heads.len() {
            let text = format!(
                "expected {} cells, as in the first row, not {}",
                heads.len(),
                record.len()
            );
            faults.push(SheetFault::new(number, "", "invalid_value", text));
            continue;
        }
        let line = SheetLine::<R> {
            number,
            heads: &heads,
            record: &record,
            rows,
            has_commas: delimiter != b',',
            kind: std::marker::PhantomData,
        };
        if let Some(place) = line.beside_the_columns() {
            let text = format!("cell {place} has content, but its column has no name in the first row");
            faults.push(SheetFault::new(number, "", "invalid_value", text));
            continue;
        }
        let Some(code) = line.code() else {
            faults.push(SheetFault::new(number, "code", "missing_field", "the row has no code"));
            continue;
        };
        if let Some(earlier) = seen.insert(code.clone(), number) {
            let text = format!("`{code}` is already in row {earlier}");
            faults.push(SheetFault::new(number, "code", "repeated", text));
            continue;
        }
        match line.edit(&code) {
            Ok(edit) => edits.extend(edit),
            Err(found) => faults.extend(found),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let Missing::DeletedAsOf(revision) = missing else {
        return Ok(edits);
    };
    for (code, stored) in R::table(rows) {
        if seen.contains_key(code) {
            continue;
        }
        if stored.version > revision {
            let text = format!(
                "`{code}` is not in the sheet, and was written at version {}, after the sheet was exported: export the sheet again",
                stored.version
            );
            faults.push(SheetFault::new(1, "code", "stale_version", text));
        }
        edits.push(Edit::Delete {
            resource: R::RESOURCE,
            code: code.clone(),
            expected: ExpectedVersion::Version(stored.version),
        });
    }
    if faults.is_empty() { Ok(edits) } else { Err(faults) }
}

fn text_of(bytes: &[u8]) -> Result<&str, SheetFault> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let row = before.split(|byte| *byte == b'\n').count() as u64;
        let text = "the file is not UTF-8: in Excel, save as “CSV UTF-8 (Comma delimited)”";
        SheetFault::new(row, "", "not_utf8", text)
    })?;
    // Excel may write a first line that names the separator. The line is skipped, because the separator is detected
    // from the header.
    let hint = text.get(..4).filter(|hint| hint.eq_ignore_ascii_case("sep="));
    let rest = hint.and_then(|_| text.split_once('\n')).map(|(_, rest)| rest);
    Ok(rest.unwrap_or(text))
}

/// Returns the separator of the cells. A spreadsheet set to French writes semicolons.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    let count = |byte: &u8| first.bytes().filter(|one| one == byte).count();
    // On a tie the last separator wins, which is the comma.
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

fn heads<R: Row + Type>(first: &csv::StringRecord) -> Result<Vec<Head>, Vec<SheetFault>> {
    let fields = fields::<R>();
    let (mut heads, mut faults) = (Vec::new(), Vec::new());
    for (place, name) in first.iter().enumerate() {
        let name = cell::unmarked_inside(name.trim());
        let name = name.as_str();
        let (before, key) = name
            .split_once('.')
            .map_or((name, None), |(field, key)| (field, Some(key)));
        let is_map = |field: &Field| matches!(field.shape, CellShape::TextMap | CellShape::TextsMap);
        let field = fields
            .iter()
            .find(|field| field.name == before && is_map(field) == key.is_some());
        let head = match (name, field) {
            ("", _) => Ok(Head::Empty),
            ("code", _) => Ok(Head::Code),
            ("version", _) => Ok(Head::Version),
            (_, Some(field)) => Ok(Head::Field(field.clone(), key.map(ToOwned::to_owned))),
            (_, None) => {
                let known: Vec<String> = fields
                    .iter()
                    .map(|field| {
                        let language = if is_map(field) { ".fr" } else { "" };
                        format!("{}{language}", field.name)
                    })
                    .chain(["code".to_owned(), "version".to_owned()])
                    .collect();
                let hint = did_you_mean(name, known.iter().map(String::as_str));
                let hint = if hint.is_empty() {
                    format!("; there are {}", known.join(", "))
                } else {
                    hint
                };
                Err(("unknown_field", format!("there is no such column{hint}")))
            }
        };
        let head = match head {
            Ok(Head::Empty) => Ok(Head::Empty),
            Ok(_) if first.iter().take(place).any(|earlier| earlier.trim() == name) => {
                Err(("repeated", "there are two columns of this name".to_owned()))
            }
            other => other,
        };
        match head {
            Ok(head) => heads.push(head),
            Err((problem, text)) => faults.push(SheetFault::new(1, name, problem, text)),
        }
    }
    if faults.is_empty() && !heads.iter().any(|head| matches!(head, Head::Code)) {
        let text = "the first row names the columns, and `code` is missing";
        faults.push(SheetFault::new(1, "code", "missing_field", text));
    }
    if faults.is_empty() { Ok(heads) } else { Err(faults) }
}

/// One row of the sheet.
struct SheetLine<'a, R> {
    number: u64,
    heads: &'a [Head],
    record: &'a csv::StringRecord,
    rows: &'a RowSet,
    has_commas: bool,
    kind: std::marker::PhantomData<fn() -> R>,
}

impl<R: Row + Type> SheetLine<'_, R> {
    fn fault(&self, column: impl Into<String>, problem: &'static str, text: impl Into<String>) -> SheetFault {
        SheetFault::new(self.number, column, problem, text)
    }

    /// The number, from 1, of the first cell with content in a column without a header.
    fn beside_the_columns(&self) -> Option<usize> {
        let mut cells = self.heads.iter().zip(self.record);
        let found = cells.position(|(head, cell)| matches!(head, Head::Empty) && !cell.trim().is_empty());
        found.map(|place| place + 1)
    }

    fn code(&self) -> Option<String> {
        let mut cells = self.heads.iter().zip(self.record);
        let (_, cell) = cells.find(|(head, _)| matches!(head, Head::Code))?;
        let code = cell::read(cell.trim(), CellShape::Text, false, false).ok().flatten()?;
        code.as_str().map(ToOwned::to_owned).filter(|code| !code.is_empty())
    }

    /// The edit for this row; `None` if nothing changes.
    fn edit(&self, code: &str) -> Result<Option<Edit>, Vec<SheetFault>> {
        let standing = R::table(self.rows).get(code);
        let (row, version) = self.filled(code, standing.map(|stored| &stored.row))?;
        let read: R = serde_path_to_error::deserialize(&row).map_err(|error| vec![self.misfit(&error)])?;
        if standing.is_some_and(|stored| stored.row == read) {
            return Ok(None);
        }
        let stale = |text: String| vec![self.fault("version", "stale_version", text)];
        let expected = match (standing.map(|stored| stored.version), version) {
            (None, None | Some(0)) => ExpectedVersion::Absent,
            (None, Some(_)) => {
                let text = "the row does not exist any more; empty the cell to create the row again";
                return Err(stale(text.to_owned()));
            }
            (Some(_), None) => {
                let text = "the row exists and would change: bring the version that was read";
                return Err(vec![self.fault("version", "version_required", text)]);
            }
            (Some(current), Some(version)) if version == current => ExpectedVersion::Version(version),
            (Some(current), Some(version)) => {
                let text = format!(
                    "somebody else changed the row: the sheet has version {version}, the current version is {current}"
                );
                return Err(stale(text));
            }
        };
        let row =
            serde_json::to_value(&read).map_err(|error| vec![self.fault("", "invalid_value", error.to_string())])?;
        Ok(Some(Edit::Put {
            resource: R::RESOURCE,
            code: code.to_owned(),
            row,
            expected,
        }))
    }

    /// Returns the current row with the values of the cells, and the version that the sheet contains.
    fn filled(&self, code: &str, standing: Option<&R>) -> Result<(Value, Option<i64>), Vec<SheetFault>> {
        let standing = standing.and_then(|row| serde_json::to_value(row).ok());
        let mut row = match standing {
            Some(Value::Object(row)) => row,
            _ => Map::new(),
        };
        row.insert("code".to_owned(), code.into());
        let (mut version, mut faults) = (None, Vec::new());
        for (head, cell) in self.heads.iter().zip(self.record) {
            match head {
                Head::Code | Head::Empty => {}
                Head::Version => match cell::read(cell, CellShape::Integer, false, false) {
                    Ok(found) => version = found.and_then(|found| found.as_i64()),
                    Err(text) => faults.push(self.fault("version", "invalid_value", text)),
                },
                Head::Field(field, None) => match cell::read(cell, field.shape, field.required, self.has_commas) {
                    Ok(Some(value)) => {
                        row.insert(field.name.to_owned(), value);
                    }
                    Ok(None) => {
                        row.remove(field.name);
                    }
                    Err(text) => faults.push(self.fault(field.name, "invalid_value", text)),
                },
                Head::Field(field, Some(key)) => match cell::read(cell, field.shape, false, self.has_commas) {
                    Ok(value) => {
                        let map = row.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
                        if let Value::Object(map) = map {
                            match value {
                                Some(value) => map.insert(key.clone(), value),
                                None => map.remove(key),
                            };
                        }
                    }
                    Err(text) => faults.push(self.fault(format!("{}.{key}", field.name), "invalid_value", text)),
                },
            }
        }
        // A map without any column is an empty map, not a missing field.
        for field in fields::<R>() {
            if field.required && matches!(field.shape, CellShape::TextMap | CellShape::TextsMap) {
                row.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
            }
        }
        if faults.is_empty() {
            Ok((Value::Object(row), version))
        } else {
            Err(faults)
        }
    }

    /// Returns the error for a value that does not match the row's struct, and the column of the value.
    fn misfit(&self, error: &serde_path_to_error::Error<serde_json::Error>) -> SheetFault {
        let text = error.inner().to_string();
        let path = error.path().to_string();
        let missing = text
            .strip_prefix("missing field `")
            .and_then(|rest| rest.split('`').next());
        match missing {
            Some(column) if path == "." => self.fault(column, "missing_field", "the cell is empty"),
            _ => {
                let column = self.heads.iter().find_map(|head| match head {
                    Head::Field(field, None) if path.split(['.', '[']).next() == Some(field.name) => {
                        Some(field.name.to_owned())
                    }
                    Head::Field(field, Some(key)) => {
                        let column = format!("{}.{key}", field.name);
                        path.starts_with(&column).then_some(column)
                    }
                    _ => None,
                });
                self.fault(column.unwrap_or_default(), "invalid_value", hinted(&text))
            }
        }
    }
}
