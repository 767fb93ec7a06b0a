//! The actions of the buttons on a change set's page.

use futures_util::future::BoxFuture;
use poem::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::address::{query, segment};
use crate::business::Business;
use crate::change_sets::conflicts;
use crate::change_sets::parts::{Fault, api_path, link, read_set};
use crate::change_sets::set::shown;
use crate::page;
use crate::refusal::Refusal;
use crate::visit::{Answer, Visit};

pub fn act(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(async move {
        let business = visit.business().await?;
        let set = read_set(visit, business).await?;
        match done(visit, business, &set).await {
            Ok(()) => Ok(page::see(&link(visit, &set, &[]))),
            Err(refusal) => shown(visit, business, Some(&fault(refusal)?)).await,
        }
    })
}

/// Converts the refusal of an action into an error that the page shows. If the page cannot show the refusal, returns
/// the refusal itself.
fn fault(refusal: Refusal) -> Result<Fault, Refusal> {
    let is_about_time = || refusal.fields.iter().any(|(place, _)| place == "at");
    let key = match refusal.status {
        StatusCode::FORBIDDEN if refusal.detail.starts_with("Nobody approves") => "change-set-own",
        StatusCode::PRECONDITION_FAILED | StatusCode::PRECONDITION_REQUIRED => "change-set-fault-moved",
        StatusCode::CONFLICT => "change-set-fault-state",
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST if is_about_time() => "change-set-fault-at",
        StatusCode::UNPROCESSABLE_ENTITY => "change-set-fault-rules",
        _ => return Err(refusal),
    };
    Ok(Fault {
        key,
        status: refusal.status,
        detail: refusal.detail,
    })
}

async fn done(visit: &Visit, business: &Business, set: &Value) -> Result<(), Refusal> {
    // The version that the person saw. If the change set has another version now, the API rejects the action. So nobody
    // acts on changes that they have not seen.
    let version = [("version", visit.sent("version"))];
    let path = |rest: &str, more: &[(&str, &str)]| {
        let pairs: Vec<_> = version.iter().chain(more).copied().collect();
        api_path(business, set, &format!("{rest}{}", query(&pairs)))
    };
    let empty = json!({});
    match visit.sent("do") {
        "publish" => visit.send(Method::POST, &path("/publish", &[]), Some(&empty)).await,
        "schedule" => {
            let body = json!({ "at": visit.sent("at") });
            visit.send(Method::POST, &path("/publish", &[]), Some(&body)).await
        }
        "unschedule" => visit.send(Method::DELETE, &path("/schedule", &[]), None).await,
        "approve" => visit.send(Method::POST, &path("/approve", &[]), None).await,
        "reject" => {
            let address = path("/reject", &[("comment", visit.sent("reason"))]);
            visit.send(Method::POST, &address, None).await
        }
        "discard" => visit.send(Method::POST, &path("/discard", &[]), None).await,
        // `theirs` removes the change set's own changes of the row, so that the row keeps the changes of other people.
        "remove" | "theirs" => return conflicts::remove(visit, business, set, visit.sent("version")).await,
        "mine" => return conflicts::keep_mine(visit, business, set, visit.sent("version")).await,
        "test" => test(visit, business, set).await,
        "stop" => {
            let path = business.path(&format!("/backtests/{}", segment(visit.sent("backtest"))));
            visit.send(Method::DELETE, &path, None).await
        }
        _ => return Err(Refusal::plain(StatusCode::BAD_REQUEST)),
    }
    .map(|_| ())
}

/// Starts a backtest of the change set.
async fn test(visit: &Visit, business: &Business, set: &Value) -> Result<Value, Refusal> {
    let days: i64 = visit
        .sent("days")
        .parse()
        .map_err(|_| Refusal::plain(StatusCode::BAD_REQUEST))?;
    let body = json!({
        "change_set": set["id"], "days": days, "simulated": !visit.sent("simulated").is_empty(),
    });
    visit.post(&business.path("/backtests"), Some(&body)).await
}
