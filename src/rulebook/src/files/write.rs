//! Writes rows as files in a stable order: the same rows give the same bytes.

use serde_json::Value;

use super::{Files, case_values, file_name, script_name};
use crate::rows::{Resource, Row, RowSet, Script, with_row};

/// Returns the files that contain the rows.
#[must_use]
pub fn write(rows: &RowSet) -> Files {
    let mut files = scripts(rows);
    for resource in Resource::ALL {
        let text = with_row!(*resource, R => resource_text::<R>(rows));
        files.extend(text.map(|text| (file_name(*resource), text)));
    }
    files
}

/// The script files.
pub(super) fn scripts(rows: &RowSet) -> Files {
    let named = rows.scripts.iter().map(|(code, stored)| {
        let Script { source, .. } = &stored.row;
        (script_name(code), source.clone())
    });
    named.collect()
}

/// Returns the text of one resource's file; `None` if the resource has no rows.
pub(super) fn resource_text<R: Row>(rows: &RowSet) -> Option<String> {
    let texts: Vec<String> = R::table(rows)
        .values()
        .map(|stored| row_text(stored.row.code(), &fields(&stored.row)))
        .collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// A row's table.
pub(super) fn row_text(code: &str, fields: &toml::Table) -> String {
    let lines: String = fields.iter().map(|(name, value)| field_text(name, value)).collect();
    format!("[{}]\n{lines}", key(code))
}

/// Returns the fields of a row's table: all fields except the code, and except a script's source, which has its own
/// file.
pub(super) fn fields<R: Row>(row: &R) -> toml::Table {
    // Rows are structs of strings, numbers and lists, which always convert to a table. Values that TOML lacks are
    // replaced first.
    let mut fields = toml::Table::try_from(case_values::for_toml(row)).unwrap_or_default();
    fields.retain(|name, _| name != "code" && !(R::RESOURCE == Resource::Scripts && name == "source"));
    fields
}

/// Formats a field as one line, or as several lines if its value is a multi-line string.
pub(super) fn field_text(name: &str, value: &toml::Value) -> String {
    match value {
        toml::Value::Table(entries) if entries.values().any(is_tall) => {
            let lines = entries.iter();
            let lines = lines.map(|(entry, value)| format!("{}.{} = {}\n", key(name), key(entry), top(value)));
            lines.collect::<Vec<_>>().concat()
        }
        value => format!("{} = {}\n", key(name), top(value)),
    }
}

fn is_tall(value: &toml::Value) -> bool {
    value.as_str().is_some_and(tall)
}

/// Whether a string is written with its line breaks. TOML must preserve the line breaks, and no character may need an
/// escape.
fn tall(text: &str) -> bool {
    text.contains('\n')
        && !text.contains("'''")
        && !text.ends_with('\'')
        && !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t')
}

fn top(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) if tall(text) => format!("'''\n{text}'''"),
        value => inline(value),
    }
}

/// Formats a value on one line. In a list of tables, each table has its own line.
pub(super) fn inline(value: &toml::Value) -> String {
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
        // Conditions contain many quotes, and a literal string needs no escapes for them.
        toml::Value::String(text)
            if text.contains(['"', '\\']) && !text.contains('\'') && !text.contains(char::is_control) =>
        {
            format!("'{text}'")
        }
        toml::Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { quoted(name) }
}

/// A JSON string is also a TOML string if the character U+007F is escaped.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string().replace('\u{7f}', "\\u007F")
}
