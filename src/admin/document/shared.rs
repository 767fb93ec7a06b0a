//! What many operations say alike is written once, and named where it is said.
//!
//! In: the whole document. Out: the same with `$ref`s to `components`: refusals, parameters, headers and links. The program
//! itself reads the whole one; people and other programs get this one, which is about half as long.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// How often each thing is said, and the name of those that are said more than once, by their text.
#[derive(Default)]
struct Said {
    counts: BTreeMap<String, usize>,
    named: BTreeMap<String, String>,
    /// What is written once, by name; what the document has there already stays.
    components: Map<String, Value>,
}

/// The document with everything that is said twice or more said once.
#[must_use]
pub fn shared(document: &Value) -> Value {
    let mut document = document.clone();
    // Parts before what holds them: a response is compared with its headers and links as they are by then.
    for kind in ["headers", "links", "parameters", "responses"] {
        let known = document["components"][kind].as_object().cloned();
        let mut said = Said {
            components: known.unwrap_or_default(),
            ..Said::default()
        };
        each(&mut document, kind, |_, value| {
            *said.counts.entry(value.to_string()).or_default() += 1;
        });
        each(&mut document, kind, |name, value| said.share(kind, name, value));
        if !said.components.is_empty() {
            document["components"][kind] = Value::Object(said.components);
        }
    }
    document
}

impl Said {
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

/// Everything of a kind in the operations, with a name for it.
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
                // What succeeds is each operation's own.
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
    fn what_is_said_twice_is_said_once_and_nothing_is_lost() {
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
