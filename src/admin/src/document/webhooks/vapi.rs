//! Adds the schemas of Vapi's messages and their responses, with examples. The schemas contain only the fields that
//! Ringbook uses.
//!
//! Vapi adds fields and types at any time, so additional fields are allowed and only the type is required.

use serde_json::{Map, Value, json};

use crate::document::schemas::Schemas;

struct MessageType {
    schema: &'static str,
    types: &'static [&'static str],
    about: &'static str,
    answer: &'static str,
}

const KINDS: &[MessageType] = &[
    kind(
        "VapiEndOfCallReport",
        &["end-of-call-report"],
        "The report of an ended call. Ringbook decides and records the call, and notifies contacts.",
        "VapiNothing",
    ),
    kind(
        "VapiStatusUpdate",
        &["status-update"],
        "The call moved to another state.",
        "VapiNothing",
    ),
    kind("VapiTranscript", &["transcript"], "Something was said.", "VapiNothing"),
    kind(
        "VapiToolCalls",
        &["tool-calls"],
        "The assistant requests tool calls.",
        "VapiToolResults",
    ),
    kind(
        "VapiAssistantRequest",
        &["assistant-request"],
        "Which assistant answers this call?",
        "VapiAssistant",
    ),
    kind(
        "VapiTransferDestinationRequest",
        &["transfer-destination-request"],
        "Where does this call go?",
        "VapiDestination",
    ),
    kind(
        "VapiHandoffDestinationRequest",
        &["handoff-destination-request"],
        "Which assistant or person takes over?",
        "VapiDestination",
    ),
    kind(
        "VapiKnowledgeBaseRequest",
        &["knowledge-base-request"],
        "Which documents help to answer the caller?",
        "VapiDocuments",
    ),
    kind(
        "VapiCallEndpointingRequest",
        &["call.endpointing.request"],
        "How long should the assistant wait before it speaks?",
        "VapiEndpointing",
    ),
    kind(
        "VapiCampaignPredial",
        &["campaign.predial"],
        "May this contact be dialed?",
        "VapiPredial",
    ),
    kind(
        "VapiVoiceRequest",
        &["voice-request"],
        "A request for speech synthesis, which Ringbook does not do.",
        "VapiSpoken",
    ),
    kind(
        "VapiCallDeleted",
        &["call.deleted"],
        "The call was deleted at Vapi; its data is erased here too.",
        "VapiNothing",
    ),
    kind(
        "VapiOtherMessage",
        &[
            "assistant.speechStarted",
            "call.artifact.upload",
            "call.delete.failed",
            "chat.created",
            "chat.deleted",
            "conversation-update",
            "hang",
            "language-change-detected",
            "model-output",
            "phone-call-control",
            "session.created",
            "session.deleted",
            "session.updated",
            "speech-update",
            "transfer-update",
            "user-interrupted",
            "voice-input",
        ],
        "Any other message: stored, with an empty response.",
        "VapiNothing",
    ),
];

const ANSWERS: &[&str] = &[
    "VapiToolResults",
    "VapiAssistant",
    "VapiDestination",
    "VapiDocuments",
    "VapiEndpointing",
    "VapiPredial",
    "VapiSpoken",
    "VapiNothing",
];

const fn kind(
    schema: &'static str,
    types: &'static [&'static str],
    about: &'static str,
    answer: &'static str,
) -> MessageType {
    MessageType {
        schema,
        types,
        about,
        answer,
    }
}

/// Adds the schemas of messages and responses.
pub fn add_schemas(schemas: &mut Schemas) {
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let kinds: Vec<Value> = KINDS.iter().map(|kind| reference(kind.schema)).collect();
    schemas.insert(
        "VapiMessage".to_owned(),
        object(
            "A message from Vapi.",
            &["message"],
            json!({"message": {
                "description": "The message; which fields it has depends on its `type`.",
                "anyOf": kinds,
            }}),
        ),
    );
    for kind in KINDS {
        let mut fields = json!({
            "type": {"type": "string", "enum": kind.types, "description": "The kind of message."},
            "timestamp": {
                "type": ["integer", "string"],
                "description": "When Vapi created the message: milliseconds since 1970, or RFC 3339.",
            },
            "call": reference("VapiCall"),
        });
        for (name, field) in own_fields(kind.schema).as_object().into_iter().flatten() {
            fields[name] = field.clone();
        }
        schemas.insert(kind.schema.to_owned(), object(kind.about, &["type"], fields));
    }
    schemas.insert("VapiCall".to_owned(), call());
    let answers: Vec<Value> = ANSWERS.iter().map(|name| reference(name)).collect();
    schemas.insert(
        "VapiAnswer".to_owned(),
        json!({"title": "VapiAnswer", "description": "The response to a message; it depends on the message's `type`.", "anyOf": answers}),
    );
    for name in ANSWERS {
        schemas.insert((*name).to_owned(), answer(name));
    }
}

/// Returns examples of messages and of their responses, by message type.
pub fn examples() -> (Value, Value) {
    let (mut messages, mut answers) = (Map::new(), Map::new());
    for kind in KINDS {
        let name = kind.types[0];
        let mut message = json!({
            "type": name,
            "timestamp": 1_795_780_800_000_i64,
            "call": {"id": "0199f0c2-7a4e-7c3b-9a53-2f1d8f0b6c11"},
        });
        for (field, value) in own_example(kind.schema).as_object().into_iter().flatten() {
            message[field] = value.clone();
        }
        let value = json!({"message": message});
        messages.insert(name.to_owned(), json!({"summary": kind.about, "value": value}));
        let summary = format!("To `{name}`.");
        answers.insert(
            name.to_owned(),
            json!({"summary": summary, "value": answer_example(kind.answer)}),
        );
    }
    (messages.into(), answers.into())
}

fn object(about: &str, required: &[&str], fields: Value) -> Value {
    let mut schema = json!({"type": "object", "description": about, "required": required});
    schema["properties"] = fields;
    schema
}

fn text(about: &str) -> Value {
    json!({"type": "string", "description": about})
}

fn call() -> Value {
    let party = |whose: &str| {
        json!({"type": "object", "description": whose, "properties": {
            "number": text("The phone number, E.164."), "name": text("The name."),
        }})
    };
    let fields = json!({
        "id": {"type": "string", "maxLength": 255, "description": "Vapi's id of the call."},
        "type": text("The type of the call, such as `inboundPhoneCall`."),
        "status": text("The call's state when the message was created."),
        "createdAt": text("When Vapi created the call, RFC 3339."),
        "startedAt": text("When the call was picked up, RFC 3339."),
        "endedAt": text("When the call ended, RFC 3339."),
        "customer": party("The caller."),
        "phoneNumber": party("The number that was called."),
        "assistantId": text("The assistant on the call."),
    });
    object("The call that a message belongs to.", &[], fields)
}

/// Returns the fields of a kind of message.
fn own_fields(schema: &str) -> Value {
    let turns = json!({"type": "array", "description": "What was said, per turn.", "items": {
        "type": "object", "properties": {
            "role": text("Who spoke: `user`, `bot`, `assistant`, `system` or `tool`."),
            "message": text("What was said."),
            "secondsFromStart": {"type": "number", "description": "Seconds since the call began."},
        },
    }});
    let tool_call = json!({"type": "object", "required": ["id"], "properties": {
        "id": text("The id of the request, which the result repeats."),
        "function": {"type": "object", "description": "The function that is called.", "properties": {
            "name": text("The tool's name: the `code` of a tool of the rulebook."),
            "arguments": {"type": ["object", "string"], "description": "The arguments; a string is parsed as JSON."},
        }},
    }});
    match schema {
        "VapiEndOfCallReport" => json!({
            "endedReason": text("Why the call ended; Vapi has over 600 values."),
            "startedAt": text("When the call was picked up, RFC 3339."),
            "endedAt": text("When the call ended, RFC 3339."),
            "durationMs": {"type": "number", "minimum": 0, "description": "The duration in milliseconds."},
            "cost": {"type": "number", "description": "What Vapi charges for the call, in US dollars."},
            "summary": text("Vapi's summary, if `analysis` has none."),
            "analysis": {"type": "object", "description": "Vapi's analysis. Fact mappings can read `structuredData`.", "properties": {
                "summary": text("Vapi's summary."),
                "structuredData": {"type": "object", "description": "The structured data, with the assistant's field names."},
            }},
            "artifact": {"type": "object", "description": "Transcript and recording.", "properties": {
                "messages": turns, "transcript": text("The whole transcript as one text."),
                "recordingUrl": text("The URL of the recording."),
                "structuredOutputs": {"type": "object", "description": "Structured outputs, by id."},
            }},
        }),
        "VapiStatusUpdate" => json!({
            "status": text("The new state: `queued`, `ringing`, `in-progress`, `forwarding`, `ended`."),
            "endedReason": text("Why the call ended, if it has ended."),
        }),
        "VapiTranscript" => json!({
            "role": text("Who spoke."),
            "transcript": text("What was said."),
            "transcriptType": text("`final` when the text will not change any more."),
        }),
        "VapiToolCalls" => json!({
            "toolCallList": {"type": "array", "description": "The tools to run.", "items": tool_call},
        }),
        "VapiHandoffDestinationRequest" => json!({
            "parameters": {"type": "object", "description": "The values from the model.", "properties": {
                "destination": text("The requested destination."), "reason": text("The reason for the request."),
            }},
        }),
        "VapiKnowledgeBaseRequest" => json!({"messages": turns}),
        "VapiCampaignPredial" => json!({
            "campaignId": text("The campaign."),
            "customer": {"type": "object", "description": "The customer whom Vapi would dial.", "properties": {
                "number": text("The phone number."), "name": text("The name."),
            }},
        }),
        _ => json!({}),
    }
}

fn answer(name: &str) -> Value {
    let number = json!({"type": "object", "description": "Where the call goes; empty if nobody is available.", "properties": {
        "type": {"type": "string", "enum": ["number", "assistant"], "description": "A number, or an assistant."},
        "number": text("The phone number, E.164."),
        "message": {"type": "string", "maxLength": 1000, "description": "What the caller hears before the transfer."},
        "callerId": text("The caller ID that the called person sees."),
        "extension": text("An extension to dial."),
        "description": text("The reason for this destination."),
        "assistantId": text("The saved assistant that takes over."),
        "assistantName": text("The name of the squad member that takes over."),
    }});
    let overrides = json!({"type": "object", "description": "Overrides of the assistant for this call.", "properties": {
        "variableValues": {
            "type": "object", "additionalProperties": {"type": "string"},
            "description": "Values for the assistant's variables: the current prices and hours.",
        },
        "firstMessage": text("What the assistant says first."),
    }});
    let error = text("One sentence, spoken to the caller or read by the assistant.");
    match name {
        "VapiToolResults" => object(
            "What the tools returned, one result for each tool call.",
            &["results"],
            json!({
                "results": {"type": "array", "description": "The results, in the order of the tool calls.", "items": {
                    "type": "object", "required": ["toolCallId", "name"], "properties": {
                        "toolCallId": text("The id of the request."), "name": text("The tool's name."),
                        "result": text("What the tool returned, on one line."), "error": text("Why the tool returned nothing, for the assistant."),
                    },
                }},
            }),
        ),
        "VapiAssistant" => object(
            "Which assistant takes the call, and what it should know.",
            &[],
            json!({
                "assistantId": text("A saved assistant."), "squadId": text("A saved squad."),
                "assistantOverrides": overrides, "squadOverrides": overrides,
            }),
        ),
        "VapiDestination" => object(
            "Where the call goes.",
            &["destination"],
            json!({"destination": number, "error": error}),
        ),
        "VapiDocuments" => object(
            "The documents.",
            &["documents"],
            json!({
                "documents": {"type": "array", "description": "Best match first.", "items": {
                    "type": "object", "required": ["content", "similarity"], "properties": {
                        "content": text("The text."), "uuid": text("The document's id."),
                        "similarity": {"type": "number", "minimum": 0, "maximum": 1, "description": "How well the document fits the question."},
                    },
                }},
            }),
        ),
        "VapiEndpointing" => object(
            "How long to wait.",
            &["timeoutSeconds"],
            json!({
                "timeoutSeconds": {"type": "number", "minimum": 0, "maximum": 15, "description": "Seconds of silence."},
            }),
        ),
        "VapiPredial" => object(
            "Whether Vapi may dial.",
            &["eligible"],
            json!({
                "eligible": {"type": "boolean", "description": "True lets Vapi dial."},
            }),
        ),
        "VapiSpoken" => object("A refusal or an apology.", &["error"], json!({"error": error})),
        _ => json!({"type": "object", "description": "An empty response.", "properties": {}}),
    }
}

fn own_example(schema: &str) -> Value {
    match schema {
        "VapiEndOfCallReport" => json!({
            "endedReason": "customer-ended-call", "durationMs": 92_000, "cost": 0.21,
            "analysis": {
                "summary": "A kitchen drain is slow; the caller wants a camera inspection.",
                "structuredData": {"service": "camera inspection", "city": "Longueuil"},
            },
            "artifact": {"messages": [{"role": "user", "message": "How much is a camera inspection?", "secondsFromStart": 4.2}]},
        }),
        "VapiStatusUpdate" => json!({"status": "in-progress"}),
        "VapiTranscript" => json!({"role": "user", "transcript": "My drain is slow.", "transcriptType": "final"}),
        "VapiToolCalls" => json!({"toolCallList": [{
            "id": "call_1", "type": "function",
            "function": {"name": "quote", "arguments": {"service": "camera inspection"}},
        }]}),
        "VapiHandoffDestinationRequest" => {
            json!({"parameters": {"destination": "a person", "reason": "asks for a manager"}})
        }
        "VapiKnowledgeBaseRequest" => json!({"messages": [{"role": "user", "message": "Do you clean septic tanks?"}]}),
        "VapiCampaignPredial" => json!({"campaignId": "spring", "customer": {"number": "+15145550100"}}),
        _ => json!({}),
    }
}

fn answer_example(name: &str) -> Value {
    match name {
        "VapiToolResults" => json!({"results": [{
            "toolCallId": "call_1", "name": "quote", "result": "A camera inspection costs between 350 and 450 dollars plus taxes.",
        }]}),
        "VapiAssistant" => json!({
            "assistantId": "0199f0c2-1111-7c3b-9a53-2f1d8f0b6c11",
            "assistantOverrides": {"variableValues": {"camera_inspection": "350.00 to 450.00"}},
        }),
        "VapiDestination" => json!({"destination": {
            "type": "number", "number": "+15145550100", "message": "One moment, I put you through.",
        }}),
        "VapiDocuments" => {
            json!({"documents": [{"content": "Camera inspection: 350.00 to 450.00.", "similarity": 0.9}]})
        }
        "VapiEndpointing" => json!({"timeoutSeconds": 0.5}),
        "VapiPredial" => json!({"eligible": true}),
        "VapiSpoken" => json!({"error": "Ringbook makes no speech: point the voice's server URL at a voice provider"}),
        _ => json!({}),
    }
}
