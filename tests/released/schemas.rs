//! Finds the changes of a schema that break clients: a request value that was accepted and is now rejected, or a
//! response value that could not occur before. Each change is a sentence with its JSON pointer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Sent,
    Answered,
}

#[derive(Clone, Copy)]
pub struct Documents<'a> {
    pub older: &'a Value,
    pub newer: &'a Value,
}

impl<'a> Documents<'a> {
    pub fn compare(self, was: &'a Value, is: &'a Value, way: Way) -> Vec<String> {
        let mut comparison = Comparison {
            documents: self,
            way,
            seen: BTreeSet::new(),
            breaks: Vec::new(),
        };
        comparison.schema("", was, is);
        comparison.breaks
    }
}

struct Comparison<'a> {
    documents: Documents<'a>,
    way: Way,
    /// The references that were already followed, because a schema may contain itself.
    seen: BTreeSet<(String, String)>,
    breaks: Vec<String>,
}

impl<'a> Comparison<'a> {
    fn schema(&mut self, place: &str, was: &'a Value, is: &'a Value) {
        if let (Some(old), Some(new)) = (was["$ref"].as_str(), is["$ref"].as_str())
            && !self.seen.insert((old.to_owned(), new.to_owned()))
        {
            return;
        }
        let (was, is) = (flat(self.documents.older, was), flat(self.documents.newer, is));
        self.kind(place, &was, &is);
        self.values(place, &was, &is);
        self.alternatives(place, &was, &is);
        if self.way == Way::Sent {
            self.limits(place, &was, &is);
        }
        self.properties(place, &was, &is);
        for part in ["items", "additionalProperties"] {
            if let (Some(old @ Value::Object(_)), Some(new @ Value::Object(_))) = (was.get(part), is.get(part)) {
                self.schema(&format!("{place}/{part}"), old, new);
            }
        }
    }

    fn add(&mut self, place: &str, broken: &str) {
        let at = if place.is_empty() {
            String::new()
        } else {
            format!(" {place}")
        };
        self.breaks.push(format!("{at}: {broken}"));
    }

    fn kind(&mut self, place: &str, was: &Flat<'a>, is: &Flat<'a>) {
        let (old, new) = (kinds(was), kinds(is));
        let (takes, of) = self.wider_and_narrower(&new, &old);
        if !takes.is_empty() && (of.is_empty() || !of.iter().all(|kind| fits(kind, takes))) {
            let told = |kinds: &BTreeSet<&str>| kinds.iter().copied().collect::<Vec<_>>().join(" or ");
            self.add(place, &format!("its type was {} and is {}", told(&old), told(&new)));
        }
        let (old, new) = (was.get("format"), is.get("format"));
        let (takes, of) = self.wider_and_narrower(&new, &old);
        if takes.is_some() && takes != of {
            self.add(place, &format!("its format was {} and is {}", told(old), told(new)));
        }
    }

    fn values(&mut self, place: &str, was: &Flat<'a>, is: &Flat<'a>) {
        let (old, new) = (values(was), values(is));
        let (takes, of) = self.wider_and_narrower(&new, &old);
        match (takes, of) {
            (Some(takes), Some(of)) => {
                for value in of.iter().filter(|value| !takes.contains(value)) {
                    let broken = match self.way {
                        Way::Sent => format!("{value} is no longer accepted"),
                        Way::Answered => format!("{value} is new"),
                    };
                    self.add(place, &broken);
                }
            }
            (Some(_), None) => match self.way {
                Way::Sent => self.add(place, "only some values are accepted now"),
                Way::Answered => self.add(place, "its values are no longer a closed list"),
            },
            (None, _) => {}
        }
    }

    fn alternatives(&mut self, place: &str, was: &Flat<'a>, is: &Flat<'a>) {
        for key in ["oneOf", "anyOf"] {
            let (old, new) = (
                was.get(key).and_then(Value::as_array),
                is.get(key).and_then(Value::as_array),
            );
            let (takes, of) = self.wider_and_narrower(&new, &old);
            let (Some(takes), of) = (*takes, of.map_or(&[][..], Vec::as_slice)) else {
                continue;
            };
            if of.is_empty() || of.iter().any(|one| !takes.contains(one)) {
                self.add(place, &format!("its alternatives ({key}) have changed incompatibly"));
            }
        }
    }

    fn limits(&mut self, place: &str, was: &Flat<'a>, is: &Flat<'a>) {
        for (key, lower) in [
            ("minimum", true),
            ("exclusiveMinimum", true),
            ("minLength", true),
            ("minItems", true),
            ("minProperties", true),
            ("maximum", false),
            ("exclusiveMaximum", false),
            ("maxLength", false),
            ("maxItems", false),
            ("maxProperties", false),
        ] {
            let (old, new) = (
                was.get(key).and_then(Value::as_f64),
                is.get(key).and_then(Value::as_f64),
            );
            let narrower = match (old, new) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(old), Some(new)) => (lower && new > old) || (!lower && new < old),
            };
            if narrower {
                self.add(
                    place,
                    &format!("its {key} was {} and is {}", told(was.get(key)), told(is.get(key))),
                );
            }
        }
        for key in ["pattern", "multipleOf", "uniqueItems"] {
            let new = is.get(key).filter(|new| **new != Value::Bool(false));
            if new.is_some() && new != was.get(key) {
                self.add(
                    place,
                    &format!("its {key} was {} and is {}", told(was.get(key)), told(new)),
                );
            }
        }
    }

    fn properties(&mut self, place: &str, was: &Flat<'a>, is: &Flat<'a>) {
        let (required, requires) = (&was.required, &is.required);
        for (name, old) in &was.properties {
            let at = format!("{place}/{name}");
            match is.properties.get(name) {
                Some(new) => self.schema(&at, old, new),
                None => self.add(&at, "is gone"),
            }
        }
        match self.way {
            Way::Sent => {
                for name in requires.difference(required) {
                    self.add(&format!("{place}/{name}"), "has become required");
                }
                if is.get("additionalProperties") == Some(&Value::Bool(false))
                    && was.get("additionalProperties") != Some(&Value::Bool(false))
                {
                    self.add(place, "fields that it does not name are no longer accepted");
                }
            }
            Way::Answered => {
                for name in required
                    .difference(requires)
                    .filter(|name| is.properties.contains_key(**name))
                {
                    self.add(&format!("{place}/{name}"), "may be missing now");
                }
            }
        }
    }

    /// Returns the wider and the narrower schema. For requests, the newer schema must accept everything that the older
    /// schema accepts. For responses, the older schema must accept everything that the newer schema accepts.
    fn wider_and_narrower<'b, T>(&self, newer: &'b T, older: &'b T) -> (&'b T, &'b T) {
        match self.way {
            Way::Sent => (newer, older),
            Way::Answered => (older, newer),
        }
    }
}

/// A schema with its references resolved and its `allOf` merged.
#[derive(Default)]
struct Flat<'a> {
    properties: BTreeMap<&'a str, &'a Value>,
    required: BTreeSet<&'a str>,
    keys: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Flat<'a> {
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.keys.get(key).copied()
    }
}

fn flat<'a>(document: &'a Value, schema: &'a Value) -> Flat<'a> {
    let mut flat = Flat::default();
    gather(document, schema, &mut flat, 0);
    flat
}

fn gather<'a>(document: &'a Value, schema: &'a Value, flat: &mut Flat<'a>, depth: usize) {
    let Some(object) = schema.as_object().filter(|_| depth < 32) else {
        return;
    };
    if let Some(to) = schema["$ref"]
        .as_str()
        .and_then(|to| document.pointer(to.strip_prefix('#')?))
    {
        gather(document, to, flat, depth + 1);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        gather(document, part, flat, depth + 1);
    }
    for (key, value) in object {
        match key.as_str() {
            "$ref" | "allOf" => {}
            "required" => flat
                .required
                .extend(value.as_array().into_iter().flatten().filter_map(Value::as_str)),
            "properties" => flat.properties.extend(
                value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, schema)| (name.as_str(), schema)),
            ),
            _ => {
                flat.keys.insert(key, value);
            }
        }
    }
}

fn kinds<'a>(schema: &Flat<'a>) -> BTreeSet<&'a str> {
    match schema.get("type") {
        Some(Value::String(kind)) => [kind.as_str()].into(),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => BTreeSet::new(),
    }
}

fn fits(kind: &str, takes: &BTreeSet<&str>) -> bool {
    takes.contains(kind) || (kind == "integer" && takes.contains("number"))
}

fn values(schema: &Flat<'_>) -> Option<Vec<Value>> {
    let one = schema.get("const").map(|value| vec![value.clone()]);
    one.or_else(|| schema.get("enum").and_then(Value::as_array).cloned())
}

fn told(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}
