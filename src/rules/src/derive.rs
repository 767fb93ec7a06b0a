//! Derives facts that a message does not contain: the area from the postal code or the city, and other facts from the
//! local time.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::calendar::{Calendar, DAYS};
use super::facts::{Fact, Facts};
use super::kinds::place::{self, Cities};
use super::rows::{Area, RowSet, StoredRow};

pub use super::language::LANGUAGE;
pub use super::services::SERVICE_TEXT;

/// The mapped fact with the problem in the caller's words.
pub const PROBLEM: &str = "problem";
/// The mapped fact with the caller's postal code.
pub const POSTAL_CODE: &str = "postal_code";
/// The mapped fact with the caller's city.
pub const CITY: &str = "city";

/// Service areas, by postal prefix and by city.
#[derive(Debug, Clone, Default)]
pub struct Areas {
    ranked: Vec<Arc<StoredRow<Area>>>,
    by_prefix: HashMap<String, usize>,
    by_city: HashMap<String, usize>,
    cities: Cities,
    longest: usize,
}

impl Areas {
    /// Builds the index from the rows.
    #[must_use]
    pub fn new(rows: &RowSet) -> Self {
        let mut ranked: Vec<_> = rows.areas.values().cloned().collect();
        ranked.sort_by(|a, b| (a.row.rank, &a.row.code).cmp(&(b.row.rank, &b.row.code)));
        let mut areas = Self::default();
        for (rank, stored) in ranked.iter().enumerate() {
            for prefix in &stored.row.postal_prefixes {
                let prefix = postal(prefix);
                areas.longest = areas.longest.max(prefix.len());
                areas.by_prefix.entry(prefix).or_insert(rank);
            }
            for city in &stored.row.cities {
                areas.by_city.entry(place::key(city)).or_insert(rank);
            }
        }
        areas.cities = Cities::new(ranked.iter().flat_map(|stored| &stored.row.cities));
        areas.ranked = ranked;
        areas
    }

    /// All areas by rank.
    pub fn ranked(&self) -> impl Iterator<Item = &Area> {
        self.ranked.iter().map(|stored| &stored.row)
    }

    /// Finds the area of an address, and describes how it was found. If a postal code lies in no area, the city
    /// decides.
    pub fn find(&self, facts: &Facts) -> Option<(&Area, String)> {
        if let Some(Fact::Text(code)) = facts.get(POSTAL_CODE) {
            let code = postal(code);
            let prefixes = (1..=self.longest.min(code.len())).filter_map(|end| {
                let prefix = code.get(..end)?;
                Some((*self.by_prefix.get(prefix)?, prefix))
            });
            if let Some((place, prefix)) = prefixes.min() {
                return Some((&self.ranked[place].row, format!("matched postal code {prefix}")));
            }
        }
        if let Some(Fact::Text(city)) = facts.get(CITY)
            && let Ok(city) = self.cities.in_field(city)
            && let Some(place) = self.by_city.get(&place::key(&city))
        {
            return Some((&self.ranked[*place].row, "matched the city".to_owned()));
        }
        None
    }
}

impl Areas {
    /// Returns the length of the longest prefix of any area. Later characters of a postal code have no effect.
    #[must_use]
    pub const fn longest_prefix(&self) -> usize {
        self.longest
    }
}

/// The letters and digits of a postal code, in upper case.
pub fn postal(code: &str) -> String {
    let sound = code.chars().filter(char::is_ascii_alphanumeric).take(16);
    sound.map(|c| c.to_ascii_uppercase()).collect()
}

/// The local time of an instant in the rulebook's time zone.
#[must_use]
pub fn local(at: DateTime<Utc>, zone: Tz) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

/// The facts that follow from the local time.
#[must_use]
pub fn clock(local: NaiveDateTime, calendar: Option<&Calendar>) -> Vec<(&'static str, Fact)> {
    let day = DAYS[local.weekday().num_days_from_monday() as usize];
    let mut facts = vec![
        ("hour", Fact::Number(Decimal::from(local.hour()))),
        ("weekday", Fact::Text(day.to_owned())),
    ];
    if let Some(calendar) = calendar {
        let open = calendar.open(local);
        facts.extend([
            ("evening", Fact::Boolean(calendar.evening(local))),
            ("weekend", Fact::Boolean(calendar.weekend(local.date()))),
            ("holiday", Fact::Boolean(calendar.holiday(local.date()).is_some())),
            ("after_hours", Fact::Boolean(!open)),
            ("open", Fact::Boolean(open)),
        ]);
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postal_code_ignores_spaces_and_case() {
        assert_eq!(postal(" j4k-2m6 "), "J4K2M6");
    }
}
