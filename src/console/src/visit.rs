//! A request of somebody who signed in.

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

/// The most that a form may hold, in bytes: a list of prices pasted from a spreadsheet, with the prices there are.
pub const FORM_LIMIT: usize = 64 * 1024;
/// The same where a whole Vapi message is pasted: the report of an hour has about 300 kB.
const TRY_LIMIT: usize = 768 * 1024;

/// What a page answers.
pub type Answer = Result<Response, Refusal>;

/// A request of somebody who signed in.
pub struct Visit {
    pub console: Console,
    pub request: Request,
    pub session: console_sessions::Model,
    pub key: api_keys::Model,
    pub words: Words,
    pub csrf: String,
    pub query: Vec<(String, String)>,
    pub form: Vec<(String, String)>,
    /// The business that the page is about, once it was opened.
    pub business: OnceLock<Business>,
}

impl Visit {
    /// A parameter of the address, or nothing.
    pub fn asked(&self, name: &str) -> &str {
        value(&self.query, name)
    }

    /// A field of the form, or nothing.
    pub fn sent(&self, name: &str) -> &str {
        value(&self.form, name)
    }

    /// A part of the path.
    pub fn path(&self, name: &str) -> String {
        self.request.raw_path_param(name).unwrap_or_default().to_owned()
    }

    /// Whether the person's key may do what changes something and needs this role.
    pub fn may(&self, least: Role) -> bool {
        Role::named(&self.key.role).is_some_and(|own| own.includes(least, false))
    }

    /// Whether the person's key may read what only administrators and owners may.
    pub fn reads_all(&self) -> bool {
        Role::named(&self.key.role).is_some_and(|own| own.includes(Role::Admin, true))
    }

    /// An address of the console that stays with the business, when the person chose one.
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

/// The most bytes that the form of a page may hold.
pub fn form_limit(request: &Request) -> usize {
    match request.original_uri().path() {
        "/console/try" => TRY_LIMIT,
        _ => FORM_LIMIT,
    }
}

/// The fields of a request's form of at most so many bytes.
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
