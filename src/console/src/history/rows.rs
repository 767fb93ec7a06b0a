//! The rows that differ between two revisions, by resource, each with its changed fields.

use maud::{Markup, html};
use serde_json::Value;

use super::lines::name;
use crate::business::Business;
use crate::leads::text;
use crate::visit::Visit;

/// Maximum number of rows that are shown. For further rows, only their number is shown.
const MAX_ROWS: usize = 100;
/// If there are more rows than this, new and deleted rows are shown without their fields.
const MAX_WHOLE: usize = 12;
/// Maximum number of characters of a value. Longer values are cut.
const MAX_LETTERS: usize = 300;

pub fn differences(visit: &Visit, business: &Business, rows: &[Value]) -> Markup {
    let words = visit.words;
    let shown = rows.get(..rows.len().min(MAX_ROWS)).unwrap_or_default();
    let mut resources: Vec<&str> = Vec::new();
    for resource in shown.iter().filter_map(|row| text(row, "resource")) {
        if !resources.contains(&resource) {
            resources.push(resource);
        }
    }
    html! {
        @if rows.is_empty() { p.card.empty { (words.say("history-same")) } }
        @for resource in resources {
            @let own: Vec<&Value> = shown.iter().filter(|row| text(row, "resource") == Some(resource)).collect();
            section.differs {
                h2 { (words.count(&format!("revised-{resource}"), own.len())) }
                @for row in own { (difference(visit, business, resource, row, rows.len() <= MAX_WHOLE)) }
            }
        }
        @if rows.len() > MAX_ROWS { p.quiet { (words.count("history-more-rows", rows.len() - MAX_ROWS)) } }
    }
}

fn difference(visit: &Visit, business: &Business, resource: &str, row: &Value, whole: bool) -> Markup {
    let words = visit.words;
    let (code, what) = (
        text(row, "code").unwrap_or_default(),
        text(row, "what").unwrap_or_default(),
    );
    let changes: Vec<&Value> = row["changes"].as_array().into_iter().flatten().collect();
    html! { article.card {
        div.row-head {
            h3 { (name(visit, business, resource, code)) }
            span.change.(what) { (words.name("revised", what)) }
            code.quiet { (code) }
        }
        @if what == "changed" || whole {
            div.scroll tabindex="0" role="region" aria-label=(code) { table.grid.fields {
                thead { tr {
                    th scope="col" { (words.say("history-field")) }
                    th scope="col" { (words.say("history-before")) }
                    th scope="col" { (words.say("history-after")) }
                } }
                tbody { @for change in changes { (field(business, change)) } }
            } }
        }
    } }
}

fn field(business: &Business, change: &Value) -> Markup {
    let lines: Vec<&Value> = change["lines"].as_array().into_iter().flatten().collect();
    html! { tr {
        th scope="row" {
            (text(change, "column").unwrap_or_default().replace('_', " "))
            @if let Some(key) = text(change, "key") { " " span.tag { (business.shown(key)) } }
        }
        @if lines.is_empty() {
            td.gone { (value(business, &change["before"])) }
            td.new { (value(business, &change["after"])) }
        } @else {
            td colspan="2" { pre.lines { @for line in lines { (self::line(business, line)) } } }
        }
    } }
}

fn line(business: &Business, line: &Value) -> Markup {
    let said = business.shown(text(line, "text").unwrap_or_default());
    let said = said.trim_end_matches('\n');
    match (line["before"].is_null(), line["after"].is_null()) {
        (false, true) => html! { del { "− " (said) } "\n" },
        (true, false) => html! { ins { "+ " (said) } "\n" },
        _ => html! { span { "  " (said) } "\n" },
    }
}

/// Formats a value for people: a list with commas, a boolean as a symbol, a string without quotes.
pub fn value(business: &Business, value: &Value) -> Markup {
    let said = match value {
        Value::Null => return html! { span.quiet { "–" } },
        Value::String(text) if text.is_empty() => return html! { span.quiet { "–" } },
        Value::String(text) => text.clone(),
        Value::Bool(true) => "✓".to_owned(),
        Value::Bool(false) => "✗".to_owned(),
        Value::Array(values) if values.is_empty() => return html! { span.quiet { "–" } },
        Value::Array(values) if values.iter().all(Value::is_string) => {
            values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    let said = business.shown(&said);
    let short: String = said.chars().take(MAX_LETTERS).collect();
    html! { (short) @if short.len() < said.len() { "…" } }
}
