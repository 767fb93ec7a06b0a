//! The page of a change set: its differences, whether it may be published, its effect on past calls, and the buttons.

use admin::auth::Role;
use futures_util::future::BoxFuture;
use maud::{Markup, html};
use poem::http::{Method, StatusCode};
use serde_json::{Value, json};
use web::conditional::{CachedTags, Keep, to_get};

use crate::address::query;
use crate::business::Business;
use crate::change_sets::parts::{Fault, Story, api_path, comment, fields, is_editable, link, read_set, state};
use crate::change_sets::{backtest, checks, conflicts, diff};
use crate::leads::text;
use crate::page::{self, Frame};
use crate::refusal::Refusal;
use crate::visit::{Answer, Visit};

pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        if visit.asked("part") == "backtest" {
            let set = read_set(visit, business).await?;
            let found = backtest::newest(visit, business, &set).await?;
            let part = backtest::part(visit, business, &set, found.as_ref());
            let response = page::answer(&visit.request, StatusCode::OK, &part);
            return Ok(to_get(&CachedTags::of(&visit.request), Keep::Never, response).await);
        }
        shown(visit, business, None).await
    })
}

/// The page. `fault` is the error of the last action, if that action failed.
pub async fn shown(visit: &Visit, business: &Business, fault: Option<&Fault>) -> Answer {
    let story = read(visit, business).await?;
    let words = visit.words;
    let part = link(visit, &story.set, &[("part", "backtest")]);
    let main = html! { div.set-page {
        div.set-top {
            (head(visit, business, &story.set))
            (edit(visit, &story.set))
            @if let Some(fault) = fault {
                p.note.bad role="alert" { (words.say(fault.key)) }
                @if !fault.detail.is_empty() { p.fault lang="en" { (fault.detail) } }
            }
            p #offline.banner role="alert" hidden { (words.say("lost")) }
            (standing(visit, business, &story))
        }
        (conflicts::section(visit, business, &story.set))
        div.set-columns {
            div {
                section aria-labelledby="changes" {
                    h2 #changes { (words.say("change-set-what")) }
                    (diff::groups(visit, business, &story))
                }
                (checks::section(visit, business, &story))
            }
            section aria-labelledby="tested" {
                h2 #tested { (words.say("change-set-test")) }
                div #backtest data-part=(part) { (backtest::part(visit, business, &story.set, story.backtest.as_ref())) }
            }
        }
        (buttons(visit, business, &story, fault))
    } };
    let title = comment(visit, business, &story.set);
    let frame = Frame::new(visit, Some(business), title, "/change-sets").script("/console/change_set.js");
    let mut response = frame.page(&main);
    if let Some(fault) = fault {
        response.set_status(fault.status);
    }
    Ok(response)
}

async fn read(visit: &Visit, business: &Business) -> Result<Story, Refusal> {
    let set = read_set(visit, business).await?;
    let path = |rest: &str| api_path(business, &set, rest);
    let diff = visit.read(&path("/diff"), &[]).await?;
    let is_alive = !matches!(set["state"].as_str(), Some("published" | "discarded"));
    let check = if is_alive {
        Some(visit.post(&path("/check"), None).await?)
    } else {
        None
    };
    let breaches = breaches(visit, business, &set, check.as_ref()).await?;
    let backtest = backtest::newest(visit, business, &set).await?;
    Ok(Story {
        set,
        diff,
        check,
        breaches,
        backtest,
    })
}

/// The guard rails that the change set exceeds. If the change set waits for approval, its breaches are stored. If the
/// change set can be published, a dry run of a publish reports its breaches.
async fn breaches(
    visit: &Visit,
    business: &Business,
    set: &Value,
    check: Option<&Value>,
) -> Result<Vec<Value>, Refusal> {
    let list = |set: &Value| set["breaches"].as_array().cloned().unwrap_or_default();
    let is_publishable = check.is_some_and(|check| check["publishable"] == true);
    if !is_editable(set) || !is_publishable || !visit.may(Role::Editor) {
        return Ok(if set["state"] == "waiting" {
            list(set)
        } else {
            Vec::new()
        });
    }
    let version = set["version"].to_string();
    let rest = format!("/publish{}", query(&[("version", &version), ("dry_run", "true")]));
    match visit
        .send(Method::POST, &api_path(business, set, &rest), Some(&json!({})))
        .await
    {
        Ok(tried) => Ok(list(&tried)),
        // A client error means that a publish is not possible now, for example because somebody else changed the change
        // set. If a publish is not possible, the page shows no breaches.
        Err(refusal) if refusal.status.is_client_error() => Ok(Vec::new()),
        Err(refusal) => Err(refusal),
    }
}

fn head(visit: &Visit, business: &Business, set: &Value) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    html! {
        div.call-head { h1 { (comment(visit, business, set)) } (state(words, set)) }
        p.quiet {
            (words.say_of("change-set-by", &[("who", &business.shown(text(set, "author").unwrap_or_default()))]))
            ", " (times.at(text(set, "created_at")))
            @if let Some(who) = text(set, "approved_by") {
                " · " (words.say_of("change-set-approved-by", &[("who", &business.shown(who))]))
            }
        }
    }
}

/// The links and buttons to edit or discard the change set.
fn edit(visit: &Visit, set: &Value) -> Markup {
    let words = visit.words;
    let id = text(set, "id").unwrap_or_default();
    html! { @if is_editable(set) && visit.may(Role::Editor) { div.choice {
        a.button.small href=(visit.link("/prices", &[("change_set", id)])) { (words.say("change-set-edit")) }
        form method="post" action=(link(visit, set, &[])) {
            (fields(visit, set))
            button.small.plain type="submit" name="do" value="discard" { (words.say("change-set-discard")) }
        }
    } } }
}

/// A message that explains the state of the change set.
fn standing(visit: &Visit, business: &Business, story: &Story) -> Markup {
    let (words, times, set) = (visit.words, visit.times(business), &story.set);
    match set["state"].as_str().unwrap_or_default() {
        "published" => html! { p.note.good role="status" {
            (words.say_of("change-set-is-published", &[("revision", &set["revision"].to_string())]))
        } },
        "scheduled" => html! { p.note.good role="status" {
            (words.say("change-set-is-scheduled")) " " (times.at(text(set, "publish_at"))) "."
        } },
        "waiting" => html! { p.note.warn role="status" { (words.say("change-set-is-waiting")) } },
        "discarded" => html! { p.note.warn { (words.say("change-set-is-discarded")) } },
        "refused" => html! {
            p.note.bad { (words.say("change-set-is-refused")) }
            @if let Some(detail) = text(&set["refusal"], "detail") { p.fault { (business.shown(detail)) } }
        },
        _ => html! {},
    }
}

fn buttons(visit: &Visit, business: &Business, story: &Story, fault: Option<&Fault>) -> Markup {
    let (words, set) = (visit.words, &story.set);
    let here = link(visit, set, &[]);
    let (may_edit, state) = (visit.may(Role::Editor), set["state"].as_str().unwrap_or_default());
    let button = |verb: &str, class: &str, key: &str| {
        html! {
            form method="post" action=(here) {
                (fields(visit, set))
                button.(class) type="submit" name="do" value=(verb) { (words.say(key)) }
            }
        }
    };
    let bar = match state {
        "open" | "refused" if may_edit => {
            let publish = if story.breaches.is_empty() {
                "change-set-publish"
            } else {
                "change-set-ask"
            };
            html! {
                (button("publish", "main", publish))
                (schedule(visit, business, set, fault))
            }
        }
        "scheduled" if may_edit => button("unschedule", "main", "change-set-unschedule"),
        "waiting" if visit.may(Role::Publisher) => html! {
            @if set["author"] == visit.key.name.as_str() { p.quiet { (words.say("change-set-own")) } }
            @else {
                (button("approve", "main", "change-set-approve"))
                (reject(visit, set))
            }
        },
        _ => return html! {},
    };
    html! { div.bar role="group" aria-label=(words.say("change-set-buttons")) { (bar) } }
}

fn schedule(visit: &Visit, business: &Business, set: &Value, fault: Option<&Fault>) -> Markup {
    let words = visit.words;
    let is_faulty = fault.is_some_and(|fault| fault.key == "change-set-fault-at");
    let zone = visit.times(business).zone;
    html! { details.schedule open[is_faulty] {
        summary { (words.say("change-set-later")) }
        form.stack method="post" action=(link(visit, set, &[])) {
            (fields(visit, set))
            label for="at" { (words.say_of("change-set-when", &[("zone", zone.name())])) }
            input #at name="at" type="datetime-local" required value=(visit.sent("at"))
                aria-invalid=[is_faulty.then_some("true")] aria-describedby=[is_faulty.then_some("about-at")];
            @if is_faulty { p #about-at.fault { (words.say("change-set-fault-at")) } }
            button type="submit" name="do" value="schedule" { (words.say("change-set-schedule")) }
        }
    } }
}

fn reject(visit: &Visit, set: &Value) -> Markup {
    let words = visit.words;
    html! { details.schedule {
        summary { (words.say("change-set-reject")) }
        form.stack method="post" action=(link(visit, set, &[])) data-guard {
            (fields(visit, set))
            label for="reason" { (words.say("change-set-reason")) }
            input #reason name="reason" maxlength="500" value=(visit.sent("reason"));
            button type="submit" name="do" value="reject" { (words.say("change-set-reject-now")) }
        }
    } }
}
