//! Serves Swagger UI at `/docs`: one self-contained page, which loads nothing else.
//!
//! The page's content security policy allows only the page's own scripts and styles, and connections to this server.
//! `docs_page/page.css` adds the dark mode and the phone layout; `docs_page/page.js` makes the page fast and its
//! operations easy to find.

use std::sync::LazyLock;

use poem::endpoint::make_sync;
use poem::http::HeaderValue;
use poem::{Endpoint, Response};
use poem_openapi::OpenApiService;

use super::document;
use web::conditional::ConstantResponse;
use web::headers::sha256;

/// The policy allows each inline script of the page by its hash. The policy allows inline styles, because Swagger UI
/// creates styles at run time. The policy also allows data URLs for icons, and connections to this server for "Try it
/// out".
const POLICY: &str = "default-src 'none'; script-src SCRIPTS; style-src 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// poem-openapi writes its own document into the page between these two strings.
const BEFORE: &str = "let spec = ";
const AFTER: &str = ";\n    let oauth2RedirectUrl;";

const STYLE: &str = include_str!("docs_page/page.css");
const PLUGIN: &str = include_str!("docs_page/page.js");

/// At first all lists are collapsed. A user can try an opened operation without another click.
const SETTINGS: &str = "filter: true, persistAuthorization: false, tryItOutEnabled: true, docExpansion: 'none', \
    defaultModelsExpandDepth: -1, plugins: [ringbook],";

static PAGE: LazyLock<ConstantResponse> = LazyLock::new(|| {
    let page = page();
    let hashes: Vec<_> = scripts(&page)
        .map(|script| format!("'sha256-{}'", sha256(script)))
        .collect();
    let policy = HeaderValue::from_str(&POLICY.replace("SCRIPTS", &hashes.join(" "))).ok();
    ConstantResponse::new("text/html; charset=utf-8", page).with_policy(policy)
});

/// Serves the page.
pub fn endpoint() -> impl Endpoint<Output = Response> {
    make_sync(|request| PAGE.answer(&request))
}

/// Finds the inline scripts of a page exactly as a browser does.
fn scripts(page: &str) -> impl Iterator<Item = &str> {
    let mut rest = page;
    std::iter::from_fn(move || {
        let from = rest.find("<script")?;
        let from = from + rest.get(from..)?.find('>')? + 1;
        let until = from + rest.get(from..)?.find("</script")?;
        let script = rest.get(from..until)?;
        rest = rest.get(until..)?;
        Some(script)
    })
}

fn page() -> String {
    let html = OpenApiService::new((), "Ringbook", env!("CARGO_PKG_VERSION")).swagger_ui_html();
    // Use the last occurrence, because an earlier script of the page may contain the same text.
    let place = html.rfind(BEFORE).map(|at| at + BEFORE.len());
    let place = place.and_then(|from| Some((from, from + html.get(from..)?.find(AFTER)?)));
    let Some((from, until)) = place else { return html };
    // A browser ends the script at `</script`, even inside a string.
    let spec = document::whole().replace("</", "<\\/");
    let (head, tail) = (
        html.get(..from).unwrap_or_default(),
        html.get(until..).unwrap_or_default(),
    );
    let tail = tail.replace("filter: false,", SETTINGS);
    let head = head
        .replacen("<html charset=\"UTF-8\">", "<!DOCTYPE html>\n<html lang=\"en\">", 1)
        .replacen(
            "<title>Swagger UI</title>",
            "<title>Ringbook</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<link rel=\"icon\" \
             href=\"data:,\">",
            1,
        )
        .replacen("Filter by tag", "Find: price, holiday, technician, undo, put_service", 1)
        .replacen("<script", &format!("<style>\n{STYLE}</style>\n<script"), 1);
    format!("{head}{spec};\n{PLUGIN}{tail}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_holds_our_own_document() {
        let page = super::page();
        assert!(
            page.contains("\"openapi\":\"3.1.0\"")
                && page.contains("put_service")
                && page.contains("SwaggerUIBundle({")
                && page.contains("plugins: [ringbook]")
        );
    }
}
