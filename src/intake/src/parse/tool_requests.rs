//! Extracts each tool call of a message once, with its arguments.
//!
//! Vapi writes the same calls in up to three lists and the arguments in up to four places, as a string or as an object.

use serde_json::{Map, Value};

use super::decode::{ID_LIMIT, bounded, without_nul};
use super::event::ToolRequest;
use super::lazy_json::{JsonPart, without_vast_numbers};

/// Maximum number of tool calls in a message. A model makes far fewer tool calls at a time, and one transaction can
/// record this number.
const MAX_REQUESTS: usize = 50;
/// Maximum length of a tool's name, in characters.
const NAME_LIMIT: usize = 200;
/// Maximum nesting of string-encoded arguments.
const MAX_ENCODED: usize = 3;

/// Returns the union of all lists, at most [`MAX_REQUESTS`] requests. If a list repeats a request of an earlier list,
/// the repeat only fills in missing fields of the earlier request. Within a list, two calls are duplicates only if id,
/// name and arguments are equal.
pub(crate) fn read(message: JsonPart<'_>) -> Vec<ToolRequest> {
    let listed = |name| message.get(name).into_iter().flat_map(JsonPart::children);
    let lists: [Vec<ToolRequest>; 4] = [
        listed("toolCallList").filter_map(|call| one(call, None)).collect(),
        listed("toolCalls").filter_map(|call| one(call, None)).collect(),
        listed("toolWithToolCallList").filter_map(nested).collect(),
        message
            .get("functionCall")
            .and_then(|call| one(call, None))
            .into_iter()
            .collect(),
    ];
    let mut requests: Vec<ToolRequest> = Vec::new();
    for list in lists {
        let earlier = requests.len();
        for request in list {
            let (others, own) = requests.split_at_mut(earlier);
            if let Some(known) = others.iter_mut().find(|known| known.is_repeated_by(&request)) {
                known.complete(request);
            } else if !own.contains(&request) {
                if requests.len() == MAX_REQUESTS {
                    tracing::warn!(
                        most = MAX_REQUESTS,
                        "a message has too many tool calls; only the first ones run"
                    );
                    return requests;
                }
                requests.push(request);
            }
        }
    }
    requests
}

impl ToolRequest {
    /// Whether `other`, a request in another list of the message, is the same request.
    fn is_repeated_by(&self, other: &Self) -> bool {
        if self.id.is_empty() || other.id.is_empty() {
            self.name == other.name && self.arguments == other.arguments
        } else {
            self.id == other.id
        }
    }

    fn complete(&mut self, other: Self) {
        let has_none = |arguments: &Value| arguments.as_object().is_none_or(Map::is_empty);
        let same_tool = self.name.is_empty() || self.name == other.name;
        if same_tool && has_none(&self.arguments) {
            self.arguments = other.arguments;
        }
        if self.name.is_empty() {
            self.name = other.name;
        }
        if self.id.is_empty() {
            self.id = other.id;
        }
    }
}

/// Reads a tool object whose field `toolCall` contains the call. The name may be in the tool or in the call.
fn nested(tool: JsonPart<'_>) -> Option<ToolRequest> {
    one(tool.get("toolCall")?, name(tool))
}

fn name(part: JsonPart<'_>) -> Option<String> {
    let function = part.get("function").and_then(|function| function.get("name"));
    let name = function.or_else(|| part.get("name")).and_then(JsonPart::text)?;
    Some(name.chars().take(NAME_LIMIT).collect())
}

/// Reads one call. Returns `None` if the call has neither an id nor a name.
fn one(call: JsonPart<'_>, beside: Option<String>) -> Option<ToolRequest> {
    if !call.is_object() {
        return None;
    }
    let id = id(call).unwrap_or_default();
    let name = name(call).or(beside).unwrap_or_default();
    if id.is_empty() && name.is_empty() {
        return None;
    }
    let function = call.get("function");
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

/// The id as a string. A numeric id becomes its digits.
fn id(call: JsonPart<'_>) -> Option<String> {
    let id = call.get("id").or_else(|| call.get("toolCallId"))?;
    let is_number = id.raw().starts_with(|c: char| c == '-' || c.is_ascii_digit());
    if is_number {
        return Some(id.raw().to_owned()).filter(|digits| digits.len() <= ID_LIMIT);
    }
    bounded(Some(id), ID_LIMIT)
}

fn arguments(part: JsonPart<'_>) -> Option<Value> {
    if part.is_object() {
        return part.object();
    }
    let mut text = part.text()?;
    for _ in 0..MAX_ENCODED {
        // JSON inside a string has its own escapes, so clean the string again.
        match serde_json::from_str(&without_nul(text)).ok()? {
            Value::String(inner) => text = inner,
            mut arguments @ Value::Object(_) => {
                without_vast_numbers(&mut arguments);
                return Some(arguments);
            }
            _ => return None,
        }
    }
    None
}
