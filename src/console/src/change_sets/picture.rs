//! Draws the result of a backtest as a scatter chart, with a mark for the old and the new price of each past call.
//!
//! The chart is an SVG without styles or scripts. Every mark has a label, and a table shows the same data.

use maud::{Markup, html};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::business::Business;
use crate::change_sets::numbers::{call_link, count, money, number};
use crate::change_sets::scale::{BOTTOM, HEIGHT, LEFT, RIGHT, Scale, WIDTH};
use crate::leads::text;
use crate::locale::sum;
use crate::visit::Visit;

/// Marks with the same coordinates are arranged in a spiral, like the seeds of a sunflower. `SPREAD` scales the
/// distance of the marks from the center, and `GOLDEN_ANGLE` is the angle in radians from one mark to the next.
const SPREAD: f64 = 3.4;
const GOLDEN_ANGLE: f64 = 2.399_963;

/// How the change affects a call.
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

    /// Draws the mark of a call. The marks differ in shape, so that color is not the only difference.
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

/// The scatter chart of old and new prices. If the quotes are in several currencies, only the quotes in the most
/// frequent currency are drawn.
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

/// Describes the chart in a sentence.
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

/// The marks. Calls that change are drawn above the calls that stay the same. The links of the marks are for people who
/// use a mouse. The table below the chart has links for people who use a keyboard.
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

/// The label of a mark: service, prices and priorities.
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
