//! Removes noise from the document: defaults that poem-openapi writes, titles that repeat a name, and null values.
//! Indexing into the JSON creates such null values.

use serde_json::{Map, Value, json};

/// Removes the noise.
pub fn tidy(document: &mut Value) {
    // Every operation uses the same authentication scheme; `x-required-role` names the required role.
    document["security"] = json!([{"api_key": []}]);
    let items = document["paths"].as_object_mut().into_iter().flatten();
    for operation in items.flat_map(|(_, item)| item.as_object_mut().into_iter().flat_map(Map::values_mut)) {
        let Some(operation) = operation.as_object_mut() else {
            continue;
        };
        operation.remove("security");
        operation.retain(|_, part| !part.is_null());
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten().filter_map(Value::as_object_mut) {
            let default = |key: &str| match key {
                "deprecated" | "required" => Some(false),
                // `explode` matters only for arrays, and no parameter is an array.
                "explode" => Some(true),
                _ => None,
            };
            parameter.retain(|key, value| default(key).is_none_or(|default| *value != default));
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object_mut().into_iter().flatten() {
        if schema["title"] == name.as_str()
            && let Some(schema) = schema.as_object_mut()
        {
            schema.remove("title");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::document;

    /// Keys below which `null` is a valid JSON value, such as examples and `enum`.
    const VALUES: [&str; 7] = ["example", "examples", "value", "default", "enum", "const", "properties"];

    fn nulls(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::Null => found.push(at.to_owned()),
            Value::Array(values) => values.iter().for_each(|value| nulls(value, at, found)),
            Value::Object(object) => {
                for (key, value) in object.iter().filter(|(key, _)| !VALUES.contains(&key.as_str())) {
                    nulls(value, &format!("{at}/{key}"), found);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn no_part_is_null() {
        let mut found = Vec::new();
        nulls(document(), "", &mut found);
        assert_eq!(found, Vec::<String>::new());
    }
}
