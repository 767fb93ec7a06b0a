//! Moves what operations share into the document's `components`.
//!
//! Responses with an error, parameters, headers and links that occur more than once become `$ref`s. The program itself reads
//! the whole document; clients get this one, which is about half as long.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What occurs more than once, by its JSON text.
#[derive(Default)]
struct Repeated {
    counts: BTreeMap<String, usize>,
    named: BTreeMap<String, String>,
    /// The components by name, with those that the document already has.
    components: Map<String, Value>,
}

/// The document in which each repeated part stands once.
#[must_use]
pub fn shared(document: &Value) -> Value {
    let mut document = document.clone();
    // Headers and links come before the responses that contain them.
    for kind in ["headers", "links", "parameters", "responses"] {
        let known = document["components"][kind].as_object().cloned();
        let mut repeated = Repeated {
            components: known.unwrap_or_default(),
            ..Repeated::default()
        };
        each(&mut document, kind, |_, value| {
            *repeated.counts.entry(value.to_string()).or_default() += 1;
        });
        each(&mut document, kind, |name, value| repeated.share(kind, name, value));
        if !repeated.components.is_empty() {
            document["components"][kind] = Value::Object(repeated.components);
        }
    }
    document
}

impl Repeated {
    fn share(&mut self, kind: &str, name: &str, value: &mut Value) {
        let text = value.to_string();
        if value.get("$ref").is_some() || self.counts.get(&text).is_none_or(|count| *count < 2) {
            return;
        }
        let name = match self.named.get(&text) {
            Some(name) => name.clone(),
            None => {
                let mut free = name.to_owned();
                for number in 2.. {
                    if !self.components.contains_key(&free) {
                        break;
                    }
                    free = format!("{name}_{number}");
                }
                self.components.insert(free.clone(), value.take());
                self.named.insert(text, free.clone());
                free
            }
        };
        *value = json!({"$ref": format!("#/components/{kind}/{name}")});
    }
}

/// Calls `tell` with each part of a kind in the operations, and a name for it.
fn each(document: &mut Value, kind: &str, mut tell: impl FnMut(&str, &mut Value)) {
    let items = document["paths"].as_object_mut().into_iter().flatten();
    let operations = items.flat_map(|(_, item)| item.as_object_mut().into_iter().flatten());
    for (_, operation) in operations {
        if kind == "parameters" {
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap_or_default().to_owned();
                tell(&name, parameter);
            }
            continue;
        }
        let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
        for (status, response) in responses.into_iter().flatten() {
            if kind == "responses" {
                // Each operation has its own successful responses.
                if !status.starts_with('2') {
                    tell(&format!("status_{status}"), response);
                }
                continue;
            }
            for (name, part) in response
                .get_mut(kind)
                .and_then(Value::as_object_mut)
                .into_iter()
                .flatten()
            {
                tell(name, part);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_parts_stand_once_and_nothing_is_lost() {
        let whole = super::super::document();
        let mut short = shared(whole);
        let length = |value: &Value| value.to_string().len();
        assert!(
            length(&short) * 2 < length(whole) + length(whole) / 10,
            "{} of {}",
            length(&short),
            length(whole)
        );
        // Put back, responses first, it is the whole document again.
        let components = short["components"].clone();
        for kind in ["responses", "parameters", "links", "headers"] {
            each(&mut short, kind, |_, value| {
                let target = value["$ref"].as_str().map(str::to_owned);
                let own = format!("#/components/{kind}/");
                if let Some(name) = target.as_deref().and_then(|target| target.strip_prefix(&own))
                    && whole["components"][kind].get(name).is_none()
                {
                    *value = components[kind][name].clone();
                }
            });
        }
        assert_eq!(short["paths"], whole["paths"]);
    }
}
