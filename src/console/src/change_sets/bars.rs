//! The changes of a backtest by service, as a table with bars.

use maud::{Markup, html};
use serde_json::Value;

use crate::business::Business;
use crate::change_sets::numbers::{count, money, number};
use crate::leads::text;
use crate::visit::Visit;

/// Half the width of the chart of a service, in SVG units.
const HALF_BAR: f64 = 70.0;

/// Renders one row per service: how many calls become dearer or cheaper, and by how much in total.
pub fn table(visit: &Visit, business: &Business, result: &Value) -> Markup {
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

/// Draws a bar: the total decrease to the left, the total increase to the right.
fn bar(cheaper: f64, dearer: f64) -> Markup {
    let place = |at: f64| format!("{at:.1}");
    html! { svg viewBox="0 0 142 18" width="142" height="18" aria-hidden="true" {
        rect.cheaper x=(place(HALF_BAR - cheaper * HALF_BAR)) y="3" width=(place(cheaper * HALF_BAR)) height="12" rx="2" {}
        rect.dearer x=(place(HALF_BAR + 2.0)) y="3" width=(place(dearer * HALF_BAR)) height="12" rx="2" {}
        line.zero x1="71" x2="71" y1="0" y2="18" {}
    } }
}
