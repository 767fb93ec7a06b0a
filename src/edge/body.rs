//! Bodies of a bounded size.
//!
//! In: a request of any length, declared or chunked. Out: its raw bytes, or 413 as soon as they are too many, or
//! 408 when they come too slowly. Nothing is decompressed: signatures cover the bytes as they came.

use std::time::Duration;

use poem::{Body, Endpoint, Middleware, Request, error::ReadBodyError, http::header};

use crate::problem::{Code, Problem};

/// The most that a webhook may hold.
pub const WEBHOOK_LIMIT: usize = 5 * 1024 * 1024;

/// The most that an admin request may hold.
pub const ADMIN_LIMIT: usize = 1024 * 1024;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads the body of `request`, at most `limit` bytes of it.
///
/// # Errors
/// 413 when it is longer (by what it declares or by what comes), 408 when it takes too long, 400 when it breaks off.
pub async fn read(request: &mut Request, limit: usize) -> Result<Vec<u8>, Problem> {
    let body = request.take_body();
    read_body(request, body, limit).await
}

/// Reads a body that was taken out of `request` already.
///
/// # Errors
/// As for [`read`].
pub async fn read_body(request: &Request, body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    let declared = request
        .header(header::CONTENT_LENGTH)
        .and_then(|length| length.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > limit as u64) {
        return Err(too_large(limit));
    }
    if body.is_empty() {
        return Ok(Vec::new());
    }
    match tokio::time::timeout(PATIENCE, body.into_bytes_limit(limit)).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(ReadBodyError::PayloadTooLarge)) => Err(too_large(limit)),
        Ok(Err(_)) => Err(Problem::new(Code::BadRequest, "The body broke off before its end.")),
        Err(_) => Err(Problem::new(
            Code::RequestTimeout,
            "The body did not arrive within 10 seconds.",
        )),
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(
        Code::PayloadTooLarge,
        format!("The body is larger than the {limit} bytes that this address takes."),
    )
}

/// Bounds the bodies of what it wraps: poem-openapi's own readers take any length.
pub struct BodyLimit(pub usize);

impl<E: Endpoint> Middleware<E> for BodyLimit {
    type Output = BodyLimitEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        BodyLimitEndpoint { inner, limit: self.0 }
    }
}

/// The endpoint made by [`BodyLimit`].
pub struct BodyLimitEndpoint<E> {
    inner: E,
    limit: usize,
}

impl<E: Endpoint> Endpoint for BodyLimitEndpoint<E> {
    type Output = E::Output;

    async fn call(&self, mut request: Request) -> poem::Result<Self::Output> {
        let bytes = read(&mut request, self.limit).await?;
        request.set_body(Body::from_vec(bytes));
        self.inner.call(request).await
    }
}
