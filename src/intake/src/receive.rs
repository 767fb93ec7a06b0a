//! The POST route for Vapi's messages: authenticates, parses, records and answers each message.
//!
//! A refused sender gets a 401 that reveals nothing, not even whether the rulebook exists. A message with invalid
//! headers is refused before its body is read. Only accepted messages count for the rate limit, so that unauthenticated
//! senders cannot exhaust it. If the database does not record a message in time, `offline` answers and stores it. If
//! `offline` fails too, the client gets 503 and Retry-After. An authentic message that cannot be parsed is stored raw
//! and answered with 200, because sending it again would not help.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use poem::http::{StatusCode, header};
use poem::web::{Data, Path};
use poem::{Request, Response, handler};
use tokio_util::bytes::Bytes;

use super::answer;
use super::auth::access::{Access, AccessError, Accesses, DEFAULT_RULEBOOK};
use super::auth::verify;
use super::auth::verify::{Incoming, Refusal, Scheme};
use super::message::{Disposition, Message, StoredBody};
use super::parse::decode;
use super::parse::event::MessageType;
use super::record::{NotRecorded, Recorder};
use super::sms_age::Origin;
use base::telemetry::sampling::Sampler;
use base::telemetry::{self, metrics};
use rules::fair_pool::{FairPool, PoolLimits};
use web::body::{self, WEBHOOK_LIMIT};
use web::body_memory::Room;
use web::connections::Connection;
use web::problem::{Code, Problem};
use web::{ClientAddress, RateLimiter};

/// Limits log lines about refused messages: 50 immediately, then five per second.
static REFUSALS: Sampler = Sampler::with_interval(50, Duration::from_millis(200));
/// Timeout for reading the webhook settings from the database.
const SETTINGS_TIMEOUT: Duration = Duration::from_secs(1);
/// The largest body, in bytes, that is hashed and parsed on an asynchronous thread.
const LARGE_BODY: usize = 64 * 1024;
/// Retry-After for a message that could not be recorded.
const RETRY_AFTER_S: u32 = 2;
/// How often a message is tried if the webhook's secrets change or the caller is erased during a try. After the last
/// try, the fallback answers.
const MAX_TRIES: u32 = 3;
/// The response header that shows how a message was handled without the database.
const DEGRADED: &str = "x-ringbook-degraded";

/// The state of the route.
#[derive(Clone)]
pub struct Webhook {
    /// The webhook settings of the rulebooks.
    pub accesses: Accesses,
    /// Records a message and answers it before its deadline.
    pub recorder: Arc<Recorder>,
    /// The rate limits of each client IP address.
    pub limiter: Arc<RateLimiter>,
    /// The public URL that Vapi calls. A signature may cover this URL.
    pub public_url: Option<String>,
    /// The threads on which large bodies are hashed and parsed.
    pub large_bodies: FairPool,
}

/// The threads for large bodies. A rulebook uses at most one of these threads. So clients that send large bodies with a
/// wrong signature do not delay the messages of other rulebooks.
#[must_use]
pub fn large_bodies() -> FairPool {
    FairPool::new(PoolLimits {
        name: "large bodies",
        threads: 2,
        queue: 64,
        queues: 256,
        patience: Duration::from_secs(5),
        niceness: 0,
    })
}

/// Processes a body: in place if it is small, on separate threads if it is large.
async fn on_body<T: Send + 'static>(
    webhook: &Webhook,
    access: &Access,
    body: &Bytes,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    if body.len() <= LARGE_BODY {
        return Ok(work());
    }
    let done = webhook.large_bodies.run(access.rulebook_id, work).await;
    done.map_err(|busy| Problem::unavailable(&busy, RETRY_AFTER_S))
}

/// Handles requests to the server URL that Vapi calls. Without a rulebook in the path, the message is for the default
/// rulebook.
#[handler]
pub async fn receive(
    request: &Request,
    body: poem::Body,
    Path(path): Path<BTreeMap<String, String>>,
    webhook: Data<&Webhook>,
) -> poem::Result<Response> {
    let (started, webhook) = (Instant::now(), webhook.0);
    let code = path.get("rulebook").map_or(DEFAULT_RULEBOOK, String::as_str);
    let Authentic {
        access,
        bytes,
        room: _room,
        arrived,
    } = authenticated(request, body, webhook, code).await?;
    let received_at = webhook.recorder.intake.clock.now();
    let body = bytes.clone();
    let event = match on_body(webhook, &access, &bytes, move || decode::decode(&body)).await? {
        Ok(event) => event,
        Err(reason) => {
            let mut kept = webhook.recorder.unreadable(&access, &bytes, received_at, arrived).await;
            if matches!(kept, Err(NotRecorded::AccessChanged)) {
                let access = readmitted(request, &bytes, webhook, code).await?;
                kept = webhook.recorder.unreadable(&access, &bytes, received_at, arrived).await;
            }
            kept.map_err(|error| refused(&error))?;
            tracing::warn!(%reason, rulebook = code, "an authentic message cannot be parsed; its raw body is stored");
            metrics::message("unreadable", "unreadable", started);
            return Ok(json(&answer::Answer::Neutral.to_json(), None));
        }
    };
    let kind = event.kind;
    telemetry::about_call(event.call_id(), code);
    let delivery_key = delivery_key(request, &access, &event.body_hash);
    let mut message = Arc::new(Message {
        access,
        event,
        body: bytes,
        stored_body: StoredBody::default(),
        delivery_key,
        received_at,
        origin: Origin::Live,
        replaces: None,
    });
    let mut tries = 0;
    let recorded = loop {
        tries += 1;
        match webhook.recorder.record(&message, arrived).await {
            Err(NotRecorded::CallErased) => {}
            Err(NotRecorded::AccessChanged) => {
                let access = readmitted(request, &message.body, webhook, code).await;
                let access = access.inspect_err(|_| metrics::message(kind.as_str(), "refused", started))?;
                let Some(known) = Arc::into_inner(message) else {
                    break Err(NotRecorded::AccessChanged);
                };
                message = Arc::new(Message { access, ..known });
            }
            other => break other,
        }
        if tries == MAX_TRIES {
            break webhook.recorder.without_database(&message).await;
        }
    };
    let outcome = recorded.map_err(|error| {
        metrics::message(kind.as_str(), "refused", started);
        refused(&error)
    })?;
    telemetry::at_revision(outcome.revision);
    metrics::message(kind.as_str(), outcome.disposition.as_str(), started);
    telemetry::about_message(kind.as_str(), outcome.disposition.as_str());
    tracing::debug!(
        took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        "message recorded"
    );
    let degraded = matches!(outcome.disposition, Disposition::Spooled | Disposition::Unrecorded);
    let mut response = json(&outcome.answer, degraded.then(|| outcome.disposition.as_str()));
    if kind == MessageType::VoiceRequest {
        // Vapi plays the body of a 200 as audio. On an error, Vapi uses the next voice of its fallback plan.
        response.set_status(StatusCode::BAD_REQUEST);
    }
    Ok(response)
}

/// A message whose sender is authenticated.
struct Authentic {
    access: Arc<Access>,
    bytes: Bytes,
    /// The memory that is reserved for the body within the memory limit. The reservation must last until the response.
    room: Option<Room>,
    /// The time at which the whole body had arrived. The deadline for the database counts from this time, so the time
    /// for sending the body does not count.
    arrived: Instant,
}

/// Reads the body of an authentic message. Checks the headers before the body is read, and the signature afterwards.
async fn authenticated(
    request: &Request,
    body: poem::Body,
    webhook: &Webhook,
    code: &str,
) -> Result<Authentic, Problem> {
    body::check_length(request, WEBHOOK_LIMIT)?;
    let access = known(webhook, code).await?;
    let access = match admitted(request, None, webhook, access).await {
        Ok(access) => access,
        Err(refused) => {
            body::discard(request, body).await;
            return Err(refused);
        }
    };
    let address = ClientAddress::of(request);
    let read = body::read_body(request, body, WEBHOOK_LIMIT).await;
    let body::ReadBody { bytes, room } = read.map_err(|problem| match problem.code() {
        Code::RequestTimeout => webhook.limiter.failed(address, problem),
        _ => problem,
    })?;
    let (bytes, arrived) = (Bytes::from(bytes), Instant::now());
    let access = admitted(request, Some(&bytes), webhook, access).await?;
    Connection::prove(request);
    webhook.limiter.admit(address, access.rulebook_id)?;
    Ok(Authentic {
        access,
        bytes,
        room,
        arrived,
    })
}

/// Returns the webhook settings of a rulebook from the cache. If they are not cached, reads them from the database or,
/// if the database is unavailable, from the snapshot.
async fn known(webhook: &Webhook, code: &str) -> Result<Arc<Access>, Problem> {
    if let Some(access) = webhook.accesses.in_memory(code).await {
        return Ok(access);
    }
    match asked(webhook, webhook.accesses.reload_or_nobody(code)).await {
        Ok(found) => Ok(found),
        Err(problem) => {
            let good = webhook.recorder.fallback.snapshots.of(code);
            good.map(|good| good.access).ok_or(problem)
        }
    }
}

/// Awaits webhook settings from the database, with a timeout.
async fn asked<T>(webhook: &Webhook, question: impl Future<Output = Result<T, AccessError>>) -> Result<T, Problem> {
    if webhook.recorder.gate.is_away() {
        return Err(Problem::unavailable(&TooLate, RETRY_AFTER_S));
    }
    let answer = tokio::time::timeout(SETTINGS_TIMEOUT, question).await;
    let answer = match answer {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(error)) => Problem::unavailable(&error, RETRY_AFTER_S),
        Err(_) => Problem::unavailable(&TooLate, RETRY_AFTER_S),
    };
    webhook.recorder.gate.suspect();
    Err(answer)
}

/// Reads the current settings, and checks that they also accept the message.
async fn readmitted(request: &Request, bytes: &Bytes, webhook: &Webhook, code: &str) -> Result<Arc<Access>, Problem> {
    let access = asked(webhook, webhook.accesses.reload_or_nobody(code)).await?;
    admitted(request, Some(bytes), webhook, access).await
}

/// Returns the settings that accept the message: the cached settings or, if these refuse the message, newer settings.
/// `bytes` is the body. Without a body, only the headers are checked.
async fn admitted(
    request: &Request,
    bytes: Option<&Bytes>,
    webhook: &Webhook,
    access: Arc<Access>,
) -> Result<Arc<Access>, Problem> {
    let Err(refusal) = verified(request, bytes, webhook, &access).await? else {
        return Ok(access);
    };
    let newer = asked(webhook, webhook.accesses.newer(&access)).await?;
    let refusal = match newer {
        Some(newer) => match verified(request, bytes, webhook, &newer).await? {
            Ok(()) => return Ok(newer),
            Err(refusal) => refusal,
        },
        None => refusal,
    };
    if refusal == Refusal::NoRulebook {
        return Err(Problem::not_found("rulebook of this name"));
    }
    let address = ClientAddress::of(request);
    metrics::signature_failed();
    if let Some(left_out) = REFUSALS.admit() {
        let left_out = Some(left_out).filter(|count| *count > 0);
        tracing::warn!(
            rulebook = access.code,
            reason = refusal.code(),
            address = %address.0,
            left_out,
            "webhook refused: {refusal}"
        );
    }
    Err(webhook.limiter.failed(address, Problem::unauthorized()))
}

/// Whether a message is authentic under these settings. `bytes` is the body. Without a body, only the headers are
/// checked.
async fn verified(
    request: &Request,
    bytes: Option<&Bytes>,
    webhook: &Webhook,
    access: &Arc<Access>,
) -> Result<Result<(), Refusal>, Problem> {
    let now = webhook.recorder.intake.clock.now();
    let Some(bytes) = bytes else {
        return Ok(verify::verify_headers(
            request.headers(),
            &access.auth,
            &access.secrets,
            now,
        ));
    };
    let path = request
        .original_uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let base = webhook.public_url.as_deref().unwrap_or_default();
    let url = format!("{}{path}", base.trim_end_matches('/'));
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let (settings, body) = (Arc::clone(access), bytes.clone());
    let work = move || {
        let incoming = Incoming {
            method: method.as_str(),
            url: &url,
            headers: &headers,
            body: &body,
        };
        verify::verify(&incoming, &settings.auth, &settings.secrets, now)
    };
    let verified = on_body(webhook, access, bytes, work).await?;
    Ok(match verified {
        Ok(_) if access.is_nobodys() => Err(Refusal::NoRulebook),
        Ok(verified) => {
            tracing::debug!(scheme = verified.scheme, secret = verified.secret_id, "verified");
            Ok(())
        }
        Err(refusal) => Err(refusal),
    })
}

fn refused(error: &NotRecorded) -> Problem {
    Problem::unavailable(error, RETRY_AFTER_S)
}

/// The database is unavailable, or took too long.
#[derive(Debug, thiserror::Error)]
#[error("the database did not return the webhook settings of the rulebook")]
struct TooLate;

/// Returns the message id from the configured header or, without this header, the hash of the body.
fn delivery_key(request: &Request, access: &Access, body_hash: &[u8; 32]) -> String {
    let header = access.auth.schemes.iter().find_map(|scheme| match scheme {
        Scheme::Hmac(settings) => settings.message_id_header.as_deref(),
        _ => None,
    });
    let from_header = header
        .and_then(|header| request.header(header))
        .filter(|id| !id.is_empty() && id.len() <= 200);
    from_header.map_or_else(|| hex::encode(body_hash), ToOwned::to_owned)
}

fn json(answer: &serde_json::Value, degraded: Option<&'static str>) -> Response {
    let response = Response::builder()
        .status(StatusCode::OK)
        .header(header::CONTENT_TYPE, "application/json");
    let response = match degraded {
        Some(how) => response.header(DEGRADED, how),
        None => response,
    };
    response.body(answer.to_string())
}
