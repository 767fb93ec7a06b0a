//! Judges a city's name in the caller's words: whether the name means the city, and whether the caller retracts it.

use super::key;
use crate::kinds::tokens::{Plain, Token};

/// Words that may link a city to the word before it, as in "hospital of Brossard".
const LINKS: &[&str] = &[
    "de", "du", "des", "la", "le", "l", "d", "of", "the", "in", "a", "at", "from", "to", "en",
];

/// Whether a caller retracts the city with this key: "Laval, no sorry, Longueuil", "not Laval".
pub(super) fn is_taken_back(city: &str, line: &str) -> bool {
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

/// Returns the index after the city's name, if the name begins at this token.
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

/// Whether the words mean the city itself, and not for example a street or a person with the same name.
pub(super) fn is_place(tokens: &[Token<'_>], from: usize, end: usize) -> bool {
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
    // `is_street_there` is true for "Maple Street in Brossard" and false for "the hospital in Brossard".
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
