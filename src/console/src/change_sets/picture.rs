//! The backtest as a picture: each past call by its old and its new price, and bars by service.
//!
//! Made here as SVG without a style or a script in it. Every mark has its words, and a table says the same.

use maud::{Markup, html};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde_json::Value;

use crate::business::Business;
use crate::change_sets::backtest::{call_link, count, money};
use crate::leads::text;
use crate::locale::sum;
use crate::visit::Visit;

/// The size of the picture, and the room for its labels.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 52.0;
/// About so many lines of the grid.
const TICKS: f64 = 5.0;
/// Prices whose highest is more than so many times the lowest are drawn on logarithmic axes.
const FAR_APART: f64 = 12.0;
/// The distance of marks at the same place, and the angle between two that follow each other: a sunflower's.
const SPREAD: f64 = 3.4;
const GOLDEN_ANGLE: f64 = 2.399_963;
/// Half the width of a service's bars.
const HALF_BAR: f64 = 70.0;

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Dearer,
    Cheaper,
    Same,
    Moved,
}

const FATES: [Fate; 4] = [Fate::Dearer, Fate::Cheaper, Fate::Moved, Fate::Same];

impl Fate {
    fn of(quote: &Value, before: f64, after: f64) -> Self {
        if quote["priority_before"] != quote["priority_after"] {
            Self::Moved
        } else if after > before {
            Self::Dearer
        } else if after < before {
            Self::Cheaper
        } else {
            Self::Same
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Dearer => "dearer",
            Self::Cheaper => "cheaper",
            Self::Same => "same",
            Self::Moved => "moved",
        }
    }

    const fn key(self) -> &'static str {
        match self {
            Self::Dearer => "change-set-mark-dearer",
            Self::Cheaper => "change-set-mark-cheaper",
            Self::Same => "change-set-mark-same",
            Self::Moved => "change-set-mark-moved",
        }
    }

    /// Its shape around a point: colour is never alone.
    fn shape(self, x: f64, y: f64) -> Markup {
        let points = |offsets: &[(f64, f64)]| {
            let points = offsets.iter().map(|(dx, dy)| format!("{:.1},{:.1}", x + dx, y + dy));
            points.collect::<Vec<_>>().join(" ")
        };
        let class = self.class();
        match self {
            Self::Dearer => html! { polygon.(class) points=(points(&[(0.0, -6.0), (5.5, 4.0), (-5.5, 4.0)])) {} },
            Self::Cheaper => html! { polygon.(class) points=(points(&[(0.0, 6.0), (5.5, -4.0), (-5.5, -4.0)])) {} },
            Self::Moved => {
                html! { polygon.(class) points=(points(&[(0.0, -6.5), (6.5, 0.0), (0.0, 6.5), (-6.5, 0.0)])) {} }
            }
            Self::Same => html! { circle.(class) cx={ (format!("{x:.1}")) } cy={ (format!("{y:.1}")) } r="3.5" {} },
        }
    }
}

/// The axes: both have the same scale, so that what stays is on the diagonal.
struct Scale {
    ticks: Vec<f64>,
    is_log: bool,
}

impl Scale {
    fn of(prices: impl Iterator<Item = f64>) -> Self {
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

    fn x(&self, price: f64) -> f64 {
        LEFT + self.part(price) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, price: f64) -> f64 {
        HEIGHT - BOTTOM - self.part(price) * (HEIGHT - TOP - BOTTOM)
    }
}

/// Round numbers at the same distance, around both prices.
fn linear(low: f64, high: f64) -> Vec<f64> {
    let step = nice((high - low).max(10.0) / TICKS);
    let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
    // One price alone stands in the middle.
    let (low, high) = if high > low {
        (low, high)
    } else {
        (low - step, high + step)
    };
    let count = ((high - low) / step).round().to_u32().unwrap_or_default();
    (0..=count).map(|tick| low + f64::from(tick) * step).collect()
}

/// 100, 200, 500, 1,000 …: the last that is not above the lowest price, up to the first that is not below the highest.
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

/// The next of 1, 2, 5, 10, 20, 50 …
fn nice(raw: f64) -> f64 {
    let power = 10_f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= raw);
    factor.unwrap_or(10.0) * power
}

fn number(value: &Value, name: &str) -> f64 {
    let number = text(value, name).and_then(|text| text.parse::<Decimal>().ok());
    number.and_then(|number| number.to_f64()).unwrap_or_default()
}

/// Each past call, its old price against its new one. Of several currencies, the one with the most quotes is drawn.
pub fn scatter(visit: &Visit, business: &Business, result: &Value) -> Markup {
    let words = visit.words;
    let sums = result["money"]
        .as_array()
        .into_iter()
        .flatten()
        .max_by_key(|money| count(money, "quotes"));
    let Some(currency) = sums.and_then(|money| text(money, "currency")) else {
        return html! {};
    };
    let quotes = result["quotes"].as_array().into_iter().flatten();
    let quotes: Vec<&Value> = quotes.filter(|quote| quote["currency"] == currency).collect();
    if quotes.is_empty() {
        return html! {};
    }
    let scale = Scale::of(
        quotes
            .iter()
            .flat_map(|quote| [number(quote, "before"), number(quote, "after")]),
    );
    let all = sums.map_or(0, |money| count(money, "quotes"));
    let drawn = quotes.len();
    html! { figure.picture {
        figcaption {
            strong { (words.say("change-set-picture")) } " "
            span.quiet { (words.say("change-set-picture-about")) }
        }
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="group" aria-labelledby="picture-title picture-text" {
            title #picture-title { (words.say("change-set-picture")) }
            desc #picture-text { (summary(visit, result, currency)) }
            (axes(visit, &scale, currency))
            (marks(visit, business, &scale, &quotes, currency))
        }
        ul.legend { @for fate in FATES { li {
            svg viewBox="-8 -8 16 16" width="16" height="16" aria-hidden="true" { (fate.shape(0.0, 0.0)) }
            " " (words.say(fate.key()))
        } } }
        p.quiet { (summary(visit, result, currency)) }
        @if drawn < all { p.quiet {
            (words.say_of("change-set-drawn", &[("drawn", &drawn.to_string()), ("all", &all.to_string())]))
        } }
    } }
}

/// The picture in a sentence.
fn summary(visit: &Visit, result: &Value, currency: &str) -> String {
    let mut sums = result["money"].as_array().into_iter().flatten();
    let Some(money) = sums.find(|money| money["currency"] == currency) else {
        return String::new();
    };
    let same = count(money, "quotes").saturating_sub(count(money, "changed"));
    visit.words.say_of(
        "change-set-picture-text",
        &[
            ("quotes", &count(money, "quotes").to_string()),
            ("dearer", &count(money, "dearer").to_string()),
            ("cheaper", &count(money, "cheaper").to_string()),
            ("same", &same.to_string()),
        ],
    )
}

fn axes(visit: &Visit, scale: &Scale, currency: &str) -> Markup {
    let words = visit.words;
    let label = |price: f64| sum(words, Decimal::from_f64_retain(price).unwrap_or_default(), currency);
    let end = |tick: Option<&f64>| tick.copied().unwrap_or_default();
    let (low, high) = (end(scale.ticks.first()), end(scale.ticks.last()));
    let place = |at: f64| format!("{at:.1}");
    html! {
        g.grid-lines aria-hidden="true" { @for &tick in &scale.ticks {
            line x1=(place(scale.x(tick))) x2=(place(scale.x(tick))) y1=(place(scale.y(low))) y2=(place(scale.y(high))) {}
            line x1=(place(scale.x(low))) x2=(place(scale.x(high))) y1=(place(scale.y(tick))) y2=(place(scale.y(tick))) {}
        } }
        line.diagonal x1=(place(scale.x(low))) y1=(place(scale.y(low))) x2=(place(scale.x(high))) y2=(place(scale.y(high))) {}
        g.labels aria-hidden="true" {
            @for &tick in &scale.ticks {
                text x=(place(scale.x(tick))) y=(place(HEIGHT - BOTTOM + 18.0)) text-anchor="middle" { (label(tick)) }
                text x=(place(LEFT - 8.0)) y=(place(scale.y(tick) + 4.0)) text-anchor="end" { (label(tick)) }
            }
            text.axis x=(place(f64::midpoint(LEFT, WIDTH - RIGHT))) y=(place(HEIGHT - 10.0)) text-anchor="middle" {
                (words.say("change-set-axis-before"))
            }
            text.axis x="4" y="16" { (words.say("change-set-axis-after")) }
        }
    }
}

/// The marks: those that change lie above the others. The links are for the mouse; the table has them for the keyboard.
fn marks(visit: &Visit, business: &Business, scale: &Scale, quotes: &[&Value], currency: &str) -> Markup {
    let mut places: Vec<(f64, f64, u32)> = Vec::new();
    let mut shown = Vec::new();
    for quote in quotes {
        let (before, after) = (number(quote, "before"), number(quote, "after"));
        let nth = match places.iter_mut().find(|(x, y, _)| (*x, *y) == (before, after)) {
            Some((.., known)) => {
                *known += 1;
                *known
            }
            None => {
                places.push((before, after, 0));
                0
            }
        };
        let (radius, angle) = (SPREAD * f64::from(nth).sqrt(), GOLDEN_ANGLE * f64::from(nth));
        let (x, y) = (
            scale.x(before) + radius * angle.cos(),
            scale.y(after) + radius * angle.sin(),
        );
        shown.push((Fate::of(quote, before, after), x, y, *quote));
    }
    shown.sort_by_key(|(fate, ..)| *fate != Fate::Same);
    html! { g.marks { @for (fate, x, y, quote) in shown {
        @let words = told(visit, business, quote, currency);
        @match text(quote, "call_id") {
            Some(call) => a href=(call_link(visit, call)) tabindex="-1" aria-label=(words) { title { (words) } (fate.shape(x, y)) },
            None => g { title { (words) } (fate.shape(x, y)) },
        }
    } } }
}

/// A call in words.
fn told(visit: &Visit, business: &Business, quote: &Value, currency: &str) -> String {
    let words = visit.words;
    let service = text(quote, "service").map(|code| business.row_name("services", code, words.0.code()));
    let service = service.unwrap_or_else(|| words.say("unknown-service"));
    let (before, after) = (
        money(visit, quote, "before", currency),
        money(visit, quote, "after", currency),
    );
    let (was, is) = (text(quote, "priority_before"), text(quote, "priority_after"));
    let priority = match (was, is) {
        (Some(was), Some(is)) if was != is => format!(", {was} → {is}"),
        _ => String::new(),
    };
    if before == after {
        format!("{service}: {before}{priority}")
    } else {
        format!("{service}: {before} → {after}{priority}")
    }
}

/// By service: how many calls become dearer and cheaper, and by how much together.
pub fn bars(visit: &Visit, business: &Business, result: &Value) -> Markup {
    let words = visit.words;
    let services: Vec<&Value> = result["services"].as_array().into_iter().flatten().collect();
    let changed = |service: &&&Value| count(service, "dearer") + count(service, "cheaper") > 0;
    let shown: Vec<&&Value> = services.iter().filter(changed).collect();
    let most = shown
        .iter()
        .flat_map(|service| [number(service, "dearer_by"), number(service, "cheaper_by")]);
    let most = most.fold(0.01, f64::max);
    html! { @if !shown.is_empty() {
        h3 { (words.say("change-set-by-service")) }
        div.scroll tabindex="0" role="region" aria-label=(words.say("change-set-by-service")) { table.grid.bars {
            thead { tr {
                th scope="col" { (words.say("service")) }
                th.number scope="col" { (words.say("calls")) }
                th.number scope="col" { (words.say("change-set-cheaper")) }
                td aria-hidden="true" {}
                th.number scope="col" { (words.say("change-set-dearer")) }
            } }
            tbody { @for service in shown {
                @let currency = text(service, "currency").unwrap_or_default();
                @let name = text(service, "service").map(|code| business.row_name("services", code, words.0.code()));
                tr {
                    th scope="row" { (name.unwrap_or_else(|| words.say("unknown-service"))) }
                    td.number { (count(service, "quotes")) }
                    td.number { (side(visit, service, ("cheaper", "cheaper_by"), currency, "−")) }
                    td.bar-cell { (bar(number(service, "cheaper_by") / most, number(service, "dearer_by") / most)) }
                    td.number { (side(visit, service, ("dearer", "dearer_by"), currency, "+")) }
                }
            } }
        } }
    } }
}

fn side(visit: &Visit, service: &Value, (calls, by): (&str, &str), currency: &str, sign: &str) -> String {
    match count(service, calls) {
        0 => "–".to_owned(),
        calls => format!("{calls} · {sign}{}", money(visit, service, by, currency)),
    }
}

/// Cheaper to the left, dearer to the right.
fn bar(cheaper: f64, dearer: f64) -> Markup {
    let place = |at: f64| format!("{at:.1}");
    html! { svg viewBox="0 0 142 18" width="142" height="18" aria-hidden="true" {
        rect.cheaper x=(place(HALF_BAR - cheaper * HALF_BAR)) y="3" width=(place(cheaper * HALF_BAR)) height="12" rx="2" {}
        rect.dearer x=(place(HALF_BAR + 2.0)) y="3" width=(place(dearer * HALF_BAR)) height="12" rx="2" {}
        line.zero x1="71" x2="71" y1="0" y2="18" {}
    } }
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
