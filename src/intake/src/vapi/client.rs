//! HTTP client for Vapi's API. It retries transient failures with exponential backoff.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Client, Response, StatusCode, header};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use base::http_client;

/// Timeout of a request. The timeout is long, because a page of long calls has several megabytes.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum size of a response, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;
/// Maximum number of tries of a request.
const TRIES: u32 = 5;
/// The pause after the first failure. The pause doubles after each further failure.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Maximum pause, even if Vapi asks for a longer pause. If all tries fail, the next run tries again.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Why a request to Vapi failed.
#[derive(Debug, thiserror::Error)]
pub enum VapiError {
    /// The HTTP client could not be created.
    #[error("the HTTP client for Vapi could not be created")]
    Client(#[source] reqwest::Error),
    /// Vapi refuses the key.
    #[error("Vapi refuses the key (HTTP {0})")]
    Credentials(u16),
    /// Vapi responded with another error status, for example 429 or 500.
    #[error("Vapi answered HTTP {0}")]
    Status(u16),
    /// No response.
    #[error("Vapi did not respond: {0}")]
    NoAnswer(&'static str),
    /// The response is larger than the limit.
    #[error("Vapi's response is too large")]
    TooLarge,
    /// The response has an unexpected format.
    #[error("Vapi's response cannot be read: {0}")]
    Unreadable(&'static str),
    /// The stop token was cancelled during the request or during a pause.
    #[error("stopped")]
    Stopped,
}

impl VapiError {
    /// Whether the error is transient.
    fn passes(&self) -> bool {
        matches!(self, Self::NoAnswer(_) | Self::Status(408 | 425 | 429 | 500..=599))
    }
}

/// A client for Vapi. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct VapiClient {
    http: Client,
    base_url: String,
}

#[derive(Debug)]
pub struct VapiResponse {
    pub json: Value,
    /// The `Date` header of the response.
    pub date: Option<DateTime<Utc>>,
}

impl VapiClient {
    /// Creates a client for this base URL.
    ///
    /// # Errors
    /// If the HTTP client cannot be created.
    pub fn new(base_url: &str) -> Result<Self, VapiError> {
        Ok(Self {
            http: http_client::builder(TIMEOUT)
                .user_agent(concat!("ringbook/", env!("CARGO_PKG_VERSION")))
                .build()
                .map_err(VapiError::Client)?,
            base_url: base_url.trim_end_matches('/').to_owned(),
        })
    }

    /// Sends a GET request, with retries.
    ///
    /// # Errors
    /// If no try succeeds.
    pub async fn get(
        &self,
        key: &str,
        path: &str,
        query: &[(&str, String)],
        stop: &CancellationToken,
    ) -> Result<VapiResponse, VapiError> {
        let mut pause = FIRST_PAUSE;
        let mut tries = 1;
        loop {
            let (error, asked) = match stop.run_until_cancelled(self.once(key, path, query)).await {
                Some(Ok(answered)) => return Ok(answered),
                Some(Err(failed)) => failed,
                None => return Err(VapiError::Stopped),
            };
            if !error.passes() || tries == TRIES {
                return Err(error);
            }
            tries += 1;
            let wait = asked.map_or(pause, |asked| asked.max(pause)).min(LONGEST_PAUSE);
            pause *= 2;
            tracing::debug!(error = %error, wait_ms = wait.as_millis(), "the request to Vapi failed and is retried");
            if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return Err(VapiError::Stopped);
            }
        }
    }

    /// Sends the request once. A failure includes the pause that Vapi asks for.
    async fn once(
        &self,
        key: &str,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<VapiResponse, (VapiError, Option<Duration>)> {
        let url = reqwest::Url::parse_with_params(&format!("{}{path}", self.base_url), query)
            .map_err(|_| (VapiError::Unreadable("VAPI_BASE_URL is not a valid URL"), None))?;
        let response = self.http.get(url).bearer_auth(key).send().await;
        let response = response.map_err(|error| (no_answer(&error), None))?;
        let status = response.status();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let asked = header(header::RETRY_AFTER)
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs);
        let date = header(header::DATE)
            .and_then(|date| DateTime::parse_from_rfc2822(date).ok())
            .map(|date| date.to_utc());
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err((VapiError::Credentials(status.as_u16()), None));
            }
            status if !status.is_success() => return Err((VapiError::Status(status.as_u16()), asked)),
            _ => {}
        }
        let body = read_bounded(response).await.map_err(|error| (error, None))?;
        let json = serde_json::from_slice(&body).map_err(|_| (VapiError::Unreadable("it is not JSON"), None))?;
        Ok(VapiResponse { json, date })
    }
}

/// The reason, without the URL, which may contain query data.
fn no_answer(error: &reqwest::Error) -> VapiError {
    VapiError::NoAnswer(if error.is_timeout() {
        "it took too long"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    })
}

async fn read_bounded(mut response: Response) -> Result<Vec<u8>, VapiError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| no_answer(&error))? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(VapiError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
