//! Validation errors in a rulebook's rows, each with its position.

use std::borrow::Cow;

use serde::Serialize;

use crate::rows::Resource;

/// Escapes a key for a JSON pointer (RFC 6901).
#[must_use]
pub fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Decodes a token of a JSON pointer (RFC 6901) to the key; reverses [`escaped`].
#[must_use]
pub fn unescaped(token: &str) -> Cow<'_, str> {
    if token.contains('~') {
        token.replace("~1", "/").replace("~0", "~").into()
    } else {
        token.into()
    }
}

/// A validation error in one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The resource of the row.
    pub resource: Resource,
    /// The row's code.
    pub code: String,
    /// The field, for example `condition` or `names/fr`.
    pub column: String,
    /// The line within the field's value, counted from 1.
    pub line: Option<usize>,
    /// The character within this line, counted from 1.
    pub position: Option<usize>,
    /// A stable code for programs, for example `unknown_fact`.
    pub problem: &'static str,
    /// A sentence for people: the error and, if known, the probable correction.
    pub text: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} {}", self.resource.path(), self.code, self.column)?;
        match (self.line, self.position) {
            (Some(line), Some(position)) => write!(f, " (line {line}, character {position})")?,
            (Some(line), None) => write!(f, " (line {line})")?,
            _ => {}
        }
        write!(f, ": {}", self.text)
    }
}

impl std::error::Error for Fault {}

/// A validation error in a string whose row is not known yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{text}")]
pub struct TextFault {
    /// The line, from 1.
    pub line: Option<usize>,
    /// The character within the line, counted from 1.
    pub position: Option<usize>,
    /// A stable code.
    pub problem: &'static str,
    /// A sentence for people.
    pub text: String,
}

impl TextFault {
    /// Completes the error with the row and the field.
    #[must_use]
    pub fn at(self, resource: Resource, code: &str, column: &str) -> Fault {
        Fault {
            resource,
            code: code.to_owned(),
            column: column.to_owned(),
            line: self.line,
            position: self.position,
            problem: self.problem,
            text: self.text,
        }
    }
}
