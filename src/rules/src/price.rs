//! Calculates prices: base price, adjustments, rounding, taxes. All values are exact. Nothing panics: a number that
//! becomes too large gives `None`.

use rust_decimal::{Decimal, RoundingStrategy};

use super::decision::{MoneyStep, Price, TaxLine};
use super::money::{MAX_MINOR, Money};
use super::rows::{AdjustmentKind, Per, Rounding, Settings, Tax};

/// Both ends of a price range.
pub type Range = (Decimal, Decimal);

/// Applies an adjustment to one end of a price range; `None` if the result is too large.
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

/// Applies an adjustment to both ends of a price range.
#[must_use]
pub fn both(kind: AdjustmentKind, amount: Decimal, range: Range) -> Option<Range> {
    applied(kind, amount, range.0).zip(applied(kind, amount, range.1))
}

/// A price during its calculation: for the whole job, or for one unit if the quantity is unknown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Running {
    /// Both ends of the range.
    pub range: Range,
    quantity: Quantity,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Quantity {
    /// The range is for this number of units.
    Known(Decimal),
    /// The range is for one unit; this amount is added once for the whole job.
    Unknown(Decimal),
}

/// The effect of an adjustment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effect {
    /// The range changed.
    Changed(Running),
    /// The adjustment is for the whole job: its amount is added once, in addition to the price of one unit.
    Besides(Running),
    /// The adjustment is for the whole job and cannot be calculated, because only the price of one unit is known.
    LeftOut,
}

impl Running {
    /// A price for `quantity` units; `range` is already the price of all units.
    #[must_use]
    pub const fn of(range: Range, quantity: Decimal) -> Self {
        Self {
            range,
            quantity: Quantity::Known(quantity),
        }
    }

    /// A price for one unit of an unknown quantity.
    #[must_use]
    pub const fn of_one(range: Range) -> Self {
        Self {
            range,
            quantity: Quantity::Unknown(Decimal::ZERO),
        }
    }

    /// The amount that is added once for the job, in addition to the price of one unit.
    #[must_use]
    pub fn besides(self) -> Option<Decimal> {
        match self.quantity {
            Quantity::Unknown(amount) if !amount.is_zero() => Some(amount),
            _ => None,
        }
    }

    /// Applies an adjustment and returns its effect; `None` if the price becomes too large.
    #[must_use]
    pub fn adjusted(self, kind: AdjustmentKind, per: Per, amount: Decimal) -> Option<Effect> {
        let is_rate = matches!(kind, AdjustmentKind::Percent | AdjustmentKind::Multiply);
        let quantity = match (self.quantity, per) {
            // A percentage of each unit is the same percentage of the job.
            (Quantity::Unknown(besides), _) if is_rate => Quantity::Unknown(applied(kind, amount, besides)?),
            (Quantity::Unknown(besides), Per::Job) => {
                return match kind {
                    AdjustmentKind::Add => {
                        let quantity = Quantity::Unknown(applied(kind, amount, besides)?);
                        Some(Effect::Besides(Self { quantity, ..self }))
                    }
                    _ => Some(Effect::LeftOut),
                };
            }
            (quantity, _) => quantity,
        };
        let amount = match (self.quantity, per) {
            (Quantity::Known(units), Per::Unit) if !is_rate => amount.checked_mul(units)?,
            _ => amount,
        };
        let range = both(kind, amount, self.range)?;
        Some(Effect::Changed(Self { range, quantity }))
    }
}

/// Returns a price range before and after a step, as exact decimal strings.
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

/// Rounds a price to a multiple of the rounding step.
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

/// Builds a price with its tax lines and totals; `None` if a value is too large or has fractions of a cent.
#[must_use]
pub fn with_taxes(
    currency: &str,
    range: Range,
    (per, besides): (Option<String>, Option<Decimal>),
    taxes: &[Tax],
) -> Option<Price> {
    let (from, to) = (Money::from_decimal(range.0)?, Money::from_decimal(range.1)?);
    let mut price = Price {
        currency: currency.to_owned(),
        from,
        to,
        per,
        besides: match besides {
            Some(amount) => Some(Money::from_decimal(amount)?),
            None => None,
        },
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

/// Calculates a tax on the price before tax, rounded half up to the cent.
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
    use crate::rows::Labels;
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
        let price = with_taxes("CAD", (Decimal::from(450), Decimal::from(750)), (None, None), &taxes).unwrap();
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

    #[test]
    fn an_adjustment_is_for_the_job_unless_it_is_for_each_unit() {
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        let range = |from: &str, to: &str| (decimal(from), decimal(to));
        let (known, one) = (
            Running::of(range("5000", "8000"), decimal("10")),
            Running::of_one(range("500", "800")),
        );
        let after = |price: Running, kind, per, amount: &str| match price.adjusted(kind, per, decimal(amount)).unwrap()
        {
            Effect::Changed(price) | Effect::Besides(price) => Some((price.range, price.besides())),
            Effect::LeftOut => None,
        };
        for (kind, per, amount, of_known, of_one) in [
            (
                AdjustmentKind::Add,
                Per::Job,
                "100",
                ("5100", "8100"),
                Some((("500", "800"), Some("100"))),
            ),
            (
                AdjustmentKind::Add,
                Per::Unit,
                "100",
                ("6000", "9000"),
                Some((("600", "900"), None)),
            ),
            (
                AdjustmentKind::Percent,
                Per::Job,
                "10",
                ("5500", "8800"),
                Some((("550", "880"), None)),
            ),
            (
                AdjustmentKind::Multiply,
                Per::Unit,
                "2",
                ("10000", "16000"),
                Some((("1000", "1600"), None)),
            ),
            (AdjustmentKind::Floor, Per::Job, "6000", ("6000", "8000"), None),
            (
                AdjustmentKind::Floor,
                Per::Unit,
                "600",
                ("6000", "8000"),
                Some((("600", "800"), None)),
            ),
            (
                AdjustmentKind::Cap,
                Per::Unit,
                "600",
                ("5000", "6000"),
                Some((("500", "600"), None)),
            ),
            (
                AdjustmentKind::Set,
                Per::Unit,
                "7",
                ("70", "70"),
                Some((("7", "7"), None)),
            ),
            (AdjustmentKind::Set, Per::Job, "7", ("7", "7"), None),
        ] {
            let expected = (range(of_known.0, of_known.1), None);
            assert_eq!(after(known, kind, per, amount), Some(expected), "{kind:?} {per:?}");
            let expected = of_one.map(|((from, to), besides)| (range(from, to), besides.map(decimal)));
            assert_eq!(after(one, kind, per, amount), expected, "{kind:?} {per:?}");
        }
        let Some(Effect::Besides(price)) = one.adjusted(AdjustmentKind::Add, Per::Job, decimal("100")) else {
            panic!("it comes besides");
        };
        let dearer = after(price, AdjustmentKind::Multiply, Per::Job, "1.3");
        assert_eq!(dearer, Some((range("650", "1040"), Some(decimal("130")))));
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
