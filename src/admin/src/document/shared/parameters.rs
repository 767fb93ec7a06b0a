//! Moves path parameters from the operations to their path.

use serde_json::{Map, Value};

/// Moves a path parameter to the path if all operations of the path have it. The moved parameters still come before the
/// parameters of each operation.
pub fn of_paths(document: &mut Value) {
    for (_, item) in document["paths"].as_object_mut().into_iter().flatten() {
        let Some(item) = item.as_object_mut() else { continue };
        let of_path = |operation: &Value| -> Vec<Value> {
            let all = operation["parameters"].as_array().into_iter().flatten();
            all.filter(|one| one["in"] == "path").cloned().collect()
        };
        let mut operations = item.values().map(of_path);
        let Some(first) = operations.next().filter(|first| !first.is_empty()) else {
            continue;
        };
        let common = |one: &Value| operations.clone().all(|others| others.contains(one));
        let shared: Vec<Value> = first.into_iter().filter(common).collect();
        for operation in item.values_mut().filter_map(Value::as_object_mut) {
            leave(operation, &shared);
        }
        item.insert("parameters".to_owned(), shared.into());
    }
}

fn leave(operation: &mut Map<String, Value>, shared: &[Value]) {
    let Some(own) = operation.get_mut("parameters").and_then(Value::as_array_mut) else {
        return;
    };
    own.retain(|one| !shared.contains(one));
    if own.is_empty() {
        operation.remove("parameters");
    }
}
