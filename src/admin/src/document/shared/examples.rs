//! Moves examples into their schemas, so that reading, writing and listing a row show the same example.

use serde_json::{Map, Value, json};

use super::{operations, schema_name};

/// Moves the examples of bodies to their schemas. A schema gets only the first example.
pub fn to_schemas(document: &mut Value) {
    let Some(mut schemas) = document["components"]["schemas"].as_object().cloned() else {
        return;
    };
    // Requests come first, because their examples show what people send.
    each_body(document, "requestBody", &mut |media| to_schema(media, &mut schemas));
    for of_pages in [false, true] {
        each_body(document, "responses", &mut |media| {
            if entry(media, &schemas).is_some() == of_pages {
                to_schema(media, &mut schemas);
            }
        });
    }
    document["components"]["schemas"] = Value::Object(schemas);
    without_sheets(document);
}

/// Removes the examples of imports. They are not needed, because an import accepts an edited export, and the example of
/// the export shows the format.
fn without_sheets(document: &mut Value) {
    each_body(document, "requestBody", &mut |media| {
        if media.get("example").is_some_and(Value::is_string) {
            media.remove("example");
        }
    });
}

fn each_body(document: &mut Value, part: &str, add: &mut impl FnMut(&mut Map<String, Value>)) {
    for operation in operations(document) {
        let holders: Vec<&mut Value> = match operation.get_mut(part) {
            Some(Value::Object(responses)) if part == "responses" => responses.values_mut().collect(),
            body => body.into_iter().collect(),
        };
        for holder in holders {
            let content = holder.get_mut("content").and_then(Value::as_object_mut);
            let all = content.into_iter().flat_map(Map::values_mut);
            all.filter_map(Value::as_object_mut).for_each(&mut *add);
        }
    }
}

fn to_schema(media: &mut Map<String, Value>, schemas: &mut Map<String, Value>) {
    let own = media.get("schema").and_then(schema_name).map(str::to_owned);
    let Some(own) = own.filter(|_| media.contains_key("example")) else {
        return;
    };
    // A page needs no example if the schema of its entries has one.
    let of_entry = entry(media, schemas).and_then(|entry| schemas.get(entry));
    let is_shown = of_entry.is_some_and(|entry| entry["examples"].is_array());
    if let (Some(schema), Some(example)) = (schemas.get_mut(&own), media.remove("example"))
        && !is_shown
        && schema["examples"].is_null()
    {
        schema["examples"] = json!([example]);
    }
}

/// Returns the schema of the entries, if the body is a page of a list.
fn entry<'a>(media: &Map<String, Value>, schemas: &'a Map<String, Value>) -> Option<&'a str> {
    let name = media.get("schema").and_then(schema_name)?;
    let items = schemas.get(name).filter(|_| name.ends_with("Page"))?;
    schema_name(&items["properties"]["items"]["items"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::document;

    #[test]
    fn each_body_has_an_example() {
        let mut short = document().clone();
        to_schemas(&mut short);
        let schemas = short["components"]["schemas"].as_object().unwrap().clone();
        let has = |name: Option<&str>| name.is_some_and(|name| schemas[name]["examples"].is_array());
        let mut count = 0;
        for part in ["requestBody", "responses"] {
            each_body(&mut document().clone(), part, &mut |media| {
                let name = media.get("schema").and_then(schema_name);
                if media.contains_key("example") && name.is_some() {
                    assert!(has(name) || has(entry(media, &schemas)), "{name:?}");
                    count += 1;
                }
            });
        }
        assert!(count > 200, "{count}");
    }
}
