//! The message path's SQL, in one place: what one message reads and writes, statement by statement, on both databases.
//!
//! The text is constant, so that a connection prepares each statement once. `ON CONFLICT` decides what a repeat does;
//! no error is caught to find one. In the order of a message: [`head`], [`events`], [`calls`], [`turns`], [`decisions`],
//! [`leads`], [`spoken`], [`tool_calls`]; and [`erasure`].

mod calls;
mod decisions;
mod erasure;
mod events;
mod head;
mod leads;
mod spoken;
mod tool_calls;
mod turns;

use super::sql::statement;
use sea_orm::Value as Bind;

pub use self::{
    calls::{CallTouch, ReportedCall, pin_quote, record_report, touch_call},
    decisions::{NewDecision, insert_decision},
    erasure::erase_call,
    events::{NewEvent, StoredEvent, become_event, insert_event, stored_event},
    head::{Head, KnownCall, head},
    leads::{LeadPart, fill_lead, upsert_lead},
    spoken::{SpokenDecision, spoken_decisions},
    tool_calls::{NewToolCall, insert_tool_call, stored_tool_result},
    turns::{add_live_turn, replace_turns},
};

fn owned(text: Option<&str>) -> Bind {
    text.map(ToOwned::to_owned).into()
}
