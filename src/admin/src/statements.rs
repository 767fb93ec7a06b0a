//! Serves statements: the figures of a business for a month or a day.
//!
//! A statement is computed from the stored data and is not stored itself.

mod count;

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use chrono_tz::Tz;
use poem_openapi::param::{Path, Query};
use poem_openapi::{ApiResponse, Object, OpenApi, ResponseContent};

use self::count::{Scope, count};
use super::auth::{Key, Viewer};
use super::days;
use super::errors::{Fails, ReadsStatement};
use super::list_csv::{ListSheet, WantsCsv};
use super::responses::Json;
use super::state::{AdminState, RulebookInPath};
use rules::money::Money;
use web::problem::Problem;

/// The columns of a statement as a spreadsheet, with one line per day.
const COLUMNS: &[&str] = &[
    "date",
    "calls",
    "seconds",
    "cost_micros",
    "leads",
    "leads_by_priority/P1",
    "leads_by_priority/P2",
    "leads_by_priority/P3",
    "leads_by_priority/P4",
    "answered_late",
    "quoted_leads",
    "quoted_from",
    "quoted_to",
    "currency",
    "sms_messages",
    "sms_by_state/delivered",
    "sms_by_state/accepted",
    "sms_by_state/dead",
    "segments",
];

pub struct StatementsApi(pub AdminState);

/// Figures of a day, or of a whole statement.
#[derive(Debug, Clone, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Figures {
    /// The day in the rulebook's time zone; absent in the total.
    date: Option<NaiveDate>,
    /// Calls, counted at their first message.
    calls: u64,
    /// The total duration of the calls, in seconds. A call without a report counts as 0 seconds.
    seconds: i64,
    /// The reported cost of the calls at Vapi, in millionths of a US dollar.
    cost_micros: i64,
    /// Calls without a reported cost.
    calls_without_cost: u64,
    /// Leads that were created.
    leads: u64,
    /// Leads by priority: `P1` to `P4`.
    leads_by_priority: BTreeMap<String, u64>,
    /// Leads that nobody acknowledged within their SLA.
    answered_late: u64,
    /// Leads that nobody has acknowledged yet.
    not_taken: u64,
    /// Leads with a price in the statement's currency.
    quoted_leads: u64,
    /// The sum of the quoted leads' lowest prices, before tax.
    quoted_from: Money,
    /// The sum of the quoted leads' highest prices, before tax.
    quoted_to: Money,
    /// The currency of the sums, from the rulebook's current settings.
    currency: String,
    /// SMS messages that were created.
    sms_messages: u64,
    /// SMS messages by state, such as `dead`.
    sms_by_state: BTreeMap<String, u64>,
    /// The segments of the messages that Twilio accepted. Twilio bills each segment.
    segments: u64,
}

/// The figures of a business for a month or a day.
#[derive(Debug, Object)]
pub struct Statement {
    /// The month or day.
    period: String,
    /// The rulebook's time zone, in which the period begins and ends.
    time_zone: String,
    /// When the period begins.
    since: DateTime<Utc>,
    /// When the period ends.
    until: DateTime<Utc>,
    /// The figures of the whole period.
    total: Figures,
    /// Each day that has begun, in order.
    days: Vec<Figures>,
}

/// A statement in the requested media type.
#[derive(ResponseContent)]
#[expect(clippy::large_enum_variant, reason = "one per response")]
pub enum StatementContent {
    /// JSON, for programs.
    Json(Json<Statement>),
    /// CSV, with one line per day.
    Csv(ListSheet),
}

/// A statement.
#[derive(ApiResponse)]
pub enum StatementResponse {
    /// The figures.
    #[oai(status = 200)]
    Found(StatementContent),
}

#[OpenApi(prefix_path = "/admin/v1/rulebooks/:rulebook/statements")]
impl StatementsApi {
    /// Read the statement of a month or a day
    ///
    /// Sums calls, their duration, Vapi's cost, leads by priority, quoted prices, and SMS messages with their segments,
    /// for each day in the rulebook's time zone and in total. Simulated calls do not count. `Accept: text/csv` gets a
    /// spreadsheet: one line per day. A month with more than 20,000 calls, leads or SMS messages is rejected (422):
    /// read its days instead.
    #[oai(path = "/:period", method = "get")]
    async fn get_statement(
        &self,
        key: Key<Viewer>,
        rulebook: RulebookInPath,
        /// A month (`2026-11`) or a day (`2026-11-28`).
        period: Path<String>,
        /// `true` also counts what `ringbook simulate` has played.
        simulated: Query<Option<bool>>,
        wants: WantsCsv,
    ) -> Result<StatementResponse, Fails<ReadsStatement>> {
        let head_rows = self.0.head_rows(&key, &rulebook.0).await?;
        let settings = head_rows.rows().settings.values().next();
        let zone = settings.and_then(|stored| stored.row.time_zone.parse().ok());
        let zone: Tz = zone.unwrap_or(Tz::UTC);
        let currency = settings.map(|stored| stored.row.currency.clone());
        let (first, last) = dates(&period.0).ok_or_else(no_period)?;
        let since = days::start_of(first, zone).ok_or_else(no_period)?;
        let after = last.succ_opt().and_then(|after| days::start_of(after, zone));
        let until = after.ok_or_else(no_period)?;
        let scope = Scope {
            rulebook_id: head_rows.rulebook_id,
            since,
            until,
            zone,
            simulated: simulated.0.unwrap_or_default(),
            now: self.0.clock.now(),
        };
        let today = scope.now.with_timezone(&zone).date_naive();
        let mut days: BTreeMap<NaiveDate, Figures> = first
            .iter_days()
            .take_while(|date| *date <= last.min(today))
            .map(|date| (date, Figures::of(Some(date), currency.as_deref().unwrap_or_default())))
            .collect();
        count(self.0.read(), &scope, &mut days).await?;
        let days: Vec<Figures> = days.into_values().collect();
        if wants.is_on() {
            let name = format!("{}-{}", rulebook.0, period.0);
            let sheet = ListSheet::of_items(&key, COLUMNS, &days, name)?;
            return Ok(StatementResponse::Found(StatementContent::Csv(sheet)));
        }
        let nothing = Figures::of(None, currency.as_deref().unwrap_or_default());
        let total = days.iter().fold(nothing, Figures::plus);
        Ok(StatementResponse::Found(StatementContent::Json(Json(Statement {
            period: period.0,
            time_zone: zone.name().to_owned(),
            since,
            until,
            total,
            days,
        }))))
    }
}

/// Returns the first and the last day of a month, or a single day twice.
fn dates(period: &str) -> Option<(NaiveDate, NaiveDate)> {
    let is_plain = period.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let day = |text: &str| text.parse::<NaiveDate>().ok().filter(|date| date.year() >= 1970);
    match period.len() {
        7 if is_plain => {
            let first = day(&format!("{period}-01"))?;
            let next = first.checked_add_months(chrono::Months::new(1))?;
            Some((first, next.pred_opt()?))
        }
        10 if is_plain => day(period).map(|date| (date, date)),
        _ => None,
    }
}

fn no_period() -> Problem {
    let detail = "`period` must be a month, such as `2026-11`, or a day, such as `2026-11-28`.";
    Problem::invalid_parameter("period", detail)
}

impl Figures {
    fn of(date: Option<NaiveDate>, currency: &str) -> Self {
        let priorities = ["P1", "P2", "P3", "P4"];
        Self {
            date,
            calls: 0,
            seconds: 0,
            cost_micros: 0,
            calls_without_cost: 0,
            leads: 0,
            leads_by_priority: priorities.map(|priority| (priority.to_owned(), 0)).into(),
            answered_late: 0,
            not_taken: 0,
            quoted_leads: 0,
            quoted_from: Money::from_minor(0),
            quoted_to: Money::from_minor(0),
            currency: currency.to_owned(),
            sms_messages: 0,
            sms_by_state: BTreeMap::new(),
            segments: 0,
        }
    }

    fn plus(mut self, other: &Self) -> Self {
        self.calls += other.calls;
        self.seconds = self.seconds.saturating_add(other.seconds);
        self.cost_micros = self.cost_micros.saturating_add(other.cost_micros);
        self.calls_without_cost += other.calls_without_cost;
        self.leads += other.leads;
        add_all(&mut self.leads_by_priority, &other.leads_by_priority);
        self.answered_late += other.answered_late;
        self.not_taken += other.not_taken;
        self.quoted_leads += other.quoted_leads;
        self.quoted_from = sum(self.quoted_from, other.quoted_from);
        self.quoted_to = sum(self.quoted_to, other.quoted_to);
        self.sms_messages += other.sms_messages;
        add_all(&mut self.sms_by_state, &other.sms_by_state);
        self.segments += other.segments;
        self
    }
}

fn add_all(into: &mut BTreeMap<String, u64>, from: &BTreeMap<String, u64>) {
    for (name, count) in from {
        *into.entry(name.clone()).or_default() += count;
    }
}

fn sum(one: Money, other: Money) -> Money {
    Money::from_minor(one.minor().saturating_add(other.minor()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_month_or_a_day() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(dates("2026-11"), Some((day("2026-11-01"), day("2026-11-30"))));
        assert_eq!(dates("2024-02"), Some((day("2024-02-01"), day("2024-02-29"))));
        assert_eq!(dates("2026-11-28"), Some((day("2026-11-28"), day("2026-11-28"))));
        for wrong in [
            "2026-13",
            "2026-1",
            "2026-02-30",
            "+026-11",
            "1969-12",
            "2026",
            "",
            "2026-1\u{661}",
        ] {
            assert_eq!(dates(wrong), None, "{wrong}");
        }
    }
}
