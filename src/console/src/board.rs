//! The board: leads of callers who wait for a call back, the most urgent first, and leads that somebody acknowledged.

use admin::auth::Role;
use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use poem::http::{StatusCode, header};
use serde_json::Value;
use web::conditional::{CachedTags, Keep, tagged, to_get};

use crate::business::Business;
use crate::leads::{self, RecentSms};
use crate::page::{self, Frame};
use crate::refusal::Refusal;
use crate::routes::Address;
use crate::visit::{Answer, Visit};

pub const ADDRESSES: &[Address] = &[Address::get("/", show)];

/// Number of days that the board shows. Older leads are in the list of leads.
const DAYS: i64 = 7;
/// Maximum number of leads per query.
const MAX_LEADS: &str = "100";
/// Maximum number of acknowledged leads.
const MAX_ACKNOWLEDGED: &str = "10";

/// Shows the board. If the page's script asks for a refresh, the response is only the main part.
pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let main = main(visit, business).await?;
        let part = page::answer(&visit.request, StatusCode::OK, &main);
        if visit.asked("part") == "main" {
            return Ok(to_get(&CachedTags::of(&visit.request), Keep::Never, part).await);
        }
        // The page's script requests this part again and sends the part's ETag. Usually the part has not changed.
        let part = tagged(part).await;
        let tag = part.header(header::ETAG).unwrap_or_default();
        let live = visit.link("", &[("part", "main")]);
        let frame = Frame::new(visit, Some(business), visit.words.say("board"), "").live(&live, tag);
        Ok(frame.page(&main))
    })
}

async fn main(visit: &Visit, business: &Business) -> Result<Markup, Refusal> {
    let words = visit.words;
    let open = open_leads(visit, business).await?;
    let taken = taken_leads(visit, business).await?;
    let sent = RecentSms::of_week(visit, business, &since(visit, business, DAYS - 1)).await?;
    let urgent = open.iter().filter(|lead| lead["priority"] == "P1").count();
    let rest = open.len() - urgent;
    let may_take = visit.may(Role::Dispatcher);
    let card = |lead: &Value| leads::card(visit, business, &sent, lead, may_take);
    Ok(html! {
        h1 data-urgent=(urgent) { (words.say("board")) }
        @if open.is_empty() { p.card.empty { (words.say("board-empty")) } }
        @if urgent > 0 {
            h2.urgent { (words.count("board-urgent", urgent)) }
            div.cards { @for lead in open.iter().take(urgent) { (card(lead)) } }
        }
        @if rest > 0 {
            h2 { (words.count("board-open", rest)) }
            div.cards { @for lead in open.iter().skip(urgent) { (card(lead)) } }
        }
        @if !taken.is_empty() {
            h2 { (words.say("board-taken")) }
            ul.taken { @for lead in &taken { li { (leads::taken_line(visit, business, lead)) } } }
        }
        p.quiet { (words.say("board-about")) " " a href=(visit.link("/leads", &[])) { (words.say("leads")) } }
    })
}

/// The date `days` days ago in the time zone of the business, in the format of the API.
fn since(visit: &Visit, business: &Business, days: i64) -> String {
    let times = visit.times(business);
    let day = times.now.with_timezone(&times.zone).date_naive() - TimeDelta::days(days);
    day.to_string()
}

/// The leads that nobody acknowledged, sorted by priority. Leads of the same priority are sorted newest first.
async fn open_leads(visit: &Visit, business: &Business) -> Result<Vec<Value>, Refusal> {
    let (path, since) = (business.path("/leads"), since(visit, business, DAYS - 1));
    let usual = [("acknowledged", "false"), ("since", &since), ("limit", MAX_LEADS)];
    let urgent = visit
        .read(&path, &[usual[0], usual[1], usual[2], ("priority", "P1")])
        .await?;
    let all = visit.read(&path, &usual).await?;
    let mut leads = items(urgent);
    leads.extend(items(all).into_iter().filter(|lead| lead["priority"] != "P1"));
    // The sort is stable, so leads of the same priority stay sorted newest first.
    leads.sort_by_key(|lead| lead["priority"].as_str().unwrap_or("P9").to_owned());
    Ok(leads)
}

async fn taken_leads(visit: &Visit, business: &Business) -> Result<Vec<Value>, Refusal> {
    let since = since(visit, business, 1);
    let pairs = [("acknowledged", "true"), ("since", &since), ("limit", MAX_ACKNOWLEDGED)];
    Ok(items(visit.read(&business.path("/leads"), &pairs).await?))
}

/// The items of one page of a list.
pub fn items(mut page: Value) -> Vec<Value> {
    match page["items"].take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}
