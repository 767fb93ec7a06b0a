//! Reduces the document to what the program needs at run time: the parameters and media types of each operation, and
//! the schemas. The rest of the document takes about 14 MB as JSON values. So the server stores the rest only as text,
//! after the first request for the document.

use serde_json::{Map, Value, json};

/// Returns the reduced document. The reduced document omits the examples, errors and descriptions of operations, but
/// its schemas are complete.
pub fn reduced(document: &Value) -> Value {
    let paths = document["paths"].as_object().into_iter().flatten();
    let paths: Map<String, Value> = paths
        .map(|(path, item)| (path.clone(), each(item, operation)))
        .collect();
    json!({"paths": paths, "components": {"schemas": document["components"]["schemas"]}})
}

fn operation(operation: &Value) -> Value {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let responses = operation["responses"].as_object().into_iter().flatten();
    let responses = responses.filter(|(status, _)| !status.starts_with(['4', '5']));
    let responses: Map<String, Value> = responses
        .map(|(status, response)| (status.clone(), content(response)))
        .collect();
    json!({
        "operationId": operation["operationId"],
        "tags": operation["tags"],
        "parameters": parameters.map(|one| only(one, &["name", "in", "required", "schema"])).collect::<Vec<_>>(),
        "requestBody": content(&operation["requestBody"]),
        "responses": responses,
    })
}

/// Returns the media types of a body, each with its schema.
fn content(body: &Value) -> Value {
    json!({"content": each(&body["content"], |media| only(media, &["schema"]))})
}

fn only(value: &Value, names: &[&str]) -> Value {
    let fields = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), value.get(name)?.clone())));
    Value::Object(fields.collect())
}

fn each(value: &Value, change: impl Fn(&Value) -> Value) -> Value {
    let fields = value.as_object().into_iter().flatten();
    Value::Object(fields.map(|(name, field)| (name.clone(), change(field))).collect())
}
