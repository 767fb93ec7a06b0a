//! Checks every response against Vapi's published schema.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::*;
use super::parse::event::MessageType;

fn schema() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/data/vapi/vapi-server-message-response.schema.json"
    );
    serde_json::from_slice(&std::fs::read(path).expect("the schema")).expect("JSON")
}

/// Checks a response against the schema of its type, and against Vapi's schema for any response.
fn assert_valid(definition: &str, answer: &Answer) {
    let bytes = answer.to_bytes();
    let body: Value = serde_json::from_slice(&bytes).expect("JSON");
    let mut one = schema();
    one["$ref"] = json!(format!("#/$defs/{definition}"));
    for (schema, instance) in [(one, body.clone()), (schema(), json!({"messageResponse": body}))] {
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let faults: Vec<String> = validator
            .iter_errors(&instance)
            .map(|fault| fault.to_string())
            .collect();
        assert!(faults.is_empty(), "{definition}: {faults:?} in {instance}");
    }
    assert!(!bytes.contains(&b'\n'));
}

fn destination() -> Destination {
    Destination {
        number: "+15145550101".to_owned(),
        message: Some(format!("Un instant.\n{}", "é".repeat(2000))),
        caller_id: Some("+15145550100".to_owned()),
        extension: Some("12".to_owned()),
        description: Some("on call".to_owned()),
    }
}

#[test]
fn tool_results_are_bare_and_on_one_line() {
    let answer = Answer::ToolResults(vec![
        ToolResult::ok("call_1", "calculateQuote", &json!({"price": "350", "note": "a\nb"})),
        ToolResult::ok("call_2", "say", &json!("one\r\n two\u{2028}three\n")),
        ToolResult::failed("call_3", "bookAppointment", "no such\nday"),
    ]);
    assert_valid("ServerMessageResponseToolCalls", &answer);
    let body = answer.to_json();
    assert_eq!(body.as_object().expect("an object").len(), 1);
    assert_eq!(body["results"][0]["toolCallId"], "call_1");
    assert_eq!(body["results"][0]["name"], "calculateQuote");
    let encoded = body["results"][0]["result"].as_str().expect("a string");
    let decoded: Value = serde_json::from_str(encoded).expect("JSON in a string");
    assert_eq!(decoded, json!({"price": "350", "note": "a\nb"}));
    assert_eq!(body["results"][1]["result"], "one two three");
    assert_eq!(
        body["results"][2],
        json!({"toolCallId": "call_3", "name": "bookAppointment", "error": "no such day"})
    );
}

#[test]
fn an_assistant_request_gets_an_assistant_a_transfer_or_a_sentence() {
    const DEFINITION: &str = "ServerMessageResponseAssistantRequest";
    let mut assistant = AssistantAnswer {
        assistant_id: Some("a1".to_owned()),
        variable_values: BTreeMap::from([("prices".to_owned(), "350 $".to_owned())]),
        first_message: Some("Bonjour!".to_owned()),
        ..AssistantAnswer::default()
    };
    let answer = Answer::Assistant(assistant.clone());
    assert_valid(DEFINITION, &answer);
    assert_eq!(
        answer.to_json(),
        json!({"assistantId": "a1", "assistantOverrides": {"variableValues": {"prices": "350 $"}, "firstMessage": "Bonjour!"}})
    );
    assistant.assistant_id = None;
    assistant.squad_id = Some("s1".to_owned());
    let squad = Answer::Assistant(assistant).to_json();
    assert_eq!(
        (&squad["squadId"], squad["squadOverrides"].is_object()),
        (&json!("s1"), true)
    );
    assert_eq!(squad.get("assistantId"), None);
    assert_valid(DEFINITION, &Answer::Destination(destination()));
    let spoken = Answer::Spoken("Nous sommes fermés.".to_owned());
    assert_valid(DEFINITION, &spoken);
    assert_eq!(spoken.to_json(), json!({"error": "Nous sommes fermés."}));
}

#[test]
fn transfers_and_handoffs_name_a_destination() {
    let transfer = Answer::Destination(destination());
    assert_valid("ServerMessageResponseTransferDestinationRequest", &transfer);
    let body = transfer.to_json();
    assert_eq!(body["destination"]["type"], "number");
    let message = body["destination"]["message"].as_str().expect("a message");
    assert_eq!(message.chars().count(), 1000);
    for handoff in [
        HandoffDestination::Assistant {
            assistant_id: "a".to_owned(),
        },
        HandoffDestination::AssistantName {
            assistant_name: "Paul".to_owned(),
        },
        HandoffDestination::Number(destination()),
        HandoffDestination::Nobody {
            error: "closed".to_owned(),
        },
    ] {
        let answer = Answer::Handoff(handoff);
        assert_valid("ServerMessageResponseHandoffDestinationRequest", &answer);
    }
}

#[test]
fn the_other_requests_get_what_they_ask_for() {
    let documents = Answer::Documents(vec![Document {
        content: "Inspection par caméra: 350 $".to_owned(),
        similarity_thousandths: 875,
        uuid: Some("d1".to_owned()),
    }]);
    assert_valid("ServerMessageResponseKnowledgeBaseRequest", &documents);
    assert_eq!(documents.to_json()["documents"][0]["similarity"], 0.875);
    for timeout_tenths in [0, 5, 150, 255] {
        let answer = Answer::Endpointing { timeout_tenths };
        assert_valid("ServerMessageResponseCallEndpointingRequest", &answer);
    }
    for eligible in [true, false] {
        assert_valid("ServerMessageResponseCampaignPredial", &Answer::Predial { eligible });
    }
}

#[test]
fn a_type_that_nobody_has_rules_for_gets_a_valid_neutral_answer() {
    for kind in MessageType::ALL {
        let definition = match kind {
            MessageType::ToolCalls => "ServerMessageResponseToolCalls",
            MessageType::HandoffDestinationRequest => "ServerMessageResponseHandoffDestinationRequest",
            MessageType::KnowledgeBaseRequest => "ServerMessageResponseKnowledgeBaseRequest",
            MessageType::CallEndpointingRequest => "ServerMessageResponseCallEndpointingRequest",
            MessageType::CampaignPredial => "ServerMessageResponseCampaignPredial",
            MessageType::TransferDestinationRequest => "ServerMessageResponseTransferDestinationRequest",
            _ => "ServerMessageResponseAssistantRequest",
        };
        assert_valid(definition, &neutral(*kind));
    }
    assert_eq!(neutral(MessageType::Hang).to_bytes(), b"{}");
    assert_eq!(neutral(MessageType::Unknown), Answer::Neutral);
    let voice = neutral(MessageType::VoiceRequest).to_json();
    assert!(voice["error"].as_str().is_some_and(|text| text.contains("no speech")));
}
