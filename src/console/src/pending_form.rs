//! The input of a form that a person sent after the session had ended. The sign-in form contains this input in hidden
//! fields, and the person can send it again after the sign-in.
//!
//! The input is only in hidden fields of the pages, never in a URL, a log or the database. The hidden fields contain
//! only input of this server's forms. If the fields contained input of other sites, a person could confirm a form of
//! another site after the sign-in.

use maud::{Markup, html};
use poem::http::{StatusCode, Uri};
use poem::{Request, Response};

use crate::visit::value;
use crate::words::Words;
use crate::{csrf, page, session};

/// The name of a hidden field that contains input of the form begins with this prefix.
const PREFIX: &str = "kept-";
/// The name of the hidden field that contains the URL to which the form was sent.
const TO: &str = "kept_to";
/// Forms without input. Forms without input are not offered again after the sign-in.
const IDLE: [&str; 2] = ["/console/logout", "/console/language"];

/// A form that was sent without a valid session or CSRF token.
#[derive(Debug, PartialEq, Eq)]
pub struct PendingForm {
    to: String,
    fields: Vec<(String, String)>,
}

impl PendingForm {
    /// Returns the form that a request contains, if a page of this server sent the form.
    pub fn of(request: &Request, form: &[(String, String)]) -> Option<Self> {
        Self::sent_to(request.original_uri(), request, form)
    }

    fn sent_to(address: &Uri, request: &Request, form: &[(String, String)]) -> Option<Self> {
        let to = address.path_and_query()?.as_str();
        let is_idle = IDLE.contains(&address.path());
        let fields = form.iter().filter(|(name, _)| name != csrf::FIELD).cloned().collect();
        let kept = Self {
            to: to.to_owned(),
            fields,
        };
        (page::own_address(to) == to && !is_idle && !form.is_empty() && is_own(request, form)).then_some(kept)
    }

    /// Returns the form that the hidden fields of a sign-in form contain. `None` if the hidden fields contain no form.
    pub fn carried(form: &[(String, String)]) -> Option<Self> {
        let to = value(form, TO);
        let field = |(name, value): &(String, String)| Some((name.strip_prefix(PREFIX)?.to_owned(), value.clone()));
        (!to.is_empty() && page::own_address(to) == to).then(|| Self {
            to: to.to_owned(),
            fields: form.iter().filter_map(field).collect(),
        })
    }

    /// The hidden fields with the URL and the input of the form.
    pub fn hidden(&self) -> Markup {
        html! {
            input type="hidden" name=(TO) value=(self.to);
            @for (name, value) in &self.fields { input type="hidden" name={ (PREFIX) (name) } value=(value); }
        }
    }

    /// The page that offers to send the form again, with the CSRF token of the new session.
    pub fn page(&self, request: &Request, words: Words, status: StatusCode, csrf: &str) -> Response {
        let typed = |(_, value): &&(String, String)| !value.is_empty();
        let main = html! { section.card.login {
            h1 { (words.say("kept-title")) }
            p { (words.say("kept-about")) }
            form method="post" action=(self.to) {
                input type="hidden" name=(csrf::FIELD) value=(csrf);
                @for (name, value) in &self.fields { input type="hidden" name=(name) value=(value); }
                button.main type="submit" autofocus { (words.say("kept-send")) }
            }
            details {
                summary { (words.say("kept-typed")) }
                dl.facts { @for (name, value) in self.fields.iter().filter(typed) {
                    dt { code { (name) } } dd { (value) }
                } }
            }
            p { a href="/console" { (words.say("kept-leave")) } }
        } };
        page::bare(request, words, status, &words.say("kept-title"), &main)
    }
}

/// Returns whether a form is from a page of this server: according to the browser, or because the form contains the
/// CSRF token of the ended session.
fn is_own(request: &Request, form: &[(String, String)]) -> bool {
    match request.header("sec-fetch-site") {
        Some(site) => site == "same-origin",
        // Browsers do not send the header `Sec-Fetch-Site` over plain http.
        None => session::token_of(request).is_some_and(|token| csrf::matches(&token, value(form, csrf::FIELD))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use poem::http::Method;

    fn sent(to: &str, site: Option<&str>, token: &str) -> Option<PendingForm> {
        let session = "a".repeat(64);
        let cookie = format!("ringbook_console={session}");
        let mut request = Request::builder().method(Method::POST).header("cookie", cookie);
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        let request = request.finish();
        let form = [("csrf", token), ("note", "<b>")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        PendingForm::sent_to(&to.parse().unwrap(), &request, &form)
    }

    #[test]
    fn only_a_form_of_this_server_is_kept() {
        let own = csrf::token(&"a".repeat(64));
        let kept = sent("/console/prices", Some("same-origin"), "old").unwrap();
        assert_eq!(kept.fields, [("note".to_owned(), "<b>".to_owned())]);
        assert!(sent("/console/prices?x=1", None, &own).is_some());
        assert!(sent("/console/prices", None, "wrong").is_none());
        assert!(sent("/console/prices", Some("same-site"), &own).is_none());
        assert!(sent("/console/prices", Some("cross-site"), &own).is_none());
        assert!(sent("/console/logout", Some("same-origin"), &own).is_none());
        assert!(sent("/admin/v1/x", Some("same-origin"), &own).is_none());
    }

    #[test]
    fn what_is_carried_is_escaped_and_found_again() {
        let kept = sent("/console/prices", Some("same-origin"), "old").unwrap();
        let html = kept.hidden().0;
        assert!(html.contains("name=\"kept-note\" value=\"&lt;b&gt;\""), "{html}");
        let form = [("kept_to", "/console/prices"), ("kept-note", "<b>"), ("key", "secret")];
        let form = form.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(PendingForm::carried(&form), Some(kept));
        assert_eq!(PendingForm::carried(&[(TO.to_owned(), "//evil".to_owned())]), None);
    }
}
