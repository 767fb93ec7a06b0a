//! The published document.

use serde_json::Value;

/// The document as JSON.
#[must_use]
pub fn document() -> Value {
    Value::Null
}

/// The document as text.
#[must_use]
pub fn document_text() -> String {
    String::new()
}
