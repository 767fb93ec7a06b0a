//! Finds the lint errors that a change introduces. A change that introduces an error is refused. Only the parts of the
//! rulebook that the change affects are checked again.

use super::world::World;
use super::{Finding, Findings, Severity, adjustments, introduced, pointers, ranked, scripts};
use rules::compile::Rulebook;
use rules::rows::{Adjustment, AssistantRule, PriorityRule, Script, changed, same};

/// Returns the errors of `after` that are not in `before`.
#[must_use]
pub fn brought_in(before: Option<&Rulebook>, after: &Rulebook) -> Vec<Finding> {
    let found = errors(after, before);
    match before {
        // If `after` has no errors, the errors of `before` are not needed.
        Some(before) if !found.is_empty() => introduced(&errors(before, None), found),
        _ => found,
    }
}

/// The errors of a rulebook. If `other` is given, the result may omit errors that `other` also has.
fn errors(rulebook: &Rulebook, other: Option<&Rulebook>) -> Vec<Finding> {
    let world = World::new(rulebook, true);
    let same_world = other.filter(|other| World::new(other, true).is_like(&world));
    let same_world = same_world.map(Rulebook::rows);
    let mut found = Findings::default();
    if !same_world.is_some_and(|other| changed::<PriorityRule>(other, rulebook.rows()).is_empty()) {
        ranked::priorities(&world, &mut found);
    }
    if !same_world.is_some_and(|other| changed::<AssistantRule>(other, rulebook.rows()).is_empty()) {
        ranked::assistants(&world, &mut found);
    }
    for (row, test) in rulebook.adjustments.with_tests() {
        let stored = rulebook.rows().adjustments.get(&row.code);
        let known = same_world.and_then(|other| other.adjustments.get(&row.code));
        if !stored.zip(known).is_some_and(|(new, old)| same::<Adjustment>(old, new)) {
            adjustments::can_hold(&world, row, test, &mut found);
        }
    }
    for stored in rulebook.rows().scripts.values() {
        let known = other.and_then(|other| other.rows().scripts.get(&stored.row.code));
        if !known.is_some_and(|known| same::<Script>(known, stored)) {
            scripts::lint(&stored.row, &mut found);
        }
    }
    match other {
        Some(other) => pointers::changed_ones(rulebook, other.rows(), &mut found),
        None => pointers::lint(rulebook, &mut found),
    }
    let mut found = found.in_order();
    found.retain(|found| found.severity == Severity::Error);
    found
}
