//! Records real responses as examples for the OpenAPI document (`make examples`). RINGBOOK_KEEP_ANSWERS names the file.
//! For each schema and status, the recorded response has the most fields of all responses that are not too long.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, Mutex};

use serde_json::Value;

/// Maximum number of list entries in an example. A list with a long first entry shows only this entry.
const ENTRIES: usize = 2;
const LONG_ENTRY: usize = 150;

/// Maximum number of entries of a map with uniform entries, such as facts by name.
const ALIKE: usize = 3;

/// Maximum length of a string, in bytes. A longer string of several lines is cut to its first two lines.
const LONG_TEXT: usize = 200;

/// Maximum length of an example, in bytes.
const LONGEST: usize = 2_000;

static KEPT: LazyLock<Mutex<BTreeMap<String, BTreeMap<String, Value>>>> = LazyLock::new(Mutex::default);

/// Records a response if it has more fields than the recorded response, or as many fields in a shorter text.
#[expect(clippy::disallowed_methods, reason = "tests read their own environment variables")]
pub fn keep(status: &str, schema: &Value, body: &Value) {
    let (Some(file), Some(schema)) = (std::env::var_os("RINGBOOK_KEEP_ANSWERS"), schema["$ref"].as_str()) else {
        return;
    };
    let mut value = body.clone();
    shorten(&mut value);
    if !status.starts_with('2') || value.to_string().len() > LONGEST {
        return;
    }
    let mut kept = KEPT.lock().unwrap();
    let schema = schema.rsplit('/').next().unwrap_or_default();
    let by_status = kept.entry(schema.to_owned()).or_default();
    if by_status.get(status).is_some_and(|known| worth(known) >= worth(&value)) {
        return;
    }
    by_status.insert(status.to_owned(), value);
    let text = serde_json::to_string_pretty(&*kept).unwrap();
    std::fs::write(file, text + "\n").unwrap();
}

fn shorten(value: &mut Value) {
    match value {
        Value::Array(entries) => {
            entries.truncate(ENTRIES);
            entries.iter_mut().for_each(shorten);
            if entries
                .first()
                .is_some_and(|first| first.to_string().len() > LONG_ENTRY)
            {
                entries.truncate(1);
            }
        }
        Value::Object(fields) => {
            let keys = |value: &Value| {
                value
                    .as_object()
                    .map(|object| object.keys().cloned().collect::<Vec<_>>())
            };
            let mut all = fields.values().map(keys);
            let first = all.next().flatten();
            if first.is_some() && all.all(|other| other == first) {
                let kept: Vec<String> = fields.keys().take(ALIKE).cloned().collect();
                fields.retain(|name, _| kept.contains(name));
            }
            fields.values_mut().for_each(shorten);
        }
        Value::String(text) if text.len() > LONG_TEXT && text.contains('\n') => {
            *text = text.lines().take(2).collect::<Vec<_>>().join("\n");
        }
        _ => {}
    }
}

/// Returns the rank of an example: the example with more fields wins, then the shorter example.
fn worth(value: &Value) -> (usize, i64) {
    let mut fields = BTreeSet::new();
    collect(value, String::new(), &mut fields);
    (fields.len(), -i64::try_from(value.to_string().len()).unwrap())
}

fn collect(value: &Value, at: String, fields: &mut BTreeSet<String>) {
    match value {
        Value::Array(entries) => entries.iter().for_each(|entry| collect(entry, at.clone(), fields)),
        Value::Object(object) => object
            .iter()
            .for_each(|(name, field)| collect(field, format!("{at}/{name}"), fields)),
        Value::Null => {}
        _ => {
            fields.insert(at);
        }
    }
}
