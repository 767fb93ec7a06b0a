//! Checks each response against the contract: its status and media type are documented, and its body conforms to the
//! schema, without additional fields.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::{Draft, Resource, Validator};
use reqwest::{Method, Response};
use serde_json::{Value, json};

const DOCUMENT: &str = "urn:ringbook:answers";

/// The OpenAPI document with response schemas that forbid additional fields.
static CLOSED: LazyLock<Value> = LazyLock::new(|| {
    let mut document = admin::document().clone();
    for schema in document["components"]["schemas"].as_object_mut().unwrap().values_mut() {
        close(schema);
    }
    document
});

static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

fn close(schema: &mut Value) {
    if schema["type"] == "object" && schema["properties"].is_object() && schema.get("additionalProperties").is_none() {
        schema["additionalProperties"] = false.into();
    }
}

/// Returns the response if it conforms to the OpenAPI document, or if the document has no such operation.
///
/// # Panics
/// The function panics if the response does not conform.
pub async fn held(method: &Method, path: &str, response: Response) -> reqwest::Result<Response> {
    let Some(operation) = operation(method, path) else {
        return Ok(response);
    };
    let name = operation["operationId"].as_str().unwrap();
    let status = response.status();
    let told = &operation["responses"][status.as_str()];
    if !told.is_object() {
        let text = response.text().await.unwrap_or_default();
        panic!("{name} responds {status}, which is not in the OpenAPI document: {text}");
    }
    super::seen_statuses::note(name, status.as_str());
    let header = response.headers().get("content-type");
    let media = header.map(|value| essence(value.to_str().unwrap()));
    let content = told["content"].as_object();
    let Some(media) = media else {
        assert!(content.is_none(), "{name} responds {status} without a body");
        return Ok(response);
    };
    let known = content.into_iter().flatten().find(|(known, _)| essence(known) == media);
    let (_, known) =
        known.unwrap_or_else(|| panic!("{name} responds {status} as {media}, which is not in the OpenAPI document"));
    if !media.ends_with("json") {
        return Ok(response);
    }
    let (version, headers) = (response.version(), response.headers().clone());
    let bytes = response.bytes().await?;
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{name} {status}: {error}"));
    let faults = faults(&known["schema"], &body);
    assert!(
        faults.is_empty(),
        "the response {status} of {name} violates its schema: {faults:#?}\n{body:#}"
    );
    super::recorded::keep(status.as_str(), &known["schema"], &body);
    let mut rebuilt = http::Response::new(bytes);
    *rebuilt.status_mut() = status;
    *rebuilt.version_mut() = version;
    *rebuilt.headers_mut() = headers;
    Ok(rebuilt.into())
}

/// Validates a body against a schema of the OpenAPI document, and returns the errors.
pub fn faults(schema: &Value, body: &Value) -> Vec<String> {
    let mut known = VALIDATORS.lock().unwrap();
    let validator = known.entry(schema.to_string()).or_insert_with(|| {
        let mut schema: Value = serde_json::from_str(
            &schema
                .to_string()
                .replace("\"#/components/", &format!("\"{DOCUMENT}#/components/")),
        )
        .unwrap();
        close(&mut schema);
        let components = json!({"components": {"schemas": CLOSED["components"]["schemas"]}});
        let options = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true);
        let options = options.with_resource(DOCUMENT, Resource::from_contents(components).unwrap());
        Arc::new(options.build(&schema).unwrap())
    });
    let validator = Arc::clone(validator);
    drop(known);
    let faults = validator.iter_errors(body);
    faults
        .map(|error| format!("{}: {error}", error.instance_path))
        .collect()
}

/// Finds the operation at a path. A literal segment has precedence over a parameter.
pub fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let fits = |template: &str| {
        let (told, given) = (template.split('/'), path.split('/'));
        if told.clone().count() != given.clone().count() {
            return None;
        }
        let mut literals = 0;
        for (told, given) in told.zip(given) {
            if told == given {
                literals += 1;
            } else if !(told.starts_with('{') && told.ends_with('}')) {
                return None;
            }
        }
        Some(literals)
    };
    let paths = admin::document()["paths"].as_object().unwrap();
    let found = paths
        .iter()
        .filter_map(|(template, item)| Some((fits(template)?, item)));
    let (_, item) = found.max_by_key(|(literals, _)| *literals)?;
    item.get(method.as_str().to_lowercase())
}

fn essence(media: &str) -> String {
    media.split(';').next().unwrap_or_default().trim().to_lowercase()
}
