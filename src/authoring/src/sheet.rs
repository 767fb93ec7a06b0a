//! Rows of one kind as a spreadsheet: CSV out and in, with nothing lost on the way.
//!
//! A row is a line; its fields are columns, in the order of the row's shape, between its code and its version. A map has
//! a column per key (`names.fr`); a list of words is one cell with ` | ` between them; what is deeper is a cell of JSON.
//! [`write`] writes for Excel as for everyone else: UTF-8 with a byte order mark, commas, CRLF. [`read`] takes what comes
//! back from a spreadsheet, semicolons and all, and gives the edits that make the rows so, or every fault with its row
//! and column.
//!
//! A text that a spreadsheet could take for a formula gets an apostrophe in front (`'+15145550101`), and so does a text
//! that begins with one: taking one apostrophe off on the way in gives the text back.

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

/// Excel takes a file for UTF-8 only with this in front.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A value as a cell that is only read: no text begins a formula.
#[must_use]
pub fn plain_cell(value: &Value) -> String {
    cell::of(value, Shape::Text, true)
}

/// Lines of cells as CSV for every spreadsheet: UTF-8 with a byte order mark, commas, CRLF.
///
/// # Errors
/// When the writer fails, which writing to memory does not.
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

/// What a field holds, as far as a cell is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    /// Money and rates: texts that are numbers to a spreadsheet.
    Number,
    Integer,
    Boolean,
    Texts,
    /// A text per key.
    TextMap,
    /// A list of texts per key.
    TextsMap,
    Json,
}

/// A field of a kind of row.
#[derive(Debug, Clone)]
struct Field {
    name: &'static str,
    shape: Shape,
    /// Whether an empty cell is an empty value rather than none.
    required: bool,
}

/// The fields of a kind of row but its code, from the one place that says its shape.
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

fn shape(registry: &Registry, schema: &MetaSchemaRef) -> Shape {
    let Some(schema) = resolved(registry, schema) else {
        return Shape::Json;
    };
    let below = |schema: &Option<Box<MetaSchemaRef>>| schema.as_ref().map(|schema| shape(registry, schema));
    match schema.ty {
        "string" if matches!(schema.format, Some("money" | "rate")) => Shape::Number,
        "string" => Shape::Text,
        "integer" => Shape::Integer,
        "boolean" => Shape::Boolean,
        "array" if below(&schema.items) == Some(Shape::Text) => Shape::Texts,
        "object" => match below(&schema.additional_properties) {
            Some(Shape::Text) => Shape::TextMap,
            Some(Shape::Texts) => Shape::TextsMap,
            _ => Shape::Json,
        },
        _ => Shape::Json,
    }
}

/// A schema, also where it is told elsewhere and described here.
fn resolved<'a>(registry: &'a Registry, schema: &'a MetaSchemaRef) -> Option<&'a MetaSchema> {
    match schema {
        MetaSchemaRef::Inline(schema) => match schema.all_of.first() {
            Some(elsewhere) => resolved(registry, elsewhere),
            None => Some(schema),
        },
        MetaSchemaRef::Reference(name) => registry.schemas.get(name),
    }
}
