//! An HTTP client that checks every response of the admin API against the OpenAPI document; see [`super::contract`].

use std::ops::Deref;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{IntoUrl, Method, RequestBuilder, Response};
use serde::Serialize;

use super::contract;

/// A body with more bytes may be rejected before it is read.
const ALWAYS_READ: usize = 1024 * 1024;
/// Maximum number of retries if the client did not receive the rejection of its request.
const MAX_RETRIES: usize = 10;

#[derive(Clone)]
pub struct Client(pub reqwest::Client);

/// A request to send.
pub struct Request(RequestBuilder);

/// Gives access to all other methods of the plain client.
impl Deref for Client {
    type Target = reqwest::Client;

    fn deref(&self) -> &reqwest::Client {
        &self.0
    }
}

impl Client {
    pub fn request(&self, method: Method, url: impl IntoUrl) -> Request {
        Request(self.0.request(method, url))
    }

    pub fn get(&self, url: impl IntoUrl) -> Request {
        self.request(Method::GET, url)
    }

    pub fn post(&self, url: impl IntoUrl) -> Request {
        self.request(Method::POST, url)
    }

    pub fn put(&self, url: impl IntoUrl) -> Request {
        self.request(Method::PUT, url)
    }

    pub fn patch(&self, url: impl IntoUrl) -> Request {
        self.request(Method::PATCH, url)
    }

    pub fn delete(&self, url: impl IntoUrl) -> Request {
        self.request(Method::DELETE, url)
    }
}

impl Request {
    pub fn bearer_auth(self, key: impl std::fmt::Display) -> Self {
        Self(self.0.bearer_auth(key))
    }

    pub fn header<K, V>(self, name: K, value: V) -> Self
    where
        HeaderName: TryFrom<K>,
        <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        Self(self.0.header(name, value))
    }

    pub fn body(self, body: impl Into<reqwest::Body>) -> Self {
        Self(self.0.body(body))
    }

    pub fn json<T: Serialize + ?Sized>(self, body: &T) -> Self {
        Self(self.0.json(body))
    }

    pub fn form<T: Serialize + ?Sized>(self, body: &T) -> Self {
        Self(self.0.form(body))
    }

    pub fn timeout(self, after: std::time::Duration) -> Self {
        Self(self.0.timeout(after))
    }

    /// Sends the request. A response that is not in the OpenAPI document fails the test.
    pub async fn send(self) -> reqwest::Result<Response> {
        let (client, request) = self.0.build_split();
        let request = request?;
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = execute(&client, request).await?;
        if !path.starts_with("/admin/v1") {
            return Ok(response);
        }
        contract::held(&method, &path, response).await
    }
}

/// Executes a request. The server rejects a body that is too large before it has read it, and closes the connection. A
/// client that is still writing may see the closed connection before the response, so it retries.
async fn execute(client: &reqwest::Client, mut request: reqwest::Request) -> reqwest::Result<Response> {
    let body = request.body().and_then(reqwest::Body::as_bytes);
    let mut tries = if body.is_some_and(|body| body.len() > ALWAYS_READ) {
        MAX_RETRIES
    } else {
        0
    };
    loop {
        let again = request.try_clone();
        match (client.execute(request).await, again) {
            (Err(error), Some(again)) if tries > 0 && !error.is_timeout() => {
                tries -= 1;
                request = again;
            }
            (answered, _) => return answered,
        }
    }
}
