//! Removes the words around a city in an address: "city of", provinces, countries and postal codes.

use crate::kinds::postal_code::{Postal, postal_code};
use crate::words::fold;

/// Provinces, neighboring states and countries, folded. These names may follow a city's name, and are removed.
pub(super) const REGIONS: &[&str] = &[
    "qc",
    "pq",
    "que",
    "quebec",
    "on",
    "ont",
    "ontario",
    "nb",
    "new brunswick",
    "nouveau brunswick",
    "ns",
    "nova scotia",
    "nl",
    "pe",
    "pei",
    "mb",
    "manitoba",
    "sk",
    "saskatchewan",
    "ab",
    "alberta",
    "bc",
    "british columbia",
    "ny",
    "vt",
    "vermont",
    "canada",
    "ca",
    "usa",
    "us",
    "united states",
    "etats unis",
    "province de quebec",
    "province of quebec",
];
/// Words before a city's name.
const BEFORE: &[&str] = &[
    "ville de ",
    "ville d'",
    "la ville de ",
    "city of ",
    "the city of ",
    "town of ",
    "the town of ",
    "municipality of ",
    "municipalite de ",
    "la municipalite de ",
    "municipalite d'",
    "village de ",
    "village of ",
    "arrondissement de ",
    "arrondissement d'",
    "borough of ",
    "in ",
    "a ",
    "from ",
    "at ",
];

/// Returns a part of an address without the words before and after the city.
pub(super) fn bare(part: &str) -> String {
    let mut part = part.trim().trim_end_matches(['.', '!', '?']).trim();
    let mut rest = fold(part);
    while let Some(prefix) = BEFORE.iter().find(|prefix| rest.starts_with(**prefix)) {
        // `rest` is folded, so cut the same words from the front of the original text.
        let cut = cut_words(part, prefix);
        if cut.is_empty() || cut.len() == part.len() {
            break;
        }
        part = cut;
        rest = fold(part);
    }
    // Remove a postal code and regions from the end.
    let mut words: Vec<&str> = part.split_whitespace().collect();
    loop {
        let tail = |many: usize| {
            let from = words.len().checked_sub(many).filter(|from| *from > 0)?;
            words.get(from..).map(|tail| fold(&tail.join(" ")).replace('.', ""))
        };
        let cut = (1..=3).rev().find(|many| {
            tail(*many)
                .is_some_and(|tail| REGIONS.contains(&tail.as_str()) || postal_code(&tail, Postal::Canada).is_ok())
        });
        match cut {
            Some(many) => words.truncate(words.len() - many),
            None => break,
        }
    }
    let joined = words.join(" ");
    joined
        .trim_end_matches([' ', ',', '-', '\u{2013}', '\u{2014}'])
        .to_owned()
}

/// Returns the text without the leading words that fold to the prefix.
fn cut_words<'a>(text: &'a str, prefix: &str) -> &'a str {
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        let (head, tail) = text.split_at(end);
        let sound = if prefix.ends_with(' ') {
            tail.starts_with(char::is_alphanumeric)
                && format!("{} ", fold(head)) == prefix
                && !head.ends_with(char::is_alphanumeric)
        } else {
            fold(head) == prefix
        };
        if sound {
            return tail;
        }
    }
    text
}
