//! Adds the response headers of each status, and the events of streams. Each header is defined once, under
//! `components`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// The name and the description of each header.
const HEADERS: [(&str, &str); 9] = [
    (
        "X-Request-Id",
        "The id of the request in the log. Clients may send their own id.",
    ),
    ("Retry-After", "Retry after this many seconds."),
    ("WWW-Authenticate", "How to authenticate."),
    ("Allow", "The methods that this URL accepts."),
    (
        "ETag",
        "A tag of the response. The tag of a row begins with the row's version. Send the tag as `If-None-Match` to get 304 \
         while nothing has changed, or as `If-Match` to change what you read.",
    ),
    ("Location", "The URL of the new resource."),
    ("Content-Disposition", "The file's name."),
    (
        "Idempotent-Replayed",
        "`true` if the response to this `Idempotency-Key` is repeated.",
    ),
    (
        "X-Ringbook-Dry-Run",
        "`true` on the response of a `dry_run`: nothing is stored.",
    ),
];

/// Adds the headers that follow from the status. All headers get the names under which the server sends them.
pub fn add(document: &mut Value) {
    let mut used = BTreeSet::new();
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    let operations = paths.flat_map(|(_, item)| item.as_object_mut().into_iter().flatten());
    for (_, operation) in operations {
        for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
            let own = response["headers"].take();
            let own = own
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, own)| (name.as_str(), own));
            let usual = match status.as_str() {
                "401" => &["WWW-Authenticate", "X-Request-Id"][..],
                "405" => &["Allow", "X-Request-Id"],
                "429" | "503" => &["Retry-After", "X-Request-Id"],
                _ => &["X-Request-Id"],
            };
            let all = own.chain(usual.iter().map(|name| (*name, &Value::Null)));
            let told = all.map(|(name, own)| named(name, own, &mut used));
            response["headers"] = Value::Object(told.collect());
            if let Some(stream) = response.pointer_mut("/content/text~1event-stream/schema") {
                *stream = event(&stream["items"]);
                response["description"] = "Each event as it happens.".into();
            }
        }
    }
    let told = HEADERS.iter().filter(|(name, _)| used.contains(name));
    let told = told.map(|(name, about)| ((*name).to_owned(), header(name, about)));
    document["components"]["headers"] = Value::Object(told.collect());
}

/// Returns the header's name as the server sends it, and a reference to the definition. An unknown header stays
/// unchanged.
fn named(name: &str, own: &Value, used: &mut BTreeSet<&'static str>) -> (String, Value) {
    let Some((name, _)) = HEADERS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) else {
        return (name.to_owned(), own.clone());
    };
    used.insert(*name);
    let reference = format!("#/components/headers/{name}");
    ((*name).to_owned(), json!({"$ref": reference}))
}

/// Returns the schema of an event, including the schema of the event's data.
fn event(data: &Value) -> Value {
    let is_of_backtest = data["$ref"]
        .as_str()
        .is_some_and(|schema| schema.ends_with("/Backtest"));
    let kinds: &[&str] = if is_of_backtest {
        &["progress", "result"]
    } else {
        &["changed"]
    };
    json!({
        "type": "object",
        "required": ["event", "data"],
        "properties": {
            "event": {"type": "string", "enum": kinds},
            "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": data},
        },
    })
}

fn header(name: &str, about: &str) -> Value {
    let schema = match name {
        "X-Request-Id" => json!({"type": "string", "pattern": "^[!-~]{1,64}$"}),
        "Retry-After" => json!({"type": "integer", "minimum": 0}),
        "WWW-Authenticate" => json!({"type": "string", "pattern": "^Bearer"}),
        "ETag" => json!({"type": "string", "pattern": "^(W/)?\".+\"$"}),
        "Location" => json!({"type": "string", "format": "uri-reference", "pattern": "^/admin/v1/"}),
        "Idempotent-Replayed" | "X-Ringbook-Dry-Run" => json!({"type": "boolean"}),
        _ => json!({"type": "string"}),
    };
    let required = !matches!(name, "Idempotent-Replayed" | "X-Ringbook-Dry-Run");
    json!({"description": about, "required": required, "schema": schema})
}
