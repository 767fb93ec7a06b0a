//! The actions of the buttons of notices.

use futures_util::future::BoxFuture;
use poem::http::StatusCode;
use serde_json::{Value, json};

use crate::address::segment;
use crate::board::items;
use crate::leads::text;
use crate::page;
use crate::visit::{Answer, Visit};

/// Maximum number of stored messages that one press of the button replays.
const MAX_REPLAYED: u64 = 50;

/// Resolves a notice.
pub fn resolve(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        visit.business().await?;
        let comment = visit.sent("comment");
        let body = if comment.is_empty() {
            json!({})
        } else {
            json!({ "comment": comment })
        };
        let path = format!("/admin/v1/notices/{}/resolve", segment(&visit.path("id")));
        visit.post(&path, Some(&body)).await?;
        Ok(back(visit, "resolved", ""))
    })
}

/// Resends the newest message to the contact of a notice. Ringbook resolves the notice when Twilio has accepted all
/// messages to the contact.
pub fn resend(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        visit.business().await?;
        let force = if visit.sent("force").is_empty() {
            ""
        } else {
            "?force=true"
        };
        let path = format!(
            "/admin/v1/sms-messages/{}/resend{force}",
            segment(visit.sent("message"))
        );
        visit.post(&path, None).await?;
        Ok(back(visit, "resent", ""))
    })
}

/// Ends the quarantine of a script. The end of the quarantine also resolves the notice.
pub fn release(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let path = business.path(&format!("/script-quarantines/{}", segment(visit.sent("script"))));
        match visit.delete(&path).await {
            // The quarantine is already over, so only resolve the notice.
            Err(refusal) if refusal.status == StatusCode::NOT_FOUND => {
                let path = format!("/admin/v1/notices/{}/resolve", segment(&visit.path("id")));
                visit.post(&path, Some(&json!({}))).await?;
            }
            released => released?,
        }
        Ok(back(visit, "released", ""))
    })
}

/// Replays the stored messages of a notice, and resolves the notice if none of them failed.
pub fn replay(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let set = json!({
            "rulebook": business.code, "state": "poisoned", "type": visit.sent("type"), "limit": MAX_REPLAYED,
        });
        let replayed = visit.post("/admin/v1/webhook-events/replay", Some(&set)).await?;
        let is_next = replayed["next"].is_string();
        let all = items(replayed);
        let is_bad = |one: &Value| matches!(text(one, "became"), Some("poisoned" | "unreadable"));
        let failed = all.iter().filter(|one| is_bad(one)).count();
        if failed == 0 && !is_next {
            let path = format!("/admin/v1/notices/{}/resolve", segment(&visit.path("id")));
            visit.post(&path, Some(&json!({}))).await?;
        }
        Ok(back(visit, "replayed", &(all.len() - failed).to_string()))
    })
}

fn back(visit: &Visit, done: &str, count: &str) -> poem::Response {
    page::see(&visit.link("/notices", &[("done", done), ("count", count)]))
}
