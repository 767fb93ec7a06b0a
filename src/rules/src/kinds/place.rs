//! Reads places: cities in any spelling, and postal codes. A city loses its province and country, and gets the spelling
//! of the service area that names it.

use std::collections::BTreeMap;

use super::number::{Plain, Token};
use super::speech::Speech;
use crate::hearing::AGENT_LINE;
use crate::prefixes::{Prefixes, TriePosition};
use crate::words::fold;

/// Maximum length of a city's name, in characters.
const MAX_CITY: usize = 80;
/// Maximum length of a text: an address with a city in it, in characters.
const MAX_TEXT: usize = 300;

/// Provinces, neighboring states and countries, folded. They may follow a city and are removed from it.
const REGIONS: &[&str] = &[
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

/// Words that may link a city to the word before it, as in "hospital of Brossard".
const LINKS: &[&str] = &[
    "de", "du", "des", "la", "le", "l", "d", "of", "the", "in", "a", "at", "from", "to", "en",
];

/// The comparison key of a city: case, accents, spaces, hyphens, points and the spelling of "saint" do not matter.
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
    /// The keys; their numbers are indexes into `names`.
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

    /// The city in a field's text.
    ///
    /// # Errors
    /// Why there is no city.
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

    /// The city of the job in the caller's words: the last city that is named as a place.
    #[must_use]
    pub fn in_speech(&self, said: &Speech<'_>) -> Option<String> {
        self.last_named(said.words())
    }

    /// The last city that is named as a place.
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

    /// The last city that the caller names, if a field has another city: "I live in Laval, but the house is in
    /// Brossard". A field's city outside all areas stays if the caller names it too and does not retract it.
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

    /// The city that the agent names and the caller does not deny: "Is that in Longueuil?" "Yes."
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

    /// The longest name that begins at a token.
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
                    // A longer name is impossible here.
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

/// Whether a caller retracts a city, given by its key: "Laval, no sorry, Longueuil", "not Laval".
fn is_taken_back(city: &str, line: &str) -> bool {
    const TAKES_BACK: &[&str] = &[
        "no", "non", "nope", "nan", "not", "sorry", "pardon", "desole", "desolee", "excuse", "excusez", "scusez",
        "scratch",
    ];
    const FILLERS: &[&str] = &[
        "ah", "oh", "eh", "euh", "uh", "um", "ben", "well", "wait", "attends", "attendez", "oups", "oops",
    ];
    let plain = Plain::new(line);
    let tokens = plain.words();
    let mut from = 0;
    while from < tokens.len() {
        let Some(end) = end_of(city, &tokens, from) else {
            from += 1;
            continue;
        };
        let mut links = tokens[..from].iter().rev().skip_while(|token| token.is_one_of(LINKS));
        let is_denied = links.next().is_some_and(|token| token.is_one_of(&["not", "pas"]));
        let mut after = tokens[end..].iter().filter(|token| token.word().is_some());
        let answer = after.find(|token| !token.is_one_of(FILLERS));
        if is_denied || answer.is_some_and(|token| token.is_one_of(TAKES_BACK)) {
            return true;
        }
        from = end;
    }
    false
}

/// The index after a city's name that begins at this token.
fn end_of(city: &str, tokens: &[Token<'_>], from: usize) -> Option<usize> {
    tokens.get(from)?.word()?;
    let mut name = String::new();
    for (at, token) in tokens.iter().enumerate().skip(from) {
        let Some(word) = token.word() else { continue };
        name.push_str(word);
        name.push(' ');
        let key = key(&name);
        if key == city {
            return Some(at + 1);
        }
        if key.len() >= city.len() {
            return None;
        }
    }
    None
}

/// Whether the words are the city itself and not a street, a person or the like with its name.
fn is_place(tokens: &[Token<'_>], from: usize, end: usize) -> bool {
    const ROADS: &[&str] = &[
        "rue",
        "boulevard",
        "boul",
        "blvd",
        "avenue",
        "av",
        "ave",
        "chemin",
        "ch",
        "route",
        "rang",
        "montee",
        "place",
        "autoroute",
        "highway",
        "street",
        "pont",
        "bridge",
        "station",
        "metro",
        "hopital",
        "hospital",
        "parc",
        "park",
        "monsieur",
        "madame",
        "mr",
        "mrs",
        "ms",
        "mme",
        "dr",
        "hotel",
        "ecole",
        "school",
        "college",
        "universite",
        "university",
        "restaurant",
    ];
    const BEHIND: &[&str] = &[
        "street",
        "avenue",
        "ave",
        "boulevard",
        "blvd",
        "road",
        "rd",
        "bridge",
        "hospital",
        "park",
        "drive",
        "highway",
    ];
    const STREETS: &[&str] = &["street", "avenue", "ave", "boulevard", "blvd", "place", "rue"];
    const IN: &[&str] = &["in", "at", "a", "en"];
    const DENIED: &[&str] = &[
        "not", "pas", "near", "pres", "outside", "dehors", "than", "plus", "used", "moved",
    ];
    const LOCATIVES: &[&str] = &["a", "in", "at", "en", "sur", "dans"];
    let is_located = from > 0 && tokens[from - 1].is_one_of(LOCATIVES);
    let mut at = from;
    while at > 0 && (tokens[at - 1].is_one_of(LINKS) || tokens[at - 1] == Token::Mark('\'')) {
        at -= 1;
    }
    let before = at.checked_sub(1).and_then(|at| tokens.get(at));
    // A full stop ends an abbreviation before the name: "M. Laval", "boul. Saint-Laurent".
    let abbreviated = before == Some(&Token::Mark('.'));
    let before = if abbreviated {
        at.checked_sub(2).and_then(|at| tokens.get(at))
    } else {
        before
    };
    let is_sir = abbreviated && before.is_some_and(|token| token.is_one_of(&["m"]));
    // True for "Maple Street in Brossard", false for "the hospital in Brossard".
    let is_in = tokens
        .get(at..from)
        .is_some_and(|links| links.iter().any(|link| link.is_one_of(IN)));
    let is_street_there = is_in && before.is_some_and(|token| token.is_one_of(STREETS));
    let is_road = is_sir || (!is_street_there && before.is_some_and(|token| token.is_one_of(ROADS)));
    let is_denied = !abbreviated && before.is_some_and(|token| token.is_one_of(DENIED));
    let behind = tokens.get(end).is_some_and(|token| token.is_one_of(BEHIND));
    // "the school in Châteauguay" is a place, "Laval street" is not.
    (!is_road || is_located && !is_sir) && !is_denied && !behind
}

/// A part of an address without the words before and after the city.
fn bare(part: &str) -> String {
    let mut part = part.trim().trim_end_matches(['.', '!', '?']).trim();
    let mut rest = fold(part);
    while let Some(prefix) = BEFORE.iter().find(|prefix| rest.starts_with(**prefix)) {
        // Folding keeps the number of words, so that the same number of words is removed from the front.
        let cut = cut_words(part, prefix);
        if cut.is_empty() || cut.len() == part.len() {
            break;
        }
        part = cut;
        rest = fold(part);
    }
    // Removes a postal code and regions from the end.
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

/// The text without the leading words that fold to the prefix.
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

/// The country of the postal codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Postal {
    /// `J4K 2M6`, or its beginning.
    Canada,
    /// `12345` or `12345-6789`.
    UnitedStates,
    /// Letters and digits.
    #[default]
    Any,
}

/// The postal code in a field's text.
///
/// # Errors
/// Why there is no postal code.
pub fn postal_code(text: &str, postal: Postal) -> Result<String, &'static str> {
    const NONE: &str = "it is not a postal code";
    let plain: String = text
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(40)
        .collect::<String>()
        .to_ascii_uppercase();
    match postal {
        Postal::Canada => match last_canadian(text) {
            Some(code) => Ok(code),
            None if (2..6).contains(&plain.len()) && is_canadian(&plain) => Ok(plain),
            None => Err(NONE),
        },
        Postal::UnitedStates => {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            let sound = plain == digits;
            match digits.len() {
                5 if sound => Ok(digits),
                9 if sound => Ok(format!("{}-{}", &digits[..5], &digits[5..])),
                _ => Err(NONE),
            }
        }
        Postal::Any => {
            let sound = (2..=10).contains(&plain.len()) && plain.contains(|c: char| c.is_ascii_digit());
            let text = text.trim().to_uppercase();
            if sound && text.chars().count() <= 12 {
                Ok(text)
            } else {
                Err(NONE)
            }
        }
    }
}

/// Whether letters and digits are a Canadian postal code or its beginning.
fn is_canadian(code: &str) -> bool {
    code.bytes().enumerate().all(|(place, byte)| match place {
        0 => byte.is_ascii_uppercase() && !b"DFIOQUWZ".contains(&byte),
        // Canada Post uses no D, F, I, O, Q or U here, but this check accepts them. An area needs only the beginning of
        // the code, so a mistake after the beginning does no harm.
        2 | 4 => byte.is_ascii_uppercase(),
        _ => byte.is_ascii_digit(),
    })
}

/// The last complete Canadian postal code in a text, also spelled letter by letter.
#[must_use]
pub fn last_canadian(text: &str) -> Option<String> {
    let mut last = None;
    // The latest letters and digits that could be part of a code, each with a flag: whether the character begins a
    // word.
    let mut run: Vec<(char, bool)> = Vec::new();
    let mut in_word = false;
    for c in text.chars().chain(std::iter::once(' ')) {
        if c.is_alphanumeric() {
            run.push((c.to_ascii_uppercase(), !in_word));
            in_word = true;
        } else {
            // At the end of a word: check whether the last six characters begin at a word and form a code.
            if in_word && run.len() >= 6 {
                let six = &run[run.len() - 6..];
                // Most words are not codes. This cheap check comes before the copy.
                if six[0].1 && six[1].0.is_ascii_digit() {
                    let code: String = six.iter().map(|(c, _)| *c).collect();
                    if code.is_ascii() && is_canadian(&code) {
                        last = Some(format!("{} {}", &code[..3], &code[3..]));
                    }
                }
            }
            in_word = false;
            if !(c.is_whitespace() || matches!(c, '-' | ',' | '.' | '\u{2010}'..='\u{2015}')) {
                run.clear();
            }
            let keep = run.len().saturating_sub(12);
            run.drain(..keep);
        }
    }
    last
}

/// The last occurrence of the first half of a Canadian postal code, because people say it alone: "H3S".
#[must_use]
pub fn last_canadian_beginning(text: &str) -> Option<String> {
    let mut words = text.rsplit(|c: char| !c.is_alphanumeric());
    words.find_map(|word| {
        let code = word.to_ascii_uppercase();
        // Canada Post never uses these letters in third place; without this check, H2O would be a code.
        let sound = code.len() == 3 && is_canadian(&code) && !code.ends_with(['D', 'F', 'I', 'O', 'Q', 'U']);
        sound.then_some(code)
    })
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

    #[test]
    fn postal_codes_are_read_with_and_without_spaces() {
        for text in [
            "J4K 2M6",
            "j4k2m6",
            "J4K-2M6",
            " j4k  2m6 ",
            "J 4 K 2 M 6",
            "Brossard J4K 2M6",
            "J, 4, K, 2, M, 6",
        ] {
            assert_eq!(postal_code(text, Postal::Canada).as_deref(), Ok("J4K 2M6"), "{text}");
        }
        assert_eq!(postal_code("j4k", Postal::Canada).as_deref(), Ok("J4K"));
        for text in ["", "12345", "J4K 2M", "Z4K 2M6X", "unknown", "514 555 0100", "same"] {
            let read = postal_code(text, Postal::Canada);
            assert!(read.is_err() || text == "J4K 2M", "{text}: {read:?}");
        }
        assert_eq!(
            postal_code("12345-6789", Postal::UnitedStates).as_deref(),
            Ok("12345-6789")
        );
        assert_eq!(
            last_canadian("it was H2X 1Y4 but now J4K 2M6, thanks").as_deref(),
            Some("J4K 2M6")
        );
        assert_eq!(last_canadian("apartment 4K 2M6"), None);
        for (text, wanted) in [
            ("Côte-des-Neiges, postal code h3s", Some("H3S")),
            ("it was H2X, now J4K.", Some("J4K")),
            ("the H2O is 3M deep", None),
            ("call B2 or 514", None),
        ] {
            assert_eq!(last_canadian_beginning(text).as_deref(), wanted, "{text}");
        }
    }
}
