//! Signing in with an API key, signing out, and the choice of language.

use admin::auth;
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use poem::endpoint::make;
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, Request, Response};
use web::ClientAddress;
use web::problem::{Code, Problem};

use crate::pending_form::PendingForm;
use crate::refusal::Refusal;
use crate::routes::Address;
use crate::state::Console;
use crate::visit::{self, Answer, FORM_LIMIT, Visit};
use crate::words::{Language, Words};
use crate::{csrf, page, session};

/// Maximum size of the sign-in form in bytes. The sign-in form may contain the fields of another form, with longer
/// names.
const LIMIT: usize = 2 * FORM_LIMIT;

/// The routes that need a session. The sign-in form needs no session.
pub const ADDRESSES: &[Address] = &[
    Address::post("/logout", log_out),
    Address::post("/language", choose_language),
];

/// The form at `/console/login`.
pub fn form(console: &Console) -> impl Endpoint<Output = Response> + use<> {
    let console = console.clone();
    make(move |request: Request| {
        let console = console.clone();
        async move { Ok::<_, poem::Error>(shown(&console, &request).await) }
    })
}

/// Handles the submitted form.
pub fn submit(console: &Console) -> impl Endpoint<Output = Response> + use<> {
    let console = console.clone();
    make(move |request: Request| {
        let console = console.clone();
        async move { Ok::<_, poem::Error>(submitted(&console, request).await) }
    })
}

/// Ends the session.
pub fn log_out(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        session::end(&visit.console, visit.session.id).await?;
        Ok(with_cookie(
            page::see("/console/login"),
            &session::no_cookie(&visit.console),
        ))
    })
}

/// Stores the language and redirects to the page where the person was.
pub fn choose_language(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let Some(language) = Language::named(visit.sent("language")) else {
            return Err(Refusal::plain(StatusCode::BAD_REQUEST));
        };
        session::choose_language(&visit.console, visit.session.id, language).await?;
        Ok(page::see(page::own_address(visit.sent("next"))))
    })
}

/// Sends a person without a session to the sign-in form. A script that requests a part of a page gets 401 instead. If
/// the person sent another form, the sign-in form contains the input of that form (`kept`) in hidden fields.
pub fn sent_there(console: &Console, request: &Request, kept: Option<&PendingForm>) -> Response {
    let there = request
        .original_uri()
        .path_and_query()
        .map_or("", |there| there.as_str());
    let is_part = visit::pairs(request.original_uri().query().unwrap_or_default().as_bytes())
        .iter()
        .any(|(name, _)| name == "part");
    let response = if is_part {
        Response::builder().status(StatusCode::UNAUTHORIZED).finish()
    } else if kept.is_some() {
        let about = SignInForm {
            kept,
            ..SignInForm::default()
        };
        login_page(request, StatusCode::UNAUTHORIZED, &about)
    } else if *request.method() == Method::GET && page::own_address(there) == there {
        page::see(&format!("/console/login{}", crate::address::query(&[("next", there)])))
    } else {
        page::see("/console/login")
    };
    if session::token_of(request).is_some() {
        with_cookie(response, &session::no_cookie(console))
    } else {
        response
    }
}

async fn shown(console: &Console, request: &Request) -> Response {
    if let Some(token) = session::token_of(request)
        && matches!(session::find(console, token).await, Ok(Some(_)))
    {
        return page::see("/console");
    }
    let asked = visit::pairs(request.original_uri().query().unwrap_or_default().as_bytes());
    let asked = |name: &str| {
        asked
            .iter()
            .find(|(own, _)| own == name)
            .map_or("", |(_, value)| value.as_str())
    };
    let language = Language::named(asked("lang"));
    if !asked("link").is_empty() {
        return link_page(request, language, asked("link"));
    }
    let about = SignInForm {
        language,
        next: asked("next"),
        ..SignInForm::default()
    };
    login_page(request, StatusCode::OK, &about)
}

async fn submitted(console: &Console, mut request: Request) -> Response {
    let form = match visit::form(&mut request, LIMIT).await {
        Ok(form) => form,
        Err(problem) => return page::refused_to_stranger(&request, &problem.into()),
    };
    let sent = |name: &str| visit::value(&form, name);
    if is_of_another_site(&request) {
        return page::refused_to_stranger(&request, &Refusal::foreign_form());
    }
    let (language, kept) = (Language::named(sent("lang")), PendingForm::carried(&form));
    let about = |fault| SignInForm {
        language,
        next: sent("next"),
        fault: Some(fault),
        kept: kept.as_ref(),
    };
    let again = |fault| login_page(&request, StatusCode::UNAUTHORIZED, &about(fault));
    if !sent("link").is_empty() {
        return match sign_in_by_link(console, &request, sent("link"), language).await {
            Ok(Some(begun)) => with_cookie(page::see("/console"), &begun.cookie),
            Ok(None) => again("login-link-over"),
            Err(problem) => page::refused_to_stranger(&request, &problem.into()),
        };
    }
    match sign_in(console, &request, sent("key"), language).await {
        Ok(begun) => {
            let response = match &kept {
                Some(kept) => {
                    let words = Words::of(language.map(Language::code), &request);
                    kept.page(&request, words, StatusCode::OK, &csrf::token(&begun.token))
                }
                None => page::see(page::own_address(sent("next"))),
            };
            with_cookie(response, &begun.cookie)
        }
        Err(problem) if problem.code() == Code::Unauthorized => again("login-wrong"),
        Err(problem) if problem.code() == Code::RateLimited => {
            let wait = poem::error::ResponseError::as_response(&problem);
            let wait = wait.headers().get(header::RETRY_AFTER).cloned();
            let mut response = login_page(&request, StatusCode::TOO_MANY_REQUESTS, &about("login-limited"));
            response
                .headers_mut()
                .extend(wait.map(|wait| (header::RETRY_AFTER, wait)));
            response
        }
        Err(problem) => page::refused_to_stranger(&request, &problem.into()),
    }
}

/// Whether the header `Sec-Fetch-Site` says that the form is from another site. If a browser does not send this header,
/// the session is still safe: the cookie is `SameSite=Strict`, so the browser sends the cookie only with forms of this
/// site.
fn is_of_another_site(request: &Request) -> bool {
    let site = request.header("sec-fetch-site");
    site.is_some_and(|site| !matches!(site, "same-origin" | "none"))
}

async fn sign_in(
    console: &Console,
    request: &Request,
    key: &str,
    language: Option<Language>,
) -> Result<session::Begun, Problem> {
    let caller = auth::recognise(&console.admin, request, key).await?;
    session::begin(console, caller.key_id, language).await
}

/// Signs in with a one-time link. A wrong link counts as a guess, like a wrong key.
async fn sign_in_by_link(
    console: &Console,
    request: &Request,
    link: &str,
    language: Option<Language>,
) -> Result<Option<session::Begun>, Problem> {
    let Some(key) = session::redeem(console, link).await? else {
        let (address, now) = (ClientAddress::of(request), console.admin.clock.now());
        console.admin.guesses.wrong(address, "", now)?;
        return Ok(None);
    };
    session::begin(console, key.id, language).await.map(Some)
}

/// The page of a one-time link. Only the button of this page redeems the link, so that a link preview does not use the
/// link up.
fn link_page(request: &Request, language: Option<Language>, link: &str) -> Response {
    let words = Words::of(language.map(Language::code), request);
    let main = html! { section.card.login {
        h1 { (words.say("log-in")) }
        form method="post" action="/console/login" {
            p.quiet { (words.say("login-link-about")) }
            input type="hidden" name="link" value=(link);
            input type="hidden" name="lang" value=(words.0.code());
            button.main type="submit" autofocus { (words.say("login-link")) }
        }
    } };
    page::bare(request, words, StatusCode::OK, &words.say("log-in"), &main)
}

/// The data of the sign-in form.
#[derive(Default)]
struct SignInForm<'a> {
    language: Option<Language>,
    next: &'a str,
    fault: Option<&'a str>,
    kept: Option<&'a PendingForm>,
}

fn login_page(request: &Request, status: StatusCode, about: &SignInForm<'_>) -> Response {
    let words = Words::of(about.language.map(Language::code), request);
    page::bare(request, words, status, &words.say("log-in"), &login_form(words, about))
}

fn login_form(words: Words, about: &SignInForm<'_>) -> Markup {
    let other = words.0.other();
    let there = crate::address::query(&[("lang", other.code()), ("next", about.next)]);
    html! { section.card.login {
        h1 { (words.say("log-in")) }
        @if about.kept.is_some() { p.kept role="status" { (words.say("kept-login")) } }
        form method="post" action="/console/login" {
            label for="key" { (words.say("login-key")) }
            input #key name="key" type="password" required autocomplete="current-password" autocapitalize="none"
                spellcheck="false" maxlength="256" aria-describedby="about-key"
                aria-invalid=[about.fault.map(|_| "true")] autofocus;
            @if let Some(fault) = about.fault { p #about-key.fault role="alert" { (words.say(fault)) } }
            @else { p #about-key.quiet { (words.say("login-about")) } }
            input type="hidden" name="next" value=(page::own_address(about.next));
            input type="hidden" name="lang" value=(words.0.code());
            @if let Some(kept) = about.kept { (kept.hidden()) }
            button.main type="submit" { (words.say("log-in")) }
        }
        // The link that changes the language would lose the input in the hidden fields, so the page omits the link.
        @if about.kept.is_none() { p.language {
            a href={ "/console/login" (there) } lang=(other.tag()) hreflang=(other.tag()) {
                (Words(other).say("language"))
            }
        } }
    } }
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
