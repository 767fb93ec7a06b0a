//! Requests that a person's form makes, with what the API finds wrong in them: the fault belongs beside its field.

use poem::http::{Method, StatusCode, header};
use serde_json::Value;
use web::problem::Problem;

use crate::refusal::Refusal;
use crate::visit::Visit;

/// What a request did.
pub struct Done {
    /// 202 where the change waits for a second person.
    pub status: StatusCode,
    pub body: Value,
}

/// What is wrong with a request.
#[derive(Debug)]
pub struct Fault {
    /// The place in the request's body, as a JSON pointer.
    pub pointer: String,
    /// What is wrong, in the words of the API.
    pub detail: String,
}

/// Why the API did not do what a form asked for.
#[derive(Debug)]
pub struct Refused {
    pub refusal: Refusal,
    pub faults: Vec<Fault>,
}

impl Refused {
    /// Whether a form can show it: the input is wrong, or others were faster.
    pub fn is_about_the_form(&self) -> bool {
        use StatusCode as S;
        matches!(
            self.refusal.status,
            S::BAD_REQUEST
                | S::NOT_FOUND
                | S::CONFLICT
                | S::PRECONDITION_FAILED
                | S::PAYLOAD_TOO_LARGE
                | S::UNPROCESSABLE_ENTITY
                | S::PRECONDITION_REQUIRED
        )
    }

    /// Whether what the form was made of has changed meanwhile.
    pub fn is_stale(&self) -> bool {
        self.refusal.status == StatusCode::PRECONDITION_FAILED
    }

    /// What is wrong at this place of the body.
    pub fn at(&self, pointer: &str) -> Option<&str> {
        let found = self.faults.iter().find(|fault| fault.pointer == pointer);
        found.map(|fault| fault.detail.as_str())
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self {
            refusal: problem.into(),
            faults: Vec::new(),
        }
    }
}

impl Visit {
    /// Asks the API to do something.
    pub async fn edit(&self, method: Method, address: &str, body: &Value) -> Result<Done, Refused> {
        let called = self.call(method, address, "application/json", Some(body)).await;
        let mut response = called.map_err(|refusal| Refused {
            refusal,
            faults: Vec::new(),
        })?;
        let status = response.status();
        let wait = response.header(header::RETRY_AFTER).map(ToOwned::to_owned);
        let bytes = response.take_body().into_bytes().await;
        let bytes = bytes.map_err(|error| Problem::internal(&error))?;
        let body: Value = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).map_err(|error| Problem::internal(&error))?
        };
        if status.is_success() {
            return Ok(Done { status, body });
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let faults = body["errors"].as_array().into_iter().flatten();
        let faults = faults.map(|fault| Fault {
            pointer: text(&fault["pointer"]),
            detail: text(&fault["detail"]),
        });
        Err(Refused {
            faults: faults.collect(),
            refusal: Refusal {
                status,
                detail: text(&body["detail"]),
                wait,
            },
        })
    }
}
