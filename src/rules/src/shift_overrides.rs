//! Evaluates temporary overrides of the schedules: which overrides cover a time, how they affect a contact, and who
//! stands in for whom.
//!
//! If several overrides cover a time and name a contact, the shortest override decides. For example, an override of a
//! day is an exception to an override of the whole week. If two overrides have the same duration, the override that
//! puts the contact on shift wins, because one recipient too many is better than none.

use chrono::{NaiveDateTime, TimeDelta};

use super::rows::RowSet;
use super::wall_clock;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Override {
    pub code: String,
    pub contact: String,
    pub instead_of: Option<String>,
    pub from: NaiveDateTime,
    pub until: NaiveDateTime,
}

impl Override {
    fn lasts(&self) -> TimeDelta {
        self.until - self.from
    }

    fn is_about(&self, code: &str) -> bool {
        self.contact == code || self.instead_of.as_deref() == Some(code)
    }
}

/// All overrides, the shortest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Overrides(Vec<Override>);

/// The overrides that cover a time, the shortest first.
pub(super) type Covering<'a> = [&'a Override];

impl Overrides {
    pub fn new(rows: &RowSet) -> Self {
        let rows = rows.shift_overrides.values().map(|stored| &stored.row);
        let all = rows.filter_map(|row| {
            Some(Override {
                code: row.code.clone(),
                contact: row.contact.clone(),
                instead_of: row.instead_of.clone(),
                from: wall_clock::parse(&row.from)?,
                until: wall_clock::parse(&row.until)?,
            })
        });
        let mut all: Vec<Override> = all.collect();
        // The sort is stable: overrides with the same duration stay in the order of their codes.
        all.sort_by_key(Override::lasts);
        Self(all)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Override> {
        self.0.iter()
    }

    /// The overrides that cover a local time.
    pub fn at(&self, local: NaiveDateTime) -> Vec<&Override> {
        self.iter()
            .filter(|one| one.from <= local && local < one.until)
            .collect()
    }

    /// The overrides that name a contact.
    pub fn about(&self, code: &str) -> Vec<&Override> {
        self.iter().filter(|one| one.is_about(code)).collect()
    }
}

/// Whether overrides put a contact on shift or off shift, and which override decides. `None` if no override names the
/// contact.
pub(super) fn verdict<'a>(covering: &Covering<'a>, code: &str) -> Option<(bool, &'a Override)> {
    let mut about = covering.iter().copied().filter(|one| one.is_about(code));
    let first = about.next()?;
    let mut as_long = std::iter::once(first).chain(about.take_while(|one| one.lasts() == first.lasts()));
    let on = as_long.find(|one| one.contact == code);
    Some(on.map_or((false, first), |on| (true, on)))
}

/// Returns the contacts, each followed by the contact's stand-ins. With `joined`, the result also includes the contacts
/// of overrides without `instead_of`.
pub(super) fn expanded(covering: &Covering<'_>, codes: &[String], joined: bool) -> Vec<String> {
    let mut all = codes.to_vec();
    if joined {
        for one in covering.iter().filter(|one| one.instead_of.is_none()) {
            if !all.contains(&one.contact) {
                all.push(one.contact.clone());
            }
        }
    }
    let mut place = 0;
    while let Some(code) = all.get(place).cloned() {
        place += 1;
        let mut next = place;
        for one in covering.iter().filter(|one| one.instead_of.as_ref() == Some(&code)) {
            if !all.contains(&one.contact) {
                all.insert(next, one.contact.clone());
                next += 1;
            }
        }
    }
    all
}
