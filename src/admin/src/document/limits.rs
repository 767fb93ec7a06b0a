//! Adds limits that the Rust types of the fields do not express.
//!
//! Bodies are validated against the document, so these limits are enforced. A schema cannot express a limit that
//! depends on other rows or on the clock.

use serde_json::{Value, json};

use super::schemas::{Schemas, rows};
use rules::calendar::DAYS;
use store::secrets::WEBHOOK_LENGTH;

/// Whether an optional field must not be `null`. Such a field belongs to a mutually exclusive group, or to the webhook
/// settings, where Vapi's default replaces an omitted field.
pub fn never_null(schema: &str, field: &str) -> bool {
    match schema {
        "WebhookAuth" | "WebhookScheme" => field != "message_id_header",
        "NewErasure" => true,
        "EvaluateRequest" => ["facts", "message"].contains(&field),
        "NewBacktest" => ["change_set", "changes", "revision", "from", "days"].contains(&field),
        _ => false,
    }
}

/// The largest integer that every JSON parser represents exactly.
const WHOLE: i64 = 9_007_199_254_740_991;
const CODE: &str = "^[a-z][a-z0-9_]{0,63}$";
const TOOL: &str = "^[A-Za-z][A-Za-z0-9_]{0,63}$";
const IN_PATHS: &str = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$";
const CLOCK: &str = "^(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)$";
const HOURS: &str = "^(?:[01][0-9]|2[0-3]):[0-5][0-9]-(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)$";
const WALL_TIME: &str = "^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]$";
/// 8 to 15 digits, in any notation.
pub const PHONE_NUMBER: &str = "^[^0-9]*(?:[0-9][^0-9]*){8,15}$";
const POINTER: &str = "^/(?:[^~]|~[01])+$";
const HEADER: &str = "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$";
const NO_CONTROL: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";
const PLAIN_NAME: &str =
    "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$";
const TRIMMED: &str =
    "^[^\\s\\u0000-\\u001f\\u007f-\\u009f](?:[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f])?$";

/// Adds the limits to the schemas.
pub fn add(schemas: &mut Schemas) {
    for name in rows() {
        let (pattern, example) = if name == "Tool" {
            (TOOL, "quoteJob")
        } else {
            (CODE, "camera_inspection")
        };
        put(schemas, name, "code", &like(pattern, example));
        put(schemas, name, "version", &whole(0, WHOLE));
        if schemas
            .get(name)
            .is_some_and(|schema| schema["properties"]["rank"].is_object())
        {
            put(schemas, name, "rank", &whole(-WHOLE, WHOLE));
        }
    }
    for (schema, field, limit) in of_rows().into_iter().chain(of_requests()) {
        put(schemas, schema, field, &limit);
    }
    for (schema, conditions) in between_fields() {
        if let Some(schema) = schemas.get_mut(schema) {
            merge(schema, &conditions);
        }
    }
}

pub(super) fn of_rows() -> Vec<(&'static str, &'static str, Value)> {
    let (year, week) = (31_536_000, 604_800);
    vec![
        (
            "Settings",
            "code",
            json!({"pattern": "^settings$", "examples": ["settings"]}),
        ),
        ("Settings", "currency", like("^[A-Z]{3}$", "CAD")),
        (
            "Settings",
            "time_zone",
            json!({"maxLength": 64, "examples": ["America/Toronto"]}),
        ),
        ("Settings", "region", like("^[A-Z]{2}$", "CA")),
        (
            "Settings",
            "languages",
            json!({"minItems": 1, "items": like("^[a-z]{2,3}$", "fr")}),
        ),
        (
            "Settings",
            "rounding_step",
            like(r"^[0-9]{1,10}(\.[0-9]{1,2})?$", "5.00"),
        ),
        ("Settings", "default_sla_seconds", whole(0, year)),
        ("Settings", "rotation_from", like(WALL_TIME, "2026-11-23T08:00")),
        ("Settings", "quiet_from", like(CLOCK, "21:00")),
        ("Settings", "quiet_until", like(CLOCK, "07:00")),
        ("Settings", "daily_sms_cap", whole(1, 1_000_000)),
        ("Settings", "escalate_after_s", whole(0, week)),
        ("Service", "lead_days_min", whole(0, 730)),
        ("Service", "lead_days_max", whole(0, 730)),
        (
            "Area",
            "postal_prefixes",
            json!({"items": like("^[A-Za-z0-9]{1,16}$", "J4")}),
        ),
        ("PriorityRule", "sla_seconds", whole(0, year)),
        ("PriorityRule", "cool_down_s", whole(0, week)),
        ("PriorityRule", "escalate_after_s", whole(0, week)),
        // The pattern permits a masked number, because viewers read masked numbers. The compiler rejects a masked
        // number in a write.
        (
            "Contact",
            "phone",
            like(
                r"^(\+[1-9][0-9]{7,14}|\+[1-9][0-9]{1,3}\*{3}[0-9]{4}|\*{3})$",
                "+15145550100",
            ),
        ),
        ("Contact", "rotation_week", whole(1, 52)),
        ("Contact", "rotation_of", whole(1, 52)),
        ("ShiftOverride", "contact", like(CODE, "second")),
        (
            "ShiftOverride",
            "instead_of",
            json!({"pattern": CODE, "examples": ["on_call"]}),
        ),
        ("ShiftOverride", "from", like(WALL_TIME, "2026-12-24T17:00")),
        ("ShiftOverride", "until", like(WALL_TIME, "2026-12-27T08:00")),
        ("ShiftOverride", "comment", json!({"maxLength": 500})),
        (
            "Template",
            "texts",
            json!({"minProperties": 1, "additionalProperties": {"minLength": 1, "maxLength": 1000}}),
        ),
        (
            "FactMapping",
            "pointers",
            json!({"items": like(POINTER, "/analysis/structuredData/service")}),
        ),
        (
            "Calendar",
            "open",
            json!({"propertyNames": {"enum": DAYS}, "additionalProperties": {"items": like(HOURS, "08:00-12:00")}}),
        ),
        ("Calendar", "weekend", json!({"items": {"enum": DAYS}})),
        ("Calendar", "evening_from", like(CLOCK, "18:00")),
        ("Calendar", "evening_until", like(CLOCK, "22:00")),
        ("HolidayRule", "on", json!({"examples": ["12-25"]})),
        ("SpecialDay", "on", json!({"examples": ["2026-12-24"]})),
        ("SpecialDay", "open", json!({"items": like(HOURS, "08:00-12:00")})),
        (
            "Case",
            "expect",
            json!({"minProperties": 1, "propertyNames": {"pattern": POINTER}}),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table, a line for each field")]
pub(super) fn of_requests() -> Vec<(&'static str, &'static str, Value)> {
    let days = 3_650;
    vec![
        ("NewRulebook", "code", like(IN_PATHS, "north-shore")),
        (
            "NewRulebook",
            "copy_of",
            json!({"pattern": IN_PATHS, "examples": ["south-shore"]}),
        ),
        ("NewRulebook", "name", display_name()),
        ("RulebookProfile", "code", like(IN_PATHS, "north-shore")),
        ("RulebookProfile", "name", display_name()),
        ("RulebookProfile", "version", whole(0, WHOLE)),
        ("NewChange", "code", like(IN_PATHS, "camera_inspection")),
        ("NewChange", "version", whole(0, WHOLE)),
        (
            "PublishRequest",
            "at",
            json!({
                "pattern": r"^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}\S*\s*$", "maxLength": 64,
                "examples": ["2026-05-01T08:00"],
            }),
        ),
        (
            "EvaluateRequest",
            "message",
            json!({
                "type": "object", "required": ["message"],
                "properties": {"message": {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}}},
            }),
        ),
        ("ScriptTest", "source", json!({"maxLength": 32_768})),
        ("ScriptTest", "args", json!({"type": ["object", "null"]})),
        ("TestPriority", "sla_seconds", whole(0, 31_536_000)),
        ("NewBacktest", "revision", whole(1, WHOLE)),
        ("NewBacktest", "days", whole(1, days)),
        ("NewBacktest", "limit", whole(1, WHOLE)),
        ("NewCase", "code", like(CODE, "as_on_the_phone")),
        ("NewCase", "comment", json!({"maxLength": 500})),
        ("NewCase", "change_set_version", whole(0, WHOLE)),
        (
            "NewErasure",
            "customer_number",
            json!({
                "pattern": PHONE_NUMBER, "maxLength": 64, "examples": ["+15145550100"],
            }),
        ),
        (
            "NewFeedback",
            "service",
            json!({"maxLength": 64, "examples": ["camera_inspection"]}),
        ),
        ("NewFeedback", "total", like(r"^[0-9]{1,10}(\.[0-9]{1,2})?$", "402.41")),
        ("NewFeedbackCase", "code", like(CODE, "as_it_should_have_been")),
        ("NewFeedbackCase", "comment", json!({"maxLength": 500})),
        ("NewFeedbackCase", "said", json!({"maxLength": 20_000})),
        ("NewFeedbackCase", "change_set_version", whole(0, WHOLE)),
        (
            "PhrasesToTry",
            "phrases",
            json!({"items": {"minLength": 1, "maxLength": 200}}),
        ),
        (
            "PhrasesToTry",
            "language",
            json!({"pattern": "^[a-z]{2,3}$", "examples": ["fr"]}),
        ),
        ("PhrasesToTry", "days", whole(1, 400)),
        ("NewErasure", "call_id", json!({"minLength": 1, "maxLength": 255})),
        ("NewSecret", "value", json!({"pattern": TRIMMED})),
        ("NewApiKey", "name", json!({"pattern": PLAIN_NAME})),
        ("NewCalendarFeed", "name", json!({"pattern": PLAIN_NAME})),
        (
            "NewCalendarFeed",
            "contact",
            json!({"pattern": CODE, "examples": ["on_call"]}),
        ),
        ("NewApiKey", "rulebook", like(IN_PATHS, "default")),
        ("Taking", "contact", json!({"maxLength": 64})),
        ("Taking", "by", json!({"pattern": r"\S"})),
        ("ReplayFilter", "rulebook", like(IN_PATHS, "default")),
        (
            "ReplayFilter",
            "state",
            json!({"enum": ["recorded", "amendment", "unreadable", "poisoned"]}),
        ),
        ("ResendMany", "rulebook", like(IN_PATHS, "default")),
        ("ResendMany", "error_code", whole(0, 1_000_000)),
        ("ResendMany", "limit", whole(1, 200)),
        (
            "GuardRails",
            "lowest_price",
            like(r"^[0-9]{1,10}(\.[0-9]{1,2})?$", "50.00"),
        ),
        (
            "GuardRails",
            "highest_price",
            like(r"^[0-9]{1,10}(\.[0-9]{1,2})?$", "5000.00"),
        ),
        (
            "GuardRails",
            "largest_change_percent",
            like(r"^(?:[0-9]{1,6}(\.[0-9]{1,6})?|1000000(\.0{1,6})?)$", "25"),
        ),
        ("GuardRails", "version", whole(0, WHOLE)),
        ("Retention", "version", whole(0, WHOLE)),
        ("SmsDelivery", "version", whole(0, WHOLE)),
        ("WebhookAuth", "version", whole(0, WHOLE)),
        ("WebhookScheme", "signature_header", like(HEADER, "x-signature")),
        ("WebhookScheme", "timestamp_header", like(HEADER, "x-timestamp")),
        ("WebhookScheme", "message_id_header", like(HEADER, "svix-id")),
        ("WebhookScheme", "header", like(HEADER, "authorization")),
        (
            "WebhookScheme",
            "payload_format",
            json!({
                "pattern": r"\{body\}", "maxLength": 500, "examples": ["{timestamp}.{body}"],
            }),
        ),
        (
            "WebhookScheme",
            "signature_prefix",
            json!({"pattern": NO_CONTROL, "maxLength": 100, "examples": ["sha256="]}),
        ),
    ]
}

/// Returns limits that concern several fields of a schema.
pub(super) fn between_fields() -> Vec<(&'static str, Value)> {
    const OF_HMAC: [&str; 9] = [
        "algorithm",
        "signature_header",
        "timestamp_header",
        "include_timestamp",
        "payload_format",
        "message_id_header",
        "signature_prefix",
        "signature_encoding",
        "secret_is_base64",
    ];
    const OF_BEARER: [&str; 2] = ["header", "prefix"];
    let none = |fields: &[&str]| {
        let fields: serde_json::Map<_, _> = fields.iter().map(|field| ((*field).to_owned(), false.into())).collect();
        json!({"properties": fields})
    };
    let is = |field: &str, value: Value| json!({"properties": {field: {"const": value}}, "required": [field]});
    let signed_time = json!({
        "if": is("include_timestamp", false.into()),
        "else": {"properties": {"payload_format": {"pattern": r"\{timestamp\}", "examples": ["{timestamp}.{body}"]}}},
    });
    let mut of_hmac = none(&OF_BEARER);
    merge(&mut of_hmac, &signed_time);
    let schemes = json!({
        "if": is("type", "hmac".into()),
        "then": of_hmac,
        "else": {
            "if": is("type", "bearer".into()),
            "then": none(&OF_HMAC),
            "else": none(&[&OF_HMAC[..], &OF_BEARER[..]].concat()),
        },
    });
    let mut tests = one_of(&["change_set", "changes", "revision"]);
    tests["dependentSchemas"]["from"] = none(&["days"]);
    vec![
        ("WebhookScheme", schemes),
        ("NewErasure", one_of(&["customer_number", "call_id"])),
        ("EvaluateRequest", one_of(&["facts", "message"])),
        ("NewBacktest", tests),
        (
            "NewSecret",
            json!({
                "if": is("purpose", "webhook".into()),
                "then": {"properties": {"value": {"minLength": WEBHOOK_LENGTH, "maxLength": 500}}},
            }),
        ),
        (
            "Taking",
            json!({
                "if": {"properties": {"contact": {"type": "string"}}, "required": ["contact"]},
                "then": {"properties": {"by": {"type": "null"}}},
            }),
        ),
    ]
}

/// Requires exactly one of these fields. The schema avoids `oneOf`, so that generated clients see a single object type.
fn one_of(fields: &[&str]) -> Value {
    let mut dependent = serde_json::Map::new();
    for (number, field) in fields.iter().enumerate() {
        let others = fields
            .iter()
            .skip(number + 1)
            .map(|other| ((*other).to_owned(), Value::from(false)));
        let others: serde_json::Map<_, _> = others.collect();
        if !others.is_empty() {
            dependent.insert((*field).to_owned(), json!({"properties": others}));
        }
    }
    let absent: serde_json::Map<_, _> = fields.iter().map(|field| ((*field).to_owned(), false.into())).collect();
    let first = fields.first().copied().unwrap_or_default();
    // Linters expect each property of `required` in `properties` too, even without limits.
    let needed = json!({"properties": {first: {}}, "required": [first]});
    json!({"dependentSchemas": dependent, "if": {"properties": absent}, "then": needed})
}

fn whole(from: i64, to: i64) -> Value {
    json!({"minimum": from, "maximum": to})
}

/// The schema of a rulebook's display name, which may be null.
fn display_name() -> Value {
    json!({"pattern": PLAIN_NAME, "maxLength": 100, "examples": ["Pomp Plumbing"]})
}

fn like(pattern: &str, example: &str) -> Value {
    json!({"type": "string", "pattern": pattern, "examples": [example]})
}

fn put(schemas: &mut Schemas, schema: &str, field: &str, limit: &Value) {
    if let Some(field) = schemas
        .get_mut(schema)
        .and_then(|schema| schema["properties"].get_mut(field))
    {
        merge(field, limit);
    }
}

/// Merges `from` into `into`: objects are merged recursively, and any other value is replaced.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
