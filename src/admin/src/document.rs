//! The published document: poem-openapi's output, converted to valid OpenAPI 3.1 and completed for readers.
//!
//! It is the same for every installation: served at `/openapi.json`, shown at `/docs`, printed by `ringbook openapi`
//! and committed under `openapi/`.

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
mod request_schemas;
mod response_headers;
mod schemas;
mod shared;
mod statuses;
mod tidy;
mod webhooks;

use std::sync::{Arc, LazyLock};

use poem_openapi::OpenApiService;
use sea_orm::DatabaseConnection;
use serde_json::{Map, Value, json};

use super::apis::apis;
use super::setup_checks::SetupChecks;
use super::state::{AdminState, FromWebhook};
use base::clock::Clock;
use base::keys::SecretKey;
use jobs::history::queue::Backtests;
use revisions::cache::RulebookCache;
use revisions::publish::Publisher;
use store::audit_log::AuditKey;
use store::replica::Replica;
use web::RateLimiter;
use web::failed_guesses::Guesses;
use web::rate_limit::Allowance;

static DOCUMENT: LazyLock<Value> = LazyLock::new(build);

/// The document for programs: parts that operations share are defined once, in `components`.
static SHARED: LazyLock<Value> = LazyLock::new(|| shared::shared(&DOCUMENT));

static SERVED: LazyLock<String> = LazyLock::new(|| SHARED.to_string());

/// Returns the whole document as JSON. Shared responses and parameters are written out in each operation, without
/// references.
#[must_use]
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// Returns the document as the server sends it, without the indentation of the committed file.
pub(super) fn served() -> &'static str {
    &SERVED
}

/// Returns the document as text, in the form of the committed file.
#[must_use]
pub fn document_text() -> String {
    format!("{:#}\n", *SHARED)
}

fn build() -> Value {
    // Building the document runs no operation, so nothing uses this state.
    let (nowhere, clock) = (DatabaseConnection::default(), Clock::system());
    let current = RulebookCache::new(Replica::default(), nowhere.clone());
    let publisher = Publisher::new(nowhere.clone(), current.clone(), clock.clone(), AuditKey::new(&[0; 32]));
    let from_webhook = FromWebhook {
        read_message: Arc::new(|_, _| None),
        read_auth: Arc::new(Ok),
        replay_message: Arc::new(|_, _| Box::pin(async { Ok("recorded") })),
        word_sms: Arc::new(|_, _, _, _, _| None),
    };
    let backtests = Backtests::nowhere(nowhere.clone(), clock.clone());
    let state = AdminState::new(
        nowhere.clone(),
        nowhere,
        Replica::default(),
        Arc::new(publisher),
        Arc::new(current),
        clock,
        SecretKey::new(&[0; 32]),
        from_webhook,
        SetupChecks::new(Arc::new(|| Box::pin(async { Default::default() }))),
        backtests,
        Guesses::new(Arc::new(RateLimiter::new(false, Allowance::default()))),
    );
    let service = OpenApiService::new(apis(&state), "Ringbook", env!("CARGO_PKG_VERSION"));
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
    schemas::correct(&mut document);
    decisions::add(&mut document);
    let paths = std::mem::take(&mut document["paths"]);
    document["paths"] = Value::Object(named_paths(paths));
    operations::add(&mut document);
    keywords::add(&mut document);
    parameters::limit(&mut document);
    links::add(&mut document);
    behaviour::add(&mut document);
    examples::add(&mut document, &state.sample);
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
        "description": "An admin key. The first one is printed at the first start; more are made with `create_api_key`.",
    }});
    tidy::tidy(&mut document);
    document
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
