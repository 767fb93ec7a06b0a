//! Converts schemas and headers from OpenAPI 3.0, as poem-openapi writes them, to 3.1, and completes them.

use serde_json::{Map, Value, json};

use super::limits;
use super::request_schemas;
use crate::resources::RESOURCES;
use web::problem::Code;

/// The schemas by name.
pub type Schemas = Map<String, Value>;

/// Corrects poem-openapi's output, and adds the fields that rows have only in the API.
pub fn correct(document: &mut Value) {
    to_3_1(document);
    let bodies = request_schemas::bodies(document);
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else {
        return;
    };
    for name in rows() {
        let Some(schema) = schemas.get_mut(name) else { continue };
        // The path contains the row's code, so the body may omit it.
        if let Some(required) = schema["required"].as_array_mut() {
            required.retain(|field| field != "code");
        }
        schema["properties"]["version"] = json!({
            "type": "integer",
            "format": "int64",
            "description": "The revision that wrote the row. Send it when you change the row.",
        });
    }
    if let Some(settings) = schemas.get_mut("Settings") {
        settings["properties"]["revision"] = json!({
            "type": "integer",
            "format": "int64",
            "minimum": 1,
            "readOnly": true,
            "description": "The head revision, which the next call uses.",
        });
    }
    if let Some(problem) = schemas.get_mut("Problem") {
        problem["properties"]["code"]["enum"] = Code::ALL.iter().map(|code| code.name()).collect();
    }
    limits::add(schemas);
    request_schemas::close(schemas, &bodies);
}

/// Returns the names of the schemas of rows.
pub fn rows() -> impl Iterator<Item = &'static str> {
    RESOURCES.iter().map(|resource| resource.schema).chain(["Settings"])
}

fn to_3_1(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(to_3_1),
        Value::Object(object) => {
            described_reference(object);
            whole_limits(object);
            if object.remove("nullable") == Some(Value::Bool(true))
                && let Some(kind) = object.get("type").cloned()
            {
                object.insert("type".to_owned(), json!([kind, "null"]));
            }
            if let Some(etag) = object.remove("ETAG") {
                object.insert("ETag".to_owned(), etag);
            }
            if object.get("type").is_some_and(Value::is_string)
                && let Some(example) = object.remove("example")
            {
                object.insert("examples".to_owned(), json!([example]));
            }
            object.values_mut().for_each(to_3_1);
        }
        _ => {}
    }
}

/// Replaces an `allOf` that has one `$ref` by keywords beside a `$ref`. OpenAPI 3.1 permits keywords beside a `$ref`,
/// which 3.0 did not. Client generators handle such keywords better than `allOf`.
fn described_reference(object: &mut Map<String, Value>) {
    if let Some(Value::Array(parts)) = object.get("allOf")
        && parts.iter().filter(|part| part.get("$ref").is_some()).count() == 1
        && let Some(Value::Array(parts)) = object.remove("allOf")
    {
        object.extend(parts.into_iter().filter_map(|part| part.as_object().cloned()).flatten());
    }
}

/// Converts the limits of integers to integers, and gives unsigned integers the minimum 0.
fn whole_limits(object: &mut Map<String, Value>) {
    if object.get("type").and_then(Value::as_str) != Some("integer") {
        return;
    }
    for limit in ["minimum", "maximum"] {
        if let Some(whole) = object.get(limit).and_then(Value::as_f64) {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "poem-openapi stores integer limits as floats"
            )]
            object.insert(limit.to_owned(), (whole as i64).into());
        }
    }
    let format = object.get("format").and_then(Value::as_str);
    let Some(bits) = format.and_then(|format| format.strip_prefix("uint")) else {
        return;
    };
    // OpenAPI defines only signed integer formats.
    let format = if bits == "64" { "int64" } else { "int32" };
    object.insert("format".to_owned(), format.into());
    object.entry("minimum").or_insert(0.into());
}
