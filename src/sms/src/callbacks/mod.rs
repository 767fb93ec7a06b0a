//! Twilio's callbacks: statuses of SMS messages, and replies.
//!
//! A request must pass four checks, in this order: the size of its body, [`form`] (else 400), [`signature`] (else 403,
//! even if the account is unknown), and the rate limit. After these checks a separate task writes to the database. A
//! client that disconnects does not interrupt this task. [`status`] and [`inbound`] are the two routes.

pub mod directory;
pub mod form;
pub mod inbound;
pub mod signature;
pub mod status;

use std::sync::Arc;
use std::time::Duration;

use poem::Request;
use poem::http::header;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{Outbox, OutboxError, TwilioAccount};
use base::telemetry::metrics;
use base::telemetry::sampling::Sampler;
use form::Form;
use web::body_memory;
use web::connections::Connection;
use web::problem::{Code, Problem};
use web::{ClientAddress, RateLimiter, body};

/// Maximum size of a callback in bytes. A callback from Twilio has a few kilobytes.
const LIMIT: usize = 256 * 1024;
/// How long a callback may wait for the database.
const DATABASE_BUDGET: Duration = Duration::from_secs(2);
/// The Retry-After of a callback that could not be recorded.
const RETRY_AFTER_S: u32 = 2;
/// Limits log lines about rejected callbacks: 50 immediately, then five per second.
static REFUSALS: Sampler = Sampler::with_interval(50, Duration::from_millis(200));
const SIGNATURE: &str = "x-twilio-signature";

/// The state of the routes.
#[derive(Clone)]
pub struct Callbacks {
    pub outbox: Outbox,
    /// The rate limit of each client address.
    pub limiter: Arc<RateLimiter>,
    /// The public URL, which Twilio's signatures cover.
    pub public_url: Option<String>,
    pub directory: directory::Directory,
    /// The code of the rulebook for a URL without a rulebook.
    pub default_rulebook: &'static str,
    /// Transactions in progress, for which shutdown waits.
    pub tasks: TaskTracker,
}

/// A callback could not be recorded.
#[derive(Debug, thiserror::Error)]
enum TakeError {
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The database did not respond in time.
    #[error("the database did not respond within 2 s")]
    TooSlow,
    /// The task panicked.
    #[error("the task of the callback panicked: {0}")]
    Stopped(String),
}

impl Callbacks {
    /// Parses the form of a request.
    async fn form(&self, request: &Request, body: poem::Body) -> Result<Form, Problem> {
        body::check_length(request, LIMIT)?;
        // A small form is parsed before authentication, so that an administrator who configures callbacks sees what is
        // wrong.
        let is_small = body::declared_length(request).is_none_or(|length| length <= body_memory::FREE)
            && !request.headers().contains_key(header::TRANSFER_ENCODING);
        if request.header(SIGNATURE).is_none() && !is_small {
            body::discard(request, body).await;
            return Err(self.refuse(request, "a callback"));
        }
        let read = body::read_body(request, body, LIMIT).await;
        let read = read.map_err(|problem| match problem.code() {
            Code::RequestTimeout => self.limiter.failed(ClientAddress::of(request), problem),
            _ => problem,
        })?;
        Form::read(&read.bytes).ok_or_else(|| {
            let detail = "The body must be a form, as Twilio sends it: each name once, names and values in UTF-8, percent-encoded.";
            Problem::new(Code::BadRequest, detail)
        })
    }

    /// Whether the account's token signed the request.
    fn is_signed(&self, request: &Request, form: &Form, account: &TwilioAccount) -> bool {
        let Some(public) = &self.public_url else {
            tracing::warn!("a callback from Twilio cannot be verified: set RINGBOOK_PUBLIC_URL");
            return false;
        };
        let path = request.original_uri().path_and_query();
        let url = format!(
            "{}{}",
            public.trim_end_matches('/'),
            path.map_or("/", |path| path.as_str())
        );
        // A request with two signatures is refused, because a proxy may have checked only one of them.
        let mut sent = request.headers().get_all(SIGNATURE).iter();
        let (Some(given), None) = (sent.next(), sent.next()) else {
            return false;
        };
        let given = given.to_str().unwrap_or_default();
        signature::verify(&account.token, &url, form, given)
    }

    /// Applies the rate limit to a signed request. Too many requests get the status 429.
    fn admit(&self, request: &Request, rulebook_id: Uuid) -> Result<(), Problem> {
        Connection::prove(request);
        self.limiter.admit(ClientAddress::of(request), rulebook_id)
    }

    /// Builds the response to a rejected request: 403 without details, or 429 if too many requests from this address
    /// were rejected.
    fn refuse(&self, request: &Request, what: &str) -> Problem {
        let address = ClientAddress::of(request);
        metrics::signature_failed();
        if let Some(left_out) = REFUSALS.admit() {
            let left_out = Some(left_out).filter(|count| *count > 0);
            tracing::warn!(
                address = %address.0,
                left_out,
                "{what} from Twilio was rejected: its signature is missing or wrong, or the account no longer exists"
            );
        }
        let answer = Problem::new(
            Code::SignatureInvalid,
            "The request is not signed with the auth token of this rulebook's Twilio account.",
        );
        self.limiter.failed(address, answer)
    }

    /// Builds the response to a request about an unknown `what`. The response is 404 if the default rulebook's account
    /// signed the request. Otherwise, the response is the same as for a wrong signature.
    async fn refuse_unknown(&self, request: &Request, form: &Form, what: &str) -> Result<Problem, Problem> {
        let unavailable = |error: OutboxError| Problem::unavailable(&error, RETRY_AFTER_S);
        let all = self.outbox.rulebooks().await.map_err(unavailable)?;
        let default = all.into_iter().find(|(_, code)| code == self.default_rulebook);
        let account = match default {
            Some((id, _)) => self.outbox.accounts().of(id).await.map_err(unavailable)?,
            None => None,
        };
        if account.is_some_and(|account| self.is_signed(request, form, &account)) {
            Ok(Problem::not_found(what))
        } else {
            Ok(self.refuse(request, what))
        }
    }

    /// Runs a transaction in a separate task, within the time limit.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, OutboxError>> + Send + 'static,
    ) -> Result<T, Problem> {
        let task = self.tasks.spawn(work.in_current_span());
        let done = match tokio::time::timeout(DATABASE_BUDGET, task).await {
            Ok(Ok(done)) => done.map_err(TakeError::from),
            Ok(Err(failed)) => Err(TakeError::Stopped(failed.to_string())),
            Err(_) => Err(TakeError::TooSlow),
        };
        done.map_err(|error| Problem::unavailable(&error, RETRY_AFTER_S))
    }
}

/// Builds the response to a missing or invalid field, with status 400.
fn bad_field(name: &str, what: &str) -> Problem {
    Problem::new(Code::BadRequest, format!("The field `{name}` must be {what}."))
}

/// Reads a message SID: `SM` or `MM` and hexadecimal digits. Other characters are rejected, because Twilio's signature
/// does not mark the end of a value. The next field could be part of the SID.
fn sid<'a>(form: &'a Form, name: &str) -> Result<&'a str, Problem> {
    let given = form.get(name).unwrap_or_default();
    let digits = given.strip_prefix("SM").or_else(|| given.strip_prefix("MM"));
    match digits {
        Some(digits) if (1..=62).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(given)
        }
        _ => Err(bad_field(name, "a Twilio id: `SM` or `MM` and hexadecimal digits")),
    }
}
