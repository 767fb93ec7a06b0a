//! The differences of a change set in words, grouped by their meaning for the business.

use admin::auth::Role;
use maud::{Markup, html};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::business::Business;
use crate::change_sets::parts::{Story, fields, is_editable, link};
use crate::leads::text;
use crate::locale::{money, percent};
use crate::prices;
use crate::visit::Visit;
use crate::words::Words;

/// The message key of each group's name, and the resources of the group.
const GROUPS: [(&str, &[&str]); 6] = [
    ("change-set-prices", &["services", "adjustments", "taxes", "areas"]),
    (
        "change-set-priorities",
        &["priority-rules", "concepts", "cues", "classifiers"],
    ),
    ("change-set-people", &["contacts", "calendars"]),
    ("change-set-messages", &["templates", "tools", "assistant-rules"]),
    ("change-set-scripts", &["scripts"]),
    ("change-set-settings", &["settings", "fact-mappings", "cases"]),
];
/// Columns that contain amounts of money.
const MONEY: [&str; 4] = ["price_from", "price_to", "amount", "rounding_step"];
/// Maximum number of characters of a value. Longer values are cut.
const LONG: usize = 400;

/// The differences by group.
pub fn groups(visit: &Visit, business: &Business, story: &Story) -> Markup {
    let words = visit.words;
    let rows: Vec<&Value> = story.diff["rows"].as_array().into_iter().flatten().collect();
    html! {
        @if rows.is_empty() { p.card.empty { (words.say("change-set-empty")) } }
        @for (key, resources) in GROUPS {
            @let of_group: Vec<&&Value> = rows.iter().filter(|row| is_of(row, resources)).collect();
            @if !of_group.is_empty() { div.card.diff {
                h3 { (words.say(key)) }
                @for row in of_group { (one(visit, business, story, row)) }
            } }
        }
    }
}

fn is_of(row: &Value, resources: &[&str]) -> bool {
    text(row, "resource").is_some_and(|resource| resources.contains(&resource))
}

fn one(visit: &Visit, business: &Business, story: &Story, row: &Value) -> Markup {
    let (words, set) = (visit.words, &story.set);
    let (resource, code) = (
        text(row, "resource").unwrap_or_default(),
        text(row, "code").unwrap_or_default(),
    );
    let what = text(row, "what").unwrap_or_default();
    let title = row_title(visit, business, resource, code);
    html! { div.diff-row {
        div.row-head {
            h4 { (title) }
            span.tag { (words.name("diff-row", resource)) }
            @if what != "changed" { span.state.(what) { (words.name("diff-what", what)) } }
            @if is_editable(set) && visit.may(Role::Editor) {
                form.remove method="post" action=(link(visit, set, &[])) {
                    (fields(visit, set))
                    input type="hidden" name="row" value={ (resource) "/" (code) };
                    button.small.plain type="submit" name="do" value="remove"
                        aria-label=(words.say_of("change-set-remove-row", &[("row", &title)])) {
                        (words.say("change-set-remove"))
                    }
                }
            }
        }
        @if what != "removed" { dl.changes { @for (name, change) in merged(words, row) {
            (field(visit, business, (resource, &name), change))
        } } }
    } }
}

/// The changed fields and their names. If both ends of a price range have the same change, the two ends are shown as
/// one field.
fn merged(words: Words, row: &Value) -> Vec<(String, &Value)> {
    let changes: Vec<&Value> = row["changes"].as_array().into_iter().flatten().collect();
    let of = |column: &str| changes.iter().find(|change| change["column"] == column);
    let is_same = match (of("price_from"), of("price_to")) {
        (Some(from), Some(to)) => (&from["before"], &from["after"]) == (&to["before"], &to["after"]),
        _ => false,
    };
    let is_shown = |change: &&&Value| change["column"] != "code" && !(is_same && change["column"] == "price_from");
    let named = |change: &&Value| {
        let column = text(change, "column").unwrap_or_default();
        if is_same && column == "price_to" {
            words.say("change-set-price")
        } else {
            column_name(words, column)
        }
    };
    changes
        .iter()
        .filter(is_shown)
        .map(|change| (named(change), *change))
        .collect()
}

fn field(visit: &Visit, business: &Business, (resource, name): (&str, &str), change: &Value) -> Markup {
    let words = visit.words;
    let column = text(change, "column").unwrap_or_default();
    let side = |side: &str| (!change[side].is_null()).then(|| shown(visit, business, resource, column, &change[side]));
    let lines: Vec<&Value> = change["lines"].as_array().into_iter().flatten().collect();
    html! {
        dt { (name) @if let Some(key) = text(change, "key") { " " span.quiet { "(" (key) ")" } } }
        dd {
            @if !lines.is_empty() { (line_diff(business, &lines)) }
            @else {
                @if let Some(before) = side("before") { del { (before) } }
                @else { span.quiet { (words.say("change-set-nothing")) } }
                span.arrow aria-hidden="true" { " → " }
                @if let Some(after) = side("after") { ins { (after) } }
                @else { span.quiet { (words.say("change-set-nothing")) } }
                @if let Some(by) = difference(change) { " " span.quiet { "(" (prices::signed(words, by)) ")" } }
            }
        }
    }
}

/// Returns by how many percent an amount of money changes. `None` for columns without amounts of money.
fn difference(change: &Value) -> Option<Decimal> {
    let number = |side: &str| change[side].as_str()?.parse::<Decimal>().ok();
    let is_money = MONEY.contains(&text(change, "column")?);
    if is_money {
        prices::change(number("before")?, number("after")?)
    } else {
        None
    }
}

/// The differences between two texts, line by line.
fn line_diff(business: &Business, lines: &[&Value]) -> Markup {
    html! { pre.lines { code { @for line in lines {
        @let body = business.shown(text(line, "text").unwrap_or_default().trim_end_matches('\n'));
        @match (line["before"].is_null(), line["after"].is_null()) {
            (false, true) => del { "− " (body) "\n" },
            (true, false) => ins { "+ " (body) "\n" },
            _ => { "  " (body) "\n" },
        }
    } } } }
}

/// The name of a row.
pub fn row_title(visit: &Visit, business: &Business, resource: &str, code: &str) -> String {
    match resource {
        "contacts" => business.contact(code),
        "settings" => visit.words.say("change-set-settings"),
        _ => business.row_name(resource, code, visit.words.0.code()),
    }
}

pub fn column_name(words: Words, column: &str) -> String {
    let name = words.name("diff-column", column);
    if name == column { column.replace('_', " ") } else { name }
}

/// A value of a row in words.
pub fn shown(visit: &Visit, business: &Business, resource: &str, column: &str, value: &Value) -> String {
    let words = visit.words;
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => words.say(if *yes { "change-set-yes" } else { "change-set-no" }),
        Value::String(text) if MONEY.contains(&column) => {
            let settings = business.rows.settings.values().next();
            money(words, text, settings.map_or("", |stored| stored.row.currency.as_str()))
        }
        Value::String(text) if column == "rate" && resource == "taxes" => percent(words, text),
        Value::String(text) if column == "rate" => crate::locale::decimal(words, text),
        Value::String(text) if column == "offer" => words.name("offer", text),
        Value::String(text) if column == "kind" && resource == "adjustments" => words.name("kind", text),
        Value::String(text) => cut(&business.shown(text)),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => {
            let items = items.iter().map(|item| shown(visit, business, resource, "", item));
            cut(&items.collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| format!("{key}: {}", shown(visit, business, resource, "", value)));
            cut(&fields.collect::<Vec<_>>().join("; "))
        }
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONG {
        return text.to_owned();
    }
    let start: String = text.chars().take(LONG).collect();
    format!("{start} …")
}
