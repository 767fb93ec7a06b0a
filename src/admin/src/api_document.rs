//! The OpenAPI document as the program itself uses it: to validate bodies and parameters, and to mask responses.
//!
//! `service` passes it in, because the code that builds it depends on every operation, and the operations depend on this
//! module.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use poem::http::Method;
use serde_json::Value;

static DOCUMENT: OnceLock<&'static Value> = OnceLock::new();

/// Sets the document. Must be called before any route exists.
pub fn hand_in(document: &'static Value) {
    let _ = DOCUMENT.set(document);
}

/// The document.
///
/// # Panics
/// Never: [`hand_in`] is called before any route exists.
#[must_use]
#[expect(clippy::expect_used, reason = "`service` sets it before it creates a route")]
pub fn document() -> &'static Value {
    #[cfg(test)]
    hand_in(super::document::document());
    DOCUMENT.get().expect("the document is set")
}

/// The operation at a path, and the values of the path's parameters by name. A literal segment wins over a parameter.
pub fn operation(method: &Method, path: &str) -> Option<(&'static Value, BTreeMap<String, String>)> {
    let fits = |template: &str| {
        let (told, given) = (template.split('/'), path.split('/'));
        let mut named = BTreeMap::new();
        if told.clone().count() != given.clone().count() {
            return None;
        }
        for (told, given) in told.zip(given) {
            match told.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => {
                    named.insert(name.to_owned(), given.to_owned());
                }
                None if told == given => {}
                None => return None,
            }
        }
        Some(named)
    };
    let paths = document()["paths"].as_object()?.iter();
    let found = paths.filter_map(|(template, item)| Some((fits(template)?, item)));
    let (named, item) = found.min_by_key(|(named, _)| named.len())?;
    Some((item.get(method.as_str().to_ascii_lowercase())?, named))
}

/// The schema, or the schema that its `$ref` names.
pub fn resolved(schema: &'static Value) -> &'static Value {
    let target = schema["$ref"]
        .as_str()
        .and_then(|target| document().pointer(target.strip_prefix('#')?));
    target.unwrap_or(schema)
}
