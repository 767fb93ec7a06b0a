//! Why a page cannot be shown, as the page that says so.

use poem::http::StatusCode;
use web::problem::{Code, Problem};

/// A status and the problem's sentence.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    /// What happened and what to do, in the words of the admin API.
    pub detail: String,
    /// The fields that are wrong, without their first slash, and why, in the words of the admin API.
    pub fields: Vec<(String, String)>,
    /// The seconds after which to try again.
    pub wait: Option<String>,
}

impl Refusal {
    /// A form without the session's token.
    pub fn foreign_form() -> Self {
        Self::plain(StatusCode::FORBIDDEN)
    }

    /// A refusal that its status explains.
    pub fn plain(status: StatusCode) -> Self {
        Self {
            status,
            detail: String::new(),
            fields: Vec::new(),
            wait: None,
        }
    }

    /// The key of the message that explains it.
    pub fn message(&self) -> &'static str {
        match self.status {
            // The admin API explains why a role is not enough; only a form of another page has no words.
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
