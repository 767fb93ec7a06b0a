//! The differences between two states of a rulebook, as JSON for programs and as text in the style of `git diff`.
//!
//! A [`RowDiff`] contains the changed fields of one row. The rows are sorted by resource, then by code. Multi-line
//! strings are compared line by line.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use similar::{Algorithm, ChangeTag};

use rules::rows::{Resource, Row, RowSet, StoredRow, changed, with_row};

/// Context lines shown around a changed line.
const CONTEXT: usize = 3;

/// One row that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct RowDiff {
    /// The resource, as in paths: `services`.
    pub resource: String,
    /// The row's code.
    pub code: String,
    /// The type of change.
    pub what: What,
    /// The changed fields, in the order of the row's fields.
    pub changes: Vec<FieldDiff>,
}

/// The type of a change to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum What {
    /// The row was added.
    Added,
    /// The row was changed.
    Changed,
    /// The row was removed.
    Removed,
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct FieldDiff {
    /// The field's name.
    pub column: String,
    /// The key of the entry if the field is a map, such as the language of a label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Value before, if there was a value.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub before: Option<Value>,
    /// Value after, if there is a value.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub after: Option<Value>,
    /// Changed lines with context, if the string has several lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(default, skip_serializing_if_is_empty)]
    pub lines: Vec<LineDiff>,
}

/// Reads an explicit null as a value, not as an absent field.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// One line of a multi-line string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct LineDiff {
    /// Line number before, from 1; absent for a new line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Line number after, from 1; absent for a removed line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// The line, including its line ending.
    pub text: String,
}

/// Returns the differences between two states of a rulebook.
#[must_use]
pub fn diff(before: &RowSet, after: &RowSet) -> Vec<RowDiff> {
    let mut found = Vec::new();
    for &resource in Resource::ALL {
        with_row!(resource, R => table::<R>(before, after, &mut found));
    }
    found
}

fn table<R: Row>(before: &RowSet, after: &RowSet, found: &mut Vec<RowDiff>) {
    let whole = |stored: Option<&Arc<StoredRow<R>>>| stored.map(|stored| fields(&stored.row)).unwrap_or_default();
    for (code, was, is) in changed::<R>(before, after) {
        let what = match (was, is) {
            (None, _) => What::Added,
            (_, None) => What::Removed,
            _ => What::Changed,
        };
        found.push(RowDiff {
            resource: R::RESOURCE.path().to_owned(),
            code: code.clone(),
            what,
            changes: changes(&whole(was), &whole(is)),
        });
    }
}

/// The fields of a row in the order of its struct. A JSON object does not preserve this order.
pub(super) fn fields<R: Row>(row: &R) -> Vec<(String, Value)> {
    struct InOrder(Vec<(String, Value)>);
    impl<'de> Deserialize<'de> for InOrder {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Collect;
            impl<'de> serde::de::Visitor<'de> for Collect {
                type Value = InOrder;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("a row")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<InOrder, A::Error> {
                    let mut fields = Vec::new();
                    while let Some(entry) = map.next_entry()? {
                        fields.push(entry);
                    }
                    Ok(InOrder(fields))
                }
            }
            deserializer.deserialize_map(Collect)
        }
    }
    // Rows are structs of strings, numbers and lists, which always convert to JSON objects.
    let text = serde_json::to_string(row).unwrap_or_default();
    serde_json::from_str(&text)
        .map(|InOrder(fields)| fields)
        .unwrap_or_default()
}

fn changes(before: &[(String, Value)], after: &[(String, Value)]) -> Vec<FieldDiff> {
    let find = |fields: &[(String, Value)], name: &str| {
        let found = fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.clone())
    };
    // Empty optional fields are omitted, so neither row alone has all field names in order.
    let mut names: Vec<&String> = after.iter().map(|(name, _)| name).collect();
    for (place, (name, _)) in before.iter().enumerate() {
        if !names.contains(&name) {
            let follows = before.iter().take(place).rev().find_map(|(earlier, _)| {
                let at = names.iter().position(|known| *known == earlier)?;
                Some(at + 1)
            });
            names.insert(follows.unwrap_or_default(), name);
        }
    }
    let mut found = Vec::new();
    for name in names.into_iter().filter(|name| *name != "code") {
        field(name, find(before, name), find(after, name), &mut found);
    }
    found
}

fn field(column: &str, before: Option<Value>, after: Option<Value>, found: &mut Vec<FieldDiff>) {
    let one = |key: Option<String>, before: Option<Value>, after: Option<Value>| {
        let lines = lines(before.as_ref(), after.as_ref());
        FieldDiff {
            column: column.to_owned(),
            key,
            before,
            after,
            lines,
        }
    };
    let (old, new) = match (before, after) {
        (before, after) if before == after => return,
        (Some(Value::Object(old)), Some(Value::Object(new))) => (old, new),
        (Some(Value::Object(old)), None) => (old, Map::new()),
        (None, Some(Value::Object(new))) => (Map::new(), new),
        (before, after) => return found.push(one(None, before, after)),
    };
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let (before, after) = (old.get(key).cloned(), new.get(key).cloned());
        if before != after {
            found.push(one(Some(key.clone()), before, after));
        }
    }
}

/// The line-by-line differences, if either string has several lines.
fn lines(before: Option<&Value>, after: Option<&Value>) -> Vec<LineDiff> {
    let text = |value: Option<&Value>| match value {
        None => Some(String::new()),
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => None,
    };
    let (Some(before), Some(after)) = (text(before), text(after)) else {
        return Vec::new();
    };
    if !before.contains('\n') && !after.contains('\n') {
        return Vec::new();
    }
    let before: Vec<&str> = before.split_inclusive('\n').collect();
    let after: Vec<&str> = after.split_inclusive('\n').collect();
    let operations = similar::capture_diff_slices(Algorithm::Myers, &before, &after);
    let number = |index: Option<usize>| index.and_then(|index| u64::try_from(index + 1).ok());
    let mut found = Vec::new();
    for operation in similar::group_diff_ops(operations, CONTEXT).iter().flatten() {
        found.extend(operation.iter_changes(&before, &after).map(|change| LineDiff {
            before: number(change.old_index()).filter(|_| change.tag() != ChangeTag::Insert),
            after: number(change.new_index()).filter(|_| change.tag() != ChangeTag::Delete),
            text: change.value().to_owned(),
        }));
    }
    found
}

/// Returns the differences as text for people: a line per row, then the removed (`-`) and the added (`+`) values.
#[must_use]
pub fn text(diff: &[RowDiff]) -> String {
    let mut out = String::new();
    for RowDiff {
        resource,
        code,
        what,
        changes,
    } in diff
    {
        if !out.is_empty() {
            out.push('\n');
        }
        let what = match what {
            What::Added => "added",
            What::Changed => "changed",
            What::Removed => "removed",
        };
        let _ = writeln!(out, "{what} {resource}/{code}");
        for change in changes {
            field_text(change, &mut out);
        }
    }
    out
}

/// A sentence with the number of rows added, changed and removed.
#[must_use]
pub fn summary(diff: &[RowDiff]) -> String {
    let count = |wanted: What| diff.iter().filter(|row| row.what == wanted).count();
    let parts: Vec<String> = [
        (What::Added, "added"),
        (What::Changed, "changed"),
        (What::Removed, "removed"),
    ]
    .into_iter()
    .map(|(what, word)| (count(what), word))
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{count} {}{word}", if count == 1 { "row " } else { "rows " }))
    .collect();
    if parts.is_empty() {
        "nothing is different".to_owned()
    } else {
        parts.join(", ")
    }
}

fn field_text(change: &FieldDiff, out: &mut String) {
    let name = match &change.key {
        Some(key) => visible(&format!("{}.{key}", change.column)),
        None => change.column.clone(),
    };
    if !change.lines.is_empty() {
        return lines_text(&name, &change.lines, out);
    }
    if let (Some(Value::Array(before)), Some(Value::Array(after))) = (&change.before, &change.after) {
        return list_text(&name, before, after, out);
    }
    for (sign, value) in [('-', &change.before), ('+', &change.after)] {
        if let Some(value) = value {
            let _ = writeln!(out, "{sign}  {name}: {}", shown(value));
        }
    }
}

/// Writes the added and removed items of a list. If only the order or the number of repetitions differs, the whole list
/// is written.
fn list_text(name: &str, before: &[Value], after: &[Value], out: &mut String) {
    let mut told = false;
    for (sign, these, others) in [('-', before, after), ('+', after, before)] {
        for item in these.iter().filter(|item| !others.contains(item)) {
            let _ = writeln!(out, "{sign}  {name}: {}", shown(item));
            told = true;
        }
    }
    if !told {
        for (sign, list) in [('-', before), ('+', after)] {
            let _ = writeln!(out, "{sign}  {name}: {}", shown(&Value::from(list)));
        }
    }
}

fn lines_text(name: &str, lines: &[LineDiff], out: &mut String) {
    let mut last: Option<(u64, u64)> = None;
    for line in lines {
        let (old, new) = last.unwrap_or_default();
        let (before, after) = (line.before.unwrap_or(old), line.after.unwrap_or(new));
        // The line is the first line, or a gap precedes the line.
        if last.is_none() || before > old + 1 || after > new + 1 {
            let _ = writeln!(out, "@@ {name}, line {} @@", line.after.or(line.before).unwrap_or(1));
        }
        last = Some((before, after));
        let sign = match (line.before, line.after) {
            (Some(_), None) => '-',
            (None, _) => '+',
            (Some(_), Some(_)) => ' ',
        };
        let (text, ended) = match line.text.strip_suffix('\n') {
            Some(text) => (text, true),
            None => (line.text.as_str(), false),
        };
        let _ = writeln!(out, "{sign}  {}", visible(text));
        if !ended {
            out.push_str("\\  no line break at the end\n");
        }
    }
}

/// A value as text. A string has no quotes if it is one line, begins with a letter, a digit or `+`, and is not `null`,
/// `true` or `false`.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => {
            let plain = text.chars().next().is_some_and(|c| c.is_alphanumeric() || c == '+')
                && !text.ends_with(char::is_whitespace)
                && !matches!(text.as_str(), "null" | "true" | "false");
            if plain && !text.contains('\n') {
                text.clone()
            } else {
                value.to_string()
            }
        }
        other => other.to_string(),
    };
    visible(&text)
}

/// Escapes control characters, which could act on a terminal.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\t' {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use rules::sample;

    fn changed<R: Row>(rows: &mut RowSet, code: &str, patch: &Value) {
        let table = R::table_mut(rows);
        let mut row = serde_json::to_value(&table[code].row).unwrap();
        for (key, value) in patch.as_object().unwrap() {
            row[key] = value.clone();
        }
        let row: R = serde_json::from_value(row).unwrap();
        table.insert(code.to_owned(), Arc::new(StoredRow { version: 2, row }));
    }

    #[test]
    fn the_same_rows_have_no_diff_whatever_their_versions() {
        let mut rows = sample::rows();
        assert_eq!(diff(&rows, &rows.clone()), []);
        changed::<rules::rows::Tax>(&mut rows, "tps", &json!({}));
        assert_eq!(diff(&sample::rows(), &rows), []);
        assert_eq!(summary(&[]), "nothing is different");
    }

    #[test]
    fn what_changed_is_told_by_row_field_and_entry() {
        use rules::rows::{Service, Tax};
        let (before, mut after) = (sample::rows(), sample::rows());
        let patch = json!({"price_to": "420.00", "notify": ["x"], "names": {"fr": "Caméra", "es": "Cámara"}});
        changed::<Service>(&mut after, "camera_inspection", &patch);
        Tax::table_mut(&mut after).remove("tps");
        let found = diff(&before, &after);
        let told: Vec<_> = found.iter().map(|row| (row.resource.as_str(), row.what)).collect();
        assert_eq!(told, [("services", What::Changed), ("taxes", What::Removed)]);
        let fields: Vec<_> = found[0]
            .changes
            .iter()
            .map(|change| (change.column.as_str(), change.key.as_deref()))
            .collect();
        assert_eq!(
            fields,
            [
                ("names", Some("en")),
                ("names", Some("es")),
                ("names", Some("fr")),
                ("price_to", None),
                ("notify", None),
            ]
        );
        let text = text(&found);
        assert!(
            text.starts_with("changed services/camera_inspection\n-  names.en: "),
            "{text}"
        );
        assert!(text.contains("\n-  price_to: 350.00\n+  price_to: 420.00\n"), "{text}");
        assert!(text.contains("\n\nremoved taxes/tps\n-  names.en: "), "{text}");
        assert_eq!(summary(&found), "1 row changed, 1 row removed");
        let back: Vec<RowDiff> = serde_json::from_value(serde_json::to_value(&found).unwrap()).unwrap();
        assert_eq!(back, found);
    }

    #[test]
    fn a_script_is_told_line_by_line() {
        let source = |lines: &str| json!({ "source": lines });
        let (mut before, mut after) = (sample::rows(), sample::rows());
        let code = before.scripts.keys().next().unwrap().clone();
        let old = (1..=20).fold(String::new(), |text, line| format!("{text}line {line}\n"));
        let new = old.replace("line 3\n", "line three\n").replace("line 20\n", "line 20");
        changed::<rules::rows::Script>(&mut before, &code, &source(&old));
        changed::<rules::rows::Script>(&mut after, &code, &source(&new));
        let found = diff(&before, &after);
        let expected = format!(
            "changed scripts/{code}\n@@ source, line 1 @@\n   line 1\n   line 2\n-  line 3\n+  line three\n   line 4\n   line 5\n   \
             line 6\n@@ source, line 17 @@\n   line 17\n   line 18\n   line 19\n-  line 20\n+  line 20\n\\  no line break at \
             the end\n"
        );
        assert_eq!(text(&found), expected);
    }

    #[test]
    fn an_expected_null_is_something_and_control_characters_are_spelt_out() {
        use rules::rows::Case;
        let (before, mut after) = (sample::rows(), sample::rows());
        let code = before.cases.keys().next().unwrap().clone();
        let patch = json!({"expect": {"/price": null}, "said": "\u{1b}[31mred"});
        changed::<Case>(&mut after, &code, &patch);
        let found = diff(&before, &after);
        let added = found[0]
            .changes
            .iter()
            .find(|change| change.key.as_deref() == Some("/price"));
        assert_eq!(added.unwrap().after, Some(Value::Null));
        let text = text(&found);
        assert!(
            text.contains("+  expect./price: null\n") && !text.contains('\u{1b}'),
            "{text}"
        );
    }
}
