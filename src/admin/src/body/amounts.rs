//! Converts prices and rates from JSON numbers to the strings that the OpenAPI document requires.
//!
//! The number `350.5` becomes the string `"350.5"` if the schema expects an amount. The conversion must never round: if
//! a float cannot represent a number as written, the number stays a number and validation rejects it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api_document::document;
use rules::money::{Money, Rate};

/// Maximum nesting depth; no schema of the OpenAPI document is that deep.
const DEEPEST: usize = 64;

/// Converts the amounts in a body that has this schema.
pub fn as_text(schema: &str, value: &mut Value, bytes: &[u8]) {
    let schemas = &document()["components"]["schemas"];
    let schema = &schemas[schema];
    let mut sent = None;
    rewrite(schemas, schema, value, 0, &mut |number| {
        let sent: &BTreeSet<String> = sent.get_or_insert_with(|| numbers(bytes));
        sent.contains(number)
    });
}

fn rewrite(
    schemas: &'static Value,
    schema: &'static Value,
    value: &mut Value,
    depth: usize,
    was_sent: &mut dyn FnMut(&str) -> bool,
) {
    if depth > DEEPEST {
        return;
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return rewrite(schemas, &schemas[name], value, depth + 1, was_sent);
    }
    for part in ["anyOf", "allOf", "oneOf"] {
        for branch in schema[part].as_array().into_iter().flatten() {
            rewrite(schemas, branch, value, depth + 1, was_sent);
        }
    }
    // In a change set, the schema of a change's body depends on the change's resource and method.
    if let Some(wanted) = schema["if"]["properties"].as_object() {
        let holds = wanted.iter().all(|(name, wanted)| value[name] == wanted["const"]);
        let then = if holds { &schema["then"] } else { &schema["else"] };
        rewrite(schemas, then, value, depth + 1, was_sent);
    }
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            let is_amount = match schema["format"].as_str() {
                Some("money") => text.parse::<Money>().is_ok(),
                Some("rate") => text.parse::<Rate>().is_ok(),
                _ => false,
            };
            if is_amount && was_sent(&text) {
                *value = Value::String(text);
            }
        }
        Value::Array(items) => {
            for item in items {
                rewrite(schemas, &schema["items"], item, depth + 1, was_sent);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let known = &schema["properties"][name];
                let of = if known.is_null() {
                    &schema["additionalProperties"]
                } else {
                    known
                };
                rewrite(schemas, of, field, depth + 1, was_sent);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Collects the numbers of a JSON text as they are written, without trailing zeros after the decimal point.
fn numbers(bytes: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        if first == b'"' {
            rest = after_text(after);
        } else if first == b'-' || first.is_ascii_digit() {
            let end = rest
                .iter()
                .position(|byte| !b"+-.eE0123456789".contains(byte))
                .unwrap_or(rest.len());
            let (number, after) = rest.split_at(end);
            let mut number = String::from_utf8_lossy(number).into_owned();
            if number.contains('.') && !number.contains(['e', 'E']) {
                number.truncate(number.trim_end_matches('0').trim_end_matches('.').len());
            }
            found.insert(number);
            rest = after;
        } else {
            rest = after;
        }
    }
    found
}

/// Returns the bytes after the closing quote of a string.
fn after_text(mut rest: &[u8]) -> &[u8] {
    loop {
        match rest {
            [b'"', after @ ..] => return after,
            [b'\\', _, after @ ..] | [_, after @ ..] => rest = after,
            [] => return rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::strict;

    fn read(schema: &str, text: &str) -> Value {
        let (mut value, _) = strict::read(text.as_bytes()).unwrap();
        as_text(schema, &mut value, text.as_bytes());
        value
    }

    #[test]
    fn a_number_becomes_text_only_where_it_is_exactly_an_amount() {
        for (sent, read_as) in [
            ("350", "\"350\""),
            ("350.00", "\"350\""),
            ("350.10", "\"350.1\""),
            ("0.29", "\"0.29\""),
            ("-1.15", "\"-1.15\""),
            ("9999999999.99", "\"9999999999.99\""),
            ("350.005", "350.005"),
            ("350.1000000000000001", "350.1"),
            ("true", "true"),
        ] {
            let body = format!(r#"{{"price_from": {sent}, "rank": 350, "note": "\\\"350.1 350"}}"#);
            let value = read("Service", &body);
            assert_eq!(value["price_from"].to_string(), read_as, "{sent}");
            assert_eq!(value["rank"], 350, "{sent}");
        }
    }
}
