//! A GET that the replica does not answer is answered from the primary: whoever reads learns nothing of its loss.
//!
//! It begins anew, also when the replica goes away while it waits; so it must stand outside of whatever reads.

use poem::http::{self, Method, StatusCode};
use poem::{Body, Endpoint, Request, RequestParts, Response, Result};

use store::replica::Replica;

/// Answers a request, a second time when the replica failed it.
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

/// The same request, of which a GET has no body.
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
