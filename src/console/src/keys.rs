//! The page of API keys and sessions. The forms create and revoke keys, and end sessions.

use admin::auth::Role;
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use poem::Response;
use poem::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::address::segment;
use crate::board::items;
use crate::business::Business;
use crate::leads::text;
use crate::page::{self, Frame};
use crate::routes::Address;
use crate::visit::{Answer, Visit};

pub const ADDRESSES: &[Address] = &[
    Address::both("/keys", show, make),
    Address::post("/keys/:id/revoke", revoke),
    Address::post("/keys/sessions/:id/end", end),
];

const PLACE: &str = "/keys";
const KEYS: &str = "/admin/v1/api-keys";
const SESSIONS: &str = "/admin/v1/console-sessions";
/// Maximum number of keys and of sessions on the page. The API lists all keys and sessions.
const MAX_ROWS: &str = "200";
const ROLES: [&str; 6] = ["viewer", "dispatcher", "editor", "publisher", "owner", "admin"];

/// The result of the form.
#[derive(Default)]
struct FormResult {
    /// The new key. The key is shown only once.
    made: Option<String>,
    /// An invalid field and its error message.
    fault: Option<(String, String)>,
}

pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move { shown(visit, StatusCode::OK, &FormResult::default()).await })
}

/// Creates a key and shows it once.
pub fn make(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let mut wanted = Map::new();
        for field in ["name", "role", "owner", "rulebook"] {
            let typed = visit.sent(if field == "rulebook" { "only" } else { field });
            if !typed.is_empty() || field == "name" {
                wanted.insert(field.to_owned(), json!(typed));
            }
        }
        match visit.post(KEYS, Some(&Value::Object(wanted))).await {
            Ok(mut made) => {
                let key = made["key"].take();
                let made = key.as_str().map(ToOwned::to_owned);
                shown(visit, StatusCode::OK, &FormResult { made, fault: None }).await
            }
            Err(refusal) if !refusal.fields.is_empty() => {
                let fault = refusal.fields.into_iter().next();
                shown(
                    visit,
                    StatusCode::UNPROCESSABLE_ENTITY,
                    &FormResult { made: None, fault },
                )
                .await
            }
            Err(refusal) => Err(refusal),
        }
    })
}

/// Revokes a key.
pub fn revoke(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        visit.delete(&format!("{KEYS}/{}", segment(&visit.path("id")))).await?;
        Ok(page::see(&visit.link(PLACE, &[])))
    })
}

/// Ends a session.
pub fn end(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        visit
            .delete(&format!("{SESSIONS}/{}", segment(&visit.path("id"))))
            .await?;
        Ok(page::see(&visit.link(PLACE, &[])))
    })
}

async fn shown(visit: &Visit, status: StatusCode, sent: &FormResult) -> Answer {
    let (business, words) = (visit.business().await?, visit.words);
    let main = html! {
        h1 { (words.say("keys")) }
        @if visit.reads_all() {
            @if let Some(key) = &sent.made { (made(visit, key)) }
            @let keys = items(visit.read(KEYS, &[("revoked", "false"), ("limit", MAX_ROWS)]).await?);
            (keys_table(visit, business, &keys))
            @if visit.may(Role::Admin) { (new_key(visit, business, sent)) }
            h2 { (words.say("keys-sessions")) }
            @let sessions = items(visit.read(SESSIONS, &[("limit", MAX_ROWS)]).await?);
            (sessions_table(visit, business, &sessions))
        } @else { p.card.empty { (words.say("keys-role")) } }
    };
    let mut response: Response = Frame::new(visit, Some(business), words.say("keys"), PLACE).page(&main);
    response.set_status(status);
    Ok(response)
}

fn made(visit: &Visit, key: &str) -> Markup {
    let words = visit.words;
    html! { section.card.made role="status" {
        h2 { (words.say("keys-made")) }
        p { code #made { (key) } }
        p { (words.say("keys-made-about")) }
    } }
}

fn keys_table(visit: &Visit, business: &Business, keys: &[Value]) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let own = visit.key.id.to_string();
    html! { div.scroll tabindex="0" role="region" aria-label=(words.say("keys")) { table.grid {
        thead { tr {
            th scope="col" { (words.say("keys-name")) }
            th scope="col" { (words.say("keys-rights")) }
            th scope="col" { (words.say("keys-only")) }
            th scope="col" { (words.say("keys-last-used")) }
            th scope="col" { (words.say("keys-expires")) }
            th scope="col" { span.hidden-text { (words.say("keys-revoke")) } }
        } }
        tbody { @for key in keys {
            @let (id, name) = (text(key, "id").unwrap_or_default(), text(key, "name").unwrap_or_default());
            tr {
                th scope="row" {
                    (name) " " code.quiet { "rb_" (text(key, "prefix").unwrap_or_default()) "…" }
                    @if let Some(owner) = text(key, "owner").filter(|owner| *owner != name) { div.quiet { (owner) } }
                }
                td { (words.name("right", text(key, "role").unwrap_or_default())) }
                td { @match text(key, "rulebook") {
                    Some(code) => (code),
                    None => (words.say("all")),
                } }
                td { @match text(key, "last_used_at") {
                    Some(at) => (times.at(Some(at))),
                    None => (words.say("keys-never")),
                } }
                td { @match text(key, "expires_at") {
                    Some(at) => (times.at(Some(at))),
                    None => (words.say("keys-never")),
                } }
                td.number { @if id == own { (words.say("keys-own")) } @else if visit.may(Role::Admin) {
                    (button(visit, &format!("/keys/{id}/revoke"), "keys-revoke", name))
                } }
            }
        } }
    } } }
}

fn sessions_table(visit: &Visit, business: &Business, sessions: &[Value]) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let own = visit.session.id.to_string();
    html! { div.scroll tabindex="0" role="region" aria-label=(words.say("keys-sessions")) { table.grid {
        thead { tr {
            th scope="col" { (words.say("keys-name")) }
            th scope="col" { (words.say("keys-rights")) }
            th scope="col" { (words.say("keys-since")) }
            th scope="col" { (words.say("keys-last-used")) }
            th scope="col" { span.hidden-text { (words.say("keys-end")) } }
        } }
        tbody { @for session in sessions {
            @let (id, name) = (text(session, "id").unwrap_or_default(), text(session, "name").unwrap_or_default());
            tr {
                th scope="row" { (name) }
                td { (words.name("right", text(session, "role").unwrap_or_default())) }
                td { (times.at(text(session, "created_at"))) }
                td { (times.at(text(session, "last_used_at"))) }
                td.number { @if id == own { (words.say("keys-this")) } @else if visit.may(Role::Admin) {
                    (button(visit, &format!("/keys/sessions/{id}/end"), "keys-end", name))
                } }
            }
        } }
    } } }
}

/// A button in a row, with a label for screen readers that names the row.
fn button(visit: &Visit, path: &str, key: &str, about: &str) -> Markup {
    html! { form method="post" action=(visit.link(path, &[])) {
        (page::token(visit))
        button.small type="submit" { (visit.words.say(key)) span.hidden-text { " " (about) } }
    } }
}

fn new_key(visit: &Visit, business: &Business, sent: &FormResult) -> Markup {
    let words = visit.words;
    let kept = |name| if sent.fault.is_some() { visit.sent(name) } else { "" };
    html! {
        h2 { (words.say("keys-new")) }
        form.filters method="post" action=(visit.link(PLACE, &[])) {
            (page::token(visit))
            (field(visit, sent, "name", kept("name"), true))
            div.field {
                label for="role" { (words.say("keys-rights")) }
                select #role name="role" { @for role in ROLES {
                    option value=(role) selected[kept("role") == role] { (words.name("right", role)) }
                } }
            }
            (field(visit, sent, "owner", kept("owner"), false))
            @if business.choices.len() > 1 { div.field {
                label for="only" { (words.say("keys-only")) }
                select #only name="only" {
                    option value="" { (words.say("all")) }
                    @for (code, name) in &business.choices {
                        option value=(code) selected[kept("only") == code] { (name) }
                    }
                }
            } }
            button.main type="submit" { (words.say("keys-make")) }
        }
        dl.facts { @for role in ROLES {
            dt { (words.name("right", role)) }
            dd { (words.name("right-may", role)) }
        } }
    }
}

fn field(visit: &Visit, sent: &FormResult, name: &str, kept: &str, required: bool) -> Markup {
    let words = visit.words;
    let fault = sent.fault.as_ref().filter(|(field, _)| field == name);
    let about = format!("{name}-fault");
    html! { div.field {
        label for=(name) { (words.say(if name == "name" { "keys-name" } else { "keys-owner" })) }
        input #(name) name=(name) value=(kept) maxlength="100" required[required] aria-invalid=[fault.map(|_| "true")]
            aria-describedby=[fault.map(|_| about.as_str())];
        @if fault.is_some() { p.fault #(about) { (words.say("keys-fault")) } }
    } }
}
