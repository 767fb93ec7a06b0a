//! Prices: services and adjustments as one table. People who may change rules type new prices into the fields of the
//! table. Saving the new prices opens a change set, or adds them to an open change set. People who may not change rules
//! can only read the prices.

mod amount;
mod fill;
mod form;
mod guards;
mod read_only;
mod sheet;
mod submit;
mod table;

use admin::auth::Role;
use futures_util::future::BoxFuture;
use maud::html;
use poem::http::StatusCode;
use serde_json::{Value, json};

use crate::address::segment;
use crate::board::items;
use crate::business::Business;
use crate::page::{self, Frame};
use crate::prices::form::{Note, PriceInput};
use crate::prices::guards::Guards;
use crate::prices::sheet::{PriceRow, lines, pending, typed_lines};
use crate::refusal::Refusal;
use crate::routes::Address;
use crate::visit::{Answer, Visit};

pub use self::amount::change;
pub use self::table::{signed, signed_sum};

pub const ADDRESSES: &[Address] = &[Address::both("/prices", show, act)];

/// A change is tested on the calls of this many past days.
const TEST_DAYS: i64 = 30;

/// The data of the page in addition to the current rows.
pub struct PriceContext {
    guards: Guards,
    /// The change set to which the page adds changes.
    set: Option<Value>,
    /// The newest open change set of the person.
    own: Option<Value>,
}

pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        if !visit.may(Role::Editor) {
            return Ok(readable(visit, business));
        }
        let ground = ground(visit, business).await?;
        let pending = ground.set.as_ref().map(pending).unwrap_or_default();
        let lines = lines(visit.words, business, &pending);
        Ok(form::page(visit, business, &ground, &PriceInput::new(lines)))
    })
}

/// Fills in fields, or saves the input.
pub fn act(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let ground = ground(visit, business).await?;
        let pending = ground.set.as_ref().map(pending).unwrap_or_default();
        let mut typed = PriceInput::of(visit, typed_lines(visit, business, &pending));
        match visit.sent("do") {
            "save" | "try" => {
                if let Some(problem) = typed.problem() {
                    typed.notes.push(problem);
                } else {
                    match saved(visit, business, &ground, &typed).await {
                        Ok(id) => return Ok(page::see(&visit.link(&format!("/change-sets/{}", segment(&id)), &[]))),
                        Err(refusal) => typed.refused(refusal)?,
                    }
                }
            }
            "paste" => typed.paste(visit.words, business),
            _ => typed.raise(visit.words),
        }
        let mut response = form::page(visit, business, &ground, &typed);
        if typed.notes.iter().any(|note| note.is_fault) {
            response.set_status(StatusCode::UNPROCESSABLE_ENTITY);
        }
        Ok(response)
    })
}

/// Saves the changes and, if the person wants it, starts a backtest.
async fn saved(
    visit: &Visit,
    business: &Business,
    ground: &PriceContext,
    typed: &PriceInput,
) -> Result<String, Refusal> {
    let id = match &ground.set {
        Some(set) => submit::add(visit, business, &typed.lines, set).await?,
        None => submit::open(visit, business, &typed.lines, &typed.comment).await?,
    };
    if visit.sent("do") == "try" {
        let body = json!({ "change_set": id, "days": TEST_DAYS });
        // If the backtest cannot start because of a client error, the page of the change set still opens.
        if let Err(refusal) = visit.post(&business.path("/backtests"), Some(&body)).await
            && refusal.status.is_server_error()
        {
            return Err(refusal);
        }
    }
    Ok(id)
}

async fn ground(visit: &Visit, business: &Business) -> Result<PriceContext, Refusal> {
    let chosen = visit.asked("change_set");
    let set = if chosen.is_empty() {
        None
    } else {
        let path = format!("/change-sets/{}", segment(chosen));
        let set = visit.read(&business.path(&path), &[]).await?;
        if !matches!(set["state"].as_str(), Some("open" | "refused")) {
            return Err(Refusal::plain(StatusCode::CONFLICT));
        }
        Some(set)
    };
    let own = if set.is_some() {
        None
    } else {
        let pairs = [("state", "open"), ("limit", "50")];
        let open = items(visit.read(&business.path("/change-sets"), &pairs).await?);
        open.into_iter().find(|set| set["author"] == visit.key.name.as_str())
    };
    let guards = Guards::of(visit, business).await?;
    Ok(PriceContext { guards, set, own })
}

fn readable(visit: &Visit, business: &Business) -> poem::Response {
    let words = visit.words;
    let currency = table::currency_of(business);
    let main = html! {
        h1 { (words.say("prices")) }
        p.quiet { (words.say("prices-read-only")) }
        (read_only::tables(visit, business, &currency))
        (read_only::taxes(visit, business))
    };
    Frame::new(visit, Some(business), words.say("prices"), "/prices").page(&main)
}

impl PriceInput {
    /// A note if the input cannot be saved yet.
    fn problem(&self) -> Option<Note> {
        let faults = self
            .lines
            .iter()
            .flat_map(|line| &line.fields)
            .filter(|field| field.fault.is_some())
            .count();
        if faults > 0 {
            return Some(Note::fault("prices-faults", faults));
        }
        let clashes = self.lines.iter().filter(|line| line.clash.is_some()).count();
        if clashes > 0 {
            return Some(Note::fault("prices-clashes", clashes));
        }
        let is_idle = self.lines.iter().all(|line: &PriceRow| line.patch().is_none());
        is_idle.then(|| Note::fault("prices-nothing", 0))
    }

    /// Shows errors of the admin API beside their fields if possible, otherwise above the table.
    fn refused(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        match refusal.status {
            StatusCode::PRECONDITION_FAILED | StatusCode::PRECONDITION_REQUIRED => {
                self.notes.push(Note::fault("prices-moved", 0));
            }
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT | StatusCode::PAYLOAD_TOO_LARGE => {
                let is_placed = submit::place_faults(&mut self.lines, &refusal);
                self.notes.push(Note::fault("prices-refused", 0));
                if !is_placed {
                    self.detail = refusal.detail;
                }
            }
            _ => return Err(refusal),
        }
        Ok(())
    }
}
