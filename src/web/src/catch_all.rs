//! Turns every error of the server, of poem-openapi or of a handler, and every panic, into problem+json. If an error
//! already contains a response, this response is returned unchanged. A 405 lists the allowed methods of the route, and
//! OPTIONS gets the same list.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
};

use futures_util::FutureExt as _;
use poem::{
    Endpoint, IntoResponse, Middleware, PathPattern, Request, Response,
    http::{Method, StatusCode, header},
};

use crate::problem::{Code, Problem};

/// The allowed methods of each route.
#[derive(Clone, Debug, Default)]
pub struct AllowedMethods(BTreeMap<String, String>);

impl AllowedMethods {
    /// Adds a route. `pattern` is in the syntax of poem or OpenAPI. In `methods`, a comma and a space separate the
    /// methods.
    #[must_use]
    pub fn with(mut self, pattern: &str, methods: &str) -> Self {
        self.0.insert(without_names(pattern), with_common(methods.split(", ")));
        self
    }

    /// Adds every path of an OpenAPI document. The routes of the document are mounted at `prefix`.
    #[must_use]
    pub fn with_document(mut self, prefix: &str, document: &serde_json::Value) -> Self {
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            let methods = item
                .as_object()
                .into_iter()
                .flatten()
                .map(|(method, _)| method.to_ascii_uppercase());
            let methods: Vec<_> = methods.filter(|method| is_method(method)).collect();
            let methods = with_common(methods.iter().map(String::as_str));
            self.0.insert(without_names(&format!("{prefix}{path}")), methods);
        }
        self
    }

    fn of(&self, pattern: &str) -> Option<&str> {
        self.0.get(&without_names(pattern)).map(String::as_str)
    }
}

/// Adds the implied methods: HEAD if GET is allowed, and OPTIONS always.
fn with_common<'a>(methods: impl Iterator<Item = &'a str>) -> String {
    let mut all: BTreeSet<_> = methods.collect();
    if all.contains("GET") {
        all.insert("HEAD");
    }
    all.insert("OPTIONS");
    all.into_iter().collect::<Vec<_>>().join(", ")
}

fn is_method(word: &str) -> bool {
    matches!(word, "GET" | "PUT" | "POST" | "DELETE" | "OPTIONS" | "HEAD" | "PATCH")
}

/// Removes the parameter names from a pattern, so that `/a/:b` and `/a/{c}` give the same string.
#[must_use]
pub fn without_names(pattern: &str) -> String {
    let segments = pattern.trim_end_matches('/').split('/');
    let segments: Vec<_> = segments
        .map(|part| if part.starts_with([':', '{']) { "*" } else { part })
        .collect();
    segments.join("/")
}

/// Turns errors and panics into problems.
pub struct CatchAll(AllowedMethods);

impl CatchAll {
    /// `allowed` contains the allowed methods of each route.
    #[must_use]
    pub fn new(allowed: AllowedMethods) -> Self {
        Self(allowed)
    }
}

impl<E: Endpoint> Middleware<E> for CatchAll {
    type Output = CatchAllEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        CatchAllEndpoint {
            inner,
            allowed: self.0.clone(),
        }
    }
}

/// The endpoint created by [`CatchAll`].
pub struct CatchAllEndpoint<E> {
    inner: E,
    allowed: AllowedMethods,
}

impl<E: Endpoint> Endpoint for CatchAllEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let asks_for_methods = *request.method() == Method::OPTIONS;
        match AssertUnwindSafe(self.inner.call(request)).catch_unwind().await {
            Ok(Ok(output)) => Ok(output.into_response()),
            Ok(Err(error)) if asks_for_methods && error.status() == StatusCode::METHOD_NOT_ALLOWED => {
                let mut response = self.answer(error);
                response.set_status(StatusCode::NO_CONTENT);
                response.set_body(());
                response.headers_mut().remove(header::CONTENT_TYPE);
                Ok(response)
            }
            Ok(Err(error)) => Ok(self.answer(error)),
            // The panic hook has already logged the panic. The response omits the panic message, because it may contain
            // a caller's words.
            Err(_panic) => Ok(Problem::new(Code::Internal, "").into_response()),
        }
    }
}

impl<E> CatchAllEndpoint<E> {
    fn answer(&self, error: poem::Error) -> Response {
        let pattern = error.data::<PathPattern>().cloned();
        let methods = pattern.as_ref().and_then(|pattern| self.allowed.of(&pattern.0));
        answer(error, methods)
    }
}

/// Turns an error into a response. A 405 does not list the allowed methods.
pub fn answer_plain(error: poem::Error) -> Response {
    answer(error, None)
}

fn answer(error: poem::Error, methods: Option<&str>) -> Response {
    if error.is_from_response() || error.is::<Problem>() {
        return error.into_response();
    }
    let mut problem = Problem::from_poem(&error);
    if let Some(methods) = methods.filter(|_| error.status() == StatusCode::METHOD_NOT_ALLOWED) {
        problem = problem.with_allow(methods);
    }
    let mut response = problem.into_response();
    if let Some(pattern) = error.data::<PathPattern>() {
        response.set_data(pattern.clone());
    }
    response
}
