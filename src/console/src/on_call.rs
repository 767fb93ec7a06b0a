//! The on-call page: the shifts, holidays and gaps of a month, with forms to replace somebody, swap two shifts or name
//! a holiday.
//!
//! Each day and shift in the calendar is a link. The parameters of the link fill in the forms, so that the page works
//! without scripts. Changes are published immediately, as changes of rule rows.

mod change;
mod dates;
mod feeds;
mod fields;
mod forms;
mod grid;
mod holiday;
mod lists;
mod messages;
mod now;
mod roster;

use futures_util::future::BoxFuture;
use maud::html;
use poem::http::StatusCode;

use crate::page::Frame;
use crate::routes::Address;
use crate::visit::{Answer, Visit};

use self::messages::{FormOutcome, View};

pub const ADDRESSES: &[Address] = &[
    Address::get("/on-call", show),
    Address::post("/on-call/replace", change::replace),
    Address::post("/on-call/swap", change::swap),
    Address::post("/on-call/remove", change::remove),
    Address::post("/on-call/holiday", holiday::add),
    Address::post("/on-call/holiday/remove", holiday::remove),
    Address::post("/on-call/feeds", feeds::make),
    Address::post("/on-call/feeds/:id/revoke", feeds::revoke),
];

/// The path of the page below `/console`.
const PLACE: &str = "/on-call";

fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(page(visit, FormOutcome::default()))
}

/// The page, with the result of a form.
async fn page(visit: &Visit, outcome: FormOutcome) -> Answer {
    let business = visit.business().await?;
    let status = outcome.status();
    let view = View::open(visit, business, outcome).await?;
    let words = visit.words;
    let main = html! {
        h1 { (words.say("on-call")) }
        (view.notice())
        (now::card(&view))
        div.on-call[view.may_change] {
            section.calendar aria-labelledby="month" {
                (grid::head(&view))
                (grid::month(&view))
            }
            @if view.may_change { (forms::all(&view)) }
        }
        (lists::overrides(&view))
        (feeds::section(&view))
    };
    let frame = Frame::new(visit, Some(business), words.say("on-call"), PLACE).script("/console/on_call.js");
    let mut response = frame.page(&main);
    if let Some(status) = status {
        response.set_status(status);
    }
    Ok(response)
}

/// The status of the response to a form with wrong input.
const REFUSED: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
