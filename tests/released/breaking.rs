//! Finds the changes of the OpenAPI document that break clients of the older document. Each change is a sentence with
//! its JSON pointer. A request that was valid must stay valid, and clients must be able to read each response as
//! before.

use serde_json::Value;

use super::schemas::{Documents, Way};

pub fn between(older: &Value, newer: &Value) -> Vec<String> {
    let mut found = Found {
        documents: Documents { older, newer },
        breaks: Vec::new(),
    };
    // `webhooks` describes requests of Vapi and Twilio, which do not read our document.
    for (path, item) in fields(&older["paths"]) {
        for (method, operation) in fields(item) {
            let place = format!("{} {path}", method.to_uppercase());
            match newer["paths"][path].get(method) {
                Some(now) => found.operation(&place, operation, now),
                None => found.add(format!("{place} is gone")),
            }
        }
    }
    found.breaks
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

struct Found<'a> {
    documents: Documents<'a>,
    breaks: Vec<String>,
}

impl<'a> Found<'a> {
    fn add(&mut self, broken: String) {
        if !self.breaks.contains(&broken) {
            self.breaks.push(broken);
        }
    }

    fn operation(&mut self, place: &str, was: &'a Value, is: &'a Value) {
        for (key, called) in [("operationId", "its id"), ("x-required-role", "the role that it needs")] {
            if was[key] != is[key] {
                self.add(format!("{place}: {called} was {} and is {}", was[key], is[key]));
            }
        }
        self.parameters(place, &was["parameters"], &is["parameters"]);
        self.request(place, &was["requestBody"], &is["requestBody"]);
        for (status, answer) in fields(&was["responses"]) {
            let place = format!("{place}, {status}");
            let Some(now) = is["responses"].get(status) else {
                self.add(format!("{place}: is no longer a response"));
                continue;
            };
            self.contents(&place, &answer["content"], &now["content"], Way::Answered);
            for (name, _) in fields(&answer["headers"]) {
                // Header names are case-insensitive.
                if !fields(&now["headers"]).any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                    self.add(format!("{place}: the header {name} is gone"));
                }
            }
        }
    }

    fn parameters(&mut self, place: &str, was: &'a Value, is: &'a Value) {
        let list = |value: &'a Value| value.as_array().map_or(&[][..], Vec::as_slice);
        let same = |one: &Value, other: &Value| one["name"] == other["name"] && one["in"] == other["in"];
        let told = |one: &Value| {
            format!(
                "the parameter {} ({})",
                one["name"],
                one["in"].as_str().unwrap_or_default()
            )
        };
        for old in list(was) {
            let Some(new) = list(is).iter().find(|new| same(old, new)) else {
                self.add(format!("{place}: {} is gone", told(old)));
                continue;
            };
            if new["required"] == true && old["required"] != true {
                self.add(format!("{place}: {} has become required", told(new)));
            }
            let place = format!("{place}: {}", told(old));
            self.schema(&place, &old["schema"], &new["schema"], Way::Sent);
        }
        for new in list(is) {
            if new["required"] == true && !list(was).iter().any(|old| same(old, new)) {
                self.add(format!("{place}: {} is new and required", told(new)));
            }
        }
    }

    fn request(&mut self, place: &str, was: &'a Value, is: &'a Value) {
        if is["required"] == true && was["required"] != true {
            self.add(format!("{place}: a body has become required"));
        }
        self.contents(&format!("{place}, body"), &was["content"], &is["content"], Way::Sent);
    }

    fn contents(&mut self, place: &str, was: &'a Value, is: &'a Value, way: Way) {
        for (kind, media) in fields(was) {
            match is.get(kind) {
                Some(now) => self.schema(place, &media["schema"], &now["schema"], way),
                None => self.add(format!("{place}: {kind} is gone")),
            }
        }
    }

    fn schema(&mut self, place: &str, was: &'a Value, is: &'a Value, way: Way) {
        for broken in self.documents.compare(was, is, way) {
            self.add(format!("{place}{broken}"));
        }
    }
}
