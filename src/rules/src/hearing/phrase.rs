//! Parses phrases in the form of rules: `flood*`, `water ... basement|cellar`, `toilet & overflow*`.
//!
//! | written | means |
//! |---|---|
//! | `drain` | exactly this word |
//! | `flood*` | a word that begins with these letters |
//! | `water ... basement` | in this order, with up to six other words between, in one sentence |
//! | `water .. basement` | the same, with up to two other words between |
//! | `toilet & overflow*` | in either order, with up to six other words between |
//! | `basement\|cellar\|sous-sol` | one of these |
//! | `=backing` | only this form; in a concept, a word without `=` also matches its other forms (`flood`, `flooding`) |

use super::stems::StemLanguage;
use super::text::{LONG_WORD, Speaker, Text, squeezed};

/// Maximum number of other words in a gap.
pub const GAP: usize = 6;
/// Maximum number of other words in a short gap.
pub const SHORT_GAP: usize = 2;
/// Maximum length of a phrase, in bytes.
pub const MAX_BYTES: usize = 200;
/// Maximum number of words in a phrase.
pub const MAX_WORDS: usize = 12;
/// Maximum number of gaps in a phrase, so that the search stays cheap.
const MAX_GAPS: usize = 2;
/// Maximum number of variants of a phrase. A variant comes from an alternative, or from a split or joined word.
const MAX_VARIANTS: usize = 32;

/// How a word of a text is compared with a word of a phrase.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Form {
    /// The words are equal.
    Exact,
    /// The word of the text begins with these letters.
    Prefix,
    /// The word of the text begins with these letters and has this stem.
    Stem(StemLanguage, String),
}

/// One word of a phrase.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// The letters that a word must equal or begin with.
    pub letters: String,
    /// How a word of a text is compared with the letters.
    pub form: Form,
}

/// One position in a phrase: one of these words, after a limited number of other words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Element {
    /// The alternatives.
    pub patterns: Vec<Pattern>,
    /// Maximum number of other words before the element.
    pub gap: usize,
}

/// A sequence of words that matches the phrase.
pub type Variant = Vec<Element>;

/// Parses a phrase. With `stems`, a word of at least four letters also matches its other forms in that language.
///
/// # Errors
/// A sentence that says what is wrong with the phrase.
pub fn parse(source: &str, stems: Option<StemLanguage>) -> Result<Vec<Variant>, String> {
    if source.len() > MAX_BYTES {
        return Err(format!("a phrase has at most {MAX_BYTES} bytes"));
    }
    let mut variants: Vec<Variant> = vec![Vec::new()];
    let mut gap = None;
    let mut either_order = false;
    for item in source.split_whitespace() {
        match item {
            "..." | "…" => gap = Some(GAP),
            ".." => gap = Some(SHORT_GAP),
            "&" => {
                gap = Some(GAP);
                either_order = true;
            }
            _ => {
                let alternatives = alternatives(item, stems)?;
                variants = extended(&variants, &alternatives, gap.take().unwrap_or(0));
            }
        }
    }
    let first = variants.first().map_or(0, Vec::len);
    if first == 0 {
        return Err("it has no word: a word begins with a letter or digit, and may end with `*`".to_owned());
    }
    if gap.is_some()
        || variants
            .iter()
            .any(|variant| variant.first().is_some_and(|element| element.gap > 0))
    {
        return Err("a gap (`...` or `&`) must be between two words".to_owned());
    }
    if variants.iter().any(|variant| variant.len() > MAX_WORDS) {
        return Err(format!("a phrase has at most {MAX_WORDS} words"));
    }
    let gaps = |variant: &Variant| variant.iter().filter(|element| element.gap > 0).count();
    if variants.iter().any(|variant| gaps(variant) > MAX_GAPS) {
        return Err(format!("a phrase has at most {MAX_GAPS} gaps"));
    }
    if either_order {
        if variants.iter().any(|variant| gaps(variant) != 1) {
            return Err("a phrase has at most one `&`, and a phrase with `&` has no other gap".to_owned());
        }
        let turned: Vec<Variant> = variants.iter().map(turned).collect();
        variants.extend(turned);
    }
    if stems.is_some() {
        add_split_and_joined(&mut variants);
    }
    variants.truncate(MAX_VARIANTS);
    Ok(variants)
}

/// Returns the words of each alternative of an item: `sous-sol` is one alternative of two consecutive words.
fn alternatives(item: &str, stems: Option<StemLanguage>) -> Result<Vec<Vec<Pattern>>, String> {
    item.split('|')
        .map(|alternative| {
            let (alternative, exact) = match alternative.strip_prefix('=') {
                Some(rest) => (rest, true),
                None => (alternative, false),
            };
            let (letters, prefix) = match alternative.strip_suffix('*') {
                Some(rest) => (rest, true),
                None => (alternative, false),
            };
            let mut text = Text::default();
            text.push(Speaker::Caller, letters);
            if text.is_empty() || letters.contains('*') || !letters.starts_with(char::is_alphanumeric) {
                return Err(format!(
                    "\"{item}\" is not a word: a word begins with a letter or digit, and may end with `*`"
                ));
            }
            let last = text.len() - 1;
            let form = |place: usize| match stems {
                _ if prefix && place == last => WordMatch::Beginning,
                Some(language) if !exact => WordMatch::Stem(language),
                _ => WordMatch::Whole,
            };
            Ok((0..text.len())
                .map(|place| pattern(text.word(place), form(place)))
                .collect())
        })
        .collect()
}

/// What a word of a text must have in common with a word of a phrase.
#[derive(Debug, Clone, Copy)]
enum WordMatch {
    Whole,
    Beginning,
    Stem(StemLanguage),
}

/// Builds the pattern for a folded word of a phrase.
fn pattern(word: &str, wanted: WordMatch) -> Pattern {
    match wanted {
        WordMatch::Beginning => Pattern {
            letters: squeezed(&format!("{word}{}", "\u{0}".repeat(LONG_WORD)))
                .map_or_else(|| word.to_owned(), |once| once.trim_end_matches('\u{0}').to_owned()),
            form: Form::Prefix,
        },
        WordMatch::Stem(language) if word.len() >= 4 && word.chars().all(char::is_alphabetic) => {
            let word = squeezed(word).unwrap_or_else(|| word.to_owned());
            let stem = language.stem(&word);
            // A stem may end differently from its words: `happi` is the stem of `happy`.
            let common = stem.bytes().zip(word.bytes()).take_while(|(a, b)| a == b).count();
            let kept = if common > 4 { common - 1 } else { common };
            Pattern {
                letters: word.get(..kept).unwrap_or(&word).to_owned(),
                form: Form::Stem(language, stem),
            }
        }
        WordMatch::Stem(_) | WordMatch::Whole => Pattern {
            letters: squeezed(word).unwrap_or_else(|| word.to_owned()),
            form: Form::Exact,
        },
    }
}

/// Returns every variant followed by every alternative, at most [`MAX_VARIANTS`] in total. All single-word alternatives
/// share one element.
fn extended(variants: &[Variant], alternatives: &[Vec<Pattern>], gap: usize) -> Vec<Variant> {
    let (single, compound): (Vec<_>, Vec<_>) = alternatives.iter().partition(|words| words.len() == 1);
    let mut tails: Vec<Variant> = Vec::new();
    if !single.is_empty() {
        tails.push(vec![Element {
            patterns: single.into_iter().flatten().cloned().collect(),
            gap,
        }]);
    }
    for words in compound {
        let gaps = std::iter::once(gap).chain(std::iter::repeat(0));
        let element = |(pattern, gap): (&Pattern, usize)| Element {
            patterns: vec![pattern.clone()],
            gap,
        };
        tails.push(words.iter().zip(gaps).map(element).collect());
    }
    let mut all = Vec::new();
    for variant in variants {
        for tail in &tails {
            if all.len() < MAX_VARIANTS {
                all.push(variant.iter().chain(tail).cloned().collect());
            }
        }
    }
    all
}

/// Exchanges the words before the variant's only gap with the words after the gap.
fn turned(variant: &Variant) -> Variant {
    let at = variant.iter().position(|element| element.gap > 0).unwrap_or(0);
    let (left, right) = variant.split_at(at);
    let mut all: Variant = right.iter().chain(left).cloned().collect();
    for element in &mut all {
        element.gap = 0;
    }
    if let Some(second) = all.get_mut(right.len()) {
        second.gap = GAP;
    }
    all
}

/// Adds forms that speech-to-text produces: `over flow` for `overflow`, `backup` for `back up`.
fn add_split_and_joined(variants: &mut Vec<Variant>) {
    let mut more: Vec<Variant> = Vec::new();
    for variant in variants.iter() {
        if let [element] = variant.as_slice() {
            more.extend(element.patterns.iter().flat_map(split));
        }
        if let [first, second] = variant.as_slice()
            && second.gap == 0
            && let ([one], [two]) = (first.patterns.as_slice(), second.patterns.as_slice())
            && one.form != Form::Prefix
            && one.letters.len() + two.letters.len() >= LONG_WORD
        {
            let letters = format!("{}{}", whole(one), two.letters);
            let form = match &two.form {
                Form::Exact => Form::Exact,
                Form::Prefix | Form::Stem(..) => Form::Prefix,
            };
            more.push(vec![Element {
                patterns: vec![Pattern { letters, form }],
                gap: 0,
            }]);
        }
    }
    variants.extend(more);
}

/// Returns the longest known beginning of a pattern's word: the stem if it begins with `letters`, else `letters`.
fn whole(pattern: &Pattern) -> &str {
    match &pattern.form {
        Form::Stem(_, stem) if stem.starts_with(&pattern.letters) => stem,
        _ => &pattern.letters,
    }
}

/// Splits a long word at every possible position into two parts of at least three letters each.
fn split(pattern: &Pattern) -> Vec<Variant> {
    let letters = match &pattern.form {
        Form::Exact | Form::Prefix => pattern.letters.as_str(),
        Form::Stem(_, stem) => stem,
    };
    if letters.len() < 8 || !letters.is_ascii() {
        return Vec::new();
    }
    let last = match pattern.form {
        Form::Exact => Form::Exact,
        Form::Prefix | Form::Stem(..) => Form::Prefix,
    };
    let part = |letters: &str, form: Form| Element {
        patterns: vec![Pattern {
            letters: letters.to_owned(),
            form,
        }],
        gap: 0,
    };
    (3..=letters.len() - 3)
        .map(|at| vec![part(&letters[..at], Form::Exact), part(&letters[at..], last.clone())])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_phrase_is_refused_with_a_reason() {
        for source in [
            "",
            "*",
            "?!",
            "fl*od",
            "-",
            "... water",
            "water ...",
            "a & b & c",
            "a ... b ... c ... d",
        ] {
            assert!(parse(source, None).is_err(), "{source:?}");
        }
        assert!(parse(&"x".repeat(MAX_BYTES + 1), None).is_err());
    }

    #[test]
    fn alternatives_share_an_element_and_compounds_have_variants() {
        let variants = parse("water ... basement|cellar|sous-sol", None).unwrap();
        let shape: Vec<Vec<usize>> = variants
            .iter()
            .map(|v| v.iter().map(|e| e.patterns.len()).collect())
            .collect();
        assert_eq!(shape, [vec![1, 2], vec![1, 1, 1]]);
        assert_eq!(variants[1][1].gap, GAP);
    }

    #[test]
    fn either_order_is_two_variants() {
        let variants = parse("toilet & overflow*", None).unwrap();
        assert_eq!(variants.len(), 2);
        assert_eq!(variants[1][0].patterns[0].letters, "overflow");
        assert_eq!((variants[1][0].gap, variants[1][1].gap), (0, GAP));
    }
}
