//! The fields of Try, from its form or its URL, and their errors.

use maud::{Markup, html};

use crate::field::fault;
use crate::visit::Visit;

/// The names of the fields, in the form and in the URL.
const FIELDS: [&str; 7] = ["said", "set", "revision", "at", "language", "postal_code", "city"];
/// Maximum length of a URL in bytes. Servers and mail programs cut longer URLs.
const MAX_ADDRESS: usize = 1_500;

/// The input, from the fields of the form or from the URL.
pub struct Try<'a> {
    pub visit: &'a Visit,
    pub is_form: bool,
}

impl Try<'_> {
    pub fn field(&self, name: &str) -> &str {
        if self.is_form {
            self.visit.sent(name)
        } else {
            self.visit.asked(name)
        }
    }

    /// The URL with the same input, if it is short enough.
    pub fn address(&self) -> Option<String> {
        let pairs: Vec<(&str, &str)> = FIELDS.iter().map(|name| (*name, self.field(name))).collect();
        let address = self.visit.link("/try", &pairs);
        (address.len() <= MAX_ADDRESS).then_some(address)
    }
}

/// An error of a field.
pub struct Wrong {
    pub field: &'static str,
    pub text: String,
    /// Whether the message is from the API and therefore in English.
    pub is_english: bool,
}

/// The error message of a field, to be shown beside it.
pub fn beside(wrong: Option<&Wrong>, field: &str) -> Markup {
    match wrong.filter(|wrong| wrong.field == field) {
        Some(wrong) if wrong.is_english => html! { div lang="en" { (fault(field, &wrong.text)) } },
        Some(wrong) => fault(field, &wrong.text),
        None => html! {},
    }
}
