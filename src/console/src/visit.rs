//! A request of a signed-in person.

use std::sync::OnceLock;

use admin::auth::Role;
use poem::http::{Method, header};
use poem::{Request, Response};
use store::{api_keys, console_sessions};
use web::problem::{Code, Problem};

use crate::address::query;
use crate::business::Business;
use crate::refusal::Refusal;
use crate::state::Console;
use crate::words::Words;

/// Maximum size of a form in bytes. This size is enough for the page of prices with a list pasted from a spreadsheet.
pub const FORM_LIMIT: usize = 64 * 1024;
/// Maximum size of the form of Try in bytes. The report of an hour-long call is about 300 kB.
const TRY_LIMIT: usize = 768 * 1024;

/// The result of a handler: a response or a refusal.
pub type Answer = Result<Response, Refusal>;

/// A request of a signed-in person, with session, key, language and form.
pub struct Visit {
    pub console: Console,
    pub request: Request,
    pub session: console_sessions::Model,
    pub key: api_keys::Model,
    pub words: Words,
    pub csrf: String,
    pub query: Vec<(String, String)>,
    pub form: Vec<(String, String)>,
    /// The business that the page is about, after [`Visit::business`] has read it.
    pub business: OnceLock<Business>,
}

impl Visit {
    /// A query parameter; empty if it is missing.
    pub fn asked(&self, name: &str) -> &str {
        value(&self.query, name)
    }

    /// A field of the form; empty if it is missing.
    pub fn sent(&self, name: &str) -> &str {
        value(&self.form, name)
    }

    /// A parameter of the path.
    pub fn path(&self, name: &str) -> String {
        self.request.raw_path_param(name).unwrap_or_default().to_owned()
    }

    /// Whether the person's key may make changes that need the role `least`.
    pub fn may(&self, least: Role) -> bool {
        Role::named(&self.key.role).is_some_and(|own| own.includes(least, false))
    }

    /// Whether the person's key may read data that only admins and owners may read.
    pub fn reads_all(&self) -> bool {
        Role::named(&self.key.role).is_some_and(|own| own.includes(Role::Admin, true))
    }

    /// A URL of the console, with the business that the person chose.
    pub fn link(&self, path: &str, pairs: &[(&str, &str)]) -> String {
        let mut all = pairs.to_vec();
        let rulebook = self.asked("rulebook");
        if !rulebook.is_empty() {
            all.push(("rulebook", rulebook));
        }
        format!("/console{path}{}", query(&all))
    }
}

pub fn value<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    let found = pairs.iter().find(|(own, _)| own == name);
    found.map_or("", |(_, value)| value.trim())
}

/// The pairs of a query string or of a form.
pub fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

/// Maximum size of a page's form in bytes.
pub fn form_limit(request: &Request) -> usize {
    match request.original_uri().path() {
        "/console/try" => TRY_LIMIT,
        _ => FORM_LIMIT,
    }
}

/// Reads the fields of a request's form, which may have at most `limit` bytes.
pub async fn form(request: &mut Request, limit: usize) -> Result<Vec<(String, String)>, Problem> {
    if *request.method() != Method::POST {
        return Ok(Vec::new());
    }
    let kind = request.header(header::CONTENT_TYPE).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        let detail = "Send the form as `application/x-www-form-urlencoded`.";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    let read = web::body::read(request, limit).await?;
    Ok(pairs(&read.bytes))
}
