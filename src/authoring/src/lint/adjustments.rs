//! Finds adjustments that never apply, or that never apply again.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::ranked::{Reach, listed, never, reach};
use super::solve::{Solution, search};
use super::world::World;
use super::{Findings, Severity};
use rules::condition::Test;
use rules::rows::{Adjustment, Resource, Row as _};
use rules::vocabulary::Env;

/// Returns whether the condition of an adjustment can be true for at least one call. Reports a condition that can never
/// be true.
pub(super) fn can_hold(world: &World<'_>, row: &Adjustment, test: &Test, found: &mut Findings) -> bool {
    let never_holds = matches!(search(world, &[(test, true)]), Solution::Impossible);
    if never_holds {
        never(world, row, test, found);
    }
    !never_holds
}

pub(super) fn lint(world: &World<'_>, now: DateTime<Utc>, found: &mut Findings) {
    let rulebook = world.rulebook();
    let priced = World::with_a_price(rulebook);
    for (row, test) in rulebook.adjustments.with_tests() {
        if let Some(until) = row.valid_until.filter(|until| *until <= now) {
            let day = until.with_timezone(&rulebook.time_zone()).format("%Y-%m-%d %H:%M");
            let text = format!("this adjustment ended on {day}: delete the adjustment, or give it a new end");
            found.warn(row, "valid_until", "expired", text);
        }
        if !row.per.is_job() {
            units(world, row, found);
        }
        if can_hold(world, row, test, found)
            && let Some(priced) = &priced
            && matches!(search(priced, &[(test, true)]), Solution::Impossible)
        {
            let column = if row.services.is_empty() {
                "condition"
            } else {
                "services"
            };
            let text = "this adjustment never applies: none of its services has a price";
            let related = row.services.iter().map(|code| (Resource::Services, code.clone()));
            found.add(Severity::Warning, row, column, "never_applies", text, related.collect());
        }
    }
    stacking_groups(world, found);
}

/// Reports an adjustment with an amount per unit if none of its services has a price per unit.
fn units(world: &World<'_>, row: &Adjustment, found: &mut Findings) {
    let services = world.rulebook().rows().services.values().map(|stored| &stored.row);
    let mut own = services.filter(|service| row.services.is_empty() || row.services.contains(&service.code));
    if !own.any(|service| service.quantity_fact.is_some()) {
        let text = "the amount is per unit, but none of the adjustment's services has a `quantity_fact`";
        found.warn(row, "per", "never_applies", text);
    }
}

/// In a stacking group, only the first adjustment whose condition is true applies. Reports an adjustment that never
/// applies, because earlier adjustments of the group always match first.
fn stacking_groups(world: &World<'_>, found: &mut Findings) {
    let mut groups: BTreeMap<&str, Vec<(&Adjustment, &Test)>> = BTreeMap::new();
    for (row, test) in world.rulebook().adjustments.with_tests() {
        if let Some(group) = &row.stacking_group {
            groups.entry(group).or_default().push((row, test));
        }
    }
    for (group, members) in groups.into_iter().filter(|(_, members)| members.len() > 1) {
        let tests: Vec<&Test> = members.iter().map(|(_, test)| *test).collect();
        for (place, (row, _)) in members.iter().enumerate() {
            let first = |call: &Env<'_>| {
                let mut before = members.iter().take(place).enumerate();
                // An adjustment with a limited period does not count, because other adjustments apply outside its
                // period.
                let taken = before
                    .find(|(_, (row, test))| row.valid_from.is_none() && row.valid_until.is_none() && test.holds(call));
                taken.map(|(other, _)| other)
            };
            if let Reach::Taken(by) = reach(world, &tests, place, first) {
                let by: Vec<&str> = by
                    .iter()
                    .filter_map(|other| Some(members.get(*other)?.0.code()))
                    .collect();
                let names = listed(by.iter().copied());
                let text = format!(
                    "this adjustment never applies: in the group `{group}`, {names} comes first whenever this adjustment matches"
                );
                let related = by
                    .iter()
                    .map(|code| (Resource::Adjustments, (*code).to_owned()))
                    .collect();
                found.add(Severity::Warning, *row, "stacking_group", "unreachable", text, related);
            }
        }
    }
}
