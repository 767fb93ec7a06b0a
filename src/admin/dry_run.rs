//! `dry_run=true`: a write that is tried.
//!
//! In: the query of a request. Out: whether it is a trial. Everything is done up to the commit and answered as if it were
//! done; then it is taken back (`store/trial.rs`). What was shown, an id or a key, means nothing afterwards.

use poem::Request;

use crate::problem::{Code, FieldFault, Problem};

/// The parameter.
pub const PARAMETER: &str = "dry_run";
/// The header that marks the answer of a trial.
pub const HEADER: &str = "x-ringbook-dry-run";

/// Operations that are no GET and write nothing: there is nothing to try.
pub const READS: &[&str] = &["evaluate", "test_script", "check_change_set", "replay_decision"];

/// Writes that cannot be tried, and why.
pub const NO_TRIAL: &[(&str, &str)] = &[(
    "replay_webhook_events",
    "A set of messages cannot be tried: each is taken in by itself, and what became of one decides what becomes of the next. \
     Try one message with `replay_webhook_event`.",
)];

/// What the parameter says, where it is there.
///
/// # Errors
/// 400 when it says neither yes nor no, or is there twice.
pub fn said(request: &Request) -> Result<Option<bool>, Problem> {
    let wrong = |code: &str, detail: &str| {
        let fault = FieldFault::new(PARAMETER, code, detail);
        Problem::new(Code::InvalidParameter, detail).with_errors(vec![fault])
    };
    let pairs: Vec<(String, String)> = request.params().unwrap_or_default();
    let mut said = pairs.iter().filter(|(name, _)| name == PARAMETER);
    let Some((_, value)) = said.next() else { return Ok(None) };
    if said.next().is_some() {
        return Err(wrong("repeated", "`dry_run` is given twice."));
    }
    match value.as_str() {
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        _ => Err(wrong("invalid_value", "`dry_run` must be `true` or `false`.")),
    }
}

/// 400: this operation has no trial.
#[must_use]
pub fn refused(operation: &str) -> Problem {
    let why = NO_TRIAL
        .iter()
        .find(|(id, _)| *id == operation)
        .map_or("This operation writes nothing: leave `dry_run` out.", |(_, why)| *why);
    let fault = FieldFault::new(PARAMETER, "unknown_parameter", why);
    Problem::new(Code::InvalidParameter, why).with_errors(vec![fault])
}

/// Whether a part of a query string, as `name=value`, is the parameter.
#[must_use]
pub fn is_named_by(pair: &str) -> bool {
    pair.split('=').next() == Some(PARAMETER)
}
