//! Exports the rows of one resource to a spreadsheet in CSV format, and imports them without loss.
//!
//! Each row is a line. The columns are the code, the fields in the order of the row's struct, and the version. A map
//! has a column per key (`names.fr`). A list of strings is one cell with ` | ` as separator. Deeper structures are a
//! cell of JSON. [`write`] writes UTF-8 with a byte order mark, commas and CRLF, which Excel and other programs read.
//! [`read`] accepts the CSV files that spreadsheets save, including files with semicolons. [`read`] returns the edits,
//! or every error with its row and column.
//!
//! A string that a spreadsheet could read as a formula gets a leading apostrophe (`'+15145550101`), and so does a
//! string that begins with an apostrophe. Removing one apostrophe on import restores the string.

mod cell;
mod read;
#[cfg(test)]
mod tests;
mod write;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;

pub use read::{Missing, SheetFault, read};
pub use write::write;

use serde_json::Value;

use rules::rows::Row;

/// Excel reads a file as UTF-8 only if the file begins with this mark.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Formats a value as a cell that people only read. No string in the cell begins a formula.
#[must_use]
pub fn plain_cell(value: &Value) -> String {
    cell::of(value, CellShape::Text, true)
}

/// Formats lines of cells as CSV for all spreadsheets: UTF-8 with a byte order mark, commas, CRLF.
///
/// # Errors
/// When the writer fails. A writer in memory never fails.
pub fn csv_text(lines: impl IntoIterator<Item = Vec<String>>) -> Result<String, String> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for line in lines {
        writer.write_record(&line).map_err(|error| error.to_string())?;
    }
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
    Ok(format!("{BYTE_ORDER_MARK}{text}"))
}

/// How a field is written to cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CellShape {
    Text,
    /// Money and rates: strings that are numbers to a spreadsheet.
    Number,
    Integer,
    Boolean,
    Texts,
    /// One string per key.
    TextMap,
    /// A list of strings per key.
    TextsMap,
    Json,
}

/// A field of a row type.
#[derive(Debug, Clone)]
struct Field {
    name: &'static str,
    shape: CellShape,
    /// If true, an empty cell means an empty value. If false, an empty cell means no value.
    required: bool,
}

/// Returns all fields of a row type except the code, from the type's schema.
fn fields<R: Row + Type>() -> Vec<Field> {
    let mut registry = Registry::new();
    R::register(&mut registry);
    let Some(schema) = registry.schemas.get(R::name().as_ref()) else {
        return Vec::new();
    };
    let named = schema.properties.iter().filter(|(name, _)| *name != "code");
    named
        .map(|(name, schema_of_field)| Field {
            name,
            shape: shape(&registry, schema_of_field),
            required: schema.required.contains(name),
        })
        .collect()
}

fn shape(registry: &Registry, schema: &MetaSchemaRef) -> CellShape {
    let Some(schema) = resolved(registry, schema) else {
        return CellShape::Json;
    };
    let below = |schema: &Option<Box<MetaSchemaRef>>| schema.as_ref().map(|schema| shape(registry, schema));
    match schema.ty {
        "string" if matches!(schema.format, Some("money" | "rate")) => CellShape::Number,
        "string" => CellShape::Text,
        "integer" => CellShape::Integer,
        "boolean" => CellShape::Boolean,
        "array" if below(&schema.items) == Some(CellShape::Text) => CellShape::Texts,
        "object" => match below(&schema.additional_properties) {
            Some(CellShape::Text) => CellShape::TextMap,
            Some(CellShape::Texts) => CellShape::TextsMap,
            _ => CellShape::Json,
        },
        _ => CellShape::Json,
    }
}

/// Returns the schema that a reference names, from the registry. Returns an inline schema unchanged.
fn resolved<'a>(registry: &'a Registry, schema: &'a MetaSchemaRef) -> Option<&'a MetaSchema> {
    match schema {
        MetaSchemaRef::Inline(schema) => match schema.all_of.first() {
            Some(elsewhere) => resolved(registry, elsewhere),
            None => Some(schema),
        },
        MetaSchemaRef::Reference(name) => registry.schemas.get(name),
    }
}
