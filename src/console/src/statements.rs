//! Statements: the figures of each month of a year, or of each day of a month.

use chrono::{Datelike as _, NaiveDate};
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use poem::Response;
use poem::http::header;
use serde_json::Value;
use web::problem::Problem;

use crate::business::Business;
use crate::leads::text;
use crate::locale::{range, sum};
use crate::page::Frame;
use crate::routes::Address;
use crate::visit::{Answer, Visit};
use crate::{dates, locale};

pub const ADDRESSES: &[Address] = &[
    Address::get("/statements", show),
    Address::get("/statements.csv", sheet),
];

/// Shows the months of a year, the newest first, or the days of one month.
pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let (business, words) = (visit.business().await?, visit.words);
        let today = visit.times(business).today();
        let (title, main) = match month(visit)? {
            Some(first) => {
                let mut statement = read(visit, business, first).await?;
                let title = dates::month(words, first);
                let main = month_page(visit, &title, first, today, &mut statement);
                (title, main)
            }
            None => {
                let year = year(visit, today)?;
                let last = if year == today.year() { today.month() } else { 12 };
                let mut months = Vec::new();
                for first in (1..=last)
                    .rev()
                    .filter_map(|month| NaiveDate::from_ymd_opt(year, month, 1))
                {
                    let mut statement = read(visit, business, first).await?;
                    months.push((first, statement["total"].take()));
                }
                (words.say("statements"), year_page(visit, year, today, &months))
            }
        };
        Ok(Frame::new(visit, Some(business), title, "/today").page(&main))
    })
}

/// A month as CSV from the API.
pub fn sheet(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let first = month(visit)?.unwrap_or_else(|| visit.times(business).today());
        let mut inner = visit.sheet(&path(business, first), &[]).await?;
        let mut response = Response::builder().finish();
        for name in [header::CONTENT_TYPE, header::CONTENT_DISPOSITION] {
            if let Some(value) = inner.headers().get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        response.set_body(inner.take_body());
        Ok(response)
    })
}

fn path(business: &Business, first: NaiveDate) -> String {
    business.path(&format!("/statements/{}", first.format("%Y-%m")))
}

async fn read(visit: &Visit, business: &Business, first: NaiveDate) -> Result<Value, crate::refusal::Refusal> {
    visit.read(&path(business, first), &[]).await
}

/// The first day of the month that the URL names.
fn month(visit: &Visit) -> Result<Option<NaiveDate>, Problem> {
    let asked = visit.asked("month");
    if asked.is_empty() {
        return Ok(None);
    }
    let first = format!("{asked}-01").parse().ok().filter(|_| asked.len() == 7);
    let wrong = || Problem::invalid_parameter("month", "`month` must be a month, such as `2026-11`.");
    first.map(Some).ok_or_else(wrong)
}

fn year(visit: &Visit, today: NaiveDate) -> Result<i32, Problem> {
    let asked = visit.asked("year");
    if asked.is_empty() {
        return Ok(today.year());
    }
    let year = asked.parse().ok().filter(|year| (2000..=today.year()).contains(year));
    year.ok_or_else(|| Problem::invalid_parameter("year", "`year` must be a year that has begun."))
}

fn year_page(visit: &Visit, year: i32, today: NaiveDate, months: &[(NaiveDate, Value)]) -> Markup {
    let words = visit.words;
    let to = |year: i32| visit.link("/statements", &[("year", &year.to_string())]);
    html! {
        div.day-head {
            h1 { (words.say("statements")) " " (year) }
            nav.neighbours aria-label=(words.say("statements-years")) {
                a rel="prev" href=(to(year - 1)) { "← " (year - 1) }
                @if year < today.year() { a rel="next" href=(to(year + 1)) { (year + 1) " →" } }
            }
        }
        p.quiet { (words.say("statements-about")) }
        (grid(visit, "statements-month", months, |date| {
            let month = date.format("%Y-%m").to_string();
            html! { a href=(visit.link("/statements", &[("month", &month)])) { (dates::month(words, date)) } }
        }, None))
    }
}

fn month_page(visit: &Visit, title: &str, first: NaiveDate, today: NaiveDate, statement: &mut Value) -> Markup {
    let words = visit.words;
    let asked = first.format("%Y-%m").to_string();
    let before = first.pred_opt();
    let after = first
        .checked_add_months(chrono::Months::new(1))
        .filter(|after| *after <= today);
    let to = |date: NaiveDate| visit.link("/statements", &[("month", &date.format("%Y-%m").to_string())]);
    let total = statement["total"].take();
    let days: Vec<(NaiveDate, Value)> = match statement["days"].take() {
        Value::Array(days) => days
            .into_iter()
            .rev()
            .filter_map(|day| Some((text(&day, "date")?.parse().ok()?, day)))
            .collect(),
        _ => Vec::new(),
    };
    html! {
        div.day-head {
            h1 { (title) }
            nav.neighbours aria-label=(words.say("statements-months")) {
                @if let Some(before) = before { a rel="prev" href=(to(before)) { "← " (dates::month(words, before)) } }
                @if let Some(after) = after { a rel="next" href=(to(after)) { (dates::month(words, after)) " →" } }
                a href=(visit.link("/statements", &[("year", &first.year().to_string())])) { (words.say("statements-year")) }
            }
        }
        p.quiet { (words.say("statements-about")) }
        @if days.is_empty() { p.card.empty { (words.say("statements-future")) } }
        @else {
            (grid(visit, "statements-day", &days, |date| {
                let day = date.to_string();
                html! { a href=(visit.link("/today", &[("day", &day)])) { (dates::short_day(words, date)) } }
            }, Some(&total)))
        }
        p.pages { a href=(visit.link("/statements.csv", &[("month", &asked)])) download { (words.say("pages-csv")) } }
    }
}

/// A table with a row for each month or day, and the total if it is given.
fn grid(
    visit: &Visit,
    head: &str,
    rows: &[(NaiveDate, Value)],
    label: impl Fn(NaiveDate) -> Markup,
    total: Option<&Value>,
) -> Markup {
    let words = visit.words;
    html! { div.scroll tabindex="0" role="region" aria-label=(words.say("statements")) { table.grid.statement {
        thead { tr {
            th scope="col" { (words.say(head)) }
            @for key in ["calls", "statements-minutes", "statements-cost", "leads"] { th.number scope="col" { (words.say(key)) } }
            @for one in ["P1", "P2", "P3", "P4"] { th.number scope="col" { (one) } }
            @for key in ["today-late", "statements-sms", "statements-segments", "today-quoted"] {
                th.number scope="col" { (words.say(key)) }
            }
        } }
        tbody { @for (date, figures) in rows { tr { th scope="row" { (label(*date)) } (cells(visit, figures)) } } }
        @if let Some(total) = total { tfoot { tr { th scope="row" { (words.say("total")) } (cells(visit, total)) } } }
    } } }
}

fn cells(visit: &Visit, figures: &Value) -> Markup {
    let words = visit.words;
    let count = |path: &str| figures.pointer(path).and_then(Value::as_i64).unwrap_or_default();
    let number = |count: i64| html! { td.number { @if count == 0 { span.quiet { "0" } } @else { (locale::count(words, count)) } } };
    let cost = rust_decimal::Decimal::new(count("/cost_micros"), 6);
    let currency = text(figures, "currency").unwrap_or_default();
    html! {
        (number(count("/calls")))
        (number((count("/seconds") + 59) / 60))
        td.number { @if !cost.is_zero() { (sum(words, cost, "USD")) " " span.quiet { "US" } } @else { span.quiet { "0" } } }
        (number(count("/leads")))
        @for one in ["P1", "P2", "P3", "P4"] { (number(count(&format!("/leads_by_priority/{one}")))) }
        (number(count("/answered_late")))
        (number(count("/sms_messages")))
        (number(count("/segments")))
        td.number {
            @if count("/quoted_leads") > 0 && let Some((from, to)) = text(figures, "quoted_from").zip(text(figures, "quoted_to")) {
                (range(words, from, to, currency))
            } @else { span.quiet { "0" } }
        }
    }
}
