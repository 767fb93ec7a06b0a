//! Finds expired overrides, and hours in which nobody is on shift. While nobody is on shift, all contacts with
//! `on_call` are notified, which is rarely intended.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};

use super::Findings;
use rules::compile::Rulebook;
use rules::rows::Contact;
use rules::{derive, wall_clock};

/// Number of quarter hours in a week. The search checks one instant in each quarter hour, because shifts usually begin
/// on a quarter hour.
const QUARTERS_OF_A_WEEK: i32 = 7 * 24 * 4;
/// How long an override may stay in the rulebook after it has ended.
const OVERRIDE_GRACE: TimeDelta = TimeDelta::days(31);

pub(super) fn lint(rulebook: &Rulebook, now: DateTime<Utc>, found: &mut Findings) {
    overrides(rulebook, now, found);
    let on_call = rulebook.on_call();
    // A contact without a schedule is always on call.
    if on_call.is_empty() || on_call.iter().any(|contact| !rulebook.has_plan(contact)) {
        return;
    }
    weeks(rulebook, &on_call, found);
    hours(rulebook, now, found);
}

/// Reports overrides that ended long ago and clutter the list.
fn overrides(rulebook: &Rulebook, now: DateTime<Utc>, found: &mut Findings) {
    let long_ago = derive::local(now, rulebook.time_zone()) - OVERRIDE_GRACE;
    for row in rulebook.rows().shift_overrides.values().map(|stored| &stored.row) {
        if wall_clock::parse(&row.until).is_some_and(|until| until < long_ago) {
            let text = format!("it ended at {}: delete it; older revisions keep it", row.until);
            found.warn(row, "until", "over", text);
        }
    }
}

/// Reports a rotation week that no contact has.
fn weeks(rulebook: &Rulebook, on_call: &[&Contact], found: &mut Findings) {
    let mut rotations: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (week, of) in on_call
        .iter()
        .filter_map(|contact| contact.rotation_week.zip(contact.rotation_of))
    {
        rotations.entry(of).or_default().push(week);
    }
    if on_call.iter().any(|contact| contact.rotation_week.is_none()) {
        // A contact without a rotation week is on call for some hours of every week. The function `hours` finds the
        // gaps.
        return;
    }
    if rotations.len() != 1 {
        return;
    }
    for (of, weeks) in rotations {
        let missing: Vec<String> = (1..=of)
            .filter(|week| !weeks.contains(week))
            .map(|week| week.to_string())
            .collect();
        if !missing.is_empty() {
            let text = format!(
                "nobody has week {} of the rotation of {of} weeks: everybody on the on-call list is notified in that week",
                missing.join(", ")
            );
            found.warn(rulebook.settings(), "rotation_from", "rotation_gap", text);
        }
    }
}

/// Reports when in the coming week nobody is on call for the first time, and for how many hours in total.
fn hours(rulebook: &Rulebook, now: DateTime<Utc>, found: &mut Findings) {
    let this_hour = now - TimeDelta::minutes(i64::from(now.minute())) - TimeDelta::seconds(i64::from(now.second()));
    let at = |quarter: i32| this_hour + TimeDelta::minutes(15) * quarter;
    let is_nobodys = |quarter: &i32| !rulebook.is_anybody_on_shift(at(*quarter));
    let Some(first) = (0..QUARTERS_OF_A_WEEK).find(is_nobodys) else {
        return;
    };
    let gaps = (first..QUARTERS_OF_A_WEEK).filter(is_nobodys).count();
    let until = (first..QUARTERS_OF_A_WEEK)
        .find(|quarter| !is_nobodys(quarter))
        .unwrap_or(QUARTERS_OF_A_WEEK);
    let clock = |quarter: i32| {
        let local = derive::local(at(quarter), rulebook.time_zone());
        local.format("%A %Y-%m-%d %H:%M").to_string()
    };
    let hours = gaps.div_ceil(4);
    let text = format!(
        "nobody is on call from {} until {}, and in {hours} hours of the coming week in total: everybody on the on-call list is notified then",
        clock(first),
        clock(until)
    );
    found.warn(rulebook.settings(), "", "nobody_on_call", text);
}
