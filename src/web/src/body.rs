//! Reads request bodies with limits on size, time and memory.
//!
//! A body that is too large gets 413 immediately. A body that arrives too slowly gets 408. A body for which there is no
//! memory gets 503. Bodies are never decompressed, because signatures cover the bytes as received.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use poem::{Body, Request, http::header};

use super::ClientAddress;
use super::body_memory::{Bodies, DEADLINE, FREE, Room};
use super::connections::Connection;
use crate::problem::{Code, Problem};

/// Maximum size of a webhook body in bytes.
pub const WEBHOOK_LIMIT: usize = 5 * 1024 * 1024;

/// If there is no memory for a body, its client should retry after this number of seconds.
const RETRY_AFTER_S: u32 = 2;
/// Maximum time for receiving the rest of a rejected body.
const DISCARD_DEADLINE: Duration = Duration::from_secs(2);
/// Maximum time to wait for the next bytes of a rejected body.
const DISCARD_STALL: Duration = Duration::from_millis(200);
/// Minimum number of bytes by which the buffer of a body grows.
const LEAST_STEP: usize = 4 * 1024;

/// A complete body and its memory reservation.
#[derive(Debug)]
pub struct ReadBody {
    /// The raw bytes.
    pub bytes: Vec<u8>,
    /// The memory reservation. Keep the reservation as long as `bytes`, because dropping it releases the memory.
    pub room: Option<Room>,
}

/// Reads the body of `request`, up to `limit` bytes.
///
/// # Errors
/// 413 when the body is longer than the limit, as declared or as received. 408 when the body takes too long, 400 when
/// it is incomplete, and 503 when there is no memory for it.
pub async fn read(request: &mut Request, limit: usize) -> Result<ReadBody, Problem> {
    let body = request.take_body();
    read_body(request, body, limit).await
}

/// Reads `body`, which was already taken out of `request`, up to `limit` bytes.
///
/// # Errors
/// The same errors as [`read`].
pub async fn read_body(request: &Request, body: Body, limit: usize) -> Result<ReadBody, Problem> {
    if let Err(problem) = check_length(request, limit) {
        discard(request, body).await;
        return Err(problem);
    }
    let connection = request.data::<Arc<Connection>>();
    if let Some(connection) = connection {
        connection.awaits_body();
    }
    let waits_for_room = AtomicBool::new(false);
    let reading = Reading {
        request,
        limit,
        most: declared_length(request).unwrap_or(limit),
        waits_for_room: &waits_for_room,
    };
    let read = tokio::time::timeout(DEADLINE, reading.finish(body)).await;
    if let Some(connection) = connection {
        connection.has_body();
    }
    match read {
        Ok(read) => read,
        Err(_) if waits_for_room.load(Ordering::Relaxed) => Err(Problem::unavailable(&NoRoom, RETRY_AFTER_S)),
        Err(_) => Err(Problem::new(
            Code::RequestTimeout,
            format!("The body did not arrive within {} seconds.", DEADLINE.as_secs()),
        )),
    }
}

/// Rejects a request whose declared body length is above `limit`. The body is not read.
///
/// # Errors
/// 413 when the declared length is above `limit`.
pub fn check_length(request: &Request, limit: usize) -> Result<(), Problem> {
    match declared_length(request) {
        Some(length) if length > limit => Err(too_large(limit)),
        _ => Ok(()),
    }
}

/// The value of `Content-Length`, capped at `usize::MAX`.
#[must_use]
pub fn declared_length(request: &Request) -> Option<usize> {
    let length = request.header(header::CONTENT_LENGTH)?.parse::<u64>().ok()?;
    Some(usize::try_from(length).unwrap_or(usize::MAX))
}

/// Reads and discards the rest of a rejected request's body. Otherwise a client that is still sending would lose the
/// response, because the connection would be reset. The function does not wait for a client that stopped sending.
pub async fn discard(request: &Request, body: Body) {
    let connection = request.data::<Arc<Connection>>();
    if let Some(connection) = connection {
        connection.awaits_body();
    }
    let arriving = async {
        let mut chunks = body.into_bytes_stream();
        while let Ok(Some(Ok(_))) = tokio::time::timeout(DISCARD_STALL, chunks.next()).await {}
    };
    // On a timeout, stop reading.
    let _ = tokio::time::timeout(DISCARD_DEADLINE, arriving).await;
    if let Some(connection) = connection {
        connection.has_body();
    }
}

struct Reading<'a> {
    request: &'a Request,
    limit: usize,
    /// Maximum length of the body: the declared length, or the limit if no length is declared.
    most: usize,
    waits_for_room: &'a AtomicBool,
}

impl Reading<'_> {
    async fn finish(self, body: Body) -> Result<ReadBody, Problem> {
        let (mut bytes, mut room): (Vec<u8>, Option<Room>) = (Vec::new(), None);
        let mut chunks = body.into_bytes_stream();
        loop {
            let chunk = tokio::select! {
                chunk = chunks.next() => chunk,
                () = must_go(room.as_ref()) => return Err(made_way()),
            };
            let Some(chunk) = chunk else { break };
            let chunk = chunk
                .map_err(|_| Problem::new(Code::BadRequest, "The body is incomplete: the connection ended early."))?;
            let needed = bytes.len() + chunk.len();
            if needed > self.limit {
                return Err(too_large(self.limit));
            }
            match &room {
                Some(room) => room.received(chunk.len()),
                None if needed > FREE => room = self.room(needed).await,
                None => {}
            }
            if needed > bytes.capacity() {
                // Let the buffer grow with the received bytes. A buffer of the declared size could leave much memory
                // unused.
                let step = (bytes.len() / 4).max(LEAST_STEP);
                let capacity = needed.max((bytes.len() + step).min(self.most));
                bytes.reserve_exact(capacity - bytes.len());
            }
            bytes.extend_from_slice(&chunk);
        }
        if let Some(room) = &room {
            room.complete();
        }
        Ok(ReadBody { bytes, room })
    }

    /// Reserves memory for the whole body. `None` if memory is not limited.
    async fn room(&self, received: usize) -> Option<Room> {
        let bodies = self.request.data::<Arc<Bodies>>()?;
        self.waits_for_room.store(true, Ordering::Relaxed);
        let room = bodies.room(ClientAddress::of(self.request), self.most, received).await;
        self.waits_for_room.store(false, Ordering::Relaxed);
        Some(room)
    }
}

async fn must_go(room: Option<&Room>) {
    match room {
        Some(room) => room.must_go().await,
        None => std::future::pending().await,
    }
}

/// The error if there is no memory for a body.
#[derive(Debug, thiserror::Error)]
#[error("incoming bodies use all the memory reserved for them")]
struct NoRoom;

fn made_way() -> Problem {
    let detail = "The body arrived too slowly while other bodies waited for memory.";
    Problem::new(Code::RequestTimeout, detail)
}

fn too_large(limit: usize) -> Problem {
    Problem::new(
        Code::PayloadTooLarge,
        format!("The body is larger than the limit of {limit} bytes."),
    )
}
