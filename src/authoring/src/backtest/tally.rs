//! Counts backtest results. Several threads can count in parallel. If the counts of the threads are merged in the order
//! in which the calls were read, the result is always the same.

use std::collections::BTreeMap;

use super::outcome::{BacktestResult, ChangedCall, Degraded, Listed, MoneyChange, Move, Side, Texts, ToolQuotes};
use super::sample::Drawn;
use super::{Backtest, StoredCall, texts};
use rules::compile::Rulebook;
use rules::decision::{Decision, Price};
use rules::money::Money;
use rules::rows::Priority;

/// Maximum number of changed calls that are shown with both decisions.
const MOST_CHANGED: usize = 20;
/// Maximum number of calls listed by id in each group.
const MAX_LISTED_CALLS: usize = 100;
const PRIORITIES: [Priority; 4] = [Priority::P1, Priority::P2, Priority::P3, Priority::P4];

/// How much a call changes. The first number is the price change in thousandths of the larger price, plus 250 for each
/// step of priority. An added or removed price counts as 1000. The second number, which decides ties, is the price
/// change in minor units.
type Weight = (u64, u64);
const STEP: u64 = 250;
/// Weight of a change that changes neither price nor priority: small, but not zero.
const OTHERWISE: u64 = 1;

/// A call that changes much, with the data to explain why.
#[derive(Debug, Clone)]
struct NotableCall {
    weight: Weight,
    call: StoredCall,
    before: Decision,
    after: Decision,
}

/// Counts how the decisions of two rulebooks differ.
#[derive(Debug, Clone, Default)]
pub struct BacktestTally {
    calls: u64,
    erased: u64,
    unreadable: u64,
    differ_already: u64,
    changed: u64,
    money: BTreeMap<String, MoneyChange>,
    currency_changed: Listed,
    moves: [[Listed; 4]; 4],
    texts: Texts,
    lost_service: Listed,
    gained_service: Listed,
    lost_price: Listed,
    gained_price: Listed,
    degraded: Degraded,
    tool_quotes: Option<ToolQuotes>,
    quote_money: BTreeMap<String, MoneyChange>,
    most_changed: Vec<NotableCall>,
    drawn: Drawn,
}

impl BacktestTally {
    /// An empty tally. If `with_quotes` is true, the result includes prices that tools quoted.
    #[must_use]
    pub fn new(with_quotes: bool) -> Self {
        Self {
            tool_quotes: with_quotes.then(ToolQuotes::default),
            ..Self::default()
        }
    }

    /// The number of calls read, including omitted calls.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.calls + self.erased + self.unreadable
    }

    /// Counts a call whose data was erased.
    pub const fn add_erased(&mut self) {
        self.erased += 1;
    }

    /// Counts a call whose facts cannot be extracted again. If `is_quote` is true, counts a price that a tool quoted.
    pub const fn add_unreadable(&mut self, is_quote: bool) {
        match &mut self.tool_quotes {
            Some(quotes) if is_quote => quotes.unreadable += 1,
            _ => self.unreadable += 1,
        }
    }

    pub(super) fn add(&mut self, test: &Backtest, call: StoredCall, before: Decision, after: Decision) {
        let (base, candidate) = test.both();
        self.calls += 1;
        if !is_as_stored(&call, &before) {
            self.differ_already += 1;
        }
        for (degraded, decision) in [(&mut self.degraded.before, &before), (&mut self.degraded.after, &after)] {
            *degraded += u64::from(decision.is_degraded());
        }
        for script in &after.dropped_scripts {
            *self.degraded.scripts.entry(script.clone()).or_default() += 1;
        }
        let (was, is) = (texts(base, &before), texts(candidate, &after));
        self.texts.before += was;
        self.texts.after += is;
        self.texts.calls_with_more += u64::from(is > was);
        self.texts.calls_with_fewer += u64::from(is < was);

        let name = call.call_id.as_deref();
        self.drawn.add(name, &before, &after);
        let moved = &mut self.moves[before.priority as usize][after.priority as usize];
        if before.priority == after.priority {
            moved.count += 1;
        } else {
            moved.add(name);
        }
        match (&before.service, &after.service) {
            (Some(_), None) => self.lost_service.add(name),
            (None, Some(_)) => self.gained_service.add(name),
            _ => {}
        }
        let money = match (&before.price, &after.price) {
            (Some(_), None) => {
                self.lost_price.add(name);
                whole(before.price.as_ref())
            }
            (None, Some(_)) => {
                self.gained_price.add(name);
                whole(after.price.as_ref())
            }
            (Some(was), Some(is)) if was.currency != is.currency => {
                self.currency_changed.add(name);
                whole(after.price.as_ref())
            }
            (Some(was), Some(is)) => count(&mut self.money, name, was, is),
            (None, None) => 0,
        };
        let steps = (before.priority as u64).abs_diff(after.priority as u64);
        let taxed = before.price.as_ref().zip(after.price.as_ref());
        let taxed = taxed.is_some_and(|(was, is)| differs_in_taxes_only(was, is));
        let otherwise = before.service != after.service || before.area != after.area || was != is || taxed;
        let dear = whole(before.price.as_ref()).max(whole(after.price.as_ref())).max(1);
        // Round up, so that a small change of a large price counts as at least one.
        let of_price = money.saturating_mul(1000).div_ceil(dear);
        let weight = (of_price + steps * STEP + u64::from(otherwise) * OTHERWISE, money);
        if weight > (0, 0) {
            self.changed += 1;
            self.keep(NotableCall {
                weight,
                call,
                before,
                after,
            });
        }
    }

    pub(super) fn add_quote(&mut self, call: &StoredCall, before: &Decision, after: &Decision) {
        let Some(quotes) = &mut self.tool_quotes else { return };
        quotes.looked_at += 1;
        if let (Some(was), Some(is)) = (&before.price, &after.price)
            && was.currency == is.currency
        {
            count(&mut self.quote_money, call.call_id.as_deref(), was, is);
        }
    }

    /// Stores a call if it is among the calls that change most. Of calls with equal weight, the call that was read
    /// first is stored.
    fn keep(&mut self, kept: NotableCall) {
        let place = self.most_changed.partition_point(|known| known.weight >= kept.weight);
        if place < MOST_CHANGED {
            self.most_changed.insert(place, kept);
            self.most_changed.truncate(MOST_CHANGED);
        }
    }

    /// Adds the counts of the next batch of calls.
    pub fn merge(&mut self, next: Self) {
        self.calls += next.calls;
        self.erased += next.erased;
        self.unreadable += next.unreadable;
        self.differ_already += next.differ_already;
        self.changed += next.changed;
        merge_money(&mut self.money, next.money);
        merge_money(&mut self.quote_money, next.quote_money);
        self.currency_changed.merge(next.currency_changed);
        for (mine, theirs) in self.moves.iter_mut().flatten().zip(next.moves.into_iter().flatten()) {
            mine.merge(theirs);
        }
        self.texts.before += next.texts.before;
        self.texts.after += next.texts.after;
        self.texts.calls_with_more += next.texts.calls_with_more;
        self.texts.calls_with_fewer += next.texts.calls_with_fewer;
        self.lost_service.merge(next.lost_service);
        self.gained_service.merge(next.gained_service);
        self.lost_price.merge(next.lost_price);
        self.gained_price.merge(next.gained_price);
        self.degraded.before += next.degraded.before;
        self.degraded.after += next.degraded.after;
        for (script, count) in next.degraded.scripts {
            *self.degraded.scripts.entry(script).or_default() += count;
        }
        if let (Some(mine), Some(theirs)) = (&mut self.tool_quotes, next.tool_quotes) {
            mine.looked_at += theirs.looked_at;
            mine.unreadable += theirs.unreadable;
        }
        for kept in next.most_changed {
            self.keep(kept);
        }
        self.drawn.merge(next.drawn);
    }

    /// Converts the tally to the result that the API returns.
    #[must_use]
    pub fn result(&self, test: &Backtest) -> BacktestResult {
        let moves = PRIORITIES.into_iter().flat_map(|from| PRIORITIES.map(|to| (from, to)));
        let moves = moves.filter_map(|(from, to)| {
            let listed = &self.moves[from as usize][to as usize];
            (from != to && listed.count > 0).then(|| Move {
                from,
                to,
                count: listed.count,
                calls: listed.calls.clone(),
            })
        });
        let counts = |row: &[Listed; 4]| row.iter().map(|listed| listed.count).collect();
        BacktestResult {
            calls: self.calls,
            erased: self.erased,
            unreadable: self.unreadable,
            differ_already: self.differ_already,
            changed: self.changed,
            money: self.money.values().cloned().collect(),
            currency_changed: self.currency_changed.clone(),
            priorities: self.moves.iter().map(counts).collect(),
            moves: moves.collect(),
            texts: self.texts.clone(),
            lost_service: self.lost_service.clone(),
            gained_service: self.gained_service.clone(),
            lost_price: self.lost_price.clone(),
            gained_price: self.gained_price.clone(),
            degraded: self.degraded.clone(),
            tool_quotes: self.tool_quotes.clone().map(|quotes| ToolQuotes {
                money: self.quote_money.values().cloned().collect(),
                ..quotes
            }),
            most_changed: self.most_changed.iter().map(|kept| kept.shown(test)).collect(),
            services: self.drawn.services(),
            quotes: self.drawn.quotes(),
        }
    }
}

impl NotableCall {
    fn shown(&self, test: &Backtest) -> ChangedCall {
        let (base, candidate) = test.both();
        ChangedCall {
            call_id: self.call.call_id.clone(),
            decision_id: self.call.decision_id,
            at: self.call.at,
            before: side(base, &self.before),
            after: side(candidate, &self.after),
            rows: test.rows_between(&self.before, &self.after),
        }
    }
}

fn side(book: &Rulebook, decision: &Decision) -> Side {
    let price = decision.price.as_ref();
    Side {
        service: decision.service.clone(),
        area: decision.area.clone(),
        currency: price.map(|price| price.currency.clone()),
        from: price.map(|price| price.from),
        to: price.map(|price| price.to),
        total_from: price.map(|price| price.total_from),
        total_to: price.map(|price| price.total_to),
        priority: decision.priority,
        texts: texts(book, decision),
    }
}

impl Listed {
    fn add(&mut self, call: Option<&str>) {
        self.count += 1;
        if let Some(call) = call
            && self.calls.len() < MAX_LISTED_CALLS
        {
            self.calls.push(call.to_owned());
        }
    }

    fn merge(&mut self, next: Self) {
        self.count += next.count;
        let room = MAX_LISTED_CALLS.saturating_sub(self.calls.len());
        self.calls.extend(next.calls.into_iter().take(room));
    }
}

/// Whether the base's decision is the same as the stored decision.
fn is_as_stored(call: &StoredCall, decision: &Decision) -> bool {
    let price = decision.price.as_ref();
    let stored = &call.stored;
    stored.service == decision.service
        && stored.priority == decision.priority.name()
        && stored.price_from == price.map(|price| price.from.minor())
        && stored.price_to == price.map(|price| price.to.minor())
}

/// If a price is added or removed, the change is the whole price, in minor units.
fn whole(price: Option<&Price>) -> u64 {
    price.map_or(0, |price| price.to.minor().unsigned_abs())
}

/// Whether the totals differ although the prices before tax are equal.
fn differs_in_taxes_only(was: &Price, is: &Price) -> bool {
    let before_tax = (&was.currency, was.from, was.to) == (&is.currency, is.from, is.to);
    before_tax && (was.total_from, was.total_to) != (is.total_from, is.total_to)
}

/// Counts a quote that has a price before and after. Returns the change of the lowest or of the highest price,
/// whichever is larger.
fn count(money: &mut BTreeMap<String, MoneyChange>, call: Option<&str>, was: &Price, is: &Price) -> u64 {
    if !money.contains_key(&was.currency) {
        let new = MoneyChange {
            currency: was.currency.clone(),
            ..MoneyChange::default()
        };
        money.insert(was.currency.clone(), new);
    }
    let Some(sums) = money.get_mut(&was.currency) else {
        return 0;
    };
    let (from, to) = (
        is.from.minor().saturating_sub(was.from.minor()),
        is.to.minor().saturating_sub(was.to.minor()),
    );
    let both = from.saturating_add(to);
    sums.quotes += 1;
    sums.changed += u64::from((from, to) != (0, 0));
    sums.taxes_only += u64::from(differs_in_taxes_only(was, is));
    sums.dearer += u64::from(both > 0);
    sums.cheaper += u64::from(both < 0);
    sums.before_from = plus(sums.before_from, was.from.minor());
    sums.before_to = plus(sums.before_to, was.to.minor());
    sums.change_from = plus(sums.change_from, from);
    sums.change_to = plus(sums.change_to, to);
    let most = if from.unsigned_abs() > to.unsigned_abs() {
        from
    } else {
        to
    };
    if most.unsigned_abs() > sums.most.minor().unsigned_abs() {
        sums.most = Money::from_minor(most);
        sums.most_call = call.map(ToOwned::to_owned);
    }
    most.unsigned_abs()
}

pub(super) fn plus(sum: Money, more: i64) -> Money {
    Money::from_minor(sum.minor().saturating_add(more))
}

fn merge_money(money: &mut BTreeMap<String, MoneyChange>, next: BTreeMap<String, MoneyChange>) {
    for (currency, theirs) in next {
        let mine = money.entry(currency).or_insert_with_key(|currency| MoneyChange {
            currency: currency.clone(),
            ..MoneyChange::default()
        });
        mine.quotes += theirs.quotes;
        mine.changed += theirs.changed;
        mine.taxes_only += theirs.taxes_only;
        mine.dearer += theirs.dearer;
        mine.cheaper += theirs.cheaper;
        mine.before_from = plus(mine.before_from, theirs.before_from.minor());
        mine.before_to = plus(mine.before_to, theirs.before_to.minor());
        mine.change_from = plus(mine.change_from, theirs.change_from.minor());
        mine.change_to = plus(mine.change_to, theirs.change_to.minor());
        if theirs.most.minor().unsigned_abs() > mine.most.minor().unsigned_abs() {
            mine.most = theirs.most;
            mine.most_call = theirs.most_call;
        }
    }
}
