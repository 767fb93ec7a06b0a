//! Adds recorded responses as examples.
//!
//! The tests over HTTP write `answered.json` (`make examples`). For each schema and status, the file contains the
//! recorded response with the most fields; long lists are shortened. If no recorded response has a status, the example
//! is a response of the same schema with another status.

use std::collections::BTreeMap;

use serde_json::Value;

/// Recorded responses by schema, then by status.
type RecordedBySchema = BTreeMap<String, BTreeMap<String, Value>>;

/// Adds the examples.
pub fn add(document: &mut Value) {
    // Parsing never fails: the file is compiled in, and the tests require an example of every response.
    let kept: RecordedBySchema = serde_json::from_str(include_str!("answered.json")).unwrap_or_default();
    let items = document["paths"].as_object_mut().into_iter().flatten();
    for operation in items.flat_map(|(_, item)| item.as_object_mut().into_iter().flat_map(|item| item.values_mut())) {
        for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
            let Some(media) = response.pointer_mut("/content/application~1json") else {
                continue;
            };
            let schema = media["schema"]["$ref"].as_str();
            let by_status = schema.and_then(|schema| kept.get(schema.rsplit('/').next()?));
            let example = by_status.and_then(|all| all.get(status).or_else(|| all.values().next()));
            if let (Some(example), None) = (example, media.get("example")) {
                media["example"] = example.clone();
            }
        }
    }
}
