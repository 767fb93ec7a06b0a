//! The calls and leads of a day. A call and its lead are joined into one entry.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::board::items;
use crate::business::Business;
use crate::leads::text;
use crate::lists;
use crate::refusal::Refusal;
use crate::visit::Visit;

/// Number of entries per page.
const PAGE_SIZE: usize = 40;
/// Maximum number of calls, and of leads, that are read. The newest calls and leads of the day are read.
const MAX_ROWS: &str = "200";

/// A call and its lead, or only one of the two.
pub struct Entry {
    pub call_id: String,
    /// The time of the call's first message. If there is no call, `at` is the time of the lead.
    pub at: String,
    pub call: Option<Value>,
    pub lead: Option<Value>,
}

/// A day's entries.
pub struct Diary {
    /// The entries that match the search, the newest first.
    pub entries: Vec<Entry>,
    /// The leads that nobody acknowledged, the most urgent first. Leads of the same priority are sorted oldest first.
    pub open: Vec<Value>,
    pub any_simulated: bool,
    /// Whether the day has more calls than were read.
    pub is_cut: bool,
    /// The number of the page, starting with 1.
    pub page: usize,
    pub pages: usize,
}

impl Diary {
    pub async fn read(visit: &Visit, business: &Business, day: &str) -> Result<Self, Refusal> {
        let of_day = [("since", day), ("until", day), ("limit", MAX_ROWS)];
        let page = visit.read(&business.path("/calls"), &of_day).await?;
        let is_cut = page["next_cursor"].is_string();
        let calls = items(page);
        let leads = items(visit.read(&business.path("/leads"), &of_day).await?);
        let mut open: Vec<Value> = leads
            .iter()
            .filter(|lead| lead["acknowledgement"].is_null())
            .cloned()
            .collect();
        open.reverse();
        open.sort_by_key(|lead| text(lead, "priority").unwrap_or("P9").to_owned());
        let any_simulated = calls.iter().chain(&leads).any(|row| row["simulated"] == true);
        let mut entries = joined(calls, leads);
        if let Some((name, value)) = lists::search(visit) {
            let mut kept = BTreeSet::new();
            let searched = [&of_day[..], &[(name, value.as_str())]].concat();
            for (path, id) in [("/calls", "id"), ("/leads", "call_id")] {
                let found = items(visit.read(&business.path(path), &searched).await?);
                kept.extend(found.iter().filter_map(|row| text(row, id)).map(ToOwned::to_owned));
            }
            entries.retain(|entry| kept.contains(&entry.call_id));
        }
        let pages = entries.len().div_ceil(PAGE_SIZE).max(1);
        let page = visit.asked("page").parse().unwrap_or(1).clamp(1, pages);
        Ok(Self {
            entries,
            open,
            any_simulated,
            is_cut,
            page,
            pages,
        })
    }

    /// The entries of the page.
    pub fn shown(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().skip((self.page - 1) * PAGE_SIZE).take(PAGE_SIZE)
    }
}

fn joined(calls: Vec<Value>, leads: Vec<Value>) -> Vec<Entry> {
    let owned = |row: &Value, name: &str| text(row, name).unwrap_or_default().to_owned();
    let mut by_call: BTreeMap<String, Value> = leads.into_iter().map(|lead| (owned(&lead, "call_id"), lead)).collect();
    let mut entries: Vec<Entry> = calls
        .into_iter()
        .map(|call| Entry {
            call_id: owned(&call, "id"),
            at: owned(&call, "first_seen_at"),
            lead: by_call.remove(&owned(&call, "id")),
            call: Some(call),
        })
        .collect();
    // The calls of the remaining leads were not read: these calls began on an earlier day, or are not among the newest
    // calls.
    entries.extend(by_call.into_iter().map(|(call_id, lead)| Entry {
        at: owned(&lead, "created_at"),
        lead: Some(lead),
        call: None,
        call_id,
    }));
    entries.sort_by(|one, other| other.at.cmp(&one.at));
    entries
}
