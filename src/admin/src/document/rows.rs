//! Describes the operations on rows once for each kind of row, with the kind's own paths and schemas.

use poem_openapi::registry::Registry;
use serde_json::{Map, Value};

use crate::resources::{KINDS, RESOURCES, ResourceDescription};

/// The placeholder schema for every kind of row.
const ANY_ROW: &str = "AnyRow";

/// Replaces the operations and schemas of `AnyRow` with the operations and schemas of each kind of row.
pub fn add(document: &mut Value) {
    let mut registry = Registry::new();
    for kind in KINDS {
        (kind.register)(&mut registry);
    }
    if let Some(paths) = document["paths"].as_object_mut() {
        *paths = of_each_kind(paths, |any, resource| resource.path_of(any));
    }
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        schemas.remove(ANY_ROW);
        *schemas = of_each_kind(schemas, |any, resource| {
            any.contains(ANY_ROW).then(|| any.replace(ANY_ROW, resource.schema))
        });
        for (name, schema) in registry.schemas {
            // A schema always serializes: it is an object of strings, numbers and lists.
            schemas.insert(name, serde_json::to_value(schema).unwrap_or_default());
        }
    }
}

/// Replaces an entry with one entry per kind, if `name_of` returns names for it. All other entries stay.
fn of_each_kind(
    any: &Map<String, Value>,
    name_of: impl Fn(&str, &ResourceDescription) -> Option<String>,
) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in any {
        let renamed = RESOURCES
            .iter()
            .filter_map(|resource| Some((name_of(name, resource)?, with_schema(value, resource.schema))));
        let before = all.len();
        all.extend(renamed);
        if all.len() == before {
            all.insert(name.clone(), value.clone());
        }
    }
    all
}

/// Returns the value with `AnyRow` replaced by the name of the kind's schema.
fn with_schema(value: &Value, schema: &str) -> Value {
    match value {
        Value::String(text) => text.replace(ANY_ROW, schema).into(),
        Value::Array(items) => items.iter().map(|item| with_schema(item, schema)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.clone(), with_schema(field, schema)))
            .collect(),
        other => other.clone(),
    }
}
