//! Requests that a person's form makes, with what the API finds wrong in them: the fault belongs beside its field.

use poem::http::{Method, StatusCode};
use serde_json::Value;
use web::problem::Problem;

use crate::api::refused;
use crate::refusal::Refusal;
use crate::visit::Visit;

/// What a request did.
pub struct Done {
    /// 202 where the change waits for a second person.
    pub status: StatusCode,
    pub body: Value,
}

impl Refusal {
    /// Whether a form can show it: the input is wrong, or others were faster.
    pub fn is_about_the_form(&self) -> bool {
        use StatusCode as S;
        matches!(
            self.status,
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
        self.status == StatusCode::PRECONDITION_FAILED
    }

    /// What is wrong with this field, in the words of the API.
    pub fn at(&self, field: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(place, _)| place == field);
        found.map(|(_, detail)| detail.as_str())
    }
}

impl Visit {
    /// Asks the API to do something.
    pub async fn edit(&self, method: Method, address: &str, body: &Value) -> Result<Done, Refusal> {
        let mut response = self.call(method, address, "application/json", Some(body)).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(refused(response).await);
        }
        let bytes = response.take_body().into_bytes().await;
        let bytes = bytes.map_err(|error| Problem::internal(&error))?;
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).map_err(|error| Problem::internal(&error))?
        };
        Ok(Done { status, body })
    }
}
