//! Moves what operations share into the document's `components`.
//!
//! Repeated responses, parameters, examples, headers and links become `$ref`s, and examples move to their schemas. The
//! errors that any operation can return become one response for each range of statuses. The program itself and `/docs`
//! use the whole document. Clients get the shortened document, which is about a third as long.

mod errors;
mod examples;
mod parameters;
mod schemas;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::dry_run;

/// Counts parts of the document, to move those that occur more than once to `components`.
#[derive(Default)]
struct RepeatCounts {
    /// Maps the JSON text of a part to the number of occurrences and a name.
    counts: BTreeMap<String, (usize, String)>,
    named: BTreeMap<String, String>,
    /// The components by name, including the components that the document already has.
    components: Map<String, Value>,
}

/// Returns the document with each repeated part defined once.
#[must_use]
pub fn shared(document: &Value) -> Value {
    let mut document = document.clone();
    document["info"]["description"] = super::guide().into();
    schemas::shorten(&mut document);
    shorten_paths(&mut document);
    // Responses are shared first. If a part then occurs in only one shared response, the part stays in that response.
    for kind in ["responses", "headers", "examples", "links", "parameters"] {
        let known = document["components"][kind].as_object().cloned();
        let mut repeated = RepeatCounts {
            components: known.unwrap_or_default(),
            ..RepeatCounts::default()
        };
        each(&mut document, kind, |name, value| repeated.count(name, value));
        repeated.name();
        each(&mut document, kind, |_, value| repeated.share(kind, value));
        if !repeated.components.is_empty() {
            document["components"][kind] = Value::Object(repeated.components);
        }
    }
    without_unused(&mut document);
    document
}

/// Reduces the operations to what programs need.
fn shorten_paths(document: &mut Value) {
    without_keywords(document);
    errors::by_range(document);
    without_usual_headers(document);
    without_roles(document);
    examples::to_schemas(document);
    parameters::of_paths(document);
}

/// Removes the search words. Only `/docs` uses the search words, and `/docs` has the whole document.
fn without_keywords(document: &mut Value) {
    let remove = |at: &mut Value| at.as_object_mut().and_then(|at| at.remove("x-keywords"));
    for tag in document["tags"].as_array_mut().into_iter().flatten() {
        remove(tag);
    }
    operations(document).for_each(|operation| drop(remove(operation)));
}

/// Removes headers that the document describes elsewhere. The errors describe the request id. The parameter `dry_run`
/// describes the header of dry runs, and the status 304 describes the ETag of reads.
fn without_usual_headers(document: &mut Value) {
    for operation in operations(document) {
        let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
        let has_304 = responses.as_ref().is_some_and(|all| all.contains_key("304"));
        for (status, response) in responses.into_iter().flatten() {
            let is_for_change = response["links"].to_string().contains("$response.header.ETag");
            let tells_tag = !has_304 || status == "304" || is_for_change;
            let Some(response) = response.as_object_mut() else {
                continue;
            };
            let Some(headers) = response.get_mut("headers").and_then(Value::as_object_mut) else {
                continue;
            };
            headers.retain(|name, _| match name.as_str() {
                "ETag" => tells_tag,
                "X-Request-Id" => false,
                name => !name.eq_ignore_ascii_case(dry_run::HEADER),
            });
            if headers.is_empty() {
                response.remove("headers");
            }
        }
    }
}

/// Removes the role from descriptions; programs read it in `x-required-role`.
fn without_roles(document: &mut Value) {
    for operation in operations(document) {
        let sentence = format!(
            "\n\nRole: `{}`.",
            operation["x-required-role"].as_str().unwrap_or_default()
        );
        let about = operation["description"]
            .as_str()
            .map(|about| about.replace(&sentence, ""));
        operation["description"] = about.into();
    }
}

/// Removes components that are no longer referenced.
fn without_unused(document: &mut Value) {
    let text = document.to_string();
    for kind in ["headers", "examples"] {
        if let Some(all) = document["components"][kind].as_object_mut() {
            all.retain(|name, _| text.contains(&format!("\"#/components/{kind}/{name}\"")));
        }
    }
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let items = document["paths"].as_object_mut().into_iter().flatten();
    let operations = items.flat_map(|(_, item)| item.as_object_mut().into_iter().flat_map(Map::values_mut));
    // A path may also have a list of parameters, which is not an operation.
    operations.filter(|operation| operation.is_object())
}

impl RepeatCounts {
    fn count(&mut self, name: &str, value: &Value) {
        if value.get("$ref").is_none() {
            let known = self.counts.entry(value.to_string());
            known.or_insert_with(|| (0, name.to_owned())).0 += 1;
        }
    }

    /// Names the repeated parts. If several parts have the same name, the most frequent part gets the name without a
    /// number.
    fn name(&mut self) {
        let counts = std::mem::take(&mut self.counts).into_iter();
        let mut repeated: Vec<_> = counts.filter(|(_, (count, _))| *count > 1).collect();
        repeated.sort_by(|(_, (one, _)), (_, (other, _))| other.cmp(one));
        for (text, (_, name)) in repeated {
            let numbered = (2..).map(|number| format!("{name}_{number}"));
            let mut names = std::iter::once(name.clone()).chain(numbered);
            if let Some(free) = names.find(|name| !self.components.contains_key(name)) {
                self.components.insert(free.clone(), Value::Null);
                self.named.insert(text, free);
            }
        }
    }

    fn share(&mut self, kind: &str, value: &mut Value) {
        if let Some(name) = self.named.get(&value.to_string()) {
            let reference = json!({"$ref": format!("#/components/{kind}/{name}")});
            self.components
                .insert(name.clone(), std::mem::replace(value, reference));
        }
    }
}

/// Calls `add` with the name and the value of each part of a kind.
fn each(document: &mut Value, kind: &str, mut add: impl FnMut(&str, &mut Value)) {
    if kind == "parameters" {
        let items = document["paths"].as_object_mut().into_iter().flatten();
        for holder in items.flat_map(|(_, item)| item.as_object_mut().into_iter().flat_map(Map::values_mut)) {
            let parameters = match holder {
                Value::Array(of_path) => Some(of_path),
                operation => operation.get_mut("parameters").and_then(Value::as_array_mut),
            };
            for parameter in parameters.into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap_or_default().to_owned();
                add(&name, parameter);
            }
        }
        return;
    }
    for operation in operations(document) {
        let tag = operation["tags"][0].as_str().unwrap_or_default().to_owned();
        if kind == "examples"
            && let Some(body) = operation.get_mut("requestBody")
        {
            each_example(body, &tag, &mut add);
        }
        let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
        for (status, response) in responses.into_iter().flatten() {
            if kind == "responses" {
                let name = response_name(status, response);
                add(&name, response);
            } else {
                each_of_response(response, kind, &tag, &mut add);
            }
        }
    }
    let responses = document["components"]
        .get_mut("responses")
        .and_then(Value::as_object_mut);
    for (_, response) in responses.into_iter().flatten().filter(|_| kind != "responses") {
        each_of_response(response, kind, "response", &mut add);
    }
}

fn each_of_response(response: &mut Value, kind: &str, tag: &str, add: &mut impl FnMut(&str, &mut Value)) {
    if kind == "examples" {
        return each_example(response, tag, add);
    }
    let parts = response.get_mut(kind).and_then(Value::as_object_mut);
    for (name, part) in parts.into_iter().flatten() {
        add(name, part);
    }
}

/// Names an error by its status, and any other response by its schema.
fn response_name(status: &str, response: &Value) -> String {
    match response
        .pointer("/content/application~1json/schema")
        .and_then(schema_name)
    {
        Some(schema) if status == "200" => schema.to_owned(),
        Some(schema) => format!("{schema}.{status}"),
        None if status == "200" => {
            let mut kinds = response["content"].as_object().into_iter().flatten();
            kinds.next().map_or(status, |(kind, _)| last(kind)).to_owned()
        }
        None => status.to_owned(),
    }
}

fn schema_name(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

/// Calls `add` with the example of each media type of a body. If `add` replaces the example by a reference, the example
/// moves to `examples`, because only `examples` can be references.
fn each_example(body: &mut Value, tag: &str, add: &mut impl FnMut(&str, &mut Value)) {
    let content = body.get_mut("content").and_then(Value::as_object_mut);
    for (kind, media) in content.into_iter().flatten() {
        let name = schema_name(&media["schema"]).map_or_else(|| format!("{tag}.{}", last(kind)), ToOwned::to_owned);
        let Some(media) = media.as_object_mut() else { continue };
        if let Some(alone) = media.remove("example") {
            let mut one = json!({"value": alone});
            add(&name, &mut one);
            if one["$ref"].is_null() {
                media.insert("example".to_owned(), one["value"].take());
            } else {
                media.insert("examples".to_owned(), json!({"example": one}));
            }
        }
    }
}

/// Returns the last part of a media type: `csv` for `text/csv; charset=utf-8`.
fn last(media: &str) -> &str {
    let essence = media.split(';').next().unwrap_or_default();
    essence.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Maximum size of the document: clients load it first, some on a phone, and language models pay for each byte.
    const MOST_BYTES: usize = 500_000;

    #[test]
    fn the_document_is_short() {
        let length = shared(crate::document::document()).to_string().len();
        assert!(length <= MOST_BYTES, "{length} bytes; look for repeated parts");
    }

    #[test]
    fn repeated_parts_stand_once_and_nothing_is_lost() {
        let mut whole = crate::document::document().clone();
        let mut short = shared(&whole);
        shorten_paths(&mut whole);
        // With all references resolved, the short document equals the whole document.
        let (components, known) = (short["components"].clone(), whole["components"].clone());
        for kind in ["responses", "parameters", "links", "headers", "examples"] {
            put_back(&mut short["paths"], kind, &components, &known);
        }
        assert_eq!(short["paths"], whole["paths"]);
    }

    fn put_back(value: &mut Value, kind: &str, components: &Value, known: &Value) {
        let own = format!("#/components/{kind}/");
        let name = value["$ref"].as_str().and_then(|target| target.strip_prefix(&own));
        if let Some(name) = name.filter(|name| known[kind].get(*name).is_none()) {
            *value = components[kind][name].clone();
        }
        match value {
            Value::Array(values) => values
                .iter_mut()
                .for_each(|value| put_back(value, kind, components, known)),
            Value::Object(object) => {
                object
                    .values_mut()
                    .for_each(|value| put_back(value, kind, components, known));
                if kind == "examples"
                    && let Some(alone) = object
                        .get("examples")
                        .and_then(|all| all.pointer("/example/value"))
                        .cloned()
                {
                    object.remove("examples");
                    object.insert("example".to_owned(), alone);
                }
            }
            _ => {}
        }
    }
}
