//! A route of the console: its path, and the handlers of GET and POST.

use futures_util::future::BoxFuture;
use poem::{EndpointExt as _, RouteMethod};

use crate::signed_in::SignedInPage;
use crate::state::Console;
use crate::visit::{Answer, Visit};

/// A handler: renders a page, or performs an action, for a visit.
pub type Page = for<'a> fn(&'a Visit) -> BoxFuture<'a, Answer>;

/// A route below `/console` with its handlers.
#[derive(Clone, Copy)]
pub struct Address {
    /// The path in poem's syntax, such as `/calls/:id`.
    pub path: &'static str,
    get: Option<Page>,
    post: Option<Page>,
}

impl Address {
    /// A page, for GET.
    pub const fn get(path: &'static str, page: Page) -> Self {
        let (get, post) = (Some(page), None);
        Self { path, get, post }
    }

    /// The action of a form, for POST.
    pub const fn post(path: &'static str, page: Page) -> Self {
        let (get, post) = (None, Some(page));
        Self { path, get, post }
    }

    /// A page with a form that is sent to the same URL.
    pub const fn both(path: &'static str, shown: Page, sent: Page) -> Self {
        let (get, post) = (Some(shown), Some(sent));
        Self { path, get, post }
    }

    /// The methods of the route, for the header `Allow`.
    pub fn methods(&self) -> &'static str {
        match (self.get, self.post) {
            (Some(_), Some(_)) => "GET, POST",
            (None, _) => "POST",
            (_, None) => "GET",
        }
    }

    /// Builds the poem route.
    pub fn route(&self, console: &Console) -> RouteMethod {
        let mut methods = RouteMethod::new();
        if let Some(page) = self.get {
            methods = methods.get(SignedInPage::new(console.clone(), page).boxed());
        }
        if let Some(page) = self.post {
            methods = methods.post(SignedInPage::new(console.clone(), page).boxed());
        }
        methods
    }
}
