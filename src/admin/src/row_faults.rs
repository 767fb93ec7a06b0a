//! Converts compile errors in rows to errors that point into the request body.

use serde::Serialize;
use serde_json::Value;

use authoring::change_set::Edit;
use rules::Fault;
use rules::rows::Resource;
use web::problem::FieldFault;

/// The row of an edit. An error in this row is reported with a JSON pointer into the request body.
#[derive(Default)]
pub struct EditedRow {
    pub row: Option<(Resource, String)>,
}

impl EditedRow {
    pub fn of(edit: &Edit) -> Self {
        Self {
            row: Some((edit.resource(), edit.code().to_owned())),
        }
    }
}

/// Converts values to JSON. Each value is an object of strings, numbers and lists, which always serializes.
pub fn as_json<T: Serialize>(things: &[T]) -> Vec<Value> {
    things
        .iter()
        .filter_map(|thing| serde_json::to_value(thing).ok())
        .collect()
}

/// Returns the name of a row for messages.
#[must_use]
pub fn named(resource: Resource, code: &str) -> String {
    format!("row `{}/{code}`", resource.path())
}

/// Converts a compile error. An error in the written row points to a field of the body; an error in another row points
/// to that row.
pub fn field_fault(fault: &Fault, about: &EditedRow) -> FieldFault {
    let own = about
        .row
        .as_ref()
        .is_some_and(|(resource, code)| *resource == fault.resource && *code == fault.code);
    let pointer = if own {
        format!("/{}", fault.column)
    } else {
        format!("{}/{}/{}", fault.resource.path(), fault.code, fault.column)
    };
    let place = match (fault.line, fault.position) {
        (Some(line), Some(position)) => format!("line {line}, column {position}: "),
        (Some(line), None) => format!("line {line}: "),
        _ => String::new(),
    };
    let whose = if own {
        String::new()
    } else {
        format!("{}, `{}`: ", named(fault.resource, &fault.code), fault.column)
    };
    FieldFault::new(pointer, fault.problem, format!("{whose}{place}{}", fault.text))
}
