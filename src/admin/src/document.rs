//! The published document: poem-openapi's output, converted to valid OpenAPI 3.1 and completed for readers.
//!
//! Every installation has the same document. The server serves the document at `/openapi.json` and shows it at `/docs`.
//! The command `ringbook openapi` prints the document, and the folder `openapi/` contains it.

mod behaviour;
mod decisions;
mod examples;
mod keywords;
mod limits;
#[cfg(test)]
mod limits_tests;
mod links;
mod lists;
mod operations;
mod parameters;
mod program;
mod request_schemas;
mod response_headers;
mod rows;
mod schemas;
mod shared;
mod statuses;
mod tidy;
mod webhooks;

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::LazyLock;

use poem::endpoint::BoxEndpoint;
use poem::http::Method;
use poem_openapi::registry::{MetaApi, Registry};
use poem_openapi::{OpenApi, OpenApiService};
use serde_json::{Map, Value, json};

use super::apis::apis;
use super::state::AdminState;
use rules::sample;

static DOCUMENT: LazyLock<Value> = LazyLock::new(build);

/// Returns the whole document as JSON. The document repeats each response and parameter in every operation that has it,
/// without references. The whole document stays in memory once it is built, so the server uses `for_program` instead.
#[must_use]
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// Returns the parts of the document that the program needs at run time.
pub(super) fn for_program() -> Value {
    program::reduced(&build())
}

/// Returns the document as the server sends it, without indentation. `components` defines the parts that operations
/// share.
pub(super) fn served() -> String {
    shared::shared(&build()).to_string()
}

/// Returns the whole document as text, for `/docs`.
pub(super) fn whole() -> String {
    build().to_string()
}

/// Returns the document as text, in the form of the file under `openapi/`.
#[must_use]
pub fn document_text() -> String {
    format!("{:#}\n", shared::shared(&build()))
}

fn build() -> Value {
    let service = OpenApiService::new(description_of(apis), "Ringbook", env!("CARGO_PKG_VERSION"));
    let mut document: Value = serde_json::from_str(&service.spec()).unwrap_or_default();

    document["openapi"] = "3.1.0".into();
    document["info"] = json!({
        "title": "Ringbook",
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "The rulebook behind a business's phone: prices, priorities and SMS messages for Vapi calls.",
        "description": format!("{}{}", guide(), super::docs_scripting::markdown()),
        "contact": {"name": "Ringbook"},
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    document["servers"] = json!([{"url": "/", "description": "This server."}]);
    document["tags"] = operations::tags();
    rows::add(&mut document);
    schemas::correct(&mut document);
    decisions::add(&mut document);
    let paths = std::mem::take(&mut document["paths"]);
    document["paths"] = Value::Object(named_paths(paths));
    operations::add(&mut document);
    keywords::add(&mut document);
    parameters::limit(&mut document);
    links::add(&mut document);
    behaviour::add(&mut document);
    examples::add(&mut document, &sample::rows());
    examples::problems::add(&mut document);
    examples::recorded::add(&mut document);
    response_headers::add(&mut document);
    document["webhooks"] = webhooks::all();
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        webhooks::vapi::add_schemas(schemas);
        schemas.insert("TimeOrDay".to_owned(), lists::time_or_day());
    }
    document["components"]["securitySchemes"] = json!({"api_key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An admin key. Ringbook prints the first key at the first start; `create_api_key` creates more keys.",
    }});
    tidy::tidy(&mut document);
    document
}

/// Describes the operations of the API `T` without building its routes. A document needs only the API's type, not the
/// state that the API has at run time.
struct Description<T>(PhantomData<fn() -> T>);

/// Describes the API that a function would build.
fn description_of<T>(_: fn(&AdminState) -> T) -> Description<T> {
    Description(PhantomData)
}

impl<T: OpenApi> OpenApi for Description<T> {
    fn meta() -> Vec<MetaApi> {
        T::meta()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn add_routes(self, _: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}

/// The introduction at the top of the document.
const fn guide() -> &'static str {
    include_str!("document/guide.md")
}

/// Converts paths from the router's syntax to the document's, with parameters in braces.
fn named_paths(paths: Value) -> Map<String, Value> {
    match paths {
        Value::Object(paths) => paths
            .into_iter()
            .map(|(path, item)| (path.replace(":rulebook", "{rulebook}"), item))
            .collect(),
        _ => Map::new(),
    }
}
