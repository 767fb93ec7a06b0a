//! Code that the lists share: filters, pages, and the link to the CSV.

use admin::auth::Role;
use chrono::TimeDelta;
use maud::{Markup, html};
use serde_json::Value;

use crate::board::items;
use crate::business::Business;
use crate::page::Frame;
use crate::visit::{Answer, Visit};

/// Number of rows per page.
const PAGE_SIZE: &str = "30";
/// A search with at least this many digits is a search for a phone number.
const MIN_DIGITS: usize = 8;
const PRIORITIES: [&str; 4] = ["P1", "P2", "P3", "P4"];
/// The fields to search in, and the message keys of their names.
static PLACES: [(&str, &str); 3] = [
    ("", "search-name"),
    ("address", "search-address"),
    ("words", "search-words"),
];
/// The time ranges to choose from, and the message keys of their names.
const SPANS: [(&str, &str); 4] = [
    ("", "days-all"),
    ("today", "days-today"),
    ("yesterday", "days-yesterday"),
    ("week", "days-week"),
];

/// The properties of a list page.
pub struct List {
    /// The path of the list, both in the console and below the rulebook in the API.
    pub path: &'static str,
    /// The message key of the list's name.
    pub title: &'static str,
    /// The key of the message that is shown if the list is empty.
    pub empty: &'static str,
    /// Whether the list can be filtered by priority.
    pub priorities: bool,
}

/// The person's filters, as parameters of the API.
pub fn filters(visit: &Visit, business: &Business, list: &List) -> Vec<(&'static str, String)> {
    let mut filters: Vec<_> = search(visit).into_iter().collect();
    let priority = visit.asked("priority");
    if list.priorities && !priority.is_empty() {
        filters.push(("priority", priority.to_owned()));
    }
    let (day, span) = (visit.asked("day"), visit.asked("days"));
    if !day.is_empty() {
        filters.push(("since", day.to_owned()));
        filters.push(("until", day.to_owned()));
    } else if span == "week" {
        let times = visit.times(business);
        let day = times.now.with_timezone(&times.zone).date_naive() - TimeDelta::days(6);
        filters.push(("since", day.to_string()));
    } else if !span.is_empty() {
        filters.push(("since", span.to_owned()));
        filters.push(("until", span.to_owned()));
    }
    filters
}

/// The person's search, as a parameter of the API.
pub fn search(visit: &Visit) -> Option<(&'static str, String)> {
    let search = visit.asked("q");
    (!search.is_empty()).then(|| (searched(visit, search), search.to_owned()))
}

/// The name of the API parameter for a search: `customer_number` if the search looks like a phone number, otherwise the
/// field that the person chose.
fn searched(visit: &Visit, search: &str) -> &'static str {
    let digits = search.chars().filter(char::is_ascii_digit).count();
    let is_number = search.chars().all(|c| c.is_ascii_digit() || " +-().".contains(c));
    if is_number && digits >= MIN_DIGITS {
        "customer_number"
    } else {
        match visit.asked("in") {
            "address" => "address",
            "words" => "words",
            _ => "customer_name",
        }
    }
}

/// A page of a list; `row` renders each row.
pub async fn show(
    visit: &Visit,
    business: &Business,
    list: &List,
    row: fn(&Visit, &Business, &Value) -> Markup,
) -> Answer {
    let words = visit.words;
    let filters = filters(visit, business, list);
    let mut pairs: Vec<(&str, &str)> = filters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    pairs.extend([("limit", PAGE_SIZE), ("cursor", visit.asked("cursor"))]);
    let mut page = visit.read(&business.path(list.path), &pairs).await?;
    let next = page["next_cursor"].take();
    let rows = items(page);
    let main = html! {
        h1 { (words.say(list.title)) }
        (filter_form(visit, list))
        @if rows.is_empty() { div.card.empty { p { (words.say(list.empty)) } (elsewhere(visit, list.path)) } }
        @else { ul.rows { @for one in &rows { (row(visit, business, one)) } } }
        (pages(visit, list, next.as_str()))
    };
    let frame = Frame::new(visit, Some(business), words.say(list.title), list.path);
    Ok(frame.page(&main))
}

/// The filters of the URL, without the cursor of the page.
fn kept(visit: &Visit) -> Vec<(&'static str, &str)> {
    let names = ["q", "in", "priority", "days", "day", "state"];
    names.into_iter().map(|name| (name, visit.asked(name))).collect()
}

/// The links to older rows, to the newest rows and to the CSV.
pub fn pages(visit: &Visit, list: &List, next: Option<&str>) -> Markup {
    let words = visit.words;
    let kept = kept(visit);
    html! { nav.pages aria-label=(words.say("pages")) {
        @if !visit.asked("cursor").is_empty() {
            a href=(visit.link(list.path, &kept)) { (words.say("pages-newest")) }
        }
        @if let Some(next) = next {
            a rel="next" href=(visit.link(list.path, &[kept.as_slice(), &[("cursor", next)]].concat())) {
                (words.say("pages-older"))
            }
        }
        @if list.path != "/messages" {
            a href=(visit.link(&format!("{}.csv", list.path), &kept)) download { (words.say("pages-csv")) }
        }
    } }
}

fn filter_form(visit: &Visit, list: &List) -> Markup {
    let words = visit.words;
    html! { form.filters method="get" action={ "/console" (list.path) } role="search" {
        @if !visit.asked("rulebook").is_empty() {
            input type="hidden" name="rulebook" value=(visit.asked("rulebook"));
        }
        (search_fields(visit))
        (day_fields(visit))
        @if list.priorities { div.field {
            label for="priority" { (words.say("priority")) }
            select #priority name="priority" {
                option value="" { (words.say("all")) }
                @for one in PRIORITIES { option selected[visit.asked("priority") == one] { (one) } }
            }
        } }
        button type="submit" { (words.say("filter")) }
    } }
}

/// Renders the search box, and the choice of the field to search in.
pub fn search_fields(visit: &Visit) -> Markup {
    let words = visit.words;
    html! {
        div.field.wide {
            label for="q" { (words.say("search")) }
            input #q name="q" type="search" value=(visit.asked("q")) maxlength="200"
                placeholder=(words.say("search-example"));
        }
        div.field {
            label for="in" { (words.say("search-in")) }
            select #in name="in" { @for (value, key) in places(visit) {
                option value=(value) selected[visit.asked("in") == *value] { (words.say(key)) }
            } }
        }
    }
}

/// The fields that the person may search. Transcripts may contain phone numbers, so viewers may not search them.
fn places(visit: &Visit) -> &'static [(&'static str, &'static str)] {
    let all = if visit.may(Role::Dispatcher) || visit.may(Role::Owner) {
        3
    } else {
        2
    };
    PLACES.get(..all).unwrap_or(&PLACES)
}

/// Renders links that repeat the search in the fields that the person did not choose.
pub fn elsewhere(visit: &Visit, path: &str) -> Markup {
    let (words, search) = (visit.words, visit.asked("q"));
    html! { @if !search.is_empty() { p {
        @for (value, key) in places(visit).iter().filter(|(value, _)| *value != visit.asked("in")) {
            a href=(visit.link(path, &[("q", search), ("in", *value), ("day", visit.asked("day")), ("days", visit.asked("days"))])) {
                (words.say_of("search-elsewhere", &[("place", &words.say(key))]))
            } " "
        }
    } } }
}

/// The choice of days.
pub fn day_fields(visit: &Visit) -> Markup {
    let words = visit.words;
    html! {
        div.field {
            label for="days" { (words.say("days")) }
            select #days name="days" { @for (value, key) in SPANS {
                option value=(value) selected[visit.asked("days") == value] { (words.say(key)) }
            } }
        }
        div.field {
            label for="day" { (words.say("day")) }
            input #day name="day" type="date" value=(visit.asked("day"));
        }
    }
}
