//! Reports all invalid parameters of a request together, each by name.
//!
//! This middleware runs only after an operation could not parse its path, query or headers. So authentication comes
//! first, and a valid request has no extra cost.

use poem::http::{HeaderMap, Method, Uri};
use poem::{Endpoint, Request, Response, Result};
use poem_openapi::error::{ParseParamError, ParsePathError};
use serde_json::{Number, Value};

use super::api_document;
use super::body::validate;
use web::problem::{FieldFault, Problem};

/// Middleware that replaces the problem of one invalid parameter with a problem that lists all invalid parameters.
pub async fn complete_problem<E: Endpoint>(next: std::sync::Arc<E>, request: Request) -> Result<Response>
where
    E::Output: poem::IntoResponse,
{
    let asked = RequestParts {
        method: request.method().clone(),
        uri: request.original_uri().clone(),
        headers: request.headers().clone(),
    };
    match next.call(request).await {
        Ok(response) => Ok(poem::IntoResponse::into_response(response)),
        Err(error) if error.is::<ParseParamError>() || error.is::<ParsePathError>() => {
            Err(asked.problem().map_or(error, Into::into))
        }
        Err(error) => Err(error),
    }
}

struct RequestParts {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl RequestParts {
    /// Returns the problem, or `None` if the OpenAPI document allows what the operation rejects. In that case the
    /// client gets the operation's own message.
    fn problem(&self) -> Option<Problem> {
        let (operation, in_path) = api_document::operation(&self.method, self.uri.path())?;
        let query: Vec<(String, String)> = pairs(self.uri.query().unwrap_or_default());
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let mut faults = Vec::new();
        for parameter in parameters {
            let (Some(name), Some(place)) = (parameter["name"].as_str(), parameter["in"].as_str()) else {
                continue;
            };
            let given = match place {
                "path" => in_path.get(name).cloned(),
                "header" => self
                    .headers
                    .get(name)
                    .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
                _ => query
                    .iter()
                    .find(|(key, _)| key == name)
                    .map(|(_, value)| value.clone()),
            };
            faults.extend(fault(name, parameter, given.as_deref()));
        }
        (!faults.is_empty()).then(|| Problem::invalid_parameters(faults))
    }
}

fn fault(name: &str, parameter: &'static Value, given: Option<&str>) -> Option<FieldFault> {
    let Some(given) = given else {
        let missing = || FieldFault::new(name, "missing_parameter", format!("The parameter `{name}` is missing."));
        return (parameter["required"] == true).then(missing);
    };
    let schema = parameter.get("schema")?;
    let fault = validate::one(schema, &read(schema, given)).ok()??;
    let detail = fault.detail.replace("The body", &format!("`{name}`"));
    Some(FieldFault::new(name, fault.code, detail))
}

/// Parses a string as the type that the schema requires, if possible.
fn read(schema: &'static Value, text: &str) -> Value {
    let kind = api_document::resolved(schema);
    let is = |wanted: &str| {
        kind["type"] == wanted
            || kind["type"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one == wanted))
    };
    if is("integer")
        && let Ok(number) = text.parse::<i64>()
    {
        return Value::Number(Number::from(number));
    }
    match text {
        "true" if is("boolean") => true.into(),
        "false" if is("boolean") => false.into(),
        text => text.into(),
    }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    Request::builder()
        .uri(Uri::try_from(format!("/?{query}")).unwrap_or_default())
        .finish()
        .params()
        .unwrap_or_default()
}
