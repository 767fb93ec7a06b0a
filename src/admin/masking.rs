//! Phone numbers, for those who may not read them.
//!
//! In: what is to be answered. Out: the same without numbers to call, where the caller is a viewer. Views hide the numbers
//! that they know of; [`answer`] goes over every whole answer, so that none comes through that nobody thought of.

use std::sync::{Arc, OnceLock};

use chrono::DateTime;
use poem::{Body, IntoResponse as _, Response};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::auth::Caller;
use crate::problem::{Problem, payload};
use crate::telemetry::{mask_phone, scrub};

/// Fields by which things are found again: of these not a digit may change.
const FINDING: [&str; 7] = ["id", "code", "next_cursor", "prefix", "mac", "request_id", "type"];

/// Whether numbers are hidden from whoever sent a request: known when its key was read.
#[derive(Debug, Clone, Default)]
pub struct Hidden(Arc<OnceLock<bool>>);

impl Hidden {
    /// The key was read.
    pub fn note(&self, caller: &Caller) {
        self.0.get_or_init(|| caller.is_masked());
    }

    fn is_on(&self) -> bool {
        self.0.get().copied().unwrap_or_default()
    }
}

/// A number as this caller may see it.
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

/// A text as this caller may see it: numbers spoken or written in it are hidden as well.
#[must_use]
pub fn text(caller: &Caller, text: Option<String>) -> Option<String> {
    text.map(|text| if caller.is_masked() { scrub(&text) } else { text })
}

/// JSON as this caller may see it.
#[must_use]
pub fn json(caller: &Caller, value: Value) -> Value {
    if caller.is_masked() { hidden(value) } else { value }
}

/// A whole answer as its reader may see it, a problem too: it may show the rows that it is about. What is neither JSON nor
/// text hides its numbers itself.
pub async fn answer(hide: &Hidden, mut response: Response) -> Response {
    let kind = response.content_type().unwrap_or_default().to_owned();
    let is_json = kind.starts_with("application/json") || kind.starts_with(payload::MEDIA_TYPE);
    let is_text = kind.starts_with("text/") && !kind.starts_with("text/event-stream");
    if !hide.is_on() || !(is_json || is_text) {
        return response;
    }
    let text = match response.take_body().into_string().await {
        Ok(text) => text,
        Err(error) => return Problem::internal(&error).into_response(),
    };
    let text = if is_text {
        scrub(&text)
    } else {
        match serde_json::from_str(&text) {
            Ok(value) => hidden(value).to_string(),
            Err(error) => return Problem::internal(&error).into_response(),
        }
    };
    response.set_body(Body::from_string(text));
    response
}

fn hidden(value: Value) -> Value {
    match value {
        Value::String(text) if is_for_programs(&text) => Value::String(text),
        Value::String(text) => Value::String(scrub(&text)),
        Value::Number(number) if is_to_call(&number.to_string()) => Value::String(mask_phone(&number.to_string())),
        Value::Array(values) => values.into_iter().map(hidden).collect(),
        Value::Object(object) => {
            let members = object.into_iter().map(|(name, value)| {
                let stays = value.is_string() && (FINDING.contains(&name.as_str()) || name.ends_with("_id"));
                (name, if stays { value } else { hidden(value) })
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// An id or an instant holds many digits and no number.
fn is_for_programs(text: &str) -> bool {
    Uuid::parse_str(text).is_ok() || DateTime::parse_from_rfc3339(text).is_ok()
}

/// Ten digits and more, but for an instant as seconds or milliseconds.
fn is_to_call(number: &str) -> bool {
    let digits = number.len();
    let is_instant = number.starts_with('1') && (digits == 10 || digits == 13);
    digits >= 10 && number.bytes().all(|byte| byte.is_ascii_digit()) && !is_instant
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_problem_hides_the_numbers_of_the_rows_that_it_shows() {
        let hide = Hidden(Arc::new(OnceLock::from(true)));
        let row = json!({"resource": "contacts", "current": {"phone": "+15145550101"}});
        let problem = Problem::new(crate::problem::Code::StaleVersion, "Rows were changed.").with_conflicts(vec![row]);
        let shown = answer(&hide, problem.into_response())
            .await
            .into_body()
            .into_string()
            .await
            .unwrap();
        assert!(!shown.contains("5145550101") && shown.contains("0101"), "{shown}");
    }

    #[test]
    fn numbers_are_hidden_and_what_programs_need_is_not() {
        let seen = hidden(json!({
            "id": "01937c4e-6f00-7000-8000-000000000001", "call_id": "c-123456789012", "at": "2026-05-04T15:00:00.123456Z",
            "timestamp": 1_777_906_800_000_i64, "seconds": 1_777_906_800, "price": "350.00", "count": 12,
            "sets": ["01937c4e-6f00-7000-8000-000000000001"],
            "phone": 5_145_550_101_i64, "mobile": 15_145_550_101_i64, "said": "Call (514) 555-0101, or 514.555.0102!",
        }));
        assert_eq!(
            seen,
            json!({
                "id": "01937c4e-6f00-7000-8000-000000000001", "call_id": "c-123456789012", "at": "2026-05-04T15:00:00.123456Z",
                "timestamp": 1_777_906_800_000_i64, "seconds": 1_777_906_800, "price": "350.00", "count": 12,
                "sets": ["01937c4e-6f00-7000-8000-000000000001"],
                "phone": "514***0101", "mobile": "1514***0101", "said": "Call (514***0101, or 514***0102!",
            })
        );
    }
}
