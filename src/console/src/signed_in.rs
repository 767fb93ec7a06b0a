//! The endpoint that wraps every page. The endpoint handles session, CSRF token, language and errors.

use std::sync::OnceLock;

use poem::http::{Method, StatusCode};
use poem::{Endpoint, Request, Response};

use crate::pending_form::PendingForm;
use crate::refusal::Refusal;
use crate::routes::Page;
use crate::state::Console;
use crate::visit::{Visit, form, form_limit, pairs, value};
use crate::words::Words;
use crate::{csrf, login, page, session};

/// A page for signed-in people. People who are not signed in are sent to the sign-in form.
pub struct SignedInPage {
    console: Console,
    page: Page,
}

impl SignedInPage {
    pub fn new(console: Console, page: Page) -> Self {
        Self { console, page }
    }

    /// Returns the visit, or a response if the request has no session or no valid CSRF token.
    async fn visit(&self, mut request: Request) -> Result<Visit, Response> {
        let refused = |request: &Request, problem| page::refused_to_stranger(request, &Refusal::from(problem));
        let found = match session::token_of(&request) {
            Some(token) => session::find(&self.console, token).await,
            None => Ok(None),
        };
        let session = found.map_err(|problem| refused(&request, problem))?;
        let limit = form_limit(&request);
        let form = form(&mut request, limit).await;
        let Some(session) = session else {
            // If the form cannot be parsed, its input is lost at the sign-in.
            let kept = PendingForm::of(&request, &form.unwrap_or_default());
            return Err(login::sent_there(&self.console, &request, kept.as_ref()));
        };
        let form = form.map_err(|problem| refused(&request, problem))?;
        let words = Words::of(session.row.language.as_deref(), &request);
        let csrf = csrf::token(&session.token);
        if *request.method() != Method::GET
            && *request.method() != Method::HEAD
            && !csrf::matches(&session.token, value(&form, csrf::FIELD))
        {
            // The page is older than the session, because the person has signed in again in another window.
            return Err(match PendingForm::of(&request, &form) {
                Some(kept) => kept.page(&request, words, StatusCode::FORBIDDEN, &csrf),
                None => page::refused_to_stranger(&request, &Refusal::foreign_form()),
            });
        }
        Ok(Visit {
            words,
            csrf,
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

impl Endpoint for SignedInPage {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let visit = match self.visit(request).await {
            Ok(visit) => visit,
            Err(response) => return Ok(response),
        };
        match (self.page)(&visit).await {
            Ok(response) => Ok(response),
            // The key was revoked while the page was rendered.
            Err(refusal) if refusal.status == StatusCode::UNAUTHORIZED => {
                let kept = PendingForm::of(&visit.request, &visit.form);
                Ok(login::sent_there(&self.console, &visit.request, kept.as_ref()))
            }
            Err(refusal) => Ok(page::refused(&visit, &refusal)),
        }
    }
}
