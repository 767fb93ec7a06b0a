//! The frame of every page: head, navigation and Content Security Policy. This module also renders the pages that
//! explain an error.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use maud::{DOCTYPE, Markup, html};
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Request, Response};
use web::accept::accepts_gzip;

use crate::business::{Business, MAX_COUNTED};
use crate::csrf;
use crate::refusal::Refusal;
use crate::visit::Visit;
use crate::words::Words;

/// Content Security Policy: scripts, styles and images come only from this server, and nothing is inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// Seconds after which a page without scripts reloads itself.
const RELOAD_SECONDS: &str = "15";

/// Navigation for daily work: path and message key of the name. On a phone this navigation is always visible.
const DAY: [(&str, &str); 6] = [
    ("", "board"),
    ("/today", "today"),
    ("/leads", "leads"),
    ("/calls", "calls"),
    ("/messages", "messages"),
    (NOTICES, "notices"),
];
/// The path of the notices. The link to the notices shows the number of open notices.
const NOTICES: &str = "/notices";
/// Navigation for the rules. On a phone this navigation is a menu.
const RULES: &[(&str, &str)] = &[
    ("/on-call", "on-call"),
    ("/prices", "prices"),
    ("/change-sets", "change-sets"),
    ("/try", "try"),
    ("/words", "vocabulary"),
    ("/history", "history"),
    ("/keys", "keys"),
    ("/setup", "setup"),
];

/// A page for a signed-in person.
pub struct Frame<'a> {
    visit: &'a Visit,
    business: Option<&'a Business>,
    title: String,
    place: &'a str,
    live: Option<(&'a str, &'a str)>,
    script: Option<&'a str>,
}

impl<'a> Frame<'a> {
    /// A page at `place` in the navigation. `business` is `None` if it could not be read.
    pub fn new(visit: &'a Visit, business: Option<&'a Business>, title: String, place: &'a str) -> Self {
        Self {
            visit,
            business,
            title,
            place,
            live: None,
            script: None,
        }
    }

    /// Makes the page live: a script reloads the main part from `address`. `tag` is the current ETag of the main part.
    pub fn live(self, address: &'a str, tag: &'a str) -> Self {
        let live = Some((address, tag));
        Self { live, ..self }
    }

    /// Adds a script to the page.
    pub fn script(self, address: &'a str) -> Self {
        let script = Some(address);
        Self { script, ..self }
    }

    /// Renders the page with the main part `main`.
    pub fn page(&self, main: &Markup) -> Response {
        let words = self.visit.words;
        let top = html! { header.top {
            a.brand href=(self.visit.link("", &[])) { (mark()) "Ringbook" }
            (self.businesses())
            (self.person())
            nav aria-label=(words.say("navigation")) {
                (self.places(&DAY))
                (self.places(RULES))
                details.more {
                    summary { (words.say("more")) }
                    (self.places(RULES))
                }
            }
        } };
        let head = html! {
            @if self.live.is_some() {
                noscript { meta http-equiv="refresh" content=(RELOAD_SECONDS); }
            }
            @if let Some(script) = self.script { script type="module" src=(script) {} }
        };
        let body = html! {
            a.skip href="#main" { (words.say("skip")) }
            (top)
            @if self.live.is_some() { p #lost.banner role="alert" hidden { (words.say("lost")) } }
            main #main tabindex="-1" data-live=[self.live.map(|(address, _)| address)]
                data-tag=[self.live.map(|(_, tag)| tag)]
                data-events=[self.live.map(|_| self.visit.link("/live.events", &[]))]
            {
                (main)
            }
        };
        answer(
            &self.visit.request,
            StatusCode::OK,
            &document(words, &self.title, &head, &body),
        )
    }

    fn places(&self, places: &[(&str, &str)]) -> Markup {
        html! { ul { @for (path, key) in places {
            li { a href=(self.visit.link(path, &[])) aria-current=[(*path == self.place).then_some("page")] {
                (self.visit.words.say(key))
                @if *path == NOTICES { (self.open_notices()) }
            } }
        } } }
    }

    /// The number of open notices, if there are any.
    fn open_notices(&self) -> Markup {
        let open = self.business.map(|business| business.open_notices).unwrap_or_default();
        html! { @if open > 0 { " " span.count { @if open > MAX_COUNTED { (MAX_COUNTED) "+" } @else { (open) } } } }
    }

    fn businesses(&self) -> Markup {
        let Some(business) = self.business.filter(|business| business.choices.len() > 1) else {
            return html! {};
        };
        let words = self.visit.words;
        html! { form.business method="get" action={ "/console" (self.place) } {
            label.quiet for="rulebook" { (words.say("business")) }
            select #rulebook name="rulebook" { @for (code, name) in &business.choices {
                option value=(code) selected[*code == business.code] { (name) }
            } }
            button.small type="submit" { (words.say("open")) }
        } }
    }

    fn person(&self) -> Markup {
        let words = self.visit.words;
        let other = words.0.other();
        let there = self.visit.request.original_uri().path_and_query();
        let there = there.map_or("/console", |there| there.as_str());
        html! { div.person {
            @if self.live.is_some() {
                button.small.plain #sound type="button" aria-pressed="false" hidden { (words.say("sound")) }
            }
            form method="post" action="/console/language" {
                (token(self.visit))
                input type="hidden" name="language" value=(other.code());
                input type="hidden" name="next" value=(there);
                button.small.plain type="submit" lang=(other.tag()) { (Words(other).say("language")) }
            }
            form method="post" action="/console/logout" {
                (token(self.visit))
                button.small.plain type="submit" title=(self.visit.key.name) { (words.say("log-out")) }
            }
        } }
    }
}

/// The hidden field with the CSRF token, for every form.
pub fn token(visit: &Visit) -> Markup {
    html! { input type="hidden" name=(csrf::FIELD) value=(visit.csrf); }
}

/// A page without navigation.
pub fn bare(request: &Request, words: Words, status: StatusCode, title: &str, main: &Markup) -> Response {
    let body = html! { main #main.bare { p.brand { (mark()) "Ringbook" } (main) } };
    answer(request, status, &document(words, title, &html! {}, &body))
}

/// The page that explains a refusal.
pub fn refused(visit: &Visit, refusal: &Refusal) -> Response {
    let words = visit.words;
    let frame = Frame::new(visit, visit.business.get(), words.say(refusal.message()), "-");
    let mut response = frame.page(&explained(words, refusal, &visit.link("", &[])));
    mark_refused(&mut response, refusal);
    response
}

/// Renders the page that explains why a request without a session was refused. The page is in the language that the
/// browser prefers.
pub fn refused_to_stranger(request: &Request, refusal: &Refusal) -> Response {
    refused_without_session(request, Words::of(None, request), refusal)
}

/// Renders the page that explains why a request without a session was refused. The page is in the language of `words`.
pub fn refused_without_session(request: &Request, words: Words, refusal: &Refusal) -> Response {
    let title = words.say(refusal.message());
    let main = explained(words, refusal, "/console");
    let mut response = bare(request, words, refusal.status, &title, &main);
    mark_refused(&mut response, refusal);
    response
}

fn explained(words: Words, refusal: &Refusal, home: &str) -> Markup {
    let key = refusal.message();
    html! { section.card.refused {
        h1 { (words.say(key)) }
        p { (words.say(&format!("{key}-do"))) }
        @if !refusal.detail.is_empty() { p.quiet lang="en" { (refusal.detail) } }
        p { a href=(home) { (words.say("back-to-board")) } }
    } }
}

fn mark_refused(response: &mut Response, refusal: &Refusal) {
    response.set_status(refusal.status);
    if let Some(wait) = refusal
        .wait
        .as_deref()
        .and_then(|wait| HeaderValue::from_str(wait).ok())
    {
        response.headers_mut().insert(header::RETRY_AFTER, wait);
    }
}

fn document(words: Words, title: &str, head: &Markup, body: &Markup) -> Markup {
    html! { (DOCTYPE) html lang=(words.0.tag()) {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " · Ringbook" }
            link rel="icon" href="/console/icon.svg" type="image/svg+xml";
            link rel="stylesheet" href="/console/console.css";
            script src="/console/console.js" defer {}
            (head)
        }
        body { (body) }
    } }
}

fn mark() -> Markup {
    html! { img src="/console/icon.svg" alt="" width="24" height="24"; }
}

/// A response with a page or a part of a page, compressed if the browser accepts gzip. The page contains a secret, the
/// CSRF token. Compression does not leak the token, because other sites cannot make the browser send a request with the
/// session's cookie.
pub fn answer(request: &Request, status: StatusCode, markup: &Markup) -> Response {
    let gzip = accepts_gzip(request).then(|| compressed(markup.0.as_bytes())).flatten();
    let mut response = Response::builder()
        .status(status)
        .content_type("text/html; charset=utf-8")
        .header(header::CONTENT_SECURITY_POLICY, POLICY)
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::VARY, "accept-encoding, accept-language, cookie")
        .finish();
    match gzip {
        Some(bytes) => {
            let coding = HeaderValue::from_static("gzip");
            response.headers_mut().insert(header::CONTENT_ENCODING, coding);
            response.set_body(bytes);
        }
        None => response.set_body(markup.0.clone()),
    }
    response
}

fn compressed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// Redirects the browser to another page of the console after a form.
pub fn see(address: &str) -> Response {
    let mut response = Response::builder().status(StatusCode::SEE_OTHER).finish();
    if let Ok(address) = HeaderValue::from_str(address) {
        response.headers_mut().insert(header::LOCATION, address);
    }
    response
}

/// Returns a URL from a form if that URL is a page of the console, otherwise `/console`.
pub fn own_address(address: &str) -> &str {
    let is_own = address == "/console" || address.starts_with("/console/") || address.starts_with("/console?");
    let is_plain = address.bytes().all(|byte| byte.is_ascii_graphic()) && !address.contains(['\\', '#']);
    if is_own && is_plain { address } else { "/console" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_nowhere_else() {
        for own in ["/console", "/console/calls/a?x=1", "/console?rulebook=a"] {
            assert_eq!(own_address(own), own);
        }
        for other in [
            "//evil.example",
            "https://evil.example",
            "/consolex",
            "/console\\evil",
            "/console/\r\nx",
            "",
        ] {
            assert_eq!(own_address(other), "/console");
        }
    }
}
