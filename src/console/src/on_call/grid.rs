//! The month as a table of weeks. Each day shows its shifts, its holidays, and the hours in which nobody is on shift.
//! On a phone the table becomes a list of days.

use chrono::NaiveDate;
use maud::{Markup, html};
use serde_json::Value;

use super::dates::{Month, clock, day, hours, is_midnight, weekdays};
use super::messages::View;
use super::roster::ShiftPart;
use crate::dates::{self, weekday_name};
use crate::leads::text;

/// Maximum number of shifts and gaps that a day shows. The chosen day shows all shifts and gaps.
const MAX_SHOWN: usize = 5;

/// The month's name, with links to the previous and the next month.
pub fn head(view: &View<'_>) -> Markup {
    let words = view.visit.words;
    let beside = |after: bool| {
        view.visit
            .link(super::PLACE, &[("month", &view.month.beside(after).text())])
    };
    html! {
        div.month-head {
            h2 #month { (view.month.name(words)) }
            a.month-step href=(beside(false)) aria-label=(words.say("on-call-previous")) { "←" }
            a.month-step href=(beside(true)) aria-label=(words.say("on-call-following")) { "→" }
            a.month-step href={ (view.visit.link(super::PLACE, &[])) "#today" } { (words.say("on-call-today")) }
        }
        @if view.may_change {
            @if let Some(chosen) = view.chosen() { (choosing(view, chosen)) }
            @else { p.quiet { (words.say("on-call-about")) } }
        }
    }
}

/// The advice that is shown while a shift is chosen.
fn choosing(view: &View<'_>, chosen: &ShiftPart) -> Markup {
    let words = view.visit.words;
    let who = view.business.contact(chosen.contact.as_deref().unwrap_or_default());
    let values = [("who", who.as_str()), ("day", &day(words, chosen.day()))];
    html! { p.outcome.choosing role="status" {
        (words.say_of("on-call-chosen", &values)) " "
        a href=(view.link(&[])) { (words.say("on-call-forget")) }
    } }
}

pub fn month(view: &View<'_>) -> Markup {
    let words = view.visit.words;
    let is_current = view.month == Month::of(view.today) && view.visit.asked("past").is_empty();
    html! { @if is_current {
        a.earlier href=(view.link(&[("past", "1")])) { (words.say("on-call-earlier")) }
    } table.month.current[is_current] {
        caption.away { (view.month.name(words)) }
        thead { tr { @for name in weekdays(words) { th scope="col" { (name) } } } }
        tbody { @for week in view.month.weeks() {
            tr { @for date in week { @match date {
                Some(date) => (cell(view, date)),
                None => td.out {},
            } } }
        } }
    } }
}

fn cell(view: &View<'_>, date: NaiveDate) -> Markup {
    let words = view.visit.words;
    let is_today = date == view.today;
    let mut pieces: Vec<&ShiftPart> = view.pieces.iter().filter(|piece| piece.day() == date).collect();
    // The sort is stable, so shifts that begin at the same time stay in the order in which contacts are tried.
    pieces.sort_by_key(|piece| piece.from);
    let is_chosen = view.day() == Some(date);
    let shown = if is_chosen { pieces.len() } else { MAX_SHOWN };
    let number = dates::number(words, date);
    html! { td.today[is_today].past[date < view.today].chosen[is_chosen] id=[is_today.then_some("today")]
        aria-current=[is_today.then_some("date")] {
        div.date {
            @if view.may_change {
                a href=(day_link(view, date)) aria-label=(day(words, date)) { (number) }
            } @else { strong { (number) } }
            span.weekday { (weekday_name(words, date)) }
            @if is_today { span.tag { (words.say("on-call-today")) } }
        }
        @for holiday in holidays(view, date) { (holiday_line(view, holiday)) }
        @if !pieces.is_empty() {
            ul {
                @for piece in pieces.iter().take(shown) { (line(view, piece)) }
                @if pieces.len() > shown {
                    li.rest { a href=(day_link(view, date)) {
                        (words.count("on-call-rest", pieces.len() - shown))
                    } }
                }
            }
        }
    } }
}

fn day_link(view: &View<'_>, date: NaiveDate) -> String {
    format!("{}#change", view.link(&[("day", &date.to_string())]))
}

fn holidays<'a>(view: &'a View<'_>, date: NaiveDate) -> impl Iterator<Item = &'a Value> {
    let date = date.to_string();
    let all = view.roster["holidays"].as_array().into_iter().flatten();
    all.filter(move |holiday| holiday["date"] == date.as_str())
}

fn holiday_line(view: &View<'_>, holiday: &Value) -> Markup {
    let words = view.visit.words;
    let open: Vec<&str> = holiday["open"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    html! { p.holiday {
        strong { (view.business.shown(text(holiday, "name").unwrap_or_default())) } " · "
        span { @if open.is_empty() { (words.say("on-call-closed")) } @else { (open.join(", ")) } }
    } }
}

/// A shift or a gap in a day. While a shift is chosen, the shifts of other people are links that fill in the swap form.
fn line(view: &View<'_>, piece: &ShiftPart) -> Markup {
    let words = view.visit.words;
    let when = when(view, piece);
    let Some(code) = piece.contact.as_deref() else {
        return html! { li.gap { strong { (words.say("on-call-gap")) } " " span.hours { (when) } } };
    };
    let chosen = view.chosen();
    let is_chosen = [chosen, view.other()].contains(&Some(piece));
    let name = view.business.contact(code);
    let begin = piece.begin();
    let link = || {
        let first = chosen.filter(|first| first.contact != piece.contact);
        let pairs = match first {
            Some(first) => view.link(&[
                ("who", first.contact.as_deref().unwrap_or_default()),
                ("at", &first.begin()),
                ("with", code),
                ("with_at", &begin),
            ]),
            None => view.link(&[("who", code), ("at", &begin)]),
        };
        format!("{pairs}#change")
    };
    html! { li.(view.colour(code)).chosen[is_chosen].override[piece.source == "override"] {
        @if view.may_change { a href=(link()) { (name) } } @else { span.name { (name) } }
        " " span.hours { (when) }
        @if piece.source == "override" { " " span.tag { (words.say("on-call-override")) } }
    } }
}

/// The hours of a shift part within its day.
fn when(view: &View<'_>, piece: &ShiftPart) -> String {
    let words = view.visit.words;
    if piece.is_whole_day() {
        return words.say("on-call-all-day");
    }
    match (is_midnight(piece.from), is_midnight(piece.until)) {
        (true, _) => words.say_of("on-call-until", &[("time", &clock(words, piece.until))]),
        (_, true) => words.say_of("on-call-from", &[("time", &clock(words, piece.from))]),
        _ => hours(words, piece.from, piece.until),
    }
}
