//! Bodies of a bounded size, within a bounded time and out of a bounded store of memory.
//!
//! It reads the raw bytes, or answers 413 as soon as they are too many, 408 when they come too slowly and 503 when there is no
//! room for them. It never decompresses: signatures cover the bytes as they came.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use poem::{Body, Request, http::header};

use super::ClientAddress;
use super::bodies::{Bodies, DEADLINE, FREE, Room};
use super::connections::Connection;
use crate::problem::{Code, Problem};

/// The most that a webhook may hold.
pub const WEBHOOK_LIMIT: usize = 5 * 1024 * 1024;

/// When to try again, for a body for which there was no room.
const RETRY_AFTER_S: u32 = 2;
/// How long the rest of a refused body may take to arrive.
const DISCARD_DEADLINE: Duration = Duration::from_secs(2);
/// The same of its next bytes.
const DISCARD_STALL: Duration = Duration::from_millis(200);
/// The least by which the memory for a body grows.
const LEAST_STEP: usize = 4 * 1024;

/// A body that was read, and its room while it is worked on.
#[derive(Debug)]
pub struct ReadBody {
    /// Its bytes as they came.
    pub bytes: Vec<u8>,
    /// To be kept for as long as the bytes are.
    pub room: Option<Room>,
}

/// Reads the body of `request`, at most `limit` bytes of it.
///
/// # Errors
/// 413 when it is longer (by what it declares or by what comes), 408 when it takes too long, 400 when it breaks off, 503 when
/// too many others are on their way.
pub async fn read(request: &mut Request, limit: usize) -> Result<ReadBody, Problem> {
    let body = request.take_body();
    read_body(request, body, limit).await
}

/// Reads a body that was taken out of `request` already.
///
/// # Errors
/// As for [`read`].
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

/// Refuses a body that declares to be longer than `limit`, before anything of it is read.
///
/// # Errors
/// 413.
pub fn check_length(request: &Request, limit: usize) -> Result<(), Problem> {
    match declared_length(request) {
        Some(length) if length > limit => Err(too_large(limit)),
        _ => Ok(()),
    }
}

/// As `Content-Length` says; the longest there is where it says more than that.
#[must_use]
pub fn declared_length(request: &Request) -> Option<usize> {
    let length = request.header(header::CONTENT_LENGTH)?.parse::<u64>().ok()?;
    Some(usize::try_from(length).unwrap_or(usize::MAX))
}

/// Lets what is on its way of a refused request's body arrive, and keeps none of it: a client that is still sending would lose the
/// answer with the connection. It waits for no client that stopped sending.
pub async fn discard(request: &Request, body: Body) {
    let connection = request.data::<Arc<Connection>>();
    if let Some(connection) = connection {
        connection.awaits_body();
    }
    let arriving = async {
        let mut chunks = body.into_bytes_stream();
        while let Ok(Some(Ok(_))) = tokio::time::timeout(DISCARD_STALL, chunks.next()).await {}
    };
    // An error is the end of the time for it.
    let _ = tokio::time::timeout(DISCARD_DEADLINE, arriving).await;
    if let Some(connection) = connection {
        connection.has_body();
    }
}

struct Reading<'a> {
    request: &'a Request,
    limit: usize,
    /// How long it can be at most, by what it declares.
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
            let chunk = chunk.map_err(|_| Problem::new(Code::BadRequest, "The body broke off before its end."))?;
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
                // By what came, not by what is announced; at most a quarter of it is in vain.
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

    /// Room for all of it; none where nobody counts.
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

/// There is no room for a body.
#[derive(Debug, thiserror::Error)]
#[error("the bodies that are arriving take all the memory for them")]
struct NoRoom;

fn made_way() -> Problem {
    let detail = "The body came too slowly while others waited for the memory that it takes.";
    Problem::new(Code::RequestTimeout, detail)
}

fn too_large(limit: usize) -> Problem {
    Problem::new(
        Code::PayloadTooLarge,
        format!("The body is larger than the {limit} bytes taken here."),
    )
}
