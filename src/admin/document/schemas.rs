//! Schemas and headers, from 3.0 as poem-openapi writes it to 3.1.

use serde_json::{Value, json};

use super::super::body::PATCH;
use super::super::resources::TOLD;
use crate::rulebook::rows::Resource;

/// Mends what poem-openapi writes otherwise, and adds what rows have in the API only.
pub fn mend(document: &mut Value) {
    walk(document);
    name_patches(document);
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else {
        return;
    };
    let rows = || TOLD.iter().map(|told| told.schema).chain(["Settings"]);
    for name in rows() {
        let Some(schema) = schemas.get_mut(name) else { continue };
        schema["properties"]["version"] = json!({
            "type": "integer",
            "format": "int64",
            "minimum": 0,
            "description": "The revision since which the row stands as it is. Bring it when you change the row.",
        });
    }
    if let Some(settings) = schemas.get_mut("Settings") {
        settings["properties"]["revision"] = json!({
            "type": "integer",
            "format": "int64",
            "minimum": 1,
            "readOnly": true,
            "description": "The head revision: the rules of the next call.",
        });
    }
    if let Some(change) = schemas.get_mut("NewChange") {
        change["properties"]["resource"]["enum"] = Resource::ALL.iter().map(|resource| resource.path()).collect();
    }
    for name in rows() {
        let patch = schemas.get(name).map(patch_of);
        if let Some(patch) = patch {
            schemas.insert(format!("{name}{PATCH}"), patch);
        }
    }
    for (name, schema) in schemas.iter_mut() {
        // Answers may grow; what is sent may hold no field that nobody knows.
        let sent = TOLD.iter().any(|told| told.schema == name)
            || [
                "Settings",
                "Holiday",
                "Question",
                "ScriptTest",
                "TestPrice",
                "TestPriority",
                "NewApiKey",
                "NewChange",
                "NewChangeSet",
                "PublishRequest",
                "NewRulebook",
                "NewSecret",
                "WebhookAuth",
                "WebhookScheme",
            ]
            .contains(&name.as_str());
        if sent && schema["type"] == "object" {
            schema["additionalProperties"] = false.into();
        }
    }
}

/// The bodies of patches by reference.
fn name_patches(document: &mut Value) {
    let items = document["paths"].as_object_mut().into_iter().flatten();
    for (_, item) in items {
        let schema = item.pointer_mut("/patch/requestBody/content/application~1merge-patch+json/schema");
        if let Some(schema) = schema
            && let Some(title) = schema["title"].as_str()
        {
            *schema = json!({"$ref": format!("#/components/schemas/{title}")});
        }
    }
}

/// What may be sent to change some fields of a row: any of them, and null to take an optional one away.
fn patch_of(row: &Value) -> Value {
    let mut patch = row.clone();
    let required = patch.as_object_mut().and_then(|patch| patch.remove("required"));
    let required: Vec<&str> = required
        .iter()
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if let Some(title) = patch["title"].as_str() {
        patch["title"] = format!("{title}{PATCH}").into();
    }
    patch["description"] = "The fields to change; null takes an optional one away.".into();
    patch["additionalProperties"] = false.into();
    for (name, field) in patch["properties"].as_object_mut().into_iter().flatten() {
        if required.contains(&name.as_str()) || name == "version" {
            continue;
        }
        let old = field.take();
        *field = json!({"anyOf": [old, {"type": "null"}]});
    }
    patch
}

fn walk(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(walk),
        Value::Object(object) => {
            if object.remove("nullable") == Some(Value::Bool(true))
                && let Some(kind) = object.get("type").cloned()
            {
                object.insert("type".to_owned(), json!([kind, "null"]));
            }
            let unsigned = object
                .get("format")
                .and_then(Value::as_str)
                .is_some_and(|format| format.starts_with("uint"));
            if unsigned && !object.contains_key("minimum") {
                object.insert("minimum".to_owned(), 0.into());
            }
            if let Some(etag) = object.remove("ETAG") {
                object.insert("ETag".to_owned(), etag);
            }
            object.values_mut().for_each(walk);
        }
        _ => {}
    }
}
