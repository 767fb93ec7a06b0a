//! Converts the values of a case's facts and expectations to TOML and back. TOML has no null, and no integers from 2^63
//! on.
//!
//! If a case expects that a value is absent, the file has the string `null`. A string that begins with a backslash
//! contains a value as JSON. For example, `'\"null"'` is the string "null".

use serde_json::Value;

use crate::rows::{Resource, Row};

/// The fields with arbitrary JSON values.
const FIELDS: [&str; 2] = ["facts", "expect"];

/// Returns a copy of the row. In a case, each value is replaced by a value that TOML supports.
pub(super) fn for_toml<R: Row>(row: &R) -> R {
    let change = |value: &mut Value| {
        *value = match value.take() {
            Value::Null => Value::from("null"),
            Value::Number(number) if number.is_u64() && !number.is_i64() => format!("\\{number}").into(),
            Value::String(text) if text == "null" || text.starts_with('\\') => {
                format!("\\{}", Value::String(text)).into()
            }
            other => other,
        };
        Ok(())
    };
    changed(row, change).unwrap_or_else(|_| row.clone())
}

/// Reverses [`for_toml`]. The error names the string that is not valid JSON.
pub(super) fn from_toml<R: Row>(row: &R) -> Result<R, String> {
    changed(row, |value| {
        let Value::String(text) = value else { return Ok(()) };
        if text == "null" {
            *value = Value::Null;
        } else if let Some(json) = text.strip_prefix('\\') {
            *value = serde_json::from_str(json)
                .map_err(|_| format!("`{json}` after a backslash is not JSON; a string is written `\\\"…\"`"))?;
        }
        Ok(())
    })
}

fn changed<R: Row>(row: &R, change: fn(&mut Value) -> Result<(), String>) -> Result<R, String> {
    if R::RESOURCE != Resource::Cases {
        return Ok(row.clone());
    }
    let mut whole = serde_json::to_value(row).map_err(|error| error.to_string())?;
    for field in FIELDS {
        if let Some(Value::Object(entries)) = whole.get_mut(field) {
            entries.values_mut().try_for_each(|value| walk(value, change))?;
        }
    }
    serde_json::from_value(whole).map_err(|error| error.to_string())
}

fn walk(value: &mut Value, change: fn(&mut Value) -> Result<(), String>) -> Result<(), String> {
    match value {
        Value::Array(values) => values.iter_mut().try_for_each(|value| walk(value, change)),
        Value::Object(entries) => entries.values_mut().try_for_each(|value| walk(value, change)),
        leaf => change(leaf),
    }
}
