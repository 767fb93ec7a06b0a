//! The endpoint around every page: session, form token, language, errors.

use std::sync::OnceLock;

use poem::http::{Method, StatusCode};
use poem::{Endpoint, Request, Response};

use crate::refusal::Refusal;
use crate::routes::Page;
use crate::state::Console;
use crate::visit::{Visit, form, pairs, value};
use crate::words::Words;
use crate::{csrf, login, page, session};

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
