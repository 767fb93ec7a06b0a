//! Adds the statuses that follow from an operation's shape: its role, body and parameters. A role above viewer adds
//! 403. A path parameter adds 404. A body adds 400, 408, 413, 415 and 422. A parameter in the query, in a header or
//! with a UUID adds 400. Every operation has 401, 429, 500 and 503. An operation declares its other statuses itself
//! ([`super::super::errors`]).

use serde_json::{Value, json};

use crate::list::is_masked;

/// The meaning of each status, the same for all operations.
pub const OF_SHAPE: [(&str, &str); 12] = [
    ("400", "The request is not valid; `errors` says where."),
    ("401", "No valid key."),
    ("403", "The key's role is not enough."),
    ("404", "The resource does not exist, or this key cannot see it."),
    ("406", "`Accept` allows none of this operation's media types."),
    ("408", "The body took too long to arrive."),
    ("413", "The body exceeds 1 MiB, or a sheet exceeds 8 MiB."),
    ("415", "The body is not JSON, or a sheet is not CSV."),
    (
        "422",
        "Valid values contradict each other or do not fit here; `errors` says where.",
    ),
    (
        "429",
        "Too many requests from this address; wait as long as Retry-After says.",
    ),
    (
        "500",
        "An internal error; the operator finds it in the log under the request id.",
    ),
    (
        "503",
        "The database is unavailable; retry after the time in Retry-After.",
    ),
];

/// Operations whose body schema expresses every possible error.
const COMPLETE_BY_SCHEMA: [&str; 4] = [
    "create_erasure",
    "dismiss_feedback",
    "replay_webhook_events",
    "resolve_notice",
];

/// Adds the statuses to an operation with this role.
pub fn add(operation: &mut Value, role: &str) {
    let body = !operation["requestBody"].is_null();
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let in_path = parameters.iter().any(|parameter| parameter["in"] == "path");
    let named_rulebook = parameters.iter().any(|parameter| parameter["name"] == "rulebook");
    let others = parameters
        .iter()
        .any(|parameter| parameter["in"] != "path" || parameter["schema"]["format"] == "uuid");
    let masked = parameters.iter().filter_map(|one| one["name"].as_str()).any(is_masked);
    let has = |name: &str| parameters.iter().any(|parameter| parameter["name"] == name);
    // `open` is true if a request can have an error that no schema expresses, such as contradictory parts or the cursor
    // of another list.
    let told_by_schema = COMPLETE_BY_SCHEMA.iter().any(|id| operation["operationId"] == *id);
    let open = (body && !told_by_schema)
        || has("cursor")
        || has("change_set")
        || (has("If-Match") && has("version"))
        || has("from");
    if open {
        also_unprocessable(operation);
    }
    let of_shape = [
        (body || others, "400"),
        (true, "401"),
        (role != "viewer" || masked, "403"),
        (in_path || named_rulebook, "404"),
        (body, "408"),
        (body, "413"),
        (body, "415"),
        (true, "429"),
        (true, "500"),
        (true, "503"),
    ];
    for (_, status) in of_shape.into_iter().filter(|(holds, _)| *holds) {
        operation["responses"][status] = problem(about(status));
    }
}

/// Returns the meaning of a status that follows from the shape.
pub fn about(status: &str) -> &'static str {
    let told = OF_SHAPE.iter().find(|(of, _)| *of == status);
    told.map_or("", |(_, about)| about)
}

/// Adds the 422 for contradictory parts, or appends its meaning to the 422 that the operation declares.
fn also_unprocessable(operation: &mut Value) {
    let response = &mut operation["responses"]["422"];
    if response.is_null() {
        *response = problem("");
    }
    let about = about("422");
    let about = match response["description"].as_str() {
        Some(before) if !before.is_empty() => format!("{before} Or: {about}"),
        _ => about.to_owned(),
    };
    response["description"] = about.into();
}

fn problem(about: &str) -> Value {
    json!({
        "description": about,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    })
}
