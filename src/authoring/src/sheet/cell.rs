//! Converts one value to a cell and back.

use serde_json::Value;

use super::CellShape;

/// Separator between the items of a list.
const BETWEEN: &str = " | ";
/// The cell for an empty string. An empty cell means no value.
const EMPTY: &str = "\"\"";

/// Characters that begin a formula in a spreadsheet, full-width signs included, and the apostrophe that marks a string.
const SIGNS: [char; 9] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\''];
/// Characters after which a spreadsheet may begin a new cell, or which it strips from the beginning of a cell. For
/// example, a spreadsheet set to French splits `x;=1` into two cells. A spreadsheet set to French also splits at line
/// breaks between quotes.
const ENDS: [char; 4] = [';', '\t', '\r', '\n'];

/// A value as a cell. `required` means that an empty cell is an empty string.
pub(super) fn of(value: &Value, shape: CellShape, required: bool) -> String {
    match (shape, value) {
        (_, Value::Null) => String::new(),
        (CellShape::Text | CellShape::TextMap, Value::String(text)) => of_text(text, required),
        // A number consists of digits and an optional sign. A number gets no mark, so that a spreadsheet can calculate
        // with the number.
        (CellShape::Number, Value::String(text)) => text.clone(),
        (CellShape::Texts | CellShape::TextsMap, Value::Array(items)) => of_texts(items, shape == CellShape::Texts),
        (_, value) => json_cell(value),
    }
}

fn of_text(text: &str, required: bool) -> String {
    if text.is_empty() {
        return if required { String::new() } else { EMPTY.to_owned() };
    }
    let inside = marked_inside(text);
    if begins_formula(text) || text.starts_with(['\t', '\r', '\n']) || text == EMPTY {
        return format!("'{inside}");
    }
    inside
}

fn begins_formula(text: &str) -> bool {
    text.trim_start().starts_with(SIGNS)
}

/// Adds apostrophes to a string, so that no part of the string begins a formula, wherever a spreadsheet splits cells.
pub(super) fn marked_inside(text: &str) -> String {
    rewritten(text, |rest| if begins_formula(rest) { Some(("'", 0)) } else { None })
}

/// Removes the apostrophes of [`marked_inside`].
pub(super) fn unmarked_inside(text: &str) -> String {
    let is_mark = |rest: &str| rest.strip_prefix('\'').is_some_and(begins_formula);
    rewritten(text, |rest| is_mark(rest).then_some(("", 1)))
}

/// Applies a replacement after each character that may end a cell. `change` returns the new string and the number of
/// bytes to skip.
fn rewritten(text: &str, change: impl Fn(&str) -> Option<(&'static str, usize)>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(ENDS) {
        let (done, after) = rest.split_at(at + 1);
        out.push_str(done);
        rest = after;
        // A carriage return with a line feed counts as one end of a cell.
        if done.ends_with('\r') && rest.starts_with('\n') {
            continue;
        }
        if let Some((instead, length)) = change(rest) {
            out.push_str(instead);
            rest = rest.get(length..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    out
}

/// A value as JSON in which no formula follows a `;`, because some spreadsheets split cells at `;`.
fn json_cell(value: &Value) -> String {
    let text = value.to_string();
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once(';') {
        out.push_str(before);
        out.push_str(if begins_formula(after) { "\\u003b" } else { ";" });
        rest = after;
    }
    out.push_str(rest);
    out
}

fn of_texts(items: &[Value], empty_is_none: bool) -> String {
    let plain = |item: &Value| {
        let text = item.as_str()?;
        let odd = text.is_empty()
            || text.trim() != text
            || text.contains(['\n', '\r'])
            || listed(text) != [text]
            || text.starts_with('[')
            || begins_formula(text)
            || marked_inside(text) != text;
        (!odd).then(|| text.to_owned())
    };
    if items.is_empty() && empty_is_none {
        return String::new();
    }
    match items.iter().map(plain).collect::<Option<Vec<String>>>() {
        Some(texts) if !texts.is_empty() => texts.join(BETWEEN),
        _ => json_cell(&Value::from(items)),
    }
}

/// Reads the value of a cell. `None` if the cell means no value. The error describes the expected value. `has_commas`
/// means that numbers have decimal commas, as in a spreadsheet set to French.
pub(super) fn read(cell: &str, shape: CellShape, required: bool, has_commas: bool) -> Result<Option<Value>, String> {
    if cell.contains('\0') {
        return Err("a cell cannot contain NUL characters".to_owned());
    }
    let unmarked = cell.strip_prefix('\'').unwrap_or(cell);
    match shape {
        CellShape::Text | CellShape::TextMap => Ok(match cell {
            "" if required => Some("".into()),
            "" => None,
            EMPTY => Some("".into()),
            _ => Some(unmarked_inside(unmarked).into()),
        }),
        CellShape::Number => match unmarked.trim() {
            "" => Ok(None),
            text => match decimal(text, has_commas) {
                Some(number) => Ok(Some(number.into())),
                None => Err(with_point(text)),
            },
        },
        CellShape::Integer => match unmarked.trim() {
            "" => Ok(None),
            text => match text.parse::<i64>() {
                Ok(number) => Ok(Some(number.into())),
                Err(_) => Err(format!("expected a whole number such as 10, not `{}`", shortened(text))),
            },
        },
        CellShape::Boolean => match unmarked.trim().to_lowercase().as_str() {
            "" => Ok(None),
            // A spreadsheet set to French writes these words.
            "true" | "vrai" => Ok(Some(true.into())),
            "false" | "faux" => Ok(Some(false.into())),
            text => Err(format!("expected true or false, not `{}`", shortened(text))),
        },
        CellShape::Texts | CellShape::TextsMap => {
            let trimmed = cell.trim();
            if trimmed.starts_with('[') {
                json(trimmed).map(Some)
            } else if trimmed.is_empty() {
                Ok((shape == CellShape::Texts).then(|| Value::Array(Vec::new())))
            } else {
                Ok(Some(listed(unmarked).into_iter().collect()))
            }
        }
        CellShape::Json => match cell.trim() {
            "" => Ok(None),
            text => json(text).map(Some),
        },
    }
}

/// The items of a list. A bar separates items if it has white space on at least one side. In `basement|cellar` the bar
/// is part of a phrase.
fn listed(cell: &str) -> Vec<&str> {
    let parts_here = |at: usize| {
        let before = cell.get(..at).and_then(|text| text.chars().next_back());
        let after = cell.get(at + 1..).and_then(|text| text.chars().next());
        before.is_none_or(char::is_whitespace) || after.is_none_or(char::is_whitespace)
    };
    let mut found = Vec::new();
    let mut start = 0;
    for (at, _) in cell.match_indices('|').filter(|(at, _)| parts_here(*at)) {
        found.push(cell.get(start..at).unwrap_or_default());
        start = at + 1;
    }
    found.push(cell.get(start..).unwrap_or_default());
    found
        .into_iter()
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .collect()
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("expected JSON; the error is at line {line}, character {column} of the cell")
    })
}

/// Reads a number, and returns it with a decimal point. If the sheet has decimal commas, a comma, spaces between
/// thousands and a trailing currency sign are accepted. If the sheet has decimal points, a comma is refused, because it
/// could be a thousands separator.
fn decimal(text: &str, has_commas: bool) -> Option<String> {
    if !has_commas {
        return (!text.contains(',')).then(|| text.to_owned());
    }
    let is_space = |c: char| matches!(c, ' ' | '\u{a0}' | '\u{202f}');
    let digits: String = text.trim_end_matches('$').chars().filter(|c| !is_space(*c)).collect();
    let is_sound = digits.matches([',', '.']).count() <= 1;
    is_sound.then(|| digits.replace(',', "."))
}

/// Returns the error for text that is not a number. If the text has a decimal comma, the error shows the number with a
/// point.
fn with_point(text: &str) -> String {
    let decimal = text.matches(',').count() == 1 && !text.contains('.');
    if decimal {
        let (text, point) = (shortened(text), shortened(&text.replace(',', ".")));
        format!("a number has a point, not a comma: write {point} instead of {text}")
    } else {
        let text = shortened(text);
        format!("expected a number such as 1350.00, with a point and nothing between the thousands, not `{text}`")
    }
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}
