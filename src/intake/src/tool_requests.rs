//! Which tools the assistant wants run. In: a tool-calls or function-call message. Out: each request once, with its arguments.
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
/// How often arguments may be encoded as text within text.
const MAX_ENCODED: usize = 3;

/// The union of all lists, at most [`MOST`] requests. A list that repeats a request of another list only adds what that one
/// lacks; within a list, calls are the same only with the same id, name and arguments.
pub(super) fn read(message: Part<'_>) -> Vec<ToolRequest> {
    let listed = |name| message.get(name).into_iter().flat_map(Part::children);
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
                if requests.len() == MOST {
                    tracing::warn!(
                        most = MOST,
                        "a message asks for more tool calls than are run; the rest is left out"
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
    /// Whether another list of the same message means this request.
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

/// A tool with its call beside it; the name may stand with either.
fn nested(tool: Part<'_>) -> Option<ToolRequest> {
    one(tool.get("toolCall")?, name(tool))
}

fn name(part: Part<'_>) -> Option<String> {
    let function = part.get("function").and_then(|function| function.get("name"));
    let name = function.or_else(|| part.get("name")).and_then(Part::text)?;
    Some(name.chars().take(NAME_LIMIT).collect())
}

/// One call. It may lack an id, but not both the id and the name.
fn one(call: Part<'_>, beside: Option<String>) -> Option<ToolRequest> {
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

/// The id as text; a number as its digits.
fn id(call: Part<'_>) -> Option<String> {
    let id = call.get("id").or_else(|| call.get("toolCallId"))?;
    let is_number = id.raw().starts_with(|c: char| c == '-' || c.is_ascii_digit());
    if is_number {
        return Some(id.raw().to_owned()).filter(|digits| digits.len() <= ID_LIMIT);
    }
    bounded(Some(id), ID_LIMIT)
}

fn arguments(part: Part<'_>) -> Option<Value> {
    if part.is_object() {
        return part.object();
    }
    let mut text = part.text()?;
    for _ in 0..MAX_ENCODED {
        // JSON within a string has escapes of its own, which the body's cleaning did not see.
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
