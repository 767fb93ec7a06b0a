//! Judges with example calls how a change affects prices, where the numbers in the rows do not show the effect. The
//! module is pure.
//!
//! A script, a condition, a rank or a stacking group can change prices although no amount changes. So base and
//! candidate both decide the rulebook's cases, stored calls, and a grid of calls created from the facts and values that
//! the changed rows name. Every price change beyond the guard rails is a [`Breach`]. Limitation: a script may hide a
//! price behind facts that no example has. The grid uses every value in the script's source, but not every combination
//! of many values.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::decide_twice;
use super::guard::{Breach, Limit};
use rules::compile::Rulebook;
use rules::decision::Decision;
use rules::derive::{CITY, LANGUAGE, POSTAL_CODE, SERVICE_TEXT};
use rules::facts::{ExtractedFacts, Fact, Facts};
use rules::guard_rails::GuardRails;
use rules::money::Money;
use rules::rows::{
    Adjustment, Area, Calendar, FactKind, FactMapping, Hook, Offer, Resource, Row, RowSet, Script, Service, Settings,
    changed,
};

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
    /// A call with known facts.
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

/// Maximum number of calls in the grid.
const MAX_GRID: usize = 2_000;
/// If there are too many combinations, only every 7919th combination is used. The number is a prime, so that the
/// selection contains different values of every axis.
const STRIDE: usize = 7_919;
/// Maximum length of a literal that counts as a value, in bytes, and maximum number of literals next to one fact.
const MAX_LITERAL: usize = 100;
const MAX_BESIDE: usize = 8;
/// Maximum numbers of values of one fact, of services, and of rows that are combined with each changed row.
const MAX_VALUES: usize = 24;
const MAX_SERVICES: usize = 40;
const MAX_COMBINED: usize = 30;
/// A change that cannot be judged in this time needs a second person's approval.
const MAX_TIME: Duration = Duration::from_secs(10);

/// A changed row that affects prices.
#[derive(Debug, Clone)]
struct ChangedRow {
    resource: Resource,
    code: String,
    column: &'static str,
}

/// Columns that describe a change, the most important first.
const COLUMNS: [&str; 24] = [
    "source",
    "condition",
    "rank",
    "stacking_group",
    "services",
    "amount",
    "rate",
    "kind",
    "valid_from",
    "valid_until",
    "hook",
    "price_from",
    "price_to",
    "quantity_fact",
    "keywords",
    "names",
    "offer",
    "postal_prefixes",
    "cities",
    "rounding",
    "rounding_step",
    "calendar",
    "time_zone",
    "pointers",
];

/// Every price change beyond a guard rail between two states of a rulebook; `stored` are stored calls.
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

/// The limits that the price of one call exceeds, each with the size of the excess.
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

/// A changed row that took part in one of the decisions, else the first changed row.
fn taking_part<'a>(rows: &'a [ChangedRow], before: &Decision, after: &Decision) -> &'a ChangedRow {
    let steps = || after.trace.iter().chain(&before.trace);
    let took_part =
        |row: &&ChangedRow| steps().any(|step| step.resource == row.resource.path() && step.code == row.code);
    rows.iter().find(took_part).unwrap_or(&rows[0])
}

/// The breach for a change that could not be judged, so that a second person must check it.
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

/// The changed rows that affect prices, in the order in which people would check them.
fn changed_rows(before: &RowSet, after: &RowSet) -> Vec<ChangedRow> {
    let mut rows = Vec::new();
    rows_of::<Script>(before, after, &mut rows);
    rows.retain(|row| {
        let mut scripts = [before, after].into_iter().filter_map(|set| set.scripts.get(&row.code));
        scripts.any(|stored| matches!(stored.row.hook, Hook::Price | Hook::Library))
    });
    rows_of::<Adjustment>(before, after, &mut rows);
    rows_of::<Service>(before, after, &mut rows);
    rows_of::<Settings>(before, after, &mut rows);
    rows_of::<Area>(before, after, &mut rows);
    rows_of::<Calendar>(before, after, &mut rows);
    rows_of::<FactMapping>(before, after, &mut rows);
    rows
}

fn rows_of<R: Row>(before: &RowSet, after: &RowSet, rows: &mut Vec<ChangedRow>) {
    for (code, old, new) in changed::<R>(before, after) {
        let json = |stored: Option<&std::sync::Arc<rules::rows::StoredRow<R>>>| {
            stored
                .and_then(|stored| serde_json::to_value(&stored.row).ok())
                .unwrap_or_default()
        };
        let (old, new) = (json(old), json(new));
        let column = COLUMNS.into_iter().find(|column| old[*column] != new[*column]);
        rows.push(ChangedRow {
            resource: R::RESOURCE,
            code: code.clone(),
            column: column.unwrap_or("code"),
        });
    }
}

/// The cases of one rulebook, as calls.
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

/// A token of a condition or script that may be a name or a value.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(Decimal),
}

/// The names and values that a condition or a script contains.
#[derive(Debug, Default)]
struct NamedValues {
    tokens: Vec<Token>,
}

impl NamedValues {
    fn of(text: &str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let length = if c == '"' || c == '`' || c == '\'' {
                let inside = rest[1..].split(c).next().unwrap_or_default();
                if !inside.is_empty() && inside.len() <= MAX_LITERAL {
                    tokens.push(Token::Text(inside.to_owned()));
                }
                (inside.len() + 2).min(rest.len())
            } else if c.is_ascii_digit() {
                let end = rest
                    .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'))
                    .unwrap_or(rest.len());
                let number = rest[..end].trim_end_matches('.').replace('_', "").parse::<Decimal>();
                tokens.extend(number.map(Token::Number));
                end
            } else if c.is_alphabetic() || c == '_' {
                let end = rest
                    .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                    .unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                end
            } else {
                c.len_utf8()
            };
            rest = &rest[length..];
        }
        Self { tokens }
    }

    /// Whether a fact is named, as an identifier in a condition or as a string in a script.
    fn has(&self, name: &str) -> bool {
        self.tokens.iter().any(|token| is_name(token, name))
    }

    fn texts(&self) -> impl Iterator<Item = &String> {
        texts_in(&self.tokens)
    }

    /// The literals next to a fact: the literals after it up to the next word, and the literal before it.
    fn beside(&self, name: &str) -> Self {
        let mut tokens = Vec::new();
        for (place, _) in self.tokens.iter().enumerate().filter(|(_, token)| is_name(token, name)) {
            let is_word = |token: &&Token| matches!(token, Token::Word(_));
            let after = self.tokens.iter().skip(place + 1);
            let literals = after.skip_while(|token| matches!(token, Token::Word(word) if word == "in"));
            tokens.extend(literals.take_while(|token| !is_word(token)).take(MAX_BESIDE).cloned());
            let before = self.tokens[..place].iter().rev().find(|token| !is_word(token));
            tokens.extend(before.cloned());
        }
        Self { tokens }
    }
}

fn is_name(token: &Token, name: &str) -> bool {
    matches!(token, Token::Word(text) | Token::Text(text) if text == name)
}

fn texts_in(tokens: &[Token]) -> impl Iterator<Item = &String> {
    tokens.iter().filter_map(|token| match token {
        Token::Text(text) => Some(text),
        _ => None,
    })
}

/// One part of a call: facts, spoken words or the instant.
#[derive(Debug, Clone)]
enum ProbePart {
    Facts(Vec<(&'static str, Fact)>),
    Fact(String, Option<Fact>),
    Said(String),
    At(DateTime<Utc>),
    Nothing,
}

/// Calls about each service, with the facts, words and instants that the changed rows name.
fn grid(base: &Rulebook, candidate: &Rulebook, now: DateTime<Utc>) -> Vec<Probe> {
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
        // Then combine values: all values if there are few combinations, else only the values next to each fact.
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

/// The combination with this number, among the combinations in which only one axis differs from its first value.
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

/// These facts and words, and the rulebook's default values for all other facts.
fn with_defaults(rulebook: &Rulebook, facts: &Facts, said: &str) -> ExtractedFacts {
    let mut extracted = rulebook
        .extract_named(&BTreeMap::new(), said.to_owned())
        .unwrap_or_default();
    extracted.facts.extend(facts.clone());
    extracted
}

/// A value as shown in a sentence.
fn shown(fact: &Fact) -> String {
    match fact {
        Fact::Boolean(value) => value.to_string(),
        Fact::Number(number) => number.normalize().to_string(),
        Fact::Text(text) => format!("\"{text}\""),
        Fact::Time(time) => time.format("%Y-%m-%dT%H:%MZ").to_string(),
    }
}

/// The conditions and scripts whose facts and values form the grid: each changed row together with each adjustment that
/// may apply with it.
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

/// The facts that a rulebook reads, and the facts that need no mapping.
fn facts_of(rows: &RowSet) -> impl Iterator<Item = (&str, FactKind)> {
    let mapped = rows
        .fact_mappings
        .values()
        .map(|stored| (stored.row.code.as_str(), stored.row.kind));
    mapped.chain(rules::vocabulary::GIVEN.iter().map(|(name, kind)| (*name, *kind)))
}

/// The values to try: for each named fact, for the spoken words and for the instant. `literals` returns the literals for a
/// fact.
fn axes<'n>(
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
        // Named areas come first.
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

/// Instants at which rules may differ: the ends of validity periods, and times of day if a rule reads the time.
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
