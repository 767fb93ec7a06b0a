//! The page of a day in the business's time zone: its figures, its open leads, and its calls and leads by time.

mod diary;

use admin::auth::Role;
use chrono::NaiveDate;
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use serde_json::Value;
use web::problem::Problem;

use self::diary::{Diary, Entry};
use crate::address::segment;
use crate::business::Business;
use crate::leads::{call_link, phone, priority, tags, taken_by, text, what, who};
use crate::locale::{length, range};
use crate::page::{self, Frame};
use crate::routes::Address;
use crate::visit::{Answer, Visit};
use crate::{dates, lists};

pub const ADDRESSES: &[Address] = &[Address::get("/today", show)];

/// Maximum number of open leads at the top.
const MAX_OPEN: usize = 8;
const PRIORITIES: [&str; 4] = ["P1", "P2", "P3", "P4"];

/// The day that the page shows, and today's date.
struct Day {
    date: NaiveDate,
    today: NaiveDate,
    text: String,
}

pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let day = Day::asked(visit, business)?;
        let path = business.path(&format!("/statements/{}", day.text));
        let mut statement = visit.read(&path, &[("simulated", "true")]).await?;
        let diary = Diary::read(visit, business, &day.text).await?;
        let main = main(visit, business, &day, &statement["total"].take(), &diary);
        let frame = Frame::new(visit, Some(business), dates::day(visit.words, day.date), "/today");
        Ok(frame.page(&main))
    })
}

impl Day {
    fn asked(visit: &Visit, business: &Business) -> Result<Self, Problem> {
        let today = visit.times(business).today();
        let asked = visit.asked("day");
        let read = |text: &str| text.parse::<NaiveDate>().ok().filter(|_| text.len() == 10);
        let date = match asked {
            "" => today,
            "yesterday" => today.pred_opt().unwrap_or(today),
            text => read(text).ok_or_else(|| {
                Problem::invalid_parameter("day", "`day` must be a date, such as `2026-11-28`, or `yesterday`.")
            })?,
        };
        let text = date.to_string();
        Ok(Self { date, today, text })
    }

    fn is_today(&self) -> bool {
        self.date == self.today
    }
}

fn main(visit: &Visit, business: &Business, day: &Day, figures: &Value, diary: &Diary) -> Markup {
    let words = visit.words;
    html! {
        div.day-head {
            h1 { (dates::day(words, day.date)) }
            (neighbours(visit, day))
        }
        (search_form(visit, day))
        (figure_list(visit, day, figures))
        @if diary.any_simulated { p.quiet { (words.say("today-simulated")) } }
        (open_leads(visit, business, day, diary))
        h2 { (words.say(if visit.asked("q").is_empty() { "today-diary" } else { "today-found" })) }
        @if diary.entries.is_empty() {
            div.card.empty {
                p { (words.say(if visit.asked("q").is_empty() { "today-empty" } else { "today-not-found" })) }
                (lists::elsewhere(visit, "/today"))
                @if !visit.asked("q").is_empty() {
                    p { a href=(visit.link("/leads", &[("q", visit.asked("q")), ("in", visit.asked("in"))])) {
                        (words.say("today-search-all"))
                    } }
                }
            }
        } @else {
            ol.rows.diary { @for entry in diary.shown() { (row(visit, business, entry)) } }
        }
        (pages(visit, day, diary))
    }
}

/// Links to the previous and the next day.
fn neighbours(visit: &Visit, day: &Day) -> Markup {
    let words = visit.words;
    let to = |date: Option<NaiveDate>| {
        let text = date.filter(|date| *date != day.today).map(|date| date.to_string());
        visit.link("/today", &[("day", text.as_deref().unwrap_or_default())])
    };
    let before = if day.is_today() {
        "today-yesterday"
    } else {
        "today-before"
    };
    html! { nav.neighbours aria-label=(words.say("today-days")) {
        a rel="prev" href=(to(day.date.pred_opt())) { "← " (words.say(before)) }
        @if day.date < day.today {
            a rel="next" href=(to(day.date.succ_opt())) { (words.say("today-after")) " →" }
            a href=(to(None)) { (words.say("today")) }
        }
    } }
}

fn search_form(visit: &Visit, day: &Day) -> Markup {
    let words = visit.words;
    html! { form.filters method="get" action="/console/today" role="search" {
        @if !visit.asked("rulebook").is_empty() {
            input type="hidden" name="rulebook" value=(visit.asked("rulebook"));
        }
        (lists::search_fields(visit))
        div.field {
            label for="day" { (words.say("day")) }
            input #day name="day" type="date" value=(day.text) max=(day.today.to_string());
        }
        button type="submit" { (words.say("filter")) }
    } }
}

fn count(figures: &Value, path: &str) -> i64 {
    figures.pointer(path).and_then(Value::as_i64).unwrap_or_default()
}

/// The figures of the day, with links to the lists that they count.
fn figure_list(visit: &Visit, day: &Day, figures: &Value) -> Markup {
    let words = visit.words;
    let of_day =
        |path: &str, more: &[(&str, &str)]| visit.link(path, &[&[("day", day.text.as_str())][..], more].concat());
    let sent = count(figures, "/sms_by_state/delivered") + count(figures, "/sms_by_state/accepted");
    let dead = count(figures, "/sms_by_state/dead") + count(figures, "/sms_by_state/ambiguous");
    let simulated = count(figures, "/sms_by_state/simulated");
    let late = count(figures, "/answered_late");
    let quoted = text(figures, "quoted_from").zip(text(figures, "quoted_to"));
    let month = day.text.get(..7).unwrap_or_default();
    html! { dl.figures {
        div {
            dt { (words.say("calls")) }
            dd { a href=(of_day("/calls", &[])) { (count(figures, "/calls")) }
                span.quiet { (length(count(figures, "/seconds").saturating_mul(1000))) " min" } }
        }
        div {
            dt { (words.say("leads")) }
            dd {
                a href=(of_day("/leads", &[])) { (count(figures, "/leads")) }
                span.by { @for one in PRIORITIES {
                    @let number = count(figures, &format!("/leads_by_priority/{one}"));
                    @if number > 0 {
                        a.badge href=(of_day("/leads", &[("priority", one)])) {
                            span.priority.(one.to_ascii_lowercase()) { (one) } " " (number)
                        }
                    }
                } }
            }
        }
        div.(if late > 0 { "alarm" } else { "calm" }) {
            dt { (words.say("today-late")) }
            dd { (late) span.quiet { (words.say("today-late-about")) } }
        }
        div.(if dead > 0 { "alarm" } else { "calm" }) {
            dt { (words.say("messages")) }
            dd {
                a href=(of_day("/messages", &[])) { (sent) }
                span.quiet {
                    (words.say("today-sent"))
                    @if simulated > 0 { ", " (words.say_of("today-sms-simulated", &[("number", &simulated.to_string())])) }
                    @if dead > 0 { ", " a href=(of_day("/messages", &[("state", "dead")])) {
                        (words.say_of("today-not-sent", &[("number", &dead.to_string())]))
                    } }
                }
            }
        }
        @if let Some((from, to)) = quoted {
            div {
                dt { (words.say("today-quoted")) }
                dd {
                    span.left { (range(words, from, to, text(figures, "currency").unwrap_or_default())) }
                    a.quiet href=(visit.link("/statements", &[("month", month)])) { (words.say("today-statement")) }
                }
            }
        }
    } }
}

fn open_leads(visit: &Visit, business: &Business, day: &Day, diary: &Diary) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let may_take = visit.may(Role::Dispatcher);
    let next = visit.link(
        "/today",
        &[("day", if day.is_today() { "" } else { day.text.as_str() })],
    );
    html! { @if !diary.open.is_empty() {
        section aria-labelledby="still-open" {
            h2 #still-open { (words.count("today-open", diary.open.len())) }
            ul.rows.open-leads { @for lead in diary.open.iter().take(MAX_OPEN) { li.row {
                (priority(lead))
                a.who href=(call_link(visit, lead)) { (who(visit, lead)) }
                span.about { (what(visit, business, lead)) }
                (phone(visit, lead, "customer_number"))
                span.wait { (times.since(text(lead, "created_at")).unwrap_or_else(|| words.say("waiting-now"))) }
                @if may_take {
                    @let id = text(lead, "id").unwrap_or_default();
                    form method="post" action=(visit.link(&format!("/leads/{}/take", segment(id)), &[])) {
                        (page::token(visit))
                        input type="hidden" name="next" value=(next);
                        button.small type="submit" { (words.say("take")) }
                    }
                }
            } } }
            @if diary.open.len() > MAX_OPEN {
                p { a href=(visit.link("/leads", &[("day", &day.text)])) {
                    (words.count("today-more-open", diary.open.len() - MAX_OPEN))
                } }
            }
        }
    } }
}

/// A call and its lead, or only one of the two.
fn row(visit: &Visit, business: &Business, entry: &Entry) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let main = entry.lead.as_ref().or(entry.call.as_ref()).unwrap_or(&Value::Null);
    let call = entry.call.as_ref().unwrap_or(&Value::Null);
    let lead = entry.lead.as_ref();
    let at = text(call, "started_at").or(Some(entry.at.as_str()));
    html! { li.row {
        span.clock { (times.clock_at(at)) }
        div.what {
            div.row-head {
                (priority(main))
                a.who href=(visit.link(&format!("/calls/{}", segment(&entry.call_id)), &[])) { (who(visit, main)) }
                (tags(visit, main))
                @if let Some(milliseconds) = call["duration_ms"].as_i64() { span.quiet { (length(milliseconds)) } }
                @if lead.is_none() { span.quiet { (words.name("status", text(call, "status").unwrap_or_default())) } }
            }
            @if let Some(lead) = lead { p.line { (what(visit, business, lead)) } }
            @if let Some(said) = lead.and_then(|lead| text(lead, "problem")).or_else(|| text(call, "summary")) {
                p.quiet.short { (said) }
            }
        }
        div.end {
            @if !visit.asked("q").is_empty() { (phone(visit, main, "customer_number")) }
            @match lead {
                Some(lead) if lead["acknowledgement"].is_object() => p.done { (taken_by(visit, business, lead)) },
                Some(_) => p.(if main["priority"] == "P1" { "open" } else { "quiet" }) { (words.say("lead-open")) },
                None => {},
            }
        }
    } }
}

fn pages(visit: &Visit, day: &Day, diary: &Diary) -> Markup {
    let words = visit.words;
    let to = |page: usize| {
        let page = page.to_string();
        let (q, place) = (visit.asked("q"), visit.asked("in"));
        visit.link(
            "/today",
            &[("day", &day.text), ("q", q), ("in", place), ("page", &page)],
        )
    };
    html! { nav.pages aria-label=(words.say("pages")) {
        @if diary.page > 1 { a rel="prev" href=(to(diary.page - 1)) { (words.say("today-later")) } }
        @if diary.page < diary.pages { a rel="next" href=(to(diary.page + 1)) { (words.say("today-earlier")) } }
        @if diary.is_cut { a href=(visit.link("/calls", &[("day", &day.text)])) { (words.say("today-all-calls")) } }
    } }
}
