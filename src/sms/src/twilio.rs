//! Twilio's Messages API over HTTP. In: an account and a text. Out: an [`Answer`] for the table to read, or what the list
//! of messages knows of a text. Nothing of a text, its number or the provider's words goes to the log.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Client, RequestBuilder, Response, header};
use serde::Deserialize;
use uuid::Uuid;

use super::accounts::{Sender, TwilioAccount};
use super::backoff::retry_after;
use super::classify::{Answer, HttpAnswer};
use super::status::{Kind, Report, of_word};
use super::{OutboxError, OutboxSettings};
use base::http_client;

/// More than this of an answer to a POST is not read.
const ANSWER_LIMIT: usize = 64 * 1024;
/// More than this of a page of the list is not read.
const LIST_LIMIT: usize = 1024 * 1024;
/// Messages on a page of the list: those to one number since one day.
const LIST_PAGE: &str = "200";

/// A client of Twilio's. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct TwilioClient {
    http: Client,
    base_url: String,
    public_url: Option<String>,
}

/// What the provider needs to know of a text. It has no `Debug`: it holds a phone number.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// Our id, which comes back in the status callback's URL.
    pub id: Uuid,
    /// Where it goes.
    pub to: &'a str,
    /// What it says.
    pub body: &'a str,
    /// How long it is worth delivering.
    pub validity_seconds: i64,
}

/// What the list of messages says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Twilio has it.
    Found(Report),
    /// Twilio does not have it.
    Missing,
    /// The list could not be read; the answer says how.
    Unreadable(Answer),
}

/// The fields that matter of a message, an error or a page: each may be missing.
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
    /// A client that follows no redirect and waits no longer than it is told.
    pub fn new(settings: &OutboxSettings) -> Result<Self, OutboxError> {
        let http = http_client::builder(settings.request_timeout)
            .connect_timeout(settings.request_timeout.min(Duration::from_secs(5)))
            // A connection that the other side has closed meanwhile makes an outcome ambiguous for nothing.
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

    /// Posts a text.
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

    /// Looks for a text by its recipient, the day of its first attempt and the reference in its body; of several, the one
    /// that got furthest. Messages that are `known` to have failed are not meant.
    pub async fn find(
        &self,
        account: &TwilioAccount,
        to: &str,
        since: DateTime<Utc>,
        reference: &str,
        known: &[String],
        now: DateTime<Utc>,
    ) -> Listed {
        let day = since.format("%Y-%m-%d").to_string();
        let query = [("To", to), ("DateSent>", day.as_str()), ("PageSize", LIST_PAGE)];
        let Ok(url) = reqwest::Url::parse_with_params(&self.messages_url(account), query) else {
            return Listed::Unreadable(Answer::NotSent);
        };
        let (mut answer, fields) = match exchange(self.http.get(url), account, LIST_LIMIT, now).await {
            Ok(read) => read,
            Err(answer) => return Listed::Unreadable(answer),
        };
        let fields = fields.unwrap_or_default();
        let (200, Some(messages)) = (answer.status, fields.messages) else {
            answer.code = fields.code;
            return Listed::Unreadable(Answer::Http(answer));
        };
        let ours = messages.into_iter().filter_map(|message| {
            let holds_it = message.body.is_some_and(|body| body.contains(reference));
            let sid = message.sid.filter(|sid| holds_it && !known.contains(sid))?;
            // Twilio has it, whatever it says of it.
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
            Some((rank, kind)) => (kind != Kind::Failed, rank),
            None => (true, 0),
        });
        furthest.map_or(Listed::Missing, Listed::Found)
    }

    fn messages_url(&self, account: &TwilioAccount) -> String {
        format!("{}/2010-04-01/Accounts/{}/Messages.json", self.base_url, account.sid)
    }
}

/// Sends a request and reads its answer: the head, and the body's fields when it is JSON within the limit.
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
            tracing::debug!(error = %error.without_url(), never_left, "no answer from Twilio");
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
    // A body that breaks off is an unreadable one: the status still counts.
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
