//! Extracts the facts that rules can use from a message and from a tool's arguments.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use super::event::{Event, Payload};
use rules::compile::Rulebook;
use rules::facts::{ExtractedFacts, Fact, Lookup};

struct InMessage<'a> {
    event: &'a Event,
    arguments: Option<&'a Value>,
}

impl Lookup for InMessage<'_> {
    fn lookup(&self, pointer: &str) -> Option<Value> {
        self.event.lookup(pointer, self.arguments)
    }

    fn all(&self, pointer: &str) -> Vec<Value> {
        self.event.values(pointer, self.arguments)
    }
}

/// Extracts the facts of a message: the facts that the rulebook maps, the caller, and the duration of the call.
#[must_use]
pub fn extract(rulebook: &Rulebook, event: &Event, arguments: Option<&Value>) -> ExtractedFacts {
    let mut extracted = rulebook.extract(&InMessage { event, arguments }, event.conversation());
    if let Some(caller) = event.call.as_ref().and_then(|call| call.customer_number.clone()) {
        let caller = rulebook.caller_number(caller);
        extracted.facts.insert("caller".to_owned(), Fact::Text(caller));
    }
    if let Payload::Report(report) = &event.payload
        && let Some(duration) = report.duration_ms
    {
        extracted
            .facts
            .insert("call_seconds".to_owned(), Fact::Number(Decimal::from(duration / 1000)));
    }
    extracted
}

/// Returns the time for which a message is decided. For a report, this is the start of the call. Otherwise it is the
/// timestamp of the message or, without a timestamp, the time of arrival.
#[must_use]
pub fn instant(event: &Event, received_at: DateTime<Utc>) -> DateTime<Utc> {
    let began = match &event.payload {
        Payload::Report(report) => report.started_at,
        _ => None,
    };
    began.or(event.at).unwrap_or(received_at)
}

/// Returns the value of a text fact, or `None` if the value is missing or empty.
#[must_use]
pub fn text<'a>(extracted: &'a ExtractedFacts, name: &str) -> Option<&'a str> {
    match extracted.facts.get(name) {
        Some(Fact::Text(text)) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// Extracts the facts of a whole Vapi message. Also returns the time for which the message is decided, if the message
/// contains a time. Returns `None` if the message cannot be read.
#[must_use]
pub fn read_message(rulebook: &Rulebook, message: &Value) -> Option<(ExtractedFacts, Option<DateTime<Utc>>)> {
    let event = super::decode::decode(message.to_string().as_bytes()).ok()?;
    let arguments = match &event.payload {
        Payload::ToolCalls(requests) => requests.first().map(|request| request.arguments.clone()),
        _ => None,
    };
    let at = instant(&event, DateTime::<Utc>::UNIX_EPOCH);
    Some((
        extract(rulebook, &event, arguments.as_ref()),
        (at != DateTime::<Utc>::UNIX_EPOCH).then_some(at),
    ))
}

/// Extracts the facts of a raw message, once for each rulebook. Returns `None` if the message cannot be read.
#[must_use]
pub fn read_body(rulebooks: &[&Rulebook], body: &[u8]) -> Option<Vec<ExtractedFacts>> {
    let event = super::decode::decode(body).ok()?;
    Some(
        rulebooks
            .iter()
            .map(|rulebook| extract(rulebook, &event, None))
            .collect(),
    )
}
