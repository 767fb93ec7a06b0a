//! Adds the limits of parameters. Parameters with the same name have the same meaning in all operations.

use serde_json::{Value, json};

/// The code that parses these parameters enforces the same patterns.
const CODE: &str = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$";
const REVISION: &str = "^([1-9][0-9]{0,17}|head)$";
const PERIOD: &str = "^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$";
const CURSOR: &str = "^[A-Za-z0-9_-]+$";
const VERSION_TAG: &str = "^(W/)?([0-9]{1,18}|\"[0-9]{1,18}(\\.[0-9a-f]{1,64})?\")$";
const CHAIN_HEAD: &str = "^[0-9]{1,18}:[0-9A-Fa-f]{64}$";
const VISIBLE: &str = "^[!-~]{1,200}$";

/// Adds the limits to every parameter.
pub fn limit(document: &mut Value) {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    let operations = paths.flat_map(|(_, item)| item.as_object_mut().into_iter().flatten());
    for (_, operation) in operations {
        let id = operation["operationId"].clone();
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            // In the list of decisions, `revision` is an ordinary filter.
            if parameter["name"] == "revision" && id == "list_decisions" {
                continue;
            }
            let text = |field: &str| parameter[field].as_str().unwrap_or_default().to_owned();
            let (place, name) = (text("in"), text("name"));
            let more = of(&place, &name, &parameter["schema"]);
            // Swagger UI fills in the parameter's `example`, not the `examples` in its schema.
            if let Some(example) = parameter.pointer("/schema/examples/0").cloned()
                && parameter["example"].is_null()
            {
                parameter["example"] = example;
            }
            if place == "path" && name == "rulebook" {
                parameter["description"] = "The rulebook's code; the first start creates `default`.".into();
            }
            let schema = parameter.get_mut("schema").and_then(Value::as_object_mut);
            if let (Some(schema), Value::Object(more)) = (schema, more) {
                schema.extend(more);
            }
        }
    }
}

fn of(place: &str, name: &str, schema: &Value) -> Value {
    let whole = schema["type"] == "integer";
    match (place, name) {
        ("path" | "query", "rulebook") | ("path", "code" | "script") => json!({"pattern": CODE}),
        ("path", "number") if whole => json!({"minimum": 1}),
        ("path", "number") | ("query", "to") => json!({"pattern": REVISION}),
        ("path", "period") => json!({"pattern": PERIOD}),
        ("path", "call_id") => json!({"minLength": 1, "maxLength": 255}),
        ("query", "cursor") => json!({"pattern": CURSOR, "maxLength": 2000}),
        ("query", "comment") => json!({"maxLength": 500}),
        ("query", "revision") => json!({"minimum": 1}),
        ("query", "version") => json!({"minimum": 0}),
        ("query", "days") => json!({"minimum": 1, "maximum": 400, "format": "int32"}),
        ("query", "from" | "until") if schema["type"] == "string" && schema["format"].is_null() => {
            json!({"format": "date"})
        }
        ("query", "head") => json!({"pattern": CHAIN_HEAD}),
        ("header", "If-Match") => json!({"pattern": VERSION_TAG}),
        ("header", "If-None-Match") => json!({"enum": ["*"]}),
        ("header", "Idempotency-Key") => json!({"pattern": VISIBLE, "minLength": 1, "maxLength": 200}),
        _ => Value::Null,
    }
}
