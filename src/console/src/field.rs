//! Parts of forms: errors beside their fields, amounts as people type them, and codes created from names.

use maud::{Markup, html};
use rules::words::fold;

use crate::words::{Language, Words};

/// Maximum length of a row's code.
const MAX_CODE: usize = 64;

/// The error message of a field. The id of the message is for the field's `aria-describedby`.
pub fn fault(field: &str, text: &str) -> Markup {
    html! { p.fault id={ "fault-" (field) } role="alert" { (text) } }
}

/// Converts an amount that a person typed (`1 234,50 $` in French, `$1,234.50` in English) to the format of the API. If
/// the text is not an amount, the result is a string that the API rejects.
pub fn typed_money(words: Words, typed: &str) -> String {
    let plain: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '$').collect();
    let Some((whole, rest)) = plain.rsplit_once(',') else {
        return plain;
    };
    let is_group = rest.len() == 3 && words.0 == Language::English || rest.contains('.');
    if is_group {
        plain.replace(',', "")
    } else {
        format!("{}.{rest}", whole.replace(['.', ','], ""))
    }
}

/// Creates the code of a row from its name. The code is empty if the name has no usable character.
pub fn code_of(name: &str) -> String {
    let mut code = String::new();
    for c in fold(name).chars() {
        if c.is_ascii_alphanumeric() {
            code.push(c);
        } else if !code.is_empty() && !code.ends_with('_') {
            code.push('_');
        }
    }
    let code = code.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    code.chars()
        .take(MAX_CODE)
        .collect::<String>()
        .trim_end_matches('_')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_type_them() {
        let (english, french) = (Words(Language::English), Words(Language::French));
        for (words, typed, read) in [
            (english, "402.41", "402.41"),
            (english, "$1,234.50", "1234.50"),
            (english, "1,234", "1234"),
            (english, "402,41", "402.41"),
            (french, "402,41\u{a0}$", "402.41"),
            (french, "1 234,5", "1234.5"),
            (french, "350", "350"),
            (english, "cheap", "cheap"),
        ] {
            assert_eq!(typed_money(words, typed), read, "{typed}");
        }
    }

    #[test]
    fn a_code_is_made_of_a_name() {
        for (name, code) in [
            ("Chauffe-eau", "chauffe_eau"),
            ("  Water heater! ", "water_heater"),
            ("3 fuites d'eau", "fuites_d_eau"),
            ("...", ""),
        ] {
            assert_eq!(code_of(name), code);
        }
    }
}
