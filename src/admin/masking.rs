//! Phone numbers, for those who may not read them.

use super::auth::Caller;
use crate::telemetry::{mask_phone, scrub};

/// A number as this caller may see it.
#[must_use]
pub fn number(caller: &Caller, number: Option<String>) -> Option<String> {
    number.map(|number| {
        if caller.is_masked() {
            mask_phone(&number)
        } else {
            number
        }
    })
}

/// A text as this caller may see it: numbers spoken or written in it are hidden as well.
#[must_use]
pub fn text(caller: &Caller, text: Option<String>) -> Option<String> {
    text.map(|text| if caller.is_masked() { scrub(&text) } else { text })
}

/// JSON as this caller may see it.
#[must_use]
pub fn json(caller: &Caller, value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    if !caller.is_masked() {
        return value;
    }
    match value {
        Value::String(text) => Value::String(scrub(&text)),
        Value::Array(values) => values.into_iter().map(|value| json(caller, value)).collect(),
        Value::Object(object) => object
            .into_iter()
            .map(|(key, value)| (key, json(caller, value)))
            .collect(),
        other => other,
    }
}
