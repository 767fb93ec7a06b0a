//! The forms beside the calendar: replace somebody, swap two shifts, name a holiday. The choice in the calendar fills
//! in the forms. After an error, a form still contains the input.

use chrono::NaiveDate;
use maud::{Markup, html};

use super::dates::{day, next_day, wall};
use super::fields::{Field, general};
use super::holiday::{self, entry_of};
use super::messages::{Form, View, opening_hours};
use super::roster::ShiftPart;
use crate::page;

pub fn all(view: &View<'_>) -> Markup {
    let words = view.visit.words;
    let (chosen, other) = (view.chosen(), view.other());
    let sent = view.outcome.form;
    let is_open = |form: Form, by_choice: bool| sent == Some(form) || (sent.is_none() && by_choice);
    let (is_pair, by_day) = (chosen.is_some() && other.is_some(), view.day().is_some());
    html! { section.forms #change tabindex="-1" aria-labelledby="changes" {
        h2 #changes { @match view.day() {
            Some(date) => (day(words, date)),
            None => (words.say("on-call-change")),
        } }
        details.card open[is_open(Form::Replace, !is_pair && (chosen.is_some() || by_day))] {
            summary { h3 { (words.say("on-call-replace")) } }
            (replace(view))
        }
        details.card open[is_open(Form::Swap, chosen.is_some())] {
            summary { h3 { (words.say("on-call-swap")) } }
            (swap(view))
        }
        details.card open[is_open(Form::Holiday, by_day)] {
            summary { h3 { (words.say("on-call-holiday")) } }
            @match opening_hours(view.business) {
                Some(_) => (holiday_form(view)),
                None => p.quiet { (words.say("on-call-no-calendar")) },
            }
        }
    } }
}

impl View<'_> {
    /// Returns the value of a field: the input if this form was sent, otherwise the value that the person chose in the
    /// calendar.
    fn value(&self, form: Form, name: &str, chosen: impl FnOnce() -> String) -> String {
        if self.outcome.form == Some(form) {
            self.visit.sent(name).to_owned()
        } else {
            chosen()
        }
    }

    /// The other contact, if there are exactly two contacts; otherwise empty.
    fn only_other(&self, code: &str) -> String {
        let others: Vec<_> = self
            .contacts()
            .into_iter()
            .filter(|contact| contact.code != code)
            .collect();
        match others.as_slice() {
            [other] => other.code.clone(),
            _ => String::new(),
        }
    }

    /// The first person on shift on a day.
    fn first_of(&self, date: NaiveDate) -> Option<&str> {
        let mut of_day = self.pieces.iter().filter(|piece| piece.day() == date);
        of_day.find_map(|piece| piece.contact.as_deref())
    }
}

fn replace(view: &View<'_>) -> Markup {
    let words = view.visit.words;
    let form = Form::Replace;
    let chosen = view.chosen();
    let day = view.day();
    let replaced = view.value(form, "instead_of", || {
        let of_day = || day.and_then(|date| view.first_of(date));
        let code = chosen.and_then(|piece| piece.contact.as_deref()).or_else(of_day);
        code.unwrap_or_default().to_owned()
    });
    let contact = view.value(form, "contact", || view.only_other(&replaced));
    let midnight = |date: NaiveDate| wall(date.and_time(chrono::NaiveTime::MIN));
    let span =
        |piece: fn(&ShiftPart) -> String, of_day: Option<String>| chosen.map(piece).or(of_day).unwrap_or_default();
    let from = view.value(form, "from", || span(ShiftPart::begin, day.map(midnight)));
    let until = view.value(form, "until", || {
        span(|piece| wall(piece.until), day.map(next_day).map(midnight))
    });
    let comment = view.value(form, "comment", String::new);
    let field = |name, label, value| Field {
        form,
        name,
        label,
        value,
    };
    html! { form.stack method="post" action=(view.action("/replace")) {
        (page::token(view.visit))
        (general(view, form))
        (field("instead_of", "on-call-field-instead", &replaced).contact(view, Some("on-call-field-joins"), false))
        (field("contact", "on-call-field-contact", &contact).contact(view, Some("on-call-field-choose"), true))
        (field("from", "on-call-field-from", &from).input(view, "datetime-local", true))
        (field("until", "on-call-field-until", &until).input(view, "datetime-local", true))
        (field("comment", "on-call-field-comment", &comment).input(view, "text", false))
        button.main type="submit" { (words.say("on-call-replace-do")) }
    } }
}

fn swap(view: &View<'_>) -> Markup {
    let words = view.visit.words;
    let form = Form::Swap;
    let who = |piece: Option<&ShiftPart>| piece.and_then(|piece| piece.contact.clone()).unwrap_or_default();
    let date = |piece: Option<&ShiftPart>| piece.map(|piece| piece.day().to_string()).unwrap_or_default();
    let (chosen, other) = (view.chosen(), view.other());
    let first = view.value(form, "who", || who(chosen));
    let first_day = view.value(form, "day", || date(chosen));
    let second = view.value(form, "with", || {
        let second = who(other);
        if second.is_empty() && !first.is_empty() {
            view.only_other(&first)
        } else {
            second
        }
    });
    let second_day = view.value(form, "with_day", || date(other));
    let field = |name, label, value| Field {
        form,
        name,
        label,
        value,
    };
    html! { form.stack method="post" action=(view.action("/swap")) {
        (page::token(view.visit))
        p.quiet { (words.say("on-call-swap-about")) }
        (general(view, form))
        div.two-fields {
            (field("who", "on-call-field-who", &first).contact(view, Some("on-call-field-choose"), true))
            (field("day", "on-call-field-day", &first_day).input(view, "date", true))
        }
        div.two-fields {
            (field("with", "on-call-field-with", &second).contact(view, Some("on-call-field-choose"), true))
            (field("with_day", "on-call-field-day", &second_day).input(view, "date", true))
        }
        button.main type="submit" { (words.say("on-call-swap-do")) }
    } }
}

fn holiday_form(view: &View<'_>) -> Markup {
    let words = view.visit.words;
    let form = Form::Holiday;
    let day = view.day().map(|date| date.to_string()).unwrap_or_default();
    let date = view.value(form, "date", || day);
    // The name of the day that this page shows. The form sends this name back, so that the server can detect a change
    // that the person has not seen.
    let entry = super::dates::from_day(&date).and_then(|date| entry_of(view.business, date));
    let known = entry.map(|entry| view.business.shown(&entry.name)).unwrap_or_default();
    let name = view.value(form, "name", || known.clone());
    let (from, until) = (
        view.value(form, "open_from", String::new),
        view.value(form, "open_until", String::new),
    );
    let field = |name, label, value| Field {
        form,
        name,
        label,
        value,
    };
    html! {
        form.stack method="post" action=(view.action("/holiday")) {
            (page::token(view.visit))
            input type="hidden" name="was" value=(known);
            input type="hidden" name="was_on" value=(date);
            (general(view, form))
            (field("date", "on-call-field-date", &date).input(view, "date", true))
            (field("name", "on-call-field-name", &name).input(view, "text", true))
            fieldset {
                legend { (words.say("on-call-field-open")) }
                div.two-fields {
                    (field("open_from", "on-call-field-open-from", &from).input(view, "time", false))
                    (field("open_until", "on-call-field-open-until", &until).input(view, "time", false))
                }
            }
            button.main type="submit" { (words.say("on-call-holiday-do")) }
        }
        @if !known.is_empty() { (holiday::remove_form(view, &date, &known)) }
    }
}
