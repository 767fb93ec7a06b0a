//! The form around the table of prices: the change by percentage, the paste field, error messages and the buttons.

use maud::{Markup, html};
use poem::Response;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::address::segment;
use crate::business::Business;
use crate::leads::text;
use crate::page::{self, Frame};
use crate::prices::fill::{self, Miss, STEPS};
use crate::prices::guards::Guards;
use crate::prices::read_only;
use crate::prices::sheet::PriceRow;
use crate::prices::table::{self, CellContext};
use crate::prices::{PriceContext, amount};
use crate::visit::Visit;
use crate::words::Words;

/// A message above the table.
pub struct Note {
    key: &'static str,
    count: usize,
    pub is_fault: bool,
}

impl Note {
    pub const fn fault(key: &'static str, count: usize) -> Self {
        Self {
            key,
            count,
            is_fault: true,
        }
    }

    const fn done(key: &'static str, count: usize) -> Self {
        Self {
            key,
            count,
            is_fault: false,
        }
    }
}

/// The input of a person, with messages about it.
pub struct PriceInput {
    pub lines: Vec<PriceRow>,
    pub comment: String,
    pub notes: Vec<Note>,
    /// Whether the form contains input that was sent but not saved.
    is_unsaved: bool,
    /// The `detail` of the admin API's error; empty if there is no error.
    pub detail: String,
    percent: String,
    percent_fault: Option<&'static str>,
    step: String,
    over: String,
    pasted: String,
    misses: Vec<Miss>,
}

impl PriceInput {
    pub fn new(lines: Vec<PriceRow>) -> Self {
        Self {
            lines,
            comment: String::new(),
            notes: Vec::new(),
            is_unsaved: false,
            detail: String::new(),
            percent: String::new(),
            percent_fault: None,
            step: "1".to_owned(),
            over: String::new(),
            pasted: String::new(),
            misses: Vec::new(),
        }
    }

    pub fn of(visit: &Visit, lines: Vec<PriceRow>) -> Self {
        let sent = |name| visit.sent(name).to_owned();
        Self {
            comment: sent("comment"),
            percent: sent("percent"),
            step: sent("step"),
            over: sent("over"),
            pasted: sent("pasted"),
            is_unsaved: true,
            ..Self::new(lines)
        }
    }

    /// Raises or lowers the selected rows by a percentage.
    pub fn raise(&mut self, words: Words) {
        if self.percent.is_empty() {
            return;
        }
        let percent = match amount::number(&self.percent) {
            Ok(percent) if percent >= -Decimal::ONE_HUNDRED && percent <= Decimal::ONE_THOUSAND => percent,
            Ok(_) => return self.wrong_percent("prices-percent-range"),
            Err(fault) => return self.wrong_percent(fault.key()),
        };
        let step = STEPS
            .iter()
            .find(|step| **step == self.step)
            .and_then(|step| step.parse().ok());
        let over = if self.over.is_empty() {
            "picked"
        } else {
            self.over.as_str()
        };
        let filled = fill::raise(words, &mut self.lines, percent, step.unwrap_or(Decimal::ONE), over);
        if filled == 0 {
            return self.wrong_percent("prices-percent-none");
        }
        self.notes.push(Note::done("prices-filled", filled));
        // A second press of the button must not change the prices again.
        self.percent.clear();
    }

    fn wrong_percent(&mut self, key: &'static str) {
        self.percent_fault = Some(key);
        self.notes.push(Note::fault(key, 0));
    }

    /// Fills the fields from the pasted text.
    pub fn paste(&mut self, words: Words, business: &Business) {
        let (filled, misses) = fill::paste(words, business, &mut self.lines, &self.pasted);
        self.misses = misses;
        if filled == 0 && self.misses.is_empty() {
            self.notes.push(Note::fault("prices-paste-empty", 0));
        } else {
            self.notes.push(Note::done("prices-pasted", filled));
        }
    }
}

pub fn page(visit: &Visit, business: &Business, context: &PriceContext, typed: &PriceInput) -> Response {
    let words = visit.words;
    let currency = table::currency_of(business);
    let around = CellContext {
        visit,
        business,
        currency: &currency,
        guards: &context.guards,
    };
    let id = context.set.as_ref().and_then(|set| text(set, "id")).unwrap_or_default();
    let action = visit.link("/prices", &[("change_set", id)]);
    let guards = &context.guards;
    let main = html! {
        h1 { (words.say("prices")) }
        p.quiet { (words.say("prices-about")) }
        (set_line(visit, context))
        p #offline.banner role="alert" hidden { (words.say("prices-offline")) }
        form #prices method="post" action=(action)
            data-guard=(if typed.is_unsaved { "unsaved" } else { "" })
            data-low=[table::plain(guards.lowest)] data-high=[table::plain(guards.highest)]
            data-largest=[table::plain(guards.largest)]
            data-say-low=(guards.low(words, &currency)) data-say-high=(guards.high(words, &currency))
            data-say-large=(guards.large(words)) data-say-wrong=(words.say("prices-fault-number")) {
            (page::token(visit))
            (notes(visit, typed))
            (tools(visit, typed))
            (table::table(&around, &typed.lines))
            (bar(visit, context, typed))
        }
        (limits(words, guards, &currency))
        (read_only::taxes(visit, business))
    };
    Frame::new(visit, Some(business), words.say("prices"), "/prices")
        .script("/console/prices.js")
        .page(&main)
}

/// The name of the change set to which the page adds changes, or a link to the person's open change set.
fn set_line(visit: &Visit, context: &PriceContext) -> Markup {
    let words = visit.words;
    let name = |set: &Value| text(set, "comment").map_or_else(|| words.say("change-set-unnamed"), ToOwned::to_owned);
    match (&context.set, &context.own) {
        (Some(set), _) => {
            let id = segment(text(set, "id").unwrap_or_default());
            html! { p.card.set-line {
                (words.say_of("prices-in-set", &[("set", &name(set))])) " "
                a href=(visit.link(&format!("/change-sets/{id}"), &[])) { (words.say("prices-to-set")) }
            } }
        }
        (None, Some(own)) => {
            let id = text(own, "id").unwrap_or_default();
            html! { p.card.set-line {
                (words.say_of("prices-own-set", &[("set", &name(own))])) " "
                a href=(visit.link("/prices", &[("change_set", id)])) { (words.say("prices-continue")) }
            } }
        }
        (None, None) => html! {},
    }
}

fn notes(visit: &Visit, typed: &PriceInput) -> Markup {
    let words = visit.words;
    html! {
        @for note in &typed.notes {
            @if note.is_fault { p.note.bad role="alert" { (words.count(note.key, note.count)) } }
            @else { p.note.good role="status" { (words.count(note.key, note.count)) } }
        }
        @if !typed.detail.is_empty() { p.fault lang="en" { (typed.detail) } }
    }
}

fn tools(visit: &Visit, typed: &PriceInput) -> Markup {
    let words = visit.words;
    let overs = [
        ("picked", words.say("prices-over-picked")),
        ("services", words.say("prices-over-services")),
        ("adjustments", words.say("prices-over-adjustments")),
    ];
    html! { div.card.tools {
        div.percent {
            div.field {
                label for="percent" { (words.say("prices-percent")) }
                input #percent name="percent" inputmode="decimal" autocomplete="off" maxlength="20" size="6"
                    value=(typed.percent) placeholder="+5"
                    aria-invalid=[typed.percent_fault.map(|_| "true")] aria-describedby="about-percent";
            }
            div.field {
                label for="over" { (words.say("prices-over")) }
                select #over name="over" { @for (value, name) in &overs {
                    option value=(value) selected[typed.over == *value] { (name) }
                } }
            }
            div.field {
                label for="step" { (words.say("prices-step")) }
                select #step name="step" { @for step in STEPS {
                    option value=(step) selected[typed.step == step] { (crate::locale::decimal(words, step)) }
                } }
            }
            button type="submit" name="do" value="fill" { (words.say("prices-fill")) }
        }
        p #about-percent.(if typed.percent_fault.is_some() { "fault" } else { "quiet" }) {
            (words.say(typed.percent_fault.unwrap_or("prices-percent-about")))
        }
        details.paste open[!typed.pasted.is_empty()] {
            summary { (words.say("prices-paste")) }
            div.stack {
                label for="pasted" { (words.say("prices-paste-label")) }
                textarea #pasted name="pasted" rows="5" maxlength="20000" spellcheck="false" { (typed.pasted) }
                button type="submit" name="do" value="paste" { (words.say("prices-paste-fill")) }
            }
        }
        @if !typed.misses.is_empty() { div.misses {
            p.fault { (words.count("prices-misses", typed.misses.len())) }
            ul { @for miss in &typed.misses { li {
                (words.say_of("prices-miss-line", &[("line", &miss.number.to_string())])) " "
                code { (miss.text) } " " span.fault { (words.say(miss.key)) }
            } } }
        } }
    } }
}

fn bar(visit: &Visit, context: &PriceContext, typed: &PriceInput) -> Markup {
    let words = visit.words;
    let changed = typed.lines.iter().filter(|line| line.patch().is_some()).count();
    html! {
        @if context.set.is_none() { div.field.comment {
            label for="comment" { (words.say("prices-comment")) }
            input #comment name="comment" maxlength="500" autocomplete="off" value=(typed.comment);
        } }
        div.bar {
        p #changed.quiet data-one=(words.count("prices-changed", 1)) data-many=(words.count("prices-changed", 2))
            hidden[changed == 0] { (words.count("prices-changed", changed)) }
        button type="submit" name="do" value="save" { (words.say("prices-save")) }
        button.main type="submit" name="do" value="try" { (words.say("prices-try")) }
        }
    }
}

fn limits(words: Words, guards: &Guards, currency: &str) -> Markup {
    let mut limits = Vec::new();
    if guards.lowest.is_some() {
        limits.push(guards.low(words, currency));
    }
    if guards.highest.is_some() {
        limits.push(guards.high(words, currency));
    }
    if guards.largest.is_some() {
        limits.push(guards.large(words));
    }
    html! { @if !limits.is_empty() {
        h2 { (words.say("prices-guards")) }
        ul { @for limit in limits { li { (limit) } } }
    } }
}
