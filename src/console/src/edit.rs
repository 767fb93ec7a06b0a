//! Sends the changes of a form to the API. Errors are returned by field, so that the page can show each error beside
//! its field.

use poem::http::{Method, StatusCode};
use serde_json::Value;
use web::problem::Problem;

use crate::api::refused;
use crate::refusal::Refusal;
use crate::visit::Visit;

/// A successful response.
pub struct EditResponse {
    /// 202 if the change waits for a second person's approval.
    pub status: StatusCode,
    pub body: Value,
}

impl Refusal {
    /// Whether the form can show this refusal, because the input is wrong or somebody else was faster.
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

    /// Whether the data of the form has changed since the form was shown.
    pub fn is_stale(&self) -> bool {
        self.status == StatusCode::PRECONDITION_FAILED
    }

    /// The API's error message for this field.
    pub fn at(&self, field: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(place, _)| place == field);
        found.map(|(_, detail)| detail.as_str())
    }
}

impl Visit {
    /// Sends a write to the API.
    pub async fn edit(&self, method: Method, address: &str, body: &Value) -> Result<EditResponse, Refusal> {
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
        Ok(EditResponse { status, body })
    }
}
