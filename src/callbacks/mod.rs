//! Twilio speaks to us: what became of a text, and what people text back.
//!
//! In: form POSTs of anybody. Out: an answer, and what [`crate::outbox`] makes of what is proven to be Twilio's.
//! A request passes, in this order: a bounded body, [`form`] (400 when it is none), whose account it is about, [`signature`]
//! (403, also where it is nobody's), the allowance of the account at its address, and only then the database is written to, in a
//! task of its own, so that a client that hangs up cuts nothing in two. [`status`] and [`inbound`] are the two routes.

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

use crate::edge::connections::Connection;
use crate::edge::{ClientAddress, RateLimiter, bodies, body};
use crate::outbox::{Outbox, OutboxError, TwilioAccount};
use crate::problem::{Code, Problem};
use crate::telemetry::metrics;
use crate::telemetry::sampled::Sampler;
use form::Form;

/// The most that a callback may hold: Twilio's are a few kilobytes.
const LIMIT: usize = 256 * 1024;
/// How long a callback may wait for the database.
const DATABASE_BUDGET: Duration = Duration::from_secs(2);
/// When to try again what could not be taken in.
const RETRY_AFTER_S: u32 = 2;
/// Log lines of refused callbacks: 50 at once, then five a second.
static REFUSALS: Sampler = Sampler::with_interval(50, Duration::from_millis(200));
/// The header that proves a request.
const SIGNATURE: &str = "x-twilio-signature";

/// What the routes need.
#[derive(Clone)]
pub struct Callbacks {
    /// Knows the texts and the accounts.
    pub outbox: Outbox,
    /// How much each address may send.
    pub limiter: Arc<RateLimiter>,
    /// The address that Twilio calls: its signatures are over it.
    pub public_url: Option<String>,
    /// Whose the accounts are.
    pub directory: directory::Directory,
    /// The rulebook that an address without one means.
    pub default_rulebook: &'static str,
    /// Transactions under way, waited for at the end.
    pub tasks: TaskTracker,
}

/// A callback could not be taken in.
#[derive(Debug, thiserror::Error)]
enum TakeError {
    /// The database did not do it.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// It did not do it in time.
    #[error("the database did not answer within 2 s")]
    TooSlow,
    /// The task ended by itself.
    #[error("the callback's task ended: {0}")]
    Stopped(String),
}

impl Callbacks {
    /// The form that a request brings.
    async fn form(&self, request: &Request, body: poem::Body) -> Result<Form, Problem> {
        body::check_length(request, LIMIT)?;
        // A small form is read all the same: whoever sets callbacks up learns what is wrong with it.
        let is_small = body::declared_length(request).is_none_or(|length| length <= bodies::FREE)
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
            let detail = "The body must be a form, as Twilio sends it: names and values in UTF-8, percent-encoded.";
            Problem::new(Code::BadRequest, detail)
        })
    }

    /// Whether the account's token signed the request.
    fn is_signed(&self, request: &Request, form: &Form, account: &TwilioAccount) -> bool {
        let Some(public) = &self.public_url else {
            tracing::warn!("a callback of Twilio's cannot be verified: RINGBOOK_PUBLIC_URL is not set");
            return false;
        };
        let path = request.original_uri().path_and_query();
        let url = format!(
            "{}{}",
            public.trim_end_matches('/'),
            path.map_or("/", |path| path.as_str())
        );
        let given = request.header(SIGNATURE).unwrap_or_default();
        signature::verify(&account.token, &url, form, given)
    }

    /// A signed request of an account at an address: 429 where it sends too many.
    fn admit(&self, request: &Request, rulebook_id: Uuid) -> Result<(), Problem> {
        Connection::prove(request);
        self.limiter.admit(ClientAddress::of(request), rulebook_id)
    }

    /// 403 that says nothing more, or 429 when too many from this address were refused.
    fn refuse(&self, request: &Request, what: &str) -> Problem {
        let address = ClientAddress::of(request);
        metrics::signature_failed();
        if let Some(left_out) = REFUSALS.admit() {
            let left_out = Some(left_out).filter(|count| *count > 0);
            tracing::warn!(address = %address.0, left_out, "{what} of Twilio's refused: its signature is missing or wrong, or the account is gone");
        }
        let answer = Problem::new(
            Code::SignatureInvalid,
            "The request is not signed with the auth token of this rulebook's Twilio account.",
        );
        self.limiter.failed(address, answer)
    }

    /// The answer to a request about `what`, which is nobody's: 404 for who signs as the default rulebook's account, and for
    /// everybody else what they would get if it were somebody's.
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

    /// Does it in a task of its own, within its budget.
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

/// 400: a field is missing or is not what Twilio sends.
fn bad_field(name: &str, what: &str) -> Problem {
    Problem::new(Code::BadRequest, format!("The field `{name}` must be {what}."))
}

/// One of Twilio's ids, such as `SM…`: letters and digits.
fn sid<'a>(form: &'a Form, name: &str) -> Result<&'a str, Problem> {
    let given = form.get(name).unwrap_or_default();
    if (1..=64).contains(&given.len()) && given.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(given)
    } else {
        Err(bad_field(name, "an id of Twilio's, letters and digits"))
    }
}
