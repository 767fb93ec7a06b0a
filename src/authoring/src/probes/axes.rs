//! Lists the values that vary between the calls of the grid. There is a list for each fact, a list for the spoken
//! words, and a list for the instant. Each list is an axis of the grid.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::named_values::{NamedValues, Token};
use rules::compile::Rulebook;
use rules::derive::{CITY, LANGUAGE, POSTAL_CODE};
use rules::facts::Fact;
use rules::rows::{Adjustment, Area, Calendar, FactKind, RowSet, changed};

/// Maximum number of values of one fact.
const MAX_VALUES: usize = 24;

/// One part of a call: facts, spoken words or the instant.
#[derive(Debug, Clone)]
pub(super) enum ProbePart {
    Facts(Vec<(&'static str, Fact)>),
    Fact(String, Option<Fact>),
    Said(String),
    At(DateTime<Utc>),
    Nothing,
}

/// Returns the facts that a rulebook reads, and the facts that need no mapping.
pub(super) fn facts_of(rows: &RowSet) -> impl Iterator<Item = (&str, FactKind)> {
    let mapped = rows
        .fact_mappings
        .values()
        .map(|stored| (stored.row.code.as_str(), stored.row.kind));
    mapped.chain(rules::vocabulary::GIVEN.iter().map(|(name, kind)| (*name, *kind)))
}

/// Returns the values to try for each named fact, for the spoken words and for the instant. `literals` returns the
/// literals for a fact.
pub(super) fn axes<'n>(
    (base, rulebook): (&Rulebook, &Rulebook),
    named: &NamedValues,
    literals: &dyn Fn(&str) -> &'n NamedValues,
    now: DateTime<Utc>,
) -> Vec<Vec<ProbePart>> {
    let rows = rulebook.rows();
    let mut axes = Vec::new();
    let mut add = |mut values: Vec<ProbePart>| {
        values.truncate(MAX_VALUES + 1);
        axes.push(values);
    };
    for (name, kind) in facts_of(rows).filter(|(name, _)| named.has(name)) {
        let literals = literals(name);
        let values: Vec<Fact> = match kind.base() {
            FactKind::Boolean => vec![Fact::Boolean(true), Fact::Boolean(false)],
            FactKind::Number => {
                let near = literals.tokens.iter().filter_map(|token| match token {
                    Token::Number(number) => Some(*number),
                    _ => None,
                });
                let near = near.flat_map(|number| {
                    let one = Decimal::ONE;
                    [Some(number), number.checked_add(one), number.checked_sub(one)]
                });
                let near: BTreeSet<Decimal> = near.flatten().chain([Decimal::ONE, Decimal::ONE_THOUSAND]).collect();
                near.into_iter().map(Fact::Number).collect()
            }
            FactKind::Time => vec![Fact::Time(now), Fact::Time(now + TimeDelta::days(7))],
            _ => {
                let listed = rows.fact_mappings.get(name).into_iter();
                let listed = listed.flat_map(|stored| stored.row.values.keys());
                let mut texts: Vec<&String> = literals.texts().chain(listed).collect();
                let mut seen = BTreeSet::new();
                texts.retain(|text| seen.insert(*text));
                texts.into_iter().map(|text| Fact::Text(text.clone())).collect()
            }
        };
        let values = values
            .into_iter()
            .map(|value| ProbePart::Fact(name.to_owned(), Some(value)));
        add(std::iter::once(ProbePart::Fact(name.to_owned(), None))
            .chain(values)
            .collect());
    }
    if named.has("area") {
        let place = |area: &Area| match (area.postal_prefixes.first(), area.cities.first()) {
            (Some(prefix), _) => Some(ProbePart::Facts(vec![(POSTAL_CODE, Fact::Text(prefix.clone()))])),
            (None, Some(city)) => Some(ProbePart::Facts(vec![(CITY, Fact::Text(city.clone()))])),
            (None, None) => None,
        };
        let mut areas: Vec<&Area> = rows.areas.values().map(|stored| &stored.row).collect();
        // Sort the areas: first the areas whose code the text contains.
        areas.sort_by_key(|area| !named.texts().any(|text| *text == area.code));
        add(std::iter::once(ProbePart::Nothing)
            .chain(areas.into_iter().filter_map(place))
            .collect());
    }
    if named.has("language") {
        let languages = rulebook.settings().languages.iter();
        let spoken = languages.map(|code| ProbePart::Facts(vec![(LANGUAGE, Fact::Text(code.clone()))]));
        add(std::iter::once(ProbePart::Nothing).chain(spoken).collect());
    }
    if named.has("says") {
        let said = named.beside("says");
        let words = said
            .texts()
            .map(|word| ProbePart::Said(word.trim_end_matches('*').to_owned()));
        add(std::iter::once(ProbePart::Nothing).chain(words).collect());
    }
    let mut instants = instants(rows, base.rows(), named, now);
    instants.sort_unstable();
    instants.dedup();
    axes.push(std::iter::once(now).chain(instants).map(ProbePart::At).collect());
    axes
}

/// Returns instants at which rules may differ: the ends of validity periods, and times of day if a rule reads the time.
fn instants(rows: &RowSet, before: &RowSet, named: &NamedValues, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let mut instants = Vec::new();
    for (_, old, new) in changed::<Adjustment>(before, rows) {
        for adjustment in [old, new].into_iter().flatten().map(|stored| &stored.row) {
            instants.extend(adjustment.valid_from);
            instants.extend(adjustment.valid_until.map(|until| until - TimeDelta::seconds(1)));
        }
    }
    let clock = [
        "hour",
        "weekday",
        "evening",
        "weekend",
        "holiday",
        "after_hours",
        "open",
    ];
    let by_clock = clock.iter().any(|name| named.has(name));
    let calendars = !changed::<Calendar>(before, rows).is_empty();
    if !by_clock && !calendars {
        return instants;
    }
    let midnight = now.date_naive().and_time(NaiveTime::MIN).and_utc();
    for day in 0..7 {
        instants.extend([4, 15, 20].map(|hour| midnight + TimeDelta::days(day) + TimeDelta::hours(hour)));
    }
    if named.has("hour") {
        instants.extend((0..24).map(|hour| midnight + TimeDelta::hours(hour)));
    }
    let holidays = rows.calendars.values().flat_map(|stored| &stored.row.holidays);
    let noon = NaiveTime::from_hms_opt(17, 0, 0).unwrap_or_default();
    instants.extend(
        holidays
            .take(MAX_VALUES)
            .map(|holiday| holiday.date.and_time(noon).and_utc()),
    );
    instants
}
