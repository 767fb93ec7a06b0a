//! The list of change sets.

use futures_util::future::BoxFuture;
use maud::{Markup, html};
use serde_json::Value;

use crate::address::segment;
use crate::board::items;
use crate::business::Business;
use crate::change_sets::parts::{comment, state};
use crate::leads::text;
use crate::page::Frame;
use crate::visit::{Answer, Visit};

const PAGE_SIZE: &str = "30";
/// The states to choose from. The empty string means all states.
const STATES: [&str; 7] = ["", "open", "waiting", "scheduled", "refused", "published", "discarded"];

pub fn show(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let (business, words) = (visit.business().await?, visit.words);
        let chosen = STATES
            .iter()
            .find(|state| **state == visit.asked("state"))
            .copied()
            .unwrap_or_default();
        let pairs = [
            ("limit", PAGE_SIZE),
            ("state", chosen),
            ("cursor", visit.asked("cursor")),
        ];
        let mut page = visit.read(&business.path("/change-sets"), &pairs).await?;
        let next = page["next_cursor"].take();
        let sets = items(page);
        let main = html! {
            h1 { (words.say("change-sets")) }
            p.quiet { (words.say("change-sets-about")) " " a href=(visit.link("/prices", &[])) { (words.say("change-sets-prices")) } }
            nav.chips aria-label=(words.say("change-sets-states")) { ul { @for state in STATES { li {
                a href=(visit.link("/change-sets", &[("state", state)]))
                    aria-current=[(state == chosen).then_some("true")] {
                    @if state.is_empty() { (words.say("change-sets-all")) } @else { (words.name("set-state", state)) }
                }
            } } } }
            @if sets.is_empty() { p.card.empty { (words.say("change-sets-empty")) } }
            @else { ul.rows { @for set in &sets { (row(visit, business, set)) } } }
            @if let Some(next) = next.as_str() { nav.pages aria-label=(words.say("pages")) {
                a rel="next" href=(visit.link("/change-sets", &[("state", chosen), ("cursor", next)])) { (words.say("pages-older")) }
            } }
        };
        Ok(Frame::new(visit, Some(business), words.say("change-sets"), "/change-sets").page(&main))
    })
}

fn row(visit: &Visit, business: &Business, set: &Value) -> Markup {
    let (words, times) = (visit.words, visit.times(business));
    let id = segment(text(set, "id").unwrap_or_default());
    let changes = usize::try_from(set["changes_count"].as_i64().unwrap_or_default()).unwrap_or_default();
    html! { li.row {
        div.row-head.set-head {
            (state(words, set))
            a.who href=(visit.link(&format!("/change-sets/{id}"), &[])) { (comment(visit, business, set)) }
            span.when { (times.at(text(set, "created_at"))) }
        }
        p.quiet {
            (business.shown(text(set, "author").unwrap_or_default())) " · " (words.count("change-set-changes", changes))
            @if let Some(revision) = set["revision"].as_i64() {
                " · " (words.say_of("change-set-revision", &[("revision", &revision.to_string())]))
            }
            @if set["state"] == "scheduled" {
                " · " (words.say("change-set-at")) " " (times.at(text(set, "publish_at")))
            }
        }
    } }
}
