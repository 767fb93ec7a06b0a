//! Creates the grid: example calls about each service, with the facts, words and instants that the changed rows name.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::Probe;
use super::axes::{ProbePart, axes, facts_of};
use super::named_values::NamedValues;
use rules::compile::Rulebook;
use rules::derive::SERVICE_TEXT;
use rules::facts::{ExtractedFacts, Fact, Facts};
use rules::rows::{Adjustment, Offer, RowSet, Script, Service, changed};

/// Maximum number of calls in the grid.
const MAX_GRID: usize = 2_000;
/// If there are too many combinations, only every 7919th combination is used. The number is a prime, so that the
/// selection contains different values of every axis.
const STRIDE: usize = 7_919;
/// Maximum number of services in the grid.
const MAX_SERVICES: usize = 40;
/// Maximum number of conditions that are combined with each changed adjustment.
const MAX_COMBINED: usize = 30;

/// Returns calls about each service, with the facts, words and instants that the changed rows name.
pub(super) fn grid(base: &Rulebook, candidate: &Rulebook, now: DateTime<Utc>) -> Vec<Probe> {
    let texts = texts(base.rows(), candidate.rows());
    let services: Vec<&Service> = candidate
        .services()
        .filter(|service| service.offer != Offer::Refused)
        .take(MAX_SERVICES)
        .collect();
    let both = (base, candidate);
    let mut probes = Vec::new();
    for service in &services {
        probes.push(probe(both, service, &[&ProbePart::At(now)], now));
    }
    let share = (MAX_GRID / texts.len().max(1)).max(16);
    for text in texts.iter().filter(|_| !services.is_empty()) {
        let named = NamedValues::of(text);
        let is_named = |service: &&&Service| named.texts().any(|text| *text == service.code);
        let wanted: Vec<&Service> = services.iter().filter(is_named).copied().collect();
        // Vary one value at a time, for every service.
        let wide = axes(both, &named, &|_: &str| &named, now);
        let singles: usize = wide.iter().map(Vec::len).sum();
        for number in 0..singles.min(share) {
            let about: &[&Service] = if singles * services.len() <= share {
                &services
            } else if wanted.is_empty() {
                std::slice::from_ref(&services[number % services.len()])
            } else {
                &wanted
            };
            for service in about {
                probes.extend(single(&wide, number).map(|parts| probe(both, service, &parts, now)));
            }
        }
        // Then combine values: all values if there are few combinations, else only the values next to each fact's name.
        let near: BTreeMap<String, NamedValues> = facts_of(candidate.rows())
            .filter(|(name, _)| named.has(name))
            .map(|(name, _)| (name.to_owned(), named.beside(name)))
            .collect();
        let narrow = axes(both, &named, &|name: &str| near.get(name).unwrap_or(&named), now);
        let chosen = if combinations(&wide) <= share { wide } else { narrow };
        let all = combinations(&chosen);
        let (turns, step) = if all <= share { (all, 1) } else { (share, STRIDE) };
        for turn in 0..turns {
            let index = turn.saturating_mul(step) % all.max(1);
            let alone = std::slice::from_ref(&services[turn % services.len()]);
            for service in if wanted.is_empty() { alone } else { &wanted } {
                probes.push(probe(both, service, &combination(&chosen, index), now));
            }
        }
        if probes.len() > 4 * MAX_GRID {
            break;
        }
    }
    probes
}

fn combinations(axes: &[Vec<ProbePart>]) -> usize {
    axes.iter().fold(1, |all: usize, axis| all.saturating_mul(axis.len()))
}

fn combination(axes: &[Vec<ProbePart>], index: usize) -> Vec<&ProbePart> {
    let mut place = index;
    let part = |axis: &Vec<ProbePart>| {
        let own = place % axis.len().max(1);
        place /= axis.len().max(1);
        own
    };
    let places: Vec<usize> = axes.iter().map(part).collect();
    axes.iter()
        .zip(places)
        .filter_map(|(axis, own)| axis.get(own))
        .collect()
}

/// Returns the combination with this number. Only combinations in which at most one axis differs from its first value
/// have a number.
fn single(axes: &[Vec<ProbePart>], number: usize) -> Option<Vec<&ProbePart>> {
    let mut left = number;
    for (own, axis) in axes.iter().enumerate() {
        if left < axis.len() {
            let place = |at: usize| if at == own { left } else { 0 };
            let parts = axes.iter().enumerate().filter_map(|(at, axis)| axis.get(place(at)));
            return Some(parts.collect());
        }
        left -= axis.len();
    }
    None
}

fn probe(
    (base, candidate): (&Rulebook, &Rulebook),
    service: &Service,
    parts: &[&ProbePart],
    now: DateTime<Utc>,
) -> Probe {
    let mut facts = Facts::new();
    facts.insert(SERVICE_TEXT.to_owned(), Fact::Text(service.code.clone()));
    let (mut said, mut at) = (String::new(), now);
    let mut told = Vec::new();
    for part in parts {
        match part {
            ProbePart::Facts(all) => {
                for (name, fact) in all {
                    told.push(format!("{name} {}", shown(fact)));
                    facts.insert((*name).to_owned(), fact.clone());
                }
            }
            ProbePart::Fact(name, Some(fact)) => {
                told.push(format!("{name} {}", shown(fact)));
                facts.insert(name.clone(), fact.clone());
            }
            ProbePart::Said(word) => {
                told.push(format!("\"{word}\" said"));
                said.clone_from(word);
            }
            ProbePart::At(instant) => {
                if *instant != now {
                    told.push(format!("at {}", instant.format("%Y-%m-%dT%H:%MZ")));
                }
                at = *instant;
            }
            ProbePart::Fact(_, None) | ProbePart::Nothing => {}
        }
    }
    let with = if told.is_empty() {
        String::new()
    } else {
        format!(" with {}", told.join(", "))
    };
    Probe {
        about: format!("for a call about `{}`{with}", service.code),
        base: with_defaults(base, &facts, &said),
        candidate: with_defaults(candidate, &facts, &said),
        at,
    }
}

/// Returns these facts and words, and the rulebook's default values for all other facts.
fn with_defaults(rulebook: &Rulebook, facts: &Facts, said: &str) -> ExtractedFacts {
    let mut extracted = rulebook
        .extract_named(&BTreeMap::new(), said.to_owned())
        .unwrap_or_default();
    extracted.facts.extend(facts.clone());
    extracted
}

/// Formats a value for a sentence.
fn shown(fact: &Fact) -> String {
    match fact {
        Fact::Boolean(value) => value.to_string(),
        Fact::Number(number) => number.normalize().to_string(),
        Fact::Text(text) => format!("\"{text}\""),
        Fact::Time(time) => time.format("%Y-%m-%dT%H:%MZ").to_string(),
    }
}

/// Returns the conditions and scripts whose facts and values form the grid. The condition of a changed adjustment is
/// combined with the conditions of other adjustments that may apply too.
fn texts(before: &RowSet, after: &RowSet) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let conditions = |set: &RowSet| -> Vec<String> {
        let all = set.adjustments.values().map(|stored| stored.row.condition.clone());
        all.filter(|condition| !condition.is_empty()).collect()
    };
    let mut others = conditions(after);
    others.extend(conditions(before));
    others.sort_unstable();
    others.dedup();
    others.truncate(MAX_COMBINED);
    others.push(String::new());
    for (_, old, new) in changed::<Script>(before, after) {
        let sources = [old, new]
            .into_iter()
            .flatten()
            .map(|stored| stored.row.source.as_str());
        texts.push(sources.collect::<Vec<_>>().join("\n"));
    }
    for (_, old, new) in changed::<Adjustment>(before, after) {
        let own = [old, new]
            .into_iter()
            .flatten()
            .map(|stored| stored.row.condition.as_str());
        let own = own.collect::<Vec<_>>().join(" && ");
        texts.extend(others.iter().map(|other| format!("{own} && {other}")));
    }
    if texts.is_empty() {
        texts = others;
    }
    // Keep the order: the grid has a maximum size, and the first texts are used first.
    texts.dedup();
    texts
}
