//! Streams the changes in a rulebook as server-sent events.

use futures_util::stream::{self, BoxStream, StreamExt as _};
use poem::web::sse::Event;
use poem_openapi::payload::EventStream;
use poem_openapi::types::ToJSON as _;
use poem_openapi::{Enum, Object, OpenApi};
use store::change_marks::DayMarks;
use tokio::sync::watch;

use super::auth::{self, Caller, Key, Viewer};
use super::concurrency_limit::RequestSlot;
use super::errors::{Fails, NoExtraErrors};
use super::state::{AdminState, RulebookInPath};

/// Interval at which an idle stream sends a keep-alive and checks its key again.
const KEEP_ALIVE: std::time::Duration = std::time::Duration::from_secs(15);

/// The operation that streams changes.
pub struct EventsApi(pub AdminState);

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum ChangeTopic {
    /// A lead is new, was changed, or was acknowledged.
    Leads,
    /// An SMS message is new or was changed.
    SmsMessages,
    /// A notice is new, was repeated or was resolved.
    Notices,
    /// The rules have a new revision.
    Rules,
}

/// An event that says what changed.
#[derive(Debug, Object)]
pub struct ChangedEvent {
    /// What changed since the last event. The first event is empty: it marks the beginning of the stream.
    changed: Vec<ChangeTopic>,
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/events")]
impl EventsApi {
    /// Watch a rulebook
    ///
    /// Sends server-sent events of the type `changed`. An event comes within a second of a change in the newest leads,
    /// SMS messages or notices, or in the rules. Reload the resources that the event names. One event may report
    /// several changes.
    #[oai(path = "/", method = "get", operation_id = "watch_rulebook")]
    async fn watch_rulebook(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
    ) -> Result<EventStream<BoxStream<'static, ChangedEvent>>, Fails<NoExtraErrors>> {
        let rulebook_id = self.0.find(&key, &rulebook.0).await?;
        let watcher = Watcher {
            place: self.0.streams.enter(&key.key_id.to_string())?,
            marks: self
                .0
                .watched
                .marks(self.0.latest(), self.0.backtests.stopping(), rulebook_id),
            state: self.0.clone(),
            caller: Caller::clone(&key),
            seen: None,
        };
        let events = stream::unfold(watcher, Watcher::next).boxed();
        Ok(EventStream::new(events)
            .keep_alive(KEEP_ALIVE)
            .to_event(|event| Event::message(event.to_json().unwrap_or_default().to_string()).event_type("changed")))
    }
}

struct Watcher {
    state: AdminState,
    caller: Caller,
    marks: watch::Receiver<Option<DayMarks>>,
    seen: Option<DayMarks>,
    #[expect(dead_code, reason = "occupies the slot until the stream ends")]
    place: RequestSlot,
}

impl Watcher {
    /// Waits for the next event. Returns `None` if the key is no longer valid or this instance stops.
    async fn next(mut self) -> Option<(ChangedEvent, Self)> {
        let stopping = self.state.backtests.stopping().clone();
        while auth::still_may(&self.state, &self.caller).await {
            let now = self.marks.borrow_and_update().clone();
            if let Some(now) = now.filter(|now| self.seen.as_ref() != Some(now)) {
                let changed = self
                    .seen
                    .as_ref()
                    .map_or_else(Vec::new, |before| difference(before, &now));
                self.seen = Some(now);
                return Some((ChangedEvent { changed }, self));
            }
            let news = tokio::time::timeout(KEEP_ALIVE, self.marks.changed());
            // After a timeout the loop only checks the key again. The stream ends if nothing sends change marks any
            // more.
            if let Ok(Err(_)) = stopping.run_until_cancelled(news).await? {
                return None;
            }
        }
        None
    }
}

fn difference(before: &DayMarks, now: &DayMarks) -> Vec<ChangeTopic> {
    let kinds = [
        (ChangeTopic::Leads, before.leads != now.leads),
        (ChangeTopic::SmsMessages, before.sms_messages != now.sms_messages),
        (ChangeTopic::Notices, before.notices != now.notices),
        (ChangeTopic::Rules, before.rules != now.rules),
    ];
    kinds
        .into_iter()
        .filter_map(|(kind, differs)| differs.then_some(kind))
        .collect()
}
