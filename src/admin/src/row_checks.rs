//! Validates rows, codes and comments from clients.

use serde_json::Value;

use super::body;
use super::state::shortened;
use rules::check::is_rulebook_code;
use rules::rows::Row;
use web::problem::Problem;

/// Adds the code in the path to a row. The body may omit the code, but must not contradict the path.
pub fn with_code(mut row: Value, code: &str) -> Result<Value, Problem> {
    if let Value::Object(object) = &mut row {
        match object.get("code") {
            None => {
                object.insert("code".to_owned(), code.into());
            }
            Some(own) if own == code => {}
            Some(_) => {
                let detail = format!(
                    "`code` must be `{}`, as in the path; a row cannot be renamed.",
                    shortened(code)
                );
                return Err(Problem::fault("/code", "contradiction", detail));
            }
        }
    }
    Ok(row)
}

/// Validates a row and returns its stored form.
///
/// # Errors
/// 422 with the JSON pointer of an error.
pub fn canonical<R: Row>(row: Value) -> Result<Value, Problem> {
    if has_nul(&row) {
        let detail = "Strings cannot contain NUL characters.";
        return Err(Problem::fault("", "invalid_value", detail));
    }
    let row: R = body::read(row)?;
    serde_json::to_value(row).map_err(|error| Problem::internal(&error))
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(object) => object.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// Checks that a new code is valid in paths, conditions and file names.
pub fn check_code(code: &str) -> Result<(), Problem> {
    if is_rulebook_code(code) {
        return Ok(());
    }
    let detail = "A code has 1 to 64 letters, digits, `_`, `-` or `.` and begins with a letter or digit.";
    Err(Problem::invalid_parameter("code", detail))
}

/// Validates the comment, which the list of revisions shows.
///
/// # Errors
/// 400 if the comment is too long or contains a NUL character.
pub fn checked_comment(comment: Option<String>) -> Result<String, Problem> {
    let comment = comment.unwrap_or_default();
    if comment.chars().count() <= 500 && !comment.contains('\0') {
        return Ok(comment);
    }
    Err(Problem::invalid_parameter(
        "comment",
        "`comment` has at most 500 characters.",
    ))
}
