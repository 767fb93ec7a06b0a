//! The document as the program itself reads it: bodies, parameters and answers are checked and masked by what it says.
//!
//! It is handed in, because whoever makes it knows every operation, and operations need what is read here.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use poem::http::Method;
use serde_json::Value;

static DOCUMENT: OnceLock<&'static Value> = OnceLock::new();

/// Called before there is a route.
pub fn hand_in(document: &'static Value) {
    let _ = DOCUMENT.set(document);
}

/// The document.
///
/// # Panics
/// Never: there is no route before it was handed in.
#[must_use]
#[expect(clippy::expect_used, reason = "`service` hands it in before it makes a route")]
pub fn document() -> &'static Value {
    #[cfg(test)]
    hand_in(super::document::document());
    DOCUMENT.get().expect("the document was handed in")
}

/// The operation at a path, a literal part before a parameter, and what the path says by the parameters' names.
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

/// What a schema says, or the one that it names.
pub fn resolved(schema: &'static Value) -> &'static Value {
    let target = schema["$ref"]
        .as_str()
        .and_then(|target| document().pointer(target.strip_prefix('#')?));
    target.unwrap_or(schema)
}
