//! Adds example problems to each operation, by status and code, with the texts that the server sends.

use serde_json::{Map, Value, json};

use web::problem::payload::ProblemBody;
use web::problem::{Code, FieldFault, Problem};

/// The request id in the examples.
const REQUEST_ID: &str = "0199f0c2-7a4e-7c3b-9a53-2f1d8f0b6c11";

/// For every error of an operation, adds one example per error code. Each example is defined once, under `components`.
pub fn add(document: &mut Value) {
    let mut shown = Map::new();
    let items = document["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in items {
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
            let asked = OperationTraits {
                is_sheet: path.strip_suffix(".csv").is_some(),
                has_body: operation["requestBody"].is_object(),
                has_parameters: parameters(operation).any(can_be_wrong),
            };
            for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
                let codes = asked.codes(status, response["description"].as_str().unwrap_or_default());
                let Some(media) = response.pointer_mut("/content/application~1problem+json") else {
                    continue;
                };
                let examples = codes.into_iter().map(|code| {
                    let name = if code == Code::InvalidBody && asked.is_sheet {
                        "invalid_sheet"
                    } else {
                        code.name()
                    };
                    shown
                        .entry(name)
                        .or_insert_with(|| example(&problem(code, asked.is_sheet)));
                    let reference = json!({"$ref": format!("#/components/examples/{name}")});
                    (name.to_owned(), reference)
                });
                media["examples"] = Value::Object(examples.collect());
            }
        }
    }
    document["components"]["examples"] = Value::Object(shown);
}

fn parameters(operation: &Value) -> impl Iterator<Item = &Value> {
    operation["parameters"].as_array().into_iter().flatten()
}

struct OperationTraits {
    is_sheet: bool,
    has_body: bool,
    has_parameters: bool,
}

impl OperationTraits {
    fn codes(&self, status: &str, about: &str) -> Vec<Code> {
        let of_status: Vec<Code> = Code::ALL
            .into_iter()
            .filter(|code| code.status().as_str() == status)
            .collect();
        let told = of_status.iter().copied().filter(|code| match code {
            Code::InvalidBody => self.has_body,
            Code::InvalidParameter => self.has_parameters,
            Code::BadRequest | Code::SignatureInvalid => false,
            Code::IdempotencyKeyReused => about.contains("Idempotency-Key"),
            // `IdempotencyKeyReused` and `RuleFault` have the same status. The description of the response says whether
            // the response can also be a `RuleFault`.
            Code::RuleFault => !about.contains("Idempotency-Key") || about.contains("would not work"),
            _ => true,
        });
        let told: Vec<Code> = told.collect();
        if told.is_empty() {
            of_status.into_iter().take(1).collect()
        } else {
            told
        }
    }
}

fn example(problem: &Problem) -> Value {
    let mut value: Value = serde_json::from_slice(&ProblemBody::of(problem).to_json_bytes()).unwrap_or_default();
    value["request_id"] = REQUEST_ID.into();
    json!({"value": value})
}

fn problem(code: Code, is_sheet: bool) -> Problem {
    let detail = match code {
        Code::InvalidBody => return Problem::invalid_body(faults(is_sheet)),
        Code::InvalidParameter => return Problem::invalid_parameter("limit", "`limit` must be a whole number."),
        Code::RuleFault => return rule_fault(),
        Code::Unauthorized => return Problem::unauthorized(),
        Code::RateLimited => return Problem::rate_limited(1),
        Code::NotFound => return Problem::not_found("`nowhere` among the services"),
        Code::Forbidden => "This needs a key with another role; the operation says which.",
        Code::RequestTimeout => "The body took too long to arrive.",
        Code::Conflict => "Somebody else wrote at the same time, or the state does not allow it; read it again.",
        Code::StaleVersion => {
            "It is at version 4, not 3: it was changed since you read it, perhaps by your own last request. Read it \
                 again; if your change still fits, send it with `version` 4."
        }
        Code::VersionRequired => {
            "It exists: bring the `version` that was read, in the body or as `If-Match: \"version\"`."
        }
        Code::PayloadTooLarge => "The body is larger than the limit of 1048576 bytes.",
        Code::UnsupportedMediaType => "The body must be JSON: send `Content-Type: application/json`.",
        Code::IdempotencyKeyReused => "Another request was sent under this `Idempotency-Key`; use a new one.",
        _ => code.title(),
    };
    Problem::new(code, detail)
}

fn faults(is_sheet: bool) -> Vec<FieldFault> {
    if is_sheet {
        let detail = "An amount is written as `350.00`.";
        return vec![FieldFault::new("/3/price_from", "bad_format", detail)];
    }
    vec![
        FieldFault::new("/colour", "unknown_field", "There is no field `colour` here."),
        FieldFault::new("/names", "missing_field", "The field `names` is missing."),
    ]
}

/// Whether the parameter has another type than a plain string, so that its value can be invalid.
fn can_be_wrong(parameter: &Value) -> bool {
    let schema = &parameter["schema"];
    schema["format"].is_string() || schema["type"] == "integer" || schema["type"] == "boolean"
}

fn rule_fault() -> Problem {
    let detail = "line 1, column 1: there is no fact `aera`; did you mean `area`?";
    let fault = FieldFault::new("/condition", "unknown_fact", detail);
    Problem::new(Code::RuleFault, detail).with_errors(vec![fault])
}
