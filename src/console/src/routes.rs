//! An address of a page: where it is, and what answers a GET and a form.

use futures_util::future::BoxFuture;
use poem::{EndpointExt as _, RouteMethod};

use crate::signed::Signed;
use crate::state::Console;
use crate::visit::{Answer, Visit};

/// A page: a function of a visit.
pub type Page = for<'a> fn(&'a Visit) -> BoxFuture<'a, Answer>;

/// An address below `/console` and what answers there.
#[derive(Clone, Copy)]
pub struct Address {
    /// As poem writes it: `/calls/:id`.
    pub path: &'static str,
    get: Option<Page>,
    post: Option<Page>,
}

impl Address {
    /// A page to be looked at.
    pub const fn get(path: &'static str, page: Page) -> Self {
        let (get, post) = (Some(page), None);
        Self { path, get, post }
    }

    /// What a form does.
    pub const fn post(path: &'static str, page: Page) -> Self {
        let (get, post) = (None, Some(page));
        Self { path, get, post }
    }

    /// A page whose form leads to itself.
    pub const fn both(path: &'static str, shown: Page, sent: Page) -> Self {
        let (get, post) = (Some(shown), Some(sent));
        Self { path, get, post }
    }

    /// Its methods, as in `Allow`.
    pub fn methods(&self) -> &'static str {
        match (self.get, self.post) {
            (Some(_), Some(_)) => "GET, POST",
            (None, _) => "POST",
            (_, None) => "GET",
        }
    }

    /// Its route.
    pub fn route(&self, console: &Console) -> RouteMethod {
        let mut methods = RouteMethod::new();
        if let Some(page) = self.get {
            methods = methods.get(Signed::new(console.clone(), page).boxed());
        }
        if let Some(page) = self.post {
            methods = methods.post(Signed::new(console.clone(), page).boxed());
        }
        methods
    }
}
