//! The console: pages for owners, dispatchers and technicians, in French and English.
//!
//! A page calls the operations of the admin API in this process ([`api`]) and renders the JSON of the responses. So
//! roles, masking, limits and the audit log apply to pages too. [`login`] exchanges an API key for a session
//! ([`session`]), and every form contains a CSRF token of that session ([`csrf`]). The console must never read or write
//! a rule, a call or a lead with its own query.

mod address;
mod api;
mod assets;
mod board;
mod business;
mod call;
mod calls;
mod change_sets;
mod conversation;
mod csrf;
mod csv;
mod dates;
mod decision;
mod edit;
mod events;
mod feedback;
mod feedback_case;
mod field;
mod heard_list;
mod highlight;
mod history;
mod keys;
mod leads;
mod lists;
mod locale;
mod login;
mod message;
mod messages;
mod notices;
mod on_call;
mod open_sets;
mod page;
mod pages;
mod pending_form;
mod prices;
mod receipt;
mod refusal;
mod routes;
mod session;
mod setup;
mod signed_in;
mod state;
mod statements;
mod today;
mod tryout;
mod tryout_fields;
mod tryout_form;
mod tryout_result;
mod visit;
mod vocabulary;
mod vocabulary_add;
mod vocabulary_concepts;
mod vocabulary_form;
mod vocabulary_save;
mod words;

use std::sync::Arc;

use admin::AdminState;
use poem::endpoint::BoxEndpoint;
use poem::http::StatusCode;
use poem::{Endpoint, EndpointExt as _, Request, Response, get};

use crate::refusal::Refusal;
pub use crate::session::{LinkError, new_link};
use crate::state::Console;
use crate::words::Words;

/// The routes below `/console` that need no session, with their methods.
const OPEN: [(&str, &str); 1] = [("/login", "GET, POST")];

/// All routes of the console with their methods, for the header `Allow`.
pub fn addresses() -> impl Iterator<Item = (String, &'static str)> {
    let pages = pages::addresses().map(|address| (address.path, address.methods()));
    let assets = assets::ASSETS.iter().map(|(path, _)| (*path, "GET"));
    let all = pages.chain(assets).chain(OPEN);
    all.map(|(path, methods)| (format!("/console{}", path.trim_end_matches('/')), methods))
}

/// The routes of the console, to be nested at `/console`. `api` is the whole admin API.
pub fn routes(admin: AdminState, api: Arc<BoxEndpoint<'static, Response>>, https: bool) -> impl Endpoint {
    let console = Console { admin, api, https };
    assets::routes(pages::routes(&console))
        .at("/login", get(login::form(&console)).post(login::submit(&console)))
        .map_to_response()
        .around(|routes, request| async move {
            let words = Words::of(None, &request);
            match routes.call(request).await {
                // No page has this URL, or the URL cannot be parsed.
                Err(error) if matches!(error.status(), StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST) => {
                    let refusal = Refusal::plain(error.status());
                    Ok(page::refused_without_session(&Request::default(), words, &refusal))
                }
                answer => answer,
            }
        })
}
