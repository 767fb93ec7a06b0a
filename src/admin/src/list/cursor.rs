//! Encodes and decodes cursors. A cursor has the position of a page's last row, and is valid only for the same list,
//! sort order and filters.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::Value;

use web::problem::Problem;

/// Encodes the position of a row: its sort value and its id. `mark` is the hash of the list, its order and its filters.
pub(super) fn encode(mark: &str, by: &Value, id: &str) -> String {
    BASE64.encode(serde_json::json!([mark, by, id]).to_string())
}

/// Whether a text has the form of a cursor. The content is checked later, when sort order and filters are known.
pub(super) fn is_cursor(text: &str) -> bool {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=2_000).contains(&text.len()) && text.bytes().all(is_base64)
}

pub(super) fn place(cursor: &str, mark: &str) -> Result<(Value, String), Problem> {
    let read = || {
        let bytes = BASE64.decode(cursor).ok()?;
        let (own, by, id): (String, Value, String) = serde_json::from_slice(&bytes).ok()?;
        (own == mark).then_some((by, id))
    };
    read().ok_or_else(foreign_cursor)
}

pub(super) fn foreign_cursor() -> Problem {
    let detail = "`cursor` must be the `next_cursor` of a page of this list, with the same `sort` and filters.";
    Problem::fault("cursor", "invalid_value", detail)
}
