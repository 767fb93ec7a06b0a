//! Marks in a transcript the words that Ringbook heard. The marks show which words counted, and why other words did not
//! count.
//!
//! The trace of a decision quotes the words and their sentence. This module searches the transcript for these
//! quotations. A quotation that is not in the transcript is not marked.

use std::ops::Range;

use maud::{Markup, html};
use serde_json::Value;

use crate::leads::text;

/// Words that Ringbook heard, from the trace of a decision.
#[derive(Debug, PartialEq, Eq)]
pub struct HeardWords {
    /// The words as the caller said them.
    pub words: String,
    sentence: String,
    /// The code of the concept.
    pub concept: String,
    pub counts: bool,
    /// How the words counted, or why they did not count.
    pub why: String,
}

/// Reads from the trace of a decision the words that Ringbook heard.
pub fn heard(trace: &Value) -> Vec<HeardWords> {
    let steps = trace.as_array().into_iter().flatten();
    let concepts = steps.filter(|step| step["resource"] == "concepts");
    concepts
        .filter_map(|step| one(text(step, "code")?, text(step, "did")?))
        .collect()
}

/// Parses a line of the trace: `"words" in "the sentence" (fact): how`.
fn one(concept: &str, did: &str) -> Option<HeardWords> {
    let (words, rest) = did.strip_prefix('"')?.split_once("\" in \"")?;
    let (end, separator) = rest.rmatch_indices("\": ").chain(rest.rmatch_indices("\" (")).next()?;
    let why = rest.get(end + separator.len()..)?;
    let why = why.rsplit_once("): ").map_or(why, |(_, why)| why);
    Some(HeardWords {
        words: words.to_owned(),
        sentence: rest.get(..end)?.trim_end_matches(" …").to_owned(),
        concept: concept.to_owned(),
        counts: why.starts_with("counts"),
        why: why.to_owned(),
    })
}

/// A turn of the caller, with the heard words marked.
pub fn marked(said: &str, heard: &[HeardWords]) -> Markup {
    let mut at = 0;
    let mut pieces: Vec<(&str, &[&HeardWords])> = Vec::new();
    let places = places(said, heard);
    for (range, all) in &places {
        pieces.push((said.get(at..range.start).unwrap_or_default(), &[]));
        pieces.push((said.get(range.clone()).unwrap_or_default(), all));
        at = range.end;
    }
    pieces.push((said.get(at..).unwrap_or_default(), &[]));
    html! { @for (piece, all) in pieces {
        @if all.is_empty() { (piece) } @else {
            mark.(class(all.iter().any(|one| one.counts))) title=(reasons(all)) { (piece) }
        }
    } }
}

/// The CSS class of a mark.
pub fn class(counts: bool) -> &'static str {
    if counts { "counts" } else { "off" }
}

fn reasons(all: &[&HeardWords]) -> String {
    let reasons = all
        .iter()
        .map(|one| format!("{}: {}", one.concept.replace('_', " "), one.why));
    reasons.collect::<Vec<_>>().join("; ")
}

/// The positions of the quotations, sorted. Overlapping quotations are merged.
fn places<'a>(said: &str, heard: &'a [HeardWords]) -> Vec<(Range<usize>, Vec<&'a HeardWords>)> {
    let found = heard.iter().filter_map(|one| {
        let sentence = find(said, &one.sentence)?;
        let within = find(said.get(sentence.clone())?, &one.words)?;
        Some((sentence.start + within.start..sentence.start + within.end, one))
    });
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|(range, _)| (range.start, range.end));
    let mut places: Vec<(Range<usize>, Vec<&HeardWords>)> = Vec::new();
    for (range, one) in found {
        match places.last_mut() {
            Some((last, all)) if range.start < last.end => {
                last.end = last.end.max(range.end);
                all.push(one);
            }
            _ => places.push((range, vec![one])),
        }
    }
    places
}

/// The position of `wanted` in `text`, ignoring case.
fn find(text: &str, wanted: &str) -> Option<Range<usize>> {
    if wanted.is_empty() {
        return None;
    }
    text.char_indices().find_map(|(start, _)| {
        let rest = text.get(start..)?;
        let mut length = 0;
        let mut own = rest.chars();
        for wanted in wanted.chars() {
            let c = own.next()?;
            if !c.to_lowercase().eq(wanted.to_lowercase()) {
                return None;
            }
            length += c.len_utf8();
        }
        Some(start..start + length)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_are_marked_with_the_reason_and_the_rest_is_escaped() {
        let trace = json!([
            {"resource": "concepts", "code": "flood", "did": "\"inondé\" in \"Mon sous-sol est inondé\": counts"},
            {"resource": "concepts", "code": "gas", "did": "\"gaz\" in \"pas de gaz\" (problem): denied by \"pas de\""},
            {"resource": "concepts", "code": "certain", "did": "\"sous-sol est inondé\" in \"Mon sous-sol est inondé\": counts"},
            {"resource": "services", "code": "x", "did": "heard \"racine*\""},
        ]);
        let heard = heard(&trace);
        assert_eq!(heard.len(), 3);
        assert!(heard[0].counts && !heard[1].counts);
        assert_eq!(heard[1].why, "denied by \"pas de\"");
        let html = marked("Mon SOUS-SOL est Inondé <b>, pas de gaz.", &heard).0;
        let both = "<mark class=\"counts\" title=\"certain: counts; flood: counts\">SOUS-SOL est Inondé</mark>";
        assert!(html.contains(both), "{html}");
        assert!(html.contains("class=\"off\"") && html.contains("&lt;b&gt;"), "{html}");
        assert_eq!(marked("rien", &heard).0, "rien");
    }
}
