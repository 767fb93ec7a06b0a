//! The sentences that callers hear and contacts read, in each language, from the Fluent files in `sentences/`.
//!
//! To add a language, add a file with the same messages, and its code to [`SOURCES`]. A business's own wording is in
//! its rows (templates, reasons, spoken messages), not here.

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

/// The code and the file of each language. The first language is used for languages without a file.
const SOURCES: [(&str, &str); 2] = [
    ("en", include_str!("sentences/en.ftl")),
    ("fr", include_str!("sentences/fr.ftl")),
];

type Bundle = FluentBundle<FluentResource>;

static BUNDLES: LazyLock<Vec<(&str, Bundle)>> = LazyLock::new(|| {
    SOURCES
        .iter()
        .map(|(code, source)| (*code, bundle(code, source)))
        .collect()
});

/// A value in a sentence: a string, or a number that selects singular or plural.
#[derive(Debug, Clone, Copy)]
pub enum SentenceValue<'a> {
    Text(&'a str),
    Number(i64),
}

/// Returns a sentence in a language, or in the first language of [`SOURCES`] if the language has no file. `parts` are
/// the values of the sentence's placeholders.
#[must_use]
pub fn sentence(language: &str, key: &str, parts: &[(&str, SentenceValue<'_>)]) -> String {
    let bundle = bundle_of(language);
    let Some(pattern) = bundle.and_then(|bundle| bundle.get_message(key)?.value()) else {
        return String::new();
    };
    let mut args = FluentArgs::with_capacity(parts.len());
    for (name, part) in parts {
        match part {
            SentenceValue::Text(text) => args.set(*name, FluentValue::from(*text)),
            SentenceValue::Number(number) => args.set(*name, FluentValue::from(*number)),
        }
    }
    // Errors are ignored here, because the tests find every error in the files.
    let text = bundle.map(|bundle| {
        bundle
            .format_pattern(pattern, Some(&args), &mut Vec::new())
            .into_owned()
    });
    text.unwrap_or_default()
}

fn bundle_of(language: &str) -> Option<&'static Bundle> {
    let own = BUNDLES.iter().find(|(code, _)| *code == language);
    own.or_else(|| BUNDLES.first()).map(|(_, bundle)| bundle)
}

fn bundle(code: &str, source: &str) -> Bundle {
    let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(resource, _)| resource);
    let mut bundle = Bundle::new_concurrent(vec![code.parse().unwrap_or_default()]);
    bundle.set_use_isolating(false);
    bundle.add_resource_overriding(resource);
    bundle
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn keys(source: &str) -> BTreeSet<&str> {
        let lines = source.lines().filter(|line| !line.starts_with([' ', '#', '}']));
        lines.filter_map(|line| Some(line.split_once(" =")?.0)).collect()
    }

    #[test]
    fn every_language_has_the_same_sentences_without_a_fault() {
        let (_, first) = SOURCES[0];
        for (code, source) in SOURCES {
            if let Err((_, faults)) = FluentResource::try_new(source.to_owned()) {
                panic!("{code}: {faults:?}");
            }
            assert_eq!(keys(source), keys(first), "{code}");
            let names = |source: &'static str| -> BTreeSet<&str> {
                let names = source.split("{ $").skip(1);
                names.filter_map(|rest| rest.split([' ', '}']).next()).collect()
            };
            assert_eq!(names(source), names(first), "{code}");
            for key in keys(source) {
                let parts: Vec<_> = names(source)
                    .into_iter()
                    .map(|name| (name, SentenceValue::Number(2)))
                    .collect();
                assert!(!sentence(code, key, &parts).contains(['{', '$']), "{code}: {key}");
                assert!(!sentence(code, key, &parts).is_empty(), "{code}: {key}");
            }
        }
    }

    #[test]
    fn numbers_choose_the_form_and_an_unknown_language_is_the_first() {
        let weeks = |language, days| sentence(language, "lead-weeks", &[("days", SentenceValue::Number(days))]);
        assert_eq!(
            (weeks("en", 1), weeks("en", 2)),
            ("1 week".to_owned(), "2 weeks".to_owned())
        );
        assert_eq!(
            (weeks("fr", 1), weeks("fr", 2)),
            ("1 semaine".to_owned(), "2 semaines".to_owned())
        );
        assert_eq!(weeks("de", 2), "2 weeks");
        assert_eq!(
            sentence(
                "fr",
                "besides",
                &[
                    ("amount", SentenceValue::Text("5")),
                    ("currency", SentenceValue::Text("euros"))
                ]
            ),
            ", plus 5 euros pour les travaux"
        );
    }
}
