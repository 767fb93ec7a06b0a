//! Parses the parameters of a list as its [`ListSpec`] declares them: page size, cursor, sort order and filters.
//! Unknown parameters are rejected. The same spec documents the parameters.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use poem::{FromRequest, Request, RequestBody, Result};
use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, DatabaseConnection, EntityTrait, Select};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::days;
use super::masking::HideNumbers;
use super::responses::Page;
use super::state::{AdminState, shortened};
use base::clock::Clock;
use rules::suggestion::did_you_mean;
use store::page;
use web::problem::{Code, FieldFault, Problem};

/// The default number of rows per page.
pub const DEFAULT_LIMIT: u64 = 50;
/// Maximum number of rows per page.
pub const MAX_LIMIT: u64 = 200;

/// Filters that viewers may not use, because viewers see the filtered values only masked. A viewer who could filter by
/// a number could guess it digit by digit. A test in `document::lists` lists all other filters.
const MASKED_FILTERS: [&str; 4] = ["analysis", "customer_number", "from_number", "words"];

/// Whether a filter reveals values that are masked for viewers.
#[must_use]
pub fn is_masked(filter: &str) -> bool {
    MASKED_FILTERS.contains(&filter)
}

/// The sort orders and filters of a list.
#[derive(Debug, Clone, Copy)]
pub struct ListSpec {
    /// The sort orders; the first is the default. A leading `-` means descending.
    pub sorts: &'static [&'static str],
    /// The filters.
    pub filters: &'static [Filter],
}

/// One filter of a list.
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    /// The parameter's name.
    pub name: &'static str,
    /// The type of the parameter's value.
    pub kind: FilterType,
    /// The description of the filter in the OpenAPI document: which rows it selects.
    pub doc: &'static str,
}

/// The type of a filter's value.
#[derive(Debug, Clone, Copy)]
pub enum FilterType {
    /// Any text.
    Text,
    /// One of these values.
    Choice(&'static [&'static str]),
    /// A UUID.
    Id,
    /// An instant (RFC 3339), or a day in the rulebook's time zone: `2026-11-28`, `today` or `yesterday`. A day means
    /// its beginning, or its end for a filter named `until`.
    Time,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Number,
    /// A JSON object.
    Object,
}

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

/// The parsed query of a list request.
#[derive(Debug)]
pub struct Listing {
    /// Maximum number of rows.
    pub limit: u64,
    /// The column to sort by.
    pub sort: &'static str,
    /// Whether the order is descending.
    pub descending: bool,
    /// The sort column's value and the id of the last row of the previous page.
    pub after: Option<(Value, String)>,
    /// A hash of the list's path, order and filters. A cursor is valid only while this hash is the same.
    mark: String,
    filters: BTreeMap<&'static str, FilterValue>,
}

/// The unparsed query string of a list request.
pub struct ListQuery {
    pairs: Vec<(String, String)>,
    mark: String,
    hide: HideNumbers,
    days: Days,
}

/// A time zone, and the current date in this time zone.
#[derive(Clone, Copy, Debug)]
struct Days {
    zone: Tz,
    today: NaiveDate,
}

impl Days {
    /// Uses the time zone of the rulebook in the path or in the filter `rulebook`, or else of the rulebook `default`.
    async fn of(request: &Request, pairs: &[(String, String)]) -> Self {
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
    fn instant(self, value: &str, is_end: bool) -> Option<DateTime<Utc>> {
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

impl ListQuery {
    fn new(path: &str, pairs: Vec<(String, String)>, days: Days) -> Self {
        let mut told: Vec<_> = pairs
            .iter()
            .filter(|(name, _)| name != "limit" && name != "cursor")
            .collect();
        told.sort();
        let mark = Sha256::digest(serde_json::json!([path, told]).to_string());
        let mark = hex::encode(mark.get(..8).unwrap_or_default());
        Self {
            pairs,
            mark,
            hide: HideNumbers::default(),
            days,
        }
    }
}

impl<'a> FromRequest<'a> for ListQuery {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> Result<Self> {
        let pairs: Vec<(String, String)> = request
            .params()
            .map_err(|_| Problem::new(Code::InvalidParameter, "The query string cannot be read."))?;
        let days = Days::of(request, &pairs).await;
        let mut query = Self::new(request.original_uri().path(), pairs, days);
        query.hide = request.data::<HideNumbers>().cloned().unwrap_or_default();
        Ok(query)
    }
}

fn wrong(name: &str, code: &str, detail: String) -> FieldFault {
    FieldFault::new(name, code, detail)
}

impl ListQuery {
    /// Removes these parameters from the query, because the operation itself parses them.
    #[must_use]
    pub fn besides(mut self, names: &[&str]) -> Self {
        self.pairs.retain(|(name, _)| !names.contains(&name.as_str()));
        self
    }

    /// Parses the query by the list's spec.
    ///
    /// # Errors
    /// 400 with the invalid parameter, 403 for a filter on a value that is masked for the API caller, 422 for another
    /// list's cursor.
    pub fn read(&self, spec: &ListSpec) -> Result<Listing, Problem> {
        let default = spec.sorts.first().copied().unwrap_or_default();
        let mut listing = Listing {
            limit: DEFAULT_LIMIT,
            sort: default.trim_start_matches('-'),
            descending: default.starts_with('-'),
            after: None,
            mark: self.mark.clone(),
            filters: BTreeMap::new(),
        };
        let mut cursor = None;
        let mut seen = Vec::new();
        let mut faults = Vec::new();
        for (name, value) in &self.pairs {
            if seen.contains(&name) {
                let name = shortened(name);
                faults.push(FieldFault::new(&*name, "repeated", format!("`{name}` is given twice.")));
                continue;
            }
            seen.push(name);
            let read = match name.as_str() {
                "cursor" => {
                    cursor = Some(value);
                    is_cursor(value).then_some(()).ok_or_else(|| {
                        let detail = "`cursor` must be the `next_cursor` of the previous page.";
                        wrong("cursor", "invalid_value", detail.to_owned())
                    })
                }
                name => listing.take(spec, name, value, self.days),
            };
            faults.extend(read.err());
        }
        if !faults.is_empty() {
            return Err(Problem::invalid_parameters(faults));
        }
        let masked = listing.filters.keys().find(|name| is_masked(name));
        if let Some(name) = masked.filter(|_| self.hide.is_on()) {
            let detail =
                format!("`{name}` filters by a value that is masked for viewers: use a key with another role.");
            return Err(Problem::new(Code::Forbidden, detail));
        }
        // A cursor is valid only for the same list, sort order and filters.
        if let Some(cursor) = cursor {
            listing.after = Some(place(cursor, &listing.mark)?);
        }
        Ok(listing)
    }
}

impl Listing {
    /// Parses one parameter.
    fn take(&mut self, spec: &ListSpec, name: &str, value: &str, days: Days) -> Result<(), FieldFault> {
        match name {
            "limit" => self.limit = limit(value)?,
            "sort" => {
                let sort = spec.sorts.iter().find(|sort| **sort == value).ok_or_else(|| {
                    let hint = did_you_mean(value, spec.sorts.iter().copied());
                    let detail = format!("`sort` must be one of: {}{}", spec.sorts.join(", "), ended(&hint));
                    wrong("sort", "invalid_value", detail)
                })?;
                self.sort = sort.trim_start_matches('-');
                self.descending = sort.starts_with('-');
            }
            other => {
                let filter = spec.filters.iter().find(|filter| filter.name == other).ok_or_else(|| {
                    let known: Vec<_> = ["limit", "cursor", "sort"]
                        .into_iter()
                        .chain(spec.filters.iter().map(|filter| filter.name))
                        .collect();
                    let other = shortened(other);
                    let hint = did_you_mean(&other, known.iter().copied());
                    let known = known.join(", ");
                    let detail = format!("This list has no parameter `{other}`; it has: {known}{}", ended(&hint));
                    wrong(&other, "unknown_parameter", detail)
                })?;
                self.filters.insert(filter.name, wanted(filter, value, days)?);
            }
        }
        Ok(())
    }
}

fn limit(value: &str) -> Result<u64, FieldFault> {
    value
        .parse()
        .ok()
        .filter(|limit| (1..=MAX_LIMIT).contains(limit))
        .ok_or_else(|| {
            wrong(
                "limit",
                "invalid_value",
                format!("`limit` must be a whole number from 1 to {MAX_LIMIT}."),
            )
        })
}

fn wanted(filter: &Filter, value: &str, days: Days) -> Result<FilterValue, FieldFault> {
    let is = |what: &str| {
        wrong(
            filter.name,
            "invalid_value",
            format!("`{}` must be {what}.", filter.name),
        )
    };
    match filter.kind {
        // PostgreSQL stores no NUL in strings, so nothing could match.
        FilterType::Text if value.contains('\0') => Err(is("a string without NUL characters")),
        FilterType::Text => Ok(FilterValue::Text(value.to_owned())),
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
fn ended(hint: &str) -> &str {
    if hint.is_empty() { "." } else { hint }
}

/// Whether a text has the form of a cursor. The content is checked later, when sort order and filters are known.
fn is_cursor(text: &str) -> bool {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=2_000).contains(&text.len()) && text.bytes().all(is_base64)
}

fn place(cursor: &str, mark: &str) -> Result<(Value, String), Problem> {
    let read = || {
        let bytes = BASE64.decode(cursor).ok()?;
        let (own, by, id): (String, Value, String) = serde_json::from_slice(&bytes).ok()?;
        (own == mark).then_some((by, id))
    };
    read().ok_or_else(foreign_cursor)
}

fn foreign_cursor() -> Problem {
    let detail = "`cursor` must be the `next_cursor` of a page of this list, with the same `sort` and filters.";
    Problem::fault("cursor", "invalid_value", detail)
}

/// Builds a condition for a boolean column. It has no parameter, because a query planner uses a partial index only for
/// a constant condition.
#[must_use]
pub fn flag(column: &str, is_set: bool) -> SimpleExpr {
    Expr::cust(if is_set {
        column.to_owned()
    } else {
        format!("NOT {column}")
    })
}

/// Builds a condition for a column in which almost all rows have the value `usual`. For any other value, it adds the
/// constant condition `column <> usual`, so that the query planner can use the partial index with this condition.
#[must_use]
pub fn is_value<C: ColumnTrait>(column: C, usual: &str, value: &str) -> Condition {
    let other = (value != usual).then(|| Expr::cust(format!("{} <> '{usual}'", column.as_str())));
    Condition::all().add(column.eq(value)).add_option(other)
}

/// The 422 problem for a filter that has too many parts.
#[must_use]
pub fn too_large(name: &str) -> Problem {
    Problem::fault(name, "too_large", format!("`{name}` has too many parts."))
}

impl Listing {
    /// Moves the listing to the page after this cursor.
    ///
    /// # Errors
    /// 422 for another list's cursor.
    pub fn go_on(&mut self, cursor: &str) -> Result<(), Problem> {
        self.after = Some(place(cursor, &self.mark)?);
        Ok(())
    }

    /// Returns the string value of a filter.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.filters.get(name) {
            Some(FilterValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns the id value of a filter.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<Uuid> {
        match self.filters.get(name) {
            Some(FilterValue::Id(id)) => Some(*id),
            _ => None,
        }
    }

    /// Returns the instant value of a filter.
    #[must_use]
    pub fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        match self.filters.get(name) {
            Some(FilterValue::Time(at)) => Some(*at),
            _ => None,
        }
    }

    /// Returns the boolean value of a filter.
    #[must_use]
    pub fn boolean(&self, name: &str) -> Option<bool> {
        match self.filters.get(name) {
            Some(FilterValue::Boolean(value)) => Some(*value),
            _ => None,
        }
    }

    /// Returns the number value of a filter.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.filters.get(name) {
            Some(FilterValue::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// Returns the object value of a filter.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<&Value> {
        match self.filters.get(name) {
            Some(FilterValue::Object(object)) => Some(object),
            _ => None,
        }
    }

    /// Returns the sort value and the id of the last row of the previous page, for a list sorted by time.
    pub fn after_time(&self) -> Result<Option<(DateTime<Utc>, String)>, Problem> {
        let read = |(by, id): &(Value, String)| {
            let at = by.as_str().and_then(|at| at.parse().ok()).ok_or_else(foreign_cursor)?;
            Ok((at, id.clone()))
        };
        self.after.as_ref().map(read).transpose()
    }

    /// Returns the id of the last row of the previous page, for a list sorted by id.
    pub fn after_id(&self) -> Result<Option<Uuid>, Problem> {
        let read = self
            .after
            .as_ref()
            .map(|(_, id)| id.parse().map_err(|_| foreign_cursor()));
        read.transpose()
    }

    /// Reads the rows of a list sorted by id: one more than `limit` if there is a next page.
    pub async fn rows_by_id<E>(
        &self,
        db: &DatabaseConnection,
        select: Select<E>,
        id: E::Column,
    ) -> Result<Vec<E::Model>, Problem>
    where
        E: EntityTrait,
        E::Model: Send + Sync,
    {
        let sorting = page::Sorting {
            by: id,
            id,
            descending: self.descending,
        };
        let after = self.after_id()?.map(|id| (id.into(), id.into()));
        Ok(page::rows(db, select, sorting, after, self.limit).await?)
    }

    /// Builds the page. `rows` has one row more than `limit` if there is a next page. `place` returns a row's sort
    /// value and id.
    pub fn page<M, T>(
        &self,
        mut rows: Vec<M>,
        place: impl Fn(&M) -> (Value, String),
        view: impl FnMut(M) -> T,
    ) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|row| {
            let (by, id) = place(row);
            BASE64.encode(serde_json::json!([self.mark, by, id]).to_string())
        });
        Page {
            items: rows.into_iter().map(view).collect(),
            next_cursor,
        }
    }

    /// Builds the page from rows that are all in memory. Each row has its sort value, its code and its view.
    pub fn page_of<T>(&self, mut rows: Vec<(Value, String, T)>) -> Page<T> {
        let order = |a: (&Value, &str), b: (&Value, &str)| {
            let order = compare(a.0, b.0).then_with(|| a.1.cmp(b.1));
            if self.descending { order.reverse() } else { order }
        };
        rows.sort_by(|a, b| order((&a.0, &a.1), (&b.0, &b.1)));
        if let Some((by, id)) = &self.after {
            rows.retain(|row| order((&row.0, &row.1), (by, id)).is_gt());
        }
        self.page(rows, |row| (row.0.clone(), row.1.clone()), |row| row.2)
    }

    /// Whether a row as JSON matches every filter. A field matches if it equals the filter's value or is a list that
    /// contains the value.
    #[must_use]
    pub fn keeps(&self, row: &Value) -> bool {
        let equals = |value: &Value, wanted: &FilterValue| match (value, wanted) {
            (Value::String(value), FilterValue::Text(wanted)) => value == wanted,
            (Value::Bool(value), FilterValue::Boolean(wanted)) => value == wanted,
            (Value::Number(value), FilterValue::Number(wanted)) => value.as_i64() == Some(*wanted),
            _ => false,
        };
        self.filters.iter().all(|(name, wanted)| match &row[*name] {
            Value::Array(values) => values.iter().any(|value| equals(value, wanted)),
            value => equals(value, wanted),
        })
    }
}

fn compare(a: &Value, b: &Value) -> std::cmp::Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (a, b) => a.as_i64().cmp(&b.as_i64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: ListSpec = ListSpec {
        sorts: &["code", "-rank"],
        filters: &[
            Filter {
                name: "offer",
                kind: FilterType::Choice(&["offered", "refused"]),
                doc: "",
            },
            Filter {
                name: "since",
                kind: FilterType::Time,
                doc: "",
            },
            Filter {
                name: "until",
                kind: FilterType::Time,
                doc: "",
            },
        ],
    };

    fn ask(pairs: &[(&str, &str)]) -> Result<Listing, Problem> {
        let pairs = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        ListQuery::new("/here", pairs.collect(), montreal()).read(&SPEC)
    }

    /// The day on which daylight saving time ended in Montréal.
    fn montreal() -> Days {
        Days {
            zone: Tz::America__Toronto,
            today: NaiveDate::from_ymd_opt(2026, 11, 1).unwrap(),
        }
    }

    #[test]
    fn a_day_is_that_of_the_rulebook_from_its_beginning_to_its_end() {
        let at = |name: &'static str, value: &str| ask(&[(name, value)]).unwrap().time(name).unwrap().to_rfc3339();
        for (name, value, instant) in [
            ("since", "today", "2026-11-01T04:00:00+00:00"),
            ("until", "today", "2026-11-02T05:00:00+00:00"),
            ("since", "yesterday", "2026-10-31T04:00:00+00:00"),
            ("until", "yesterday", "2026-11-01T04:00:00+00:00"),
            ("since", "2026-11-28", "2026-11-28T05:00:00+00:00"),
            ("until", "2026-11-28T12:00:00Z", "2026-11-28T12:00:00+00:00"),
        ] {
            assert_eq!(at(name, value), instant, "{name}={value}");
        }
        // In São Paulo, daylight saving time began at midnight of 15 October 2017.
        let days = Days {
            zone: Tz::America__Sao_Paulo,
            ..montreal()
        };
        let began = days.instant("2017-10-15", false).unwrap();
        assert_eq!(began.to_rfc3339(), "2017-10-15T03:00:00+00:00");
    }

    #[test]
    fn what_a_list_does_not_know_is_refused_with_the_parameter() {
        for (name, value) in [
            ("limit", "0"),
            ("limit", "201"),
            ("sort", "rank"),
            ("cursor", "x"),
            ("colour", "red"),
            ("offer", "maybe"),
            ("since", "tomorrow"),
        ] {
            let problem = ask(&[(name, value)]).unwrap_err();
            assert_eq!(problem.errors()[0].pointer, name, "{value}");
        }
        assert!(ask(&[("limit", "1"), ("limit", "2")]).is_err());
        let problem = ask(&[("limit", "0"), ("colour", "red"), ("since", "2026-02-30")]).unwrap_err();
        assert_eq!(problem.errors().len(), 3, "{problem}");
    }

    #[test]
    fn pages_follow_each_other_while_rows_come_and_go() {
        let rows = |codes: &[&str]| {
            codes
                .iter()
                .map(|c| (Value::from(*c), (*c).to_owned(), (*c).to_owned()))
                .collect()
        };
        let first = ask(&[("limit", "2")]).unwrap().page_of(rows(&["b", "d", "f"]));
        assert_eq!(first.items, ["b", "d"]);
        let cursor = first.next_cursor.unwrap();
        let second = ask(&[("limit", "2"), ("cursor", &cursor)])
            .unwrap()
            .page_of(rows(&["a", "c", "e", "f"]));
        assert_eq!(second.items, ["e", "f"]);
        assert_eq!(second.next_cursor, None);
        assert!(ask(&[("sort", "-rank"), ("cursor", &cursor)]).is_err());
        assert!(ask(&[("offer", "refused"), ("cursor", &cursor)]).is_err());
        let elsewhere = ListQuery::new("/there", vec![("cursor".to_owned(), cursor)], montreal());
        assert!(elsewhere.read(&SPEC).is_err());
    }

    #[test]
    fn the_nearest_name_is_told() {
        for (pair, nearest) in [
            (("ofer", "x"), "did you mean `offer`?"),
            (("offer", "ofered"), "did you mean `offered`?"),
            (("sort", "cod"), "did you mean `code`?"),
        ] {
            let problem = ask(&[pair]).unwrap_err();
            assert!(problem.detail().ends_with(nearest), "{}", problem.detail());
        }
    }
}
