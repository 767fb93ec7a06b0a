//! Handles idempotency keys: a request that is sent twice is executed once.
//!
//! One transaction stores the key, the response and the effect of the request, so that all of them are stored or none. A
//! rejected request had no effect and may be retried. The response is encrypted, because it may contain a secret that
//! is shown once. The response is stored for a day.
//!
//! ```text
//! let claim = match once.begin(&state, &caller, rulebook_id).await? { Begun::Again(answer) => return Ok(answer), Begun::Go(claim) => claim };
//! let kept = claim.seal(&answer)?;
//! // in a task:  if !claim.take(&tx).await? { … a concurrent duplicate is doing it: `Once::again` }
//! //             …the effect…;  kept.write(&tx).await?;  tx.commit()
//! ```

use std::marker::PhantomData;

use chrono::{DateTime, TimeDelta, Utc};
use poem::error::ReadBodyError;
use poem::http::StatusCode;
use poem::{IntoResponse, Request, RequestBody, Response};
use poem_openapi::registry::{MetaHeader, MetaParamIn, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type as _;
use poem_openapi::{ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::auth::Caller;
use super::body;
use super::dry_run;
use super::errors::Fails;
use super::state::AdminState;
use base::clock::Clock;
use base::keys::{KeyError, SecretKey};
use revisions::publish::change_sets::Keep;
use store::idempotency_keys;
use web::problem::{Code, Problem};

pub const HEADER: &str = "Idempotency-Key";
/// The header that marks a repeated response.
pub const REPLAYED: &str = "Idempotent-Replayed";
/// How long a response is stored.
const RETENTION: TimeDelta = TimeDelta::hours(24);
/// Interval at which expired responses are deleted.
pub const CLEANUP_INTERVAL: std::time::Duration = std::time::Duration::from_hours(1);
/// Maximum length of a key.
const MAX_KEY_LENGTH: usize = 200;

/// The idempotency key of a request, if it has one.
pub struct Once(Option<KeyedRequest>);

/// A key and the hash of its request.
struct KeyedRequest {
    key: String,
    /// The hash of method, URL and body.
    hash: Vec<u8>,
}

/// Whether the server must execute a request, or has executed it before.
pub enum Begun<T> {
    /// The request is new.
    Go(Claim),
    /// The request was executed before. This is its response.
    Again(IdempotentResponse<T>),
}

/// The right to execute a request. Call [`Claim::take`] in the transaction that executes the request.
pub struct Claim(Option<Box<(idempotency_keys::Model, SecretKey)>>);

/// A response in its stored form: row id, status and encrypted body. `None` if the request has no idempotency key.
pub struct SealedResponse(Option<(Uuid, u16, Vec<u8>)>);

/// Why a response cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error("the response body is not UTF-8")]
    NotText(#[from] ReadBodyError),
    #[error("the response cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error("the response cannot be encrypted")]
    Seal(#[from] KeyError),
}

impl From<AnswerError> for Problem {
    fn from(error: AnswerError) -> Self {
        Self::internal(&error)
    }
}

impl<P> From<AnswerError> for Fails<P> {
    fn from(error: AnswerError) -> Self {
        Problem::from(error).into()
    }
}

impl Once {
    /// Checks whether the request was executed before.
    ///
    /// # Errors
    /// Returns an error if the key belongs to another request, or if the database fails.
    pub async fn begin<T>(
        &self,
        state: &AdminState,
        caller: &Caller,
        rulebook_id: Option<Uuid>,
    ) -> Result<Begun<T>, Problem> {
        let Some(asked) = &self.0 else {
            return Ok(Begun::Go(Claim(None)));
        };
        if let Some(answer) = self.found(state, caller).await? {
            return Ok(Begun::Again(answer));
        }
        let row = idempotency_keys::Model {
            id: state.clock.new_id(),
            rulebook_id,
            key_id: caller.key_id,
            idempotency_key: asked.key.clone(),
            request_hash: asked.hash.clone(),
            status: None,
            answer: None,
            created_at: state.clock.now(),
        };
        Ok(Begun::Go(Claim(Some(Box::new((row, state.key.clone()))))))
    }

    /// Returns the response of a concurrent duplicate, after [`Claim::take`] returned false.
    ///
    /// # Errors
    /// Returns an error if the key belongs to another request, or if the duplicate stored no response. If there is no
    /// response, the client may retry.
    pub async fn again<T>(&self, state: &AdminState, caller: &Caller) -> Result<IdempotentResponse<T>, Problem> {
        let found = self.found(state, caller).await?;
        found.ok_or_else(|| {
            let gone = DbErr::RecordNotFound("the response to an idempotency key".to_owned());
            Problem::unavailable(&gone, 1)
        })
    }

    /// Returns the stored response of the key, if there is one.
    ///
    /// # Errors
    /// Returns an error if the key belongs to another request, or if the database fails.
    pub async fn found<T>(
        &self,
        state: &AdminState,
        caller: &Caller,
    ) -> Result<Option<IdempotentResponse<T>>, Problem> {
        let Some(asked) = &self.0 else { return Ok(None) };
        let since = state.clock.now() - RETENTION;
        let found = idempotency_keys::find(state.latest(), caller.key_id, &asked.key, since).await?;
        let Some(found) = found else { return Ok(None) };
        if found.request_hash != asked.hash {
            let detail = "Another request was sent under this `Idempotency-Key`; use a new key for a new request.";
            return Err(Problem::new(Code::IdempotencyKeyReused, detail));
        }
        // A row without a response is never committed.
        let sealed = found.answer.unwrap_or_default();
        let opened = state.key.open(Uuid::nil(), found.id, &sealed);
        let opened = opened.map_err(|error| Problem::internal(&error))?;
        let recorded = serde_json::from_slice(&opened).map_err(|error| Problem::internal(&error))?;
        Ok(Some(IdempotentResponse {
            recorded,
            again: true,
            of: PhantomData,
        }))
    }
}

impl Claim {
    /// Claims the key. Call this function before all other writes of the transaction. If it returns false, another
    /// request has claimed the key: roll back and respond with [`Once::again`].
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn take(&self, tx: &DatabaseTransaction) -> Result<bool, DbErr> {
        match self.0.as_deref() {
            Some((row, _)) => idempotency_keys::take(tx, row.clone(), row.created_at - RETENTION).await,
            None => Ok(true),
        }
    }

    /// Encrypts the response for storage.
    ///
    /// # Errors
    /// Returns an error if the response cannot be encrypted.
    pub fn seal<T>(&self, answer: &IdempotentResponse<T>) -> Result<SealedResponse, AnswerError> {
        let Some((row, key)) = self.0.as_deref() else {
            return Ok(SealedResponse(None));
        };
        let text = serde_json::to_vec(&answer.recorded)?;
        let sealed = key.seal(Uuid::nil(), row.id, &text)?;
        Ok(SealedResponse(Some((row.id, answer.recorded.status, sealed))))
    }
}

impl SealedResponse {
    /// Writes the response. Call this function in the transaction that executes the request.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn write(self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        match self.0 {
            Some((id, status, sealed)) => idempotency_keys::settle(tx, id, status, sealed).await,
            None => Ok(()),
        }
    }
}

impl Claim {
    /// Returns a function that claims the key and writes the response, for a response that is known before the effect.
    ///
    /// # Errors
    /// Returns an error if the response cannot be encrypted.
    pub fn keeping<T>(self, answer: &IdempotentResponse<T>) -> Result<Keep, AnswerError> {
        let kept = self.seal(answer)?;
        Ok(Box::new(move |tx| {
            Box::pin(async move {
                let first = self.take(tx).await?;
                if first {
                    kept.write(tx).await?;
                }
                Ok(first)
            })
        }))
    }
}

/// A response in its sent and stored form.
#[derive(Debug, Serialize, Deserialize)]
struct RecordedResponse {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// The response `T`, new or repeated.
pub struct IdempotentResponse<T> {
    recorded: RecordedResponse,
    again: bool,
    of: PhantomData<fn() -> T>,
}

impl<T: IntoResponse> IdempotentResponse<T> {
    /// Converts a response to the form that is stored and sent.
    ///
    /// # Errors
    /// Returns an error if the body is not UTF-8. A JSON body is always UTF-8.
    pub async fn new(answer: T) -> Result<Self, AnswerError> {
        let (parts, body) = answer.into_response().into_parts();
        let headers = parts.headers.iter();
        let headers = headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
        let recorded = RecordedResponse {
            status: parts.status.as_u16(),
            headers: headers.collect(),
            body: body.into_string().await?,
        };
        Ok(Self {
            recorded,
            again: false,
            of: PhantomData,
        })
    }
}

impl<T> IntoResponse for IdempotentResponse<T> {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.recorded.status).unwrap_or(StatusCode::OK);
        let mut response = Response::builder().status(status);
        for (name, value) in &self.recorded.headers {
            response = response.header(name.as_str(), value);
        }
        if self.again {
            response = response.header(REPLAYED, "true");
        }
        response.body(self.recorded.body)
    }
}

impl<T: ApiResponse> ApiResponse for IdempotentResponse<T> {
    fn meta() -> MetaResponses {
        let mut meta = T::meta();
        for response in &mut meta.responses {
            response.headers.push(MetaHeader {
                name: REPLAYED.to_owned(),
                description: Some("`true` if the response to this `Idempotency-Key` is repeated.".to_owned()),
                required: false,
                deprecated: false,
                schema: bool::schema_ref(),
            });
        }
        meta
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<'a> ApiExtractor<'a> for Once {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    const PARAM_IS_REQUIRED: bool = false;

    type ParamType = String;
    type ParamRawType = String;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(String::schema_ref().merge(MetaSchema {
            min_length: Some(1),
            max_length: Some(MAX_KEY_LENGTH),
            ..MetaSchema::ANY
        }))
    }

    fn param_raw_type(&self) -> Option<&String> {
        self.0.as_ref().map(|asked| &asked.key)
    }

    /// Reads the body to hash it, and puts the body back for the operation.
    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<String>,
    ) -> poem::Result<Self> {
        let mut given = request.headers().get_all(HEADER).iter();
        let Some(first) = given.next() else {
            return Ok(Self(None));
        };
        let key = first
            .to_str()
            .ok()
            .filter(|key| (1..=MAX_KEY_LENGTH).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()))
            .filter(|_| given.next().is_none());
        let key = key.ok_or_else(|| {
            let detail = format!(
                "`{HEADER}` must have 1 to {MAX_KEY_LENGTH} printable ASCII characters without spaces, such as a UUID."
            );
            Problem::invalid_parameter(HEADER, detail)
        })?;
        let mut hash = Sha256::new();
        let (path, query) = (request.original_uri().path(), request.original_uri().query());
        // A dry run has the same hash as the request without `dry_run`.
        let query = query.into_iter().flat_map(|query| query.split('&'));
        let query: Vec<_> = query.filter(|pair| !dry_run::is_named_by(pair)).collect();
        hash.update(format!("{} {path}?{}\n", request.method(), query.join("&")));
        if body.is_some() {
            let bytes = body::bytes(request, body).await?;
            hash.update(&bytes);
            *body = RequestBody::new(bytes.into());
        }
        Ok(Self(Some(KeyedRequest {
            key: key.to_owned(),
            hash: hash.finalize().to_vec(),
        })))
    }
}

/// Deletes keys that are older than a day.
///
/// # Errors
/// Returns an error if the database fails.
pub async fn tidy(db: &DatabaseConnection, clock: &Clock) -> Result<(), DbErr> {
    let count = forget(db, clock.now() - RETENTION).await?;
    if count > 0 {
        tracing::debug!(count, "{count} old idempotency keys were deleted");
    }
    Ok(())
}

/// Deletes the keys that were created at `until` or earlier. Returns the number of deleted keys.
///
/// # Errors
/// Returns an error if the database fails.
pub async fn forget(db: &DatabaseConnection, until: DateTime<Utc>) -> Result<u64, DbErr> {
    let tx = store::begin(db).await?;
    let count = idempotency_keys::forget(&tx, until).await?;
    tx.commit().await?;
    Ok(count)
}
