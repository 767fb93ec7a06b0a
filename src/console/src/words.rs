//! The messages of the console in each language, from the Fluent files in `words/`. Each language has one file per
//! page, with the same messages in the same order.
//!
//! A test fails if a file lacks a message that the code uses, or has a message that the code does not use.

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use poem::Request;
use poem::http::header;

/// The files of each language.
macro_rules! files {
    ($($page:literal)*) => {
        const ENGLISH: &[&str] = &[$(include_str!(concat!("words/en-CA/", $page, ".ftl"))),*];
        const FRENCH: &[&str] = &[$(include_str!(concat!("words/fr-CA/", $page, ".ftl"))),*];
    };
}

files! {
    "board"
    "call"
    "feedback"
    "frame"
    "history"
    "change_sets"
    "kept"
    "keys"
    "leads"
    "messages"
    "notices"
    "on_call"
    "prices"
    "refused"
    "try"
    "vocabulary"
    "setup"
    "statements"
    "today"
}

type Bundle = FluentBundle<FluentResource>;

static IN_ENGLISH: LazyLock<Bundle> = LazyLock::new(|| bundle("en-CA", ENGLISH));
static IN_FRENCH: LazyLock<Bundle> = LazyLock::new(|| bundle("fr-CA", FRENCH));

/// A language of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    English,
    French,
}

impl Language {
    /// The code of the language in rules and sessions.
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// The language tag with the country, for the HTML attribute `lang`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en-CA",
            Self::French => "fr-CA",
        }
    }

    pub fn named(code: &str) -> Option<Self> {
        [Self::English, Self::French].into_iter().find(|one| one.code() == code)
    }

    /// The other language.
    pub const fn other(self) -> Self {
        match self {
            Self::English => Self::French,
            Self::French => Self::English,
        }
    }

    /// Returns the language that the browser prefers, or English if the browser prefers neither language.
    fn accepted(request: &Request) -> Self {
        let accept = request.header(header::ACCEPT_LANGUAGE).unwrap_or_default();
        let weighed = accept.split(',').filter_map(|part| {
            let mut pieces = part.split(';').map(str::trim);
            let language = Self::named(pieces.next()?.get(..2)?.to_ascii_lowercase().as_str())?;
            let weight = pieces.find_map(|piece| piece.strip_prefix("q=")?.parse::<f32>().ok());
            Some((language, weight.unwrap_or(1.0)))
        });
        // If both languages have the same weight, the first language wins.
        let best = weighed.fold(None, |best: Option<(Self, f32)>, one| match best {
            Some(best) if best.1 >= one.1 => Some(best),
            _ => Some(one),
        });
        best.filter(|(_, weight)| *weight > 0.0)
            .map_or(Self::English, |(language, _)| language)
    }
}

/// The messages in a person's language.
#[derive(Clone, Copy, Debug)]
pub struct Words(pub Language);

impl Words {
    /// The messages in the language that the person chose, or in the browser's language if the person chose none.
    pub fn of(chosen: Option<&str>, request: &Request) -> Self {
        Self(
            chosen
                .and_then(Language::named)
                .unwrap_or_else(|| Language::accepted(request)),
        )
    }

    /// The message with this key.
    pub fn say(self, key: &str) -> String {
        self.format(key, None)
    }

    /// A message with arguments.
    pub fn say_of(self, key: &str, values: &[(&str, &str)]) -> String {
        let mut args = FluentArgs::new();
        for (name, value) in values {
            args.set(*name, FluentValue::from(*value));
        }
        self.format(key, Some(&args))
    }

    /// A message with a count.
    pub fn count(self, key: &str, count: usize) -> String {
        let mut args = FluentArgs::new();
        args.set("count", FluentValue::from(count));
        self.format(key, Some(&args))
    }

    /// The name of a value of the API, from a message with a key such as `state-dead`. Returns the value itself if
    /// there is no such message.
    pub fn name(self, kind: &str, value: &str) -> String {
        let key = format!("{kind}-{}", value.replace('_', "-").to_ascii_lowercase());
        if self.bundle().has_message(&key) {
            self.say(&key)
        } else {
            value.to_owned()
        }
    }

    /// The name of a value of the API, from a message with arguments. `None` if there is no such message.
    pub fn name_of(self, kind: &str, value: &str, values: &[(&str, &str)]) -> Option<String> {
        let key = format!("{kind}-{}", value.replace('_', "-").to_ascii_lowercase());
        self.bundle().has_message(&key).then(|| self.say_of(&key, values))
    }

    fn format(self, key: &str, args: Option<&FluentArgs<'_>>) -> String {
        let bundle = self.bundle();
        let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) else {
            return key.to_owned();
        };
        bundle.format_pattern(pattern, args, &mut Vec::new()).into_owned()
    }

    fn bundle(self) -> &'static Bundle {
        match self.0 {
            Language::English => &IN_ENGLISH,
            Language::French => &IN_FRENCH,
        }
    }
}

fn bundle(tag: &str, sources: &[&str]) -> Bundle {
    let mut bundle = Bundle::new_concurrent(vec![tag.parse().unwrap_or_default()]);
    bundle.set_use_isolating(false);
    for source in sources {
        // A test fails if a file has a syntax error. At run time, use the messages that can be parsed.
        let resource = FluentResource::try_new((*source).to_owned()).unwrap_or_else(|(resource, _)| resource);
        bundle.add_resource_overriding(resource);
    }
    bundle
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;

    /// The kinds of values for which [`Words::name`] looks up names.
    const NAMED: &[&str] = &[
        "state",
        "step",
        "offer",
        "kind",
        "resource",
        "status",
        "outcome",
        "how",
        "right",
        "role",
        "notice",
        "advice",
        "severity",
        "revised",
        "action",
        "level",
        "set-state",
        "test-state",
        "diff-what",
        "diff-row",
        "diff-column",
        "change-set-limit",
    ];

    /// The keys of a language; they are unique across files.
    fn keys(sources: &[&str]) -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        let lines = sources.iter().flat_map(|source| source.lines());
        for line in lines.filter(|line| !line.starts_with([' ', '#', '}'])) {
            if let Some((key, _)) = line.split_once(" =") {
                assert!(keys.insert(key.to_owned()), "{key} occurs twice");
            }
        }
        keys
    }

    /// The source files of the console except this file.
    fn sources() -> Vec<(PathBuf, String)> {
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("words.rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    found.push((path, text));
                }
            }
        }
        found
    }

    /// The keys that the code uses.
    fn asked() -> BTreeSet<String> {
        let texts = sources();
        let quoted = texts.iter().flat_map(|(_, text)| text.split('"').skip(1).step_by(2));
        quoted.map(str::to_owned).collect()
    }

    #[test]
    fn both_languages_have_the_same_messages_without_a_fault() {
        for source in ENGLISH.iter().chain(FRENCH) {
            if let Err((_, faults)) = FluentResource::try_new((*source).to_owned()) {
                panic!("{faults:?}");
            }
        }
        let (english, french) = (keys(ENGLISH), keys(FRENCH));
        let missing: Vec<_> = english.symmetric_difference(&french).collect();
        assert!(missing.is_empty(), "in one language only: {missing:?}");
        assert!(english.len() > 100, "{}", english.len());
    }

    #[test]
    fn every_message_that_is_asked_for_exists_and_none_is_idle() {
        let (known, asked) = (keys(ENGLISH), asked());
        let is_name = |key: &str| {
            let is_answer = key.strip_suffix("-do").is_some_and(|key| asked.contains(key));
            is_answer || NAMED.iter().any(|kind| key.starts_with(&format!("{kind}-")))
        };
        let idle: Vec<_> = known
            .iter()
            .filter(|key| !is_name(key) && !asked.contains(*key))
            .collect();
        assert!(idle.is_empty(), "no code uses the messages {idle:?}");
        for (path, text) in sources() {
            for call in [".say(\"", ".say_of(\"", ".count(\""] {
                for rest in text.split(call).skip(1) {
                    let key = rest.split('"').next().unwrap();
                    assert!(known.contains(key), "{}: {key}", path.display());
                }
            }
        }
    }

    #[test]
    fn every_message_can_be_formatted() {
        let sources = ENGLISH.iter().chain(FRENCH);
        // Arguments are written `{ $name }`, or `{ $name ->` in a selector.
        let names = sources.flat_map(|source| source.split("{ $").skip(1));
        let names: BTreeSet<_> = names.filter_map(|rest| rest.split([' ', '}']).next()).collect();
        for words in [Words(Language::English), Words(Language::French)] {
            for key in keys(ENGLISH) {
                let mut faults = Vec::new();
                let mut args = FluentArgs::new();
                for name in &names {
                    args.set(*name, FluentValue::from(2));
                }
                let message = words.bundle().get_message(&key).unwrap();
                let text = words
                    .bundle()
                    .format_pattern(message.value().unwrap(), Some(&args), &mut faults);
                assert!(faults.is_empty() && !text.is_empty(), "{key}: {faults:?}");
            }
        }
    }

    #[test]
    fn the_browser_says_which_language() {
        for (accept, language) in [
            ("fr-CA,fr;q=0.9,en;q=0.8", Language::French),
            ("en-US,en;q=0.5", Language::English),
            ("de,fr;q=0.4,en;q=0.5", Language::English),
            ("de", Language::English),
            ("é;q=x", Language::English),
            ("", Language::English),
        ] {
            let request = Request::builder().header(header::ACCEPT_LANGUAGE, accept).finish();
            assert_eq!(Language::accepted(&request), language, "{accept}");
        }
    }
}
