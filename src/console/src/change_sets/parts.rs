//! Code that the parts of a change set's page share: the data of the page, and the URLs and fields of the forms.

use maud::{Markup, html};
use poem::http::StatusCode;
use serde_json::Value;

use crate::address::segment;
use crate::business::Business;
use crate::leads::text;
use crate::page;
use crate::refusal::Refusal;
use crate::visit::Visit;
use crate::words::Words;

/// Everything that the page of a change set shows.
pub struct Story {
    pub set: Value,
    pub diff: Value,
    /// Whether the change set could be published now. `None` if the change set is published or discarded.
    pub check: Option<Value>,
    /// The guard rails that publishing now would exceed.
    pub breaches: Vec<Value>,
    /// The newest backtest of the change set.
    pub backtest: Option<Value>,
}

/// The reason why an action of the person failed.
pub struct Fault {
    pub key: &'static str,
    /// The detail from the admin API.
    pub detail: String,
    pub status: StatusCode,
}

/// The change set that the URL names.
pub async fn read_set(visit: &Visit, business: &Business) -> Result<Value, Refusal> {
    let path = format!("/change-sets/{}", segment(&visit.path("id")));
    visit.read(&business.path(&path), &[]).await
}

/// A URL of the admin API below a change set.
pub fn api_path(business: &Business, set: &Value, rest: &str) -> String {
    let id = segment(text(set, "id").unwrap_or_default());
    business.path(&format!("/change-sets/{id}{rest}"))
}

/// The URL of a change set's page.
pub fn link(visit: &Visit, set: &Value, pairs: &[(&str, &str)]) -> String {
    let id = segment(text(set, "id").unwrap_or_default());
    visit.link(&format!("/change-sets/{id}"), pairs)
}

/// Whether a change set may be edited and published.
pub fn is_editable(set: &Value) -> bool {
    matches!(set["state"].as_str(), Some("open" | "refused"))
}

/// The name of a change set: its comment.
pub fn comment(visit: &Visit, business: &Business, set: &Value) -> String {
    text(set, "comment").map_or_else(
        || visit.words.say("change-set-unnamed"),
        |comment| business.shown(comment),
    )
}

/// The state of a change set as a badge.
pub fn state(words: Words, set: &Value) -> Markup {
    let state = text(set, "state").unwrap_or_default();
    html! { span.state.set-state.(state) { (words.name("set-state", state)) } }
}

/// Renders the hidden fields that every form of the page contains.
pub fn fields(visit: &Visit, set: &Value) -> Markup {
    html! {
        (page::token(visit))
        input type="hidden" name="version" value=(set["version"].to_string());
    }
}
