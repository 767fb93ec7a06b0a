//! Adds the parameters of lists from each list's [`ListSpec`]: paging, order and filters.

use serde_json::{Value, json};

use super::limits::PHONE_NUMBER;
use super::operations::RULEBOOK;
use crate::list::{DEFAULT_LIMIT, Filter, FilterType, ListSpec, MAX_LIMIT, is_masked};
use crate::resources::RESOURCES;
use crate::{
    api_keys, audit_log, backtests, calendar_feeds, calls, change_sets, console_sessions, decisions, erasures,
    feedback, inbound_sms_messages, leads, notices, revisions, rule_hits, rulebooks, scripts, secrets, sms_messages,
    sms_suppressions, stats, webhook_events,
};

/// Returns the specification of the list at a path.
pub fn at(path: &str) -> Option<ListSpec> {
    if let Some(last) = path.strip_prefix(RULEBOOK).and_then(|rest| rest.strip_prefix('/')) {
        return match last {
            "change-sets" => Some(change_sets::LIST),
            "revisions" => Some(revisions::LIST),
            "scripts/{code}/versions" => Some(scripts::VERSIONS),
            "rule-hits" => Some(rule_hits::LIST),
            "backtests" => Some(backtests::LIST),
            "secrets" => Some(secrets::LIST),
            "calendar-feeds" => Some(calendar_feeds::LIST),
            "calls" => Some(calls::LIST),
            "decisions" => Some(decisions::LIST),
            "leads" => Some(leads::LIST),
            "feedback" => Some(feedback::LIST),
            "erasures" => Some(erasures::LIST),
            other => RESOURCES
                .iter()
                .find(|resource| resource.path == other)
                .map(|resource| resource.list),
        };
    }
    match path.strip_prefix("/admin/v1/")? {
        "rulebooks" => Some(rulebooks::LIST),
        "sms-messages" => Some(sms_messages::LIST),
        "inbound-sms-messages" => Some(inbound_sms_messages::LIST),
        "sms-suppressions" => Some(sms_suppressions::LIST),
        "webhook-events" => Some(webhook_events::LIST),
        "notices" => Some(notices::LIST),
        "audit-log" => Some(audit_log::LIST),
        "api-keys" => Some(api_keys::LIST),
        "console-sessions" => Some(console_sessions::LIST),
        "stats" => Some(stats::LIST),
        _ => None,
    }
}

/// The schema of filters by time.
pub fn time_or_day() -> Value {
    json!({
        "description": "An instant, or a day in the rulebook's time zone: the beginning of the day for `since`, its end for `until`.",
        "anyOf": [
            {"type": "string", "format": "date-time"},
            {"type": "string", "format": "date"},
            {"type": "string", "enum": ["today", "yesterday"]},
        ],
    })
}

/// Adds a list's parameters to its operation.
pub fn add(operation: &mut Value, spec: &ListSpec) {
    let mut added = Vec::new();
    let mut add = |name: &str, about: &str, schema: Value| {
        added.push(json!({"name": name, "in": "query", "required": false, "description": about, "schema": schema}));
    };
    if !spec.sorts.is_empty() {
        let limit = json!({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT});
        add("limit", "The page size.", limit);
        add(
            "cursor",
            "The `next_cursor` of the previous page.",
            json!({"type": "string"}),
        );
        let sort = json!({"type": "string", "enum": spec.sorts, "default": spec.sorts[0]});
        add("sort", "The order; a leading `-` means descending.", sort);
    }
    for Filter { name, kind, doc } in spec.filters {
        let mut about = (*doc).to_owned();
        if is_masked(name) {
            about.push_str(" Viewers cannot use this filter, because it reveals masked values.");
        }
        let schema = match kind {
            FilterType::Text => json!({"type": "string"}),
            FilterType::TextFrom(least) => json!({"type": "string", "pattern": text_from(*least)}),
            FilterType::PhoneNumber => json!({"type": "string", "pattern": PHONE_NUMBER}),
            FilterType::Choice(choices) => json!({"type": "string", "enum": choices}),
            FilterType::Id => json!({"type": "string", "format": "uuid"}),
            FilterType::Time => json!({"$ref": "#/components/schemas/TimeOrDay"}),
            FilterType::Boolean => json!({"type": "boolean"}),
            FilterType::Number => json!({"type": "integer", "format": "int64"}),
            FilterType::Object => {
                added.push(json!({
                    "name": name, "in": "query", "required": false, "description": about,
                    "content": {"application/json": {"schema": {"type": "object"}}},
                }));
                continue;
            }
        };
        added.push(json!({"name": name, "in": "query", "required": false, "description": about, "schema": schema}));
    }
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.extend(added),
        None => operation["parameters"] = added.into(),
    }
}

/// Returns the pattern of a text with at least this number of characters. Spaces at its ends do not count.
fn text_from(least: usize) -> String {
    format!(r"\S[\s\S]{{{},}}\S", least.saturating_sub(2))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;
    use store::erasures::significant_digits;

    use super::{PHONE_NUMBER, text_from};
    use crate::document::document;
    use crate::list::is_masked;

    /// List parameters that do not reveal masked values.
    const OPEN: [&str; 55] = [
        "archived",
        "effect",
        "learns",
        "address",
        "customer_name",
        "simulated",
        "acknowledged",
        "action",
        "actor",
        "area",
        "author",
        "call_id",
        "capped",
        "cities",
        "code",
        "contact",
        "cursor",
        "days",
        "degraded",
        "error_code",
        "hook",
        "kind",
        "language",
        "late",
        "lifted",
        "limit",
        "meaning",
        "notify",
        "offer",
        "on_call",
        "origin",
        "postal_prefixes",
        "priority",
        "purpose",
        "resolved",
        "resource",
        "retired",
        "revision",
        "revoked",
        "role",
        "rulebook",
        "runs",
        "script",
        "service",
        "services",
        "severity",
        "since",
        "sort",
        "stacking_group",
        "state",
        "status",
        "type",
        "until",
        "unused",
        "answer",
    ];

    #[test]
    fn each_filter_is_open_to_viewers_or_masked() {
        let mut unknown = BTreeSet::new();
        for (path, item) in document()["paths"].as_object().unwrap() {
            if super::at(path).is_none() {
                continue;
            }
            for parameter in item["get"]["parameters"].as_array().unwrap() {
                let name = parameter["name"].as_str().unwrap();
                let is_known = OPEN.contains(&name) || is_masked(name) || name == "change_set";
                if parameter["in"] == "query" && !is_known {
                    unknown.insert(name);
                }
            }
        }
        let what_to_do =
            "add it to OPEN, or to MASKED_FILTERS if a viewer could find out a number, name or address with it";
        assert!(unknown.is_empty(), "{unknown:?}: {what_to_do}");
    }

    #[test]
    fn the_patterns_of_filters_accept_what_the_filters_accept() {
        let accepts = |pattern: &str, text: &str| {
            let validator = jsonschema::validator_for(&json!({"pattern": pattern})).unwrap();
            validator.is_valid(&json!(text))
        };
        for text in [
            "", "ab", "abc", "  ", "   ", " a ", "  ab  ", " abc ", "a c", "a\nc", "éàü",
        ] {
            let is_long = text.trim().chars().count() >= 3;
            assert_eq!(accepts(&text_from(3), text), is_long, "{text:?}");
        }
        for text in [
            "",
            "555-0100",
            "(514) 555-0100",
            "+1 514 555 0100",
            "5550",
            "1234567890123456",
            "n° 555.0100",
        ] {
            let is_number = significant_digits(text).is_some();
            assert_eq!(accepts(PHONE_NUMBER, text), is_number, "{text:?}");
        }
    }
}
