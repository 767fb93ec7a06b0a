//! Finds phrases that cancel themselves, and phrases that two concepts or two cues share.

use std::collections::BTreeMap;

use super::Findings;
use rules::compile::Rulebook;
use rules::rows::Resource;
use rules::words::fold;

pub(super) fn lint(rulebook: &Rulebook, found: &mut Findings) {
    concepts(rulebook, found);
    cues(rulebook, found);
}

/// Reports a phrase that is not recognized when a caller says exactly this phrase. Also reports a phrase that belongs
/// to two concepts.
fn concepts(rulebook: &Rulebook, found: &mut Findings) {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for stored in rulebook.rows().concepts.values() {
        let row = &stored.row;
        let Some(concept) = rulebook.ears.lexicon().id(&format!("#{}", row.code)) else {
            continue;
        };
        for (language, phrases) in &row.phrases {
            for (place, phrase) in phrases.iter().enumerate() {
                let column = format!("phrases/{language}/{place}");
                let heard = rulebook.ears.hear(&example(phrase), &[]);
                if heard.said.binary_search(&concept).is_err() {
                    let why = heard.steps().into_iter().next_back();
                    let why = why.map(|step| format!(": {step}")).unwrap_or_default();
                    let text = format!(
                        "\"{phrase}\" cancels itself: it is not recognized when a caller says only this phrase{why}"
                    );
                    found.warn(row, &column, "cancels_itself", text);
                }
                let owner = *owners.entry(fold(phrase)).or_insert(&row.code);
                if owner != row.code {
                    let text =
                        format!("\"{phrase}\" also belongs to the concept `{owner}`: delete one of the two phrases");
                    let related = vec![(Resource::Concepts, owner.to_owned())];
                    found.add(super::Severity::Warning, row, &column, "shared_phrase", text, related);
                }
            }
        }
    }
}

/// Reports a phrase that two cues with the same effect contain. A phrase may have several effects: for example "still"
/// has the effects `now` and `present`.
fn cues(rulebook: &Rulebook, found: &mut Findings) {
    let mut owners: BTreeMap<(&str, String), &str> = BTreeMap::new();
    for stored in rulebook.rows().cues.values() {
        let row = &stored.row;
        for (place, phrase) in row.phrases.iter().enumerate() {
            let owner = *owners.entry((row.effect.name(), fold(phrase))).or_insert(&row.code);
            if owner != row.code {
                let text =
                    format!("\"{phrase}\" is also in the cue `{owner}` with the same effect: delete one of them");
                let related = vec![(Resource::Cues, owner.to_owned())];
                let column = format!("phrases/{place}");
                found.add(super::Severity::Warning, row, &column, "shared_phrase", text, related);
            }
        }
    }
}

/// Returns an example of words that a phrase matches: the phrase's first alternatives, without gaps.
fn example(phrase: &str) -> String {
    let items = phrase
        .split_whitespace()
        .filter(|item| !matches!(*item, "..." | "…" | ".." | "&"));
    let words = items.map(|item| {
        let first = item.split('|').next().unwrap_or_default();
        first.trim_start_matches('=').trim_end_matches('*')
    });
    words.collect::<Vec<_>>().join(" ")
}
