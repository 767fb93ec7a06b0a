//! Parses the changes of a change set into edits, each with its base version. Parsing stops at the first invalid change
//! and reports every error of that change with its JSON pointer.

use poem_openapi::{Enum, Object};
use serde::Deserialize;
use serde_json::Value;

use crate::row_checks::{canonical, check_code, with_code};
use crate::row_faults::named;
use crate::state::shortened;
use crate::versions::{Precondition, expected};
use authoring::change_set::{Bench, Edit, ExpectedVersion};
use revisions::cache::HeadRows;
use rules::rows::{Resource, Row, with_row};
use web::problem::Problem;

/// A change to a row.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct NewChange {
    /// The kind of row, as in the paths: `services`, `priority-rules`, `settings`.
    resource: String,
    /// The code.
    code: String,
    /// What to do with the row.
    method: Method,
    /// For `put`, the whole row. For `patch`, the fields to change; null removes a field. Omit it for `delete`.
    body: Option<Value>,
    /// The row's version that you read with `?change_set=`. It may also be in `body`. Omit it for a new row.
    version: Option<i64>,
}

/// What a change does to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Method {
    /// Creates or replaces the row.
    Put,
    /// Changes some fields of the row.
    Patch,
    /// Deletes the row.
    Delete,
}

/// Parses changes in order. Each change applies to the result of the previous changes.
///
/// # Errors
/// 404, 412, 422 or 428. The JSON pointers in the problem start with `place`.
pub fn read(head_rows: &HeadRows, held: &[Edit], new: Vec<NewChange>, place: &str) -> Result<Vec<Edit>, Problem> {
    let mut bench = Bench::new(head_rows.rows(), head_rows.revision + 1);
    for edit in held {
        bench.push(edit);
    }
    let mut edits = Vec::with_capacity(new.len());
    for (number, change) in new.into_iter().enumerate() {
        // The request body is one change, or it contains a list of changes at `place`.
        let place = if place.is_empty() {
            String::new()
        } else {
            format!("{place}/{number}")
        };
        let edit = edit(head_rows, &bench, change).map_err(|problem| problem.below(&place))?;
        bench.push(&edit);
        edits.push(edit);
    }
    Ok(edits)
}

fn edit(head_rows: &HeadRows, bench: &Bench<'_>, change: NewChange) -> Result<Edit, Problem> {
    let resource = Resource::named(&change.resource).ok_or_else(|| {
        let known: Vec<_> = Resource::ALL.iter().map(|resource| resource.path()).collect();
        let detail = format!(
            "`resource` must be one of: {}; it is `{}`.",
            known.join(", "),
            shortened(&change.resource)
        );
        fault("/resource", detail)
    })?;
    with_row!(resource, R => of_kind::<R>(head_rows, bench, change))
}

fn of_kind<R: Row>(head_rows: &HeadRows, bench: &Bench<'_>, change: NewChange) -> Result<Edit, Problem> {
    let NewChange {
        code,
        method,
        mut body,
        version,
        ..
    } = change;
    let resource = R::RESOURCE;
    let what = named(resource, &shortened(&code));
    let own = match &mut body {
        Some(Value::Object(body)) => crate::body::take_version(body).map_err(|problem| problem.below("/body"))?,
        _ => None,
    };
    if let (Some(version), Some(own)) = (version, own)
        && version != own
    {
        let detail = format!("`version` is {version}, but the version in the body is {own}.");
        return Err(Problem::fault("/version", "contradiction", detail));
    }
    let stands = R::table(head_rows.rows()).get(&code).map(|stored| stored.version);
    let there = R::table(&bench.out().rows).get(&code);
    // In a change set, a row has the version of the head's row, and a new row has version 0.
    let shown = there.map(|_| stands.unwrap_or(0));
    if method != Method::Put && there.is_none() {
        return Err(Problem::not_found(what));
    }
    let said = Precondition {
        body: version.or(own),
        ..Precondition::default()
    };
    expected(&said, shown, &what)?;
    let expected = stands.map_or(ExpectedVersion::Absent, ExpectedVersion::Version);
    let within = |problem: Problem| problem.below("/body");
    match method {
        Method::Put => {
            if there.is_none() {
                check_code(&code).map_err(|problem| fault("/code", problem.detail().to_owned()))?;
            }
            let row = object(body)?;
            let row = with_code(row, &code).and_then(canonical::<R>).map_err(within)?;
            Ok(Edit::Put {
                resource,
                code,
                row,
                expected,
            })
        }
        Method::Patch => {
            let patch = object(body)?;
            let row = there.and_then(|stored| serde_json::to_value(&stored.row).ok());
            let mut row = row.unwrap_or_default();
            json_patch::merge(&mut row, &patch);
            with_code(row, &code).and_then(canonical::<R>).map_err(within)?;
            Ok(Edit::Patch {
                resource,
                code,
                patch,
                expected,
            })
        }
        Method::Delete => match body {
            None => Ok(Edit::Delete {
                resource,
                code,
                expected,
            }),
            Some(Value::Object(body)) if body.is_empty() => Ok(Edit::Delete {
                resource,
                code,
                expected,
            }),
            Some(_) => Err(fault("/body", "A `delete` has no body.".to_owned())),
        },
    }
}

fn object(body: Option<Value>) -> Result<Value, Problem> {
    match body {
        Some(body @ Value::Object(_)) => Ok(body),
        None => Err(Problem::fault(
            "/body",
            "missing_field",
            "`put` and `patch` need a `body`: the row, or the fields to change.",
        )),
        Some(_) => Err(fault("/body", "`body` must be a JSON object.".to_owned())),
    }
}

fn fault(pointer: &str, detail: String) -> Problem {
    Problem::fault(pointer, "invalid_value", detail)
}
