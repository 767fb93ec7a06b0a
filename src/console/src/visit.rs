//! A request of somebody who signed in, and the endpoint around every page: session, form token, language, errors.

use std::sync::OnceLock;

use admin::auth::Role;
use futures_util::future::BoxFuture;
use poem::http::{Method, StatusCode, header};
use poem::{Endpoint, Request, Response};
use store::{api_keys, console_sessions};
use web::problem::{Code, Problem};

use crate::business::Business;
use crate::refusal::Refusal;
use crate::words::Words;
use crate::{Console, api, csrf, login, page, session};

/// The most that a form may hold, in bytes.
const FORM_LIMIT: usize = 16 * 1024;

/// What a page answers.
pub type Answer = Result<Response, Refusal>;
/// A page: a function of a visit.
pub type Page = for<'a> fn(&'a Visit) -> BoxFuture<'a, Answer>;

/// A request of somebody who signed in.
pub struct Visit {
    pub console: Console,
    pub request: Request,
    pub session: console_sessions::Model,
    pub key: api_keys::Model,
    pub words: Words,
    pub csrf: String,
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
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

    /// Whether the person's key has at least this role.
    pub fn may(&self, role: Role) -> bool {
        Role::named(&self.key.role).is_some_and(|own| own >= role)
    }

    /// An address of the console that stays with the business, when the person chose one.
    pub fn link(&self, path: &str, pairs: &[(&str, &str)]) -> String {
        let mut all = pairs.to_vec();
        let rulebook = self.asked("rulebook");
        if !rulebook.is_empty() {
            all.push(("rulebook", rulebook));
        }
        format!("/console{path}{}", api::query(&all))
    }
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    let found = pairs.iter().find(|(own, _)| own == name);
    found.map_or("", |(_, value)| value.trim())
}

/// The pairs of a query string or of a form.
pub fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

/// A page for those who signed in; others are sent to sign in.
pub struct Signed {
    console: Console,
    page: Page,
}

impl Signed {
    pub fn new(console: Console, page: Page) -> Self {
        Self { console, page }
    }

    async fn visit(&self, mut request: Request) -> Result<Visit, (Request, Refusal)> {
        let signed_out = || Refusal::plain(StatusCode::UNAUTHORIZED);
        let found = match session::token_of(&request) {
            Some(token) => session::find(&self.console, token).await,
            None => Ok(None),
        };
        let session = match found {
            Ok(Some(session)) => session,
            Ok(None) => return Err((request, signed_out())),
            Err(problem) => return Err((request, problem.into())),
        };
        let form = match form(&mut request).await {
            Ok(form) => form,
            Err(problem) => return Err((request, problem.into())),
        };
        if *request.method() != Method::GET
            && *request.method() != Method::HEAD
            && !csrf::matches(&session.token, value(&form, csrf::FIELD))
        {
            return Err((request, Refusal::foreign_form()));
        }
        Ok(Visit {
            words: Words::of(session.row.language.as_deref(), &request),
            csrf: csrf::token(&session.token),
            query: pairs(request.original_uri().query().unwrap_or_default().as_bytes()),
            console: self.console.clone(),
            session: session.row,
            key: session.key,
            business: OnceLock::new(),
            request,
            form,
        })
    }
}

/// The fields of a request's form.
pub async fn form(request: &mut Request) -> Result<Vec<(String, String)>, Problem> {
    if *request.method() != Method::POST {
        return Ok(Vec::new());
    }
    let kind = request.header(header::CONTENT_TYPE).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        let detail = "Send the form as `application/x-www-form-urlencoded`.";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    let read = web::body::read(request, FORM_LIMIT).await?;
    Ok(pairs(&read.bytes))
}

impl Endpoint for Signed {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let visit = match self.visit(request).await {
            Ok(visit) => visit,
            Err((request, refusal)) if refusal.status == StatusCode::UNAUTHORIZED => {
                return Ok(login::sent_there(&self.console, &request));
            }
            Err((request, refusal)) => return Ok(page::refused_to_stranger(&request, &refusal)),
        };
        match (self.page)(&visit).await {
            Ok(response) => Ok(response),
            // The key was revoked while the page was made.
            Err(refusal) if refusal.status == StatusCode::UNAUTHORIZED => {
                Ok(login::sent_there(&self.console, &visit.request))
            }
            Err(refusal) => Ok(page::refused(&visit, &refusal)),
        }
    }
}
