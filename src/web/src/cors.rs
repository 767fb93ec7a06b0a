//! CORS: which other websites may call the admin API from a browser.
//!
//! Only the origins in RINGBOOK_CORS_ORIGINS get the headers that let the browser pass the response to the page.
//! Without the headers, the browser withholds the response. No request is rejected here, because our own Swagger UI
//! sends an `Origin` too.

use std::sync::Arc;

use poem::{
    Endpoint, IntoResponse, Middleware, Request, Response,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
};

/// Path prefixes with CORS: the admin API, its OpenAPI document and Swagger UI, and the problem pages. Webhooks need no
/// CORS, because Vapi and Twilio do not call from a browser.
const PLACES: [&str; 4] = ["/admin/", "/openapi.json", "/docs", "/problems"];
/// The methods of the admin API.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// The headers that a page may send.
const ALLOWED_HEADERS: &str = "authorization, content-type, if-match, if-none-match, idempotency-key, x-request-id";
/// Response headers that a page may read, in addition to the headers that every page may read.
const EXPOSED: &str = "allow, content-disposition, etag, idempotent-replayed, location, retry-after, x-request-id, \
                       x-ringbook-dry-run";

/// Lets pages of the configured origins call the API.
pub struct Cors(Arc<[String]>);

impl Cors {
    /// `origins` contains web origins such as `https://admin.example.com`.
    pub fn new(origins: &[String]) -> Self {
        Self(origins.into())
    }
}

impl<E: Endpoint> Middleware<E> for Cors {
    type Output = CorsEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        CorsEndpoint {
            inner,
            origins: self.0.clone(),
        }
    }
}

/// The endpoint created by [`Cors`].
pub struct CorsEndpoint<E> {
    inner: E,
    origins: Arc<[String]>,
}

impl<E: Endpoint> Endpoint for CorsEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let ours = PLACES.iter().any(|place| request.uri().path().starts_with(place));
        let origin = request.headers().get(header::ORIGIN).filter(|_| ours).cloned();
        let Some(origin) = origin.filter(|origin| self.origins.iter().any(|allowed| origin == allowed)) else {
            return self.inner.call(request).await.map(IntoResponse::into_response);
        };
        let preflight = *request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let mut response = if preflight {
            StatusCode::NO_CONTENT.into_response()
        } else {
            self.inner.call(request).await?.into_response()
        };
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        headers.insert(
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("cross-origin"),
        );
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        if preflight {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static(ALLOWED_HEADERS),
            );
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
        Ok(response)
    }
}
