//! What others send to Ringbook: Vapi's messages and Twilio's callbacks.

use serde_json::{Value, json};

/// The webhooks, by name.
pub fn all() -> Value {
    let problem = |about: &str| {
        json!({
            "description": about,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        })
    };
    json!({
        "vapi_message": {"post": {
            "operationId": "vapi_message",
            "tags": ["webhooks"],
            "summary": "A message of Vapi's",
            "description": "Sent to `/webhooks/vapi` (the rulebook `default`) or `/webhooks/vapi/{rulebook}`, signed with the \
                webhook secret by any of Vapi's schemes. The answer depends on the message's type: tool results, an assistant, a \
                transfer, documents, or nothing to say. The same message again gets the same answer again.",
            "security": [],
            "requestBody": {"required": true, "content": {"application/json": {"schema": {
                "type": "object",
                "required": ["message"],
                "properties": {"message": {
                    "type": "object",
                    "required": ["type"],
                    "properties": {"type": {"type": "string", "examples": ["end-of-call-report"]}},
                }},
            }}}},
            "responses": {
                "200": {
                    "description": "Taken in, in one transaction.",
                    "content": {"application/json": {"schema": {"type": "object"}}},
                },
                "400": problem("The body is no message."),
                "401": problem("The signature is missing or wrong, or too old."),
                "404": problem("There is no such rulebook."),
                "413": problem("The body is larger than 5 MB."),
                "429": problem("Too many requests; wait as long as Retry-After says."),
                "503": problem("It cannot be taken in right now; send it again."),
            },
        }},
        "twilio_status": {"post": {
            "operationId": "twilio_status",
            "tags": ["webhooks"],
            "summary": "What became of a text",
            "description": "Sent by Twilio to `/webhooks/twilio/status/{sms_message_id}`, signed with the account's token.",
            "security": [],
            "requestBody": {"required": true, "content": {"application/x-www-form-urlencoded": {"schema": {
                "type": "object",
                "required": ["MessageSid", "MessageStatus"],
                "properties": {
                    "MessageSid": {"type": "string"},
                    "MessageStatus": {"type": "string", "examples": ["delivered"]},
                    "ErrorCode": {"type": "string"},
                },
            }}}},
            "responses": {"204": {"description": "Noted."}, "401": problem("The signature is missing or wrong.")},
        }},
    })
}
