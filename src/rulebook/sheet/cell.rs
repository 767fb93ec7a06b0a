//! One value in one cell, and back.

use serde_json::Value;

use super::Shape;

/// What stands between the words of a list.
const BETWEEN: &str = " | ";
/// A text that is there and empty, where an empty cell means that there is none.
const EMPTY: &str = "\"\"";

/// What a spreadsheet could take for a formula or strip, and what marks a text that was marked.
const MARKED: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\''];

/// A value as a cell; `required` is whether an empty cell is an empty text.
pub(super) fn of(value: &Value, shape: Shape, required: bool) -> String {
    match (shape, value) {
        (_, Value::Null) => String::new(),
        (Shape::Text | Shape::TextMap, Value::String(text)) => of_text(text, required),
        // Digits with a sign, as the type holds them: a spreadsheet may count with them.
        (Shape::Number, Value::String(text)) => text.clone(),
        (Shape::Texts | Shape::TextsMap, Value::Array(items)) => of_texts(items, shape == Shape::Texts),
        (_, value) => value.to_string(),
    }
}

fn of_text(text: &str, required: bool) -> String {
    if text.is_empty() {
        return if required { String::new() } else { EMPTY.to_owned() };
    }
    if text.starts_with(MARKED) || text == EMPTY {
        return format!("'{text}");
    }
    text.to_owned()
}

fn of_texts(items: &[Value], empty_is_none: bool) -> String {
    let plain = |item: &Value| {
        let text = item.as_str()?;
        let odd = text.is_empty()
            || text.trim() != text
            || text.contains(['|', '\n', '\r'])
            || text.starts_with(['[', '='])
            || text.starts_with(MARKED);
        (!odd).then(|| text.to_owned())
    };
    if items.is_empty() && empty_is_none {
        return String::new();
    }
    match items.iter().map(plain).collect::<Option<Vec<String>>>() {
        Some(texts) if !texts.is_empty() => texts.join(BETWEEN),
        _ => Value::from(items).to_string(),
    }
}

/// The value in a cell; none where the cell says that there is none. Or what was expected.
pub(super) fn read(cell: &str, shape: Shape, required: bool) -> Result<Option<Value>, String> {
    if cell.contains('\0') {
        return Err("a cell cannot hold NUL characters".to_owned());
    }
    let unmarked = cell.strip_prefix('\'').unwrap_or(cell);
    match shape {
        Shape::Text | Shape::TextMap => Ok(match cell {
            "" if required => Some("".into()),
            "" => None,
            EMPTY => Some("".into()),
            _ => Some(unmarked.into()),
        }),
        Shape::Number => match unmarked.trim() {
            "" => Ok(None),
            text if text.contains(',') => Err(with_point(text)),
            text => Ok(Some(text.into())),
        },
        Shape::Integer => match unmarked.trim() {
            "" => Ok(None),
            text => match text.parse::<i64>() {
                Ok(number) => Ok(Some(number.into())),
                Err(_) => Err(format!("expected a whole number, as 10, not `{}`", shortened(text))),
            },
        },
        Shape::Boolean => match unmarked.trim().to_lowercase().as_str() {
            "" => Ok(None),
            // As a spreadsheet in French writes them too.
            "true" | "vrai" => Ok(Some(true.into())),
            "false" | "faux" => Ok(Some(false.into())),
            text => Err(format!("expected true or false, not `{}`", shortened(text))),
        },
        Shape::Texts | Shape::TextsMap => {
            let trimmed = cell.trim();
            if trimmed.starts_with('[') {
                json(trimmed).map(Some)
            } else if trimmed.is_empty() {
                Ok((shape == Shape::Texts).then(|| Value::Array(Vec::new())))
            } else {
                let words = unmarked.split('|').map(str::trim).filter(|word| !word.is_empty());
                Ok(Some(words.collect()))
            }
        }
        Shape::Json => match cell.trim() {
            "" => Ok(None),
            text => json(text).map(Some),
        },
    }
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("expected JSON; it goes wrong at line {line}, character {column} of the cell")
    })
}

/// What a decimal comma should have been.
fn with_point(text: &str) -> String {
    let decimal = text.matches(',').count() == 1 && !text.contains('.');
    if decimal {
        let (text, point) = (shortened(text), shortened(&text.replace(',', ".")));
        format!("a number has a point, not a comma: write {point} instead of {text}")
    } else {
        let text = shortened(text);
        format!("expected a number as 1350.00, with a point and nothing between the thousands, not `{text}`")
    }
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}
