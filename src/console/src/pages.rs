//! Collects the routes of all pages that need a session.

use poem::Route;

use crate::routes::Address;
use crate::state::Console;
use crate::{
    board, call, calls, change_sets, csv, events, feedback, feedback_case, keys, leads, login, message, messages,
    on_call, prices,
};
use crate::{history, notices, setup, statements, today};
use crate::{tryout, vocabulary, vocabulary_add, vocabulary_concepts};

/// The routes by page.
const PAGES: &[&[Address]] = &[
    board::ADDRESSES,
    call::ADDRESSES,
    calls::ADDRESSES,
    change_sets::ADDRESSES,
    csv::ADDRESSES,
    events::ADDRESSES,
    feedback::ADDRESSES,
    feedback_case::ADDRESSES,
    history::ADDRESSES,
    keys::ADDRESSES,
    leads::ADDRESSES,
    login::ADDRESSES,
    message::ADDRESSES,
    messages::ADDRESSES,
    on_call::ADDRESSES,
    notices::ADDRESSES,
    prices::ADDRESSES,
    tryout::ADDRESSES,
    vocabulary::ADDRESSES,
    vocabulary_add::ADDRESSES,
    vocabulary_concepts::ADDRESSES,
    setup::ADDRESSES,
    statements::ADDRESSES,
    today::ADDRESSES,
];

/// The routes of all pages.
pub fn addresses() -> impl Iterator<Item = &'static Address> {
    PAGES.iter().copied().flatten()
}

/// Builds the poem routes of all pages.
pub fn routes(console: &Console) -> Route {
    addresses().fold(Route::new(), |routes, address| {
        routes.at(address.path, address.route(console))
    })
}
