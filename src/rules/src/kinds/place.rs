//! Reads cities in any spelling. The result has no province or country, and has the spelling of the service area that
//! names the city.

mod address_words;
mod spoken_city;

use std::collections::BTreeMap;

use self::address_words::{REGIONS, bare};
use self::spoken_city::{is_place, is_taken_back};
use super::speech::Speech;
use super::tokens::{Plain, Token};
use crate::hearing::AGENT_LINE;
use crate::prefixes::{Prefixes, TriePosition};
use crate::words::fold;

/// Maximum length of a city's name, in characters.
const MAX_CITY: usize = 80;
/// Maximum length, in characters, of a text with a city in it, such as an address.
const MAX_TEXT: usize = 300;

/// Returns the comparison key of a city. Case, accents, spaces, hyphens, points and the spelling of "saint" do not
/// matter.
#[must_use]
pub fn key(city: &str) -> String {
    let folded = fold(&city.replace(['_', '/'], " "));
    let words = folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.map(in_full).collect()
}

fn in_full(word: &str) -> &str {
    match word {
        "st" => "saint",
        "ste" => "sainte",
        "mt" => "mont",
        other => other,
    }
}

/// The cities of the service areas, by key.
#[derive(Debug, Clone, Default)]
pub struct Cities {
    /// The keys. The number of a key is an index into `names`.
    keys: Prefixes,
    names: Vec<String>,
    /// Maximum number of words in a name.
    longest: usize,
}

impl Cities {
    /// Builds the index from names.
    pub fn new<'a>(names: impl Iterator<Item = &'a String>) -> Self {
        let mut by_key: BTreeMap<String, &String> = BTreeMap::new();
        let mut longest = 0;
        for name in names {
            let words = fold(name).split(|c: char| !c.is_alphanumeric()).count();
            longest = longest.max(words);
            by_key.entry(key(name)).or_insert(name);
        }
        let keys: Vec<&str> = by_key.keys().map(String::as_str).collect();
        Self {
            keys: Prefixes::new(&keys),
            names: by_key.into_values().cloned().collect(),
            longest,
        }
    }

    fn with_key(&self, key: &str) -> Option<&String> {
        self.names.get(self.keys.whole(key)? as usize)
    }

    /// Reads the city in a field's text.
    ///
    /// # Errors
    /// The reason why there is no city.
    pub fn in_field(&self, text: &str) -> Result<String, &'static str> {
        if text.chars().count() > MAX_TEXT {
            return Err("it is too long for the name of a city");
        }
        let mut best: Option<String> = None;
        for part in text.split([',', '(', ')', ';', '/', '\n']) {
            let part = bare(part);
            if let Some(known) = self.with_key(&key(&part)).filter(|_| !part.is_empty()) {
                return Ok(known.clone());
            }
            let sound = part.chars().any(char::is_alphabetic) && !part.contains(|c: char| c.is_ascii_digit());
            if best.is_none() && sound && !REGIONS.contains(&fold(&part).as_str()) {
                best = Some(part);
            }
        }
        // "Québec" alone is also a city.
        let alone = || Some(bare(text)).filter(|part| fold(part) == "quebec");
        let city = best.or_else(alone).ok_or("it names no city")?;
        if city.chars().count() > MAX_CITY {
            return Err("it is too long for the name of a city");
        }
        Ok(city)
    }

    /// Returns the city of the job in the caller's words. This is the last city that the caller names as a place.
    #[must_use]
    pub fn in_speech(&self, said: &Speech<'_>) -> Option<String> {
        self.last_named(said.words())
    }

    /// Returns the last city that is named as a place.
    fn last_named(&self, tokens: &[Token<'_>]) -> Option<String> {
        let (mut last, mut at) = (None, 0);
        while at < tokens.len() {
            match self.named(tokens, at) {
                Some((city, end)) => {
                    if is_place(tokens, at, end) {
                        last = Some(city);
                    }
                    at = end;
                }
                None => at += 1,
            }
        }
        last.cloned()
    }

    /// Returns the last city that the caller names, if a field has another city: "I live in Laval, but the house is in
    /// Brossard". A field's city that is in no service area stays if the caller names this city too and does not
    /// retract it.
    #[must_use]
    pub fn said_otherwise(&self, field: &str, said: &Speech<'_>) -> Option<String> {
        let named = self.in_speech(said)?;
        let field = key(&self.in_field(field).ok()?);
        if key(&named) == field {
            return None;
        }
        // In "I am in Granby, we moved from Laval", the city Granby in the field stays.
        let stays =
            || key(said.text()).contains(&field) && !said.text().lines().any(|line| is_taken_back(&field, line));
        (self.with_key(&field).is_some() || !stays()).then_some(named)
    }

    /// Returns the city that the agent names and the caller does not deny: "Is that in Longueuil?" "Yes."
    #[must_use]
    pub fn agreed(&self, said: &str) -> Option<String> {
        const DENIALS: &[&str] = &["no", "non", "nope", "nah", "not", "pas", "nan"];
        let (mut agreed, mut asked) = (None, None);
        for line in said.lines() {
            if let Some(line) = line.strip_prefix(AGENT_LINE) {
                asked = self.last_named(&Plain::new(line).words());
            } else if let Some(city) = asked.take() {
                let plain = Plain::new(line);
                let is_denied = plain.words().iter().take(2).any(|token| token.is_one_of(DENIALS));
                agreed = Some(city).filter(|_| !is_denied).or(agreed);
            }
        }
        agreed
    }

    /// Returns the longest city name that begins at a token, and the index after the name.
    fn named(&self, tokens: &[Token<'_>], at: usize) -> Option<(&String, usize)> {
        let (mut found, mut place) = (None, TriePosition::default());
        let (mut words, mut next, mut is_short) = (0, at, false);
        while words < self.longest {
            match tokens.get(next) {
                Some(Token::Word(word)) => {
                    let behind = if word.chars().all(char::is_alphanumeric) {
                        self.keys.behind(place, in_full(word))
                    } else {
                        self.keys.behind(place, &key(word))
                    };
                    words += 1;
                    is_short = words == 1 && in_full(word) != *word;
                    // No city has a longer name that begins with these words.
                    let Some(behind) = behind else { break };
                    place = behind;
                    let number = self.keys.number(place).map(|number| number as usize);
                    let city = number.and_then(|number| self.names.get(number));
                    found = city.map(|city| (city, next + 1)).or(found);
                }
                Some(Token::Mark('-' | '\'')) if words > 0 => {}
                // In "St. Lambert", the full stop does not end a sentence.
                Some(Token::Mark('.')) if is_short => {}
                _ => break,
            }
            next += 1;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cities() -> Cities {
        let names = [
            "Brossard",
            "Longueuil",
            "Saint-Lambert",
            "Sainte-Thérèse",
            "LaSalle",
            "Laval",
            "La Prairie",
            "Greenfield Park",
            "Saint-Laurent",
            "Montréal",
        ];
        Cities::new(names.map(str::to_owned).iter())
    }

    #[test]
    fn a_city_is_read_however_it_is_written() {
        for (text, wanted) in [
            ("Brossard", "Brossard"),
            ("Brossard, QC", "Brossard"),
            ("brossard quebec", "Brossard"),
            ("Brossard (Québec)", "Brossard"),
            ("Brossard, Québec, Canada", "Brossard"),
            ("Brossard QC J4Z 1A1", "Brossard"),
            ("BROSSARD.", "Brossard"),
            ("St. Lambert", "Saint-Lambert"),
            ("St-Lambert", "Saint-Lambert"),
            ("saint lambert", "Saint-Lambert"),
            ("Ste-Thérèse", "Sainte-Thérèse"),
            ("Ste. Therese, P.Q.", "Sainte-Thérèse"),
            ("Ville de Brossard", "Brossard"),
            ("la ville de Brossard", "Brossard"),
            ("city of Longueuil", "Longueuil"),
            ("The City of Longueuil", "Longueuil"),
            ("Lasalle", "LaSalle"),
            ("La Salle", "LaSalle"),
            ("Laprairie", "La Prairie"),
            ("12 rue des Érables, Brossard, QC", "Brossard"),
            ("Montreal, Quebec", "Montréal"),
            ("Sherbrooke, QC", "Sherbrooke"),
            ("Ville de Québec", "Québec"),
            ("Québec, QC", "Québec"),
            ("Quebec City", "Quebec City"),
            ("greenfield_park", "Greenfield Park"),
        ] {
            assert_eq!(cities().in_field(text).as_deref(), Ok(wanted), "{text}");
        }
        for text in ["", "12345", "QC", "?", "Canada"] {
            assert!(cities().in_field(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_field_gives_way_to_what_the_caller_says_instead() {
        for (field, said, wanted) in [
            ("Laval", "I am in Brossard", Some("Brossard")),
            (
                "Laval",
                "Laval. Ah no sorry, my daughter moved, it is in Longueuil now",
                Some("Longueuil"),
            ),
            ("Lachute", "Lachute? No, LaSalle!", Some("LaSalle")),
            (
                "Mascouche",
                "pas à Mascouche, je reste à Brossard depuis juillet",
                Some("Brossard"),
            ),
            (
                "Saint-Jérôme",
                "St-Jérôme non pardon, chez nous c'est Brossard",
                Some("Brossard"),
            ),
            ("Granby", "I am in Granby, we moved from Laval", None),
            ("Brossard", "Longueuil, no, sorry, Brossard", None),
            (
                "Granby",
                "Granby\nNo, nothing else. My sister in Brossard says hello",
                None,
            ),
            (
                "Laval",
                "I live in Laval, but the house is in Brossard",
                Some("Brossard"),
            ),
            ("Laval", "Laval, no emergency", None),
        ] {
            assert_eq!(
                cities()
                    .said_otherwise(field, &Speech::of(said, &Plain::new(said)))
                    .as_deref(),
                wanted,
                "{field}: {said}"
            );
        }
    }

    #[test]
    fn the_city_that_a_caller_names_last_counts() {
        for (text, wanted) in [
            ("I am in Brossard", Some("Brossard")),
            ("It's 482 Maple Street in Brossard.", Some("Brossard")),
            ("We passed the hospital of Brossard", None),
            ("the school in Brossard", Some("Brossard")),
            ("C'est à St. Lambert.", Some("Saint-Lambert")),
            ("à Laval, non, à Brossard", Some("Brossard")),
            ("I'm not in Laval, I'm in Longueuil", Some("Longueuil")),
            ("Longueuil, not Laval", Some("Longueuil")),
            ("au 12 boulevard Saint-Laurent", None),
            ("12 boul. Saint-Laurent à Montréal", Some("Montréal")),
            ("on Laval street", None),
            ("ici monsieur Laval", None),
            ("la rue de la Montréal", None),
            ("nowhere", None),
        ] {
            assert_eq!(
                cities().in_speech(&Speech::of(text, &Plain::new(text))).as_deref(),
                wanted,
                "{text}"
            );
        }
    }
}
