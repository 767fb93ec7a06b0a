//! What operations have in common beyond their own work: writes can be tried, what is read has a tag, and what a client
//! does not take is refused. What their headers hold is told by [`super::answers`].

use serde_json::{Value, json};

use super::super::dry_run;

/// Says so of every operation.
pub fn tell(document: &mut Value) {
    let items = document["paths"].as_object_mut().into_iter().flatten();
    for (method, operation) in items.flat_map(|(_, item)| item.as_object_mut().into_iter().flatten()) {
        if gives_something(operation) {
            operation["responses"]["406"] =
                problem("`Accept` takes none of the media types that this operation gives.");
        }
        match method.as_str() {
            "get" => tell_tag(operation),
            _ => tell_trial(operation),
        }
    }
}

fn good(operation: &mut Value) -> impl Iterator<Item = &mut Value> {
    let responses = operation["responses"].as_object_mut().into_iter().flatten();
    responses.filter_map(|(status, response)| status.starts_with('2').then_some(response))
}

fn gives_something(operation: &mut Value) -> bool {
    good(operation).any(|response| response["content"].is_object())
}

fn tell_tag(operation: &mut Value) {
    if good(operation).any(|response| response["content"]["text/event-stream"].is_object()) {
        return;
    }
    for response in good(operation) {
        response["headers"]["ETag"] = Value::Null;
    }
    operation["responses"]["304"] = json!({
        "description": "Nothing has changed since the answer with the tag in `If-None-Match`.",
        "headers": {"ETag": null},
    });
    add_parameter(
        operation,
        json!({
            "name": "If-None-Match", "in": "header", "required": false, "schema": {"type": "string"},
            "description": "The `ETag`s of the answers that you have.",
        }),
    );
}

fn tell_trial(operation: &mut Value) {
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    if dry_run::READS.contains(&id.as_str()) {
        return add_to_description(operation, "Writes nothing.");
    }
    if let Some((_, why)) = dry_run::NO_TRIAL.iter().find(|(no, _)| *no == id) {
        return add_to_description(operation, &format!("Takes no `dry_run`. {why}"));
    }
    add_parameter(
        operation,
        json!({
            "name": dry_run::PARAMETER, "in": "query", "required": false, "schema": {"type": "boolean", "default": false},
            "description": "`true` does everything up to the end, answers as if it were done, and takes all of it back. Ids and \
                keys in such an answer are good for nothing.",
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
        operation["responses"]["400"] = problem("A parameter is not what this operation takes.");
    }
}

/// Whether an operation does what is hard to take back. A page that fills in its examples must not do it at the press of a
/// button: it is filled in as a trial.
fn destroys(id: &str) -> bool {
    const FIRST_WORDS: [&str; 8] = [
        "delete_", "remove_", "retire_", "revoke_", "discard_", "reject_", "lift_", "resend_",
    ];
    const OTHERS: [&str; 10] = [
        "create_api_key",
        "create_erasure",
        "create_rulebook",
        "put_guard_rails",
        "put_retention",
        "put_rulebook",
        "put_sms_delivery",
        "put_webhook_auth",
        "replay_webhook_event",
        "roll_back",
    ];
    FIRST_WORDS.iter().any(|word| id.starts_with(word)) || OTHERS.contains(&id)
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
