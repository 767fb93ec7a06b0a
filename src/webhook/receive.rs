//! The POST route of Vapi's messages: runs the steps in order and nothing else.
//!
//! In: raw bytes and headers. Out: what Vapi expects; 401 that tells a stranger nothing; 404 for an unknown rulebook;
//! 413 and 429 before anything is verified; 503 with Retry-After when a message cannot be taken in. What is authentic
//! but cannot be read is kept raw and answered with 200: sending it again would not make it readable.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use poem::http::{StatusCode, header};
use poem::web::{Data, Path};
use poem::{Request, Response, handler};
use tokio_util::bytes::Bytes;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::access::{Access, Accesses, DEFAULT_RULEBOOK};
use super::answer;
use super::decode;
use super::late::Origin;
use super::set_aside;
use super::transact::{Intake, Message, Outcome, TransactError};
use super::unreadable;
use super::verify::{self, Incoming, Refusal, Scheme};
use crate::edge::body::{self, WEBHOOK_LIMIT};
use crate::edge::{ClientAddress, RateLimiter};
use crate::fault_points::{self, Defect};
use crate::problem::Problem;
use crate::telemetry::{self, metrics};

/// How long a message may wait for the database.
const DATABASE_BUDGET: Duration = Duration::from_secs(2);
/// What a failed signature costs of an address's allowance.
const FAILED_SIGNATURE: NonZeroU32 = NonZeroU32::new(50).unwrap();
/// When to try again, for a message that could not be taken in.
const RETRY_AFTER_S: u32 = 2;

/// What the route needs.
#[derive(Clone)]
pub struct Webhook {
    /// Who may speak for which rulebook.
    pub accesses: Accesses,
    /// The message path.
    pub intake: Intake,
    /// How much each address may send.
    pub limiter: Arc<RateLimiter>,
    /// The address that Vapi calls, for signatures over it.
    pub public_url: Option<String>,
    /// Transactions under way, waited for at the end.
    pub tasks: TaskTracker,
}

/// Vapi's server URL of the default rulebook.
#[handler]
pub async fn receive_default(request: &Request, body: poem::Body, webhook: Data<&Webhook>) -> poem::Result<Response> {
    Ok(receive(request, body, webhook.0, DEFAULT_RULEBOOK).await?)
}

/// Vapi's server URL of a rulebook.
#[handler]
pub async fn receive_for(
    request: &Request,
    body: poem::Body,
    Path(rulebook): Path<String>,
    webhook: Data<&Webhook>,
) -> poem::Result<Response> {
    Ok(receive(request, body, webhook.0, &rulebook).await?)
}

async fn receive(request: &Request, body: poem::Body, webhook: &Webhook, code: &str) -> Result<Response, Problem> {
    let started = Instant::now();
    let address = ClientAddress::of(request);
    webhook.limiter.admit(address)?;
    let bytes = Bytes::from(body::read_body(request, body, WEBHOOK_LIMIT).await?);
    let access = webhook
        .accesses
        .get(code)
        .await
        .map_err(|error| Problem::unavailable(&error, RETRY_AFTER_S))?;
    let access = access.ok_or_else(|| Problem::not_found("rulebook of this name"))?;
    let access = admitted(request, &bytes, webhook, access, address).await?;
    let received_at = webhook.intake.clock.now();
    let event = match decode::decode(&bytes) {
        Ok(event) => event,
        Err(reason) => {
            let keep = |access| unreadable::keep(webhook.intake.clone(), access, bytes.clone(), received_at);
            let mut kept = run(webhook, keep(access)).await;
            if matches!(kept, Err(TransactError::AccessChanged)) {
                let access = readmitted(request, &bytes, webhook, code, address).await?;
                kept = run(webhook, keep(access)).await;
            }
            kept.map_err(|error| refused(&error))?;
            tracing::warn!(%reason, rulebook = code, "authentic message cannot be read; kept raw");
            metrics::message("unreadable", "unreadable", started);
            return Ok(json(&answer::Answer::Neutral.to_json()));
        }
    };
    let kind = event.kind;
    telemetry::about_call(event.call_id(), code);
    let delivery_key = delivery_key(request, &access, &event.body_hash);
    let message = Message {
        access,
        event,
        body: bytes,
        delivery_key,
        received_at,
        origin: Origin::Live,
        stands_for: None,
    };
    if fault_points::planted(Defect::CallerInTheLog) {
        tracing::info!(body = %String::from_utf8_lossy(&message.body), "a message came");
    }
    match taken(webhook, request, message, address).await {
        Ok(outcome) => {
            telemetry::at_revision(outcome.revision);
            metrics::message(kind.as_str(), outcome.taken.as_str(), started);
            tracing::info!(
                kind = kind.as_str(),
                taken = outcome.taken.as_str(),
                took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
                "message taken in"
            );
            Ok(json(&outcome.answer))
        }
        Err(problem) => {
            metrics::message(kind.as_str(), "refused", started);
            Err(problem)
        }
    }
}

/// Transacts in a task of its own; once more when the webhook's secrets changed or the caller was erased on the way.
async fn taken(
    webhook: &Webhook,
    request: &Request,
    message: Message,
    address: ClientAddress,
) -> Result<Outcome, Problem> {
    let mut message = Arc::new(message);
    for _ in 0..3 {
        let (intake, asked) = (webhook.intake.clone(), Arc::clone(&message));
        match run(webhook, async move { set_aside::transact(&intake, &asked).await }).await {
            Err(TransactError::AccessChanged) => {
                let code = message.access.code.clone();
                let access = readmitted(request, &message.body, webhook, &code, address).await?;
                let Some(known) = Arc::into_inner(message) else { break };
                message = Arc::new(Message { access, ..known });
            }
            Err(TransactError::CallErased) => {}
            other => return other.map_err(|error| refused(&error)),
        }
    }
    Err(Problem::unavailable(&TransactError::AccessChanged, RETRY_AFTER_S))
}

/// A client that hangs up cancels its handler; a transaction goes on in a task of its own, within its budget.
async fn run<T: Send + 'static>(
    webhook: &Webhook,
    work: impl Future<Output = Result<T, TransactError>> + Send + 'static,
) -> Result<T, TransactError> {
    let task = webhook.tasks.spawn(work.in_current_span());
    match tokio::time::timeout(DATABASE_BUDGET, task).await {
        Ok(Ok(result)) => result,
        Ok(Err(failed)) => Err(TransactError::Stopped(failed.to_string())),
        Err(_) => Err(TransactError::TooSlow),
    }
}

/// The settings as they stand now, if the message is let in under them too.
async fn readmitted(
    request: &Request,
    bytes: &Bytes,
    webhook: &Webhook,
    code: &str,
    address: ClientAddress,
) -> Result<Arc<Access>, Problem> {
    let access = webhook.accesses.reload(code).await;
    let access = access.map_err(|error| Problem::unavailable(&error, RETRY_AFTER_S))?;
    let access = access.ok_or_else(|| Problem::not_found("rulebook of this name"))?;
    admitted(request, bytes, webhook, access, address).await
}

/// The settings under which the message is let in: those known, else newer ones.
async fn admitted(
    request: &Request,
    bytes: &Bytes,
    webhook: &Webhook,
    access: Arc<Access>,
    address: ClientAddress,
) -> Result<Arc<Access>, Problem> {
    let Err(refusal) = verified(request, bytes, webhook, &access) else {
        return Ok(access);
    };
    if fault_points::planted(Defect::NoSignatureCheck) {
        return Ok(access);
    }
    let newer = webhook.accesses.newer(&access).await;
    let newer = newer.map_err(|error| Problem::unavailable(&error, RETRY_AFTER_S))?;
    let refusal = match newer.map(|newer| (verified(request, bytes, webhook, &newer), newer)) {
        Some((Ok(()), newer)) => return Ok(newer),
        Some((Err(refusal), _)) => refusal,
        None => refusal,
    };
    webhook.limiter.penalize(address, FAILED_SIGNATURE);
    metrics::signature_failed();
    tracing::warn!(rulebook = access.code, reason = refusal.code(), address = %address.0, "webhook refused: {refusal}");
    Err(Problem::unauthorized())
}

fn verified(request: &Request, bytes: &Bytes, webhook: &Webhook, access: &Access) -> Result<(), Refusal> {
    let path = request
        .original_uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let base = webhook.public_url.as_deref().unwrap_or_default();
    let url = format!("{}{path}", base.trim_end_matches('/'));
    let incoming = Incoming {
        method: request.method().as_str(),
        url: &url,
        headers: request.headers(),
        body: bytes,
    };
    let verified = verify::verify(&incoming, &access.auth, &access.secrets, webhook.intake.clock.now())?;
    tracing::debug!(scheme = verified.scheme, secret = verified.secret_id, "verified");
    Ok(())
}

fn refused(error: &TransactError) -> Problem {
    if let TransactError::Rulebook(crate::rulebook::current::LoadError::Faults { revision, faults }) = error {
        tracing::error!(revision, faults = faults.len(), "the head revision does not compile");
    }
    telemetry::log_cause("message_refused", error);
    Problem::unavailable(error, RETRY_AFTER_S)
}

/// The configured message id, else the hash of the body.
fn delivery_key(request: &Request, access: &Access, body_hash: &[u8; 32]) -> String {
    let header = access.auth.schemes.iter().find_map(|scheme| match scheme {
        Scheme::Hmac(settings) => settings.message_id_header.as_deref(),
        _ => None,
    });
    let given = header
        .and_then(|header| request.header(header))
        .filter(|id| !id.is_empty() && id.len() <= 200);
    given.map_or_else(|| hex::encode(body_hash), ToOwned::to_owned)
}

fn json(answer: &serde_json::Value) -> Response {
    Response::builder()
        .status(StatusCode::OK)
        .header(header::CONTENT_TYPE, "application/json")
        .body(answer.to_string())
}
