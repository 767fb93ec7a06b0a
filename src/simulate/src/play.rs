//! Plays one call: sends its messages and counts the responses.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use serde_json::Value;
use tokio::time::Instant;

use super::SimulateOptions;
use super::conversation::{CallStep, Conversation};
use super::dice::Dice;
use super::tally::SimulationTally;
use base::clock::Clock;
use base::http_client;
use intake::auth::verify::{HmacSettings, Payload, Scheme, Secret, sign};

/// The client that plays calls against one server.
pub(super) struct Player {
    client: Client,
    url: Url,
    scheme: Scheme,
    secret: Secret,
    clock: Clock,
    at: Option<DateTime<Utc>>,
    tally: Arc<Mutex<SimulationTally>>,
}

/// The webhook's URL. If `address` has no path, the URL gets the path `/webhooks/vapi`. `rulebook` is appended to the
/// path.
///
/// # Errors
/// If `address` is not an http or https URL.
pub fn webhook_url(address: &str, rulebook: Option<&str>) -> anyhow::Result<Url> {
    // Whether `address` is a host and a port without a scheme, such as `localhost:8080`.
    let bare = !address.contains("://")
        && address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.split('/').next().is_some_and(is_port));
    let address = if bare {
        format!("http://{address}")
    } else {
        address.to_owned()
    };
    let mut url = Url::parse(&address).with_context(|| format!("{address:?} is not a URL"))?;
    anyhow::ensure!(
        matches!(url.scheme(), "http" | "https"),
        "{address:?} is neither http nor https"
    );
    if url.path() == "/" {
        url.set_path("/webhooks/vapi");
    }
    if let (Some(rulebook), Ok(mut path)) = (rulebook, url.path_segments_mut()) {
        path.pop_if_empty().push(rulebook);
    }
    Ok(url)
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Player {
    pub(super) fn new(
        options: &SimulateOptions,
        clock: Clock,
        tally: Arc<Mutex<SimulationTally>>,
    ) -> anyhow::Result<Self> {
        anyhow::ensure!(!options.secret.is_empty(), "the webhook secret is empty");
        Ok(Self {
            // Vapi waits this long for the response to a tool call.
            client: http_client::builder(Duration::from_secs(20))
                .pool_max_idle_per_host(options.concurrency.max(1))
                .build()
                .context("the HTTP client cannot be created")?,
            url: webhook_url(&options.url, options.rulebook.as_deref())?,
            scheme: Scheme::Hmac(HmacSettings::default()),
            secret: Secret::new("simulate", options.secret.as_str()),
            clock,
            at: options.at,
            tally,
        })
    }

    /// Plays call number `index` from its first ring to its report.
    pub(super) async fn play(&self, seed: u64, index: u64) {
        // All messages of a call are sent within moments, but their timestamps cover minutes. The start is in the past,
        // so that the call ends before now.
        let started = self.at.unwrap_or_else(|| self.clock.now() - TimeDelta::minutes(3));
        let dice = Dice::new(seed, index);
        let mut call = if index == 0 {
            Conversation::first(dice, started)
        } else {
            Conversation::new(dice, started)
        };
        for step in call.steps() {
            let (body, tool_call_id) = call.body(&step);
            let answer = self.send(&step, &body).await;
            if let (CallStep::Tool(name), Some(id), Some(answer)) = (&step, tool_call_id, answer) {
                let result = tool_result(&answer, &id);
                self.tally().tool(&result);
                let (Ok(text) | Err(text)) = result;
                call.returned(&id, name, &text);
            }
        }
        self.tally().call();
    }

    /// Sends a message. Returns the response's body if the status is 2xx.
    async fn send(&self, step: &CallStep, body: &Value) -> Option<Vec<u8>> {
        let body = body.to_string().into_bytes();
        let payload = Payload {
            method: "POST",
            url: self.url.as_str(),
            body: &body,
            ..Payload::default()
        };
        // Signing fails only for an empty secret, which `new` rejects.
        let headers = sign(&self.scheme, &self.secret, payload, self.clock.now()).unwrap_or_default();
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let began = Instant::now();
        let received = async {
            let answer = request.body(body).send().await?;
            let status = answer.status();
            Ok::<_, reqwest::Error>((status, answer.bytes().await?))
        };
        match received.await {
            Ok((status, bytes)) if status.is_success() => {
                self.tally().answered(step.type_name(), began.elapsed());
                Some(bytes.to_vec())
            }
            Ok((status, _)) => {
                self.tally().failed(status.as_u16().to_string());
                None
            }
            Err(error) => {
                self.tally().failed(what(&error).to_owned());
                None
            }
        }
    }

    fn tally(&self) -> MutexGuard<'_, SimulationTally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns what Vapi would use of a tool response: the entry with exactly this id.
fn tool_result(answer: &[u8], id: &str) -> Result<String, String> {
    let answer: Value = serde_json::from_slice(answer).map_err(|_| "the response is not JSON".to_owned())?;
    let entry = answer
        .get("results")
        .and_then(Value::as_array)
        .and_then(|results| {
            results
                .iter()
                .find(|entry| entry.get("toolCallId").and_then(Value::as_str) == Some(id))
        })
        .ok_or_else(|| "the response has no result for the tool call".to_owned())?;
    let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
    match text("result") {
        Some(result) if result.contains(['\n', '\r']) => Err("the result has a line break".to_owned()),
        Some(result) => Ok(result),
        None => Err(text("error").unwrap_or_else(|| "the entry has neither result nor error".to_owned())),
    }
}

fn what(error: &reqwest::Error) -> &'static str {
    if error.is_connect() {
        "cannot connect"
    } else if error.is_timeout() {
        "timeout"
    } else {
        "connection lost"
    }
}
