//! Writes rows as CSV.

use std::collections::BTreeSet;

use poem_openapi::types::Type;
use serde_json::Value;

use super::{CellShape, Field, cell, csv_text, fields};
use rules::compile::SETTINGS;
use rules::rows::{Row, RowSet};

/// A column: a field and, if the field is a map, the key of an entry.
struct Column {
    field: Field,
    key: Option<String>,
}

/// Writes the rows of one resource.
///
/// # Errors
/// When the writer fails. A writer in memory never fails.
pub fn write<R: Row + Type>(rows: &RowSet) -> Result<String, String> {
    let whole: Vec<(i64, Value)> = R::table(rows)
        .values()
        // Rows are structs of strings, numbers and lists, which always convert to JSON.
        .map(|stored| (stored.version, serde_json::to_value(&stored.row).unwrap_or_default()))
        .collect();
    let columns = columns::<R>(rows, &whole);
    let heads = columns.iter().map(|column| match &column.key {
        Some(key) => cell::marked_inside(&format!("{}.{key}", column.field.name)),
        None => column.field.name.to_owned(),
    });
    let heads: Vec<String> = std::iter::once("code".to_owned())
        .chain(heads)
        .chain(["version".to_owned()])
        .collect();
    let lines = whole.iter().map(|(version, row)| {
        let mut cells = vec![cell::of(&row["code"], CellShape::Text, true)];
        for Column { field, key } in &columns {
            let value = &row[field.name];
            let required = field.required && key.is_none();
            cells.push(match key {
                Some(key) => cell::of(&value[key.as_str()], field.shape, required),
                None => cell::of(value, field.shape, required),
            });
        }
        cells.push(version.to_string());
        cells
    });
    csv_text(std::iter::once(heads).chain(lines))
}

/// The columns of the sheet. A map has a column for each key that any row has. Labels also have a column for each
/// language of the rulebook, so that people can fill in the column.
fn columns<R: Row + Type>(rows: &RowSet, whole: &[(i64, Value)]) -> Vec<Column> {
    let languages = rows.settings.get(SETTINGS).map(|settings| &settings.row.languages);
    let mut columns = Vec::new();
    for field in fields::<R>() {
        if !matches!(field.shape, CellShape::TextMap | CellShape::TextsMap) {
            columns.push(Column { field, key: None });
            continue;
        }
        let mut keys: BTreeSet<String> = BTreeSet::new();
        for (_, row) in whole {
            keys.extend(
                row[field.name]
                    .as_object()
                    .into_iter()
                    .flat_map(|map| map.keys().cloned()),
            );
        }
        if field.shape == CellShape::TextMap {
            keys.extend(languages.into_iter().flatten().cloned());
        }
        columns.extend(keys.into_iter().map(|key| Column {
            field: field.clone(),
            key: Some(key),
        }));
    }
    columns
}
