//! The axes of the chart of a backtest.

use rust_decimal::prelude::ToPrimitive as _;

/// The size of the chart and the margins for its labels, in SVG units.
pub const WIDTH: f64 = 640.0;
pub const HEIGHT: f64 = 460.0;
pub const LEFT: f64 = 84.0;
pub const RIGHT: f64 = 36.0;
pub const TOP: f64 = 34.0;
pub const BOTTOM: f64 = 52.0;
/// Approximate number of grid lines.
const TICKS: f64 = 5.0;
/// If the highest price is more than this many times the lowest, the axes are logarithmic.
const FAR_APART: f64 = 12.0;

/// The axes. Both axes have the same scale, so that unchanged calls are on the diagonal.
pub struct Scale {
    pub ticks: Vec<f64>,
    is_log: bool,
}

impl Scale {
    pub fn of(prices: impl Iterator<Item = f64>) -> Self {
        let (low, high) = prices.fold((f64::MAX, f64::MIN), |(low, high), price| {
            (low.min(price), high.max(price))
        });
        let is_log = low >= 1.0 && high / low > FAR_APART;
        let ticks = if is_log {
            logarithmic(low, high)
        } else {
            linear(low, high)
        };
        Self { ticks, is_log }
    }

    fn ends(&self) -> (f64, f64) {
        let end = |price: Option<&f64>| self.at(price.copied().unwrap_or_default());
        (end(self.ticks.first()), end(self.ticks.last()))
    }

    fn at(&self, price: f64) -> f64 {
        if self.is_log { price.max(1.0).log10() } else { price }
    }

    fn part(&self, price: f64) -> f64 {
        let (low, high) = self.ends();
        (self.at(price) - low) / (high - low)
    }

    pub fn x(&self, price: f64) -> f64 {
        LEFT + self.part(price) * (WIDTH - LEFT - RIGHT)
    }

    pub fn y(&self, price: f64) -> f64 {
        HEIGHT - BOTTOM - self.part(price) * (HEIGHT - TOP - BOTTOM)
    }
}

/// Returns evenly spaced round numbers. The first number is at most the lowest price, and the last number is at least
/// the highest price.
fn linear(low: f64, high: f64) -> Vec<f64> {
    let step = nice((high - low).max(10.0) / TICKS);
    let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
    // If all prices are equal, they are in the middle of the axis.
    let (low, high) = if high > low {
        (low, high)
    } else {
        (low - step, high + step)
    };
    let count = ((high - low) / step).round().to_u32().unwrap_or_default();
    (0..=count).map(|tick| low + f64::from(tick) * step).collect()
}

/// Returns numbers such as 100, 200, 500 and 1,000. The first number is at most the lowest price, and the last number
/// is at least the highest price.
fn logarithmic(low: f64, high: f64) -> Vec<f64> {
    let mut ticks = Vec::new();
    let mut power = 10_f64.powf(low.log10().floor());
    while ticks.last().is_none_or(|last| *last < high) {
        for factor in [1.0, 2.0, 5.0] {
            let tick = factor * power;
            if ticks.last().is_some_and(|last| *last >= high) {
                break;
            }
            if tick <= low {
                ticks.clear();
            }
            ticks.push(tick);
        }
        power *= 10.0;
    }
    ticks
}

/// The smallest number of the series 1, 2, 5, 10, 20, 50 … that is at least `raw`.
fn nice(raw: f64) -> f64 {
    let power = 10_f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= raw);
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axes_have_round_numbers_around_all_prices() {
        for (prices, low, high, step) in [
            (vec![350.0, 1204.5], 200.0, 1400.0, 200.0),
            (vec![99.0, 103.0], 98.0, 104.0, 2.0),
            (vec![350.0], 348.0, 352.0, 2.0),
        ] {
            let scale = Scale::of(prices.iter().copied());
            assert_eq!(
                (scale.ends(), scale.ticks[1] - scale.ticks[0]),
                ((low, high), step),
                "{prices:?}"
            );
            for price in prices {
                assert!((0.0..=1.0).contains(&scale.part(price)));
            }
        }
    }

    #[test]
    fn prices_far_apart_are_drawn_on_logarithmic_axes() {
        let scale = Scale::of([350.0, 39_000.0].into_iter());
        assert_eq!(
            scale.ticks,
            [200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0]
        );
        assert!(scale.part(350.0) > 0.0 && scale.part(39_000.0) < 1.0);
    }

    #[test]
    fn what_stays_is_on_the_diagonal_and_dearer_above_it() {
        let scale = Scale::of([0.0, 100.0].into_iter());
        let slope = |price: f64| (scale.x(price) - LEFT) / (HEIGHT - BOTTOM - scale.y(price));
        assert!((slope(40.0) - slope(80.0)).abs() < 1e-9);
        assert!(scale.y(60.0) < scale.y(40.0));
    }
}
