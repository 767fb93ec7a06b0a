//! Compares words of mapped values and names: folded, as whole words or as prefixes. [`super::hearing`] handles the
//! caller's words.
//!
//! A word matches whole words only; a trailing `*` makes it a prefix. Accents, case and the shape of apostrophes do not
//! matter, and any white space or hyphen may separate the words of a phrase.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Converts a text to the form in which words are compared: without accents, in lower case, with straight apostrophes.
/// Each run of white space and hyphens becomes one space.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    if text.is_ascii() {
        for c in text.chars() {
            push_folded(&mut folded, c.to_ascii_lowercase());
        }
    } else {
        for c in text.nfd().filter(|&c| !is_combining_mark(c)) {
            match c {
                'œ' | 'Œ' => folded.push_str("oe"),
                'æ' | 'Æ' => folded.push_str("ae"),
                _ => c.to_lowercase().for_each(|lower| push_folded(&mut folded, lower)),
            }
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

fn push_folded(folded: &mut String, c: char) {
    match c {
        '\u{2019}' | '\u{2018}' | '\u{02BC}' | '\u{FF07}' => folded.push('\''),
        '-' | '\u{2010}'..='\u{2015}' => push_space(folded),
        c if c.is_whitespace() => push_space(folded),
        c => folded.push(c),
    }
}

fn push_space(folded: &mut String) {
    if !folded.is_empty() && !folded.ends_with(' ') {
        folded.push(' ');
    }
}

/// Returns the folded form of a word, and whether the word is a prefix. `None` if the folded word is empty.
fn pattern(word: &str) -> Option<(String, bool)> {
    let folded = fold(word);
    let (text, prefix) = match folded.strip_suffix('*') {
        Some(stem) => (stem, true),
        None => (folded.as_str(), false),
    };
    let sound = text.starts_with(char::is_alphanumeric) && !text.contains('*');
    sound.then(|| (text.to_owned(), prefix))
}

/// Whether a text could contain the word at all.
#[must_use]
pub fn is_sound(word: &str) -> bool {
    pattern(word).is_some()
}

/// Whether a folded text contains a word.
#[must_use]
pub fn heard(folded: &str, word: &str) -> bool {
    pattern(word).is_some_and(|(text, prefix)| {
        folded
            .match_indices(&text)
            .any(|(start, _)| stands_alone(folded, start, start + text.len(), prefix))
    })
}

fn stands_alone(text: &str, start: usize, end: usize, prefix: bool) -> bool {
    let before = text[..start].chars().next_back();
    let after = text[end..].chars().next();
    !before.is_some_and(char::is_alphanumeric) && (prefix || !after.is_some_and(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(word: &str, text: &str) -> bool {
        heard(&fold(text), word)
    }

    #[test]
    fn accents_case_and_apostrophes_do_not_matter() {
        assert_eq!(fold("  L’ÉGOUT   est-il\nbouché? "), "l'egout est il bouche?");
        assert!(finds("débouchage", "DEBOUCHAGE svp"));
        assert!(finds("degat d'eau", "un dégât d’eau"));
        assert!(finds("noeud", "un Nœud"));
    }

    #[test]
    fn a_word_matches_whole_words_unless_it_ends_in_a_star() {
        assert!(finds("roots", "Roots!"));
        assert!(!finds("root", "my roots"));
        assert!(!finds("over", "the drain overflows"));
        assert!(finds("flood*", "it is flooding."));
        assert!(!finds("flood*", "preflooded"));
        assert!(finds("eau", "plein d'eau"));
    }

    #[test]
    fn a_phrase_spans_hyphens_and_line_breaks() {
        for text in ["under-slab", "under slab", "under\n slab", "Under – slab"] {
            assert!(finds("under slab", text), "{text}");
        }
        assert!(!finds("under slab", "under. slab"));
    }

    #[test]
    fn a_word_without_letters_is_refused() {
        for word in ["", "*", "  ", "?!", "fl*od", "-"] {
            assert!(!is_sound(word), "{word:?}");
        }
    }
}
