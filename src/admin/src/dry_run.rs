//! Handles `dry_run=true`: a write runs up to its commit, gets the usual response, and is rolled back
//! (`store/dry_run.rs`).

use poem::Request;

use web::problem::{Code, FieldFault, Problem};

/// The name of the query parameter.
pub const PARAMETER: &str = "dry_run";
/// The header that marks the response of a dry run.
pub const HEADER: &str = "x-ringbook-dry-run";

/// Operations that only read although their method is not GET; they have no dry run.
pub const READS: &[&str] = &[
    "evaluate",
    "test_script",
    "check_change_set",
    "replay_decision",
    "match_phrases",
];

/// Writes that have no dry run, each with the reason.
pub const WITHOUT_DRY_RUN: &[(&str, &str)] = &[(
    "replay_webhook_events",
    "Several messages cannot have a dry run: each message has its own transaction, and the next message \
     depends on its result. Try one message with `replay_webhook_event`.",
)];

/// Returns the value of the parameter, if the request has it.
///
/// # Errors
/// 400 if the parameter is repeated, or is neither `true` nor `false`.
pub fn parameter_value(request: &Request) -> Result<Option<bool>, Problem> {
    let wrong = |code: &str, detail: &str| {
        let fault = FieldFault::new(PARAMETER, code, detail);
        Problem::new(Code::InvalidParameter, detail).with_errors(vec![fault])
    };
    let pairs: Vec<(String, String)> = request.params().unwrap_or_default();
    let mut parameter_value = pairs.iter().filter(|(name, _)| name == PARAMETER);
    let Some((_, value)) = parameter_value.next() else {
        return Ok(None);
    };
    if parameter_value.next().is_some() {
        return Err(wrong("repeated", "`dry_run` is given twice."));
    }
    match value.as_str() {
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        _ => Err(wrong("invalid_value", "`dry_run` must be `true` or `false`.")),
    }
}

/// Returns the 400 problem for an operation that has no dry run.
#[must_use]
pub fn refused(operation: &str) -> Problem {
    let why = WITHOUT_DRY_RUN
        .iter()
        .find(|(id, _)| *id == operation)
        .map_or("This operation writes nothing: omit `dry_run`.", |(_, why)| *why);
    let fault = FieldFault::new(PARAMETER, "unknown_parameter", why);
    Problem::new(Code::InvalidParameter, why).with_errors(vec![fault])
}

/// Whether a `name=value` pair of a query string sets `dry_run`.
#[must_use]
pub fn is_named_by(pair: &str) -> bool {
    pair.split('=').next() == Some(PARAMETER)
}
