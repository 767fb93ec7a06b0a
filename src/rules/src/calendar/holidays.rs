//! Finds the holidays of a year: by date, by rule, and as substitute days for holidays on a weekend. The holidays of
//! the years in which calls are expected are calculated in advance, because every decision needs them.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate, Weekday};

use super::day_rule::DayRule;
use crate::rows::IfWeekend;

/// The years for which holidays are calculated in advance.
const KNOWN: std::ops::RangeInclusive<i32> = 2015..=2060;
/// Maximum distance of a substitute day from its holiday, in days.
const FURTHEST: usize = 14;

/// A holiday by rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub on: DayRule,
    pub name: String,
    pub if_weekend: Option<IfWeekend>,
}

/// All holidays of a calendar.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Holidays {
    by_date: BTreeMap<NaiveDate, String>,
    rules: Vec<Rule>,
    weekend: [bool; 7],
    /// The holidays by rule in the known years, sorted by date: the date and the index of the rule.
    known: Vec<(NaiveDate, usize)>,
}

impl Holidays {
    pub fn new(by_date: BTreeMap<NaiveDate, String>, rules: Vec<Rule>, weekend: [bool; 7]) -> Self {
        let mut holidays = Self {
            by_date,
            rules,
            weekend,
            known: Vec::new(),
        };
        if !holidays.rules.is_empty() {
            let known = KNOWN.flat_map(|year| holidays.by_rule_in(year)).collect();
            holidays.known = known;
        }
        holidays
    }

    /// The name of the holiday, or `None` on other days.
    pub fn on(&self, date: NaiveDate) -> Option<&str> {
        if let Some(name) = self.by_date.get(&date) {
            return Some(name);
        }
        if self.rules.is_empty() {
            return None;
        }
        let place = if KNOWN.contains(&date.year()) {
            let place = self.known.binary_search_by_key(&date, |(known, _)| *known).ok()?;
            self.known.get(place)?.1
        } else {
            self.by_rule_in(date.year())
                .into_iter()
                .find(|(day, _)| *day == date)?
                .1
        };
        self.rules.get(place).map(|rule| rule.name.as_str())
    }

    /// The holidays by rule that fall in a year, ascending. If a rule is calculated for the previous or the next year,
    /// its day may also fall in this year.
    fn by_rule_in(&self, year: i32) -> Vec<(NaiveDate, usize)> {
        let mut days: BTreeMap<NaiveDate, usize> = BTreeMap::new();
        let years = [year.saturating_sub(1), year, year.saturating_add(1)];
        for (place, rule) in self.rules.iter().enumerate() {
            for day in years.iter().filter_map(|year| rule.on.day_in(*year)) {
                days.entry(day).or_insert(place);
            }
        }
        // The rules are tried in the order of the row: of two holidays on one weekend, the first rule gets the first
        // substitute day.
        let mut stand_ins: BTreeMap<NaiveDate, usize> = BTreeMap::new();
        for (place, rule) in self.rules.iter().enumerate() {
            for day in years.iter().filter_map(|year| rule.on.day_in(*year)) {
                let taken = |day: NaiveDate| {
                    days.contains_key(&day) || stand_ins.contains_key(&day) || self.by_date.contains_key(&day)
                };
                if let Some(stand_in) = rule.if_weekend.and_then(|how| self.stand_in(day, how, taken)) {
                    stand_ins.insert(stand_in, place);
                }
            }
        }
        days.extend(stand_ins);
        days.into_iter().filter(|(day, _)| day.year() == year).collect()
    }

    /// The substitute day for a holiday on a weekend.
    fn stand_in(&self, day: NaiveDate, how: IfWeekend, taken: impl Fn(NaiveDate) -> bool) -> Option<NaiveDate> {
        let free = |day: &NaiveDate| !self.is_weekend(*day) && !taken(*day);
        let after = || day.iter_days().skip(1).take(FURTHEST).find(free);
        let before = || {
            std::iter::successors(day.pred_opt(), NaiveDate::pred_opt)
                .take(FURTHEST)
                .find(free)
        };
        if how == IfWeekend::SundayToMonday {
            return (day.weekday() == Weekday::Sun).then(after).flatten();
        }
        if !self.is_weekend(day) {
            return None;
        }
        match how {
            IfWeekend::Previous => before(),
            IfWeekend::Nearest => match (before(), after()) {
                (Some(before), Some(after)) if after - day < day - before => Some(after),
                (before, after) => before.or(after),
            },
            IfWeekend::Next | IfWeekend::SundayToMonday => after(),
        }
    }

    fn is_weekend(&self, day: NaiveDate) -> bool {
        // The index of a weekday is at most 6.
        self.weekend[day.weekday().num_days_from_monday() as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SATURDAY_AND_SUNDAY: [bool; 7] = [false, false, false, false, false, true, true];

    fn holidays(rules: &[(&str, Option<IfWeekend>)]) -> Holidays {
        let rule = |(on, if_weekend): &(&str, Option<IfWeekend>)| Rule {
            on: DayRule::read(on).unwrap(),
            name: (*on).to_owned(),
            if_weekend: *if_weekend,
        };
        Holidays::new(BTreeMap::new(), rules.iter().map(rule).collect(), SATURDAY_AND_SUNDAY)
    }

    /// The holidays of a year, each with its rule.
    fn of(holidays: &Holidays, year: i32) -> Vec<(String, String)> {
        let days = NaiveDate::from_ymd_opt(year, 1, 1).unwrap().iter_days();
        let days = days.take_while(|day| day.year() == year);
        days.filter_map(|day| Some((day.format("%m-%d").to_string(), holidays.on(day)?.to_owned())))
            .collect()
    }

    fn days(holidays: &Holidays, year: i32) -> Vec<String> {
        of(holidays, year).into_iter().map(|(day, _)| day).collect()
    }

    #[test]
    fn a_holiday_at_the_weekend_has_a_day_that_stands_in_for_it() {
        use IfWeekend::{Nearest, Next, Previous, SundayToMonday};
        // 1 July: a Saturday in 2028, a Sunday in 2029, a Monday in 2030.
        for (how, expected) in [
            (None, [vec!["07-01"], vec!["07-01"], vec!["07-01"]]),
            (
                Some(Next),
                [vec!["07-01", "07-03"], vec!["07-01", "07-02"], vec!["07-01"]],
            ),
            (
                Some(Previous),
                [vec!["06-30", "07-01"], vec!["06-29", "07-01"], vec!["07-01"]],
            ),
            (
                Some(Nearest),
                [vec!["06-30", "07-01"], vec!["07-01", "07-02"], vec!["07-01"]],
            ),
            (
                Some(SundayToMonday),
                [vec!["07-01"], vec!["07-01", "07-02"], vec!["07-01"]],
            ),
        ] {
            let holidays = holidays(&[("07-01", how)]);
            assert_eq!(
                [2028, 2029, 2030].map(|year| days(&holidays, year)),
                expected,
                "{how:?}"
            );
        }
    }

    #[test]
    fn two_holidays_of_one_weekend_have_two_days() {
        use IfWeekend::Next;
        let holidays = holidays(&[("12-25", Some(Next)), ("12-26", Some(Next)), ("01-01", Some(Next))]);
        // In 2027, Christmas is a Saturday. In 2022, Christmas is a Sunday, and the Monday after it is Boxing Day
        // itself.
        let of_2027 = of(&holidays, 2027);
        let of_2027: Vec<_> = of_2027
            .iter()
            .map(|(day, name)| (day.as_str(), name.as_str()))
            .collect();
        assert_eq!(
            of_2027,
            [
                ("01-01", "01-01"),
                ("12-25", "12-25"),
                ("12-26", "12-26"),
                ("12-27", "12-25"),
                ("12-28", "12-26"),
            ]
        );
        assert_eq!(days(&holidays, 2022), ["01-01", "01-03", "12-25", "12-26", "12-27"]);
    }

    #[test]
    fn a_day_that_stands_in_may_lie_in_the_year_before() {
        // 1 January is a Saturday in 2028, which is a known year. It is a Sunday in 2062, which is not a known year.
        let holidays = holidays(&[("01-01", Some(IfWeekend::Previous))]);
        assert_eq!(days(&holidays, 2027), ["01-01", "12-31"]);
        assert_eq!(days(&holidays, 2061), ["01-01", "12-30"]);
    }

    proptest! {
        #[test]
        fn known_years_are_what_any_year_would_be(
            rules in prop::collection::vec(
                (prop::sample::select(vec!["12-25", "12-26", "01-01", "easter-2", "monday before 05-25", "last friday of december",
                    "02-29", "thursday after 12-25", "2026-12-24"]),
                 prop::option::of(prop::sample::select(vec![IfWeekend::Next, IfWeekend::Previous, IfWeekend::Nearest,
                    IfWeekend::SundayToMonday]))),
                0..6,
            ),
            year in 2015i32..2061,
        ) {
            let holidays = holidays(&rules);
            let by_rule: Vec<_> = holidays.by_rule_in(year).into_iter().map(|(day, _)| day.format("%m-%d").to_string()).collect();
            prop_assert_eq!(days(&holidays, year), by_rule.clone());
            // A substitute day is never on a weekend, and every rule's own day is included.
            for rule in &holidays.rules {
                if let Some(day) = rule.on.day_in(year).filter(|day| day.year() == year) {
                    prop_assert!(by_rule.contains(&day.format("%m-%d").to_string()));
                }
            }
        }
    }
}
