//! Compiles rows of concepts and cues into [`Ears`], and selects the words to listen to.

use super::derive::PROBLEM;
use super::facts::{ExtractedFacts, Fact};
use super::fault::Fault;
use super::hearing::{CueRule, Ears, HearingResult, LexiconBuilder};
use super::rows::{Concept, Cue, CueEffect, Resource, RowSet, Settings, Trust};

/// Maximum reach of a cue, in words.
pub const MAX_REACH: i64 = 30;

/// Adds every concept and cue to the lexicon; services and conditions add their phrases afterwards.
pub fn add(rows: &RowSet, lexicon: &mut LexiconBuilder, faults: &mut Vec<Fault>) -> Vec<CueRule> {
    // All names come first, so that a cue may name any concept.
    for stored in rows.concepts.values() {
        lexicon.concept(&stored.row.code);
    }
    for stored in rows.concepts.values() {
        add_concept(&stored.row, lexicon, faults);
    }
    let cues = rows.cues.values().enumerate();
    cues.map(|(place, stored)| add_cue(place, &stored.row, lexicon, faults))
        .collect()
}

fn add_concept(row: &Concept, lexicon: &mut LexiconBuilder, faults: &mut Vec<Fault>) {
    let concept = lexicon.concept(&row.code);
    for (language, phrases) in &row.phrases {
        for (place, phrase) in phrases.iter().enumerate() {
            if let Err(why) = lexicon.add_to_concept(concept, phrase, language) {
                let column = format!("phrases/{language}/{place}");
                faults.push(fault(
                    Resource::Concepts,
                    &row.code,
                    column,
                    "bad_word",
                    format!("\"{phrase}\": {why}"),
                ));
            }
        }
    }
    for (place, phrase) in row.except.iter().enumerate() {
        if let Err(why) = lexicon.add_exception(concept, phrase) {
            let column = format!("except/{place}");
            faults.push(fault(
                Resource::Concepts,
                &row.code,
                column,
                "bad_word",
                format!("\"{phrase}\": {why}"),
            ));
        }
    }
}

fn add_cue(place: usize, row: &Cue, lexicon: &mut LexiconBuilder, faults: &mut Vec<Fault>) -> CueRule {
    let mut wrong = |column: &str, problem: &'static str, text: String| {
        faults.push(fault(Resource::Cues, &row.code, column.to_owned(), problem, text));
    };
    for (column, reach) in [("before", row.before), ("after", row.after)] {
        if !(0..=MAX_REACH).contains(&reach) {
            wrong(column, "out_of_range", format!("a cue reaches 0 to {MAX_REACH} words"));
        }
    }
    let otherwise = match &row.otherwise {
        Some(_) if !matches!(row.effect, CueEffect::Over | CueEffect::Nothing) => {
            let text = "only a cue with the effect `over` or `nothing` has this field";
            wrong("otherwise", "not_for_its_kind", text.to_owned());
            None
        }
        Some(code) => match lexicon.id(&format!("#{code}")) {
            Ok(id) => Some(id),
            Err(why) => {
                wrong("otherwise", "unknown_concept", why);
                None
            }
        },
        None => None,
    };
    for (at, phrase) in row.phrases.iter().enumerate() {
        if let Err(why) = lexicon.add_cue(place, phrase) {
            wrong(&format!("phrases/{at}"), "bad_word", format!("\"{phrase}\": {why}"));
        }
    }
    let reach = |words: i64| usize::try_from(words.clamp(0, MAX_REACH)).unwrap_or_default();
    CueRule {
        code: row.code.clone(),
        effect: row.effect,
        before: reach(row.before),
        after: reach(row.after),
        otherwise,
    }
}

/// A validation error of one row.
pub fn fault(resource: Resource, code: &str, column: String, problem: &'static str, text: String) -> Fault {
    Fault {
        resource,
        code: code.to_owned(),
        column,
        line: None,
        position: None,
        problem,
        text,
    }
}

/// Listens to the caller's words and to the facts that the settings name.
#[must_use]
pub fn listen(ears: &Ears, settings: &Settings, extracted: &ExtractedFacts) -> HearingResult {
    let text = |name: &str| match extracted.facts.get(name) {
        Some(Fact::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let facts: Vec<(&str, &str, Trust)> = if settings.listens_to.is_empty() {
        text(PROBLEM)
            .map(|text| (PROBLEM, text, Trust::Model))
            .into_iter()
            .collect()
    } else {
        let named = settings.listens_to.iter();
        named
            .filter_map(|(name, trust)| Some((name.as_str(), text(name)?, *trust)))
            .collect()
    };
    ears.hear(&extracted.said, &facts)
}
