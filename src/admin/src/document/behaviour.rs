//! Documents what operations have in common: writes have a dry run, reads have an ETag, and an unacceptable `Accept` is
//! rejected. [`super::response_headers`] describes the headers.

use serde_json::{Value, json};

use super::operations::rows_at;
use super::statuses;
use crate::dry_run;

/// Documents this behaviour for every operation.
pub fn add(document: &mut Value) {
    let items = document["paths"].as_object_mut().into_iter().flatten();
    let operations =
        items.flat_map(|(path, item)| item.as_object_mut().into_iter().flatten().map(move |one| (path, one)));
    for (path, (method, operation)) in operations {
        if gives_something(operation) {
            operation["responses"]["406"] = problem(statuses::about("406"));
        }
        require_version(operation);
        match method.as_str() {
            "get" => add_tag(operation),
            _ => add_dry_run(operation),
        }
        if path.ends_with("/{code}") && rows_at(path).is_some() {
            share_response(operation);
        }
    }
}

fn good(operation: &mut Value) -> impl Iterator<Item = &mut Value> {
    let responses = operation["responses"].as_object_mut().into_iter().flatten();
    responses.filter_map(|(status, response)| status.starts_with('2').then_some(response))
}

/// Describes the responses to reads and writes of a row in the same words, so that they can share one response.
fn share_response(operation: &mut Value) {
    for status in ["200", "201"] {
        let Some(response) = operation["responses"].get_mut(status) else {
            continue;
        };
        response["description"] = "The row; the next call uses it.".into();
        response["headers"] = json!({"ETag": null, dry_run::HEADER: null});
    }
}

fn gives_something(operation: &mut Value) -> bool {
    good(operation).any(|response| response["content"].is_object())
}

fn add_tag(operation: &mut Value) {
    if good(operation).any(|response| response["content"]["text/event-stream"].is_object()) {
        return;
    }
    for response in good(operation) {
        response["headers"]["ETag"] = Value::Null;
    }
    operation["responses"]["304"] = json!({
        "description": "Nothing has changed since the response with the tag in `If-None-Match`.",
        "headers": {"ETag": null},
    });
    add_parameter(
        operation,
        json!({
            "name": "If-None-Match", "in": "header", "required": false, "schema": {"type": "string"},
            "description": "The `ETag`s of the responses that you have.",
        }),
    );
}

fn add_dry_run(operation: &mut Value) {
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    if dry_run::READS.contains(&id.as_str()) {
        return add_to_description(operation, "Writes nothing.");
    }
    if let Some((_, why)) = dry_run::WITHOUT_DRY_RUN.iter().find(|(no, _)| *no == id) {
        return add_to_description(operation, why);
    }
    add_parameter(
        operation,
        json!({
            "name": dry_run::PARAMETER, "in": "query", "required": false, "schema": {"type": "boolean", "default": false},
            "description": "`true` executes the request, gives the usual response, and rolls everything back. The response has \
                `X-Ringbook-Dry-Run: true`; ids and keys in it cannot be used.",
        }),
    );
    if destroys(&id)
        && let Some(parameter) = operation["parameters"].as_array_mut().and_then(|all| all.last_mut())
    {
        parameter["example"] = true.into();
    }
    for response in good(operation) {
        response["headers"][dry_run::HEADER] = Value::Null;
    }
    if operation["responses"]["400"].is_null() {
        operation["responses"]["400"] = problem(statuses::about("400"));
    }
}

/// Whether an operation is hard to undo. `/docs` fills in the examples, and one click runs the operation. So the
/// example of such an operation is a dry run.
fn destroys(id: &str) -> bool {
    const FIRST_WORDS: [&str; 8] = [
        "delete_", "remove_", "retire_", "revoke_", "discard_", "reject_", "lift_", "resend_",
    ];
    const OTHERS: [&str; 11] = [
        "create_api_key",
        "create_erasure",
        "create_rulebook",
        "put_guard_rails",
        "put_retention",
        "put_rulebook",
        "put_rulebook_profile",
        "put_sms_delivery",
        "put_webhook_auth",
        "replay_webhook_event",
        "roll_back",
    ];
    FIRST_WORDS.iter().any(|word| id.starts_with(word)) || OTHERS.contains(&id)
}

/// Documents that a write needs a version, if the write responds 428 without a version. The version may be in
/// `If-Match`, or in the body or query. OpenAPI's `required` cannot express this choice, so the descriptions of the
/// parameters explain it.
fn require_version(operation: &mut Value) {
    const HEADER: &str = "If-Match";
    let parameters = || operation["parameters"].as_array().into_iter().flatten();
    let has = |name: &str| parameters().any(|one| one["name"] == name);
    let in_sheet = has("delete_missing");
    if operation["responses"]["428"].is_null() || !has(HEADER) || in_sheet {
        return;
    }
    let (in_query, is_put) = (has("version"), has("If-None-Match"));
    let elsewhere = if in_query {
        "the parameter `version`"
    } else {
        "`version` in the body"
    };
    let when = if is_put {
        "**Required to replace an existing row**"
    } else {
        "**Required**"
    };
    for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
        let other = match parameter["name"].as_str() {
            Some(HEADER) => elsewhere,
            Some("version") => "`If-Match`",
            _ => continue,
        };
        let about = parameter["description"].as_str().unwrap_or_default();
        parameter["description"] = format!("{when}, here or as {other}. {about}").into();
    }
}

fn add_to_description(operation: &mut Value, sentence: &str) {
    let told = operation["description"].as_str().unwrap_or_default();
    operation["description"] = format!("{told} {sentence}").into();
}

fn add_parameter(operation: &mut Value, parameter: Value) {
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.push(parameter),
        None => operation["parameters"] = json!([parameter]),
    }
}

fn problem(about: &str) -> Value {
    json!({
        "description": about,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    })
}
