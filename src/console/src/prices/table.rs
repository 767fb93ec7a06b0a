//! The table of prices with its fields.

use maud::{Markup, html};

use crate::business::Business;
use crate::leads::text;
use crate::locale::{percent, range};
use crate::prices::amount::{self, Span};
use crate::prices::guards::Guards;
use crate::prices::read_only::{about_service, condition};
use crate::prices::sheet::{Field, PriceRow};
use crate::visit::Visit;
use crate::words::Words;

/// The data that the cells need in addition to their row.
pub struct CellContext<'a> {
    pub visit: &'a Visit,
    pub business: &'a Business,
    pub currency: &'a str,
    pub guards: &'a Guards,
}

/// The table of services and adjustments, with the fields of each row.
pub fn table(around: &CellContext<'_>, lines: &[PriceRow]) -> Markup {
    let words = around.visit.words;
    html! { div.scroll tabindex="0" role="region" aria-label=(words.say("prices")) {
        table.grid.prices {
            thead { tr {
                th.pick scope="col" { span.unseen { (words.say("prices-pick")) } }
                th scope="col" { (words.say("service")) }
                th.number.now scope="col" { (words.say("base-price")) }
                th.new scope="col" { (words.say("prices-new")) }
            } }
            (group(around, lines, "services"))
            (group(around, lines, "adjustments"))
        }
    } }
}

fn group(around: &CellContext<'_>, lines: &[PriceRow], resource: &str) -> Markup {
    let words = around.visit.words;
    html! { tbody {
        tr.group { th scope="rowgroup" colspan="4" {
            (if resource == "services" { words.say("services") } else { words.say("adjustments") })
        } }
        @let (priced, refused): (Vec<&PriceRow>, Vec<&PriceRow>) =
            lines.iter().filter(|line| line.resource == resource).partition(|line| !line.fields.is_empty());
        @for line in priced { (row(around, line)) }
        @if !refused.is_empty() { (without_price(around, &refused)) }
    } }
}

/// One row with the names of all services that the business refuses. A service that the business refuses has no price.
fn without_price(around: &CellContext<'_>, lines: &[&PriceRow]) -> Markup {
    let words = around.visit.words;
    let name = |line: &&PriceRow| around.business.row_name(line.resource, &line.code, words.0.code());
    let names: Vec<_> = lines.iter().map(name).collect();
    html! { tr { td.quiet colspan="4" {
        span.tag { (words.name("offer", "refused")) } " " (names.join(", "))
    } } }
}

fn row(around: &CellContext<'_>, line: &PriceRow) -> Markup {
    let words = around.visit.words;
    let name = around.business.row_name(line.resource, &line.code, words.0.code());
    let is_changed = line
        .fields
        .iter()
        .any(|field| field.value().ok().flatten() != field.now);
    html! { tr.changed[is_changed] {
        td.pick {
            input type="checkbox" name="pick" value=(line.name()) checked[line.is_picked]
                aria-label=(words.say_of("prices-pick-row", &[("row", &name)]));
        }
        th scope="row" { (name) (about(around, line)) }
        td.number.now { (now(words, line, around.currency)) }
        td.new {
            input type="hidden" name={ "was." (line.name()) } value=(line.seen());
            div.fields {
                @if let Some(kind) = kind(around, line) { span.kind.quiet { (kind) } }
                @for (place, field) in line.fields.iter().enumerate() {
                    @if place > 0 { span.quiet { "–" } }
                    (input(around, line, field, &name))
                }
            }
            @for field in &line.fields { (hint(around, line, field)) }
            @if let Some(before) = &line.clash { (clash(around, line, before)) }
        }
    } }
}

fn about(around: &CellContext<'_>, line: &PriceRow) -> Markup {
    let (visit, business) = (around.visit, around.business);
    match line.resource {
        "services" => business
            .rows
            .services
            .get(&line.code)
            .map(|stored| about_service(visit, business, &stored.row)),
        _ => business
            .rows
            .adjustments
            .get(&line.code)
            .map(|stored| condition(visit, business, &stored.row)),
    }
    .unwrap_or_default()
}

/// The name of an adjustment's kind, for example percent. `None` for a service.
fn kind(around: &CellContext<'_>, line: &PriceRow) -> Option<String> {
    let stored = around
        .business
        .rows
        .adjustments
        .get(&line.code)
        .filter(|_| line.resource == "adjustments")?;
    let row = serde_json::json!(stored.row);
    Some(around.visit.words.name("kind", text(&row, "kind")?))
}

/// The current value of the row, for people.
fn now(words: Words, line: &PriceRow, currency: &str) -> Markup {
    let spans: Vec<Span> = line.fields.iter().filter_map(|field| field.now).collect();
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
        return html! {};
    };
    let is_money = line.fields.iter().all(Field::is_money);
    html! { (shown(words, Span { from: first.from, to: last.to }, is_money, currency)) }
}

/// A span, formatted for people.
pub fn shown(words: Words, span: Span, is_money: bool, currency: &str) -> String {
    if is_money {
        range(words, &span.from.to_string(), &span.to.to_string(), currency)
    } else {
        amount::typed(words, span.from, false)
    }
}

fn input(around: &CellContext<'_>, line: &PriceRow, field: &Field, name: &str) -> Markup {
    let words = around.visit.words;
    let id = line.field_name(field.column);
    let label = format!("{name}: {}", words.say(label(field.column)));
    let is_faulty = field.fault.is_some() || field.refused.is_some();
    let now = field.now.map(|span| amount::typed_span(words, span, field.is_money()));
    let ends = field.now.map(|span| format!("{} {}", span.from, span.to));
    html! {
        input.price id=(id) name=(id) value=(field.typed) inputmode="decimal" autocomplete="off" maxlength="40"
            size="8" aria-label=(label) aria-describedby={ "hint." (id) } aria-invalid=[is_faulty.then_some("true")]
            autofocus[is_faulty]
            placeholder=[now] data-now=[ends] data-column=(field.column);
    }
}

/// The message key of a field's name.
fn label(column: &str) -> &'static str {
    match column {
        "price_from" => "prices-from",
        "price_to" => "prices-to",
        "amount" => "prices-amount",
        "rate" => "prices-rate",
        _ => "prices-price",
    }
}

/// The text below a field: its error, or by how much the value changes and which guard rails it exceeds.
fn hint(around: &CellContext<'_>, line: &PriceRow, field: &Field) -> Markup {
    let words = around.visit.words;
    let id = format!("hint.{}", line.field_name(field.column));
    html! { div.hint id=(id) {
        @if let Some(fault) = field.fault { p.fault { (words.say(fault.key())) } }
        @else if let Some(refused) = &field.refused { p.fault lang="en" { (refused) } }
        @else if let Some(value) = field.value().ok().flatten().filter(|value| Some(*value) != field.now) {
            p.delta { (delta(around, field, value)) }
            @for warning in around.guards.warnings(words, around.currency, field) { p.beyond { (warning) } }
        }
    } }
}

/// The value before and after, and the difference in percent.
fn delta(around: &CellContext<'_>, field: &Field, value: Span) -> String {
    let words = around.visit.words;
    let after = shown(words, value, field.is_money(), around.currency);
    let Some(now) = field.now else { return after };
    let before = shown(words, now, field.is_money(), around.currency);
    match amount::change(now.from + now.to, value.from + value.to) {
        Some(by) => format!("{before} → {after} ({})", signed(words, by)),
        None => format!("{before} → {after}"),
    }
}

/// A change in percent with its sign.
pub fn signed(words: Words, by: rust_decimal::Decimal) -> String {
    let sign = if by.is_sign_negative() { "−" } else { "+" };
    format!("{sign}{}", percent(words, &by.abs().normalize().to_string()))
}

/// A change of money with its sign.
pub fn signed_sum(words: Words, by: rust_decimal::Decimal, currency: &str) -> String {
    let plus = if by.is_sign_positive() && !by.is_zero() {
        "+"
    } else {
        ""
    };
    format!("{plus}{}", crate::locale::sum(words, by, currency))
}

/// Shows a conflict if somebody else changed the row while the person edited it. The conflict consists of the previous
/// value, the other person's value and the typed value.
fn clash(around: &CellContext<'_>, line: &PriceRow, before: &[Option<Span>]) -> Markup {
    let words = around.visit.words;
    let all = |spans: Vec<Option<Span>>| {
        let is_money = line.fields.iter().all(Field::is_money);
        let parts = spans
            .into_iter()
            .flatten()
            .map(|span| shown(words, span, is_money, around.currency));
        parts.collect::<Vec<_>>().join(" – ")
    };
    let theirs = all(line.fields.iter().map(|field| field.start).collect());
    let yours = all(line.fields.iter().map(|field| field.value().ok().flatten()).collect());
    html! { div.clash role="group" aria-label=(words.say("prices-clash")) {
        p { strong { (words.say("prices-clash")) } }
        dl.facts {
            dt { (words.say("prices-clash-before")) } dd { (all(before.to_vec())) }
            dt { (words.say("prices-clash-theirs")) } dd { (theirs) }
            dt { (words.say("prices-clash-yours")) } dd { (yours) }
        }
        label.check {
            input type="checkbox" name="theirs" value=(line.name()); " " (words.say("prices-clash-keep"))
        }
    } }
}

pub fn currency_of(business: &Business) -> String {
    let settings = business.rows.settings.values().next();
    settings.map(|stored| stored.row.currency.clone()).unwrap_or_default()
}

/// The amount of a limit, in the format for the page's script.
pub fn plain(limit: Option<rust_decimal::Decimal>) -> Option<String> {
    limit.map(|limit| limit.normalize().to_string())
}
