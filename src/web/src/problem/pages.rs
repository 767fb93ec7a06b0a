//! A page for each error code: its meaning, what to do, whether to retry, and an example. The page is HTML for people
//! or JSON for programs. A page needs no key, because the reader may be a client without a valid key.

use std::fmt::Write as _;

use poem::{EndpointExt as _, IntoEndpoint, Request, Response, Route, get, handler};
use serde_json::{Value, json};

use super::code::ADDRESS;
use super::{Code, Problem, payload};
use crate::conditional::Conditional;
use crate::{accept, headers};

const STYLE: &str = ":root { color-scheme: light dark } body { font: 16px/1.6 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; \
                     padding: 0 1rem } code, pre { font-family: ui-monospace, monospace; font-size: .9em } pre { overflow-x: auto; \
                     padding: .8rem; border: 1px solid; border-radius: 4px } td, th { padding: .3rem .8rem .3rem 0; text-align: left; \
                     vertical-align: top }";

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// The routes of the pages, to be nested at [`ADDRESS`].
pub fn routes() -> impl IntoEndpoint<Endpoint: 'static> {
    Route::new()
        .at("/", get(all.with(Conditional)))
        .at("/:code", get(one.with(Conditional)))
}

#[handler]
fn all(request: &Request) -> Result<Response, Problem> {
    match wanted(request)? {
        HTML => Ok(page("Problems", &table())),
        _ => Ok(as_json(&Code::ALL.into_iter().map(code_json).collect())),
    }
}

#[handler]
fn one(request: &Request) -> Result<Response, Problem> {
    let code = request.raw_path_param("code").and_then(Code::named);
    let code = code.ok_or_else(|| {
        let detail = format!("There is no problem with this name; `{ADDRESS}` lists all of them.");
        Problem::new(Code::NotFound, detail)
    })?;
    match wanted(request)? {
        HTML => Ok(page(code.title(), &about(code))),
        _ => Ok(as_json(&code_json(code))),
    }
}

fn wanted(request: &Request) -> Result<&'static str, Problem> {
    accept::wanted(request, &[HTML, JSON]).ok_or_else(|| {
        let detail = "`Accept` allows neither `text/html` nor `application/json`, the two media types that exist.";
        Problem::new(Code::NotAcceptable, detail)
    })
}

/// A code as JSON.
fn code_json(code: Code) -> Value {
    let meaning = code.meaning();
    json!({
        "type": code.address(),
        "code": code.name(),
        "status": code.status().as_u16(),
        "title": code.title(),
        "retryable": code.retryable(),
        "means": meaning.means,
        "what_to_do": meaning.what_to_do,
        "example": example(code),
    })
}

/// An example of a problem response.
fn example(code: Code) -> Value {
    let meaning = code.meaning();
    let mut example = json!({
        "type": code.address(),
        "title": code.title(),
        "status": code.status().as_u16(),
        "code": code.name(),
        "detail": meaning.example,
        "request_id": "01937c4e-6f00-7000-8000-000000000001",
        "retryable": code.retryable(),
    });
    if let Some((pointer, fault, detail)) = meaning.fault {
        example["errors"] = json!([{"pointer": pointer, "code": fault, "detail": detail}]);
    }
    example
}

fn as_json(value: &Value) -> Response {
    Response::builder().content_type(JSON).body(value.to_string())
}

fn table() -> String {
    let mut rows = String::from(
        "<p>Every error is returned as <code>application/problem+json</code>. Its <code>type</code> is the URL of one of \
         these pages; programs branch on <code>code</code>.</p>\n<table><tr><th>Status</th><th>Code</th><th></th></tr>\n",
    );
    for code in Code::ALL {
        let _ = writeln!(
            rows,
            "<tr><td>{}</td><td><a href=\"{}\"><code>{}</code></a></td><td>{}</td></tr>",
            code.status().as_u16(),
            code.address(),
            code.name(),
            escaped(code.title())
        );
    }
    rows + "</table>\n"
}

fn about(code: Code) -> String {
    let meaning = code.meaning();
    let again = if code.retryable() {
        "The same request may succeed later: wait, then send it again."
    } else {
        "The same request fails again: change something first."
    };
    format!(
        "<p><code>{}</code>, status {}</p>\n<h2>What it means</h2>\n<p>{}</p>\n<h2>What to do</h2>\n<p>{}</p>\n<p>{again}</p>\n\
         <h2>An example</h2>\n<p><code>Content-Type: {}</code></p>\n<pre>{}</pre>\n<p><a href=\"{ADDRESS}\">All problems</a></p>\n",
        code.name(),
        code.status(),
        marked(meaning.means),
        marked(meaning.what_to_do),
        payload::MEDIA_TYPE,
        escaped(&format!("{:#}", example(code))),
    )
}

fn page(title: &str, body: &str) -> Response {
    let title = escaped(title);
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Ringbook: {title}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>{STYLE}</style></head>\n\
         <body>\n<h1>{title}</h1>\n{body}<p><a href=\"/docs\">The API</a></p>\n</body></html>\n"
    );
    headers::page(html, STYLE)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Marks text between backticks as code.
fn marked(text: &str) -> String {
    let parts = escaped(text);
    let parts = parts.split('`').enumerate();
    parts
        .map(|(place, part)| match place % 2 {
            0 => part.to_owned(),
            _ => format!("<code>{part}</code>"),
        })
        .collect()
}
