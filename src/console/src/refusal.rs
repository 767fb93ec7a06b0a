//! The reason why a request was refused, for the page that explains it.

use poem::http::StatusCode;
use web::problem::{Code, Problem};

/// The status and the messages of a refused request.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    /// What happened and what to do, in the words of the admin API.
    pub detail: String,
    /// The invalid fields (JSON pointers without the first slash), each with the message of the admin API.
    pub fields: Vec<(String, String)>,
    /// The value of `Retry-After`.
    pub wait: Option<String>,
}

impl Refusal {
    /// The refusal of a form without the session's CSRF token.
    pub fn foreign_form() -> Self {
        Self::plain(StatusCode::FORBIDDEN)
    }

    /// A refusal without details.
    pub fn plain(status: StatusCode) -> Self {
        Self {
            status,
            detail: String::new(),
            fields: Vec::new(),
            wait: None,
        }
    }

    /// The key of the message that explains the refusal.
    pub fn message(&self) -> &'static str {
        match self.status {
            // If the role is not enough, the admin API gives a detail. Of the refusals with 403, only
            // [`Refusal::foreign_form`] has no detail.
            StatusCode::FORBIDDEN if self.detail.is_empty() => "refused-form",
            StatusCode::FORBIDDEN => "refused-role",
            StatusCode::NOT_FOUND => "refused-missing",
            StatusCode::CONFLICT => "refused-conflict",
            StatusCode::TOO_MANY_REQUESTS => "refused-limit",
            status if status.is_server_error() => "refused-server",
            _ => "refused-input",
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let code: Code = problem.code();
        Self {
            status: code.status(),
            detail: problem.detail().to_owned(),
            fields: Vec::new(),
            wait: None,
        }
    }
}
