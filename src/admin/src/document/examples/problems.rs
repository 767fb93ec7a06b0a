//! What each operation says when it fails, by status and code, in the words in which it says it.

use serde_json::{Map, Value, json};

use super::super::super::state::shortened;
use web::problem::payload::ProblemBody;
use web::problem::{Code, FieldFault, Problem};

/// The id of the request that the examples are about.
const REQUEST_ID: &str = "0199f0c2-7a4e-7c3b-9a53-2f1d8f0b6c11";

/// Adds an example for each code of each error of each operation. What is said alike everywhere stands once, under
/// `components`.
pub fn add(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let mut alike = Map::new();
    let items = document["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in items {
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
            if !operation.is_object() {
                continue;
            }
            let asked = Asked {
                path,
                body: json_body(operation, &schemas),
                parameters: operation["parameters"].clone(),
            };
            for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
                let codes = asked.codes(status, response["description"].as_str().unwrap_or_default());
                let Some(media) = response.pointer_mut("/content/application~1problem+json") else {
                    continue;
                };
                let examples = codes.into_iter().map(|code| {
                    let name = code.name();
                    let example = asked.example(code);
                    if is_particular(code) {
                        return (name.to_owned(), example);
                    }
                    alike.insert(name.to_owned(), example);
                    (
                        name.to_owned(),
                        json!({"$ref": format!("#/components/examples/{name}")}),
                    )
                });
                media["examples"] = Value::Object(examples.collect());
            }
        }
    }
    document["components"]["examples"] = Value::Object(alike);
}

/// Whether what is said depends on the operation.
const fn is_particular(code: Code) -> bool {
    matches!(code, Code::InvalidBody | Code::InvalidParameter | Code::NotFound)
}

struct Asked<'a> {
    path: &'a str,
    body: Option<Value>,
    parameters: Value,
}

/// The schema of an operation's JSON body.
fn json_body(operation: &Value, schemas: &Value) -> Option<Value> {
    let content = operation["requestBody"]["content"].as_object()?;
    let (_, media) = content.iter().find(|(name, _)| name.ends_with("json"))?;
    let name = media["schema"]["$ref"].as_str()?.rsplit('/').next()?;
    Some(schemas[name].clone())
}

impl Asked<'_> {
    fn codes(&self, status: &str, about: &str) -> Vec<Code> {
        let has_parameters = self
            .parameters
            .as_array()
            .is_some_and(|all| all.iter().any(can_be_wrong));
        let of_status: Vec<Code> = Code::ALL
            .into_iter()
            .filter(|code| code.status().as_str() == status)
            .collect();
        let told = of_status.iter().copied().filter(|code| match code {
            Code::InvalidBody => self.body.is_some() || self.path.strip_suffix(".csv").is_some(),
            Code::InvalidParameter => has_parameters,
            Code::BadRequest | Code::SignatureInvalid => false,
            Code::IdempotencyKeyReused => about.contains("Idempotency-Key"),
            // One status for both, where an operation has both.
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

    fn example(&self, code: Code) -> Value {
        let body = ProblemBody::of(&self.problem(code));
        let mut value: Value = serde_json::from_slice(&body.to_json_bytes()).unwrap_or_default();
        value["request_id"] = REQUEST_ID.into();
        json!({"summary": code.title(), "value": value})
    }

    fn problem(&self, code: Code) -> Problem {
        let detail = match code {
            Code::InvalidBody => return self.invalid_body(),
            Code::InvalidParameter => return self.invalid_parameter(),
            Code::RuleFault => return rule_fault(),
            Code::Unauthorized => return Problem::unauthorized(),
            Code::RateLimited => return Problem::rate_limited(1),
            Code::NotFound => return Problem::not_found(self.missing()),
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
            Code::PayloadTooLarge => "The body is larger than the 1048576 bytes taken here.",
            Code::UnsupportedMediaType => "The body must be JSON: send `Content-Type: application/json`.",
            Code::IdempotencyKeyReused => "Another request was sent under this `Idempotency-Key`; use a new one.",
            _ => code.title(),
        };
        Problem::new(code, detail)
    }

    fn invalid_body(&self) -> Problem {
        let Some(schema) = &self.body else {
            let fault = FieldFault::new("/3/price_from", "bad_format", "An amount is written as `350.00`.");
            return Problem::invalid_body(vec![fault]);
        };
        let unknown = FieldFault::new("/colour", "unknown_field", "There is no field `colour` here.");
        let mut faults = vec![unknown];
        if let Some(field) = schema["required"][0].as_str() {
            let about = schema["properties"][field]["description"].as_str().unwrap_or_default();
            let detail = format!("The field `{field}` is missing. {about}");
            faults.push(FieldFault::new(format!("/{field}"), "missing_field", detail.trim_end()));
        }
        Problem::invalid_body(faults)
    }

    fn invalid_parameter(&self) -> Problem {
        let wrong = self
            .parameters
            .as_array()
            .into_iter()
            .flatten()
            .find(|one| can_be_wrong(one));
        let name = wrong.and_then(|one| one["name"].as_str()).unwrap_or("limit");
        let schema = wrong.map(|one| &one["schema"]);
        let detail = match schema.and_then(|schema| schema["format"].as_str()) {
            Some("uuid") => format!("`{name}` must be a UUID, as `{REQUEST_ID}`."),
            Some("date-time") => {
                format!("`{name}` must be an instant with its offset, as `2026-05-01T08:00:00-04:00`.")
            }
            _ => format!("`{name}` must be a whole number."),
        };
        Problem::invalid_parameter(name, detail)
    }

    /// What was looked for, as the path names it.
    fn missing(&self) -> String {
        let mut parts = self.path.trim_start_matches("/admin/v1/").split('/').rev();
        let last = parts.find(|part| part.starts_with('{'));
        let what = parts.next().filter(|_| last.is_some()).unwrap_or("rulebooks");
        format!("`nowhere` among the {}", shortened(&what.replace('-', " ")))
    }
}

/// Whether something else than text is asked for.
fn can_be_wrong(parameter: &Value) -> bool {
    let schema = &parameter["schema"];
    schema["format"].is_string() || schema["type"] == "integer" || schema["type"] == "boolean"
}

fn rule_fault() -> Problem {
    let detail = "line 1, column 1: there is no fact `aera`; did you mean `area`?";
    let fault = FieldFault::new("/condition", "unknown_fact", detail);
    Problem::new(Code::RuleFault, detail).with_errors(vec![fault])
}
