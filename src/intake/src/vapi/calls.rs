//! Loads the calls in Vapi's list that were updated in a span of time. The calls come in batches, each call once.
//!
//! Vapi returns at most 1,000 calls per request and documents no order. A full batch may lack calls, so its span is
//! halved and requested again. This finds every call, regardless of the order of the list. The calls of a full batch
//! are also used.

use std::collections::HashSet;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::client::{VapiClient, VapiError};

/// Calls per request. Vapi's maximum is 1,000, but the data of a call can be 100 kB.
pub const CALLS_PER_REQUEST: usize = 100;
/// The shortest span. A span of this length is not halved, because Vapi's timestamps have a resolution of one
/// millisecond.
const SHORTEST: TimeDelta = TimeDelta::milliseconds(1);

/// A span of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first instant.
    pub from: DateTime<Utc>,
    /// The last instant.
    pub until: DateTime<Utc>,
}

/// A call in Vapi's list.
#[derive(Clone, Debug)]
pub struct Call {
    pub id: String,
    /// All fields, as a JSON object.
    pub fields: Value,
}

/// The calls of a span, in batches.
pub struct Calls<'a> {
    client: &'a VapiClient,
    key: &'a str,
    stop: &'a CancellationToken,
    piece: usize,
    /// The spans that are not requested yet. The earliest span is the last element.
    spans: Vec<Span>,
    seen: HashSet<String>,
}

impl Call {
    /// Parses an element of the list. Returns `None` if the element is not a call.
    fn of(fields: Value) -> Option<Self> {
        let id = fields.get("id")?.as_str()?.to_owned();
        Some(Self { id, fields })
    }

    /// A string field.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    /// A timestamp field.
    #[must_use]
    pub fn instant(&self, name: &str) -> Option<DateTime<Utc>> {
        let at = DateTime::parse_from_rfc3339(self.text(name)?).ok()?;
        Some(at.to_utc())
    }

    /// The end of the call, or `None` while the call continues.
    #[must_use]
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        let ended = self.instant("endedAt");
        if self.text("status") == Some("ended") {
            return ended.or_else(|| self.instant("updatedAt"));
        }
        ended.filter(|_| self.text("status").is_none())
    }
}

impl VapiClient {
    /// The calls updated in a span.
    #[must_use]
    pub fn calls<'a>(&'a self, key: &'a str, span: Span, stop: &'a CancellationToken) -> Calls<'a> {
        Calls {
            client: self,
            key,
            stop,
            piece: CALLS_PER_REQUEST,
            spans: vec![span],
            seen: HashSet::new(),
        }
    }
}

impl Calls<'_> {
    /// Returns the next batch, without the calls of earlier batches. Returns `None` after the last batch.
    ///
    /// # Errors
    /// If the request to Vapi fails.
    pub async fn next(&mut self) -> Result<Option<Vec<Call>>, VapiError> {
        let Some(span) = self.spans.pop() else {
            return Ok(None);
        };
        let written = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let query = [
            ("updatedAtGe", written(span.from)),
            ("updatedAtLe", written(span.until)),
            ("limit", self.piece.to_string()),
        ];
        let (found, full) = match self.client.get(self.key, "/call", &query, self.stop).await {
            Ok(answered) => {
                let Value::Array(list) = answered.json else {
                    return Err(VapiError::Unreadable("the list of calls is not an array"));
                };
                let full = list.len() >= self.piece;
                (list, full)
            }
            Err(VapiError::TooLarge) if span.until - span.from > SHORTEST => (Vec::new(), true),
            Err(error) => return Err(error),
        };
        if full && span.until - span.from > SHORTEST {
            let middle = span.from + (span.until - span.from) / 2;
            self.spans.push(Span {
                from: middle,
                until: span.until,
            });
            self.spans.push(Span {
                from: span.from,
                until: middle,
            });
        } else if full {
            tracing::warn!(
                calls = found.len(),
                "more calls changed in one millisecond than Vapi returns per request; some may be missing"
            );
        }
        let new = found.into_iter().filter_map(Call::of);
        let seen = &mut self.seen;
        Ok(Some(new.filter(|call| seen.insert(call.id.clone())).collect()))
    }
}
