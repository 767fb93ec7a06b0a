//! Which other web pages may call the admin API from a browser.
//!
//! In: a request with an `Origin`. Out: the headers that let the browser hand the answer over, for the origins of
//! RINGBOOK_CORS_ORIGINS alone. Nothing is refused here: without the headers the browser refuses by itself, and our own
//! Swagger UI sends an `Origin` too.

use std::sync::Arc;

use poem::{
    Endpoint, IntoResponse, Middleware, Request, Response,
    http::{HeaderValue, Method, StatusCode, header},
};

/// Lets pages of some origins call.
pub struct Cors(Arc<[String]>);

impl Cors {
    /// For these origins, as `https://admin.example.com`.
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

/// The endpoint made by [`Cors`].
pub struct CorsEndpoint<E> {
    inner: E,
    origins: Arc<[String]>,
}

impl<E: Endpoint> Endpoint for CorsEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let origin = request.headers().get(header::ORIGIN).cloned();
        let Some(origin) = origin.filter(|origin| self.origins.iter().any(|allowed| origin == allowed)) else {
            return self.inner.call(request).await.map(IntoResponse::into_response);
        };
        let preflight = *request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let mut response = if preflight {
            StatusCode::NO_CONTENT.into_response()
        } else {
            // An error of the routes is answered further out, where it gets no headers of ours: answer it here.
            self.inner
                .call(request)
                .await
                .map_or_else(super::catch_all::answer_plain, IntoResponse::into_response)
        };
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        let expose = HeaderValue::from_static("x-request-id, etag, retry-after, idempotent-replayed");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, expose);
        if preflight {
            let methods = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            let allowed =
                HeaderValue::from_static("authorization, content-type, if-match, idempotency-key, x-request-id");
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
        Ok(response)
    }
}
