//! Whether a value is what the document says of a schema: every fault at once.
//!
//! In: a JSON value and the name of its schema in the document. Out: all faults, told by [`super::tell`]. The schemas
//! are the ones that clients read, so that what is promised and what is refused cannot differ.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use jsonschema::{Draft, Resource, Validator};
use serde_json::{Value, json};

use super::super::document::document;
use super::tell::told;
use crate::problem::{FieldFault, Problem};

/// Under which name the schemas find each other.
pub(super) const DOCUMENT: &str = "urn:ringbook:openapi";
/// Nobody reads more, and a body of a megabyte may hold half a million.
const MOST: usize = 1000;

static VALIDATORS: LazyLock<RwLock<HashMap<String, Arc<Validator>>>> = LazyLock::new(RwLock::default);

/// Every fault of a value, in the order of their places.
///
/// # Errors
/// 500 when the document has no such schema.
pub fn faults(schema: &str, value: &Value) -> Result<Vec<FieldFault>, Problem> {
    let validator = validator(schema)?;
    let root = &document()["components"]["schemas"][schema];
    let mut faults: Vec<FieldFault> = Vec::new();
    for fault in validator.iter_errors(value).flat_map(|error| told(root, &error)) {
        // Of the wrong type is all that is to be said of a value, whatever else it then is not.
        match faults.iter_mut().find(|known| known.pointer == fault.pointer) {
            Some(known) if fault.code == "wrong_type" => *known = fault,
            Some(_) => {}
            None => faults.push(fault),
        }
        if faults.len() == MOST {
            break;
        }
    }
    Ok(faults)
}

fn validator(schema: &str) -> Result<Arc<Validator>, Problem> {
    let known = VALIDATORS
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(schema)
        .cloned();
    if let Some(validator) = known {
        return Ok(validator);
    }
    let built = Arc::new(of_document(
        &json!({"$ref": format!("{DOCUMENT}#/components/schemas/{schema}")}),
    )?);
    let mut known = VALIDATORS.write().unwrap_or_else(PoisonError::into_inner);
    known.insert(schema.to_owned(), Arc::clone(&built));
    Ok(built)
}

/// The first fault of a value by a schema that stands elsewhere in the document; for what is looked at rarely.
///
/// # Errors
/// 500 when it is no schema.
pub fn one(schema: &'static Value, value: &Value) -> Result<Option<FieldFault>, Problem> {
    let text = schema.to_string().replace("\"#/", &format!("\"{DOCUMENT}#/"));
    let absolute: Value = serde_json::from_str(&text).map_err(|error| Problem::internal(&error))?;
    let validator = of_document(&absolute)?;
    Ok(validator
        .iter_errors(value)
        .flat_map(|error| told(schema, &error))
        .next())
}

/// A validator of a schema that may name those of the document.
fn of_document(schema: &Value) -> Result<Validator, Problem> {
    let components = json!({"components": {"schemas": document()["components"]["schemas"]}});
    let components = Resource::from_contents(components).map_err(|error| Problem::internal(&error))?;
    let options = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .with_resource(DOCUMENT, components);
    options.build(schema).map_err(|error| Problem::internal(&error))
}
