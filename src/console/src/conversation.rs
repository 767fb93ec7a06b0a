//! Parses the text that a person types or pastes into Try: lines with or without the name of the speaker, or a Vapi
//! message as JSON.

use rules::hearing::AGENT_LINE;
use serde_json::{Value, json};

/// Names of the agent in transcripts, in lower case.
const AGENTS: [&str; 6] = ["agent", "assistant", "bot", "ai", "ringbook", "réceptionniste"];
/// Names of the caller in transcripts, in lower case.
const CALLERS: [&str; 8] = [
    "caller",
    "customer",
    "client",
    "cliente",
    "user",
    "appelant",
    "appelante",
    "human",
];

/// The parsed input.
#[derive(Debug, PartialEq)]
pub enum ConversationInput {
    Nothing,
    /// The conversation in the format of the API: one line per turn, where the agent's lines have a prefix.
    Said(String),
    /// A Vapi message with its envelope.
    Message(Value),
    /// The text begins like JSON but is not valid JSON. The numbers are line and column of the syntax error.
    BadJson(usize, usize),
}

/// Parses the input.
pub fn read(text: &str) -> ConversationInput {
    let text = text.trim();
    if text.is_empty() {
        return ConversationInput::Nothing;
    }
    if text.starts_with('{') {
        return match serde_json::from_str::<Value>(text) {
            Ok(message) if message["message"].is_object() => ConversationInput::Message(message),
            // A message that was copied from a log has no envelope.
            Ok(message) => ConversationInput::Message(json!({"message": message})),
            Err(error) => ConversationInput::BadJson(error.line(), error.column()),
        };
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    ConversationInput::Said(lines.map(line).collect::<Vec<_>>().join("\n"))
}

fn line(line: &str) -> String {
    if let Some((name, rest)) = line.split_once(':') {
        let name = name.trim().to_lowercase();
        if AGENTS.contains(&name.as_str()) {
            return format!("{AGENT_LINE}{}", rest.trim());
        }
        if CALLERS.contains(&name.as_str()) {
            return rest.trim().to_owned();
        }
    }
    line.to_owned()
}

/// The turns of the conversation. Each turn consists of a flag, which is true if the agent speaks, and the spoken
/// words.
pub fn turns(said: &str) -> Vec<(bool, &str)> {
    let lines = said.lines().filter(|line| !line.trim().is_empty());
    let turn = |line| match str::strip_prefix(line, AGENT_LINE) {
        Some(words) => (true, words),
        None => (false, line),
    };
    lines.map(turn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_callers_unless_they_say_otherwise() {
        let typed = "Agent: Is it flooding?\r\nCaller:  No: just slow.\n\nAI: Okay.\nMon adresse : 12 rue X\n> Merci.";
        let said = "> Is it flooding?\nNo: just slow.\n> Okay.\nMon adresse : 12 rue X\n> Merci.";
        assert_eq!(read(typed), ConversationInput::Said(said.to_owned()));
        assert_eq!(turns(said)[..2], [(true, "Is it flooding?"), (false, "No: just slow.")]);
        assert_eq!(read(" \n"), ConversationInput::Nothing);
    }

    #[test]
    fn a_message_is_read_with_and_without_its_envelope() {
        let whole = json!({"message": {"type": "end-of-call-report"}});
        assert_eq!(read(&whole.to_string()), ConversationInput::Message(whole.clone()));
        assert_eq!(read(&whole["message"].to_string()), ConversationInput::Message(whole));
        assert_eq!(read("{\"message\":\n oops"), ConversationInput::BadJson(2, 2));
    }
}
