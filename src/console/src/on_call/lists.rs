//! The list of overrides, with buttons that delete them.

use maud::{Markup, html};
use rules::rows::ShiftOverride;

use super::dates::{from_wall, span};
use super::messages::{View, overrides as all};
use crate::page::token;

pub fn overrides(view: &View<'_>) -> Markup {
    let words = view.visit.words;
    let now = view.now();
    let is_over = |row: &ShiftOverride| from_wall(&row.until).is_some_and(|until| until <= now);
    let (over, ahead): (Vec<_>, Vec<_>) = all(view.business).into_iter().partition(|(row, _)| is_over(row));
    html! { section aria-labelledby="overrides" {
        h2 #overrides { (words.say("on-call-overrides")) }
        @if ahead.is_empty() { p.quiet { (words.say("on-call-overrides-none")) } }
        @else { ul.rows { @for (row, version) in &ahead { (line(view, row, *version)) } } }
        @if !over.is_empty() {
            details {
                summary { (words.count("on-call-overrides-over", over.len())) }
                ul.rows { @for (row, version) in over.iter().rev() { (line(view, row, *version)) } }
            }
        }
    } }
}

fn line(view: &View<'_>, row: &ShiftOverride, version: i64) -> Markup {
    let words = view.visit.words;
    let when = from_wall(&row.from)
        .zip(from_wall(&row.until))
        .map(|(from, until)| span(words, from, until));
    let who = view.business.contact(&row.contact);
    let instead = row.instead_of.as_deref().map(|code| view.business.contact(code));
    html! { li.row.override-row {
        div {
            p {
                strong { (who) } " "
                @match &instead {
                    Some(replaced) => (words.say_of("on-call-instead", &[("who", replaced)])),
                    None => (words.say("on-call-joins")),
                }
            }
            p.quiet { (when.unwrap_or_default()) }
            @if let Some(comment) = &row.comment { p.quiet { q { (view.business.shown(comment)) } } }
        }
        @if view.may_change {
            form method="post" action=(view.action("/remove")) {
                (token(view.visit))
                input type="hidden" name="code" value=(row.code);
                input type="hidden" name="version" value=(version);
                button.small type="submit" { (words.say("on-call-remove")) span.away { " " (who) " " (row.from) } }
            }
        }
    } }
}
