//! Examples of responses: recorded from real responses.
//!
//! The tests over HTTP write `answered.json` (`make examples`): by operation and status, the schema's name and the
//! response, with shortened lists. If an operation was never answered with a status, another response of the same
//! schema is used.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::operations::{rows_at, sheet_at};

/// A recorded response.
#[derive(Deserialize)]
struct Answered {
    schema: String,
    value: Value,
}

/// By operation, then by status.
type Kept = BTreeMap<String, BTreeMap<String, Answered>>;

/// Adds the examples; those that several operations share go under `components`.
pub fn add(document: &mut Value) {
    // It is compiled in, and the tests require an example of every response, so it is known to parse.
    let kept: Kept = serde_json::from_str(include_str!("answered.json")).unwrap_or_default();
    let mut shared = serde_json::Map::new();
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        // The operations on all kinds of rows respond alike.
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
                    shared.insert(name, json!({"summary": "A recorded response", "value": alike}));
                }
            }
        }
    }
    if let Some(examples) = document["components"]["examples"].as_object_mut() {
        examples.extend(shared);
    }
}

/// A response of a schema, with this status if possible.
fn alike<'a>(kept: &'a Kept, schema: &str, status: &str) -> Option<&'a Value> {
    let of_schema = |(_, answered): &(&String, &Answered)| answered.schema == schema;
    let all = || kept.values().flatten().filter(of_schema);
    let found = all().find(|(of, _)| *of == status).or_else(|| all().next());
    found.map(|(_, answered)| &answered.value)
}
