//! Whether a body is what the document says: every fault at once, each with its place.
//!
//! In: a JSON value and the name of its schema in the document. Out: nothing, or all faults in one 400. What was sent is not
//! repeated: it may be a caller's.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, Resource, ValidationError, Validator};
use serde_json::{Value, json};

use super::document::document;
use crate::problem::{FieldFault, Problem};
use crate::rulebook::fault::escaped;

/// Under which name the schemas find each other.
const DOCUMENT: &str = "urn:ringbook:openapi";
/// More faults than anybody reads.
const MOST: usize = 50;

static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// Holds a value against a schema of the document.
///
/// # Errors
/// 400 with every fault; 500 when there is no such schema.
pub fn conform(schema: &str, value: &Value) -> Result<(), Problem> {
    let validator = validator(schema).map_err(|error| Problem::internal(&error))?;
    let faults: Vec<_> = validator
        .iter_errors(value)
        .flat_map(|error| told(&error))
        .take(MOST)
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Problem::invalid_body(faults))
    }
}

fn validator(schema: &str) -> Result<Arc<Validator>, ValidationError<'static>> {
    let mut known = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(validator) = known.get(schema) {
        return Ok(Arc::clone(validator));
    }
    let components = json!({"components": {"schemas": document()["components"]["schemas"]}});
    let built = jsonschema::options()
        .should_validate_formats(true)
        .with_resource(DOCUMENT, Resource::from_contents(components)?)
        .build(&json!({"$ref": format!("{DOCUMENT}#/components/schemas/{schema}")}))?;
    let built = Arc::new(built);
    known.insert(schema.to_owned(), Arc::clone(&built));
    Ok(built)
}

fn told(error: &ValidationError<'_>) -> Vec<FieldFault> {
    let at = error.instance_path.to_string();
    let name = || {
        at.rsplit('/')
            .next()
            .filter(|name| !name.is_empty())
            .unwrap_or("The body")
            .to_owned()
    };
    let one = |code: &str, detail: String| vec![FieldFault::new(at.clone(), code, detail)];
    match &error.kind {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let unknown = |field: &String| {
                let detail = format!("unknown field `{}`.", field.chars().take(60).collect::<String>());
                FieldFault::new(format!("{at}/{}", escaped(field)), "unknown_field", detail)
            };
            unexpected.iter().map(unknown).collect()
        }
        ValidationErrorKind::Required { property } => {
            let field = property.as_str().unwrap_or_default();
            let detail = format!("missing field `{field}`.");
            vec![FieldFault::new(
                format!("{at}/{}", escaped(field)),
                "missing_field",
                detail,
            )]
        }
        ValidationErrorKind::Type { kind } => {
            let wanted = match kind {
                TypeKind::Single(kind) => kind.to_string(),
                TypeKind::Multiple(kinds) => kinds
                    .iter()
                    .map(|kind| kind.to_string())
                    .collect::<Vec<_>>()
                    .join(" or "),
            };
            let detail = if error.instance.is_null() {
                format!(
                    "`{}` must be of type {wanted}; leave it out where there is none.",
                    name()
                )
            } else {
                format!("`{}` must be of type {wanted}.", name())
            };
            one("invalid_value", detail)
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            // A field that may be null: what is wrong with it otherwise is what its sender wants to know.
            let but_for_null: Vec<_> = context.iter().filter(|branch| !asks_for_null(branch)).collect();
            match but_for_null.as_slice() {
                [branch] => branch.iter().flat_map(told).collect(),
                _ => one(
                    "invalid_value",
                    format!("`{}` fits none of the forms that it may have.", name()),
                ),
            }
        }
        _ => one("invalid_value", format!("`{}`: {}.", name(), error.masked_with("it"))),
    }
}

fn asks_for_null(branch: &[ValidationError<'static>]) -> bool {
    let null = |fault: &ValidationError<'_>| {
        matches!(
            &fault.kind,
            ValidationErrorKind::Type {
                kind: TypeKind::Single(JsonType::Null)
            }
        )
    };
    branch.len() == 1 && branch.iter().all(null)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(schema: &str, value: Value) -> Vec<(String, String)> {
        let problem = conform(schema, &value).unwrap_err();
        let faults = problem.errors().iter();
        faults
            .map(|fault| (fault.pointer.clone(), fault.code.clone()))
            .collect()
    }

    #[test]
    fn every_fault_is_told_at_once_with_its_place() {
        let row = json!({"code": "a", "names": {"fr": 1}, "keywords": ["a", 2], "rank": "first", "offer": "perhaps", "prize": 1});
        let mut found = faults("Service", row);
        found.sort();
        let expected = [
            ("/keywords/1", "invalid_value"),
            ("/names/fr", "invalid_value"),
            ("/offer", "invalid_value"),
            ("/prize", "unknown_field"),
            ("/rank", "invalid_value"),
        ];
        assert_eq!(found, expected.map(|(place, code)| (place.to_owned(), code.to_owned())));
        assert_eq!(
            faults("Service", json!([])),
            [(String::new(), "invalid_value".to_owned())]
        );
        let missing = faults("NewSecret", json!({}));
        assert!(
            missing.contains(&("/purpose".to_owned(), "missing_field".to_owned())),
            "{missing:?}"
        );
    }

    #[test]
    fn what_was_sent_is_not_repeated() {
        let problem = conform("NewSecret", &json!({"purpose": "webhook", "value": ["hunter2"]})).unwrap_err();
        assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
    }

    #[test]
    fn a_patch_may_take_a_field_away_and_hold_any_of_them() {
        conform("ServicePatch", &json!({"price_to": null, "version": 1})).unwrap();
        assert_eq!(faults("ServicePatch", json!({"price_to": 4.5, "prize": 1})).len(), 2);
    }
}
