//! The fields of Try, in its form as in its address, and what is wrong with one.

use maud::{Markup, html};

use crate::field::fault;
use crate::visit::Visit;

/// The fields of a try, in the form as in the address.
const FIELDS: [&str; 7] = ["said", "set", "revision", "at", "language", "postal_code", "city"];
/// The longest address of a try; servers and mail programs cut longer ones.
const MAX_ADDRESS: usize = 1_500;

/// What a person wants to try: the fields of the form or of the address.
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

    /// The address of the same try, if it is short enough to be sent to somebody.
    pub fn address(&self) -> Option<String> {
        let pairs: Vec<(&str, &str)> = FIELDS.iter().map(|name| (*name, self.field(name))).collect();
        let address = self.visit.link("/try", &pairs);
        (address.len() <= MAX_ADDRESS).then_some(address)
    }
}

/// What is wrong with a field of the form.
pub struct Wrong {
    pub field: &'static str,
    pub text: String,
    /// Whether the text is in the words of the API, which are English.
    pub is_english: bool,
}

/// What is wrong with a field, beside it.
pub fn beside(wrong: Option<&Wrong>, field: &str) -> Markup {
    match wrong.filter(|wrong| wrong.field == field) {
        Some(wrong) if wrong.is_english => html! { div lang="en" { (fault(field, &wrong.text)) } },
        Some(wrong) => fault(field, &wrong.text),
        None => html! {},
    }
}
