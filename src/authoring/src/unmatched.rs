//! Groups calls without a service by the words that several of them share. The module is pure: it gets transcripts and
//! returns groups.
//!
//! The phrase of a group is one to three consecutive words of one sentence. At least two of the calls share the phrase,
//! and calls with a service seldom contain the phrase. The phrase must never be a number. So a phrase with a digit in
//! any of its words forms no group.

use std::collections::{BTreeMap, BTreeSet};

use rules::words::fold;

/// Maximum number of consecutive words that form a group.
const MAX_WORDS: usize = 3;
/// Minimum number of letters of a word that forms a group alone.
const MIN_LETTERS: usize = 4;
/// Minimum number of calls in a group.
const MIN_CALLS: usize = 2;
/// Maximum number of groups.
const MAX_GROUPS: usize = 20;
/// Common words, folded. The phrase of a group never begins or ends with a common word.
const LITTLE: &str = " a about ai aller alors am an and any are as at au aussi aux avec avez avoir be been bonjour bonsoir but by \
    c call calling can car ce cela ces cest cet cette chez come comme could d dans de des did do does don donc du elle en \
    est et etait ete etes eu fait faire for from get going good got had has have he hello help here hi how i id il ils im in \
    is it its ive j jai je just know l la le les leur like ll looking lot m ma mais me merci mes moi mon morning my n ne need \
    nous of oh ok okay on one or ou oui our out par parce pas peut peux please plus pour pouvez puis qu quand que quelqu \
    quelque quelquun qui really rappeler re right s sa sais se ses si so some somebody someone son sont suis sur t ta te thank \
    thanks that the their them then there they this to tout tres tu un une up us ve veux vas very vos votre voudrais vous want \
    was we well were what when where which who will with would y yes you your ";

/// A group of calls that share words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The shared words in lower case, spelled as in the first call of the group.
    pub phrase: String,
    /// The calls, by index.
    pub calls: Vec<usize>,
}

/// Groups the calls without a service; `matched` contains the calls with a service. The largest group comes first, and
/// a call is in at most one group.
#[must_use]
pub fn groups(unmatched: &[String], matched: &[String]) -> Vec<Group> {
    let mut shared: BTreeMap<String, (String, BTreeSet<usize>)> = BTreeMap::new();
    for (place, said) in unmatched.iter().enumerate() {
        for (key, shown) in runs(said) {
            let (_, calls) = shared.entry(key).or_insert_with(|| (shown, BTreeSet::new()));
            calls.insert(place);
        }
    }
    shared.retain(|_, (_, calls)| calls.len() >= MIN_CALLS);
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for said in matched {
        let keys: BTreeSet<String> = runs(said).map(|(key, _)| key).collect();
        for key in keys.into_iter().filter(|key| shared.contains_key(key)) {
            *known.entry(key).or_default() += 1;
        }
    }
    // A phrase is dropped if its share among matched calls is more than half its share among unmatched calls.
    let is_telling = |key: &str, calls: usize| {
        known.get(key).copied().unwrap_or_default() * 2 * unmatched.len() <= calls * matched.len()
    };
    shared.retain(|key, (_, calls)| is_telling(key, calls.len()));
    let mut groups = Vec::new();
    while groups.len() < MAX_GROUPS {
        // A longer phrase weighs more: two words in three calls come before one word in four calls.
        let weight = |key: &str, calls: &BTreeSet<usize>| calls.len() * (key.split(' ').count() + 1);
        let best = shared
            .iter()
            .max_by(|(a, (_, of_a)), (b, (_, of_b))| weight(a, of_a).cmp(&weight(b, of_b)).then_with(|| b.cmp(a)));
        let Some((phrase, calls)) = best.map(|(_, best)| best.clone()) else {
            break;
        };
        for (_, others) in shared.values_mut() {
            others.retain(|call| !calls.contains(call));
        }
        shared.retain(|_, (_, others)| others.len() >= MIN_CALLS);
        groups.push(Group {
            phrase,
            calls: calls.into_iter().collect(),
        });
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.calls.len()));
    groups
}

/// Returns every phrase that may form a group, in two forms: for comparison and for display.
fn runs(said: &str) -> impl Iterator<Item = (String, String)> {
    let sentences = said.split(['.', ',', ';', ':', '!', '?', '\n', '(', ')', '"', '«', '»']);
    sentences.flat_map(|sentence| {
        let words: Vec<(&str, String)> = sentence
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(|word| (word, fold(word)))
            .collect();
        let mut found = Vec::new();
        for start in 0..words.len() {
            for run in (1..=MAX_WORDS).filter_map(|length| words.get(start..start + length)) {
                if is_sound(run) {
                    let key: Vec<&str> = run.iter().map(|(_, folded)| folded.as_str()).collect();
                    found.push((key.join(" "), shown(sentence, run)));
                }
            }
        }
        found
    })
}

fn is_sound(run: &[(&str, String)]) -> bool {
    let says = |word: &str| !LITTLE.contains(&format!(" {word} "));
    let (Some((_, first)), Some((_, last))) = (run.first(), run.last()) else {
        return false;
    };
    let is_long = run
        .iter()
        .any(|(_, word)| word.chars().count() >= MIN_LETTERS && says(word));
    let has_digits = run.iter().any(|(_, word)| word.contains(|c: char| c.is_ascii_digit()));
    is_long && !has_digits && says(first) && says(last)
}

/// Returns the words as they are spelled in the sentence, in lower case.
fn shown(sentence: &str, run: &[(&str, String)]) -> String {
    let place = |word: &str| word.as_ptr() as usize - sentence.as_ptr() as usize;
    let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) else {
        return String::new();
    };
    let text = sentence.get(place(first)..place(last) + last.len()).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn calls_are_grouped_by_the_words_that_only_they_share() {
        let unmatched = texts(&[
            "Bonjour, mon chauffe-eau coule depuis hier.",
            "Hi, my sump pump is dead.",
            "Le chauffe-eau coule sur le plancher, rappelez-moi au 514 555 0177.",
            "Is your sump pump service open?",
            "Mon Chauffe-Eau coule!",
            "Bonjour, pouvez-vous me rappeler au 514 555 0177?",
        ]);
        let matched = texts(&["Bonjour, mon drain est bouché depuis hier.", "My drain is blocked."]);
        let found = groups(&unmatched, &matched);
        let found: Vec<(&str, &[usize])> = found
            .iter()
            .map(|group| (group.phrase.as_str(), group.calls.as_slice()))
            .collect();
        assert_eq!(found, [("chauffe-eau coule", &[0, 2, 4][..]), ("sump pump", &[1, 3])]);
    }

    #[test]
    fn words_of_calls_that_found_a_service_and_numbers_form_no_group() {
        let unmatched = texts(&["mon drain, le 555 0177", "un drain, 555 0177"]);
        assert_eq!(groups(&unmatched, &texts(&["le drain", "mon drain"])), []);
        assert_eq!(groups(&unmatched, &[])[0].phrase, "drain");
        assert_eq!(groups(&[], &[]), []);
    }
}
