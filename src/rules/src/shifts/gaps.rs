//! Finds the spans of time in which no contact with `on_call` is on shift.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{Gap, Shift};
use crate::compile::Rulebook;
use crate::derive;
use crate::shift_overrides::{Covering, verdict};

/// Returns the gaps in a span of time. If no contact has `on_call`, a gap is a span in which no contact with a schedule
/// is on shift.
pub(super) fn gaps(book: &Rulebook, shifts: &[Shift], from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Gap> {
    let mut group: BTreeSet<&str> = book.on_call.iter().map(String::as_str).collect();
    if group.is_empty() {
        group = book.plans.codes().collect();
    }
    // Each step changes the number of contacts on shift by 1 or -1. For contacts outside the group the change is 0, but
    // a gap may begin or end at that instant.
    let mut steps: Vec<(DateTime<Utc>, i32)> = vec![(from, 0), (until, 0)];
    for shift in shifts {
        let weight = i32::from(group.contains(shift.contact.as_str()));
        steps.push((shift.starts_at, weight));
        steps.push((shift.ends_at, -weight));
    }
    steps.sort_unstable_by_key(|(at, _)| *at);
    let mut gaps: Vec<Gap> = Vec::new();
    let mut count = 0;
    for (place, (at, step)) in steps.iter().enumerate() {
        count += step;
        let Some((next, _)) = steps.get(place + 1).filter(|(next, _)| next > at) else {
            continue;
        };
        if count > 0 || has_stand_in(book, &group, *at) {
            continue;
        }
        match gaps.last_mut().filter(|gap| gap.ends_at == *at) {
            Some(gap) => gap.ends_at = *next,
            None => gaps.push(Gap {
                starts_at: *at,
                ends_at: *next,
            }),
        }
    }
    gaps
}

/// Whether a contact outside the group is on shift for the group, as an additional contact or as the stand-in for a
/// member.
fn has_stand_in(book: &Rulebook, group: &BTreeSet<&str>, at: DateTime<Utc>) -> bool {
    let covering = book.overrides.at(derive::local(at, book.zone));
    let is_on = |code: &str| verdict(&covering, code).is_some_and(|(is_on, _)| is_on);
    covering
        .iter()
        .any(|one| is_on(&one.contact) && reaches(&covering, group, one.instead_of.as_deref()))
}

/// Whether the stand-in for `replaced` counts for the group. It counts if it replaces nobody, a member of the group, or
/// another stand-in that counts.
fn reaches(covering: &Covering<'_>, group: &BTreeSet<&str>, replaced: Option<&str>) -> bool {
    let mut open = vec![replaced];
    let mut seen = BTreeSet::new();
    while let Some(replaced) = open.pop() {
        let Some(code) = replaced else { return true };
        if group.contains(code) {
            return true;
        }
        if seen.insert(code) {
            let others = covering.iter().filter(|one| one.contact == code);
            open.extend(others.map(|one| one.instead_of.as_deref()));
        }
    }
    false
}
