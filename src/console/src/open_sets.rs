//! The open change sets of a business. A form offers the open change sets, and adds changes to the chosen change set.

use maud::{Markup, html};
use serde_json::Value;

use crate::board::items;
use crate::business::Business;
use crate::leads::text;
use crate::refusal::Refusal;
use crate::visit::Visit;

/// Maximum number of change sets that a form offers.
const MAX_SETS: &str = "50";

/// An open change set.
pub struct OpenSet {
    pub id: String,
    /// The version that the person saw.
    pub version: i64,
    pub comment: String,
}

impl OpenSet {
    fn of(set: &Value) -> Option<Self> {
        Some(Self {
            id: text(set, "id")?.to_owned(),
            version: set["version"].as_i64()?,
            comment: text(set, "comment").unwrap_or_default().to_owned(),
        })
    }

    /// The value of the option in the form: the id, and the version that the person saw.
    fn value(&self) -> String {
        format!("{} {}", self.id, self.version)
    }

    /// The change set that the person chose; `None` if the person chose a new change set or no change set.
    pub fn chosen(visit: &Visit) -> Option<Self> {
        let (id, version) = visit.sent("set").split_once(' ')?;
        Some(Self {
            id: id.to_owned(),
            version: version.parse().ok()?,
            comment: String::new(),
        })
    }
}

/// The open change sets, the newest first.
pub async fn open_sets(visit: &Visit, business: &Business) -> Result<Vec<OpenSet>, Refusal> {
    let pairs = [("state", "open"), ("limit", MAX_SETS)];
    let list = items(visit.read(&business.path("/change-sets"), &pairs).await?);
    Ok(list.iter().filter_map(OpenSet::of).collect())
}

/// The select field for a change set; `otherwise` is the label of the empty option.
pub fn choice(visit: &Visit, sets: &[OpenSet], otherwise: &str) -> Markup {
    let words = visit.words;
    let chosen = OpenSet::chosen(visit).map(|set| set.id);
    html! { select #set name="set" aria-describedby="set-about" {
        option value="" { (otherwise) }
        @for set in sets {
            option value=(set.value()) selected[chosen.as_ref() == Some(&set.id)] { (name(&words.say("unnamed-set"), set)) }
        }
    } }
}

/// The name of a change set: its comment and the end of its id. If there is no comment, `unnamed` replaces the comment.
pub fn name(unnamed: &str, set: &OpenSet) -> String {
    let short: String = set
        .id
        .chars()
        .rev()
        .take(6)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    if set.comment.is_empty() {
        format!("{unnamed} {short}")
    } else {
        let comment: String = set.comment.chars().take(80).collect();
        format!("{comment} ({short})")
    }
}
