//! Tests the examples in the OpenAPI document. Each example conforms to its schema, and each example request succeeds.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::both;
use crate::support::app::ADMIN_KEY;
use crate::support::{Database, TestApp, contract};

both!(each_request_of_the_document_works);

/// Returns the media types of requests and responses that have examples. For each media type, returns its path, its
/// schema and its examples.
fn examples() -> Vec<(String, &'static Value, Vec<&'static Value>)> {
    let document = admin::document();
    let mut found = Vec::new();
    for items in [&document["paths"], &document["webhooks"]] {
        for (path, item) in items.as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let request = ("request", &operation["requestBody"]);
                let answers = operation["responses"].as_object().unwrap().iter();
                let answers = answers.map(|(status, answer)| (status.as_str(), answer));
                for (part, holder) in answers.chain([request]) {
                    for (media, content) in holder["content"].as_object().into_iter().flatten() {
                        let several = content["examples"].as_object().into_iter().flatten();
                        let several = several.map(|(_, one)| {
                            let elsewhere = one["$ref"].as_str().map(|at| document.pointer(&at[1..]).unwrap());
                            &elsewhere.unwrap_or(one)["value"]
                        });
                        let examples = several.chain(content.get("example")).collect();
                        found.push((format!("{method} {path} {part} {media}"), &content["schema"], examples));
                    }
                }
            }
        }
    }
    found
}

#[test]
fn each_example_is_what_its_schema_says() {
    let mut count = 0;
    for (place, schema, examples) in examples() {
        for example in examples {
            let faults = contract::faults(schema, example);
            assert!(faults.is_empty(), "{place}: {faults:#?}\n{example:#}");
            count += 1;
        }
    }
    assert!(count > 2_000, "{count}");
}

#[test]
fn each_request_and_each_answer_has_an_example() {
    let bare = examples().into_iter().filter(|(place, _, examples)| {
        examples.is_empty()
            && !place.contains("application/x-tar")
            && !place.contains("form-urlencoded")
            && !place.contains("twilio")
            && !place.contains("vapi_message")
    });
    let bare: Vec<String> = bare.map(|(place, ..)| place).collect();
    assert!(bare.is_empty(), "{bare:#?}");
}

async fn each_request_of_the_document_works(database: Database) {
    let app = TestApp::start(database).await;
    let mut count = 0;
    for (path, item) in admin::document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Some(content) = operation["requestBody"]["content"].as_object() else {
                continue;
            };
            let (media, content) = content.iter().next().unwrap();
            let example = content
                .get("example")
                .unwrap_or_else(|| panic!("{method} {path} has no example"));
            let mut here = path.replace("{rulebook}", "default").replace("{call_id}", "nowhere");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let (name, known) = (parameter["name"].as_str().unwrap(), parameter["example"].as_str());
                let value = known.unwrap_or("018f0000-0000-7000-8000-000000000000");
                here = here.replace(&format!("{{{name}}}"), value);
            }
            let method: Method = method.to_uppercase().parse().unwrap();
            let body = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
            let request = app
                .client
                .request(method.clone(), app.url(&here))
                .bearer_auth(ADMIN_KEY);
            let response = request.header("content-type", media).body(body).send().await.unwrap();
            // The client has already checked the response against its schema.
            let (status, answer) = crate::support::requests::read(response).await;
            let fits = status.is_success()
                || (status == StatusCode::NOT_FOUND && here != *path)
                || (status == StatusCode::PRECONDITION_FAILED || status == StatusCode::UNPROCESSABLE_ENTITY);
            assert!(fits, "{method} {here}: {status} {answer}");
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
    app.stop().await;
}
