//! Adds security headers to all responses. A header that a response sets itself is not changed. Pages for people set
//! their own content policy. All other responses are data, and the default policy lets them load nothing. If browsers
//! reach the server over HTTPS, an HSTS header makes them use only HTTPS.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use poem::{
    Endpoint, IntoResponse, Middleware, Request, Response,
    http::{HeaderName, HeaderValue, header},
};
use sha2::{Digest as _, Sha256};

/// Headers that every response gets unless it sets them itself.
const DEFAULTS: [(HeaderName, &str); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
];

/// The value of the HSTS header. A browser that gets it uses only HTTPS for a year.
const HTTPS_ONLY: &str = "max-age=31536000";

/// Returns the hash with which a content policy allows an inline script or style.
#[must_use]
pub fn sha256(text: &str) -> String {
    BASE64.encode(Sha256::digest(text.as_bytes()))
}

/// Returns the content policy of a page that loads nothing and uses only the inline style `style`.
#[must_use]
pub fn page_policy(style: &str) -> Option<HeaderValue> {
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        sha256(style)
    );
    HeaderValue::from_str(&policy).ok()
}

/// Builds the response for a page that loads nothing and uses only the inline style `style`.
#[must_use]
pub fn page(html: String, style: &str) -> Response {
    let mut response = Response::builder().content_type("text/html; charset=utf-8").body(html);
    if let Some(policy) = page_policy(style) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Adds the security headers.
pub struct SecurityHeaders {
    /// Whether browsers reach the server over HTTPS.
    pub https: bool,
}

impl<E: Endpoint> Middleware<E> for SecurityHeaders {
    type Output = SecurityHeadersEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        SecurityHeadersEndpoint {
            inner,
            https: self.https,
        }
    }
}

/// The endpoint created by [`SecurityHeaders`].
pub struct SecurityHeadersEndpoint<E> {
    inner: E,
    https: bool,
}

impl<E: Endpoint> Endpoint for SecurityHeadersEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let mut response = match self.inner.call(request).await {
            Ok(output) => output.into_response(),
            Err(error) => error.into_response(),
        };
        for (name, value) in DEFAULTS {
            response
                .headers_mut()
                .entry(name)
                .or_insert(HeaderValue::from_static(value));
        }
        if self.https {
            let stay = HeaderValue::from_static(HTTPS_ONLY);
            response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, stay);
        }
        Ok(response)
    }
}
