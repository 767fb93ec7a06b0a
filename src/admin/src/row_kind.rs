//! Describes a kind of row for the operations on rule rows, so that the operations are compiled once and not for each
//! kind.

use poem_openapi::Object;
use poem_openapi::registry::Registry;
use poem_openapi::types::Type;
use serde_json::Value;

use super::list::ListSpec;
use super::row_checks::canonical;
use authoring::change_set::Edit;
use authoring::sheet::{self, Missing, SheetFault};
use rules::rows::{Resource, Row, RowSet};
use web::problem::Problem;

/// A placeholder for every kind of row in the operations. The OpenAPI document names the type of each kind instead
/// (`document::rows`).
#[derive(Debug, Object)]
pub struct AnyRow {
    code: String,
}

/// The functions of a kind of row. The signatures of these functions do not contain the row's type.
#[derive(Debug)]
pub struct RowKind {
    pub resource: Resource,
    /// Sort orders and filters of the kind's list.
    pub list: ListSpec,
    /// The name of the kind's schema.
    pub schema: fn() -> String,
    /// Registers the kind's schema.
    pub register: fn(&mut Registry),
    /// Returns the row with this code as JSON.
    pub row: fn(&RowSet, &str) -> Option<Value>,
    /// Returns all rows as JSON, with their codes.
    pub rows: fn(&RowSet) -> Vec<(String, Value)>,
    /// Returns the version of the row with this code.
    pub version: fn(&RowSet, &str) -> Option<i64>,
    /// Validates a row and returns its stored form.
    pub canonical: fn(Value) -> Result<Value, Problem>,
    /// Writes the rows as CSV.
    pub write_sheet: fn(&RowSet) -> Result<String, String>,
    /// Reads the changes from a CSV file.
    pub read_sheet: ReadSheet,
}

/// Reads a CSV file. Returns the changes to the rows, or every error.
type ReadSheet = fn(&[u8], &RowSet, Missing) -> Result<Vec<Edit>, Vec<SheetFault>>;

impl RowKind {
    pub const fn of<R: Row + Type>(list: ListSpec) -> Self {
        Self {
            resource: R::RESOURCE,
            list,
            schema: || R::name().into_owned(),
            register: R::register,
            row: |rows, code| R::table(rows).get(code).map(|stored| as_json(&stored.row)),
            rows: |rows| {
                let rows = R::table(rows).iter();
                rows.map(|(code, stored)| (code.clone(), as_json(&stored.row)))
                    .collect()
            },
            version: |rows, code| R::table(rows).get(code).map(|stored| stored.version),
            canonical: canonical::<R>,
            write_sheet: sheet::write::<R>,
            read_sheet: sheet::read::<R>,
        }
    }
}

/// Converts a row to JSON. A row always serializes, because it is an object of strings, numbers and lists.
fn as_json<R: Row>(row: &R) -> Value {
    serde_json::to_value(row).unwrap_or_default()
}
