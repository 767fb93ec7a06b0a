//! Which tools the assistant wants run. In: a tool-calls message. Out: each request once, with its arguments.
//!
//! Vapi writes the same calls in up to three lists and the arguments in up to four places, as text or as an object.

use serde_json::{Map, Value};

use super::decode::{ID_LIMIT, bounded, without_nul};
use super::document::{Part, without_vast_numbers};
use super::event::ToolRequest;

/// The most tool calls of one message: far more than a model asks for at once, few enough for one transaction.
const MOST: usize = 50;
/// The most characters of a tool's name.
const NAME_LIMIT: usize = 200;

/// The union of all lists by id, at most [`MOST`]; the first of the same id wins.
pub(super) fn read(message: Part<'_>) -> Vec<ToolRequest> {
    let mut requests: Vec<ToolRequest> = Vec::new();
    let listed = ["toolCallList", "toolCalls"]
        .iter()
        .filter_map(|name| message.get(name))
        .flat_map(Part::children);
    let nested = message
        .get("toolWithToolCallList")
        .into_iter()
        .flat_map(Part::children)
        .filter_map(|tool| tool.get("toolCall"));
    for request in listed.chain(nested).filter_map(one) {
        if requests.len() == MOST {
            tracing::warn!(
                most = MOST,
                "a message asks for more tool calls than are run; the rest is left out"
            );
            break;
        }
        if !requests.iter().any(|known| known.id == request.id) {
            requests.push(request);
        }
    }
    requests
}

/// Without an id nobody could be answered, so there is no request.
fn one(call: Part<'_>) -> Option<ToolRequest> {
    let id = bounded(call.get("id"), ID_LIMIT)?;
    let function = call.get("function");
    let name = function
        .and_then(|function| function.get("name"))
        .or_else(|| call.get("name"))
        .and_then(Part::text)
        .map(|name| name.chars().take(NAME_LIMIT).collect())
        .unwrap_or_default();
    let places = [
        function.and_then(|function| function.get("arguments")),
        function.and_then(|function| function.get("parameters")),
        call.get("arguments"),
        call.get("parameters"),
    ];
    let arguments = places
        .into_iter()
        .flatten()
        .find_map(arguments)
        .unwrap_or_else(|| Value::Object(Map::new()));
    Some(ToolRequest { id, name, arguments })
}

fn arguments(part: Part<'_>) -> Option<Value> {
    if part.is_object() {
        return part.object();
    }
    // JSON within a string has escapes of its own, which the body's cleaning did not see.
    let text = without_nul(part.text()?);
    let mut arguments = serde_json::from_str(&text).ok().filter(Value::is_object)?;
    without_vast_numbers(&mut arguments);
    Some(arguments)
}
