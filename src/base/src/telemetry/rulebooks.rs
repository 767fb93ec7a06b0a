//! Stores the codes of rulebooks for log lines. Rows contain only the ids of rulebooks, and the API does not show these
//! ids.

use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, PoisonError, RwLock};

use uuid::Uuid;

static CODES: LazyLock<RwLock<HashMap<Uuid, String>>> = LazyLock::new(RwLock::default);

/// Remembers the code of a rulebook.
pub fn note(id: Uuid, code: &str) {
    let is_known = |codes: &HashMap<Uuid, String>| codes.get(&id).is_some_and(|known| known == code);
    if is_known(&CODES.read().unwrap_or_else(PoisonError::into_inner)) {
        return;
    }
    let mut codes = CODES.write().unwrap_or_else(PoisonError::into_inner);
    codes.insert(id, code.to_owned());
}

/// The name of a rulebook in the log: its code, or its id if this process has not read the code yet.
pub fn named(id: Uuid) -> impl fmt::Display {
    let codes = CODES.read().unwrap_or_else(PoisonError::into_inner);
    codes.get(&id).cloned().unwrap_or_else(|| id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rulebook_is_named_by_its_code_once_it_is_known() {
        let id = Uuid::from_u128(7);
        assert_eq!(named(id).to_string(), id.to_string());
        note(id, "north");
        note(id, "north-shore");
        assert_eq!(named(id).to_string(), "north-shore");
    }
}
