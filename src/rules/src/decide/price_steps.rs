//! Calculates the price of a decision: base price, adjustments, price scripts, rounding and taxes. Each row that takes
//! part adds a step to the trace.

use std::collections::HashSet;

use rust_decimal::Decimal;

use super::Deciding;
use crate::decision::{MoneyStep, Price, Step};
use crate::facts::Fact;
use crate::money::{Money, Rate};
use crate::price::{self, Effect, Running};
use crate::rows::{Adjustment, AdjustmentKind, Hook, Offer, Resource, Service};
use crate::spoken_summary;

impl<'a> Deciding<'a> {
    /// Calculates the price: base price, adjustments, price scripts, rounding and taxes.
    pub(super) fn price(&mut self) -> Option<Price> {
        let service = self.service.filter(|service| service.offer != Offer::Refused)?;
        let (base, per) = self.base(service)?;
        let price = self.adjusted(base)?;
        let price = self.price_scripts(price);
        self.finish(price, per)
    }

    /// Returns the price range before any script runs.
    pub(crate) fn price_by_rows(&mut self) -> Option<Running> {
        let service = self.service.filter(|service| service.offer != Offer::Refused)?;
        let (base, _) = self.base(service)?;
        self.adjusted(base)
    }

    /// Applies all matching adjustments to the price range, in rank order.
    fn adjusted(&mut self, mut price: Running) -> Option<Running> {
        let mut groups: HashSet<&str> = HashSet::new();
        let book = self.book;
        let matching: Vec<&'a Adjustment> = book.adjustments.matching(&self.env).collect();
        for adjustment in matching {
            let early = adjustment.valid_from.is_some_and(|from| self.at < from);
            if early || adjustment.valid_until.is_some_and(|until| self.at >= until) {
                continue;
            }
            if let Some(group) = &adjustment.stacking_group
                && !groups.insert(group)
            {
                let did = format!("left out: an earlier adjustment of the group {group} applies");
                self.trace
                    .push(Step::plain(Resource::Adjustments, &adjustment.code, did));
                continue;
            }
            price = self.adjust(adjustment, price)?;
        }
        Some(price)
    }

    /// Returns the base price times the quantity. If the quantity is unknown, returns the price of one unit and the
    /// unit's name.
    fn base(&mut self, service: &'a Service) -> Option<(Running, Option<String>)> {
        let (from, to) = (service.price_from?.decimal(), service.price_to?.decimal());
        let quantity = service
            .quantity_fact
            .as_ref()
            .map(|name| (name, self.extracted.facts.get(name)));
        let (known, did) = match quantity {
            None => (Some(Decimal::ONE), "base price".to_owned()),
            Some((name, Some(Fact::Number(number)))) if *number > Decimal::ZERO => {
                (Some(*number), format!("base price times {name} {}", number.normalize()))
            }
            Some((name, _)) => (None, format!("base price per unit: {name} is unknown")),
        };
        let factor = known.unwrap_or(Decimal::ONE);
        let Some(base) = price::both(AdjustmentKind::Multiply, factor, (from, to)) else {
            return self.too_large(Resource::Services, &service.code);
        };
        let money = price::money_step(None, (Decimal::ZERO, Decimal::ZERO), base);
        self.step(Resource::Services, &service.code, did, money);
        if known.is_some() {
            return Some((Running::of(base, factor), None));
        }
        let unit = spoken_summary::label(&service.unit, &self.language, self.book.settings());
        Some((Running::of_one(base), unit.map(str::to_owned)))
    }

    fn adjust(&mut self, adjustment: &'a Adjustment, before: Running) -> Option<Running> {
        let amount = adjustment
            .amount
            .map(Money::decimal)
            .or(adjustment.rate.map(Rate::decimal));
        let effect = amount.and_then(|amount| before.adjusted(adjustment.kind, adjustment.per, amount));
        let Some(effect) = effect else {
            return self.too_large(Resource::Adjustments, &adjustment.code);
        };
        let mut did = if adjustment.condition.is_empty() {
            "always applies".to_owned()
        } else {
            format!("holds: {}", adjustment.condition)
        };
        let after = match effect {
            Effect::Changed(after) => after,
            Effect::Besides(after) => {
                did.push_str("; it is added once for the job, besides the price per unit");
                after
            }
            Effect::LeftOut => {
                let did = format!("left out: {did}, but it is for the whole job, and the quantity is unknown");
                self.trace
                    .push(Step::plain(Resource::Adjustments, &adjustment.code, did));
                return Some(before);
            }
        };
        let money = price::money_step(Some(adjustment.kind), before.range, after.range);
        self.step(Resource::Adjustments, &adjustment.code, did, money);
        Some(after)
    }

    fn price_scripts(&mut self, mut price: Running) -> Running {
        let book = self.book;
        for script in book.scripts(Hook::Price) {
            let mut run = self.to_run();
            run.price = Some(price);
            if let Some(done) = self.run(script, run) {
                price = done.price.unwrap_or(price);
            }
        }
        price
    }

    /// Applies rounding and taxes.
    fn finish(&mut self, price: Running, per: Option<String>) -> Option<Price> {
        let settings = self.book.settings();
        let range = price.range;
        let besides = price.besides().map(|amount| price::rounded(settings, amount));
        // A price is never negative, whatever the rules add up to.
        let positive = (range.0.max(Decimal::ZERO), range.1.max(Decimal::ZERO));
        let rounded = price::rounded(settings, positive.0).zip(price::rounded(settings, positive.1));
        let (Some(rounded), None | Some(Some(_))) = (rounded, besides) else {
            return self.too_large(Resource::Settings, &settings.code);
        };
        // After a floor or a script, the lowest price may be higher than the highest price.
        let ordered = (rounded.0.min(rounded.1), rounded.0.max(rounded.1));
        if ordered != range {
            let did = format!("rounded to a multiple of {}", settings.rounding_step);
            let money = price::money_step(None, range, ordered);
            self.step(Resource::Settings, &settings.code, did, money);
        }
        let Some(price) = price::with_taxes(&settings.currency, ordered, (per, besides.flatten()), &self.book.taxes)
        else {
            return self.too_large(Resource::Settings, &settings.code);
        };
        for line in &price.taxes {
            let did = format!("{} % is {} to {}", line.rate, line.from, line.to);
            self.trace.push(Step::plain(Resource::Taxes, &line.code, did));
        }
        Some(price)
    }

    fn step(&mut self, resource: Resource, code: &str, did: String, money: MoneyStep) {
        let mut step = Step::plain(resource, code, did);
        step.money = Some(money);
        self.trace.push(step);
    }

    fn too_large<T>(&mut self, resource: Resource, code: &str) -> Option<T> {
        self.trace
            .push(Step::plain(resource, code, "too large: there is no price"));
        None
    }
}
