//! Requests to Vapi. In: a path and a key. Out: JSON, or why there is none; what may pass by itself is tried again, each
//! time after a longer pause.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Client, Response, StatusCode, header};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use base::http_client;

/// How long a request may take: a page of long calls is several megabytes.
const TIMEOUT: Duration = Duration::from_secs(30);
/// More than this of an answer is not read.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;
/// How often a request is tried.
const TRIES: u32 = 5;
/// The pause after the first failure; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// No pause is longer, whatever Vapi asks for: then the next run tries again.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Why Vapi did not answer.
#[derive(Debug, thiserror::Error)]
pub enum VapiError {
    /// The HTTP client could not be made.
    #[error("the HTTP client for Vapi could not be made")]
    Client(#[source] reqwest::Error),
    /// The key is refused.
    #[error("Vapi refuses the key (HTTP {0})")]
    Credentials(u16),
    /// Too many requests, or an error of Vapi's own.
    #[error("Vapi answered HTTP {0}")]
    Status(u16),
    /// No answer.
    #[error("Vapi did not answer: {0}")]
    NoAnswer(&'static str),
    /// More than we read.
    #[error("Vapi's answer is too large")]
    TooLarge,
    /// Not what was expected.
    #[error("Vapi's answer cannot be read: {0}")]
    Unreadable(&'static str),
    /// Told to stop while waiting to try again.
    #[error("stopped")]
    Stopped,
}

impl VapiError {
    /// Whether the same request may succeed in a moment.
    fn passes(&self) -> bool {
        matches!(self, Self::NoAnswer(_) | Self::Status(408 | 425 | 429 | 500..=599))
    }
}

/// A client of Vapi's. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct VapiClient {
    http: Client,
    base_url: String,
}

/// An answer.
#[derive(Debug)]
pub struct Answered {
    /// What it says.
    pub json: Value,
    /// The time at Vapi.
    pub date: Option<DateTime<Utc>>,
}

impl VapiClient {
    /// A client of the Vapi at this address.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(base_url: &str) -> Result<Self, VapiError> {
        Ok(Self {
            http: http_client::builder(TIMEOUT)
                .user_agent(concat!("ringbook/", env!("CARGO_PKG_VERSION")))
                .build()
                .map_err(VapiError::Client)?,
            base_url: base_url.trim_end_matches('/').to_owned(),
        })
    }

    /// Asks, and asks again while that may help.
    ///
    /// # Errors
    /// When there is no usable answer in the end.
    pub async fn get(
        &self,
        key: &str,
        path: &str,
        query: &[(&str, String)],
        stop: &CancellationToken,
    ) -> Result<Answered, VapiError> {
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
            tracing::debug!(error = %error, wait_ms = wait.as_millis(), "asking Vapi again in a moment");
            if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return Err(VapiError::Stopped);
            }
        }
    }

    /// Asks once. With a failure comes how long Vapi wants us to wait.
    async fn once(
        &self,
        key: &str,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Answered, (VapiError, Option<Duration>)> {
        let url = reqwest::Url::parse_with_params(&format!("{}{path}", self.base_url), query)
            .map_err(|_| (VapiError::Unreadable("VAPI_BASE_URL is no address"), None))?;
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
        let json = serde_json::from_slice(&body).map_err(|_| (VapiError::Unreadable("it is no JSON"), None))?;
        Ok(Answered { json, date })
    }
}

/// What happened, without the address, which may hold what was asked.
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
