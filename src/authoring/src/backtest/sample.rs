//! Quotes for a chart: individual quotes up to a limit, and totals by service.

use std::collections::BTreeMap;

use super::outcome::{QuotedCall, ServiceChange};
use super::tally::plus;
use rules::decision::{Decision, Price};
use rules::money::Money;

/// Maximum number of changed quotes.
const MAX_CHANGED: usize = 200;
/// Maximum number of unchanged quotes.
const MAX_UNCHANGED: usize = 100;

/// The quotes of the calls counted so far, newest first.
#[derive(Debug, Clone, Default)]
pub struct Drawn {
    changed: Vec<QuotedCall>,
    unchanged: Vec<QuotedCall>,
    services: BTreeMap<(Option<String>, String), ServiceChange>,
}

impl Drawn {
    /// Adds a call if it has a price before and after in the same currency.
    pub fn add(&mut self, call: Option<&str>, before: &Decision, after: &Decision) {
        let (Some(was), Some(is)) = (&before.price, &after.price) else {
            return;
        };
        if was.currency != is.currency {
            return;
        }
        let quote = QuotedCall {
            call_id: call.map(ToOwned::to_owned),
            service: after.service.clone(),
            currency: is.currency.clone(),
            before: middle(was),
            after: middle(is),
            priority_before: before.priority,
            priority_after: after.priority,
        };
        let by = quote.after.minor().saturating_sub(quote.before.minor());
        let key = (quote.service.clone(), quote.currency.clone());
        let sums = self.services.entry(key).or_insert_with(|| ServiceChange {
            service: quote.service.clone(),
            currency: quote.currency.clone(),
            ..ServiceChange::default()
        });
        sums.quotes += 1;
        if by > 0 {
            sums.dearer += 1;
            sums.dearer_by = plus(sums.dearer_by, by);
        } else if by < 0 {
            sums.cheaper += 1;
            sums.cheaper_by = plus(sums.cheaper_by, by.saturating_neg());
        }
        self.keep(quote);
    }

    fn keep(&mut self, quote: QuotedCall) {
        let is_changed = quote.before != quote.after || quote.priority_before != quote.priority_after;
        let (kept, room) = if is_changed {
            (&mut self.changed, MAX_CHANGED)
        } else {
            (&mut self.unchanged, MAX_UNCHANGED)
        };
        if kept.len() < room {
            kept.push(quote);
        }
    }

    /// Adds the quotes of the next batch of calls.
    pub fn merge(&mut self, next: Self) {
        for quote in next.changed.into_iter().chain(next.unchanged) {
            self.keep(quote);
        }
        for (key, theirs) in next.services {
            match self.services.get_mut(&key) {
                Some(mine) => {
                    mine.quotes += theirs.quotes;
                    mine.dearer += theirs.dearer;
                    mine.cheaper += theirs.cheaper;
                    mine.dearer_by = plus(mine.dearer_by, theirs.dearer_by.minor());
                    mine.cheaper_by = plus(mine.cheaper_by, theirs.cheaper_by.minor());
                }
                None => {
                    self.services.insert(key, theirs);
                }
            }
        }
    }

    /// Returns the changes in the quotes of each service.
    pub fn services(&self) -> Vec<ServiceChange> {
        self.services.values().cloned().collect()
    }

    /// Returns the changed quotes, then the unchanged quotes.
    pub fn quotes(&self) -> Vec<QuotedCall> {
        self.changed.iter().chain(&self.unchanged).cloned().collect()
    }
}

fn middle(price: &Price) -> Money {
    Money::from_minor(price.from.minor().midpoint(price.to.minor()))
}
