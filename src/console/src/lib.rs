//! The console: pages for owners, dispatchers and technicians, in French and English.
//!
//! A page calls the operations of the admin API in this process ([`api`]) and renders their JSON, so that roles, masking,
//! limits and the audit log hold alike. [`login`] exchanges an API key for a session ([`session`]); every form carries a
//! token of that session ([`csrf`]). It must never read or write a rule, a call or a lead by a query of its own.

mod address;
mod api;
mod assets;
mod board;
mod business;
mod call;
mod calls;
mod csrf;
mod csv;
mod highlight;
mod leads;
mod lists;
mod locale;
mod login;
mod message;
mod messages;
mod page;
mod prices;
mod receipt;
mod refusal;
mod session;
mod signed;
mod state;
mod visit;
mod words;

use std::sync::Arc;

use admin::AdminState;
use poem::endpoint::BoxEndpoint;
use poem::http::StatusCode;
use poem::{Endpoint, EndpointExt as _, Request, Response, Route, get, post};

use crate::refusal::Refusal;
use crate::signed::Signed;
use crate::state::Console;
use crate::visit::Page;
use crate::words::Words;

/// The addresses under `/console` and their methods, for `Allow`.
pub const ADDRESSES: [(&str, &str); 17] = [
    ("/console", "GET"),
    ("/console/login", "GET, POST"),
    ("/console/logout", "POST"),
    ("/console/language", "POST"),
    ("/console/leads", "GET"),
    ("/console/leads.csv", "GET"),
    ("/console/leads/:id/take", "POST"),
    ("/console/calls", "GET"),
    ("/console/calls.csv", "GET"),
    ("/console/calls/:id", "GET"),
    ("/console/messages", "GET"),
    ("/console/messages/:id", "GET"),
    ("/console/messages/:id/resend", "POST"),
    ("/console/prices", "GET"),
    ("/console/console.css", "GET"),
    ("/console/console.js", "GET"),
    ("/console/icon.svg", "GET"),
];

/// The console, to be nested at `/console`. `api` is the admin API as a whole.
pub fn routes(admin: AdminState, api: Arc<BoxEndpoint<'static, Response>>, https: bool) -> impl Endpoint {
    let console = Console { admin, api, https };
    let page = |page: Page| Signed::new(console.clone(), page);
    Route::new()
        .at("/", get(page(board::show)))
        .at("/login", get(login::form(&console)).post(login::submit(&console)))
        .at("/logout", post(page(login::log_out)))
        .at("/language", post(page(login::choose_language)))
        .at("/leads", get(page(leads::show)))
        .at("/leads.csv", get(page(csv::leads)))
        .at("/leads/:id/take", post(page(leads::take)))
        .at("/calls", get(page(calls::show)))
        .at("/calls.csv", get(page(csv::calls)))
        .at("/calls/:id", get(page(call::show)))
        .at("/messages", get(page(messages::show)))
        .at("/messages/:id", get(page(message::show)))
        .at("/messages/:id/resend", post(page(message::resend)))
        .at("/prices", get(page(prices::show)))
        .at("/console.css", get(assets::style()))
        .at("/console.js", get(assets::script()))
        .at("/icon.svg", get(assets::icon()))
        .map_to_response()
        .around(|routes, request| async move {
            let words = Words::of(None, &request);
            match routes.call(request).await {
                // No page has this address, or it cannot be read.
                Err(error) if matches!(error.status(), StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST) => {
                    let refusal = Refusal::plain(error.status());
                    Ok(page::refused_without_session(&Request::default(), words, &refusal))
                }
                answer => answer,
            }
        })
}
