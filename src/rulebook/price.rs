//! Money while deciding: base price, adjustments, rounding, taxes. Everything exact, nothing ever panics.
//!
//! Comes in: two ends of a range as decimals. Goes out: the same, or `None` when a number became too large.

use rust_decimal::{Decimal, RoundingStrategy};

use super::decision::{MoneyStep, Price, TaxLine};
use super::money::{MAX_MINOR, Money};
use super::rows::{AdjustmentKind, Rounding, Settings, Tax};

/// Both ends of a price range.
pub type Range = (Decimal, Decimal);

/// One end after an adjustment; `None` when it is too large.
#[must_use]
pub fn applied(kind: AdjustmentKind, amount: Decimal, price: Decimal) -> Option<Decimal> {
    let after = match kind {
        AdjustmentKind::Add => price.checked_add(amount),
        AdjustmentKind::Percent => price
            .checked_mul(amount)
            .and_then(|part| part.checked_div(Decimal::ONE_HUNDRED))
            .and_then(|part| price.checked_add(part)),
        AdjustmentKind::Multiply => price.checked_mul(amount),
        AdjustmentKind::Floor => Some(price.max(amount)),
        AdjustmentKind::Cap => Some(price.min(amount)),
        AdjustmentKind::Set => Some(amount),
    }?;
    (after.abs() <= Decimal::new(MAX_MINOR, 2)).then_some(after)
}

/// Both ends after an adjustment.
#[must_use]
pub fn both(kind: AdjustmentKind, amount: Decimal, range: Range) -> Option<Range> {
    applied(kind, amount, range.0).zip(applied(kind, amount, range.1))
}

/// What a step did to the money, as exact text.
#[must_use]
pub fn money_step(kind: Option<AdjustmentKind>, before: Range, after: Range) -> MoneyStep {
    let text = |value: Decimal| value.normalize().to_string();
    MoneyStep {
        kind,
        from_before: text(before.0),
        from_after: text(after.0),
        to_before: text(before.1),
        to_after: text(after.1),
    }
}

/// A price as a multiple of the rounding step.
#[must_use]
pub fn rounded(settings: &Settings, price: Decimal) -> Option<Decimal> {
    let step = settings.rounding_step.decimal();
    let strategy = match settings.rounding {
        Rounding::HalfUp => RoundingStrategy::MidpointAwayFromZero,
        Rounding::HalfEven => RoundingStrategy::MidpointNearestEven,
        Rounding::Up => RoundingStrategy::ToPositiveInfinity,
        Rounding::Down => RoundingStrategy::ToNegativeInfinity,
    };
    price
        .checked_div(step)?
        .round_dp_with_strategy(0, strategy)
        .checked_mul(step)
}

/// The price with its tax lines and totals; `None` when something is too large or not whole cents.
#[must_use]
pub fn with_taxes(currency: &str, range: Range, per: Option<String>, taxes: &[Tax]) -> Option<Price> {
    let (from, to) = (Money::from_decimal(range.0)?, Money::from_decimal(range.1)?);
    let mut price = Price {
        currency: currency.to_owned(),
        from,
        to,
        per,
        taxes: Vec::with_capacity(taxes.len()),
        total_from: from,
        total_to: to,
    };
    for tax in taxes {
        let line = TaxLine {
            code: tax.code.clone(),
            rate: tax.rate,
            from: taxed(tax, from)?,
            to: taxed(tax, to)?,
        };
        price.total_from = sum(price.total_from, line.from)?;
        price.total_to = sum(price.total_to, line.to)?;
        price.taxes.push(line);
    }
    Some(price)
}

fn sum(a: Money, b: Money) -> Option<Money> {
    a.minor().checked_add(b.minor()).map(Money::from_minor)
}

/// A tax on the price before tax, half up to the cent.
fn taxed(tax: &Tax, price: Money) -> Option<Money> {
    let exact = price
        .decimal()
        .checked_mul(tax.rate.decimal())?
        .checked_div(Decimal::ONE_HUNDRED)?;
    Money::from_decimal(exact.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rulebook::rows::Labels;
    use proptest::prelude::*;

    fn tax(rate: &str) -> Tax {
        Tax {
            code: "t".to_owned(),
            names: Labels::default(),
            rank: 1,
            rate: rate.parse().unwrap(),
        }
    }

    #[test]
    fn each_tax_is_on_the_price_before_tax_half_up_to_the_cent() {
        let taxes = [tax("5"), tax("9.975")];
        let price = with_taxes("CAD", (Decimal::from(450), Decimal::from(750)), None, &taxes).unwrap();
        // 450 x 9.975 % = 44.8875; 750 x 9.975 % = 74.8125
        let lines: Vec<_> = price.taxes.iter().map(|t| (t.from.minor(), t.to.minor())).collect();
        assert_eq!(lines, [(2250, 3750), (4489, 7481)]);
        assert_eq!((price.total_from.minor(), price.total_to.minor()), (51_739, 86_231));
    }

    #[test]
    fn what_is_too_large_is_no_price() {
        let most = Decimal::new(MAX_MINOR, 2);
        assert_eq!(applied(AdjustmentKind::Add, Decimal::ONE, most), None);
        assert_eq!(applied(AdjustmentKind::Multiply, Decimal::MAX, Decimal::MAX), None);
        assert_eq!(applied(AdjustmentKind::Percent, Decimal::MAX, Decimal::ONE), None);
    }

    proptest! {
        #[test]
        fn both_ends_keep_their_order_under_every_kind(
            from in 0i64..1_000_000, more in 0i64..1_000_000, amount in 0i64..100_000, kind in 0usize..6
        ) {
            let kind = [AdjustmentKind::Add, AdjustmentKind::Percent, AdjustmentKind::Multiply,
                AdjustmentKind::Floor, AdjustmentKind::Cap, AdjustmentKind::Set][kind];
            let range = (Decimal::new(from, 2), Decimal::new(from + more, 2));
            if let Some((low, high)) = both(kind, Decimal::new(amount, 2), range) {
                prop_assert!(low <= high);
            }
        }
    }
}
