//! Lists the shifts within a span of time, and the gaps in which nobody is on shift. The list follows the same rules as
//! a decision.
//!
//! A shift begins and ends only when a calendar opens or closes, a rotation is handed over, an override begins or ends,
//! or the clock changes. Between two such instants nothing changes, so each instant is evaluated once.

mod boundaries;
mod gaps;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use self::boundaries::Boundaries;
use super::calendar;
use super::compile::Rulebook;
use super::derive;
use super::rows::Contact;
use super::shift_overrides::{Covering, Override, verdict};

/// The reason why somebody is on shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The contact has no schedule and is always on call.
    Always,
    /// The contact's calendar is open.
    Calendar,
    /// It is the contact's week of a rotation.
    Rotation,
    Override,
}

impl Source {
    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Calendar => "calendar",
            Self::Rotation => "rotation",
            Self::Override => "override",
        }
    }
}

/// A span of time in which a contact is on shift for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// The contact's code.
    pub contact: String,
    /// The beginning of the shift.
    pub starts_at: DateTime<Utc>,
    /// The end of the shift.
    pub ends_at: DateTime<Utc>,
    /// The reason why the contact is on shift.
    pub source: Source,
    /// The code of the override, if an override is the reason.
    pub override_code: Option<String>,
}

/// A span of time in which no contact with `on_call` is on shift. During a gap, all contacts with `on_call` are
/// notified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The beginning of the gap.
    pub starts_at: DateTime<Utc>,
    /// The end of the gap.
    pub ends_at: DateTime<Utc>,
}

/// The shifts and gaps of a span of time, clipped to the span.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// The shifts, sorted by beginning, then in the order in which contacts are tried.
    pub shifts: Vec<Shift>,
    /// The gaps, sorted by beginning.
    pub gaps: Vec<Gap>,
}

/// The reason why somebody is on shift, and the code of the override if an override is the reason.
type Reason<'a> = (Source, Option<&'a str>);

impl Rulebook {
    /// The instant at which a local day begins.
    #[must_use]
    pub fn begin_of_day(&self, date: NaiveDate) -> Option<DateTime<Utc>> {
        calendar::begin_of(date, self.zone)
    }

    /// The shifts and gaps between two instants.
    #[must_use]
    pub fn roster(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Roster {
        if until <= from {
            return Roster::default();
        }
        let mut boundaries = Boundaries::new(from, until, self.zone);
        let mut contacts: Vec<&Contact> = self.rows().contacts.values().map(|stored| &stored.row).collect();
        contacts.sort_by_key(|contact| contact.rank);
        let mut shifts = Vec::new();
        for contact in contacts {
            self.shifts_of(contact, &mut boundaries, until, &mut shifts);
        }
        // The sort is stable: contacts that are tried first stay first.
        shifts.sort_by_key(|shift: &Shift| shift.starts_at);
        let gaps = gaps::gaps(self, &shifts, from, until);
        Roster { shifts, gaps }
    }

    fn shifts_of(&self, contact: &Contact, boundaries: &mut Boundaries, until: DateTime<Utc>, shifts: &mut Vec<Shift>) {
        let overrides = self.overrides.about(&contact.code);
        let plan = self.plans.of(&contact.code);
        if plan.is_none() && !contact.on_call && overrides.is_empty() {
            return;
        }
        let instants = boundaries.of(plan, &overrides);
        let mut open: Option<(DateTime<Utc>, Reason<'_>)> = None;
        for at in instants.iter().copied().chain([until]) {
            let reason = (at < until).then(|| self.reason(contact, &overrides, derive::local(at, self.zone)));
            let reason = reason.flatten();
            if open.map(|(_, reason)| reason) == reason {
                continue;
            }
            if let Some((starts_at, (source, by))) = open {
                shifts.push(Shift {
                    contact: contact.code.clone(),
                    starts_at,
                    ends_at: at,
                    source,
                    override_code: by.map(ToOwned::to_owned),
                });
            }
            open = reason.map(|reason| (at, reason));
        }
    }

    /// Why a contact is on shift at a local time; `None` if the contact is off shift.
    fn reason<'a>(&self, contact: &Contact, overrides: &[&'a Override], local: NaiveDateTime) -> Option<Reason<'a>> {
        let covering: Vec<&Override> = overrides
            .iter()
            .copied()
            .filter(|one| one.from <= local && local < one.until)
            .collect();
        let covering: &Covering<'a> = &covering;
        if let Some((is_on, by)) = verdict(covering, &contact.code) {
            return is_on.then_some((Source::Override, Some(by.code.as_str())));
        }
        let Some(plan) = self.plans.of(&contact.code) else {
            return contact.on_call.then_some((Source::Always, None));
        };
        let source = if plan.turn.is_some() {
            Source::Rotation
        } else {
            Source::Calendar
        };
        plan.is_on_shift(local).then_some((source, None))
    }
}

/// A contact who is on shift, and the instant at which this contact next goes off shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnShift<'a> {
    /// The current shift.
    pub shift: &'a Shift,
    /// The instant at which the contact goes off shift, after this shift and all shifts that follow directly.
    pub ends_at: DateTime<Utc>,
}

/// Returns who is on shift at an instant, and the shifts that begin next. A shift that directly continues a current
/// shift is not a next shift. Several shifts are returned if they begin at the same instant.
#[must_use]
pub fn now_and_next(roster: &Roster, now: DateTime<Utc>) -> (Vec<OnShift<'_>>, Vec<&Shift>) {
    let running = roster
        .shifts
        .iter()
        .filter(|shift| shift.starts_at <= now && now < shift.ends_at);
    let on: Vec<OnShift<'_>> = running
        .map(|shift| {
            let own = roster.shifts.iter().filter(|other| other.contact == shift.contact);
            // The shifts are sorted by beginning, so consecutive shifts are found in order.
            let ends_at = own.fold(
                shift.ends_at,
                |end, other| if other.starts_at == end { other.ends_at } else { end },
            );
            OnShift { shift, ends_at }
        })
        .collect();
    let on_until: BTreeMap<&str, DateTime<Utc>> =
        on.iter().map(|one| (one.shift.contact.as_str(), one.ends_at)).collect();
    let is_next = |shift: &&Shift| {
        let is_free = on_until
            .get(shift.contact.as_str())
            .is_none_or(|until| *until < shift.starts_at);
        shift.starts_at > now && is_free
    };
    let first = roster.shifts.iter().find(is_next).map(|shift| shift.starts_at);
    let next = roster.shifts.iter().filter(is_next);
    let next = next.filter(|shift| Some(shift.starts_at) == first).collect();
    (on, next)
}
