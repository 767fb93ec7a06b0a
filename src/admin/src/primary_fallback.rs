//! Retries a GET on the primary if the replica fails, so that clients do not notice the loss of the replica.
//!
//! The retry runs the request from the beginning. The retry also starts if the replica is lost while the request waits.
//! So [`answered`] must wrap everything that reads from the database.

use poem::http::{self, Method, StatusCode};
use poem::{Body, Endpoint, Request, RequestParts, Response, Result};

use store::replica::Replica;

/// Runs a request, and runs a GET a second time if the replica failed.
pub async fn answered<E: Endpoint<Output = Response>>(
    inner: &E,
    request: Request,
    replica: &Replica,
) -> Result<Response> {
    if request.method() != Method::GET || replica.usable().is_none() {
        return inner.call(request).await;
    }
    let again = copy(&request);
    tokio::select! {
        answer = inner.call(request) => {
            let status = match &answer {
                Ok(response) => response.status(),
                Err(error) => error.status(),
            };
            if status != StatusCode::SERVICE_UNAVAILABLE {
                return answer;
            }
            replica.suspect();
        }
        () = replica.lost() => {}
    }
    inner.call(again).await
}

/// Copies a GET request, which has no body.
fn copy(request: &Request) -> Request {
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = request.method().clone();
    parts.uri = request.original_uri().clone();
    parts.version = request.version();
    parts.headers = request.headers().clone();
    parts.extensions = request.extensions().clone();
    let from = (
        parts,
        request.local_addr().clone(),
        request.remote_addr().clone(),
        request.scheme().clone(),
    );
    Request::from_parts(RequestParts::from(from), Body::empty())
}
