//! Checks that vulnerable code in the dependencies is never called.

use serde_json::Value;

/// poem-openapi brings XML and YAML parsers with known vulnerabilities (deny.toml): no operation uses them.
#[test]
fn no_operation_takes_xml_or_yaml() {
    fn media_types(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| media_types(value, found)),
            Value::Object(object) => {
                let body = object.get("requestBody").and_then(|body| body.get("content"));
                let content = body.and_then(Value::as_object);
                found.extend(content.into_iter().flat_map(|content| content.keys().cloned()));
                object.values().for_each(|value| media_types(value, found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    media_types(admin::document(), &mut found);
    assert!(found.len() > 30, "{found:?}");
    found.retain(|kind| ["xml", "yaml", "yml"].iter().any(|word| kind.contains(word)));
    assert_eq!(found, Vec::<String>::new());
}
