//! Masks phone numbers for callers who may not read them.
//!
//! Each operation masks the fields that contain numbers. [`answer`] masks every response again, so that a forgotten
//! field cannot leak a number. Ids, codes and counts stay unmasked only where the OpenAPI document's schemas declare
//! them. In a caller's data, fields with the same names are masked.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, NaiveDate};
use poem::{Body, IntoResponse as _, Response};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::api_document::{document, resolved};
use super::auth::Caller;
use base::telemetry::{mask_phone, scrub};
use web::problem::{Problem, payload};

/// Schema properties that clients use for lookups: their digits must not change.
const LOOKUP_PROPERTIES: [&str; 8] = [
    "id",
    "code",
    "rulebook",
    "next_cursor",
    "prefix",
    "mac",
    "request_id",
    "type",
];
/// Spreadsheet columns that clients use for lookups: their digits must not change.
const LOOKUP_COLUMNS: [&str; 2] = ["code", "version"];
/// Maximum depth of nested `allOf`, `anyOf` and `oneOf`.
const MAX_ALTERNATIVES_DEPTH: usize = 6;
/// A list of at least this many single digits may be a spelled-out phone number.
const MIN_SPELLED_DIGITS: usize = 7;

/// Whether numbers are masked in the response to a request. This is known once the request's key is read.
#[derive(Debug, Clone, Default)]
pub struct HideNumbers(Arc<OnceLock<bool>>);

impl HideNumbers {
    /// Records the API caller, once the key is read.
    pub fn note(&self, caller: &Caller) {
        self.0.get_or_init(|| caller.is_masked());
    }

    /// Whether phone numbers are masked for the API caller.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.get().copied().unwrap_or_default()
    }
}

/// Marks a response that is already masked.
#[derive(Debug, Clone, Copy)]
pub struct AlreadyMasked;

/// Masks a phone number, if this API caller may not see it.
#[must_use]
pub fn number(caller: &Caller, number: Option<String>) -> Option<String> {
    number.map(|number| {
        if caller.is_masked() {
            mask_phone(&number)
        } else {
            number
        }
    })
}

/// Masks spoken and written numbers in a string, if this API caller may not see them.
#[must_use]
pub fn text(caller: &Caller, text: Option<String>) -> Option<String> {
    text.map(|text| if caller.is_masked() { scrub(&text) } else { text })
}

/// Masks spoken and written numbers in JSON without a schema, if this API caller may not see them.
#[must_use]
pub fn json(caller: &Caller, value: Value) -> Value {
    if caller.is_masked() {
        hidden(value, &ResponsePlace::free())
    } else {
        value
    }
}

/// Masks spoken and written numbers in a value that has a schema in the OpenAPI document, if this API caller may not
/// see them.
#[must_use]
pub fn typed(caller: &Caller, schema: &str, value: Value) -> Value {
    if caller.is_masked() {
        hidden(value, &ResponsePlace::of(&document()["components"]["schemas"][schema]))
    } else {
        value
    }
}

/// Masks a whole response, if needed. This includes problems, which may contain rows. `schema` is the OpenAPI
/// document's schema of the response. Operations that respond with another media type or an event stream mask numbers
/// themselves.
pub async fn answer(hide: &HideNumbers, schema: Option<&'static Value>, mut response: Response) -> Response {
    let kind = response.content_type().unwrap_or_default().to_owned();
    let is_problem = kind.starts_with(payload::MEDIA_TYPE);
    let is_json = kind.starts_with("application/json") || is_problem;
    let is_text = kind.starts_with("text/") && !kind.starts_with("text/event-stream");
    if !hide.is_on() || !(is_json || is_text) || response.data::<AlreadyMasked>().is_some() {
        return response;
    }
    let text = match response.take_body().into_string().await {
        Ok(text) => text,
        Err(error) => return Problem::internal(&error).into_response(),
    };
    let text = if is_json {
        let place = match schema {
            _ if is_problem => ResponsePlace::of(&document()["components"]["schemas"]["Problem"]),
            Some(schema) => ResponsePlace::of(schema),
            None => ResponsePlace::free(),
        };
        match serde_json::from_str(&text) {
            Ok(value) => hidden(value, &place).to_string(),
            Err(error) => return Problem::internal(&error).into_response(),
        }
    } else if kind.starts_with("text/csv") {
        sheet(&text).unwrap_or_else(|| scrub(&text))
    } else {
        scrub(&text)
    };
    response.set_body(Body::from_string(text));
    response
}

/// Masks a spreadsheet cell by cell, because two adjacent prices are not a phone number. Returns `None` if the text
/// cannot be parsed.
fn sheet(text: &str) -> Option<String> {
    let (mark, rows) = match text.strip_prefix('\u{feff}') {
        Some(rows) => ("\u{feff}", rows),
        None => ("", text),
    };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(rows.as_bytes());
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let mut heads: Vec<String> = Vec::new();
    for row in reader.records() {
        let row = row.ok()?;
        let is_head = heads.is_empty();
        if is_head {
            heads = row.iter().map(str::to_owned).collect();
        }
        let cells = row.iter().zip(&heads).map(|(cell, head)| {
            let stays = !is_head && LOOKUP_COLUMNS.contains(&head.as_str());
            if stays { cell.to_owned() } else { scrub(cell) }
        });
        writer.write_record(cells).ok()?;
    }
    let text = String::from_utf8(writer.into_inner().ok()?).ok()?;
    Some(format!("{mark}{text}"))
}

/// The schemas that apply at a path in a response.
#[derive(Debug, Default)]
struct ResponsePlace {
    /// All schemas that may apply.
    schemas: Vec<&'static Value>,
    /// The property name that a schema declares; `None` if a caller or an owner may have chosen the name.
    declared: Option<String>,
}

impl ResponsePlace {
    const fn free() -> Self {
        Self {
            schemas: Vec::new(),
            declared: None,
        }
    }

    fn of(schema: &'static Value) -> Self {
        let mut place = Self::free();
        place.add(schema, 0);
        place
    }

    fn add(&mut self, schema: &'static Value, depth: usize) {
        let schema = resolved(schema);
        if depth > MAX_ALTERNATIVES_DEPTH || schema.is_null() {
            return;
        }
        self.schemas.push(schema);
        for alternatives in ["allOf", "anyOf", "oneOf"] {
            for one in schema[alternatives].as_array().into_iter().flatten() {
                self.add(one, depth + 1);
            }
        }
    }

    fn property(&self, name: &str) -> Self {
        let mut place = Self::free();
        for schema in &self.schemas {
            if let Some(property) = schema["properties"].get(name) {
                place.add(property, 0);
                place.declared = Some(name.to_owned());
            }
        }
        if place.declared.is_none() {
            for schema in &self.schemas {
                place.add(&schema["additionalProperties"], 0);
            }
        }
        place
    }

    fn item(&self) -> Self {
        let mut place = Self {
            declared: self.declared.clone(),
            ..Self::free()
        };
        for schema in &self.schemas {
            place.add(&schema["items"], 0);
        }
        place
    }

    fn keeps_text(&self, text: &str) -> bool {
        let is_lookup = |name: &str| LOOKUP_PROPERTIES.contains(&name) || name.ends_with("_id");
        let has_form = |schema: &&Value| match schema["format"].as_str() {
            Some("uuid") => Uuid::parse_str(text).is_ok(),
            Some("date-time") => DateTime::parse_from_rfc3339(text).is_ok(),
            Some("date") => text.parse::<NaiveDate>().is_ok(),
            _ => schema["enum"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one == text)),
        };
        self.declared.as_deref().is_some_and(is_lookup) || self.schemas.iter().any(has_form)
    }

    /// Whether a number at this place stays unmasked, such as a count, a duration or a revision number.
    fn keeps_number(&self) -> bool {
        let is_number = |kind: &Value| kind == "integer" || kind == "number";
        let only_number = |schema: &&Value| match &schema["type"] {
            Value::Array(kinds) => kinds.iter().all(|kind| is_number(kind) || kind == "null"),
            kind => is_number(kind),
        };
        self.declared.is_some() && self.schemas.first().is_some_and(only_number)
    }
}

fn hidden(value: Value, place: &ResponsePlace) -> Value {
    match value {
        Value::String(text) if place.keeps_text(&text) => Value::String(text),
        Value::String(text) => Value::String(scrub(&text)),
        Value::Number(number) if place.keeps_number() => Value::Number(number),
        Value::Number(number) => {
            let text = number.to_string();
            let masked = scrub(&text);
            if masked == text {
                Value::Number(number)
            } else {
                Value::String(masked)
            }
        }
        Value::Array(values) if is_spelled(&values) => values.iter().map(|_| Value::from("***")).collect(),
        Value::Array(values) => {
            let item = place.item();
            values.into_iter().map(|value| hidden(value, &item)).collect()
        }
        Value::Object(object) => Value::Object(members(object, place)),
        other => other,
    }
}

fn members(object: Map<String, Value>, place: &ResponsePlace) -> Map<String, Value> {
    let mut names = HashSet::new();
    let members = object.into_iter().map(|(name, value)| {
        let member = place.property(&name);
        let shown = if member.declared.is_some() { name } else { scrub(&name) };
        // Two names may be equal once their numbers are masked.
        let mut unique = shown.clone();
        let mut count = 1;
        while !names.insert(unique.clone()) {
            count += 1;
            unique = format!("{shown} ({count})");
        }
        (unique, hidden(value, &member))
    });
    members.collect()
}

/// Whether a list may be a phone number with one digit per item.
fn is_spelled(values: &[Value]) -> bool {
    let is_digit = |value: &Value| match value {
        Value::String(text) => text.trim().chars().count() == 1 && text.trim().chars().all(char::is_numeric),
        Value::Number(number) => number.as_u64().is_some_and(|number| number < 10),
        _ => false,
    };
    values.len() >= MIN_SPELLED_DIGITS && values.iter().all(is_digit)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_problem_hides_the_numbers_of_the_rows_that_it_shows() {
        let hide = HideNumbers(Arc::new(OnceLock::from(true)));
        let row = json!({"resource": "contacts", "current": {"phone": "+15145550101"}});
        let problem = Problem::new(web::problem::Code::StaleVersion, "Rows were changed.").with_conflicts(vec![row]);
        let shown = answer(&hide, None, problem.into_response())
            .await
            .into_body()
            .into_string()
            .await
            .unwrap();
        assert!(!shown.contains("5145550101") && shown.contains("0101"), "{shown}");
    }

    #[test]
    fn names_inside_a_callers_data_keep_nothing() {
        let seen = hidden(
            json!({
                "customer_id": "5145550101", "code": "5145550102", "type": "+1 514 555 0103", "id": "514/555/0104",
                "timestamp": 1_514_555_010, "at": 1_514_555_010_600_i64, "fraction": 5_145_550_105.5,
                "5145550106": true, "5149990107": 1, "514_555_0107": 2, "spelled": [5, 1, 4, 5, 5, 5, 0, 1, 0, 8],
                "phone": 5_145_550_109_i64, "list": ["514\u{a0}555\u{2013}0110"],
                "set": "01937c4e-6f00-7000-8000-000000000001", "price": "350.00", "prices": "350.00-1000.00", "count": 12,
            }),
            &ResponsePlace::free(),
        );
        assert_eq!(
            seen,
            json!({
                "customer_id": "514***0101", "code": "514***0102", "type": "+1514***0103", "id": "514***0104",
                "timestamp": "151***5010", "at": "1514***0600", "fraction": "5145***1055",
                "514***0106": true, "514***0107": 1, "514***0107 (2)": 2, "spelled": vec!["***"; 10],
                "phone": "514***0109", "list": ["514***0110"],
                "set": "01937c4e-6f00-7000-8000-000000000001", "price": "350.00", "prices": "350.00-1000.00", "count": 12,
            })
        );
    }

    #[test]
    fn what_schemas_declare_is_kept_at_their_places_alone() {
        let schemas = &document()["components"]["schemas"];
        let call = ResponsePlace::of(&schemas["Call"]);
        let seen = hidden(
            json!({
                "id": "c-123456789012", "cost_micros": 123_456_789, "quote_decision_id": "01937c4e-6f00-7000-8000-000000000001",
                "first_seen_at": "2026-05-04T15:00:00.123456Z", "customer_number": "+15145550101",
                "analysis": {"id": "c-123456789012", "cost_micros": 123_456_789},
            }),
            &call,
        );
        assert_eq!(
            seen,
            json!({
                "id": "c-123456789012", "cost_micros": 123_456_789, "quote_decision_id": "01937c4e-6f00-7000-8000-000000000001",
                "first_seen_at": "2026-05-04T15:00:00.123456Z", "customer_number": "+1514***0101",
                "analysis": {"id": "c-1234***9012", "cost_micros": "12***6789"},
            })
        );
    }

    #[test]
    fn cells_beside_each_other_are_no_number() {
        let text = "\u{feff}code,price,phone,version\r\nx_1234567,350.00,'+1 514-555-0101,12345678\r\n";
        let shown = "\u{feff}code,price,phone,version\r\nx_1234567,350.00,'+1514***0101,12345678\r\n";
        assert_eq!(sheet(text).as_deref(), Some(shown));
    }
}
