//! Client of Twilio's Messages API: posts an SMS message, or searches the list of messages. It logs no message content,
//! number or provider text.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Client, RequestBuilder, Response, header};
use serde::Deserialize;
use uuid::Uuid;

use super::accounts::{Sender, TwilioAccount};
use super::classify::{Answer, HttpAnswer};
use super::retry_policy::retry_after;
use super::status::{Report, StatusMeaning, of_word};
use super::{OutboxError, OutboxSettings};
use base::http_client;

/// Maximum size of the response to a POST, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024;
/// Maximum size of a page of the list, in bytes.
const LIST_LIMIT: usize = 1024 * 1024;
/// Maximum number of messages on a page of the list. The list contains only messages to one number since the day of the
/// first attempt.
const LIST_PAGE: &str = "200";

/// A client for Twilio. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct TwilioClient {
    http: Client,
    base_url: String,
    public_url: Option<String>,
}

/// An SMS message to post. It has no `Debug`, because it contains a phone number.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// Ringbook's id of the message, which is part of the URL of the status callback.
    pub id: Uuid,
    /// The recipient's number.
    pub to: &'a str,
    /// The body.
    pub body: &'a str,
    /// The validity period.
    pub validity_seconds: i64,
}

/// The result of a search in the list of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageSearch {
    /// Twilio has the message.
    Found(Report),
    /// Twilio does not have the message.
    Missing,
    /// The list could not be read, and the response shows why.
    Unreadable(Answer),
}

/// The fields that Ringbook reads from Twilio's JSON, which describes a message, an error or a page of messages. Any
/// field may be missing.
#[derive(Default, Deserialize)]
struct Fields {
    sid: Option<String>,
    status: Option<serde_json::Value>,
    code: Option<i64>,
    error_code: Option<i64>,
    body: Option<String>,
    #[serde(default)]
    messages: Option<Vec<Fields>>,
}

impl TwilioClient {
    /// Creates a client that follows no redirects and uses the configured timeout.
    pub fn new(settings: &OutboxSettings) -> Result<Self, OutboxError> {
        let http = http_client::builder(settings.request_timeout)
            .connect_timeout(settings.request_timeout.min(Duration::from_secs(5)))
            // Twilio may close an idle connection. A send over the closed connection would needlessly have an ambiguous
            // outcome.
            .pool_idle_timeout(Duration::from_secs(15))
            .user_agent(concat!("ringbook/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(OutboxError::Client)?;
        let trimmed = |url: &String| url.trim_end_matches('/').to_owned();
        Ok(Self {
            http,
            base_url: trimmed(&settings.twilio_base_url),
            public_url: settings.public_url.as_ref().map(trimmed),
        })
    }

    /// Posts an SMS message.
    pub async fn post(&self, account: &TwilioAccount, text: Outgoing<'_>, now: DateTime<Utc>) -> Answer {
        let mut form = vec![
            ("To", text.to.to_owned()),
            ("Body", text.body.to_owned()),
            ("ValidityPeriod", text.validity_seconds.to_string()),
        ];
        form.push(match &account.sender {
            Sender::From(number) => ("From", number.clone()),
            Sender::MessagingService(sid) => ("MessagingServiceSid", sid.clone()),
        });
        if let Some(public) = &self.public_url {
            form.push(("StatusCallback", format!("{public}/webhooks/twilio/status/{}", text.id)));
        }
        let request = self.http.post(self.messages_url(account)).form(&form);
        let (mut answer, fields) = match exchange(request, account, ANSWER_LIMIT, now).await {
            Ok(read) => read,
            Err(answer) => return answer,
        };
        if let Some(fields) = fields {
            if (200..300).contains(&answer.status) {
                answer.message_status = fields
                    .status
                    .as_ref()
                    .and_then(|status| status.as_str().map(str::to_owned));
                answer.sid = fields.sid.filter(|sid| !sid.is_empty());
            } else {
                answer.code = fields.code;
            }
        }
        Answer::Http(answer)
    }

    /// Searches for an SMS message by its recipient, the day of its first attempt and the reference in its body. If
    /// several messages match, prefers messages that have not failed, and among them the message with the highest
    /// status rank. Skips the messages in `known`, because they have failed.
    pub async fn find(
        &self,
        account: &TwilioAccount,
        to: &str,
        since: DateTime<Utc>,
        reference: &str,
        known: &[String],
        now: DateTime<Utc>,
    ) -> MessageSearch {
        let day = since.format("%Y-%m-%d").to_string();
        let query = [("To", to), ("DateSent>", day.as_str()), ("PageSize", LIST_PAGE)];
        let Ok(url) = reqwest::Url::parse_with_params(&self.messages_url(account), query) else {
            return MessageSearch::Unreadable(Answer::NotSent);
        };
        let (mut answer, fields) = match exchange(self.http.get(url), account, LIST_LIMIT, now).await {
            Ok(read) => read,
            Err(answer) => return MessageSearch::Unreadable(answer),
        };
        let fields = fields.unwrap_or_default();
        let (200, Some(messages)) = (answer.status, fields.messages) else {
            answer.code = fields.code;
            return MessageSearch::Unreadable(Answer::Http(answer));
        };
        let ours = messages.into_iter().filter_map(|message| {
            let holds_it = message.body.is_some_and(|body| body.contains(reference));
            let sid = message.sid.filter(|sid| holds_it && !known.contains(sid))?;
            // A message with an unknown status counts as accepted, because Twilio has the message.
            let status = message.status.as_ref().and_then(|status| status.as_str());
            let status = status
                .filter(|status| of_word(status).is_some())
                .unwrap_or("accepted")
                .to_owned();
            Some(Report {
                sid,
                status,
                error_code: message.error_code,
            })
        });
        let furthest = ours.max_by_key(|report| match of_word(&report.status) {
            Some((rank, kind)) => (kind != StatusMeaning::Failed, rank),
            None => (true, 0),
        });
        furthest.map_or(MessageSearch::Missing, MessageSearch::Found)
    }

    fn messages_url(&self, account: &TwilioAccount) -> String {
        format!("{}/2010-04-01/Accounts/{}/Messages.json", self.base_url, account.sid)
    }
}

/// Sends a request and returns the head of the response. Also returns the fields of the body, if the body is JSON and
/// not larger than `limit`.
async fn exchange(
    request: RequestBuilder,
    account: &TwilioAccount,
    limit: usize,
    now: DateTime<Utc>,
) -> Result<(HttpAnswer, Option<Fields>), Answer> {
    let response = request
        .basic_auth(&account.sid, Some(&account.token))
        .send()
        .await
        .map_err(|error| {
            let never_left = error.is_connect() || error.is_builder();
            tracing::debug!(error = %error.without_url(), never_left, "no response from Twilio");
            if never_left { Answer::NotSent } else { Answer::Unknown }
        })?;
    let asked = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let answer = HttpAnswer {
        status: response.status().as_u16(),
        retry_after: asked.and_then(|value| retry_after(value, now)),
        ..HttpAnswer::default()
    };
    // A body that is incomplete or above the limit is ignored, but the status is still used.
    let body = read_bounded(response, limit).await;
    Ok((answer, body.and_then(|body| serde_json::from_slice(&body).ok())))
}

async fn read_bounded(mut response: Response, limit: usize) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > limit {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}
