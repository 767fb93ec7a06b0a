//! Shortens schemas. A description that repeats the field's name is removed. A patch loses the descriptions that the
//! row's schema has. A field that many schemas have is defined only once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// A field is shared if it occurs at least `OFTEN` times and has at least `MUCH` bytes of JSON.
const OFTEN: usize = 10;
const MUCH: usize = 90;

/// Shortens all schemas.
pub fn shorten(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else {
        return;
    };
    for (name, field) in schemas.values_mut().flat_map(fields) {
        if repeats(name, field["description"].as_str().unwrap_or_default())
            && let Some(field) = field.as_object_mut()
        {
            field.remove("description");
        }
    }
    for (_, page) in schemas.iter_mut().filter(|(name, _)| name.ends_with("Page")) {
        if let Some(page) = page.as_object_mut() {
            page.remove("description");
        }
    }
    let rows: Vec<String> = schemas
        .keys()
        .filter(|name| schemas.contains_key(&patch_of(name)))
        .cloned()
        .collect();
    for row in rows {
        if let Some(patch) = schemas.get_mut(&patch_of(&row)) {
            refer(&row, patch);
        }
    }
    share_fields(schemas);
}

fn patch_of(row: &str) -> String {
    format!("{row}Patch")
}

/// Whether a description says no more than the field's name, such as `The postal code.`
fn repeats(name: &str, about: &str) -> bool {
    let own = about
        .trim_end_matches('.')
        .trim_start_matches("The ")
        .trim_start_matches("Its ");
    own.replace(' ', "_") == name || (own == "When" && name.ends_with("at"))
}

/// Removes the descriptions and examples from a patch's fields, because the row's schema has them.
fn refer(row: &str, patch: &mut Value) {
    patch["description"] = format!("The fields of `{row}` to change; null removes an optional field.").into();
    for (name, field) in fields(patch) {
        if let Some(field) = field.as_object_mut().filter(|_| name != "version") {
            field.remove("description");
            field.remove("examples");
        }
    }
}

fn fields(schema: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    let fields = schema.get_mut("properties").and_then(Value::as_object_mut);
    fields.into_iter().flatten()
}

fn share_fields(schemas: &mut Map<String, Value>) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (_, field) in schemas.values_mut().flat_map(fields) {
        *counts.entry(field.to_string()).or_default() += 1;
    }
    let known: BTreeSet<String> = schemas.keys().cloned().collect();
    let mut shared = Map::new();
    for (name, field) in schemas.values_mut().flat_map(fields) {
        let (text, name) = (field.to_string(), type_name(name));
        let is_free = !known.contains(&name) && shared.get(&name).is_none_or(|other| other == field);
        if is_free && text.len() >= MUCH && counts.get(&text).is_some_and(|count| *count >= OFTEN) {
            let reference = json!({"$ref": format!("#/components/schemas/{name}")});
            shared.insert(name, std::mem::replace(field, reference));
        }
    }
    schemas.extend(shared);
}

/// Converts a field's name to a type name: `next_cursor` to `NextCursor`.
fn type_name(field: &str) -> String {
    let words = field.split('_').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::document;

    /// Reduces a schema to what validation uses.
    fn bare(value: &mut Value, shared: &Value) {
        if let Some(name) = value["$ref"].as_str().and_then(|target| target.rsplit('/').next())
            && let Some(own) = shared.get(name)
        {
            *value = own.clone();
        }
        match value {
            Value::Array(values) => values.iter_mut().for_each(|value| bare(value, shared)),
            Value::Object(object) => {
                object.remove("description");
                object.remove("examples");
                object.values_mut().for_each(|value| bare(value, shared));
            }
            _ => {}
        }
    }

    #[test]
    fn they_validate_the_same() {
        let mut whole = document()["components"]["schemas"].clone();
        let mut short = json!({"components": {"schemas": whole}});
        shorten(&mut short);
        let mut short = short["components"]["schemas"].take();
        let mut shared = Map::new();
        for (name, schema) in short.as_object().unwrap() {
            if whole.get(name).is_none() {
                shared.insert(name.clone(), schema.clone());
            }
        }
        assert!(!shared.is_empty());
        short
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !shared.contains_key(name));
        let shared = Value::Object(shared);
        bare(&mut whole, &Value::Null);
        bare(&mut short, &shared);
        assert_eq!(short, whole);
    }
}
