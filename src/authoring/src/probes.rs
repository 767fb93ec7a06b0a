//! Judges with example calls how a change affects prices. Example calls are necessary if the numbers in the rows do not
//! show the effect. The module is pure.
//!
//! A script, a condition, a rank or a stacking group can change prices although no amount changes. So the base and the
//! candidate decide the same calls: the rulebook's cases, stored calls, and a grid. The grid has calls with the facts
//! and values that the changed rows name. For each guard rail, the largest price change beyond it is a [`Breach`].
//! Limitation: a script may hide a price behind facts that no example has. The grid uses the values in a script's
//! source. If there are many values, the grid does not use every combination.

mod axes;
mod changed_rows;
mod grid;
mod named_values;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use self::changed_rows::{ChangedRow, changed_rows};
use self::grid::grid;
use super::decide_twice;
use super::guard::{Breach, Limit};
use rules::compile::Rulebook;
use rules::decision::Decision;
use rules::facts::ExtractedFacts;
use rules::guard_rails::GuardRails;
use rules::money::Money;
use rules::rows::RowSet;

/// A call that both rulebooks decide.
#[derive(Debug, Clone)]
pub struct Probe {
    /// A phrase that identifies the call in a sentence: "in the case `flood`".
    pub about: String,
    /// The facts as the base reads them.
    pub base: ExtractedFacts,
    /// The facts as the candidate reads them.
    pub candidate: ExtractedFacts,
    /// The instant of the call.
    pub at: DateTime<Utc>,
}

impl Probe {
    /// Builds a probe from a stored call: both rulebooks use the same facts.
    #[must_use]
    pub fn stored(about: String, extracted: ExtractedFacts, at: DateTime<Utc>) -> Self {
        Self {
            about,
            base: extracted.clone(),
            candidate: extracted,
            at,
        }
    }
}

/// A change that cannot be judged in this time needs a second person's approval.
const MAX_TIME: Duration = Duration::from_secs(10);

/// Compares the prices of two states of a rulebook, and returns the largest breach of each guard rail. `stored`
/// contains stored calls.
#[must_use]
pub fn breaches(
    guards: &GuardRails,
    base: &Rulebook,
    candidate: &Rulebook,
    stored: Vec<Probe>,
    now: DateTime<Utc>,
) -> Vec<Breach> {
    let rows = changed_rows(base.rows(), candidate.rows());
    if *guards == GuardRails::default() || rows.is_empty() {
        return Vec::new();
    }
    let until = Instant::now() + MAX_TIME;
    let mut worst: Vec<(Decimal, Breach)> = Vec::new();
    let cases = cases(base, candidate, base.rows()).chain(cases(base, candidate, candidate.rows()));
    let probes = cases.chain(stored).chain(grid(base, candidate, now));
    for probe in probes {
        if Instant::now() > until {
            return vec![not_judged(guards, &rows)];
        }
        let [before, after] = decide_twice::decide([base, candidate], [&probe.base, &probe.candidate], probe.at);
        for (size, breach) in judged(guards, &rows, &probe, &before, &after) {
            match worst.iter_mut().find(|(_, known)| known.limit == breach.limit) {
                Some(known) if size > known.0 => *known = (size, breach),
                Some(_) => {}
                None => worst.push((size, breach)),
            }
        }
    }
    worst.into_iter().map(|(_, breach)| breach).collect()
}

/// Returns the limits that the price of one call exceeds, each with the size of the excess.
fn judged(
    guards: &GuardRails,
    rows: &[ChangedRow],
    probe: &Probe,
    before: &Decision,
    after: &Decision,
) -> Vec<(Decimal, Breach)> {
    let ends = |decision: &Decision| decision.price.as_ref().map(|price| [price.from, price.to]);
    let Some(after_ends) = ends(after) else {
        return Vec::new();
    };
    let before_ends = ends(before);
    let mut found = Vec::new();
    for (end, price) in after_ends.into_iter().enumerate() {
        let was = before_ends.map(|ends| ends[end]);
        let mut add = |size: Decimal, limit: Limit, text: String| {
            let row = taking_part(rows, before, after);
            found.push((
                size,
                Breach {
                    resource: row.resource,
                    code: row.code.clone(),
                    column: row.column,
                    before: was.map(|was| was.to_string()),
                    after: Some(price.to_string()),
                    limit,
                    text: format!("`{}/{}`: {}, {text}.", row.resource.path(), row.code, probe.about),
                },
            ));
        };
        if let Some(lowest) = guards.lowest_price
            && price < lowest
            && was.is_none_or(|was| was >= lowest)
        {
            let size = lowest.decimal() - price.decimal();
            add(
                size,
                Limit::LowestPrice,
                format!("the price becomes {price}, below the lowest price {lowest}"),
            );
        }
        if let Some(highest) = guards.highest_price
            && price > highest
            && was.is_none_or(|was| was <= highest)
        {
            let size = price.decimal() - highest.decimal();
            add(
                size,
                Limit::HighestPrice,
                format!("the price becomes {price}, above the highest price {highest}"),
            );
        }
        if let (Some(largest), Some(was)) = (guards.largest_change_percent, was)
            && was != price
        {
            let percent = percent(was, price);
            let size = percent.unwrap_or(Decimal::MAX);
            if size > largest.decimal() {
                let by = match percent {
                    Some(percent) => format!("a change of {} %", percent.round_dp(1).normalize()),
                    None => "which no percentage can express".to_owned(),
                };
                let text = format!(
                    "the price goes from {was} to {price}, {by}; the largest change in one publish is {largest} %"
                );
                add(size, Limit::LargestChange, text);
            }
        }
    }
    found
}

fn percent(before: Money, after: Money) -> Option<Decimal> {
    let change = after.decimal().checked_sub(before.decimal())?;
    let part = change.checked_div(before.decimal())?;
    Some(part.checked_mul(Decimal::ONE_HUNDRED)?.abs())
}

/// Returns the first changed row that took part in one of the decisions, else the first changed row.
fn taking_part<'a>(rows: &'a [ChangedRow], before: &Decision, after: &Decision) -> &'a ChangedRow {
    let steps = || after.trace.iter().chain(&before.trace);
    let took_part =
        |row: &&ChangedRow| steps().any(|step| step.resource == row.resource.path() && step.code == row.code);
    rows.iter().find(took_part).unwrap_or(&rows[0])
}

/// Returns a breach for a change that could not be judged. This breach makes a second person check the change.
fn not_judged(guards: &GuardRails, rows: &[ChangedRow]) -> Breach {
    let limit = match (guards.largest_change_percent, guards.lowest_price) {
        (Some(_), _) => Limit::LargestChange,
        (None, Some(_)) => Limit::LowestPrice,
        (None, None) => Limit::HighestPrice,
    };
    let row = &rows[0];
    Breach {
        resource: row.resource,
        code: row.code.clone(),
        column: row.column,
        before: None,
        after: None,
        limit,
        text: format!(
            "`{}/{}`: Ringbook could not judge the effect of the change on prices within {} seconds.",
            row.resource.path(),
            row.code,
            MAX_TIME.as_secs()
        ),
    }
}

/// Returns the cases in `rows` as calls.
fn cases<'a>(base: &'a Rulebook, candidate: &'a Rulebook, rows: &'a RowSet) -> impl Iterator<Item = Probe> + 'a {
    rows.cases.values().map(move |stored| {
        let case = &stored.row;
        let read = |rulebook: &Rulebook| {
            rulebook
                .extract_named(&case.facts, case.said.clone())
                .unwrap_or_default()
        };
        Probe {
            about: format!("in the case `{}`", case.code),
            base: read(base),
            candidate: read(candidate),
            at: case.at,
        }
    })
}
