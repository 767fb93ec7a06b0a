//! Decides whether a lead was acknowledged in time, as its service level agreement (SLA) requires.

use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::Object;

use store::{escalations, leads};

/// Whether a lead was acknowledged in time.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Sla {
    /// The deadline to acknowledge the lead. If `sla_seconds` is 0, this is when the lead goes to the next contact.
    due_at: DateTime<Utc>,
    /// Whether the lead was acknowledged in time; absent until this is known.
    kept: Option<bool>,
}

/// Whether a lead missed its SLA; false before the deadline.
pub fn is_late(row: &leads::Model, handed_on: Option<&escalations::Model>, now: DateTime<Utc>) -> bool {
    sla(row, handed_on, now).is_some_and(|sla| sla.kept == Some(false))
}

/// Returns the deadline to acknowledge a lead, and whether it was met. With an SLA of 0 seconds, the deadline is the
/// time at which the lead goes to the next contact.
pub(super) fn sla(row: &leads::Model, handed_on: Option<&escalations::Model>, now: DateTime<Utc>) -> Option<Sla> {
    let due_at = row.due_at?;
    let grace = handed_on
        .filter(|_| row.sla_seconds == Some(0))
        .map_or(0, |one| one.after_s);
    let due_at = due_at + TimeDelta::try_seconds(grace).unwrap_or_default();
    let taken_at = handed_on.and_then(|one| one.acknowledged_at);
    let kept = match taken_at {
        Some(at) => Some(at <= due_at),
        None => (now > due_at).then_some(false),
    };
    Some(Sla { due_at, kept })
}
