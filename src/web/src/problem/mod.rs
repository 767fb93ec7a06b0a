//! The error responses to clients, as `application/problem+json`.
//!
//! [`code`] is the table of error codes and their statuses. [`meaning`] explains each code, and [`pages`] serves the
//! explanations. [`database`] classifies database errors. [`payload`] contains the body of an error response and its
//! schema for poem-openapi.
//!
//! A response with status 5xx never contains its cause. The cause is logged once, when the [`Problem`] is created, with
//! the request id that the client also gets.

pub mod code;
pub mod database;
mod meaning;
pub mod pages;
pub mod payload;

use std::{error::Error as StdError, fmt};

use poem::{
    Error, IntoResponse, Response,
    error::ResponseError,
    http::{HeaderValue, StatusCode, header},
};
use serde_json::Value;

pub use self::{
    code::Code,
    payload::{FieldFault, ProblemBody, ProblemJson},
};
use base::telemetry;

/// Maximum number of entries in `errors`. If a body has more errors, the detail of the problem contains the number of
/// omitted errors.
const MOST_FAULTS: usize = 50;

/// An error response for a client. A problem converts to a response ([`IntoResponse`]) and to a [`poem::Error`], so
/// that `?` works in handlers. [`ProblemJson`] makes a problem a documented payload of the admin API.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    retry_after_s: Option<u32>,
    allow: Option<String>,
    errors: Vec<FieldFault>,
    more: Option<Box<More>>,
}

/// Values that only a few types of problem have.
#[derive(Debug, Default)]
struct More {
    conflicts: Vec<Value>,
    cases: Vec<Value>,
}

impl Problem {
    /// Creates a client error. `detail` is a sentence that says what to do. The detail of a server error is fixed, so
    /// create a server error with [`Problem::internal`] or [`Problem::unavailable`].
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let detail = if code.status().is_server_error() {
            fixed_detail(code).to_owned()
        } else {
            detail.into()
        };
        Self {
            code,
            detail,
            retry_after_s: None,
            allow: None,
            errors: Vec::new(),
            more: None,
        }
    }

    /// Creates a 404. `what` names the missing object, for example "service `camera`".
    #[must_use]
    pub fn not_found(what: impl fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("There is no {what} here."))
    }

    /// Creates a 401. It contains no reason, because the client is not authenticated.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(Code::Unauthorized, "The request has no valid credentials.")
    }

    /// Creates a 400 that lists every error of the body with its position.
    #[must_use]
    pub fn invalid_body(mut errors: Vec<FieldFault>) -> Self {
        let detail = match errors.as_slice() {
            [] => "The body cannot be read.".to_owned(),
            [one] => one.detail.clone(),
            many if many.len() <= MOST_FAULTS => format!(
                "The body has {} errors; `errors` lists the position of each error.",
                many.len()
            ),
            many => format!(
                "The body has {} errors; `errors` lists the positions of the first {MOST_FAULTS}. There are {} more.",
                many.len(),
                many.len() - MOST_FAULTS
            ),
        };
        errors.truncate(MOST_FAULTS);
        Self::new(Code::InvalidBody, detail).with_errors(errors)
    }

    /// Creates a 400 that lists every invalid parameter by its name.
    #[must_use]
    pub fn invalid_parameters(errors: Vec<FieldFault>) -> Self {
        let detail = match errors.as_slice() {
            [one] => one.detail.clone(),
            many => format!("{} parameters are wrong; `errors` lists each by its name.", many.len()),
        };
        Self::new(Code::InvalidParameter, detail).with_errors(errors)
    }

    /// Creates a 400 for one invalid parameter or header.
    #[must_use]
    pub fn invalid_parameter(name: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::new(Code::InvalidParameter, detail.as_str()).with_errors(vec![FieldFault::new(
            name,
            "invalid_value",
            detail,
        )])
    }

    /// Creates a 422 that lists every error with its position. The body matches the OpenAPI document but contradicts
    /// existing data.
    #[must_use]
    pub fn unprocessable(errors: Vec<FieldFault>) -> Self {
        Self {
            code: Code::Unprocessable,
            ..Self::invalid_body(errors)
        }
    }

    /// Creates a 422 with one error.
    #[must_use]
    pub fn fault(pointer: impl Into<String>, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::unprocessable(vec![FieldFault::new(pointer, code, detail)])
    }

    /// 409. `quota` states the limit and what to do.
    #[must_use]
    pub fn quota(quota: impl fmt::Display) -> Self {
        let mut detail = format!("{quota}.");
        detail[..1].make_ascii_uppercase();
        Self::new(Code::QuotaReached, detail)
    }

    /// Creates a 429 with the seconds to wait.
    #[must_use]
    pub fn rate_limited(retry_after_s: u32) -> Self {
        Self::new(
            Code::RateLimited,
            "This address sends more than is allowed; wait and send again.",
        )
        .with_retry_after(retry_after_s)
    }

    /// Creates a 429 for a client that sent wrong keys, with the seconds to wait.
    #[must_use]
    pub fn guessing(retry_after_s: u32) -> Self {
        let detail = "Too many keys from this address were wrong; wait, then send the right one.";
        Self::new(Code::RateLimited, detail).with_retry_after(retry_after_s)
    }

    /// 500. `cause` is logged and never sent to the client.
    #[must_use]
    pub fn internal(cause: &dyn StdError) -> Self {
        telemetry::log_cause(Code::Internal.name(), cause);
        Self::new(Code::Internal, "")
    }

    /// Creates a 503 with the seconds to wait. `cause` is logged and never sent to the client.
    #[must_use]
    pub fn unavailable(cause: &dyn StdError, retry_after_s: u32) -> Self {
        telemetry::log_cause(Code::Unavailable.name(), cause);
        Self::new(Code::Unavailable, "").with_retry_after(retry_after_s)
    }

    /// Sets the errors found in the request.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldFault>) -> Self {
        self.errors = errors;
        self
    }

    /// Puts `prefix` before the JSON pointer of every error in the body.
    #[must_use]
    pub fn below(mut self, prefix: &str) -> Self {
        for fault in &mut self.errors {
            if fault.pointer.is_empty() || fault.pointer.starts_with('/') {
                fault.pointer.insert_str(0, prefix);
            }
        }
        self
    }

    /// Sets the rows that differ from what the request expects. Each entry contains both versions of a row.
    #[must_use]
    pub fn with_conflicts(mut self, conflicts: Vec<Value>) -> Self {
        self.more.get_or_insert_default().conflicts = conflicts;
        self
    }

    /// Sets the failing cases, each with the expected result, the decision and its trace.
    #[must_use]
    pub fn with_cases(mut self, cases: Vec<Value>) -> Self {
        self.more.get_or_insert_default().cases = cases;
        self
    }

    /// Sets the `Retry-After` header.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Sets the `Allow` header, which a 405 must have.
    #[must_use]
    pub fn with_allow(mut self, methods: impl Into<String>) -> Self {
        self.allow = Some(methods.into());
        self
    }

    /// The kind of error.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The sentence for the client.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The errors found in the request.
    #[must_use]
    pub fn errors(&self) -> &[FieldFault] {
        &self.errors
    }

    /// The rows that differ from what the request expects.
    #[must_use]
    pub fn conflicts(&self) -> &[Value] {
        self.more.as_ref().map_or(&[], |more| &more.conflicts)
    }

    /// The failing cases.
    #[must_use]
    pub fn cases(&self) -> &[Value] {
        self.more.as_ref().map_or(&[], |more| &more.cases)
    }

    /// Converts an error of poem, for example for an unknown route or a body that cannot be parsed.
    #[must_use]
    pub fn from_poem(error: &Error) -> Self {
        use poem_openapi::error::{ParseParamError, ParsePathError};
        let parameter = error
            .downcast_ref::<ParseParamError>()
            .map(|error| (error.name, &error.reason));
        let in_path = || {
            error
                .downcast_ref::<ParsePathError>()
                .map(|error| (error.name, &error.reason))
        };
        if let Some((name, reason)) = parameter.or_else(in_path) {
            return Self::invalid_parameter(name, format!("`{name}` cannot be read: {reason}"));
        }
        let code = match Code::from_status(error.status()) {
            // poem and poem-openapi respond with 400 to a malformed request and to an invalid body. Only the error
            // types differ.
            Code::BadRequest | Code::InvalidBody | Code::InvalidParameter => {
                if error.is::<poem_openapi::error::ParseRequestPayloadError>() {
                    Code::InvalidBody
                } else {
                    Code::BadRequest
                }
            }
            other => other,
        };
        if code.status().is_server_error() {
            telemetry::log_text(code.name(), &error.to_string());
        }
        match code {
            Code::NotFound => Self::new(code, "There is nothing at this URL."),
            Code::Unauthorized => Self::unauthorized(),
            Code::MethodNotAllowed => Self::new(code, "This URL exists but does not allow this method; see Allow."),
            Code::PayloadTooLarge => Self::new(code, "The body is larger than the limit of this URL."),
            _ => Self::new(code, error.to_string()),
        }
    }
}

/// The fixed detail of a server error.
const fn fixed_detail(code: Code) -> &'static str {
    match code {
        Code::Unavailable => "Ringbook cannot accept this right now; send it again after the time in Retry-After.",
        _ => "Ringbook failed to answer. The operator finds the cause in the log under this request id.",
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.detail)
    }
}

impl StdError for Problem {}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.code.status()
    }

    fn as_response(&self) -> Response {
        let mut response = Response::builder()
            .status(self.code.status())
            .content_type(payload::MEDIA_TYPE)
            .body(ProblemBody::of(self).to_json_bytes());
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self
            .allow
            .as_deref()
            .and_then(|allow| HeaderValue::from_str(allow).ok())
        {
            headers.insert(header::ALLOW, allow);
        }
        if self.code == Code::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // The rest of the body was not read, so the server could not read another request on this connection.
        if matches!(self.code, Code::PayloadTooLarge | Code::RequestTimeout) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.as_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_problem_is_problem_json_with_its_code_and_the_wait() {
        let mut response = Problem::rate_limited(3).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.header(header::RETRY_AFTER), Some("3"));
        assert_eq!(response.content_type(), Some("application/problem+json"));
        let body: Value = serde_json::from_slice(&response.take_body().into_bytes().await.unwrap()).unwrap();
        assert_eq!(body["code"], "rate_limited");
        assert_eq!(body["status"], 429);
        assert_eq!(body["retryable"], true);
        assert_eq!(body["type"], "/problems/rate_limited");
    }

    #[tokio::test]
    async fn a_server_error_never_repeats_its_cause() {
        let cause = std::io::Error::other("password of the database");
        for problem in [Problem::internal(&cause), Problem::unavailable(&cause, 1)] {
            let body = problem.into_response().take_body().into_string().await.unwrap();
            assert!(!body.contains("password"), "{body}");
        }
    }

    #[tokio::test]
    async fn faults_keep_their_place() {
        let fault = FieldFault::new(
            "/price/from",
            "not_a_number",
            "`price.from` must be an amount such as \"350.00\".",
        );
        let body = Problem::invalid_body(vec![fault])
            .into_response()
            .take_body()
            .into_string()
            .await
            .unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["errors"][0]["pointer"], "/price/from");
        assert_eq!(body["code"], "invalid_body");
    }
}
