//! Converts the validation errors of a body to messages. A message has a JSON pointer, says what was expected, and may
//! suggest a similar name.
//!
//! A message may repeat a name that the client sent, but never a value, because a value may be a caller's data.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::validate::DOCUMENT;
use crate::api_document::document;
use crate::state::shortened;
use rules::fault::{escaped, unescaped};
use rules::suggestion::did_you_mean;
use web::problem::FieldFault;

/// Maximum number of permitted names that a message lists. If there are more names, the message gives only their
/// number.
const MAX_LISTED_NAMES: usize = 20;

/// Maximum length of a pattern in a message. An example helps people more than a longer pattern.
const LONGEST_PATTERN: usize = 40;

/// Converts one error of the validator to the errors that the response reports.
pub fn faults_of(root: &'static Value, error: &ValidationError<'_>) -> Vec<FieldFault> {
    let at = error.instance_path.to_string();
    let schema = schema_of(root, error.schema_path.as_str());
    let name = name_of(&at);
    let one = |code: &str, detail: String| vec![FieldFault::new(at.clone(), code, detail)];
    match &error.kind {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let known = || {
                schema
                    .and_then(|schema| schema["properties"].as_object())
                    .into_iter()
                    .flatten()
            };
            let unknown = |field: &String| {
                let hint = nearest(field, known().map(|(name, _)| name.as_str()));
                let detail = format!("There is no field `{}` here{hint}", shortened(field));
                FieldFault::new(format!("{at}/{}", escaped(field)), "unknown_field", detail)
            };
            unexpected.iter().map(unknown).collect()
        }
        Kind::Required { property } => {
            let field = property.as_str().unwrap_or_default();
            let about = schema.and_then(|schema| schema["properties"][field]["description"].as_str());
            let about = about.map(|about| format!(" {about}")).unwrap_or_default();
            let detail = format!("The field `{field}` is missing.{about}");
            vec![FieldFault::new(
                format!("{at}/{}", escaped(field)),
                "missing_field",
                detail,
            )]
        }
        // The schema permits only null if another field excludes this field.
        Kind::FalseSchema
        | Kind::Type {
            kind: TypeKind::Single(JsonType::Null),
        } => {
            let about = "excludes other fields of this body; omit one of them";
            one("contradiction", format!("{name} {about}."))
        }
        Kind::Type { kind } => {
            let detail = format!(
                "{name} must be {}{}{}.",
                wanted(kind),
                example(schema),
                instead(&error.instance)
            );
            one("wrong_type", detail)
        }
        Kind::Enum { options } => {
            let options = words(options);
            one("not_in_list", not_in_list(&name, error.instance.as_str(), &options))
        }
        Kind::Constant { expected_value } => one("not_in_list", format!("{name} must be `{}`.", plain(expected_value))),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            // For a nullable field, report only the errors of the branch that does not permit null.
            let mut branches = context.iter().filter(|branch| !asks_for_null(branch));
            match (branches.next(), branches.next()) {
                (Some(branch), None) => branch.iter().flat_map(|error| faults_of(root, error)).collect(),
                _ => one("invalid_value", format!("{name} matches none of its permitted forms.")),
            }
        }
        Kind::PropertyNames { error: inner } => {
            let key = inner.instance.as_str().unwrap_or_default();
            let detail = match &inner.kind {
                Kind::Enum { options } => {
                    let options = words(options);
                    not_in_list(&format!("A name in {name}"), Some(key), &options)
                }
                Kind::Pattern { pattern } => format!("A name in {name} must match the pattern `{pattern}`."),
                _ => format!("`{}` is not a valid name for {name}.", shortened(key)),
            };
            vec![FieldFault::new(format!("{at}/{}", escaped(key)), "not_in_list", detail)]
        }
        kind => {
            let (code, expected) = limit(kind, schema);
            one(code, format!("{name} {expected}{}.", example(schema)))
        }
    }
}

/// Returns the error code and the requirement of the schema keyword that failed.
fn limit(kind: &Kind, schema: Option<&Value>) -> (&'static str, String) {
    let other = |keyword: &str| schema.map(|schema| &schema[keyword]).filter(|limit| limit.is_number());
    let range = |from: Option<&Value>, to: Option<&Value>| match (from, to) {
        (Some(from), Some(to)) => format!("from {from} to {to}"),
        (Some(from), None) => format!("at least {from}"),
        (_, Some(to)) => format!("at most {to}"),
        (None, None) => "within its limits".to_owned(),
    };
    let number = || format!("must be {}", range(other("minimum"), other("maximum")));
    let length = || format!("must have {} characters", range(other("minLength"), other("maxLength")));
    let items = || format!("must have {} entries", range(other("minItems"), other("maxItems")));
    let fields = || {
        format!(
            "must have {} fields",
            range(other("minProperties"), other("maxProperties"))
        )
    };
    match kind {
        Kind::Minimum { .. } | Kind::ExclusiveMinimum { .. } => ("too_small", number()),
        Kind::Maximum { .. } | Kind::ExclusiveMaximum { .. } => ("too_large", number()),
        Kind::MinLength { .. } => ("too_short", length()),
        Kind::MaxLength { .. } => ("too_long", length()),
        Kind::MinItems { .. } => ("too_few", items()),
        Kind::MaxItems { .. } => ("too_many", items()),
        Kind::MinProperties { .. } => ("too_few", fields()),
        Kind::MaxProperties { .. } => ("too_many", fields()),
        Kind::UniqueItems => ("repeated", "must not contain the same entry twice".to_owned()),
        Kind::Pattern { .. } => ("bad_format", written(schema)),
        Kind::Format { format } => ("bad_format", format!("must be {}", form(format))),
        _ => ("invalid_value", "does not match the OpenAPI document".to_owned()),
    }
}

/// Describes the required form of a string, without an example. The pattern comes from the schema, because
/// the validator reports a modified pattern.
fn written(schema: Option<&Value>) -> String {
    match schema.and_then(|schema| schema["pattern"].as_str()) {
        Some(r"\S") => "must not be blank".to_owned(),
        Some(pattern) if pattern.len() <= LONGEST_PATTERN => format!("must match the pattern `{pattern}`"),
        _ => "must have another form".to_owned(),
    }
}

fn form(format: &str) -> &str {
    match format {
        "date-time" => "an instant with its offset, such as `2026-05-01T08:00:00-04:00`",
        "date" => "a date, such as `2026-12-24`",
        "uuid" => "a UUID, such as `0199f0c2-7a4e-7c3b-9a53-2f1d8f0b6c11`",
        other => other,
    }
}

fn wanted(kind: &TypeKind) -> String {
    let name = |kind: JsonType| match kind {
        JsonType::Array => "a list",
        JsonType::Boolean => "`true` or `false`",
        JsonType::Integer => "a whole number",
        JsonType::Null => "null",
        JsonType::Number => "a number",
        JsonType::Object => "an object",
        JsonType::String => "a string",
    };
    match kind {
        TypeKind::Single(kind) => name(*kind).to_owned(),
        TypeKind::Multiple(kinds) => {
            let but_for_null = kinds.iter().filter(|kind| *kind != JsonType::Null);
            but_for_null.map(name).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn words(options: &Value) -> Vec<&str> {
    options
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn instead(value: &Value) -> &'static str {
    match value {
        Value::Null => ", not null; omit it if it has no value",
        Value::Bool(_) => ", not a boolean",
        Value::Number(number) if number.is_f64() => ", not a number with a fraction",
        Value::Number(_) => ", not a number",
        Value::String(_) => ", not a string",
        Value::Array(_) => ", not a list",
        Value::Object(_) => ", not an object",
    }
}

fn not_in_list(name: &str, given: Option<&str>, options: &[&str]) -> String {
    let hint = nearest(given.unwrap_or_default(), options.iter().copied());
    if options.len() > MAX_LISTED_NAMES {
        return format!("{name} is none of the {} known values{hint}", options.len());
    }
    format!("{name} must be one of `{}`{hint}", options.join("`, `"))
}

/// Returns the end of a sentence: a similar name if there is one, else a full stop.
fn nearest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> String {
    let hint = did_you_mean(&shortened(given), names);
    if hint.is_empty() { ".".to_owned() } else { hint }
}

fn example(schema: Option<&Value>) -> String {
    let example = schema
        .map(|schema| &schema["examples"][0])
        .filter(|example| !example.is_null());
    example
        .map(|example| format!(", such as `{}`", plain(example)))
        .unwrap_or_default()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn name_of(pointer: &str) -> String {
    let last = pointer.rsplit('/').find(|part| part.parse::<usize>().is_err());
    let name = unescaped(last.unwrap_or_default());
    if pointer.is_empty() || name.is_empty() {
        return "The body".to_owned();
    }
    let entry = if pointer.ends_with(|c: char| c.is_ascii_digit()) && !pointer.ends_with(name.as_ref()) {
        "An entry of "
    } else {
        ""
    };
    format!("{entry}`{}`", shortened(&name))
}

fn asks_for_null(branch: &[ValidationError<'static>]) -> bool {
    let null = |fault: &ValidationError<'_>| {
        matches!(
            &fault.kind,
            Kind::Type {
                kind: TypeKind::Single(JsonType::Null)
            }
        )
    };
    branch.len() == 1 && branch.iter().all(null)
}

/// Finds the schema that contains the keyword at this path. The paths of the validator contain the `$ref`s that it
/// followed.
fn schema_of(root: &'static Value, path: &str) -> Option<&'static Value> {
    let mut schema = root;
    // The validator of a body has a `$ref` as its root, so its paths begin with `/$ref`.
    let path = if root["$ref"].is_null() {
        path.strip_prefix("/$ref").unwrap_or(path)
    } else {
        path
    };
    let (parents, _keyword) = path.rsplit_once('/')?;
    for part in parents.split('/').skip(1) {
        let part = unescaped(part);
        schema = if part == "$ref" {
            let target = schema["$ref"].as_str()?;
            document().pointer(target.strip_prefix(DOCUMENT).unwrap_or(target).strip_prefix('#')?)?
        } else if let Ok(index) = part.parse::<usize>()
            && schema.is_array()
        {
            schema.get(index)?
        } else {
            schema.get(part.as_ref())?
        };
    }
    Some(schema)
}
