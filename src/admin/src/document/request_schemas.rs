//! Completes the schemas of requests: unknown fields are forbidden, and optional fields may be null.
//!
//! This module also adds a patch schema for each kind of row, and the schemas of the bodies of changes.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::limits::never_null;
use super::schemas::{Schemas, rows};
use rules::rows::{Resource, Row, with_row};

const REFERENCE: &str = "#/components/schemas/";

/// Returns the names of the schemas that request bodies reference.
pub fn bodies(document: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for item in document["paths"].as_object().into_iter().flat_map(Map::values) {
        for operation in item.as_object().into_iter().flat_map(Map::values) {
            named_in(&operation["requestBody"], &mut names);
        }
    }
    names
}

/// Forbids unknown fields in the schemas of requests, and permits null in optional fields. Adds the patch schemas.
pub fn close(schemas: &mut Schemas, bodies: &BTreeSet<String>) {
    let sent = reached(schemas, bodies);
    for name in &sent {
        if let Some(schema) = schemas.get_mut(name).filter(|schema| schema["type"] == "object") {
            schema["additionalProperties"] = false.into();
            allow_null(name, schema);
        }
    }
    for name in rows() {
        if let Some(row) = schemas.get(name) {
            schemas.insert(format!("{name}Patch"), patch(name, row));
        }
    }
    if let Some(change) = schemas.get_mut("NewChange") {
        change_bodies(change);
    }
}

fn reached(schemas: &Schemas, names: &BTreeSet<String>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<String> = names.iter().cloned().collect();
    while let Some(name) = open.pop() {
        let mut next = BTreeSet::new();
        if let Some(schema) = schemas.get(&name) {
            named_in(schema, &mut next);
        }
        if reached.insert(name) {
            open.extend(next);
        }
    }
    reached
}

fn named_in(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| named_in(value, names)),
        Value::Object(object) => {
            let name = object.get("$ref").and_then(Value::as_str);
            names.extend(name.and_then(|name| name.strip_prefix(REFERENCE)).map(str::to_owned));
            object.values().for_each(|value| named_in(value, names));
        }
        _ => {}
    }
}

/// Permits null in each field that is neither required nor has a default.
fn allow_null(schema_name: &str, schema: &mut Value) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, field) in schema["properties"].as_object_mut().into_iter().flatten() {
        let has_default = field.get("default").is_some();
        let has_to_be = required.iter().any(|one| one == name) || never_null(schema_name, name);
        if name != "code" && !has_default && field["readOnly"] != true && !has_to_be {
            or_null(field);
        }
    }
}

fn or_null(field: &mut Value) {
    let Some(object) = field.as_object_mut() else { return };
    if let Some(kind) = object.get("type").cloned() {
        if kind.is_string() {
            object.insert("type".to_owned(), json!([kind, "null"]));
        }
        if let Some(names) = object.get_mut("enum").and_then(Value::as_array_mut) {
            names.push(Value::Null);
        }
    } else if let Some(reference) = object.remove("$ref") {
        object.insert("anyOf".to_owned(), json!([{"$ref": reference}, {"type": "null"}]));
    }
}

/// Builds the schema of a row's merge patch (RFC 7396): any field of the row, and null to remove an optional field.
fn patch(name: &str, row: &Value) -> Value {
    let mut patch = row.clone();
    let required = patch.as_object_mut().and_then(|patch| patch.remove("required"));
    patch["title"] = format!("{name}Patch").into();
    patch["description"] = "The fields to change; null removes an optional field.".into();
    for (name, field) in patch["properties"].as_object_mut().into_iter().flatten() {
        if let Some(field) = field.as_object_mut() {
            field.remove("default");
            // A merge patch merges objects. So a patch may contain only some entries, and null removes an entry.
            if let Some(entry) = field.get_mut("additionalProperties") {
                or_null(entry);
                field.remove("minProperties");
            }
        }
        let has_to_be = required
            .iter()
            .filter_map(|all| all.as_array())
            .flatten()
            .any(|one| one == name);
        if !has_to_be && !["code", "revision"].contains(&name.as_str()) {
            or_null(field);
        }
    }
    patch
}

/// Adds the schema of a change's body: the whole row for `put`, a patch for `patch`, and nothing for `delete`.
fn change_bodies(change: &mut Value) {
    change["properties"]["resource"]["enum"] = Resource::ALL.iter().map(|resource| resource.path()).collect();
    let is = |field: &str, value: &str| json!({"properties": {field: {"const": value}}});
    let body = |name: String| json!({"properties": {"body": {"$ref": format!("{REFERENCE}{name}")}}});
    let mut last = None;
    for resource in Resource::ALL.iter().rev() {
        let name = with_row!(*resource, R => schema_of::<R>());
        let of_kind = json!({
            "if": is("method", "put"),
            "then": body(name.to_string()),
            "else": body(format!("{name}Patch")),
        });
        let mut of_resource = json!({"if": is("resource", resource.path()), "then": of_kind});
        if let Some(others) = last {
            of_resource["else"] = others;
        }
        last = Some(of_resource);
    }
    change["properties"]["body"]["type"] = json!(["object", "null"]);
    let mut others = last.unwrap_or_default();
    others["required"] = json!(["body"]);
    others["properties"] = json!({"body": {}});
    let delete =
        json!({"if": is("method", "delete"), "then": {"properties": {"body": {"maxProperties": 0}}}, "else": others});
    for (keyword, schema) in delete.as_object().into_iter().flatten() {
        change[keyword] = schema.clone();
    }
}

fn schema_of<R: Row + poem_openapi::types::Type>() -> std::borrow::Cow<'static, str> {
    R::name()
}
