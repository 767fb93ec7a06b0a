//! The actions that replace somebody, swap two shifts, or delete an override. Each change is one revision.

use chrono::{NaiveDate, NaiveDateTime};
use futures_util::future::BoxFuture;
use poem::http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::dates::{Month, from_day, from_wall, next_day, wall};
use super::messages::{Fault, Form, FormMessage, FormOutcome};
use super::roster::{ShiftPart, pieces};
use super::{PLACE, page};
use crate::address::segment;
use crate::business::Business;
use crate::page::see;
use crate::refusal::Refusal;
use crate::visit::{Answer, Visit};

/// Redirects to the on-call page. `what` is the code of the success message on that page.
#[expect(clippy::unnecessary_wraps, reason = "callers return this result directly")]
pub fn done(visit: &Visit, date: Option<NaiveDate>, what: &str) -> Answer {
    let month = date.map(|date| Month::of(date).text());
    let month = month.as_deref().unwrap_or_else(|| visit.asked("month"));
    Ok(see(&visit.link(PLACE, &[("month", month), ("done", what)])))
}

/// Puts somebody on shift, in addition to others or instead of somebody.
pub fn replace(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let mut faults = Vec::new();
        if visit.sent("contact").is_empty() {
            faults.push(Fault::new("contact", "on-call-fault-choose"));
        }
        let mut time = |field: &'static str| {
            let read = from_wall(visit.sent(field));
            if read.is_none() {
                faults.push(Fault::new(field, "on-call-fault-time"));
            }
            read
        };
        let span = time("from").zip(time("until"));
        let Some((from, until)) = span.filter(|_| faults.is_empty()) else {
            return page(visit, FormOutcome::refused(Form::Replace, faults)).await;
        };
        let (code, mut row) = override_row(visit.sent("contact"), visit.sent("instead_of"), from, until);
        if !visit.sent("comment").is_empty() {
            row["comment"] = visit.sent("comment").into();
        }
        let path = business.path(&format!("/shift-overrides/{code}"));
        let (status, answer) = visit.attempt(Method::PUT, &path, Some(&row), None).await?;
        match status {
            StatusCode::ACCEPTED => done(visit, Some(from.date()), "waits"),
            // The code contains a hash of the override. So if the code exists already, the same form was sent twice.
            status if status.is_success() || is_known(status) => done(visit, Some(from.date()), "replaced"),
            _ => page(visit, FormOutcome::refused(Form::Replace, faults_of(&answer))).await,
        }
    })
}

/// Swaps the shifts of two people on two days.
pub fn swap(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let (first, second) = (visit.sent("who"), visit.sent("with"));
        let mut faults = Vec::new();
        for (field, code) in [("who", first), ("with", second)] {
            if code.is_empty() {
                faults.push(Fault::new(field, "on-call-fault-choose"));
            }
        }
        if !first.is_empty() && first == second {
            faults.push(Fault::new("with", "on-call-fault-same"));
        }
        let mut date = |field: &'static str| {
            let read = from_day(visit.sent(field));
            if read.is_none() {
                faults.push(Fault::new(field, "on-call-fault-date"));
            }
            read
        };
        let days = date("day").zip(date("with_day"));
        let Some((first_day, second_day)) = days.filter(|_| faults.is_empty()) else {
            return page(visit, FormOutcome::refused(Form::Swap, faults)).await;
        };
        let given = shifts_on(visit, business, first, first_day).await?;
        let taken = shifts_on(visit, business, second, second_day).await?;
        for (field, code, found) in [("day", first, &given), ("with_day", second, &taken)] {
            if found.is_empty() {
                let text = FormMessage::Of("on-call-fault-no-shift", business.contact(code));
                faults.push(Fault { field, text });
            }
        }
        if !faults.is_empty() {
            return page(visit, FormOutcome::refused(Form::Swap, faults)).await;
        }
        let given = given
            .iter()
            .map(|piece| override_row(second, first, piece.from, piece.until));
        let taken = taken
            .iter()
            .map(|piece| override_row(first, second, piece.from, piece.until));
        let rows = given.chain(taken).collect();
        match publish(visit, business, rows).await? {
            ChangeSetResult::Done => done(visit, Some(first_day), "swapped"),
            ChangeSetResult::Waits => done(visit, Some(first_day), "waits"),
            ChangeSetResult::Refused(faults) => {
                let faults = faults.into_iter().map(|fault| Fault { field: "", ..fault });
                page(visit, FormOutcome::refused(Form::Swap, faults.collect())).await
            }
        }
    })
}

/// Deletes an override.
pub fn remove(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let path = business.path(&format!("/shift-overrides/{}", segment(visit.sent("code"))));
        let sent = visit
            .attempt(Method::DELETE, &path, None, Some(visit.sent("version")))
            .await;
        let (status, answer) = match sent {
            // Somebody else deleted the override first.
            Err(refusal) if refusal.status == StatusCode::NOT_FOUND => return done(visit, None, "removed"),
            sent => sent?,
        };
        match status {
            StatusCode::ACCEPTED => done(visit, None, "waits"),
            status if status.is_success() => done(visit, None, "removed"),
            StatusCode::PRECONDITION_FAILED => {
                let faults = vec![Fault::new("", "on-call-fault-changed")];
                page(visit, FormOutcome::refused(Form::Remove, faults)).await
            }
            _ => {
                let faults = faults_of(&answer).into_iter().map(|fault| Fault { field: "", ..fault });
                page(visit, FormOutcome::refused(Form::Remove, faults.collect())).await
            }
        }
    })
}

/// Whether a new row was rejected because it already exists.
fn is_known(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::PRECONDITION_FAILED | StatusCode::PRECONDITION_REQUIRED
    )
}

/// An override and its code. Equal overrides have equal codes, so that a form that is sent twice creates one row.
fn override_row(contact: &str, instead_of: &str, from: NaiveDateTime, until: NaiveDateTime) -> (String, Value) {
    let (from, until) = (wall(from), wall(until));
    let hash = Sha256::digest(format!("{contact} {instead_of} {from} {until}"));
    let hash = hex::encode(hash.get(..5).unwrap_or_default());
    let code = format!("shift_{}_{hash}", from.get(..10).unwrap_or_default().replace('-', "_"));
    let mut row = json!({"contact": contact, "from": from, "until": until});
    if !instead_of.is_empty() {
        row["instead_of"] = instead_of.into();
    }
    (code, row)
}

/// The shifts of a person on a day.
async fn shifts_on(
    visit: &Visit,
    business: &Business,
    contact: &str,
    date: NaiveDate,
) -> Result<Vec<ShiftPart>, Refusal> {
    let before = date.pred_opt().unwrap_or(date).to_string();
    let pairs = [("from", before.as_str()), ("until", &next_day(date).to_string())];
    let roster = visit.read(&business.path("/shifts"), &pairs).await?;
    let all = pieces(&roster, visit.times(business).zone).into_iter();
    let is_it = |piece: &ShiftPart| piece.contact.as_deref() == Some(contact) && piece.day() == date;
    Ok(all.filter(is_it).collect())
}

enum ChangeSetResult {
    Done,
    Waits,
    Refused(Vec<Fault>),
}

/// Publishes new overrides in one revision: all or none.
async fn publish(visit: &Visit, business: &Business, rows: Vec<(String, Value)>) -> Result<ChangeSetResult, Refusal> {
    let changes: Vec<Value> = rows
        .into_iter()
        .map(|(code, row)| json!({"resource": "shift-overrides", "code": code, "method": "put", "body": row}))
        .collect();
    let body = json!({"comment": "Swap of two shifts", "changes": changes});
    let sets = business.path("/change-sets");
    let (status, set) = visit.attempt(Method::POST, &sets, Some(&body), None).await?;
    if is_known(status) {
        return Ok(ChangeSetResult::Done);
    }
    let (Some(id), true) = (set["id"].as_str(), status.is_success()) else {
        return Ok(ChangeSetResult::Refused(faults_of(&set)));
    };
    let (set_path, version) = (format!("{sets}/{}", segment(id)), set["version"].to_string());
    let publish = format!("{set_path}/publish");
    let (status, answer) = visit
        .attempt(Method::POST, &publish, Some(&json!({})), Some(&version))
        .await?;
    if status == StatusCode::ACCEPTED {
        return Ok(ChangeSetResult::Waits);
    }
    if status.is_success() {
        return Ok(ChangeSetResult::Done);
    }
    // Discard the rejected change set, because nobody would use it again.
    visit
        .attempt(Method::POST, &format!("{set_path}/discard"), None, Some(&version))
        .await?;
    Ok(ChangeSetResult::Refused(faults_of(&answer)))
}

/// Converts the errors of a problem response into errors of the form's fields.
pub fn faults_of(problem: &Value) -> Vec<Fault> {
    let errors = problem["errors"].as_array().into_iter().flatten();
    let mut faults: Vec<Fault> = errors
        .map(|error| {
            let pointer = error["pointer"].as_str().unwrap_or_default();
            let field = match pointer.rsplit('/').next().unwrap_or_default() {
                "contact" => "contact",
                "instead_of" => "instead_of",
                "from" => "from",
                "until" => "until",
                "comment" => "comment",
                _ => "",
            };
            let text = match (field, error["code"].as_str().unwrap_or_default()) {
                (_, "same_contact") => FormMessage::Key("on-call-fault-same"),
                (_, "empty_span") => FormMessage::Key("on-call-fault-empty"),
                // This message is only for `until`, because a comment can also be too long.
                ("until", "too_long") => FormMessage::Key("on-call-fault-long"),
                (_, "unknown_reference") => FormMessage::Key("on-call-fault-gone"),
                _ => FormMessage::Detail(error["detail"].as_str().unwrap_or_default().to_owned()),
            };
            Fault { field, text }
        })
        .collect();
    if faults.is_empty() {
        let text = FormMessage::Detail(problem["detail"].as_str().unwrap_or_default().to_owned());
        faults.push(Fault { field: "", text });
    }
    faults
}
