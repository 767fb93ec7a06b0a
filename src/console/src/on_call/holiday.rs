//! Adds and removes a holiday, or a day with special opening hours, in the calendar of the opening hours.

use chrono::NaiveDate;
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use poem::http::{Method, StatusCode};
use rules::rows::Calendar;
use serde_json::{Value, json};

use super::change::{done, faults_of};
use super::dates::from_day;
use super::messages::{Fault, Form, FormMessage, FormOutcome, View, opening_hours};
use super::page;
use crate::address::segment;
use crate::business::Business;
use crate::page::token;
use crate::refusal::Refusal;
use crate::visit::{Answer, Visit};

/// The calendar's entry for a single date. A rule that applies every year is not an entry.
pub struct Entry {
    pub name: String,
}

pub fn entry_of(business: &Business, date: NaiveDate) -> Option<Entry> {
    let (calendar, _) = opening_hours(business)?;
    let special = calendar.special_days.iter().find(|day| is_on(&day.on, date));
    let holiday = calendar.holidays.iter().find(|day| day.date == date);
    let name = special.map(|day| &day.name).or(holiday.map(|day| &day.name))?;
    Some(Entry { name: name.clone() })
}

fn is_on(rule: &str, date: NaiveDate) -> bool {
    rule.trim() == date.to_string()
}

/// Makes a day a holiday, or sets its opening hours.
pub fn add(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let (name, open) = (visit.sent("name"), [visit.sent("open_from"), visit.sent("open_until")]);
        let mut faults = Vec::new();
        let date = from_day(visit.sent("date"));
        if date.is_none() {
            faults.push(Fault::new("date", "on-call-fault-date"));
        }
        if name.is_empty() || name.chars().count() > 200 {
            faults.push(Fault::new("name", "on-call-fault-name"));
        }
        let hours = match open {
            ["", ""] => None,
            [from, until] if is_clock(from) && is_clock(until) && from < until => Some(format!("{from}-{until}")),
            _ => {
                faults.push(Fault::new("open_until", "on-call-fault-hours"));
                None
            }
        };
        let Some(date) = date.filter(|_| faults.is_empty()) else {
            return page(visit, FormOutcome::refused(Form::Holiday, faults)).await;
        };
        if let Some(fault) = meanwhile(visit, business, date) {
            return page(visit, FormOutcome::refused(Form::Holiday, vec![fault])).await;
        }
        let change = |calendar: &Calendar| {
            let mut days = without(calendar, date);
            match &hours {
                Some(hours) => push(
                    &mut days,
                    "special_days",
                    json!({"on": date, "name": name, "open": [hours]}),
                ),
                None => push(&mut days, "holidays", json!({"date": date, "name": name})),
            }
            days
        };
        let written = write(visit, business, change).await?;
        answered(visit, date, written, "holiday").await
    })
}

/// Removes the entry of a day.
pub fn remove(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let Some(date) = from_day(visit.sent("date")) else {
            return page(
                visit,
                FormOutcome::refused(Form::Holiday, vec![Fault::new("date", "on-call-fault-date")]),
            )
            .await;
        };
        if entry_of(business, date).is_none() {
            return done(visit, Some(date), "no-holiday");
        }
        if let Some(fault) = meanwhile(visit, business, date) {
            return page(visit, FormOutcome::refused(Form::Holiday, vec![fault])).await;
        }
        let written = write(visit, business, |calendar| without(calendar, date)).await?;
        answered(visit, date, written, "no-holiday").await
    })
}

/// The button that removes the entry of a day.
pub fn remove_form(view: &View<'_>, date: &str, known: &str) -> Markup {
    html! { form.stack method="post" action=(view.action("/holiday/remove")) {
        (token(view.visit))
        input type="hidden" name="date" value=(date);
        input type="hidden" name="was_on" value=(date);
        input type="hidden" name="was" value=(known);
        button type="submit" { (view.visit.words.say_of("on-call-holiday-remove", &[("name", known)])) }
    } }
}

/// Returns an error if somebody else has changed the day's entry since the page was shown.
fn meanwhile(visit: &Visit, business: &Business, date: NaiveDate) -> Option<Fault> {
    let name = entry_of(business, date)
        .map(|entry| business.shown(&entry.name))
        .unwrap_or_default();
    let was = if visit.sent("was_on") == date.to_string() {
        visit.sent("was")
    } else {
        ""
    };
    if name == was {
        return None;
    }
    let text = if name.is_empty() {
        FormMessage::Of("on-call-fault-unnamed", was.to_owned())
    } else {
        FormMessage::Of("on-call-fault-meanwhile", name)
    };
    Some(Fault { field: "", text })
}

async fn answered(visit: &Visit, date: NaiveDate, written: (StatusCode, Value), what: &str) -> Answer {
    let (status, answer) = written;
    match status {
        StatusCode::ACCEPTED => done(visit, Some(date), "waits"),
        status if status.is_success() => done(visit, Some(date), what),
        StatusCode::PRECONDITION_FAILED => {
            let faults = vec![Fault::new("", "on-call-fault-again")];
            page(visit, FormOutcome::refused(Form::Holiday, faults)).await
        }
        _ => {
            let faults = faults_of(&answer).into_iter().map(|fault| Fault { field: "", ..fault });
            page(visit, FormOutcome::refused(Form::Holiday, faults.collect())).await
        }
    }
}

async fn write(
    visit: &Visit,
    business: &Business,
    change: impl Fn(&Calendar) -> Value,
) -> Result<(StatusCode, Value), Refusal> {
    let Some((calendar, version)) = opening_hours(business) else {
        return Err(Refusal::plain(StatusCode::NOT_FOUND));
    };
    let path = business.path(&format!("/calendars/{}", segment(&calendar.code)));
    let version = version.to_string();
    visit
        .attempt(Method::PATCH, &path, Some(&change(calendar)), Some(&version))
        .await
}

/// Returns the calendar's holidays and special days, except the days on `date`.
fn without(calendar: &Calendar, date: NaiveDate) -> Value {
    let holidays: Vec<_> = calendar.holidays.iter().filter(|day| day.date != date).collect();
    let special: Vec<_> = calendar
        .special_days
        .iter()
        .filter(|day| !is_on(&day.on, date))
        .collect();
    json!({"holidays": holidays, "special_days": special})
}

fn push(days: &mut Value, list: &str, day: Value) {
    if let Some(list) = days[list].as_array_mut() {
        list.push(day);
    }
}

fn is_clock(text: &str) -> bool {
    text.len() == 5 && chrono::NaiveTime::parse_from_str(text, "%H:%M").is_ok()
}
