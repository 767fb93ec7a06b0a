//! The backtest of a change set: the form that starts it, its progress, and its result.

use admin::auth::Role;
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::address::segment;
use crate::board::items;
use crate::business::Business;
use crate::change_sets::numbers::{call_link, count, decimal};
use crate::change_sets::parts::{fields, link};
use crate::change_sets::{bars, picture};
use crate::leads::text;
use crate::locale::range;
use crate::prices::signed_sum;
use crate::refusal::Refusal;
use crate::visit::Visit;

/// To find the newest backtest of the change set, at most this many backtests are searched.
const MAX_SEARCHED: &str = "50";
/// The spans of days to choose from.
const DAYS: [&str; 4] = ["7", "30", "90", "365"];
const USUAL_DAYS: &str = "30";

/// The newest backtest of a change set.
pub async fn newest(visit: &Visit, business: &Business, set: &Value) -> Result<Option<Value>, Refusal> {
    let list = visit
        .read(&business.path("/backtests"), &[("limit", MAX_SEARCHED)])
        .await?;
    let list = items(list);
    let Some(id) = list
        .iter()
        .find(|one| one["wanted"]["change_set"] == set["id"])
        .and_then(|one| text(one, "id"))
    else {
        return Ok(None);
    };
    let path = format!("/backtests/{}", segment(id));
    visit.read(&business.path(&path), &[]).await.map(Some)
}

/// The part of the page that shows the backtest. A script reloads this part while the backtest runs.
pub fn part(visit: &Visit, business: &Business, set: &Value, backtest: Option<&Value>) -> Markup {
    let words = visit.words;
    let is_over = matches!(set["state"].as_str(), Some("published" | "discarded"));
    let Some(found) = backtest else {
        return html! {
            p { (words.say(if is_over { "change-set-test-never" } else { "change-set-test-none" })) }
            @if !is_over { (form(visit, set, true)) }
        };
    };
    match found["state"].as_str().unwrap_or_default() {
        "queued" | "running" => running(visit, set, found),
        state => html! {
            @if state != "done" {
                p.note.bad { (words.name("test-state", state)) }
                @if let Some(error) = text(found, "error") { p.quiet lang="en" { (business.shown(error)) } }
            }
            @if set["state"] == "open" && instant(found, "created_at") < instant(set, "updated_at") {
                p.note.warn { (words.say("change-set-test-old")) }
            }
            @if found["result"].is_object() { (result(visit, business, set, found, is_over)) }
            @if !is_over { details.again {
                summary { (words.say("change-set-test-again")) }
                (form(visit, set, false))
            } }
        },
    }
}

fn instant(value: &Value, name: &str) -> Option<DateTime<Utc>> {
    text(value, name)?.parse().ok()
}

fn running(visit: &Visit, set: &Value, found: &Value) -> Markup {
    let words = visit.words;
    let percent = found["percent"].to_string();
    let count = usize::try_from(found["looked_at"].as_u64().unwrap_or_default()).unwrap_or_default();
    html! { div data-running {
        p role="status" { (words.count("change-set-test-running", count)) }
        progress max="100" value=(percent) aria-label=(words.say("change-set-test-progress")) { (percent) " %" }
        @if visit.may(Role::Editor) { form method="post" action=(link(visit, set, &[])) {
            (fields(visit, set))
            input type="hidden" name="backtest" value=(text(found, "id").unwrap_or_default());
            button.small #stop type="submit" name="do" value="stop" { (words.say("change-set-test-stop")) }
        } }
        noscript { p { a href=(link(visit, set, &[])) { (words.say("change-set-test-reload")) } } }
    } }
}

fn form(visit: &Visit, set: &Value, is_first: bool) -> Markup {
    let words = visit.words;
    html! { @if visit.may(Role::Editor) { form.percent method="post" action=(link(visit, set, &[])) {
        (fields(visit, set))
        div.field {
            label for="days" { (words.say("change-set-test-days")) }
            select #days name="days" { @for days in DAYS {
                option value=(days) selected[days == USUAL_DAYS] { (words.say_of("change-set-test-span", &[("days", days)])) }
            } }
        }
        label.check { input type="checkbox" name="simulated" value="1"; " " (words.say("change-set-test-simulated")) }
        button.(if is_first { "main" } else { "" }) type="submit" name="do" value="test" { (words.say("change-set-test-start")) }
    } } }
}

fn result(visit: &Visit, business: &Business, set: &Value, found: &Value, is_over: bool) -> Markup {
    let (words, times, result) = (visit.words, visit.times(business), &found["result"]);
    let calls = count(result, "calls");
    html! {
        p.quiet {
            (words.count("change-set-test-calls", calls)) " · " (words.say("change-set-test-since")) " "
            (times.at(text(&found["wanted"], "from"))) " · "
            (words.say_of("change-set-test-by", &[("who", &business.shown(text(found, "author").unwrap_or_default()))]))
            ", " (times.at(text(found, "created_at")))
        }
        @if calls == 0 {
            p { (words.say("change-set-test-no-calls")) }
            @if !is_over && visit.may(Role::Editor) { form method="post" action=(link(visit, set, &[])) {
                (fields(visit, set))
                input type="hidden" name="days" value=(USUAL_DAYS);
                input type="hidden" name="simulated" value="1";
                button type="submit" name="do" value="test" { (words.say("change-set-test-include")) }
            } }
        } @else {
            (tiles(visit, result))
            (picture::scatter(visit, business, result))
            (bars::table(visit, business, result))
            (lists(visit, result))
            (table(visit, business, result))
        }
    }
}

/// The most important numbers of the result.
fn tiles(visit: &Visit, result: &Value) -> Markup {
    let words = visit.words;
    let texts = &result["texts"];
    let moved: usize = result["moves"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| count(one, "count"))
        .sum();
    html! { dl.tiles {
        @for money in result["money"].as_array().into_iter().flatten() {
            @let currency = text(money, "currency").unwrap_or_default();
            @let change = (decimal(money, "change_from") + decimal(money, "change_to")) / Decimal::TWO;
            div { dt { (words.say("change-set-dearer")) } dd { (count(money, "dearer")) } }
            div { dt { (words.say("change-set-cheaper")) } dd { (count(money, "cheaper")) } }
            div { dt { (words.say("change-set-sum")) } dd { (signed_sum(words, change, currency)) } }
        }
        div { dt { (words.say("change-set-priorities-moved")) } dd { (moved) } }
        div {
            dt { (words.say("messages")) }
            dd { (count(texts, "before")) " → " (count(texts, "after")) }
        }
    } }
}

/// Lists the changed priorities, and the calls that lose or gain a service or a price.
fn lists(visit: &Visit, result: &Value) -> Markup {
    let words = visit.words;
    let moves: Vec<&Value> = result["moves"].as_array().into_iter().flatten().collect();
    let texts = &result["texts"];
    let others = [
        ("change-set-lost-service", &result["lost_service"]),
        ("change-set-gained-service", &result["gained_service"]),
        ("change-set-lost-price", &result["lost_price"]),
        ("change-set-gained-price", &result["gained_price"]),
    ];
    html! { ul.outcomes {
        @for one in moves { li {
            (words.say_of("change-set-move", &[
                ("from", text(one, "from").unwrap_or_default()), ("to", text(one, "to").unwrap_or_default()),
            ])) ": " (words.count("change-set-calls", count(one, "count"))) " " (calls(visit, one))
        } }
        @if count(texts, "calls_with_more") > 0 { li {
            (words.say("change-set-more-messages")) ": " (words.count("change-set-calls", count(texts, "calls_with_more")))
        } }
        @if count(texts, "calls_with_fewer") > 0 { li {
            (words.say("change-set-fewer-messages")) ": " (words.count("change-set-calls", count(texts, "calls_with_fewer")))
        } }
        @for (key, listed) in others { @if count(listed, "count") > 0 { li {
            (words.say(key)) ": " (words.count("change-set-calls", count(listed, "count"))) " " (calls(visit, listed))
        } } }
    } }
}

/// Links to the first calls of a list.
fn calls(visit: &Visit, listed: &Value) -> Markup {
    let ids = listed["calls"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    html! { @for (place, id) in ids.take(3).enumerate() {
        @if place > 0 { ", " }
        a href=(call_link(visit, id)) { (short(id)) }
    } }
}

/// An id, shortened for the text of a link.
fn short(id: &str) -> String {
    let start: String = id.chars().take(8).collect();
    if start.len() < id.len() {
        format!("{start}…")
    } else {
        start
    }
}

/// The calls with the largest changes: service, price and priority before and after the change.
fn table(visit: &Visit, business: &Business, result: &Value) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let calls: Vec<&Value> = result["most_changed"].as_array().into_iter().flatten().collect();
    html! { @if !calls.is_empty() {
        h3 { (words.say("change-set-most")) }
        div.scroll tabindex="0" role="region" aria-label=(words.say("change-set-most")) { table.grid.most {
            thead { tr {
                th scope="col" { (words.say("call")) }
                th scope="col" { (words.say("service")) }
                th.number scope="col" { (words.say("change-set-before")) }
                th.number scope="col" { (words.say("change-set-after")) }
                th scope="col" { (words.say("urgency")) }
            } }
            tbody { @for call in calls { tr {
                th scope="row" { @match text(call, "call_id") {
                    Some(id) => a href=(call_link(visit, id)) { (times.at(text(call, "at"))) },
                    None => (times.at(text(call, "at"))),
                } }
                td { (service(visit, business, call)) }
                td.number { (price(visit, &call["before"])) }
                td.number { (price(visit, &call["after"])) }
                td { (change(call, "priority")) }
            } } }
        } }
    } }
}

fn service(visit: &Visit, business: &Business, call: &Value) -> String {
    let name =
        |side: &str| text(&call[side], "service").map(|code| business.row_name("services", code, visit.words.0.code()));
    match (name("before"), name("after")) {
        (before, after) if before == after => after.unwrap_or_else(|| visit.words.say("unknown-service")),
        (before, after) => {
            let named = |name: Option<String>| name.unwrap_or_else(|| visit.words.say("unknown-service"));
            format!("{} → {}", named(before), named(after))
        }
    }
}

fn price(visit: &Visit, side: &Value) -> String {
    match (text(side, "from"), text(side, "to"), text(side, "currency")) {
        (Some(from), Some(to), Some(currency)) => range(visit.words, from, to, currency),
        _ => visit.words.say("no-price"),
    }
}

fn change(call: &Value, name: &str) -> String {
    let (before, after) = (text(&call["before"], name), text(&call["after"], name));
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    if before == after {
        after.to_owned()
    } else {
        format!("{before} → {after}")
    }
}
