//! What each operation answered once, as an example of what it answers.
//!
//! In: `answered.json`, which the tests over HTTP write from real answers (`make examples`): by operation and status, the
//! schema's name and the answer, its lists cut short. Out: an example beside each JSON answer that has none; where an
//! operation was never answered so, it is one of the same schema.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::operations::{rows_at, sheet_at};

/// An answer that was given.
#[derive(Deserialize)]
struct Answered {
    schema: String,
    value: Value,
}

/// By operation, then by status.
type Kept = BTreeMap<String, BTreeMap<String, Answered>>;

/// Adds the examples, those that several operations share under `components`.
pub fn add(document: &mut Value) {
    // It is compiled in, and the tests demand an example of every answer: that it can be read is shown there.
    let kept: Kept = serde_json::from_str(include_str!("answered.json")).unwrap_or_default();
    let mut shared = serde_json::Map::new();
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        // The operations on all kinds of rows answer alike.
        let is_of_rows = rows_at(path).or_else(|| sheet_at(path)).is_some();
        for operation in item.as_object_mut().into_iter().flat_map(|item| item.values_mut()) {
            let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
            for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
                let Some(media) = response.pointer_mut("/content/application~1json") else {
                    continue;
                };
                let schema = media["schema"]["$ref"]
                    .as_str()
                    .and_then(|name| name.rsplit('/').next());
                let (Some(schema), None, None) = (schema, media.get("example"), media.get("examples")) else {
                    continue;
                };
                let own = kept.get(&id).and_then(|by_status| by_status.get(status.as_str()));
                if let Some(own) = own.filter(|_| !is_of_rows) {
                    media["example"] = own.value.clone();
                } else if let Some(alike) = alike(&kept, schema, status) {
                    let name = format!("{schema}.{status}");
                    media["examples"] = json!({"answered": {"$ref": format!("#/components/examples/{name}")}});
                    shared.insert(name, json!({"summary": "As it was answered once", "value": alike}));
                }
            }
        }
    }
    if let Some(examples) = document["components"]["examples"].as_object_mut() {
        examples.extend(shared);
    }
}

/// An answer of a schema, of this status where there was one.
fn alike<'a>(kept: &'a Kept, schema: &str, status: &str) -> Option<&'a Value> {
    let of_schema = |(_, answered): &(&String, &Answered)| answered.schema == schema;
    let all = || kept.values().flatten().filter(of_schema);
    let found = all().find(|(of, _)| *of == status).or_else(|| all().next());
    found.map(|(_, answered)| &answered.value)
}
