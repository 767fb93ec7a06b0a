//! Sends events to an open page, so that its script reloads the page after a change.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use poem::http::header;
use poem::{Body, Response};

use crate::routes::Address;
use crate::visit::{Answer, Visit};

pub const ADDRESSES: &[Address] = &[Address::get("/live.events", show)];

/// Maximum duration of a stream. After this time, the browser opens a new stream, and the server checks the session
/// again.
const MAX_AGE: Duration = Duration::from_mins(5);

pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let mut inner = visit.events(&business.path("/events")).await?;
        let bytes = inner.take_body().into_bytes_stream();
        let bytes = bytes.take_until(Box::pin(tokio::time::sleep(MAX_AGE)));
        Ok(Response::builder()
            .content_type("text/event-stream")
            .header(header::CACHE_CONTROL, "no-store")
            .body(Body::from_bytes_stream(bytes)))
    })
}
