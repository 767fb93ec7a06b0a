//! Merges the errors that follow from an operation's role, body and parameters into two responses, `4XX` and `5XX`.
//! Errors that an operation declares itself, such as a stale version, stay in the operation.

use serde_json::{Map, Value, json};

use super::operations;
use crate::document::statuses::OF_SHAPE;

/// The ranges of statuses and their descriptions. A list of statuses is appended to each description.
const RANGES: [(&str, &str); 2] = [
    ("4XX", "Common client errors: about the key, the body or parameters."),
    ("5XX", "Server errors; a retry may help."),
];

/// Replaces the merged errors with references to the two responses. The description of each response lists the statuses
/// for people; the examples contain the statuses for programs.
pub fn by_range(document: &mut Value) {
    for (range, about) in RANGES {
        let common = taken_out(document, range);
        document["components"]["responses"][range] = common.response(range, about, &document["components"]["headers"]);
    }
}

#[derive(Default)]
struct Common {
    examples: Map<String, Value>,
    headers: Map<String, Value>,
}

fn taken_out(document: &mut Value, range: &str) -> Common {
    let mut common = Common::default();
    let own = |part: &Value| part.as_object().cloned().into_iter().flatten();
    for operation in operations(document) {
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
            continue;
        };
        responses.retain(|status, response| {
            if !is_in(status, range) || !is_of_shape(status, response) {
                return true;
            }
            common
                .examples
                .extend(own(&response["content"]["application/problem+json"]["examples"]));
            common.headers.extend(own(&response["headers"]));
            false
        });
        responses.insert(
            range.to_owned(),
            json!({"$ref": format!("#/components/responses/{range}")}),
        );
    }
    common
}

impl Common {
    fn response(mut self, range: &str, about: &str, known: &Value) -> Value {
        for (name, header) in &mut self.headers {
            // The request id comes with every status, the other headers only with some statuses.
            if name != "X-Request-Id" {
                *header = known[name].clone();
                header["required"] = false.into();
            }
        }
        let statuses = OF_SHAPE.iter().filter(|(status, _)| is_in(status, range));
        let lines: String = statuses
            .map(|(status, about)| format!("\n- {status}: {about}"))
            .collect();
        json!({
            "description": format!("{about}\n{lines}"),
            "headers": self.headers,
            "content": {"application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": self.examples,
            }},
        })
    }
}

fn is_in(status: &str, range: &str) -> bool {
    status.starts_with(range.trim_end_matches('X'))
}

fn is_of_shape(status: &str, response: &Value) -> bool {
    OF_SHAPE
        .iter()
        .any(|(of, about)| *of == status && response["description"] == *about)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::document::document;

    #[test]
    fn a_range_has_an_example_of_each_status_that_it_stands_for() {
        let mut short = document().clone();
        by_range(&mut short);
        for (range, _) in RANGES {
            let examples = &short["components"]["responses"][range]["content"]["application/problem+json"]["examples"];
            let told = examples.as_object().unwrap().values().map(|example| {
                let place = example["$ref"].as_str().unwrap().trim_start_matches('#');
                short.pointer(place).unwrap()["value"]["status"].to_string()
            });
            let told: BTreeSet<String> = told.collect();
            let lint_passed = OF_SHAPE.iter().map(|(status, _)| (*status).to_owned());
            assert_eq!(told, lint_passed.filter(|status| is_in(status, range)).collect());
        }
    }

    #[test]
    fn each_operation_keeps_the_errors_that_are_its_own() {
        let whole = document();
        let mut short = whole.clone();
        by_range(&mut short);
        for (path, item) in whole["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let responses = &short["paths"][path][method]["responses"];
                for (status, response) in operation["responses"].as_object().unwrap() {
                    let kept = responses.get(status);
                    assert!(
                        kept == Some(response) || kept.is_none() && is_of_shape(status, response),
                        "{method} {path}: {status}"
                    );
                }
            }
        }
    }
}
