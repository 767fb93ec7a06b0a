//! Converts the rows of a revision to one JSON object and back. The snapshot file next to the spool contains this
//! object. A server reads the file when it starts without the database.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::rows::{Resource, Row, RowSet, StoredRow, with_row};

/// Converts the rows to JSON, grouped by the path name of their resource. Each row includes its version.
///
/// # Errors
/// When a row cannot be written as JSON.
pub fn to_json(rows: &RowSet) -> Result<Value, serde_json::Error> {
    let mut all = Map::new();
    for resource in Resource::ALL {
        let list = with_row!(*resource, R => write::<R>(rows))?;
        all.insert(resource.path().to_owned(), Value::Array(list));
    }
    Ok(Value::Object(all))
}

/// Reads the rows that [`to_json`] wrote.
///
/// # Errors
/// When a row does not have the form that this version of the program expects.
pub fn from_json(mut all: Value) -> Result<RowSet, serde_json::Error> {
    let mut rows = RowSet::default();
    for resource in Resource::ALL {
        let list = all.get_mut(resource.path()).map(Value::take).unwrap_or_default();
        with_row!(*resource, R => read::<R>(list, &mut rows))?;
    }
    Ok(rows)
}

fn write<R: Row>(rows: &RowSet) -> Result<Vec<Value>, serde_json::Error> {
    let stored = R::table(rows).values();
    stored
        .map(|stored| Ok(json!({"version": stored.version, "row": serde_json::to_value(&stored.row)?})))
        .collect()
}

fn read<R: Row>(list: Value, rows: &mut RowSet) -> Result<(), serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct One {
        version: i64,
        row: Value,
    }
    let list: Option<Vec<One>> = serde_json::from_value(list)?;
    for one in list.unwrap_or_default() {
        let row: R = serde_json::from_value(one.row)?;
        let stored = StoredRow {
            version: one.version,
            row,
        };
        R::table_mut(rows).insert(stored.row.code().to_owned(), Arc::new(stored));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn rows_come_back_as_they_were() {
        let rows = sample::rows();
        let text = to_json(&rows).unwrap().to_string();
        assert_eq!(from_json(serde_json::from_str(&text).unwrap()).unwrap(), rows);
        assert!(rows.count() > 30);
    }
}
