//! Schemas and headers, from 3.0 as poem-openapi writes it to 3.1.

use serde_json::{Value, json};

use super::super::resources::TOLD;
use crate::rulebook::rows::Resource;

/// Mends what poem-openapi writes otherwise, and adds what rows have in the API only.
pub fn mend(document: &mut Value) {
    walk(document);
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else {
        return;
    };
    let rows = TOLD.iter().map(|told| told.schema).chain(["Settings"]);
    for name in rows {
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

fn walk(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(walk),
        Value::Object(object) => {
            if object.remove("nullable") == Some(Value::Bool(true))
                && let Some(kind) = object.get("type").cloned()
            {
                object.insert("type".to_owned(), json!([kind, "null"]));
            }
            // 3.0 allowed nothing beside a `$ref`; 3.1 does, and client generators read one reference better than `allOf`.
            if let Some(Value::Array(parts)) = object.get("allOf")
                && parts.iter().filter(|part| part.get("$ref").is_some()).count() == 1
                && let Some(Value::Array(parts)) = object.remove("allOf")
            {
                object.extend(parts.into_iter().filter_map(|part| part.as_object().cloned()).flatten());
            }
            if let Some(etag) = object.remove("ETAG") {
                object.insert("ETag".to_owned(), etag);
            }
            object.values_mut().for_each(walk);
        }
        _ => {}
    }
}
