//! Finds scripts in which a number in a `switch` never matches.

use super::{Finding, Findings, Severity};
use rules::rows::{Resource, Script};
use rules::script::number_in_switch;

/// Reports a number in a case of a `switch`, because a decimal fact never matches it.
pub(super) fn lint(row: &Script, found: &mut Findings) {
    let Some(at) = number_in_switch(&row.source) else {
        return;
    };
    let line = at.line();
    let text = format!(
        "line {}: a switch compares numbers by their type, so 12 never matches a fact's 12.0: use `if` and `==`, or \
         switch on whole(…)",
        line.unwrap_or_default()
    );
    found.0.push(Finding {
        severity: Severity::Error,
        resource: Resource::Scripts,
        code: row.code.clone(),
        column: "source".to_owned(),
        line,
        position: at.position(),
        problem: "number_in_switch",
        text,
        related: Vec::new(),
    });
}
