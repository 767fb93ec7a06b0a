//! Reads the data that the assistant's model extracted, from all fields in which Vapi sends such data: the structured
//! outputs, and the structured data of the analysis.
//!
//! Vapi stores structured outputs under ids that change with the assistant, so this module looks them up by name.
//! Results and data may be JSON inside a string.

use serde_json::Value;

use super::decode::without_nul;
use super::lazy_json::{JsonPart, without_vast_numbers};
use rules::fault::unescaped;

/// The pointer to structured outputs by name.
pub const OUTPUTS: &str = "/structuredOutputs";
/// The pointer to the data of Vapi's analysis.
const DATA: &str = "/analysis/structuredData";
/// The name that selects every output, in order.
const ANY: &str = "*";
/// Maximum number of outputs read from one message.
const MAX_OUTPUTS: usize = 100;

/// The extracted data of a message.
#[derive(Debug, Default)]
pub struct Structured {
    outputs: Vec<Output>,
    data: Vec<Value>,
}

#[derive(Debug)]
struct Output {
    id: String,
    name: String,
    result: Value,
}

impl Structured {
    #[must_use]
    pub fn read(message: JsonPart<'_>) -> Self {
        const OUTPUTS_AT: [&[&str]; 4] = [
            &["artifact", "structuredOutputs"],
            &["call", "artifact", "structuredOutputs"],
            &["structuredOutputs"],
            &["call", "structuredOutputs"],
        ];
        const DATA_AT: [&[&str]; 2] = [&["analysis", "structuredData"], &["call", "analysis", "structuredData"]];
        const MORE_DATA_AT: [&[&str]; 2] = [
            &["analysis", "structuredDataMulti"],
            &["call", "analysis", "structuredDataMulti"],
        ];
        let mut found = Self::default();
        for part in OUTPUTS_AT.iter().filter_map(|place| message.at(place)) {
            let room = MAX_OUTPUTS - found.outputs.len();
            found.outputs.extend(part.children().take(room).map(output));
        }
        found
            .data
            .extend(DATA_AT.iter().filter_map(|place| message.at(place)).map(value));
        for part in MORE_DATA_AT.iter().filter_map(|place| message.at(place)) {
            for element in part.children().take(MAX_OUTPUTS) {
                // An element is either the data itself, or an object that contains the data under the plan's key or
                // under `result`.
                let element = value(element);
                let inner: Vec<Value> = element
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(_, inner)| inner.clone())
                    .collect();
                found.data.push(element);
                found.data.extend(inner.into_iter().filter(Value::is_object));
            }
        }
        found
    }

    /// Returns the values at a pointer into the structured outputs or the data of the analysis. Returns `None` if the
    /// pointer has another prefix.
    #[must_use]
    pub fn at(&self, pointer: &str) -> Option<Vec<Value>> {
        if let Some(rest) = within(pointer, OUTPUTS) {
            let (name, rest) = match rest.strip_prefix('/').unwrap_or_default().split_once('/') {
                Some((name, rest)) => (unescaped(name), format!("/{rest}")),
                None => (unescaped(rest.strip_prefix('/').unwrap_or_default()), String::new()),
            };
            let named = self
                .outputs
                .iter()
                .filter(|output| name == ANY || same_name(&output.name, &name) || output.id == name);
            return Some(named.filter_map(|output| at(&output.result, &rest)).collect());
        }
        let rest = within(pointer, DATA)?;
        Some(self.data.iter().filter_map(|data| at(data, rest)).collect())
    }
}

/// Returns the rest of a pointer after a prefix, or `None` if the pointer has another prefix.
fn within<'a>(pointer: &'a str, prefix: &str) -> Option<&'a str> {
    pointer
        .strip_prefix(prefix)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn output(part: JsonPart<'_>) -> Output {
    let id = part.name().to_owned();
    match part.get("result") {
        Some(result) => Output {
            name: part.get("name").and_then(JsonPart::text).unwrap_or_else(|| id.clone()),
            id,
            result: value(result),
        },
        // Without a wrapper object, the key is also the name of the output.
        None => Output {
            name: id.clone(),
            id,
            result: value(part),
        },
    }
}

/// The part as a JSON value. JSON inside a string is parsed too.
fn value(part: JsonPart<'_>) -> Value {
    match part.text() {
        Some(text) if text.trim_start().starts_with(['{', '[']) => {
            let mut inner = serde_json::from_str(&without_nul(text.clone())).unwrap_or(Value::String(text));
            without_vast_numbers(&mut inner);
            inner
        }
        _ => part.value(),
    }
}

/// Returns the value at a pointer into a result, or `None` if the value is missing or null. If no key matches exactly,
/// only letters and digits are compared, without case. Models write both `postal_code` and `postalCode`.
pub(crate) fn at(result: &Value, pointer: &str) -> Option<Value> {
    let mut place = result;
    for token in pointer.split('/').skip(1) {
        let token = unescaped(token);
        place = match place {
            Value::Object(members) => members.get(token.as_ref()).or_else(|| {
                members
                    .iter()
                    .find(|(key, _)| same_name(key, &token))
                    .map(|(_, value)| value)
            })?,
            Value::Array(items) => items.get(token.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    (!place.is_null()).then(|| place.clone())
}

/// Whether two names have the same letters and digits, without regard to case.
fn same_name(one: &str, other: &str) -> bool {
    let mut one = letters(one).peekable();
    one.peek().is_some() && one.eq(letters(other))
}

fn letters(text: &str) -> impl Iterator<Item = char> {
    let kept = text.chars().filter(|c| c.is_alphanumeric()).take(200);
    kept.flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::parse::decode;

    fn values(message: &Value, pointer: &str) -> Vec<Value> {
        let body = json!({ "message": message }).to_string();
        decode::decode(body.as_bytes()).unwrap().values(pointer, None)
    }

    fn outputs() -> Value {
        json!({
            "0f8fad5b-d9cb-469f-a165-70867728950e": {"name": "Service Request", "result": {"city": "Brossard", "postal_code": "J4Z 1A1", "gone": null}},
            "1f8fad5b-d9cb-469f-a165-70867728950e": {"name": "urgency", "result": "high"},
            "2f8fad5b-d9cb-469f-a165-70867728950e": {"name": "call_summary", "result": "{\"city\": \"Laval\"}"},
            "plain": {"city": "Verdun"},
        })
    }

    #[test]
    fn outputs_are_found_by_name_wherever_they_are() {
        for message in [
            json!({"type": "end-of-call-report", "artifact": {"structuredOutputs": outputs()}}),
            json!({"type": "end-of-call-report", "call": {"id": "c", "artifact": {"structuredOutputs": outputs()}}}),
        ] {
            let one = |pointer: &str| values(&message, pointer);
            assert_eq!(one("/structuredOutputs/Service Request/city"), [json!("Brossard")]);
            assert_eq!(one("/structuredOutputs/service_request/city"), [json!("Brossard")]);
            assert_eq!(one("/structuredOutputs/service_request/postalCode"), [json!("J4Z 1A1")]);
            assert_eq!(one("/structuredOutputs/urgency"), [json!("high")]);
            assert_eq!(one("/structuredOutputs/call_summary/city"), [json!("Laval")]);
            assert_eq!(one("/structuredOutputs/plain/city"), [json!("Verdun")]);
            assert_eq!(
                one("/structuredOutputs/0f8fad5b-d9cb-469f-a165-70867728950e/city"),
                [json!("Brossard")]
            );
            assert_eq!(one("/structuredOutputs/*/city").len(), 3);
            for none in [
                "/structuredOutputs/service_request/gone",
                "/structuredOutputs/other/city",
                "/structuredOutputs/urgency/city",
            ] {
                assert!(one(none).is_empty(), "{none}");
            }
        }
    }

    #[test]
    fn data_of_the_analysis_is_read_as_text_too() {
        for message in [
            json!({"type": "end-of-call-report", "analysis": {"structuredData": {"city": "Laval"}}}),
            json!({"type": "end-of-call-report", "analysis": {"structuredData": "{\"city\": \"Laval\"}"}}),
            json!({"type": "end-of-call-report", "call": {"analysis": {"structuredData": {"City": "Laval"}}}}),
            json!({"type": "end-of-call-report", "analysis": {"structuredDataMulti": [{"job": {"city": "Laval"}}]}}),
            json!({"type": "end-of-call-report", "analysis": {"structuredDataMulti": [{"key": "job", "result": {"city": "Laval"}}]}}),
        ] {
            assert_eq!(
                values(&message, "/analysis/structuredData/city"),
                [json!("Laval")],
                "{message}"
            );
        }
        for odd in [json!("not JSON {"), json!("[1"), json!(3), json!(null), json!([])] {
            let message = json!({"type": "end-of-call-report", "analysis": {"structuredData": odd}, "artifact": {"structuredOutputs": odd}});
            assert!(values(&message, "/analysis/structuredData/city").is_empty());
            assert!(values(&message, "/structuredOutputs/*/city").is_empty());
        }
    }
}
