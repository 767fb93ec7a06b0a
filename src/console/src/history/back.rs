//! Rollback: publishes a revision that equals an older revision. The rollback fails if somebody has published since the
//! page was shown.

use futures_util::future::BoxFuture;
use maud::{Markup, html};
use poem::http::StatusCode;
use serde_json::Value;

use super::compare;
use super::lines::{headline, number};
use crate::address::{query, segment};
use crate::business::Business;
use crate::leads::text;
use crate::page::{self, Frame};
use crate::visit::{Answer, Visit};

/// A rejected rollback, with the person's input. The default value means that no rollback was rejected.
#[derive(Default)]
pub struct Stale {
    /// The number of the revision to roll back to.
    pub from: Option<String>,
    pub comment: String,
    /// Whether somebody published since the page was shown.
    pub is_stale: bool,
    /// The API's message about any other error.
    pub fault: Option<String>,
}

impl Stale {
    /// Renders a banner with the revision that somebody published after the page was shown.
    pub fn banner(&self, visit: &Visit, business: &Business, head: &Value) -> Markup {
        let words = visit.words;
        html! { @if self.is_stale { div.card.stale role="alert" {
            strong { (words.say("history-stale")) }
            (headline(visit, business, head, number(head)))
            @if let Some(comment) = text(head, "comment") { p { q { (business.shown(comment)) } } }
            p { (words.say("history-stale-do")) }
        } } }
    }
}

pub fn roll_back(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let (business, number) = (visit.business().await?, visit.path("number"));
        let asked = query(&[("version", visit.sent("version")), ("comment", visit.sent("comment"))]);
        let path = business.path(&format!("/revisions/{}/roll-back{asked}", segment(&number)));
        let refusal = match visit.post(&path, None).await {
            Ok(done) => {
                return Ok(match (done["revision"].as_i64(), text(&done, "id")) {
                    (Some(revision), _) => page::see(&visit.link("/history", &[("done", &revision.to_string())])),
                    // The rollback exceeds the guard rails, so its change set waits for a second person's approval.
                    (None, id) => {
                        page::see(&visit.link(&format!("/change-sets/{}", segment(id.unwrap_or_default())), &[]))
                    }
                });
            }
            Err(refusal) => refusal,
        };
        let is_stale = refusal.status == StatusCode::PRECONDITION_FAILED;
        if !is_stale && !matches!(refusal.status, StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY) {
            return Err(refusal);
        }
        let stale = Stale {
            from: Some(number),
            comment: visit.sent("comment").to_owned(),
            is_stale,
            fault: (!is_stale).then(|| refusal.detail.clone()),
        };
        let main = compare::main(visit, business, &stale).await?;
        let frame = Frame::new(visit, Some(business), visit.words.say("history"), "/history");
        let mut response = frame.page(&main);
        response.set_status(refusal.status);
        Ok(response)
    })
}
