//! Adds OpenAPI links: a link says which part of a response is a parameter of a later operation.
//!
//! Clients, and tests of request sequences, follow these links.

use serde_json::{Map, Value, json};

use crate::resources::RESOURCES;

/// Where a link reads the value of a parameter, as an OpenAPI runtime expression.
const ID: &str = "$response.body#/id";
const FIRST_ID: &str = "$response.body#/items/0/id";
const FIRST_CODE: &str = "$response.body#/items/0/code";
const NUMBER: &str = "$response.body#/items/0/number";
const CODE: &str = "$response.body#/code";
const VERSION: &str = "$response.body#/version";
const TAG: &str = "$response.header.ETag";

/// The source operation, the target operation, and the target's parameters with their sources. The parameter `rulebook`
/// is added if both operations have it.
type Link = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const SET: &[(&str, &str)] = &[("path.id", ID), ("query.version", VERSION)];
const SET_READ: &[(&str, &str)] = &[("path.id", ID)];

#[rustfmt::skip] // one link per line
const LINKS: &[Link] = &[
    ("list_rulebooks", "get_rulebook", &[("path.rulebook", FIRST_CODE)]),
    ("create_rulebook", "get_rulebook", &[("path.rulebook", CODE)]),
    ("create_rulebook", "evaluate", &[("path.rulebook", CODE)]),
    ("create_rulebook", "create_change_set", &[("path.rulebook", CODE)]),
    ("get_rulebook", "put_rulebook", &[("header.If-Match", TAG)]),
    ("get_rulebook", "patch_rulebook", &[("header.If-Match", TAG)]),
    ("get_rulebook", "roll_back", &[("query.version", "$response.body#/revision")]),
    ("get_rulebook", "evaluate", &[("query.revision", "$response.body#/revision")]),
    ("list_change_sets", "get_change_set", &[("path.id", FIRST_ID)]),
    ("create_change_set", "get_change_set", SET_READ),
    ("create_change_set", "add_change", SET),
    ("create_change_set", "check_change_set", SET_READ),
    ("create_change_set", "publish_change_set", SET),
    ("create_change_set", "discard_change_set", SET),
    ("get_change_set", "add_change", SET),
    ("get_change_set", "remove_change", &[("path.id", ID), ("path.number", "$response.body#/changes/0/number"), ("query.version", VERSION)]),
    ("get_change_set", "publish_change_set", SET),
    ("get_change_set", "approve_change_set", SET),
    ("get_change_set", "reject_change_set", SET),
    ("get_change_set", "cancel_schedule", SET),
    ("get_change_set", "discard_change_set", SET),
    ("add_change", "get_change_set", SET_READ),
    ("add_change", "publish_change_set", SET),
    ("publish_change_set", "get_change_set", SET_READ),
    ("publish_change_set", "cancel_schedule", SET),
    ("list_revisions", "get_revision", &[("path.number", NUMBER)]),
    ("get_revision", "diff_revision", &[("path.number", "$response.body#/number")]),
    ("get_revision", "roll_back", &[("path.number", "$response.body#/number"), ("header.If-Match", TAG)]),
    ("start_backtest", "get_backtest", &[("path.id", ID)]),
    ("start_backtest", "follow_backtest", &[("path.id", ID)]),
    ("start_backtest", "cancel_backtest", &[("path.id", ID)]),
    ("list_backtests", "get_backtest", &[("path.id", FIRST_ID)]),
    ("create_erasure", "get_erasure", &[("path.id", ID)]),
    ("list_erasures", "get_erasure", &[("path.id", FIRST_ID)]),
    ("list_script_quarantines", "release_script", &[("path.script", "$response.body#/items/0/script")]),
    ("get_webhook_auth", "put_webhook_auth", &[("header.If-Match", TAG)]),
    ("get_guard_rails", "put_guard_rails", &[("header.If-Match", TAG)]),
    ("get_retention", "put_retention", &[("header.If-Match", TAG)]),
    ("get_sms_delivery", "put_sms_delivery", &[("header.If-Match", TAG)]),
    ("get_rulebook_profile", "put_rulebook_profile", &[("header.If-Match", TAG)]),
    ("create_secret", "retire_secret", &[("path.id", ID)]),
    ("list_secrets", "retire_secret", &[("path.id", FIRST_ID)]),
    ("list_calls", "get_call", &[("path.call_id", FIRST_ID)]),
    ("create_case_of_call", "get_case", &[("path.code", CODE)]),
    ("list_decisions", "get_decision", &[("path.id", FIRST_ID)]),
    ("list_decisions", "replay_decision", &[("path.id", FIRST_ID)]),
    ("list_calls", "create_feedback", &[("path.call_id", FIRST_ID)]),
    ("create_feedback", "create_case_of_feedback", &[("path.id", ID)]),
    ("create_feedback", "dismiss_feedback", &[("path.id", ID)]),
    ("list_feedback", "create_case_of_feedback", &[("path.id", FIRST_ID)]),
    ("list_feedback", "dismiss_feedback", &[("path.id", FIRST_ID)]),
    ("list_leads", "get_lead", &[("path.id", FIRST_ID)]),
    ("list_leads", "acknowledge_lead", &[("path.id", FIRST_ID)]),
    ("get_lead", "get_call", &[("path.call_id", "$response.body#/call_id")]),
    ("get_lead", "get_decision", &[("path.id", "$response.body#/decision_id")]),
    ("list_sms_messages", "get_sms_message", &[("path.id", FIRST_ID)]),
    ("list_sms_messages", "resend_sms_message", &[("path.id", FIRST_ID)]),
    ("list_sms_suppressions", "lift_sms_suppression", &[("path.id", FIRST_ID)]),
    ("list_webhook_events", "get_webhook_event", &[("path.id", FIRST_ID)]),
    ("list_webhook_events", "replay_webhook_event", &[("path.id", FIRST_ID)]),
    ("list_notices", "get_notice", &[("path.id", FIRST_ID)]),
    ("list_notices", "resolve_notice", &[("path.id", FIRST_ID)]),
    ("create_api_key", "revoke_api_key", &[("path.id", "$response.body#/api_key/id")]),
    ("verify_audit_log", "verify_audit_log", &[("query.head", "$response.body#/head")]),
    ("list_scripts", "list_script_versions", &[("path.code", FIRST_CODE)]),
    ("list_scripts", "test_script", &[("path.code", FIRST_CODE)]),
    ("list_calendars", "get_calendar_days", &[("path.code", FIRST_CODE)]),
    ("list_calendar_feeds", "revoke_calendar_feed", &[("path.id", FIRST_ID)]),
    ("create_calendar_feed", "revoke_calendar_feed", &[("path.id", "$response.body#/feed/id")]),
];

/// Adds the links.
pub fn add(document: &mut Value) {
    for &(from, to, parameters) in LINKS {
        link(document, from, to, parameters);
    }
    for kind in RESOURCES {
        let of = |verb: &str| format!("{verb}_{}", kind.one);
        let list = format!("list_{}", kind.many);
        for from in [&of("put"), &of("get"), &of("patch")] {
            // All three operations respond with the row, so each links to the same operations, including itself.
            for verb in ["put", "patch", "delete"] {
                let named = [("path.code", CODE), ("header.If-Match", TAG)];
                link(document, from, &of(verb), &named);
            }
        }
        link(document, &list, &of("get"), &[("path.code", FIRST_CODE)]);
    }
}

fn link(document: &mut Value, from: &str, to: &str, parameters: &[(&str, &str)]) {
    let takes = |operation: &Value| {
        let all = operation["parameters"].as_array().into_iter().flatten();
        all.filter(|parameter| parameter["in"] == "path")
            .any(|parameter| parameter["name"] == "rulebook")
    };
    let both = operation(document, from).is_some_and(|one| takes(one))
        && operation(document, to).is_some_and(|one| takes(one));
    let mut given: Map<String, Value> = parameters
        .iter()
        .map(|(name, from)| ((*name).to_owned(), (*from).into()))
        .collect();
    if both && !given.contains_key("path.rulebook") {
        given.insert("path.rulebook".to_owned(), "$request.path.rulebook".into());
    }
    let Some(operation) = operation(document, from) else {
        return;
    };
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        // The 202 of a write returns a waiting change set, not the written resource.
        if status.starts_with('2') && (status != "202" || ["create_erasure", "start_backtest"].contains(&from)) {
            response["links"][to] = json!({"operationId": to, "parameters": given});
        }
    }
}

fn operation<'a>(document: &'a mut Value, id: &str) -> Option<&'a mut Value> {
    let paths = document["paths"].as_object_mut()?;
    let mut all = paths
        .values_mut()
        .filter_map(Value::as_object_mut)
        .flat_map(Map::values_mut);
    all.find(|operation| operation["operationId"] == id)
}
