//! Adds the names, summaries and roles of operations, and the groups.

use serde_json::{Map, Value, json};

use super::{lists, statuses};
use crate::resources::{RESOURCES, ResourceDescription};

/// The path of a rulebook.
pub const RULEBOOK: &str = "/admin/v1/rulebooks/{rulebook}";

/// Returns the groups, as OpenAPI tags.
pub fn tags() -> Value {
    let mut tags = vec![
        json!({"name": "rulebooks", "description": "Rulebooks and their settings."}),
        json!({"name": "evaluate", "description": "What a call would cost, how urgent it would be, and why."}),
    ];
    tags.extend(
        RESOURCES
            .iter()
            .map(|resource| json!({"name": resource.path, "description": resource.about})),
    );
    for (name, about) in [
        (
            "script-quarantines",
            "Scripts that failed repeatedly and are omitted from decisions for a while.",
        ),
        ("vocabulary", "The facts and functions of conditions and scripts."),
        (
            "change-sets",
            "Edits that are reviewed together, then published now or at a given time.",
        ),
        ("shifts", "Who is on shift when, and the hours with nobody on shift."),
        (
            "calendar-feeds",
            "Secret URLs at which calendar programs read the shifts (iCalendar).",
        ),
        ("lint", "Rules that cannot work as intended."),
        ("rule-hits", "How often each row took part in decisions."),
        ("unmatched-calls", "Calls that matched no service."),
        ("phrase-matches", "Which past calls contain a phrase."),
        ("revisions", "Published states of a rulebook, comparison and rollback."),
        ("backtests", "The effect of a change on past calls."),
        (
            "webhook-auth",
            "How Vapi authenticates: accepted schemes and replay window.",
        ),
        (
            "secrets",
            "Webhook secrets, and the rulebook's own Twilio and Vapi credentials. Values can be written, never read.",
        ),
        (
            "guard-rails",
            "Limits beyond which a price change needs a second person's approval.",
        ),
        ("retention", "How long callers' data is stored."),
        (
            "sms-delivery",
            "Whether SMS messages are sent through Twilio or only recorded.",
        ),
        ("profile", "A rulebook's code and name, and whether it is archived."),
        ("erasures", "Erasing the data of a caller."),
        ("events", "A stream of changes in a rulebook."),
        ("calls", "Calls with transcripts and tool calls."),
        ("decisions", "Prices and priorities, with their trace."),
        ("feedback", "Decisions that were wrong, and what they should have been."),
        ("leads", "Callers to call back."),
        ("sms-messages", "SMS messages and their attempts."),
        ("inbound-sms-messages", "Replies from contacts."),
        (
            "sms-suppressions",
            "Phone numbers that get no SMS messages, because their owner replied STOP.",
        ),
        ("webhook-events", "Received messages, with their raw bodies."),
        ("notices", "Problems that need a person's attention."),
        ("audit-log", "Change history and tamper check."),
        ("api-keys", "API keys and their roles."),
        ("console-sessions", "Who is signed in to the console."),
        ("stats", "Statistics."),
        ("statements", "The figures of a business for a month or a day."),
        ("rulebook-health", "The health of each business."),
        ("setup", "Whether the installation is set up correctly."),
        ("webhooks", "What Vapi and Twilio send to Ringbook."),
    ] {
        tags.push(json!({"name": name, "description": about}));
    }
    Value::Array(tags)
}

/// Completes every operation.
pub fn add(document: &mut Value) {
    let Some(paths) = document["paths"].as_object_mut() else {
        return;
    };
    for (path, item) in paths {
        let Some(item) = item.as_object_mut() else { continue };
        for (method, operation) in item {
            complete(path, method, operation);
        }
    }
}

fn complete(path: &str, method: &str, operation: &mut Value) {
    let tag = path.strip_prefix(RULEBOOK).and_then(|rest| rest.split('/').nth(1));
    let tag = tag
        .or_else(|| path.strip_prefix("/admin/v1/").and_then(|rest| rest.split('/').next()))
        .unwrap_or("rulebooks");
    let (resource, sheet) = (rows_at(path), sheet_at(path));
    operation["tags"] = json!([sheet.map_or(tag, |resource| resource.path)]);
    if let Some(resource) = sheet {
        name_sheet_operation(resource, method, operation);
    } else if let Some(resource) = resource {
        name_row_operation(resource, method, path.ends_with("{code}"), operation);
    } else if operation["operationId"].is_null() {
        let (id, _) = OTHERS
            .iter()
            .find(|(_, at)| *at == (method, path))
            .copied()
            .unwrap_or(("unnamed", ("", "")));
        operation["operationId"] = id.into();
    }
    let role = role(operation);
    operation["security"] = json!([{"api_key": []}]);
    operation["x-required-role"] = role.clone().into();
    let about = operation["description"]
        .as_str()
        .filter(|about| !about.is_empty())
        .map(|about| format!("{about}\n\n"))
        .unwrap_or_default();
    operation["description"] = format!("{about}Role: `{role}`.").into();
    if let Some(spec) = lists::at(path).filter(|_| method == "get") {
        lists::add(operation, &spec);
    }
    statuses::add(operation, &role);
}

/// Returns the kind of row at a path.
pub fn rows_at(path: &str) -> Option<&'static ResourceDescription> {
    RESOURCES.iter().find(|resource| {
        let list = format!("{RULEBOOK}/{}", resource.path);
        path == list || path == format!("{list}/{{code}}")
    })
}

/// Returns the kind of row that the sheet at a path contains.
pub fn sheet_at(path: &str) -> Option<&'static ResourceDescription> {
    RESOURCES
        .iter()
        .find(|resource| path == format!("{RULEBOOK}/{}.csv", resource.path))
}

/// The id, method and path of every other operation. Generated clients name their functions after the ids.
const OTHERS: &[(&str, (&str, &str))] = &[
    ("list_rulebooks", ("get", "/admin/v1/rulebooks")),
    ("create_rulebook", ("post", "/admin/v1/rulebooks")),
    ("get_rulebook", ("get", RULEBOOK)),
    ("put_rulebook", ("put", RULEBOOK)),
    ("patch_rulebook", ("patch", RULEBOOK)),
    ("evaluate", ("post", "/admin/v1/rulebooks/{rulebook}/evaluate")),
    (
        "list_change_sets",
        ("get", "/admin/v1/rulebooks/{rulebook}/change-sets"),
    ),
    (
        "create_change_set",
        ("post", "/admin/v1/rulebooks/{rulebook}/change-sets"),
    ),
    (
        "get_change_set",
        ("get", "/admin/v1/rulebooks/{rulebook}/change-sets/{id}"),
    ),
    (
        "add_change",
        ("post", "/admin/v1/rulebooks/{rulebook}/change-sets/{id}/changes"),
    ),
    (
        "remove_change",
        (
            "delete",
            "/admin/v1/rulebooks/{rulebook}/change-sets/{id}/changes/{number}",
        ),
    ),
    (
        "diff_change_set",
        ("get", "/admin/v1/rulebooks/{rulebook}/change-sets/{id}/diff"),
    ),
    (
        "check_change_set",
        ("post", "/admin/v1/rulebooks/{rulebook}/change-sets/{id}/check"),
    ),
    (
        "publish_change_set",
        ("post", "/admin/v1/rulebooks/{rulebook}/change-sets/{id}/publish"),
    ),
    (
        "cancel_schedule",
        ("delete", "/admin/v1/rulebooks/{rulebook}/change-sets/{id}/schedule"),
    ),
    (
        "reject_change_set",
        ("post", "/admin/v1/rulebooks/{rulebook}/change-sets/{id}/reject"),
    ),
    (
        "approve_change_set",
        ("post", "/admin/v1/rulebooks/{rulebook}/change-sets/{id}/approve"),
    ),
    (
        "discard_change_set",
        ("post", "/admin/v1/rulebooks/{rulebook}/change-sets/{id}/discard"),
    ),
    ("lint_rulebook", ("get", "/admin/v1/rulebooks/{rulebook}/lint")),
    ("list_rule_hits", ("get", "/admin/v1/rulebooks/{rulebook}/rule-hits")),
    (
        "get_unmatched_calls",
        ("get", "/admin/v1/rulebooks/{rulebook}/unmatched-calls"),
    ),
    (
        "match_phrases",
        ("post", "/admin/v1/rulebooks/{rulebook}/phrase-matches"),
    ),
    (
        "get_calendar_days",
        ("get", "/admin/v1/rulebooks/{rulebook}/calendars/{code}/days"),
    ),
    ("get_shifts", ("get", "/admin/v1/rulebooks/{rulebook}/shifts")),
    (
        "list_calendar_feeds",
        ("get", "/admin/v1/rulebooks/{rulebook}/calendar-feeds"),
    ),
    (
        "create_calendar_feed",
        ("post", "/admin/v1/rulebooks/{rulebook}/calendar-feeds"),
    ),
    (
        "revoke_calendar_feed",
        ("delete", "/admin/v1/rulebooks/{rulebook}/calendar-feeds/{id}"),
    ),
    ("list_revisions", ("get", "/admin/v1/rulebooks/{rulebook}/revisions")),
    (
        "get_revision",
        ("get", "/admin/v1/rulebooks/{rulebook}/revisions/{number}"),
    ),
    (
        "diff_revision",
        ("get", "/admin/v1/rulebooks/{rulebook}/revisions/{number}/diff"),
    ),
    (
        "export_revision",
        ("get", "/admin/v1/rulebooks/{rulebook}/revisions/{number}/export"),
    ),
    (
        "roll_back",
        ("post", "/admin/v1/rulebooks/{rulebook}/revisions/{number}/roll-back"),
    ),
    ("list_backtests", ("get", "/admin/v1/rulebooks/{rulebook}/backtests")),
    ("start_backtest", ("post", "/admin/v1/rulebooks/{rulebook}/backtests")),
    ("get_backtest", ("get", "/admin/v1/rulebooks/{rulebook}/backtests/{id}")),
    (
        "cancel_backtest",
        ("delete", "/admin/v1/rulebooks/{rulebook}/backtests/{id}"),
    ),
    (
        "follow_backtest",
        ("get", "/admin/v1/rulebooks/{rulebook}/backtests/{id}/events"),
    ),
    (
        "list_script_versions",
        ("get", "/admin/v1/rulebooks/{rulebook}/scripts/{code}/versions"),
    ),
    (
        "test_script",
        ("post", "/admin/v1/rulebooks/{rulebook}/scripts/{code}/test"),
    ),
    (
        "list_script_quarantines",
        ("get", "/admin/v1/rulebooks/{rulebook}/script-quarantines"),
    ),
    (
        "release_script",
        ("delete", "/admin/v1/rulebooks/{rulebook}/script-quarantines/{script}"),
    ),
    ("get_vocabulary", ("get", "/admin/v1/rulebooks/{rulebook}/vocabulary")),
    (
        "get_webhook_auth",
        ("get", "/admin/v1/rulebooks/{rulebook}/webhook-auth"),
    ),
    (
        "put_webhook_auth",
        ("put", "/admin/v1/rulebooks/{rulebook}/webhook-auth"),
    ),
    ("get_guard_rails", ("get", "/admin/v1/rulebooks/{rulebook}/guard-rails")),
    ("put_guard_rails", ("put", "/admin/v1/rulebooks/{rulebook}/guard-rails")),
    (
        "get_sms_delivery",
        ("get", "/admin/v1/rulebooks/{rulebook}/sms-delivery"),
    ),
    (
        "put_sms_delivery",
        ("put", "/admin/v1/rulebooks/{rulebook}/sms-delivery"),
    ),
    (
        "get_rulebook_profile",
        ("get", "/admin/v1/rulebooks/{rulebook}/profile"),
    ),
    (
        "put_rulebook_profile",
        ("put", "/admin/v1/rulebooks/{rulebook}/profile"),
    ),
    ("get_retention", ("get", "/admin/v1/rulebooks/{rulebook}/retention")),
    ("put_retention", ("put", "/admin/v1/rulebooks/{rulebook}/retention")),
    ("create_erasure", ("post", "/admin/v1/rulebooks/{rulebook}/erasures")),
    ("list_erasures", ("get", "/admin/v1/rulebooks/{rulebook}/erasures")),
    ("get_erasure", ("get", "/admin/v1/rulebooks/{rulebook}/erasures/{id}")),
    ("list_secrets", ("get", "/admin/v1/rulebooks/{rulebook}/secrets")),
    ("create_secret", ("post", "/admin/v1/rulebooks/{rulebook}/secrets")),
    (
        "retire_secret",
        ("delete", "/admin/v1/rulebooks/{rulebook}/secrets/{id}"),
    ),
    ("list_calls", ("get", "/admin/v1/rulebooks/{rulebook}/calls")),
    ("get_call", ("get", "/admin/v1/rulebooks/{rulebook}/calls/{call_id}")),
    ("list_decisions", ("get", "/admin/v1/rulebooks/{rulebook}/decisions")),
    ("get_decision", ("get", "/admin/v1/rulebooks/{rulebook}/decisions/{id}")),
    (
        "replay_decision",
        ("post", "/admin/v1/rulebooks/{rulebook}/decisions/{id}/replay"),
    ),
    (
        "create_case_of_call",
        ("post", "/admin/v1/rulebooks/{rulebook}/calls/{call_id}/case"),
    ),
    (
        "create_feedback",
        ("post", "/admin/v1/rulebooks/{rulebook}/calls/{call_id}/feedback"),
    ),
    ("list_feedback", ("get", "/admin/v1/rulebooks/{rulebook}/feedback")),
    (
        "create_case_of_feedback",
        ("post", "/admin/v1/rulebooks/{rulebook}/feedback/{id}/case"),
    ),
    (
        "dismiss_feedback",
        ("post", "/admin/v1/rulebooks/{rulebook}/feedback/{id}/dismiss"),
    ),
    ("list_leads", ("get", "/admin/v1/rulebooks/{rulebook}/leads")),
    ("get_lead", ("get", "/admin/v1/rulebooks/{rulebook}/leads/{id}")),
    (
        "acknowledge_lead",
        ("post", "/admin/v1/rulebooks/{rulebook}/leads/{id}/acknowledge"),
    ),
    ("list_sms_messages", ("get", "/admin/v1/sms-messages")),
    ("get_sms_message", ("get", "/admin/v1/sms-messages/{id}")),
    ("resend_sms_message", ("post", "/admin/v1/sms-messages/{id}/resend")),
    ("resend_sms_messages", ("post", "/admin/v1/sms-messages/resend")),
    ("list_inbound_sms_messages", ("get", "/admin/v1/inbound-sms-messages")),
    ("list_sms_suppressions", ("get", "/admin/v1/sms-suppressions")),
    ("lift_sms_suppression", ("delete", "/admin/v1/sms-suppressions/{id}")),
    ("list_webhook_events", ("get", "/admin/v1/webhook-events")),
    ("get_webhook_event", ("get", "/admin/v1/webhook-events/{id}")),
    ("replay_webhook_event", ("post", "/admin/v1/webhook-events/{id}/replay")),
    ("replay_webhook_events", ("post", "/admin/v1/webhook-events/replay")),
    ("list_notices", ("get", "/admin/v1/notices")),
    ("get_notice", ("get", "/admin/v1/notices/{id}")),
    ("resolve_notice", ("post", "/admin/v1/notices/{id}/resolve")),
    ("list_audit_log", ("get", "/admin/v1/audit-log")),
    ("verify_audit_log", ("get", "/admin/v1/audit-log/verification")),
    ("list_api_keys", ("get", "/admin/v1/api-keys")),
    ("create_api_key", ("post", "/admin/v1/api-keys")),
    ("revoke_api_key", ("delete", "/admin/v1/api-keys/{id}")),
    ("get_stats", ("get", "/admin/v1/stats")),
    (
        "get_statement",
        ("get", "/admin/v1/rulebooks/{rulebook}/statements/{period}"),
    ),
    ("list_rulebook_health", ("get", "/admin/v1/rulebook-health")),
    ("get_setup", ("get", "/admin/v1/setup")),
];

fn role(operation: &Value) -> String {
    let schemes = operation["security"].as_array().into_iter().flatten();
    let mut names = schemes.filter_map(Value::as_object).flat_map(Map::keys);
    names.next().cloned().unwrap_or_else(|| "viewer".to_owned())
}

fn name_row_operation(resource: &ResourceDescription, method: &str, one: bool, operation: &mut Value) {
    let (single, several) = (resource.one.replace('_', " "), resource.many.replace('_', " "));
    let article = if single.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    let (id, summary, about) = match (method, one) {
        ("get", false) => (
            format!("list_{}", resource.many),
            format!("List the {several}"),
            // The description is empty, because the tag's description is enough.
            "",
        ),
        ("get", _) => (
            format!("get_{}", resource.one),
            format!("Read {article} {single}"),
            // The description is empty, because the tag's description is enough.
            "",
        ),
        ("put", _) => (
            format!("put_{}", resource.one),
            format!("Create or replace {article} {single}"),
            "The row is live when the response arrives.",
        ),
        ("patch", _) => (
            format!("patch_{}", resource.one),
            format!("Change fields of {article} {single}"),
            "A JSON merge patch: omitted fields stay.",
        ),
        _ => (
            format!("delete_{}", resource.one),
            format!("Delete {article} {single}"),
            "Fails if other rows name this row.",
        ),
    };
    operation["operationId"] = id.into();
    operation["summary"] = summary.into();
    operation["description"] = about.into();
}

fn name_sheet_operation(resource: &ResourceDescription, method: &str, operation: &mut Value) {
    let several = resource.many.replace('_', " ");
    let (verb, summary, about) = if method == "get" {
        (
            "export",
            format!("Export the {several} as a spreadsheet"),
            "CSV with `code`, the fields and `version`.",
        )
    } else {
        (
            "import",
            format!("Import {several} from a spreadsheet"),
            "Imports an edited export: all rows or none.",
        )
    };
    operation["operationId"] = format!("{verb}_{}_csv", resource.many).into();
    operation["summary"] = summary.into();
    operation["description"] = about.into();
}
