//! Optimistic locking: a write names the version of the row that the client read, so nobody overwrites an unseen
//! change. The server never guesses a version. For an existing row the server responds 428 if the request has no
//! version, and 412 if the version is not current.

use authoring::change_set::ExpectedVersion;
use web::problem::{Code, FieldFault, Problem};

/// The state that a request expects.
#[derive(Debug, Clone, Default)]
pub struct Precondition {
    /// The `version` in the body.
    pub body: Option<i64>,
    /// The `If-Match` header.
    pub if_match: Option<String>,
    /// The `If-None-Match` header.
    pub if_none_match: Option<String>,
}

/// Returns the version that the publisher must find. `current` is the row's version, or `None` if the row does not
/// exist.
///
/// # Errors
/// 400, 412 or 428; the problem says what to send.
pub fn expected(said: &Precondition, current: Option<i64>, what: &str) -> Result<ExpectedVersion, Problem> {
    let version_sent = version_sent(said.body, said.if_match.as_deref())?;
    if let Some(value) = &said.if_none_match {
        if value.trim() != "*" {
            let detail = "`If-None-Match` on a write can only be `*`.";
            return Err(Problem::invalid_parameter("If-None-Match", detail));
        }
        return match current {
            None if version_sent.is_none() => Ok(ExpectedVersion::Absent),
            _ => Err(Problem::new(Code::StaleVersion, format!("The {what} already exists."))),
        };
    }
    match (version_sent, current) {
        // A row that does not exist yet has version 0.
        (None | Some(0), None) => Ok(ExpectedVersion::Absent),
        (Some(version), None) => Err(stale(what, version, None)),
        (None, Some(_)) => Err(Problem::new(
            Code::VersionRequired,
            format!("The {what} exists: bring the `version` that was read, in the body or as `If-Match: \"version\"`."),
        )),
        (Some(version), Some(current)) if version == current => Ok(ExpectedVersion::Version(version)),
        (Some(version), current) => Err(stale(what, version, current)),
    }
}

/// Returns the 412 problem, with the current version and what to do.
#[must_use]
pub fn stale(what: &str, version: i64, current: Option<i64>) -> Problem {
    let detail = match current {
        Some(current) => format!(
            "The {what} is at version {current}, not {version}: it was changed since you read it, perhaps by your own last \
             request. Read it again; if your change still fits, send it with `version` {current}."
        ),
        None => format!("The {what} is not at version {version}: it no longer exists. Read the list again."),
    };
    Problem::new(Code::StaleVersion, detail)
}

/// Returns the version in the body or in `If-Match`, or `None` if there is neither.
///
/// # Errors
/// 400 if `If-Match` is not a version, 422 if it differs from the version in the body.
pub fn version_sent(version: Option<i64>, if_match: Option<&str>) -> Result<Option<i64>, Problem> {
    let header = if_match.map(parse).transpose()?;
    match (version, header) {
        (Some(body), Some(header)) if body != header => Err(Problem::fault(
            "/version",
            "contradiction",
            format!("The body says version {body} and `If-Match` says {header}."),
        )),
        (body, header) => Ok(body.or(header)),
    }
}

fn parse(header: &str) -> Result<i64, Problem> {
    let text = header.trim();
    let text = text.strip_prefix("W/").unwrap_or(text);
    let version = match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(tag) => without_mark(tag),
        None => text,
    };
    let number = Some(version).filter(|text| text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit()));
    number.and_then(|text| text.parse().ok()).ok_or_else(|| {
        Problem::new(
            Code::InvalidParameter,
            "`If-Match` must be the ETag of the row that was read, such as `\"7\"`.",
        )
        .with_errors(vec![FieldFault::new(
            "If-Match",
            "invalid_value",
            "Expected one ETag, such as `\"7\"`.",
        )])
    })
}

/// Returns the version in a row's ETag. The rest of the tag identifies the body and matters only for `If-None-Match`.
fn without_mark(tag: &str) -> &str {
    let is_mark = |mark: &str| {
        (1..=64).contains(&mark.len()) && mark.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    match tag.split_once('.') {
        Some((version, mark)) if is_mark(mark) => version,
        _ => tag,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: Option<i64>, if_match: Option<&str>, if_none_match: Option<&str>) -> Precondition {
        Precondition {
            body,
            if_match: if_match.map(Into::into),
            if_none_match: if_none_match.map(Into::into),
        }
    }

    fn code(said: &Precondition, current: Option<i64>) -> Result<ExpectedVersion, Code> {
        expected(said, current, "row").map_err(|problem| problem.code())
    }

    #[test]
    fn a_new_row_needs_no_version_and_an_existing_one_does() {
        assert_eq!(code(&said(None, None, None), None), Ok(ExpectedVersion::Absent));
        assert_eq!(code(&said(Some(0), None, None), None), Ok(ExpectedVersion::Absent));
        assert_eq!(code(&said(None, None, Some("*")), None), Ok(ExpectedVersion::Absent));
        assert_eq!(code(&said(None, None, None), Some(3)), Err(Code::VersionRequired));
        assert_eq!(code(&said(None, Some("*"), None), Some(3)), Err(Code::InvalidParameter));
    }

    #[test]
    fn the_version_may_come_in_the_body_or_in_the_header_but_not_two_different_ones() {
        for good in [
            said(Some(3), None, None),
            said(None, Some("\"3\""), None),
            said(Some(3), Some("W/\"3\""), None),
            said(None, Some("\"3.0f1e2d\""), None),
        ] {
            assert_eq!(code(&good, Some(3)), Ok(ExpectedVersion::Version(3)));
            assert_eq!(code(&good, Some(4)), Err(Code::StaleVersion));
            assert_eq!(code(&good, None), Err(Code::StaleVersion));
        }
        assert_eq!(code(&said(Some(3), Some("4"), None), Some(3)), Err(Code::Unprocessable));
        assert_eq!(code(&said(None, None, Some("*")), Some(3)), Err(Code::StaleVersion));
    }
}
