//! Parses the value of a filter by its type. A day is a day in the rulebook's time zone.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use poem::Request;
use serde_json::Value;
use uuid::Uuid;

use super::{Filter, FilterType};
use crate::days;
use crate::state::AdminState;
use base::clock::Clock;
use rules::suggestion::did_you_mean;
use web::problem::FieldFault;

/// A parsed filter value.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each variant contains a value of the type in its name")]
pub enum FilterValue {
    Text(String),
    Id(Uuid),
    Time(DateTime<Utc>),
    Boolean(bool),
    Number(i64),
    Object(Value),
}

/// A time zone, and the current date in this time zone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Days {
    pub(super) zone: Tz,
    pub(super) today: NaiveDate,
}

impl Days {
    /// Uses the time zone of the rulebook in the path or in the filter `rulebook`, or else of the rulebook `default`.
    pub(super) async fn of(request: &Request, pairs: &[(String, String)]) -> Self {
        let state = request.data::<AdminState>();
        let mut days = Self {
            zone: Tz::UTC,
            today: state
                .map_or_else(|| Clock::system().now(), |state| state.clock.now())
                .date_naive(),
        };
        // Only requests that name a day need the rulebook.
        if !pairs.iter().any(|(_, value)| date(value, days.today).is_some()) {
            return days;
        }
        let in_path = request
            .original_uri()
            .path()
            .split('/')
            .skip_while(|part| *part != "rulebooks")
            .nth(1);
        let asked = pairs
            .iter()
            .find(|(name, _)| name == "rulebook")
            .map(|(_, value)| value.as_str());
        let code = in_path.or(asked).unwrap_or("default");
        if let Some(state) = state
            && let Ok(Some(head)) = state.current.head(code).await
        {
            days.zone = head.rulebook.time_zone();
            days.today = state.clock.now().with_timezone(&days.zone).date_naive();
        }
        days
    }

    /// Returns the instant at which the day begins or ends.
    pub(super) fn instant(self, value: &str, is_end: bool) -> Option<DateTime<Utc>> {
        let date = date(value, self.today)?;
        let date = if is_end { date.succ_opt()? } else { date };
        days::start_of(date, self.zone)
    }
}

/// Parses a day.
fn date(value: &str, today: NaiveDate) -> Option<NaiveDate> {
    match value {
        "today" => Some(today),
        "yesterday" => today.pred_opt(),
        _ if value.len() == 10 => value.parse().ok(),
        _ => None,
    }
}

pub(super) fn wanted(filter: &Filter, value: &str, days: Days) -> Result<FilterValue, FieldFault> {
    let is = |what: &str| {
        wrong(
            filter.name,
            "invalid_value",
            format!("`{}` must be {what}.", filter.name),
        )
    };
    match filter.kind {
        // PostgreSQL stores no NUL in strings, so nothing could match.
        FilterType::Text | FilterType::TextFrom(_) | FilterType::PhoneNumber if value.contains('\0') => {
            Err(is("a string without NUL characters"))
        }
        FilterType::TextFrom(least) if value.trim().chars().count() < least => Err(wrong(
            filter.name,
            "invalid_value",
            format!("`{}` must have {least} letters or more.", filter.name),
        )),
        FilterType::Text | FilterType::TextFrom(_) | FilterType::PhoneNumber => Ok(FilterValue::Text(value.to_owned())),
        FilterType::Choice(choices) if choices.contains(&value) => Ok(FilterValue::Text(value.to_owned())),
        FilterType::Choice(choices) => {
            let hint = did_you_mean(value, choices.iter().copied());
            let detail = format!(
                "`{}` must be one of: {}{}",
                filter.name,
                choices.join(", "),
                ended(&hint)
            );
            Err(wrong(filter.name, "invalid_value", detail))
        }
        FilterType::Id => value.parse().map(FilterValue::Id).map_err(|_| is("a UUID")),
        FilterType::Time => value
            .parse::<DateTime<Utc>>()
            .ok()
            .or_else(|| days.instant(value, filter.name == "until"))
            .filter(|at| (0..=9999).contains(&chrono::Datelike::year(at)))
            .map(|at| FilterValue::Time(base::clock::to_micros(at)))
            .ok_or_else(|| {
                is("an instant, such as `2026-05-01T12:00:00Z`, or a day: `2026-05-01`, `today` or `yesterday`")
            }),
        FilterType::Boolean => value
            .parse()
            .map(FilterValue::Boolean)
            .map_err(|_| is("`true` or `false`")),
        FilterType::Number => value.parse().map(FilterValue::Number).map_err(|_| is("a whole number")),
        FilterType::Object => serde_json::from_str(value)
            .ok()
            .filter(Value::is_object)
            .filter(|_| !value.contains("\\u0000"))
            .map(FilterValue::Object)
            .ok_or_else(|| is("a JSON object, such as `{\"successEvaluation\":\"true\"}`")),
    }
}

/// Returns the hint, which ends with a question mark, or a full stop if there is no hint.
pub(super) fn ended(hint: &str) -> &str {
    if hint.is_empty() { "." } else { hint }
}

pub(super) fn wrong(name: &str, code: &str, detail: String) -> FieldFault {
    FieldFault::new(name, code, detail)
}
