//! Gives each request an id, so that the log lines of the request can be found. The id is the client's `x-request-id`
//! if that value is valid, otherwise a new UUID. The id is in the response header, in every log line (through a span
//! around the request) and in every error body. A handler reads the id as [`RequestId`].

use std::{fmt, sync::Arc};

use poem::{
    Endpoint, IntoResponse, Middleware, Request, Response,
    http::{HeaderName, HeaderValue},
};
use tracing::{Instrument as _, field::Empty};

use base::clock::Clock;

/// The header with the id.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: RequestId;
}

/// The id of a request. It has 1 to 64 characters from `A-Z a-z 0-9 - _ .`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// Parses an id sent by a client. `None` if the id would be unsafe in headers or logs.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        ((1..=64).contains(&text.len()) && text.bytes().all(fit)).then(|| Self(text.into()))
    }

    /// The id as a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of the request that this task handles. `None` in a spawned task.
#[must_use]
pub fn current() -> Option<RequestId> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Assigns an id to each request.
pub struct WithRequestId(Clock);

impl WithRequestId {
    /// Creates the middleware. New ids get their time from `clock`.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self(clock)
    }
}

impl<E: Endpoint> Middleware<E> for WithRequestId {
    type Output = WithRequestIdEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        WithRequestIdEndpoint {
            inner,
            clock: self.0.clone(),
        }
    }
}

/// The endpoint created by [`WithRequestId`].
pub struct WithRequestIdEndpoint<E> {
    inner: E,
    clock: Clock,
}

impl<E: Endpoint> Endpoint for WithRequestIdEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let given = request.header(HEADER).and_then(RequestId::parse);
        let id = given.unwrap_or_else(|| RequestId(self.clock.new_id().to_string().into()));
        request.set_data(id.clone());
        // `telemetry::about_call`, `about_message` and `at_revision` fill the empty fields once the values are known.
        let span = tracing::info_span!(
            "request",
            request_id = id.as_str(),
            call_id = Empty,
            rulebook = Empty,
            revision = Empty,
            kind = Empty,
            taken = Empty
        );
        let answer = CURRENT
            .scope(id.clone(), self.inner.call(request))
            .instrument(span)
            .await;
        // Convert errors to responses here, so that these responses have the header as well.
        let mut response = match answer {
            Ok(output) => output.into_response(),
            Err(error) => error.into_response(),
        };
        if let Ok(value) = HeaderValue::from_str(id.as_str()) {
            response.headers_mut().insert(HEADER, value);
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sane_ids_are_taken_from_a_client() {
        for good in ["a", "018f-A_b.9", &"x".repeat(64)] {
            assert_eq!(RequestId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a\nb", "é", "<script>", &"x".repeat(65)] {
            assert!(RequestId::parse(bad).is_none(), "{bad:?}");
        }
    }
}
