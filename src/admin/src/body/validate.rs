//! Validates a value against a schema of the OpenAPI document and reports all validation errors together.
//!
//! Validation uses the schemas that clients read, so that documentation and validation cannot differ.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use jsonschema::{Draft, ReferencingError, Registry, Resource, Validator};
use serde_json::{Value, json};

use super::messages::faults_of;
use crate::api_document::document;
use web::problem::{FieldFault, Problem};

/// The base URI under which schemas reference each other.
pub(super) const DOCUMENT: &str = "urn:ringbook:openapi";
/// Maximum number of reported errors. A body of one megabyte may have half a million errors.
const MAX_FAULTS: usize = 1000;

/// The schemas of the OpenAPI document. All validators share this registry, so that they do not each have a copy of the
/// schemas.
static SCHEMAS: LazyLock<Result<Registry, ReferencingError>> = LazyLock::new(|| {
    let components = json!({"components": {"schemas": document()["components"]["schemas"]}});
    Registry::try_new(DOCUMENT, Resource::from_contents(components)?)
});

static VALIDATORS: LazyLock<RwLock<HashMap<String, Arc<Validator>>>> = LazyLock::new(RwLock::default);

/// Returns the validation errors of a value, at most one for each JSON pointer.
///
/// # Errors 500 if the OpenAPI document has no schema with this name.
pub fn faults(schema: &str, value: &Value) -> Result<Vec<FieldFault>, Problem> {
    let validator = validator(schema)?;
    let root = &document()["components"]["schemas"][schema];
    let mut faults: Vec<FieldFault> = Vec::new();
    for fault in validator.iter_errors(value).flat_map(|error| faults_of(root, &error)) {
        // The error about a wrong type replaces all other errors of the same value.
        match faults.iter_mut().find(|known| known.pointer == fault.pointer) {
            Some(known) if fault.code == "wrong_type" => *known = fault,
            Some(_) => {}
            None => faults.push(fault),
        }
        if faults.len() == MAX_FAULTS {
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

/// Validates a value against a schema from anywhere in the OpenAPI document, and returns the first error. Use this
/// function only for rare checks, because it compiles the schema each time.
///
/// # Errors
/// 500 if the schema is invalid.
pub fn one(schema: &'static Value, value: &Value) -> Result<Option<FieldFault>, Problem> {
    let text = schema.to_string().replace("\"#/", &format!("\"{DOCUMENT}#/"));
    let absolute: Value = serde_json::from_str(&text).map_err(|error| Problem::internal(&error))?;
    let validator = of_document(&absolute)?;
    Ok(validator
        .iter_errors(value)
        .flat_map(|error| faults_of(schema, &error))
        .next())
}

/// Builds a validator. The schema may reference the schemas of the OpenAPI document.
fn of_document(schema: &Value) -> Result<Validator, Problem> {
    let schemas = SCHEMAS.as_ref().map_err(|error| Problem::internal(error))?;
    let options = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .with_registry(schemas.clone());
    options.build(schema).map_err(|error| Problem::internal(&error))
}
