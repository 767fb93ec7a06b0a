//! Finds rules that can never be the first match, in lists where the first match wins.
//!
//! For each rule, the module searches for a call in which the rule is the first match. If an earlier rule matches the
//! call, the next search excludes calls that this earlier rule matches. The search ends when the rule is the first
//! match, or when no call is left.

use super::Findings;
use super::Severity;
use super::solve::{Solution, search};
use super::world::World;
use rules::compile::Rules;
use rules::condition::Test;
use rules::rows::{AssistantRule, PriorityRule, Resource, Row};
use rules::vocabulary::Env;

/// Maximum number of earlier rules that the search excludes before it counts a rule as reachable.
const MOST_TOGETHER: usize = 24;

/// The check of this many rules against a call counts as one search step.
const RULES_A_STEP: usize = 64;

pub(super) fn priorities(world: &World<'_>, found: &mut Findings) {
    let same = |a: &PriorityRule, b: &PriorityRule| {
        let result = |rule: &PriorityRule| (rule.priority, rule.sla_seconds, rule.cool_down_s, rule.escalate_after_s);
        result(a) == result(b) && (&a.notify, &a.template) == (&b.notify, &b.template)
    };
    first_that_holds(world, &world.rulebook().priorities, same, found);
}

pub(super) fn assistants(world: &World<'_>, found: &mut Findings) {
    let same = |a: &AssistantRule, b: &AssistantRule| {
        (a.answer, &a.assistant_id, &a.contact, &a.message) == (b.answer, &b.assistant_id, &b.contact, &b.message)
    };
    first_that_holds(world, &world.rulebook().assistants, same, found);
}

fn first_that_holds<R: Row>(
    world: &World<'_>,
    rules: &Rules<R>,
    same_result: impl Fn(&R, &R) -> bool,
    found: &mut Findings,
) {
    let all: Vec<(&R, &Test)> = rules.with_tests().collect();
    let tests: Vec<&Test> = all.iter().map(|(_, test)| *test).collect();
    let places: std::collections::HashMap<&str, usize> = all
        .iter()
        .enumerate()
        .map(|(place, (row, _))| (row.code(), place))
        .collect();
    let first = |call: &Env<'_>| {
        let row = rules.matching(call).next()?;
        places.get(row.code()).copied()
    };
    for (place, (row, test)) in all.iter().enumerate() {
        match reach(world, &tests, place, first) {
            Reach::Reachable => {}
            Reach::Never => never(world, *row, test, found),
            Reach::Taken(by) => {
                let rows: Vec<&R> = by
                    .iter()
                    .filter_map(|place| all.get(*place))
                    .map(|(row, _)| *row)
                    .collect();
                let related = rows.iter().map(|row| (R::RESOURCE, row.code().to_owned())).collect();
                let names = listed(rows.iter().map(|row| row.code()));
                let (problem, severity, text) = match (by.as_slice(), rows.as_slice()) {
                    ([other], [first]) if is_same(world, tests[*other], test) => {
                        if same_result(first, row) {
                            let text = format!(
                                "this rule does the same as {names}, which comes first: delete one of the two rules"
                            );
                            ("duplicate", Severity::Warning, text)
                        } else {
                            let text = format!(
                                "it never applies: {names} comes first and has the same condition, but another result"
                            );
                            // If both rules always match, somebody probably put the first rule there on purpose,
                            // perhaps for a day.
                            let severity = match **test {
                                Test::Always(_) => Severity::Warning,
                                _ => Severity::Error,
                            };
                            ("same_condition", severity, text)
                        }
                    }
                    ([_], _) => (
                        "unreachable",
                        Severity::Warning,
                        format!("it is never reached: {names} comes first and matches whenever this rule does"),
                    ),
                    _ => (
                        "unreachable",
                        Severity::Warning,
                        format!(
                            "it is never reached: {names} come first, and one of them matches whenever this rule does"
                        ),
                    ),
                };
                found.add(severity, *row, "condition", problem, text, related);
            }
        }
    }
}

/// Reports a condition that no call fulfills. If the only cause is a missing calendar or address mapping, the finding
/// is a warning, else an error.
pub(super) fn never<R: Row>(world: &World<'_>, row: &R, test: &Test, found: &mut Findings) {
    let rulebook = world.rulebook();
    if matches!(search(world.at_all(), &[(test, true)]), Solution::Impossible) {
        let text = "this condition is never true: its parts contradict each other";
        found.add(Severity::Error, row, "condition", "never_true", text, Vec::new());
    } else {
        let text = match rulebook.calendar() {
            None => {
                "this condition is never true: the settings name no calendar, so `evening`, `weekend` and the like are never known"
            }
            Some(_) => {
                "this condition is never true: no fact mapping reads `postal_code` or `city`, so `area` is never known"
            }
        };
        let settings = (Resource::Settings, rulebook.settings().code.clone());
        found.add(Severity::Warning, row, "condition", "never_true", text, vec![settings]);
    }
}

/// Whether a rule can be reached.
pub(super) enum Reach {
    /// The rule may be the first match. `Reachable` is also the result if nothing was proven.
    Reachable,
    /// The condition is never true.
    Never,
    /// At least one of these earlier rules matches whenever the rule matches.
    Taken(Vec<usize>),
}

/// Decides whether the rule at `place` can be the first match. `first` returns the first match for a call.
pub(super) fn reach(
    world: &World<'_>,
    tests: &[&Test],
    place: usize,
    first: impl Fn(&Env<'_>) -> Option<usize>,
) -> Reach {
    let Some(own) = tests.get(place) else {
        return Reach::Reachable;
    };
    let mut taken: Vec<usize> = Vec::new();
    loop {
        let mut wanted = vec![(*own, true)];
        wanted.extend(taken.iter().filter_map(|other| Some((*tests.get(*other)?, false))));
        let call = match search(world, &wanted) {
            Solution::Call(call) => call,
            Solution::Impossible if taken.is_empty() => return Reach::Never,
            Solution::Impossible => {
                taken.sort_unstable();
                return Reach::Taken(taken);
            }
            Solution::GivenUp => return Reach::Reachable,
        };
        if !world.spend(place / RULES_A_STEP) {
            return Reach::Reachable;
        }
        match first(&call) {
            Some(other) if other < place && taken.len() < MOST_TOGETHER => {
                let alone = [(*own, true), (tests[other], false)];
                if !taken.is_empty() && matches!(search(world, &alone), Solution::Impossible) {
                    return Reach::Taken(vec![other]);
                }
                taken.push(other);
            }
            _ => return Reach::Reachable,
        }
    }
}

/// Whether two conditions are true for the same calls. The calling function must already know that the first condition
/// is true whenever the second condition is true.
fn is_same(world: &World<'_>, first: &Test, second: &Test) -> bool {
    matches!(search(world, &[(first, true), (second, false)]), Solution::Impossible)
}

/// Formats names as a list in a sentence, for example `a`, `b` and `c`.
pub(super) fn listed<'a>(codes: impl Iterator<Item = &'a str>) -> String {
    let codes: Vec<String> = codes.map(|code| format!("`{code}`")).collect();
    match codes.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}
