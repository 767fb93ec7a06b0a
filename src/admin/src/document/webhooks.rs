//! Documents the inbound webhooks: Vapi's messages ([`vapi`]) and Twilio's callbacks.

pub mod vapi;

use serde_json::{Value, json};

/// Returns the webhooks by name.
pub fn all() -> Value {
    let (messages, answers) = vapi::examples();
    json!({
        "vapi_message": {"post": {
            "operationId": "vapi_message",
            "tags": ["webhooks"],
            "summary": "A message from Vapi",
            "description": "Vapi sends messages to `/webhooks/vapi` (the rulebook `default`) or `/webhooks/vapi/{rulebook}`. The \
                webhook secret authenticates a message, by any of Vapi's schemes. The response depends on the message's type: tool results, an \
                assistant, a transfer, documents, or nothing. A repeated message gets the same response.",
            "security": [],
            "requestBody": {"required": true, "content": {"application/json": {
                "schema": {"$ref": "#/components/schemas/VapiMessage"},
                "examples": messages,
            }}},
            "responses": {
                "200": {
                    "description": "The message was processed in one transaction.",
                    "content": {"application/json": {
                        "schema": {"$ref": "#/components/schemas/VapiAnswer"},
                        "examples": answers,
                    }},
                },
                "400": problem("The body is not a message, or it is a `voice-request`. Ringbook has no speech synthesis, so Vapi uses its \
                    fallback voice."),
                "401": problem("The signature is missing, wrong or too old, or there is no such rulebook."),
                "404": problem("There is no such rulebook, and the message is signed with a secret of the rulebook `default`."),
                "408": problem("The body did not arrive within 10 seconds."),
                "413": problem("The body is larger than 5 MB."),
                "429": problem("Too many requests; wait as long as Retry-After says."),
                "503": problem("The message cannot be processed now; send it again."),
            },
        }},
        "twilio_status": {"post": {
            "operationId": "twilio_status",
            "tags": ["webhooks"],
            "summary": "The status of an SMS message",
            "description": "Twilio sends the status to `/webhooks/twilio/status/{sms_message_id}`. Ringbook gives Twilio this URL with each \
                message if `RINGBOOK_PUBLIC_URL` is set. `X-Twilio-Signature` authenticates the request with the auth token of the \
                sending account. A status that is older than the known status is stored but changes nothing.",
            "security": [],
            "parameters": [signature()],
            "requestBody": form(&["MessageSid", "MessageStatus"], &json!({
                "MessageSid": {"type": "string"},
                "MessageStatus": {"type": "string", "examples": ["delivered"]},
                "ErrorCode": {"type": "string", "examples": ["30003"]},
            })),
            "responses": with_problems(json!({"204": {"description": "Stored."}}), "There is no such message."),
        }},
        "twilio_inbound": {"post": {
            "operationId": "twilio_inbound",
            "tags": ["webhooks"],
            "summary": "An inbound SMS message",
            "description": "At Twilio, set the messaging webhook of the number or messaging service to \
                `/webhooks/twilio/inbound/{rulebook}`. Without `/{rulebook}`, Ringbook finds the rulebook by account \
                and number. `X-Twilio-Signature` authenticates the message with the auth token of the rulebook's \
                account. STOP and similar words end SMS messages to the sender; START resumes them.",
            "security": [],
            "parameters": [signature()],
            "requestBody": form(&["MessageSid", "AccountSid", "From", "To"], &json!({
                "MessageSid": {"type": "string"},
                "AccountSid": {"type": "string"},
                "From": {"type": "string"},
                "To": {"type": "string"},
                "Body": {"type": "string", "examples": ["STOP"]},
                "OptOutType": {"type": "string", "enum": ["STOP", "START", "HELP"]},
            })),
            "responses": with_problems(
                json!({"200": {
                    "description": "Stored; there is no reply.",
                    "content": {"text/xml": {"schema": {"type": "string"}, "example": "<Response/>"}},
                }}),
                "There is no such rulebook.",
            ),
        }},
    })
}

fn problem(about: &str) -> Value {
    json!({
        "description": about,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    })
}

fn signature() -> Value {
    json!({
        "name": "X-Twilio-Signature", "in": "header", "required": true, "schema": {"type": "string"},
        "description": "Base64 of the HMAC-SHA1 of the public URL and the form's fields.",
    })
}

fn form(required: &[&str], properties: &Value) -> Value {
    json!({"required": true, "content": {"application/x-www-form-urlencoded": {"schema": {
        "type": "object",
        "required": required,
        "properties": properties,
    }}}})
}

/// Adds the error responses of Twilio's callbacks.
fn with_problems(mut responses: Value, unknown: &str) -> Value {
    for (status, about) in [
        ("400", "The body is not a form, or lacks a field."),
        (
            "403",
            "The signature is missing or wrong, or the addressed resource does not exist.",
        ),
        ("404", unknown),
        ("408", "The body did not arrive within 10 seconds."),
        ("413", "The body is larger than 256 KiB."),
        ("429", "Too many requests; wait as long as Retry-After says."),
        ("503", "The message cannot be processed now; send it again."),
    ] {
        responses[status] = problem(about);
    }
    responses
}
