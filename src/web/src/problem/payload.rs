//! The body of a problem (RFC 9457), and how the OpenAPI document describes it. The payload type for poem-openapi has
//! the media type `application/problem+json`, so that a response enum can contain it: `#[oai(status = 404)]
//! NotFound(ProblemJson)`.

use poem::{IntoResponse, Response, error::ResponseError};
use poem_openapi::{
    ApiResponse, Object,
    payload::Payload,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry},
    types::Type,
};
use serde::Serialize;
use serde_json::Value;

use super::Problem;
use crate::request_id;

/// The media type of every error.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Maximum length of a pointer in characters.
const LONGEST_POINTER: usize = 512;

/// An error in a request, and its position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Object)]
pub struct FieldFault {
    /// JSON pointer into the body, or the parameter's name.
    #[oai(validator(max_length = 512))]
    pub pointer: String,
    /// Code of the error. For a body that does not match the OpenAPI document: `missing_body`, `not_json`, `too_deep`,
    /// `duplicate_field`, `nul_character`, `unknown_field`, `missing_field`, `wrong_type`, `not_in_list`, `bad_format`,
    /// `too_small`, `too_large`, `too_short`, `too_long`, `too_few`, `too_many`, `repeated`, `contradiction`,
    /// `invalid_value`. For a parameter also `missing_parameter` and `unknown_parameter`. Rules have more codes, and
    /// may get new ones.
    pub code: String,
    /// What is wrong and what was expected, for people.
    pub detail: String,
}

impl FieldFault {
    /// Creates an error at `pointer`. A pointer that is too long is truncated.
    pub fn new(pointer: impl Into<String>, code: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut pointer = pointer.into();
        if let Some((end, _)) = pointer.char_indices().nth(LONGEST_POINTER) {
            pointer.truncate(end);
        }
        Self {
            pointer,
            code: code.into(),
            detail: detail.into(),
        }
    }
}

/// A problem (RFC 9457). The most useful members come first, and long members last.
#[derive(Clone, Debug, Serialize, Object)]
#[oai(rename = "Problem", skip_serializing_if_is_none)]
pub struct ProblemBody {
    /// What happened this time, and what to do about it.
    pub detail: String,
    /// Code of the problem.
    pub code: String,
    /// Each error of the request with its position.
    #[oai(skip_serializing_if_is_empty, default)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldFault>,
    /// The HTTP status.
    pub status: u16,
    /// What happened, in a fixed text per code.
    pub title: String,
    /// URL of the page on this server that explains the code.
    pub r#type: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// The id of this request in the operator's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Rows that differ from what the request expects. `made_against` is the expected version and `stands` the current
    /// version, each with its row.
    #[oai(skip_serializing_if_is_empty, default)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Value>,
    /// Failing cases: `mismatches` with `expected` and `got`, and the `decision` with its trace.
    #[oai(skip_serializing_if_is_empty, default)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<Value>,
}

impl ProblemBody {
    /// Builds the body of `problem`, with the id of the current request.
    #[must_use]
    pub fn of(problem: &Problem) -> Self {
        let code = problem.code();
        Self {
            r#type: code.address(),
            title: code.title().to_owned(),
            status: code.status().as_u16(),
            code: code.name().to_owned(),
            detail: problem.detail().to_owned(),
            request_id: request_id::current().map(|id| id.to_string()),
            retryable: code.retryable(),
            errors: problem.errors().to_vec(),
            conflicts: problem.conflicts().to_vec(),
            cases: problem.cases().to_vec(),
        }
    }

    /// The body as JSON bytes.
    #[must_use]
    pub fn to_json_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A problem as a payload of a poem-openapi response.
#[derive(Debug)]
pub struct ProblemJson(pub Problem);

impl From<Problem> for ProblemJson {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl Payload for ProblemJson {
    const CONTENT_TYPE: &'static str = MEDIA_TYPE;

    fn check_content_type(content_type: &str) -> bool {
        content_type
            .split(';')
            .next()
            .is_some_and(|essence| essence.trim() == MEDIA_TYPE)
    }

    fn schema_ref() -> MetaSchemaRef {
        ProblemBody::schema_ref()
    }

    fn register(registry: &mut Registry) {
        ProblemBody::register(registry);
    }
}

impl IntoResponse for ProblemJson {
    fn into_response(self) -> Response {
        self.0.as_response()
    }
}

/// If this is the only error type of an operation, the OpenAPI document shows no status for it. So list the statuses in
/// a response enum.
impl ApiResponse for ProblemJson {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The request failed",
                status: None,
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: MEDIA_TYPE,
                    schema: Self::schema_ref(),
                }],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        <Self as Payload>::register(registry);
    }
}

impl From<ProblemJson> for poem::Error {
    fn from(problem: ProblemJson) -> Self {
        problem.0.into()
    }
}
