//! Facts that Ringbook derives from a message's: service, area, language, and what the clock says.
//!
//! Comes in: extracted facts, what was heard, an instant. Goes out: derived facts, and trace steps that say why.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::calendar::{Calendar, DAYS};
use super::facts::{Extracted, Fact, Facts};
use super::kinds::place::{self, Cities};
use super::rows::{Area, RowSet, Service, Stored};
use super::words::{WordId, WordList, Words, fold};

/// The mapped fact that names the wanted service.
pub const SERVICE_TEXT: &str = "service_text";
/// The mapped fact with the problem in the caller's words.
pub const PROBLEM: &str = "problem";
/// The mapped fact with the caller's postal code.
pub const POSTAL_CODE: &str = "postal_code";
/// The mapped fact with the caller's city.
pub const CITY: &str = "city";
/// The mapped fact with the caller's language, where the assistant knows it.
pub const LANGUAGE: &str = "language";

/// Services by rank, with the ways to name one.
#[derive(Debug, Clone, Default)]
pub struct Services {
    ranked: Vec<Arc<Stored<Service>>>,
    by_name: HashMap<String, usize>,
    by_word: HashMap<WordId, usize>,
}

impl Services {
    /// From the rows; their keywords join `words`.
    pub fn new(rows: &RowSet, words: &mut WordList) -> Self {
        let mut ranked: Vec<_> = rows.services.values().cloned().collect();
        ranked.sort_by(|a, b| (a.row.rank, &a.row.code).cmp(&(b.row.rank, &b.row.code)));
        let mut services = Self::default();
        for (place, stored) in ranked.iter().enumerate() {
            let service = &stored.row;
            for name in service.names.values().chain(std::iter::once(&service.code)) {
                services.by_name.entry(fold(name)).or_insert(place);
            }
            for word in service.keywords.iter().filter_map(|word| words.id(word)) {
                services.by_word.entry(word).or_insert(place);
            }
        }
        services.ranked = ranked;
        services
    }

    /// The service wanted, and how it was found.
    pub fn find(&self, facts: &Facts, heard: &[WordId], words: &Words) -> Option<(&Service, String)> {
        if let Some(Fact::Text(wanted)) = facts.get(SERVICE_TEXT) {
            let wanted = fold(wanted);
            if let Some(place) = self.by_name.get(&wanted) {
                return Some((&self.ranked[*place].row, format!("named by {SERVICE_TEXT}")));
            }
            if let Some((service, word)) = self.heard(&words.find(&wanted)) {
                return Some((service, format!("heard \"{}\" in {SERVICE_TEXT}", words.name(word))));
            }
        }
        let (service, word) = self.heard(heard)?;
        Some((service, format!("heard \"{}\"", words.name(word))))
    }

    fn heard(&self, heard: &[WordId]) -> Option<(&Service, WordId)> {
        let places = heard.iter().filter_map(|word| Some((*self.by_word.get(word)?, *word)));
        places.min().map(|(place, word)| (&self.ranked[place].row, word))
    }

    /// All services by rank.
    pub fn ranked(&self) -> impl Iterator<Item = &Service> {
        self.ranked.iter().map(|stored| &stored.row)
    }
}

/// Service areas, by postal prefix and by city.
#[derive(Debug, Clone, Default)]
pub struct Areas {
    ranked: Vec<Arc<Stored<Area>>>,
    by_prefix: HashMap<String, usize>,
    by_city: HashMap<String, usize>,
    cities: Cities,
    longest: usize,
}

impl Areas {
    /// From the rows.
    #[must_use]
    pub fn new(rows: &RowSet) -> Self {
        let mut ranked: Vec<_> = rows.areas.values().cloned().collect();
        ranked.sort_by(|a, b| (a.row.rank, &a.row.code).cmp(&(b.row.rank, &b.row.code)));
        let mut areas = Self::default();
        for (rank, stored) in ranked.iter().enumerate() {
            for prefix in &stored.row.postal_prefixes {
                let prefix = postal(prefix);
                areas.longest = areas.longest.max(prefix.len());
                areas.by_prefix.entry(prefix).or_insert(rank);
            }
            for city in &stored.row.cities {
                areas.by_city.entry(place::key(city)).or_insert(rank);
            }
        }
        areas.cities = Cities::new(ranked.iter().flat_map(|stored| &stored.row.cities));
        areas.ranked = ranked;
        areas
    }

    /// All areas by rank.
    pub fn ranked(&self) -> impl Iterator<Item = &Area> {
        self.ranked.iter().map(|stored| &stored.row)
    }

    /// The area of an address, and how it was found. A postal code that lies in no area leaves it to the city.
    pub fn find(&self, facts: &Facts) -> Option<(&Area, String)> {
        if let Some(Fact::Text(code)) = facts.get(POSTAL_CODE) {
            let code = postal(code);
            let prefixes = (1..=self.longest.min(code.len())).filter_map(|end| {
                let prefix = code.get(..end)?;
                Some((*self.by_prefix.get(prefix)?, prefix))
            });
            if let Some((place, prefix)) = prefixes.min() {
                return Some((&self.ranked[place].row, format!("matched postal code {prefix}")));
            }
        }
        if let Some(Fact::Text(city)) = facts.get(CITY)
            && let Ok(city) = self.cities.in_field(city)
            && let Some(place) = self.by_city.get(&place::key(&city))
        {
            return Some((&self.ranked[*place].row, "matched the city".to_owned()));
        }
        None
    }
}

impl Areas {
    /// How much of a postal code matters: the length of the longest prefix of any area.
    #[must_use]
    pub const fn longest_prefix(&self) -> usize {
        self.longest
    }
}

/// Letters and digits only, in upper case.
pub(super) fn postal(code: &str) -> String {
    let sound = code.chars().filter(char::is_ascii_alphanumeric).take(16);
    sound.map(|c| c.to_ascii_uppercase()).collect()
}

const FRENCH: &[&str] = &[
    "bonjour", "oui", "je", "j'ai", "le", "la", "les", "des", "mon", "ma", "est", "c'est", "une", "et", "pour", "dans",
    "avec", "pas", "besoin", "chez", "nous", "vous", "mes", "du", "merci", "eau", "allo", "combien", "sous", "ville",
];
const ENGLISH: &[&str] = &[
    "hello", "hi", "yes", "i", "i'm", "it's", "the", "my", "is", "are", "and", "for", "in", "with", "not", "need",
    "we", "you", "please", "thanks", "water", "of", "how", "much", "have", "to", "there", "just", "has", "can",
];

/// Words that tell the two languages apart: true for French.
static TELLING: LazyLock<HashMap<&str, bool>> = LazyLock::new(|| {
    let french = FRENCH.iter().map(|word| (*word, true));
    french.chain(ENGLISH.iter().map(|word| (*word, false))).collect()
});

/// The language in which to answer, one of `languages`.
#[must_use]
pub fn language(languages: &[String], facts: &Facts, folded: &str) -> String {
    let first = languages.first().cloned().unwrap_or_default();
    if let Some(Fact::Text(hint)) = facts.get(LANGUAGE) {
        let hint = fold(hint);
        // "fr-CA" folds to "fr ca".
        let code = hint.split([' ', '_']).next().unwrap_or_default();
        if let Some(known) = languages.iter().find(|known| *known == code) {
            return known.clone();
        }
    }
    let (mut french, mut english) = (0, 0);
    for word in folded.split(|c: char| !(c.is_alphanumeric() || c == '\'')) {
        match TELLING.get(word) {
            Some(true) => french += 1,
            Some(false) => english += 1,
            None => {}
        }
    }
    let better = match french.cmp(&english) {
        std::cmp::Ordering::Greater => "fr",
        std::cmp::Ordering::Less => "en",
        std::cmp::Ordering::Equal => return first,
    };
    languages
        .iter()
        .find(|known| *known == better)
        .cloned()
        .unwrap_or(first)
}

/// An instant in the rulebook's time zone.
#[must_use]
pub fn local(at: DateTime<Utc>, zone: Tz) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

/// What the clock says, as facts.
#[must_use]
pub fn clock(local: NaiveDateTime, calendar: Option<&Calendar>) -> Vec<(&'static str, Fact)> {
    let day = DAYS[local.weekday().num_days_from_monday() as usize];
    let mut facts = vec![
        ("hour", Fact::Number(Decimal::from(local.hour()))),
        ("weekday", Fact::Text(day.to_owned())),
    ];
    if let Some(calendar) = calendar {
        let open = calendar.open(local);
        facts.extend([
            ("evening", Fact::Boolean(calendar.evening(local))),
            ("weekend", Fact::Boolean(calendar.weekend(local.date()))),
            ("holiday", Fact::Boolean(calendar.holiday(local.date()).is_some())),
            ("after_hours", Fact::Boolean(!open)),
            ("open", Fact::Boolean(open)),
        ]);
    }
    facts
}

/// The text in which rules listen for words: what the caller said, then the problem; folded once. A phrase never
/// spans both.
#[must_use]
pub fn listened_to(extracted: &Extracted) -> String {
    match extracted.facts.get(PROBLEM) {
        Some(Fact::Text(problem)) if extracted.said.is_empty() => fold(problem),
        Some(Fact::Text(problem)) => format!("{} | {}", fold(&extracted.said), fold(problem)),
        _ => fold(&extracted.said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_mapped_one_else_a_guess_else_the_first() {
        let languages = ["fr".to_owned(), "en".to_owned()];
        let guess = |text: &str| language(&languages, &Facts::new(), &fold(text));
        assert_eq!(guess("Hello, my sink is slow"), "en");
        assert_eq!(guess("Bonjour, mon évier est bouché"), "fr");
        assert_eq!(guess(""), "fr");
        let hint = Facts::from([("language".to_owned(), Fact::Text("EN-us".to_owned()))]);
        assert_eq!(language(&languages, &hint, "bonjour"), "en");
        assert_eq!(language(&["es".to_owned()], &Facts::new(), "hello my"), "es");
    }

    #[test]
    fn a_postal_code_ignores_spaces_and_case() {
        assert_eq!(postal(" j4k-2m6 "), "J4K2M6");
    }
}
