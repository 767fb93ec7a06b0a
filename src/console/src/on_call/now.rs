//! The card that shows who is on shift now, until when, and who is next.

use maud::{Markup, html};
use serde_json::Value;

use super::messages::View;
use crate::leads::text;

pub fn card(view: &View<'_>) -> Markup {
    let words = view.visit.words;
    let on = view.roster["on_now"].as_array().map_or(&[][..], Vec::as_slice);
    let next = view.roster["next"].as_array().map_or(&[][..], Vec::as_slice);
    html! { section.card.on-now aria-labelledby="on-now" {
        h2 #on-now { (words.say("on-call-now")) }
        @if on.is_empty() { p.nobody { (words.say("on-call-nobody")) } }
        @else { ul { @for one in on { (person(view, one)) } } }
        @if !next.is_empty() {
            p.next {
                span.quiet { (words.say("on-call-next")) } " "
                @for (place, one) in next.iter().enumerate() {
                    @if place > 0 { ", " }
                    strong { (view.business.contact(text(one, "contact").unwrap_or_default())) }
                }
                " " span.quiet { (from(view, next)) }
            }
        }
    } }
}

fn from(view: &View<'_>, next: &[Value]) -> Markup {
    let starts_at = next.first().and_then(|one| text(one, "starts_at"));
    let at = starts_at.and_then(|at| at.parse().ok()).map(|at| view.times.text(at));
    html! { (view.visit.words.say_of("on-call-from", &[("time", &at.unwrap_or_default())])) }
}

fn person(view: &View<'_>, one: &Value) -> Markup {
    let words = view.visit.words;
    let code = text(one, "contact").unwrap_or_default();
    let ends_at = text(one, "ends_at");
    let until = ends_at.and_then(|at| at.parse().ok()).map(|at| view.times.text(at));
    html! { li.(view.colour(code)) {
        strong.name { (view.business.contact(code)) }
        span.until {
            @match until {
                Some(time) => {
                    (words.say_of("on-call-until", &[("time", &time)]))
                    @if let Some(left) = view.times.until(ends_at) {
                        " " span.quiet { (words.say_of("on-call-left", &[("time", &left)])) }
                    }
                },
                None => (words.say("on-call-no-end")),
            }
        }
        span.quiet { (reason(view, one, code)) }
    } }
}

/// The reason why somebody is on shift.
fn reason(view: &View<'_>, one: &Value, code: &str) -> String {
    let words = view.visit.words;
    let contact = view.business.rows.contacts.get(code).map(|stored| &stored.row);
    match text(one, "source").unwrap_or_default() {
        "always" => words.say("on-call-always"),
        "calendar" => words.say("on-call-by-calendar"),
        "rotation" => {
            let number = |number: Option<i64>| number.unwrap_or_default().to_string();
            let week = number(contact.and_then(|contact| contact.rotation_week));
            let of = number(contact.and_then(|contact| contact.rotation_of));
            words.say_of("on-call-by-week", &[("week", &week), ("of", &of)])
        }
        _ => {
            let row = text(one, "override").and_then(|code| view.business.rows.shift_overrides.get(code));
            match row.and_then(|stored| stored.row.instead_of.as_deref()) {
                Some(replaced) => words.say_of("on-call-instead", &[("who", &view.business.contact(replaced))]),
                None => words.say("on-call-joins"),
            }
        }
    }
}
