//! The table of error codes. A row contains the status, the title, and whether a retry may succeed. Clients branch on
//! the error code. No other module chooses the status of an error.

use poem::http::StatusCode;

/// The code of an error. Responses contain the name of the code ([`Code::name`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the table below explains each code")]
pub enum Code {
    BadRequest,
    InvalidBody,
    InvalidParameter,
    Unauthorized,
    Forbidden,
    SignatureInvalid,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    RequestTimeout,
    Conflict,
    QuotaReached,
    StaleVersion,
    PayloadTooLarge,
    UnsupportedMediaType,
    Unprocessable,
    RuleFault,
    IdempotencyKeyReused,
    VersionRequired,
    RateLimited,
    Internal,
    Unavailable,
}

/// URL path of the pages that describe all codes.
pub const ADDRESS: &str = "/problems";

/// A row of the table.
struct CodeRow {
    name: &'static str,
    status: StatusCode,
    title: &'static str,
    retryable: bool,
}

impl Code {
    /// Every code, in the order of statuses.
    pub const ALL: [Self; 22] = [
        Self::BadRequest,
        Self::InvalidBody,
        Self::InvalidParameter,
        Self::Unauthorized,
        Self::Forbidden,
        Self::SignatureInvalid,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::RequestTimeout,
        Self::Conflict,
        Self::QuotaReached,
        Self::StaleVersion,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::Unprocessable,
        Self::RuleFault,
        Self::IdempotencyKeyReused,
        Self::VersionRequired,
        Self::RateLimited,
        Self::Internal,
        Self::Unavailable,
    ];

    #[rustfmt::skip] // rustfmt would break the lines of the table
    const fn line(self) -> CodeRow {
        const fn line(name: &'static str, status: StatusCode, title: &'static str, retryable: bool) -> CodeRow {
            CodeRow { name, status, title, retryable }
        }
        use StatusCode as S;
        match self {
            Self::BadRequest           => line("bad_request", S::BAD_REQUEST, "The request cannot be understood", false),
            Self::InvalidBody          => line("invalid_body", S::BAD_REQUEST, "The body does not match this operation", false),
            Self::InvalidParameter     => line("invalid_parameter", S::BAD_REQUEST, "A parameter is not valid for this operation", false),
            Self::Unauthorized         => line("unauthorized", S::UNAUTHORIZED, "Not authorized", false),
            Self::Forbidden            => line("forbidden", S::FORBIDDEN, "This key may not do that", false),
            Self::SignatureInvalid     => line("signature_invalid", S::FORBIDDEN, "The signature is missing or wrong", false),
            Self::NotFound             => line("not_found", S::NOT_FOUND, "Not found", false),
            Self::MethodNotAllowed     => line("method_not_allowed", S::METHOD_NOT_ALLOWED, "This URL does not allow that method", false),
            Self::NotAcceptable        => line("not_acceptable", S::NOT_ACCEPTABLE, "No media type here is acceptable to the client", false),
            Self::RequestTimeout       => line("request_timeout", S::REQUEST_TIMEOUT, "The request took too long to arrive", true),
            Self::Conflict             => line("conflict", S::CONFLICT, "This conflicts with the current state", false),
            Self::QuotaReached         => line("quota_reached", S::CONFLICT, "A quota is reached", false),
            Self::StaleVersion         => line("stale_version", S::PRECONDITION_FAILED, "The row has changed since it was read", false),
            Self::PayloadTooLarge      => line("payload_too_large", S::PAYLOAD_TOO_LARGE, "The body is too large", false),
            Self::UnsupportedMediaType => line("unsupported_media_type", S::UNSUPPORTED_MEDIA_TYPE, "This media type is not supported here", false),
            Self::Unprocessable        => line("unprocessable", S::UNPROCESSABLE_ENTITY, "Each part can be read, but not together or not here", false),
            Self::RuleFault            => line("rule_fault", S::UNPROCESSABLE_ENTITY, "The rulebook would not work with this change", false),
            Self::IdempotencyKeyReused => line("idempotency_key_reused", S::UNPROCESSABLE_ENTITY, "This key belongs to another request", false),
            Self::VersionRequired      => line("version_required", S::PRECONDITION_REQUIRED, "The version that was read is missing", false),
            Self::RateLimited          => line("rate_limited", S::TOO_MANY_REQUESTS, "Too many requests", true),
            Self::Internal             => line("internal", S::INTERNAL_SERVER_ERROR, "Something went wrong on our side", false),
            Self::Unavailable          => line("unavailable", S::SERVICE_UNAVAILABLE, "Temporarily unavailable", true),
        }
    }

    /// The code with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    /// URL path of the page that explains the code and what to do.
    #[must_use]
    pub fn address(self) -> String {
        format!("{ADDRESS}/{}", self.name())
    }

    /// The name that clients branch on.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.line().name
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.line().status
    }

    /// The short title, which is always the same for a code.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.line().title
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn retryable(self) -> bool {
        self.line().retryable
    }

    /// Returns the code for an error if only its status is known. If several codes have this status, returns the first
    /// of them in [`Code::ALL`].
    #[must_use]
    pub fn from_status(status: StatusCode) -> Self {
        Self::ALL
            .into_iter()
            .find(|code| code.status() == status)
            .unwrap_or(if status.is_client_error() {
                Self::BadRequest
            } else {
                Self::Internal
            })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own_and_an_error_status() {
        let names: HashSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(
                code.status().is_client_error() || code.status().is_server_error(),
                "{code:?}"
            );
        }
    }

    #[test]
    fn an_unknown_client_error_stays_a_client_error() {
        assert_eq!(Code::from_status(StatusCode::IM_A_TEAPOT), Code::BadRequest);
        assert_eq!(Code::from_status(StatusCode::BAD_GATEWAY), Code::Internal);
        assert_eq!(Code::from_status(StatusCode::NOT_FOUND), Code::NotFound);
    }
}
