//! Gives the program access to its own OpenAPI document, to validate bodies and parameters and to mask responses.
//!
//! [`super::routes`] passes in `document::for_program`. This module cannot call that function, because the code that
//! builds the document depends on all operations, and the operations depend on this module.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use poem::http::Method;
use serde_json::Value;

static DOCUMENT: OnceLock<Value> = OnceLock::new();

/// Builds the OpenAPI document on the first call; later calls do nothing. Call this function before you create a route.
pub fn hand_in(build: fn() -> Value) {
    DOCUMENT.get_or_init(build);
}

/// Returns the parts of the OpenAPI document that the program needs at run time.
///
/// # Panics
/// Never: [`hand_in`] is called before any route exists.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "`service` sets the document before it creates a route"
)]
pub fn document() -> &'static Value {
    #[cfg(test)]
    hand_in(super::document::for_program);
    DOCUMENT.get().expect("the document is set")
}

/// Returns the operation at a path, and the values of the path's parameters by name. If several path templates match,
/// the template with the fewest parameters wins.
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

/// Returns the schema that `$ref` points to, or the schema itself if it has no `$ref`.
pub fn resolved(schema: &'static Value) -> &'static Value {
    let target = schema["$ref"]
        .as_str()
        .and_then(|target| document().pointer(target.strip_prefix('#')?));
    target.unwrap_or(schema)
}
