//! Calls an operation of the admin API in this process, for the person who signed in.
//!
//! The request runs the same code as an external request: role, masking, limits and audit log apply. The only
//! difference is the authentication: the request contains [`SignedIn`] instead of a key.

use std::sync::Arc;

use admin::auth::SignedIn;
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Body, Endpoint as _, Request, RequestParts, Response};
use serde_json::Value;
use web::catch_all::answer_plain;
use web::problem::{Code, Problem};

use crate::address::query;
use crate::refusal::Refusal;
use crate::visit::Visit;

impl Visit {
    /// Sends a GET and returns the JSON of the response.
    pub async fn read(&self, path: &str, pairs: &[(&str, &str)]) -> Result<Value, Refusal> {
        self.json(Method::GET, &format!("{path}{}", query(pairs)), None).await
    }

    /// Sends a POST and returns the JSON of the response.
    pub async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, Refusal> {
        self.json(Method::POST, path, body).await
    }

    /// Sends a request with any method and returns the JSON of the response.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Refusal> {
        self.json(method, path, body).await
    }

    /// Sends any request and returns the status and the JSON of the response. For 400, 409, 412, 422 and 428 the JSON
    /// is the problem details. Every other error status becomes a [`Refusal`]. `version` is sent as `If-Match`.
    pub async fn attempt(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        version: Option<&str>,
    ) -> Result<(StatusCode, Value), Refusal> {
        let mut request = self.inner(method, path, "application/json", body)?;
        if let Some(version) = version {
            let tag = HeaderValue::from_str(&format!("\"{version}\""));
            let no_version = |_| Problem::new(Code::BadRequest, "The version cannot be read.");
            request.headers_mut().insert(header::IF_MATCH, tag.map_err(no_version)?);
        }
        let api = Arc::clone(&self.console.api);
        let mut response = api.call(request).await.unwrap_or_else(answer_plain);
        let status = response.status();
        let is_told = matches!(
            status,
            StatusCode::BAD_REQUEST
                | StatusCode::CONFLICT
                | StatusCode::PRECONDITION_FAILED
                | StatusCode::PRECONDITION_REQUIRED
                | StatusCode::UNPROCESSABLE_ENTITY
        );
        if !status.is_success() && !is_told {
            return Err(refused(response).await);
        }
        let bytes = response.take_body().into_bytes().await;
        let bytes = bytes.map_err(|error| Problem::internal(&error))?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    /// Sends a GET and returns the response as CSV.
    pub async fn sheet(&self, path: &str, pairs: &[(&str, &str)]) -> Result<Response, Refusal> {
        let address = format!("{path}{}", query(pairs));
        let response = self.call(Method::GET, &address, "text/csv", None).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refused(response).await)
    }

    /// Sends a DELETE.
    pub async fn delete(&self, path: &str) -> Result<(), Refusal> {
        let response = self.call(Method::DELETE, path, "application/json", None).await?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(refused(response).await)
    }

    /// Opens a stream of events.
    pub async fn events(&self, path: &str) -> Result<Response, Refusal> {
        let response = self.call(Method::GET, path, "text/event-stream", None).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refused(response).await)
    }

    async fn json(&self, method: Method, address: &str, body: Option<&Value>) -> Result<Value, Refusal> {
        let mut response = self.call(method, address, "application/json", body).await?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        let bytes = response
            .take_body()
            .into_bytes()
            .await
            .map_err(|error| Problem::internal(&error))?;
        let value = serde_json::from_slice(&bytes).map_err(|error| Problem::internal(&error))?;
        Ok(value)
    }

    /// Sends a request, with a JSON body or without a body.
    pub async fn call(
        &self,
        method: Method,
        address: &str,
        accept: &'static str,
        body: Option<&Value>,
    ) -> Result<Response, Refusal> {
        let request = self.inner(method, address, accept, body)?;
        let api = Arc::clone(&self.console.api);
        Ok(api.call(request).await.unwrap_or_else(answer_plain))
    }

    /// Builds the request to the API. The client address and the connection are copied from the person's request. The
    /// headers of the person's request are not copied.
    fn inner(
        &self,
        method: Method,
        address: &str,
        accept: &'static str,
        body: Option<&Value>,
    ) -> Result<Request, Refusal> {
        let outer = &self.request;
        let (mut parts, ()) = http::Request::new(()).into_parts();
        let no_address = |_| Problem::new(Code::BadRequest, "The URL cannot be parsed.");
        parts.method = method;
        parts.uri = address.parse().map_err(no_address)?;
        parts.headers = HeaderMap::new();
        parts.headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        parts.extensions = outer.extensions().clone();
        parts.extensions.insert(SignedIn(self.key.id));
        let body = match body {
            Some(body) => {
                let json = HeaderValue::from_static("application/json");
                parts.headers.insert(header::CONTENT_TYPE, json);
                Body::from_string(body.to_string())
            }
            None => Body::empty(),
        };
        let from = (
            parts,
            outer.local_addr().clone(),
            outer.remote_addr().clone(),
            outer.scheme().clone(),
        );
        Ok(Request::from_parts(RequestParts::from(from), body))
    }
}

/// Converts an error response of the API into a [`Refusal`].
pub async fn refused(mut response: Response) -> Refusal {
    let status = response.status();
    let wait = response.header(header::RETRY_AFTER).map(ToOwned::to_owned);
    let bytes = response.take_body().into_bytes().await.unwrap_or_default();
    let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    Refusal {
        status,
        detail: problem["detail"].as_str().unwrap_or_default().to_owned(),
        fields: fields(&problem),
        wait,
    }
}

/// The field and the message of each error in the problem details.
fn fields(problem: &Value) -> Vec<(String, String)> {
    let errors = problem["errors"].as_array().into_iter().flatten();
    let fields = errors.filter_map(|error| {
        let place = error["pointer"].as_str()?.trim_start_matches('/').to_owned();
        Some((place, error["detail"].as_str().unwrap_or_default().to_owned()))
    });
    fields.collect()
}
